//! Attention (Vaswani et al. 2017, section 3.2).
//!
//! B batch, H heads, T query length, S key length, D model width, d_k = D / H.

use burn::nn::{Linear, LinearConfig};
use burn::prelude::*;
use ember_kernels::attention::{self, Projections, attention, attention_weights, split_heads};
use ember_kernels::linear::linear;

pub use ember_kernels::attention::Mask;

use crate::config::ModelConfig;
use crate::pass::Pass;

/// Who looked at what: one tensor a layer, from the input up; every row of weights adds up to 1.
#[derive(Debug, Clone, Default)]
pub struct AttentionMaps {
    /// Encoder self-attention: `[B, H, S, S]`, empty for recurrent models.
    pub encoder: Vec<Tensor<4>>,
    /// Decoder self-attention, nothing above the diagonal: `[B, H, T, T]`, empty for recurrent models.
    pub decoder: Vec<Tensor<4>>,
    /// Of the decoder over the source: `[B, H, T, S]`, empty for a model without.
    pub cross: Vec<Tensor<4>>,
}

/// How a model's width is divided among heads.
#[derive(Module, Debug)]
pub struct Heads {
    /// H.
    pub count: usize,
    /// Dropout rate on the weights.
    pub dropout: f64,
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
    /// The layer that a config asks for, which drops weights at a rate of its own; its values are set by name later, see
    /// [`crate::weights`].
    pub fn new(config: &ModelConfig, dropout: f64, device: &Device) -> Self {
        let map = || zero_linear(config.d_model, config.d_model, device);
        Self {
            query: map(),
            key: map(),
            value: map(),
            output: map(),
            heads: Heads {
                count: config.n_heads,
                dropout,
            },
        }
    }

    /// Queries, keys and values all from `x`.
    ///
    /// # Shapes
    /// - `x` and result: `[B, L, D]`
    pub fn to_itself(&self, x: Tensor<3>, mask: &Mask, pass: &mut Pass) -> Tensor<3> {
        let rows = linear(&[&self.query, &self.key, &self.value], x, pass.precision()); // [B, L, 3 D]
        self.mix(Projections::Own(rows), mask, pass)
    }

    /// Queries from `x`, keys and values from `memory`.
    ///
    /// # Shapes
    /// - `x` and result: `[B, T, D]`, `memory`: `[B, S, D]`
    pub fn to_memory(&self, x: Tensor<3>, memory: Tensor<3>, mask: &Mask, pass: &mut Pass) -> Tensor<3> {
        let query = linear(&[&self.query], x, pass.precision());
        let memory = linear(&[&self.key, &self.value], memory, pass.precision()); // [B, S, 2 D]
        self.mix(Projections::Memory(query, memory), mask, pass)
    }

    fn mix(&self, projections: Projections, mask: &Mask, pass: &mut Pass) -> Tensor<3> {
        let heads = attention::Heads {
            count: self.heads.count,
            dropout: pass.dropout(self.heads.dropout),
        };
        linear(&[&self.output], attention(projections, mask, heads), pass.precision())
    }

    /// The weights alone, as [`MultiHeadAttention::to_memory`] would use them without dropout, or
    /// [`MultiHeadAttention::to_itself`] where `memory` is `x`: `[B, H, T, S]`.
    pub fn weights(&self, x: Tensor<3>, memory: Tensor<3>, mask: &Mask) -> Tensor<4> {
        let [_, keys, _] = memory.dims();
        let mask = mask.tensor(keys, &x.device());
        let precision = Pass::inference().precision();
        let query = split_heads(linear(&[&self.query], x, precision), self.heads.count);
        let key = split_heads(linear(&[&self.key], memory, precision), self.heads.count);
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
    use ember_kernels::Dropout;

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

        let one_head = |x: &Tensor<2>| split_heads(x.clone().unsqueeze(), 1);
        let weights = attention_weights(one_head(&query), one_head(&key), None);
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

        let rows = Tensor::cat(vec![query, key, value], 1).unsqueeze(); // [1, 3, 9]
        let heads = attention::Heads {
            count: 1,
            dropout: Dropout::OFF,
        };
        let all = Mask::Padding([3].into());
        let context = attention(Projections::Own(rows), &all, heads).to_vec_f32();
        let expected = [1.8639, 6.3194, 1.7042, 1.9991, 7.8141, 0.2735, 1.9926, 7.4796, 0.7359];
        for (number, expected) in context.iter().zip(expected) {
            assert!((number - expected).abs() < 1e-4, "{number} instead of {expected}");
        }
    }

    #[test]
    fn hidden_keys_have_no_weight_at_all() {
        let device = Device::flex();
        let key = Tensor::<4>::from_floats([[[[1.0, 2.0], [3.0, -1.0], [0.5, 0.5]]]], &device);
        let weights = attention_weights(
            key.clone(),
            key.clone(),
            Some(Mask::Padding([2].into()).tensor(3, &device)),
        )
        .to_vec_f32();
        assert_eq!([weights[2], weights[5], weights[8]], [0.0; 3]);
        let weights = attention_weights(key.clone(), key, Some(Mask::LookAhead.tensor(3, &device))).to_vec_f32();
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
