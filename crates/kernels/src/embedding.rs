//! Token embeddings with scale, positions and dropout (Vaswani et al. 2017, sections 3.4 and 3.5).
//!
//! ```text
//! sum      dropout(table[id] * scale + PE(position))
//! concat   dropout([table[id] * scale; PE(position)])
//! ```
//!
//! V ids in the table, W numbers of each, D = W or 2 W.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, TensorMetadata, backend_extension};
use burn::prelude::*;
use rayon::prelude::*;

use crate::autodiff::{record, register};
use crate::cpu::{Cpu, ids, is_fused};
use crate::dropout::Dropout;
use crate::instructions::vectorized;
use crate::numbers::uninitialized;

/// What is done with the rows of the table.
#[derive(Debug, Clone)]
pub struct EmbeddingRule {
    /// They are multiplied by it.
    pub scale: f64,
    /// Encodings of the positions, `[L, W]`.
    pub positions: Arc<[f32]>,
    /// Whether encodings stand behind the rows instead of being added.
    pub concat: bool,
    /// Applied at last.
    pub dropout: Dropout,
}

/// Embeds ids.
///
/// # Shapes
/// - `table`: `[V, W]`, `ids`: `[B, L]`
/// - result: `[B, L, D]`
///
/// # Panics
/// If an id is not below V.
pub fn embed(table: Tensor<2>, ids: Tensor<2, Int>, rule: EmbeddingRule) -> Tensor<3> {
    let [batch, length] = ids.dims();
    if is_fused(&table.device()) {
        let ids = self::ids(ids).into();
        let shape = [batch, length];
        Tensor::from_dispatch(Dispatch::embedding_kernel(table.into_dispatch(), ids, shape, rule))
    } else {
        reference(table, ids, rule)
    }
}

/// The same in plain Burn operations.
pub fn reference(table: Tensor<2>, ids: Tensor<2, Int>, rule: EmbeddingRule) -> Tensor<3> {
    let [batch, length] = ids.dims();
    let [_, width] = table.dims();
    let x = burn::tensor::module::embedding(table, ids).mul_scalar(rule.scale); // [B, L, W]
    let positions = TensorData::new(rule.positions.to_vec(), [1, length, width]);
    let positions = Tensor::<3>::from_data(positions, &x.device());
    rule.dropout.apply(if rule.concat {
        Tensor::cat(vec![x, positions.expand([batch, length, width])], 2)
    } else {
        x + positions
    })
}

/// The fused operation.
#[backend_extension(Flex, NdArray, Autodiff)]
pub trait EmbeddingKernel: Backend {
    /// See [`embed`].
    fn embedding_kernel(
        table: FloatTensor<Self>,
        ids: Arc<[u32]>,
        shape: [usize; 2],
        rule: EmbeddingRule,
    ) -> FloatTensor<Self>;
}

impl<B: Cpu> EmbeddingKernel for B {
    fn embedding_kernel(
        table: FloatTensor<B>,
        ids: Arc<[u32]>,
        [batch, length]: [usize; 2],
        rule: EmbeddingRule,
    ) -> FloatTensor<B> {
        let table = B::contiguous(table);
        let [count, width] = [table.shape()[0], table.shape()[1]];
        let values = B::values(&table);
        let made = if rule.concat { 2 * width } else { width };
        let mut output = uninitialized(batch * length * made);
        output
            .par_chunks_mut(length * made)
            .zip(ids.par_chunks(length))
            .enumerate()
            .for_each(|(row, (output, ids))| {
                for (position, (output, id)) in output.chunks_exact_mut(made).zip(ids).enumerate() {
                    assert!((*id as usize) < count, "id {id} is outside a table of {count}");
                    let entry = &values[*id as usize * width..][..width];
                    let encoding = &rule.positions[position * width..][..width];
                    let index = (row * length + position) * made;
                    embed_one(
                        entry,
                        encoding,
                        rule.scale as f32,
                        rule.concat,
                        output,
                        rule.dropout,
                        index,
                    );
                }
            });
        B::tensor(output, Shape::new([batch, length, made]))
    }
}

impl<B: Cpu, C: CheckpointStrategy> EmbeddingKernel for Autodiff<B, C> {
    fn embedding_kernel(
        table: FloatTensor<Self>,
        ids: Arc<[u32]>,
        shape: [usize; 2],
        rule: EmbeddingRule,
    ) -> FloatTensor<Self> {
        let (table, guard) = table.into_parts();
        let table_shape = [table.shape()[0], table.shape()[1]];
        let output = B::embedding_kernel(table, ids.clone(), shape, rule.clone());
        let state = || Looked { ids, table_shape, rule };
        record::<B, C, _, _, 1>(EmbeddingStep, [guard], output, state)
    }
}

/// What was looked up.
#[derive(Debug, Clone)]
struct Looked {
    ids: Arc<[u32]>,
    table_shape: [usize; 2],
    rule: EmbeddingRule,
}

#[derive(Debug)]
struct EmbeddingStep;

impl<B: Cpu> Backward<B, 1> for EmbeddingStep {
    type State = Looked;

    fn backward(self, ops: Ops<Looked, 1>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let output = B::contiguous(gradients.consume::<B>(&ops.node));
        let table = ops.state.backward(B::values(&output));
        let table = B::tensor(table, Shape::new(ops.state.table_shape));
        register::<B, _, 1>(ops, gradients, [table]);
    }
}

impl Looked {
    /// The gradient of the table: most rows are zero. Each task owns some rows of the table and goes through the ids in
    /// their order, so that sums do not depend on threads.
    fn backward(&self, output: &[f32]) -> Vec<f32> {
        let [count, width] = self.table_shape;
        let made = output.len() / self.ids.len().max(1);
        let mut places: Vec<u32> = (0..self.ids.len() as u32).collect();
        places.sort_by_key(|place| self.ids[*place as usize]);
        let mut table = uninitialized(count * width);
        let owned = count.div_ceil(rayon::current_num_threads() * 4).max(1);
        table
            .par_chunks_mut(owned * width)
            .enumerate()
            .for_each(|(task, rows)| {
                rows.fill(0.0);
                let first = (task * owned) as u32;
                let begin = places.partition_point(|place| self.ids[*place as usize] < first);
                for place in &places[begin..] {
                    let id = self.ids[*place as usize];
                    let Some(row) = rows.chunks_exact_mut(width).nth((id - first) as usize) else {
                        break;
                    };
                    let index = *place as usize * made;
                    add_one(
                        row,
                        &output[index..][..width],
                        self.rule.scale as f32,
                        self.rule.dropout,
                        index,
                    );
                }
            });
        table
    }
}

vectorized! {
    fn embed_one(
        entry: &[f32],
        encoding: &[f32],
        scale: f32,
        concat: bool,
        output: &mut [f32],
        dropout: Dropout,
        index: usize,
    ) {
        let width = entry.len();
        if concat {
            for i in 0..width {
                output[i] = entry[i] * scale * dropout.factor(index + i);
                output[width + i] = encoding[i] * dropout.factor(index + width + i);
            }
        } else {
            for i in 0..width {
                output[i] = (entry[i] * scale + encoding[i]) * dropout.factor(index + i);
            }
        }
    }

    fn add_one(row: &mut [f32], output: &[f32], scale: f32, dropout: Dropout, index: usize) {
        for i in 0..row.len() {
            row[i] += output[i] * dropout.factor(index + i) * scale;
        }
    }
}

#[cfg(test)]
mod tests;
