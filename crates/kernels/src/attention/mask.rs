//! Which keys a query sees.

use std::sync::Arc;

use burn::prelude::*;

/// Added to the score of a key that must not be seen; large enough that its weight is exactly zero.
const HIDDEN: f32 = -1.0e9;

/// Which keys a query sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mask {
    /// The first `lengths[b]` keys of sentence b: what stands behind them is padding. Who sees no key at all takes nothing.
    Padding(Arc<[usize]>),
    /// Keys up to the query's own position: what comes later is hidden.
    LookAhead,
}

impl Mask {
    /// To be added to scores: 0 where a key is seen.
    ///
    /// # Shapes
    /// - result: `[B, 1, 1, S]` for padding, `[1, 1, S, S]` for look-ahead
    pub fn tensor(&self, keys: usize, device: &Device) -> Tensor<4> {
        let seen = |seen: bool| if seen { 0.0 } else { HIDDEN };
        let (values, shape): (Vec<f32>, _) = match self {
            Self::Padding(lengths) => (
                lengths
                    .iter()
                    .flat_map(|length| (0..keys).map(move |key| seen(key < *length)))
                    .collect(),
                [lengths.len(), 1, 1, keys],
            ),
            Self::LookAhead => (
                (0..keys)
                    .flat_map(|query| (0..keys).map(move |key| seen(key <= query)))
                    .collect(),
                [1, 1, keys, keys],
            ),
        };
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// What weights are multiplied by where some sentence has padding only, whose weights would be spread evenly over it.
    ///
    /// # Shapes
    /// - result: `[B, 1, 1, 1]`, 0 for those sentences and 1 for the others
    pub(crate) fn anything_seen(&self, device: &Device) -> Option<Tensor<4>> {
        match self {
            Self::Padding(lengths) if lengths.contains(&0) => {
                let values: Vec<f32> = lengths.iter().map(|length| f32::from(*length > 0)).collect();
                let shape = [values.len(), 1, 1, 1];
                Some(Tensor::from_data(TensorData::new(values, shape), device))
            }
            Self::Padding(_) | Self::LookAhead => None,
        }
    }

    /// The mask of some sentences.
    pub fn select(&self, sentences: &[usize]) -> Self {
        match self {
            Self::Padding(lengths) => Self::Padding(sentences.iter().map(|sentence| lengths[*sentence]).collect()),
            Self::LookAhead => Self::LookAhead,
        }
    }

    /// Keys that the last query of a sentence sees; no other query sees more.
    pub(crate) fn seen(&self, sentence: usize, keys: usize) -> usize {
        match self {
            Self::Padding(lengths) => {
                let seen = lengths[sentence];
                assert!(seen <= keys, "{seen} of {keys} keys");
                seen
            }
            Self::LookAhead => keys,
        }
    }
}
