//! Attention over the source in plain Burn operations, for every backend.

use burn::prelude::*;
use burn::tensor::activation::{softmax, tanh};

use super::Scores;
use crate::attention::Mask;

/// See [`super::source_attention`].
pub fn source_attention(scores: Scores, memory: Tensor<3>, mask: &Mask) -> Tensor<3> {
    weights(scores, mask).matmul(memory)
}

/// What each query takes from each output: `[B, T, S]`, whose rows add up to 1, or to 0 if all of them are padding.
pub fn weights(scores: Scores, mask: &Mask) -> Tensor<3> {
    let energies = match scores {
        Scores::Dot { query, keys } => query.matmul(keys.transpose()),
        Scores::Additive { query, keys, energy } => {
            let [batch, queries, width] = query.dims();
            let [_, count, _] = keys.dims();
            let both = tanh(query.unsqueeze_dim::<4>(2) + keys.unsqueeze_dim::<4>(1)); // [B, T, S, D]
            both.reshape([batch * queries * count, width])
                .matmul(energy)
                .reshape([batch, queries, count])
        }
    };
    let [_, _, count] = energies.dims();
    let device = energies.device();
    let hidden = mask.tensor(count, &device); // [B, 1, 1, S]
    let weights = softmax(energies + hidden.squeeze_dim(1), 2);
    match mask.anything_seen(&device) {
        Some(seen) => weights * seen.squeeze_dim(1),
        None => weights,
    }
}
