//! Multi-head attention between packed rows (Vaswani et al. 2017, eq. 1 and section 3.2.2).
//!
//! ```text
//! S = Q K^T / √d_k      P = softmax S      A = dropout(P)      O = A V         for every sentence and head
//!
//! dV = A^T dO      dA = dO V^T      dP = dropout(dA)      dS = P (dP - Σ_keys P dP)
//! dQ = dS K / √d_k      dK = dS^T Q / √d_k
//! ```
//!
//! Heads stay where the linear maps put them, d_k numbers each in a row; nothing is transposed.
//!
//! B batch, H heads, T queries, S keys, D model width, d_k = D / H.

mod mask;
pub mod reference;
mod weigh;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, TensorMetadata, backend_extension};
use burn::prelude::*;
use rayon::prelude::*;

use crate::autodiff::{record, register};
use crate::cpu::{Cpu, is_fused};
use crate::dropout::Dropout;
use crate::fetch::fetch_behind;
use crate::gemm::{Matrix, multiply_small};
use crate::numbers::uninitialized;

pub use mask::Mask;
pub use reference::{attention_weights, merge_heads, split_heads};
pub(crate) use weigh::{weigh, weigh_backward};

/// Where queries, keys and values come from.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)] // made for one call and taken apart in it
pub enum Projections {
    /// Rows of query, key and value side by side: `[B, T, 3 D]`.
    Own(Tensor<3>),
    /// Queries, `[B, T, D]`, and rows of key and value side by side, `[B, S, 2 D]`.
    Memory(Tensor<3>, Tensor<3>),
}

/// How many heads, and what is dropped of their weights.
#[derive(Debug, Clone, Copy)]
pub struct Heads {
    /// H.
    pub count: usize,
    /// Applied to P.
    pub dropout: Dropout,
}

/// What each query takes from the values.
///
/// # Shapes
/// - result: `[B, T, D]`
pub fn attention(projections: Projections, mask: &Mask, heads: Heads) -> Tensor<3> {
    let device = match &projections {
        Projections::Own(rows) | Projections::Memory(rows, _) => rows.device(),
    };
    if !is_fused(&device) {
        return reference::attention(projections, mask, heads);
    }
    Tensor::from_dispatch(match projections {
        Projections::Own(rows) => Dispatch::self_attention_kernel(rows.into_dispatch(), mask.clone(), heads),
        Projections::Memory(query, memory) => {
            Dispatch::attention_kernel(query.into_dispatch(), memory.into_dispatch(), mask.clone(), heads)
        }
    })
}

/// The fused operations, see [`attention`].
#[backend_extension(Flex, NdArray, Autodiff)]
pub trait AttentionKernel: Backend {
    /// For [`Projections::Own`].
    fn self_attention_kernel(rows: FloatTensor<Self>, mask: Mask, heads: Heads) -> FloatTensor<Self>;

    /// For [`Projections::Memory`].
    fn attention_kernel(
        query: FloatTensor<Self>,
        memory: FloatTensor<Self>,
        mask: Mask,
        heads: Heads,
    ) -> FloatTensor<Self>;
}

impl<B: Cpu> AttentionKernel for B {
    fn self_attention_kernel(rows: FloatTensor<B>, mask: Mask, heads: Heads) -> FloatTensor<B> {
        Attention::<B>::new(rows, None, mask, heads).1
    }

    fn attention_kernel(query: FloatTensor<B>, memory: FloatTensor<B>, mask: Mask, heads: Heads) -> FloatTensor<B> {
        Attention::<B>::new(query, Some(memory), mask, heads).1
    }
}

impl<B: Cpu, C: CheckpointStrategy> AttentionKernel for Autodiff<B, C> {
    fn self_attention_kernel(rows: FloatTensor<Self>, mask: Mask, heads: Heads) -> FloatTensor<Self> {
        let (rows, guard) = rows.into_parts();
        let (attention, output) = Attention::<B>::new(rows, None, mask, heads);
        record::<B, C, _, _, 1>(AttentionStep, [guard], output, || attention)
    }

