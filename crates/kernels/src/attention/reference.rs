//! Attention in plain Burn operations, for every backend.
//!
//! B batch, H heads, L length, T queries, S keys, D model width, d_k = D / H.

use burn::prelude::*;
use burn::tensor::activation::softmax;

use super::{Heads, Mask, Projections};

/// What each query takes from the values; see [`super::attention`].
pub fn attention(projections: Projections, mask: &Mask, heads: Heads) -> Tensor<3> {
    let [query, key, value] = match projections {
        Projections::Own(rows) => rows.chunk(3, 2).try_into().expect("three parts"),
        Projections::Memory(query, memory) => {
            let [key, value]: [_; 2] = memory.chunk(2, 2).try_into().expect("two parts");
            [query, key, value]
        }
    };
    let [_, keys, _] = key.dims();
    let device = query.device();
    let split = |x| split_heads(x, heads.count);
    let weights = attention_weights(split(query), split(key), Some(mask.tensor(keys, &device)));
    let weights = match mask.anything_seen(&device) {
        Some(seen) => weights * seen,
        None => weights,
    };
    merge_heads(heads.dropout.apply(weights).matmul(split(value)))
}

/// P in plain Burn operations: how much each query takes from each key; every row adds up to 1.
///
/// # Shapes
/// - `query`: `[B, H, T, d_k]`, `key`: `[B, H, S, d_k]`
/// - `mask`: added to the scores, broadcast to `[B, H, T, S]`; see [`Mask::tensor`]
/// - result: `[B, H, T, S]`
pub fn attention_weights(query: Tensor<4>, key: Tensor<4>, mask: Option<Tensor<4>>) -> Tensor<4> {
    let [_, _, _, d_k] = query.dims();
    let query = query.div_scalar((d_k as f64).sqrt());
    let scores = query.matmul(key.transpose()); // [B, H, T, S]
    softmax(
        match mask {
            Some(mask) => scores + mask,
            None => scores,
        },
        3,
    )
}

/// `[B, L, D]` to `[B, H, L, d_k]`.
pub fn split_heads(x: Tensor<3>, heads: usize) -> Tensor<4> {
    let [batch, length, d_model] = x.dims();
    x.reshape([batch, length, heads, d_model / heads]).swap_dims(1, 2)
}

/// `[B, H, L, d_k]` to `[B, L, D]`.
pub fn merge_heads(x: Tensor<4>) -> Tensor<3> {
    let [batch, heads, length, d_k] = x.dims();
    x.swap_dims(1, 2).reshape([batch, length, heads * d_k])
}
