//! One sentence's hypotheses, and the best continuations of a batch of them.

use rayon::prelude::*;

use super::{BOS, DecodingConfig, EOS, Hypothesis, PAD, length_penalty};

/// The hypotheses of one sentence.
pub(super) struct Beam {
    /// Which sentence of the batch.
    pub sentence: usize,
    /// Longest output in tokens, `</s>` included.
    pub max_length: usize,
    /// Nothing is left to search.
    pub done: bool,
    live: Vec<Live>,
    /// Ended by `</s>`.
    finished: Vec<Hypothesis>,
    /// Ended by the longest output.
    cut_off: Vec<Hypothesis>,
}

/// A hypothesis that goes on.
#[derive(Clone)]
struct Live {
    tokens: Vec<u32>,
    /// Negative infinity where there are fewer hypotheses than the beam is wide.
    log_probability: f64,
    /// The hypothesis of the last step that it continues.
    parent: usize,
}

/// A token behind a live hypothesis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Continuation {
    parent: usize,
    token: u32,
    log_probability: f64,
}

impl Beam {
    pub fn new(sentence: usize, width: usize, max_length: usize) -> Self {
        let live = (0..width)
            .map(|place| Live {
                tokens: Vec::new(),
                log_probability: if place == 0 { 0.0 } else { f64::NEG_INFINITY },
                parent: place,
            })
            .collect();
        Self {
            sentence,
            max_length,
            done: false,
            live,
            finished: Vec::new(),
            cut_off: Vec::new(),
        }
    }

    /// The token that each live hypothesis ends in.
    pub fn last_tokens(&self) -> impl Iterator<Item = u32> {
        self.live.iter().map(|live| live.tokens.last().copied().unwrap_or(BOS))
    }

    /// The log-probability of each live hypothesis.
    pub fn log_probabilities(&self) -> impl Iterator<Item = f64> {
        self.live.iter().map(|live| live.log_probability)
    }

    /// The row that each live hypothesis continues, when the beam's first row is `first`.
    pub fn parents(&self, first: usize) -> impl Iterator<Item = usize> {
        self.live.iter().map(move |live| first + live.parent)
    }

    /// Takes the step that `continuations`, best first, allow.
    pub fn advance(&mut self, continuations: &[Continuation], config: &DecodingConfig) {
        let width = self.live.len();
        let mut next = Vec::with_capacity(width);
        for (rank, continuation) in continuations.iter().enumerate() {
            let parent = &self.live[continuation.parent];
            if continuation.token != EOS {
                let mut tokens = parent.tokens.clone();
                tokens.push(continuation.token);
                next.push(Live {
                    tokens,
                    log_probability: continuation.log_probability,
                    parent: continuation.parent,
                });
            } else if rank < width {
                let length = parent.tokens.len() + 1;
                self.finished.push(hypothesis(
                    parent.tokens.clone(),
                    continuation.log_probability,
                    length,
                    config,
                ));
            }
            if next.len() == width {
                break;
            }
        }
        let length = next.first().map_or(self.max_length, |live| live.tokens.len());
        while next.len() < width {
            next.push(Live {
                tokens: vec![EOS; length],
                log_probability: f64::NEG_INFINITY,
                parent: 0,
            });
        }
        self.live = next;
        if self.finished.len() >= width || length >= self.max_length {
            self.finish(config);
        }
    }

    /// Ends the search; where too few hypotheses ended by themselves, the live ones stand as they are.
    fn finish(&mut self, config: &DecodingConfig) {
        let missing = self.live.len().saturating_sub(self.finished.len());
        for live in self
            .live
            .iter()
            .filter(|live| live.log_probability.is_finite())
            .take(missing)
        {
            let length = live.tokens.len();
            self.cut_off
                .push(hypothesis(live.tokens.clone(), live.log_probability, length, config));
        }
        self.done = true;
    }

    /// Best first, of equals the one finished first; what was cut off at the longest output stands behind all that
    /// ended by itself. At least one: an empty one where the model gave nothing a probability.
    pub fn into_hypotheses(mut self) -> Vec<Hypothesis> {
        let by_score = |a: &Hypothesis, b: &Hypothesis| b.score.total_cmp(&a.score);
        self.finished.sort_by(by_score);
        self.finished.truncate(self.live.len());
        self.cut_off.sort_by(by_score);
        self.finished.append(&mut self.cut_off);
        if self.finished.is_empty() {
            self.finished.push(super::EMPTY);
        }
        self.finished
    }
}

