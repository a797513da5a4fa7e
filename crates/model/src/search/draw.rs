//! One token drawn from a model's probabilities.

use super::{BOS, EOS, PAD};
use crate::pass::mix;

/// How to draw instead of searching.
///
/// A token is drawn with probability proportional to `exp(logit / temperature)`, among
///
/// 1. all tokens but padding and `<s>`;
/// 2. of these, with `top_k` above 0, the `top_k` most probable (Fan et al. 2018);
/// 3. of these, with `top_p` below 1, the fewest most probable ones that together have at least this share of what
///    those left by 2 have (nucleus sampling, Holtzman et al. 2020).
///
/// Which token it is depends on the seed, the line, the part of the line, the sample and the position, by a hash. There
/// is no generator with a state: neither batches nor threads nor other lines have a say.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// Independent samples of each sentence, at least 1.
    pub samples: usize,
    /// Above 0: 1 draws from the model's probabilities, less prefers what is probable, more what is not.
    pub temperature: f64,
    /// Tokens to choose from; 0 is all.
    pub top_k: usize,
    /// Share of the probability to choose from, above 0 and at most 1.
    pub top_p: f64,
    /// Another seed, other samples.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            samples: 1,
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            seed: 1,
        }
    }
}

/// A token that may be drawn.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    token: u32,
    logit: f32,
    /// Proportional to the probability that it is drawn.
    weight: f32,
}

/// Candidates that are sorted at first to find the nucleus. Few are needed as a rule, and sorting a whole vocabulary
/// takes longer than a small model's step.
const FIRST_SORTED: usize = 64;

impl Sampling {
    /// What all draws for a source depend on: `line` is its number in the text, `part` its number in the line, for a
    /// line that is translated in parts.
    pub fn key(&self, line: u64, part: u64) -> u64 {
        mix(mix(mix(self.seed) ^ line) ^ part)
    }

    /// The token that `number`, from 0 to below 1, stands for. `</s>` where no token has a probability
    /// that is a number.
    pub(super) fn draw(&self, logits: &[f32], number: f64) -> u32 {
        let candidates = self.candidates(logits);
        let total = total(&candidates);
        if !total.is_finite() {
            return EOS;
        }
        let mut left = number * total;
        for candidate in &candidates {
            if left < f64::from(candidate.weight) {
                return candidate.token;
            }
            left -= f64::from(candidate.weight);
        }
        // Rounding can leave a number just below 1 without its token.
        let possible = candidates.iter().rfind(|candidate| candidate.weight > 0.0);
        possible.map_or(EOS, |candidate| candidate.token)
    }

    /// The tokens that may be drawn.
    fn candidates(&self, logits: &[f32]) -> Vec<Candidate> {
        let allowed = |token: &u32| *token != PAD && *token != BOS;
        let tokens = (0..logits.len() as u32).filter(allowed);
        let largest = tokens
            .clone()
            .fold(f32::NEG_INFINITY, |largest, token| largest.max(logits[token as usize]));
        let candidate = |token: u32| {
            let logit = logits[token as usize];
            Candidate {
                token,
                logit,
                weight: ((f64::from(logit - largest) / self.temperature) as f32).exp(),
            }
        };
        let mut candidates: Vec<Candidate> = tokens.map(candidate).collect();
        if self.top_k > 0 && self.top_k < candidates.len() {
            candidates.select_nth_unstable_by(self.top_k, order);
            candidates.truncate(self.top_k);
            candidates.sort_unstable_by(order);
        }
        if self.top_p < 1.0 {
            keep_nucleus(&mut candidates, self.top_p);
        }
        candidates
    }
}

/// Keeps the fewest best candidates that have a share `top_p` of the total weight.
fn keep_nucleus(candidates: &mut Vec<Candidate>, top_p: f64) {
    let enough = top_p * total(candidates);
    let (mut sorted, mut more, mut sum) = (0, FIRST_SORTED, 0.0);
    while sorted < candidates.len() {
        let rest = &mut candidates[sorted..];
        let count = more.min(rest.len());
        if count < rest.len() {
            rest.select_nth_unstable_by(count, order);
        }
        rest[..count].sort_unstable_by(order);
        for place in sorted..sorted + count {
            sum += f64::from(candidates[place].weight);
            if sum >= enough {
                candidates.truncate(place + 1);
                return;
            }
        }
        sorted += count;
        more *= 4;
    }
}

fn total(candidates: &[Candidate]) -> f64 {
    candidates.iter().map(|candidate| f64::from(candidate.weight)).sum()
}

/// The most probable first; of equals the lower token.
fn order(a: &Candidate, b: &Candidate) -> std::cmp::Ordering {
    b.logit.total_cmp(&a.logit).then(a.token.cmp(&b.token))
}

/// From 0 to below 1, by a hash of all that a draw depends on; `key` is [`Sampling::key`].
pub(super) fn uniform(key: u64, sample: usize, position: usize) -> f64 {
    let bits = mix(mix(key ^ sample as u64) ^ position as u64) >> 11;
    bits as f64 / (1u64 << 53) as f64
}

/// What the model gives to a token, whatever could be drawn, in nats.
pub(super) fn log_probability(logits: &[f32], token: u32) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|logit| (logit - largest).exp()).sum();
    f64::from(logits[token as usize] - largest) - f64::from(sum).ln()
}

#[cfg(test)]
mod tests;