    fn attention_kernel(
        query: FloatTensor<Self>,
        memory: FloatTensor<Self>,
        mask: Mask,
        heads: Heads,
    ) -> FloatTensor<Self> {
        let ((query, query_guard), (memory, memory_guard)) = (query.into_parts(), memory.into_parts());
        let (attention, output) = Attention::<B>::new(query, Some(memory), mask, heads);
        record::<B, C, _, _, 2>(AttentionStep, [query_guard, memory_guard], output, || attention)
    }
}

#[derive(Debug)]
struct AttentionStep;

impl<B: Cpu, const N: usize> Backward<B, N> for AttentionStep {
    type State = Attention<B>;

    fn backward(self, ops: Ops<Attention<B>, N>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let output = B::contiguous(gradients.consume::<B>(&ops.node));
        let found = ops.state.backward(B::values(&output));
        let found: [_; N] = found.try_into().expect("one gradient for each parent");
        register::<B, _, N>(ops, gradients, found);
    }
}

/// An attention that was computed, with what its backward step needs.
#[derive(Debug, Clone)]
struct Attention<B: Cpu> {
    query: FloatTensor<B>,
    memory: Option<FloatTensor<B>>,
    /// P, `[B, H, T, S]`; what a mask hides is not written.
    weights: FloatTensor<B>,
    mask: Mask,
    heads: Heads,
}

/// Sizes, and where parts stand in rows.
#[derive(Debug, Clone, Copy)]
struct Layout {
    batch: usize,
    queries: usize,
    keys: usize,
    d_model: usize,
    d_k: usize,
    /// Numbers in a row of queries.
    query_row: usize,
    /// Numbers in a row of keys and values.
    key_row: usize,
    /// Where keys and values begin in such a row.
    key_begin: usize,
    value_begin: usize,
}

impl Layout {
    fn new(query: &Shape, memory: Option<&Shape>, heads: usize) -> Self {
        let [batch, queries, query_row] = query.dims();
        let (keys, d_model, key_row) = match memory {
            Some(memory) => (memory[1], query_row, memory[2]),
            None => (queries, query_row / 3, query_row),
        };
        assert!(
            heads > 0 && d_model.is_multiple_of(heads),
            "width {d_model} is not divisible by {heads} heads"
        );
        let parts = if memory.is_some() { 2 } else { 3 };
        assert_eq!(key_row, parts * d_model, "numbers in a row of keys and values");
        if let Some(memory) = memory {
            assert_eq!(memory[0], batch, "sentences of memory and query");
        }
        let key_begin = key_row - 2 * d_model;
        Self {
            batch,
            queries,
            keys,
            d_model,
            d_k: d_model / heads,
            query_row,
            key_row,
            key_begin,
            value_begin: key_begin + d_model,
        }
    }

    fn scale(&self) -> f32 {
        1.0 / (self.d_k as f32).sqrt()
    }
}

