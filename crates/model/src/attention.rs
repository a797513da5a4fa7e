//! Attention (Vaswani et al. 2017, section 3.2).
//!
//! B batch, H heads, T query length, S key length, D model width, d_k = D / H.

use burn::nn::{Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::activation::softmax;

use crate::config::ModelConfig;
use crate::dropout::{DropoutStream, dropout};
use crate::linear::linear;

/// Added to the score of a key that must not be seen; large enough that its weight is exactly zero.
const HIDDEN: f32 = -1.0e9;

/// `softmax(Q K^T / sqrt(d_k)) V` (eq. 1) for every head, with dropout on the weights.
///
/// # Shapes
/// - `query`: `[B, T, D]`; `key`, `value`: `[B, S, D]`, the heads side by side
/// - `mask`: added to the scores, broadcast to `[B, H, T, S]`; see [`padding_mask`] and [`look_ahead_mask`]
/// - result: `[B, T, D]`
pub fn attention(
    [query, key, value]: [Tensor<3>; 3],
    mask: Option<Tensor<4>>,
    heads: &Heads,
    stream: &mut DropoutStream,
) -> Tensor<3> {
    let weights = attention_weights(heads.split(query), heads.split(key), mask);
    let weights = dropout(weights, heads.dropout, stream);
    heads.merge(weights.matmul(heads.split(value)))
}

/// `softmax(Q K^T / sqrt(d_k))`: how much each query takes from each key; every row adds up to 1.
///
/// # Shapes
/// - `query`: `[B, H, T, d_k]`, `key`: `[B, H, S, d_k]`, `mask` as in [`attention`]
/// - result: `[B, H, T, S]`
pub fn attention_weights(query: Tensor<4>, key: Tensor<4>, mask: Option<Tensor<4>>) -> Tensor<4> {
    let [_, _, _, d_k] = query.dims();
    let query = query.div_scalar((d_k as f64).sqrt());
    let scores = query.matmul(key.transpose()); // [B, H, T, S]
    let scores = match mask {
        Some(mask) => scores + mask,
        None => scores,
    };
    softmax(scores, 3)
}

/// How a model's width is divided among heads.
#[derive(Module, Debug)]
pub struct Heads {
    /// H.
    pub count: usize,
    /// Dropout rate on the weights.
    pub dropout: f64,
}

impl Heads {
    /// `[B, L, D]` to `[B, H, L, d_k]`.
    pub fn split(&self, x: Tensor<3>) -> Tensor<4> {
        let [batch, length, d_model] = x.dims();
        x.reshape([batch, length, self.count, d_model / self.count])
            .swap_dims(1, 2)
    }

    /// `[B, H, L, d_k]` to `[B, L, D]`.
    pub fn merge(&self, x: Tensor<4>) -> Tensor<3> {
        let [batch, heads, length, d_k] = x.dims();
        x.swap_dims(1, 2).reshape([batch, length, heads * d_k])
    }
}

/// Hides keys that are padding.
///
/// # Shapes
/// - `lengths`: real tokens of each row, from 1 to `longest`
/// - result: `[B, 1, 1, longest]`, 0 where a key is real
pub fn padding_mask(lengths: &[usize], longest: usize, device: &Device) -> Tensor<4> {
    let mask: Vec<f32> = lengths
        .iter()
        .flat_map(|&length| (0..longest).map(move |position| if position < length { 0.0 } else { HIDDEN }))
        .collect();
    Tensor::from_data(TensorData::new(mask, [lengths.len(), 1, 1, longest]), device)
}

/// Hides what comes later: position i sees 1..=i. Padding stands at the end, so that no real position sees it.
///
/// # Shapes
/// - result: `[1, 1, length, length]`
pub fn look_ahead_mask(length: usize, device: &Device) -> Tensor<4> {
    let mask: Vec<f32> = (0..length)
        .flat_map(|query| (0..length).map(move |key| if key <= query { 0.0 } else { HIDDEN }))
        .collect();
    Tensor::from_data(TensorData::new(mask, [1, 1, length, length]), device)
}

/// Multi-head attention (section 3.2.2): linear maps in front of the heads, one behind their concatenation.
#[derive(Module, Debug)]
pub struct MultiHeadAttention {
    /// W_Q, `[D, D]`.
    pub query: Linear,
    /// W_K, `[D, D]`.
    pub key: Linear,
    /// W_V, `[D, D]`.
    pub value: Linear,
    /// W_O, `[D, D]`.
    pub output: Linear,
    /// Number of heads and their dropout.
    pub heads: Heads,
}

impl MultiHeadAttention {
    /// The layer that a config asks for; its values are set by name later, see [`crate::weights`].
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        let map = || zero_linear(config.d_model, config.d_model, device);
        Self {
            query: map(),
            key: map(),
            value: map(),
            output: map(),
            heads: Heads {
                count: config.n_heads,
                dropout: config.dropout_rates().attention,
            },
        }
    }

    /// Queries from `x`, keys and values from `memory` (`x` itself in self-attention).
    ///
    /// # Shapes
    /// - `x`: `[B, T, D]`, `memory`: `[B, S, D]`, `mask` as in [`attention`]
    /// - result: `[B, T, D]`
    pub fn forward(&self, x: Tensor<3>, memory: Tensor<3>, mask: Tensor<4>, stream: &mut DropoutStream) -> Tensor<3> {
        let query = linear(&self.query, x);
        let key = linear(&self.key, memory.clone());
        let value = linear(&self.value, memory);
        linear(
            &self.output,
            attention([query, key, value], Some(mask), &self.heads, stream),
        )
    }

    /// The weights alone, as [`MultiHeadAttention::forward`] would use them without dropout: `[B, H, T, S]`.
    pub fn weights(&self, x: Tensor<3>, memory: Tensor<3>, mask: Tensor<4>) -> Tensor<4> {
        let query = self.heads.split(linear(&self.query, x));
        let key = self.heads.split(linear(&self.key, memory));
        attention_weights(query, key, Some(mask))
    }
}

