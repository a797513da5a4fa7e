//! Token embeddings with positions.
//!
//! `x = dropout(embedding(ids) * sqrt(width) + PE)`, Vaswani et al. (2017), sections 3.4 and 3.5, or, with
//! `position_merge = "concat"`, `[embedding(ids) * sqrt(width); PE]` with each part half as wide as the model.

use burn::nn::{Embedding, EmbeddingConfig, Initializer};
use burn::prelude::*;
use ember_kernels::embedding;

use crate::config::{Architecture, ModelConfig, PositionMerge};
use crate::pass::Pass;

/// What [`EmbeddingRule::embed`] does around the table look-up; the same for source and target.
#[derive(Module, Debug)]
pub struct EmbeddingRule {
    scale: f64,
    positions: bool,
    concat: bool,
    dropout: f64,
}

impl EmbeddingRule {
    /// The rule that a config asks for.
    pub fn new(config: &ModelConfig) -> Self {
        Self {
            scale: if config.embedding_scale {
                (config.embedding_width() as f64).sqrt()
            } else {
                1.0
            },
            positions: config.arch == Architecture::Transformer,
            concat: config.position_merge == PositionMerge::Concat,
            dropout: config.embedding_dropout_rate(),
        }
    }

    /// Embeds ids that, in a model that has positions, stand at `start..start + L`.
    ///
    /// # Shapes
    /// - `ids`: `[B, L]`
    /// - result: `[B, L, d_model]`
    pub fn embed(&self, table: &Embedding, ids: Tensor<2, Int>, start: usize, pass: &mut Pass) -> Tensor<3> {
        let table = table.weight.val();
        let [_, length] = ids.dims();
        let [_, width] = table.dims();
        let rule = embedding::EmbeddingRule {
            scale: self.scale,
            positions: if self.positions {
                positional_encoding(start, length, width).into()
            } else {
                vec![0.0; length * width].into()
            },
            concat: self.concat,
            dropout: pass.dropout(self.dropout),
        };
        embedding::embed(table, ids, rule)
    }
}

/// A table whose values are set by name later, see [`crate::weights`].
pub(crate) fn table(vocabulary: usize, width: usize, device: &Device) -> Embedding {
    EmbeddingConfig::new(vocabulary, width)
        .with_initializer(Initializer::Zeros)
        .init(device)
}

/// Rows `start..start + length` of the sinusoidal table, `width` numbers a row:
/// `PE(pos, 2i) = sin(pos / 10000^(2i/width))`, `PE(pos, 2i+1) = cos(pos / 10000^(2i/width))` (section 3.5).
pub fn positional_encoding(start: usize, length: usize, width: usize) -> Vec<f32> {
    let mut encoding = Vec::with_capacity(length * width);
    for position in start..start + length {
        for pair in 0..width / 2 {
            let angle = position as f64 / 10000f64.powf((2 * pair) as f64 / width as f64);
            encoding.push(angle.sin() as f32);
            encoding.push(angle.cos() as f32);
        }
    }
    encoding
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_words_in_eight_dimensions() {
        let table = positional_encoding(0, 4, 8);
        assert_eq!(&table[..8], &[0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
        // The wavelengths' divisors are 10000^(0, 1/4, 1/2, 3/4) = 1, 10, 100, 1000.
        let expected = |position: f32| {
            [1.0f32, 10.0, 100.0, 1000.0]
                .map(|divisor| (position / divisor).sin_cos())
                .map(|(sine, cosine)| [sine, cosine])
                .concat()
        };
        for position in 1..4 {
            for (value, expected) in table[position * 8..][..8].iter().zip(expected(position as f32)) {
                assert!((value - expected).abs() < 1e-6);
            }
        }
        assert!(table.iter().all(|value| (-1.0..=1.0).contains(value)));
    }

    #[test]
    fn a_later_start_gives_the_same_rows() {
        assert_eq!(
            positional_encoding(0, 9, 16)[5 * 16..],
            positional_encoding(5, 4, 16)[..]
        );
    }
}