impl<B: Cpu> Attention<B> {
    /// Computes the output, `[B, T, D]`.
    fn new(query: FloatTensor<B>, memory: Option<FloatTensor<B>>, mask: Mask, heads: Heads) -> (Self, FloatTensor<B>) {
        let query = B::contiguous(query);
        let memory = memory.map(B::contiguous);
        let layout = Layout::new(
            &query.shape(),
            memory.as_ref().map(|memory| memory.shape()).as_ref(),
            heads.count,
        );
        let Layout {
            batch,
            queries,
            keys,
            d_model,
            ..
        } = layout;
        assert!(
            mask != Mask::LookAhead || queries == keys,
            "{queries} queries that look at {keys} keys"
        );
        let query_values = B::values(&query);
        let key_values = memory.as_ref().map_or(query_values, B::values);
        let mut output = uninitialized(batch * queries * d_model);
        let mut weights = uninitialized(batch * heads.count * queries * keys);
        output
            .par_chunks_mut(queries * d_model)
            .zip(weights.par_chunks_mut(heads.count * queries * keys))
            .enumerate()
            .for_each_init(Vec::new, |dropped, (sentence, (output, weights))| {
                let one = Sentence {
                    layout,
                    number: sentence,
                    query: &query_values[sentence * queries * layout.query_row..][..queries * layout.query_row],
                    memory: &key_values[sentence * keys * layout.key_row..][..keys * layout.key_row],
                    mask: &mask,
                    heads,
                };
                one.forward(output, weights, dropped);
            });
        let output = B::tensor(output, Shape::new([batch, queries, d_model]));
        let weights = B::tensor(weights, Shape::new([batch, heads.count, queries, keys]));
        (
            Self {
                query,
                memory,
                weights,
                mask,
                heads,
            },
            output,
        )
    }

    /// Gradients of the query and the memory, from the output's.
    fn backward(&self, output: &[f32]) -> Vec<FloatTensor<B>> {
        let memory_shape = self.memory.as_ref().map(|memory| memory.shape());
        let layout = Layout::new(&self.query.shape(), memory_shape.as_ref(), self.heads.count);
        let Layout {
            queries,
            keys,
            d_model,
            query_row,
            key_row,
            ..
        } = layout;
        let query_values = B::values(&self.query);
        let key_values = self.memory.as_ref().map_or(query_values, B::values);
        let weights = B::values(&self.weights);
        let weights_size = self.heads.count * queries * keys;
        let sentence = |number: usize| Sentence {
            layout,
            number,
            query: &query_values[number * queries * query_row..][..queries * query_row],
            memory: &key_values[number * keys * key_row..][..keys * key_row],
            mask: &self.mask,
            heads: self.heads,
        };
        let mut query = uninitialized(query_values.len());
        let mut memory = if self.memory.is_some() {
            uninitialized(key_values.len())
        } else {
            Vec::new()
        };
        let work = |number: usize, query: &mut [f32], memory: Option<&mut [f32]>, buffers: &mut [Vec<f32>; 2]| {
            let output = &output[number * queries * d_model..][..queries * d_model];
            let weights = &weights[number * weights_size..][..weights_size];
            sentence(number).backward(output, weights, query, memory, buffers);
        };
        let query_parts = query.par_chunks_mut(queries * query_row);
        match &self.memory {
            Some(_) => query_parts
                .zip(memory.par_chunks_mut(keys * key_row))
                .enumerate()
                .for_each_init(Default::default, |buffers, (number, (query, memory))| {
                    work(number, query, Some(memory), buffers);
                }),
            None => query_parts
                .enumerate()
                .for_each_init(Default::default, |buffers, (number, query)| {
                    work(number, query, None, buffers)
                }),
        }
        let mut found = vec![B::tensor(query, self.query.shape())];
        found.extend(memory_shape.map(|shape| B::tensor(memory, shape)));
        found
    }
}

/// One sentence of a batch.
struct Sentence<'a> {
    layout: Layout,
    number: usize,
    /// `[T, query_row]`.
    query: &'a [f32],
    /// `[S, key_row]`.
    memory: &'a [f32],
    mask: &'a Mask,
    heads: Heads,
}

impl<'a> Sentence<'a> {
    /// Q, K and V of a head, without the keys that no query sees.
    fn matrices(&self, head: usize) -> [Matrix<'a>; 3] {
        let Layout {
            queries,
            d_k,
            query_row,
            key_row,
            key_begin,
            value_begin,
            ..
        } = self.layout;
        let seen = self.seen();
        let begin = head * d_k;
        [
            Matrix::strided(&self.query[begin..], [queries, d_k], query_row),
            Matrix::strided(&self.memory[key_begin + begin..], [seen, d_k], key_row),
            Matrix::strided(&self.memory[value_begin + begin..], [seen, d_k], key_row),
        ]
    }

