//! What every architecture reads.

use std::sync::Arc;

use burn::prelude::*;

use crate::PAD;
use crate::attention::Mask;

/// Sizes of the two vocabularies; the same when they are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vocabularies {
    /// Entries of the source side.
    pub source: usize,
    /// Entries of the target side.
    pub target: usize,
    /// Whether both sides use one vocabulary.
    pub shared: bool,
}

/// Source sentences as the encoder reads them.
#[derive(Debug, Clone)]
pub struct Source {
    /// `[B, S]`, padded at the end.
    pub ids: Tensor<2, Int>,
    /// Hides padding.
    pub mask: Mask,
}

impl Source {
    /// From `batch` rows of `length` ids each.
    pub fn new(ids: &[u32], [batch, length]: [usize; 2], device: &Device) -> Self {
        let lengths: Arc<[usize]> = ids
            .chunks(length)
            .map(|row| length - row.iter().rev().take_while(|id| **id == PAD).count())
            .collect();
        Self {
            ids: ids_tensor(ids, [batch, length], device),
            mask: Mask::Padding(lengths),
        }
    }
}

/// Ids as a tensor, row after row.
pub fn ids_tensor<const N: usize>(ids: &[u32], shape: [usize; N], device: &Device) -> Tensor<N, Int> {
    let ids: Vec<i32> = ids.iter().map(|id| *id as i32).collect();
    Tensor::from_data(TensorData::new(ids, shape), device)
}
