//! Batches of ids as tensors on a device.

use burn::prelude::*;
use ember_data::batch::Batch;
use ember_model::arch::{Source, ids_tensor};

/// One micro-batch on a device. B rows, N target tokens with padding, S and T longest source and target.
pub struct BatchTensors {
    /// `[B, S]` with its mask.
    pub source: Source,
    /// `[B, T]`: `<s>` and the reference.
    pub target_input: Tensor<2, Int>,
    /// `[N]`: the reference and `</s>`; 0 is padding.
    pub target_output: Tensor<1, Int>,
}

impl BatchTensors {
    /// Copies a batch to a device.
    pub fn new(batch: &Batch, device: &Device) -> Self {
        Self::repeated(batch, 1, device)
    }

    /// All rows that the model reads `passes` times, one time after the other: B is so many times the batch's rows. What
    /// it shall say is there once.
    pub fn repeated(batch: &Batch, passes: usize, device: &Device) -> Self {
        let rows = passes * batch.rows;
        let source = batch.source.repeat(passes);
        let target_input = batch.target_input.repeat(passes);
        Self {
            source: Source::new(&source, [rows, batch.source_length], device),
            target_input: ids_tensor(&target_input, [rows, batch.target_length], device),
            target_output: ids_tensor(&batch.target_output, [batch.target_output.len()], device),
        }
    }
}