/// A linear map of zeros, to be given values by name.
pub(crate) fn zero_linear(d_in: usize, d_out: usize, device: &Device) -> Linear {
    LinearConfig::new(d_in, d_out)
        .with_initializer(nn::Initializer::Zeros)
        .init(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three inputs of width four, mapped by small integer matrices, as worked through in the notes.
    #[test]
    fn the_worked_example() {
        let device = Device::flex();
        let matrix = |rows: [[f32; 3]; 4]| Tensor::<2>::from_floats(rows, &device);
        let x = Tensor::<2>::from_floats([[1., 0., 1., 0.], [0., 2., 0., 2.], [1., 1., 1., 1.]], &device);
        let query = x
            .clone()
            .matmul(matrix([[1., 0., 1.], [1., 0., 0.], [0., 0., 1.], [0., 1., 1.]]));
        let key = x
            .clone()
            .matmul(matrix([[0., 0., 1.], [1., 1., 0.], [0., 1., 0.], [1., 1., 0.]]));
        let value = x.matmul(matrix([[0., 2., 0.], [0., 3., 0.], [1., 0., 3.], [1., 1., 0.]]));

        let scores = query.clone().matmul(key.clone().transpose());
        assert_eq!(scores.to_vec_f32(), [2., 4., 4., 4., 16., 12., 4., 12., 10.]);

        let heads = Heads { count: 1, dropout: 0.0 };
        let weights = attention_weights(
            heads.split(query.clone().unsqueeze()),
            heads.split(key.clone().unsqueeze()),
            None,
        );
        let expected = [
            1.3613e-01, 4.3194e-01, 4.3194e-01, 8.9045e-04, 9.0884e-01, 9.0267e-02, 7.4449e-03, 7.5471e-01, 2.3785e-01,
        ];
        for (weight, expected) in weights.to_vec_f32().iter().zip(expected) {
            // The notes round to five digits: half a unit of the fifth, and what f32 adds.
            let half_unit = 0.5 * 10f32.powf(f32::log10(expected).floor() - 4.0);
            assert!(
                (weight - expected).abs() < 1.05 * half_unit,
                "{weight} instead of {expected}"
            );
        }

        let stream = &mut DropoutStream::off();
        let context = attention([query, key, value].map(|x| x.unsqueeze()), None, &heads, stream).to_vec_f32();
        let expected = [1.8639, 6.3194, 1.7042, 1.9991, 7.8141, 0.2735, 1.9926, 7.4796, 0.7359];
        for (number, expected) in context.iter().zip(expected) {
            assert!((number - expected).abs() < 1e-4, "{number} instead of {expected}");
        }
    }

    #[test]
    fn hidden_keys_have_no_weight_at_all() {
        let device = Device::flex();
        let key = Tensor::<4>::from_floats([[[[1.0, 2.0], [3.0, -1.0], [0.5, 0.5]]]], &device);
        let weights = attention_weights(key.clone(), key.clone(), Some(padding_mask(&[2], 3, &device))).to_vec_f32();
        assert_eq!([weights[2], weights[5], weights[8]], [0.0; 3]);
        let weights = attention_weights(key.clone(), key, Some(look_ahead_mask(3, &device))).to_vec_f32();
        assert_eq!([weights[1], weights[2], weights[5]], [0.0; 3]);
        assert_eq!(weights[0], 1.0);
    }

    trait ToVec {
        fn to_vec_f32(&self) -> Vec<f32>;
    }

    impl<const D: usize> ToVec for Tensor<D> {
        fn to_vec_f32(&self) -> Vec<f32> {
            self.to_data().iter::<f32>().collect()
        }
    }
}
