//! Batches of ids as tensors on a device.

use burn::prelude::*;
use ember_data::batch::Batch;
use ember_model::arch::{Source, ids_tensor};

/// One micro-batch on a device. B rows, S and T longest source and target.
pub struct BatchTensors {
    /// `[B, S]` with its mask.
    pub source: Source,
    /// `[B, T]`: `<s>` and the reference.
    pub target_input: Tensor<2, Int>,
    /// `[B * T]`: the reference and `</s>`; 0 is padding.
    pub target_output: Tensor<1, Int>,
}

impl BatchTensors {
    /// Copies a batch to a device.
    pub fn new(batch: &Batch, device: &Device) -> Self {
        let target_shape = [batch.rows, batch.target_length];
        Self {
            source: Source::new(&batch.source, [batch.rows, batch.source_length], device),
            target_input: ids_tensor(&batch.target_input, target_shape, device),
            target_output: ids_tensor(&batch.target_output, [batch.target_output.len()], device),
        }
    }
}