fn hypothesis(tokens: Vec<u32>, log_probability: f64, length: usize, config: &DecodingConfig) -> Hypothesis {
    Hypothesis {
        tokens,
        score: log_probability / length_penalty(config, length),
        log_probability,
    }
}

/// For each sentence the `2 * width` best continuations of its `width` rows, best first; of equals the lower row, then
/// the lower token.
///
/// # Shapes
/// - `logits`: `[B * width * V]`, `log_probabilities`: one a row
pub(super) fn best_continuations(logits: &[f32], log_probabilities: &[f64], width: usize) -> Vec<Vec<Continuation>> {
    let vocabulary = logits.len() / log_probabilities.len();
    logits
        .par_chunks(width * vocabulary)
        .zip(log_probabilities.par_chunks(width))
        .map(|(rows, log_probabilities)| {
            let mut best = Vec::with_capacity(4 * width);
            for (parent, (row, &so_far)) in rows.chunks(vocabulary).zip(log_probabilities).enumerate() {
                if so_far.is_finite() {
                    best_of_row(row, so_far, parent, 2 * width, &mut best);
                }
            }
            best.sort_by(order);
            best.truncate(2 * width);
            best
        })
        .collect()
}

/// Adds the `count` best tokens of one row. Padding and `<s>` are no output.
fn best_of_row(row: &[f32], so_far: f64, parent: usize, count: usize, best: &mut Vec<Continuation>) {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let log_sum = f64::from(row.iter().map(|logit| (logit - largest).exp()).sum::<f32>()).ln();
    let offset = so_far - f64::from(largest) - log_sum;
    let start = best.len();
    let mut bar = f32::NEG_INFINITY;
    for (token, &logit) in row.iter().enumerate() {
        let token = token as u32;
        if logit <= bar || token == PAD || token == BOS {
            continue;
        }
        let place = best[start..].partition_point(|other| other.log_probability >= f64::from(logit));
        best.insert(
            start + place,
            Continuation {
                parent,
                token,
                log_probability: f64::from(logit),
            },
        );
        if best.len() - start > count {
            best.truncate(start + count);
        }
        if best.len() - start == count {
            bar = best.last().map_or(bar, |last| last.log_probability as f32);
        }
    }
    for continuation in &mut best[start..] {
        continuation.log_probability += offset;
    }
}

fn order(a: &Continuation, b: &Continuation) -> std::cmp::Ordering {
    (b.log_probability.total_cmp(&a.log_probability))
        .then(a.parent.cmp(&b.parent))
        .then(a.token.cmp(&b.token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn continuations_come_best_first_and_never_pad_or_begin() {
        let logits = [[9.0, 0.0, 9.0, 1.0, 2.0, 2.0], [9.0, 0.0, 9.0, 3.0, 0.5, -1.0]];
        let best = &best_continuations(logits.as_flattened(), &[0.0, 0.0], 2)[0];
        let found: Vec<_> = best
            .iter()
            .map(|continuation| (continuation.parent, continuation.token))
            .collect();
        assert_eq!(found, [(1, 3), (0, 4), (0, 5), (0, 3)]);
        let total: f64 = [9.0, 0.0, 9.0, 3.0, 0.5, -1.0f64].iter().map(|logit| logit.exp()).sum();
        assert!((best[0].log_probability - (3.0 - total.ln())).abs() < 1e-6);
    }

    #[test]
    fn a_beam_ends_when_as_many_as_it_is_wide_are_finished() {
        let config = DecodingConfig {
            length_penalty: 0.0,
            ..Default::default()
        };
        let mut beam = Beam::new(0, 2, 20);
        let step = |parent, token, log_probability| Continuation {
            parent,
            token,
            log_probability,
        };
        beam.advance(
            &[step(0, EOS, -1.0), step(0, 7, -2.0), step(0, 8, -3.0), step(0, 9, -4.0)],
            &config,
        );
        assert!(!beam.done);
        assert_eq!(beam.parents(10).collect::<Vec<_>>(), [10, 10]);
        beam.advance(
            &[step(1, 5, -3.1), step(0, EOS, -3.2), step(0, 6, -3.3), step(1, 6, -9.0)],
            &config,
        );
        assert!(beam.done);
        let hypotheses = beam.into_hypotheses();
        assert_eq!(hypotheses[0].tokens, [] as [u32; 0]);
        assert_eq!((hypotheses[1].tokens.as_slice(), hypotheses[1].score), (&[7][..], -3.2));
    }
}
