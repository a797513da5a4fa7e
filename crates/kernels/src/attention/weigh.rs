//! Scores become weights, and back.

use crate::dropout::Dropout;
use crate::instructions::vectorized;
use crate::numbers::{dot, exp, max, sum};

vectorized! {
    /// Scores become weights, in rows of `keys` numbers of which `seen` count; `dropped` becomes what is left of them.
    pub fn weigh(
        weights: &mut [f32],
        dropped: &mut [f32],
        sizes: [usize; 2],
        causal: bool,
        dropout: Dropout,
        index: usize,
    ) {
        let [keys, seen] = sizes;
        for (query, row) in weights.chunks_exact_mut(keys).enumerate() {
            let own = if causal { query + 1 } else { seen };
            let begin = query * keys;
            let dropped = &mut dropped[begin..][..seen];
            let (row, hidden) = row[..seen].split_at_mut(own);
            let highest = max(row);
            for weight in row.iter_mut() {
                *weight = exp(*weight - highest);
            }
            let inverse = 1.0 / sum(row);
            for (offset, (weight, dropped)) in row.iter_mut().zip(dropped.iter_mut()).enumerate() {
                *weight *= inverse;
                *dropped = *weight * dropout.factor(index + begin + offset);
            }
            hidden.fill(0.0);
            dropped[own..].fill(0.0);
        }
    }

    /// Gradients of what was left of the weights, in `scores`, become those of the scores. `dropped` is found again.
    pub fn weigh_backward(
        weights: &[f32],
        scores: &mut [f32],
        dropped: &mut [f32],
        sizes: [usize; 2],
        causal: bool,
        dropout: Dropout,
        index: usize,
    ) {
        let [keys, seen] = sizes;
        for (query, row) in weights.chunks_exact(keys).enumerate() {
            let own = if causal { query + 1 } else { seen };
            let begin = query * keys;
            let row = &row[..own];
            let (scores, hidden) = scores[begin..][..seen].split_at_mut(own);
            let (dropped, hidden_too) = dropped[begin..][..seen].split_at_mut(own);
            for i in 0..own {
                let factor = dropout.factor(index + begin + i);
                dropped[i] = row[i] * factor;
                scores[i] *= factor;
            }
            let along = dot(scores, row);
            for i in 0..own {
                scores[i] = row[i] * (scores[i] - along);
            }
            hidden.fill(0.0);
            hidden_too.fill(0.0);
        }
    }
}
