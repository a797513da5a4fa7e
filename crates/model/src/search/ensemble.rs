//! Models that choose every word together.
//!
//! An ensemble of M models gives the next word the mean of its members' probabilities,
//!
//! ```text
//! p(y_t | y_<t, x) = 1/M Σ_m p_m(y_t | y_<t, x)
//! ```
//!
//! and works with its logarithm, `log Σ_m exp(log p_m) - log M`. Each member reads the source by itself and keeps
//! its own cache. So members may differ in architecture and size; their vocabularies are the same. A model alone is an
//! ensemble of one, whose logits are passed on as they are.
//!
//! N rows (B sentences times K hypotheses), V target vocabulary.

use burn::prelude::*;
use rayon::prelude::*;

use crate::arch::{Model, Search, Source};
use crate::weights::host_values;

/// The members of an ensemble, each with what it has read and written so far.
pub(super) struct Members<'a> {
    members: Vec<(&'a Model, Search)>,
}

impl<'a> Members<'a> {
    /// `rows` rows stand for each source sentence; `max_length` is the longest output in tokens.
    pub fn start(models: &[&'a Model], source: &Source, rows: usize, max_length: usize) -> Self {
        let start = |&model: &&'a Model| (model, model.start(source, rows, max_length));
        Self {
            members: models.iter().map(start).collect(),
        }
    }

    /// One step: the logarithms of the next token's probabilities, up to a constant of each row.
    ///
    /// # Shapes
    /// - `tokens`: `[N]`, the token each row ends in
    /// - result: `[N * V]`
    pub fn step(&mut self, tokens: &[u32]) -> Vec<f32> {
        let step = |(model, search): &mut (&'a Model, Search)| model.step(tokens, search);
        // All members are under way before the first is waited for.
        let logits: Vec<Tensor<2>> = self.members.iter_mut().map(step).collect();
        let mut logits: Vec<Vec<f32>> = logits.into_iter().map(host_values).collect();
        match logits.len() {
            1 => logits.remove(0),
            _ => average(&logits, tokens.len()),
        }
    }

    /// Makes row i continue what row `order[i]` holds.
    pub fn reorder(&mut self, order: &[usize]) {
        self.members.iter_mut().for_each(|(_, search)| search.reorder(order));
    }

    /// Keeps the given sentences with all their rows, in this order, and forgets the others.
    pub fn keep(&mut self, sentences: &[usize]) {
        self.members.iter_mut().for_each(|(_, search)| search.keep(sentences));
    }
}

/// The logarithm of the members' mean probability of every token: `[N * V]` of each member's logits `[N * V]`.
fn average(logits: &[Vec<f32>], rows: usize) -> Vec<f32> {
    let vocabulary = logits[0].len() / rows;
    let mut averaged = vec![0.0; logits[0].len()];
    averaged
        .par_chunks_mut(vocabulary)
        .enumerate()
        .for_each(|(row, averaged)| {
            let of_row = logits.iter().map(|logits| &logits[row * vocabulary..][..vocabulary]);
            let members: Vec<&[f32]> = of_row.collect();
            average_row(&members, averaged);
        });
    averaged
}

/// Probabilities below it are computed anew, from their logarithms: their terms may have underflown.
const LEAST: f32 = 1e-30;

/// The same for one row: `averaged` is zero at first. Exponentials are what takes the time, so each is computed once.
fn average_row(members: &[&[f32]], averaged: &mut [f32]) {
    let mut exponentials = vec![0.0; averaged.len()];
    let mut log_sums = Vec::with_capacity(members.len());
    for logits in members {
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for (exponential, logit) in exponentials.iter_mut().zip(*logits) {
            *exponential = (logit - largest).exp();
        }
        let sum: f32 = exponentials.iter().sum();
        log_sums.push(largest + sum.ln());
        let share = 1.0 / (sum * members.len() as f32);
        for (averaged, exponential) in averaged.iter_mut().zip(&exponentials) {
            *averaged += exponential * share;
        }
    }
    for (token, averaged) in averaged.iter_mut().enumerate() {
        let of_member = |(logits, log_sum): (&&[f32], &f32)| logits[token] - log_sum;
        *averaged = match *averaged > LEAST {
            true => averaged.ln(),
            false => log_mean_exp(members.iter().zip(&log_sums).map(of_member)),
        };
    }
}

/// The logarithm of the mean of the numbers whose logarithms are given; minus infinity for none.
pub fn log_mean_exp(logarithms: impl ExactSizeIterator<Item = f32> + Clone) -> f32 {
    let largest = logarithms.clone().fold(f32::NEG_INFINITY, f32::max);
    if largest == f32::NEG_INFINITY {
        return largest;
    }
    let count = logarithms.len() as f32;
    let sum: f32 = logarithms.map(|logarithm| (logarithm - largest).exp()).sum();
    largest + (sum / count).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_averaged_and_not_their_logarithms() {
        let logits = [vec![0.0, 1.0, 2.0, 5.0, 5.0, 5.0], vec![3.0, 0.0, -1.0, 7.0, 7.0, 8.0]];
        let averaged = average(&logits, 2);
        for row in 0..2 {
            let probability = |member: usize, token: usize| {
                let logits = &logits[member][row * 3..][..3];
                let sum: f64 = logits.iter().map(|logit| f64::from(*logit).exp()).sum();
                f64::from(logits[token]).exp() / sum
            };
            for token in 0..3 {
                let expected = (probability(0, token) + probability(1, token)) / 2.0;
                let found = f64::from(averaged[row * 3 + token]).exp();
                assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
            }
        }
    }

    #[test]
    fn equal_members_change_nothing_and_nothing_underflows() {
        let mut averaged = [0.0; 4];
        average_row(
            &[&[0.0, -150.0, -1.0, -40.0], &[-3.0, -200.0, 0.0, -150.0]],
            &mut averaged,
        );
        assert!((averaged[1] - (-150.0 - 2.0f32.ln() - 1.0f32.exp().recip().ln_1p())).abs() < 1e-3);
        assert!((averaged[3] - (-40.0 - 2.0f32.ln() - 1.0f32.exp().recip().ln_1p())).abs() < 1e-3);
        assert_eq!(log_mean_exp([-1.234f32; 5].into_iter()), -1.234);
        assert!((log_mean_exp([-400.0f32, -500.0].into_iter()) - (-400.0 - 2.0f32.ln())).abs() < 1e-4);
        let nothing = f32::NEG_INFINITY;
        assert_eq!(log_mean_exp([nothing, nothing].into_iter()), nothing);
        assert!((log_mean_exp([nothing, 0.0].into_iter()) + 2.0f32.ln()).abs() < 1e-6);
    }
}