    fn seen(&self) -> usize {
        self.mask.seen(self.number, self.layout.keys)
    }

    /// The number that dropout gives to the first weight of a head.
    fn index(&self, head: usize) -> usize {
        (self.number * self.heads.count + head) * self.layout.queries * self.layout.keys
    }

    /// Asks for rows of the next sentence, a part for each head: sentences lie one behind the other.
    fn fetch_next(&self, head: usize) {
        fetch_behind(self.query, head, self.heads.count);
        if self.query.as_ptr() != self.memory.as_ptr() {
            fetch_behind(self.memory, head, self.heads.count);
        }
    }

    fn causal(&self) -> bool {
        *self.mask == Mask::LookAhead
    }

    fn forward(&self, output: &mut [f32], weights: &mut [f32], dropped: &mut Vec<f32>) {
        let Layout {
            queries,
            keys,
            d_model,
            d_k,
            ..
        } = self.layout;
        let seen = self.seen();
        if seen == 0 {
            return output.fill(0.0);
        }
        dropped.resize(queries * keys, 0.0);
        for head in 0..self.heads.count {
            self.fetch_next(head);
            let [query, key, value] = self.matrices(head);
            let weights = &mut weights[head * queries * keys..][..queries * keys];
            multiply_small(query, key.t(), self.layout.scale(), weights, keys);
            weigh(
                weights,
                dropped,
                [keys, seen],
                self.causal(),
                self.heads.dropout,
                self.index(head),
            );
            let dropped = Matrix::strided(dropped, [queries, seen], keys);
            multiply_small(dropped, value, 1.0, &mut output[head * d_k..], d_model);
        }
    }

    /// `query` is written whole; `memory` as well, or if there is none, the parts for key and value in `query`.
    fn backward(
        &self,
        output: &[f32],
        weights: &[f32],
        query: &mut [f32],
        mut memory: Option<&mut [f32]>,
        [scores, dropped]: &mut [Vec<f32>; 2],
    ) {
        let Layout {
            queries,
            keys,
            d_model,
            d_k,
            query_row,
            key_row,
            key_begin,
            value_begin,
            ..
        } = self.layout;
        let seen = self.seen();
        if seen == 0 {
            query.fill(0.0);
            return memory.into_iter().for_each(|memory| memory.fill(0.0));
        }
        let scale = self.layout.scale();
        scores.resize(queries * keys, 0.0);
        dropped.resize(queries * keys, 0.0);
        for head in 0..self.heads.count {
            self.fetch_next(head);
            fetch_behind(output, head, self.heads.count);
            let begin = head * d_k;
            let [q, k, v] = self.matrices(head);
            let output = Matrix::strided(&output[begin..], [queries, d_k], d_model);
            let weights = &weights[head * queries * keys..][..queries * keys];
            multiply_small(output, v.t(), 1.0, scores, keys);
            weigh_backward(
                weights,
                scores,
                dropped,
                [keys, seen],
                self.causal(),
                self.heads.dropout,
                self.index(head),
            );
            let scores = Matrix::strided(scores, [queries, seen], keys);
            let dropped = Matrix::strided(dropped, [queries, seen], keys);
            multiply_small(scores, k, scale, &mut query[begin..], query_row);
            let memory = memory.as_deref_mut().unwrap_or(query);
            multiply_small(scores.t(), q, scale, &mut memory[key_begin + begin..], key_row);
            multiply_small(dropped.t(), output, 1.0, &mut memory[value_begin + begin..], key_row);
        }
        // Padding was seen by nobody.
        let memory = memory.unwrap_or(query);
        for row in memory.chunks_exact_mut(key_row).skip(seen) {
            row[key_begin..].fill(0.0);
        }
    }
}

#[cfg(test)]
mod tests;
