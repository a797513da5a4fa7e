//! Attention of a recurrent decoder over the encoder's outputs: one set of weights for each query.
//!
//! ```text
//! e_ts = v · tanh(q_t + k_s)      additive: Bahdanau et al. (2015), appendix A.1.2; q and k are mapped beforehand
//! e_ts = q_t · k_s                dot, and with k mapped beforehand general: Luong et al. (2015), section 3.1
//! a_t  = softmax over s of e_ts   c_t = Σ_s a_ts m_s
//!
//! dm_s = Σ_t a_ts dc_t            da_ts = dc_t · m_s            de_ts = a_ts (da_ts - Σ_s a_ts da_ts)
//! additive   u_ts = de_ts v (1 - tanh²(q_t + k_s))    dq_t = Σ_s u_ts       dk_s = Σ_t u_ts
//!            dv = Σ_ts de_ts tanh(q_t + k_s)
//! dot        dq_t = Σ_s de_ts k_s                     dk_s = Σ_t de_ts q_t
//! ```
//!
//! The sums q + k of the additive score, D numbers for each pair of positions, are made anew in the backward step: to keep
//! them would take many times the memory of all else.
//!
//! B batch, T queries (decoder states), S keys (encoder outputs), D model width.

pub mod reference;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, TensorMetadata, backend_extension};
use burn::prelude::*;
use rayon::prelude::*;

use crate::attention::{Mask, weigh, weigh_backward};
use crate::autodiff::{parts, record, register};
use crate::cpu::{Cpu, is_fused};
use crate::dropout::Dropout;
use crate::gemm::{Matrix, column_sums, multiply_small};
use crate::instructions::vectorized;
use crate::numbers::{sum, tanh, tanh_and_slope, uninitialized};

pub use reference::weights;

/// What scores are made of.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)] // made for one call and taken apart in it
pub enum Scores {
    /// q · k.
    Dot {
        /// q, `[B, T, D]`.
        query: Tensor<3>,
        /// k, `[B, S, D]`.
        keys: Tensor<3>,
    },
    /// v · tanh(q + k).
    Additive {
        /// q, `[B, T, D]`.
        query: Tensor<3>,
        /// k, `[B, S, D]`.
        keys: Tensor<3>,
        /// v, `[D, 1]`.
        energy: Tensor<2>,
    },
}

/// What each query takes from `memory`.
///
/// # Shapes
/// - `memory`: `[B, S, D]`; `mask`: padding
/// - result: `[B, T, D]`
pub fn source_attention(scores: Scores, memory: Tensor<3>, mask: &Mask) -> Tensor<3> {
    if !is_fused(&memory.device()) {
        return reference::source_attention(scores, memory, mask);
    }
    let memory = memory.into_dispatch();
    Tensor::from_dispatch(match scores {
        Scores::Dot { query, keys } => {
            Dispatch::dot_attention_kernel(query.into_dispatch(), keys.into_dispatch(), memory, mask.clone())
        }
        Scores::Additive { query, keys, energy } => Dispatch::additive_attention_kernel(
            query.into_dispatch(),
            keys.into_dispatch(),
            memory,
            energy.into_dispatch(),
            mask.clone(),
        ),
    })
}

/// The fused operations, see [`source_attention`].
#[backend_extension(Flex, NdArray, Autodiff)]
pub trait SourceAttentionKernel: Backend {
    /// For [`Scores::Dot`].
    fn dot_attention_kernel(
        query: FloatTensor<Self>,
        keys: FloatTensor<Self>,
        memory: FloatTensor<Self>,
        mask: Mask,
    ) -> FloatTensor<Self>;

    /// For [`Scores::Additive`].
    fn additive_attention_kernel(
        query: FloatTensor<Self>,
        keys: FloatTensor<Self>,
        memory: FloatTensor<Self>,
        energy: FloatTensor<Self>,
        mask: Mask,
    ) -> FloatTensor<Self>;
}

impl<B: Cpu> SourceAttentionKernel for B {
    fn dot_attention_kernel(
        query: FloatTensor<B>,
        keys: FloatTensor<B>,
        memory: FloatTensor<B>,
        mask: Mask,
    ) -> FloatTensor<B> {
        Attention::<B, 3>::new([query, keys, memory], mask).1
    }

    fn additive_attention_kernel(
        query: FloatTensor<B>,
        keys: FloatTensor<B>,
        memory: FloatTensor<B>,
        energy: FloatTensor<B>,
        mask: Mask,
    ) -> FloatTensor<B> {
        Attention::<B, 4>::new([query, keys, memory, energy], mask).1
    }
}

impl<B: Cpu, C: CheckpointStrategy> SourceAttentionKernel for Autodiff<B, C> {
    fn dot_attention_kernel(
        query: FloatTensor<Self>,
        keys: FloatTensor<Self>,
        memory: FloatTensor<Self>,
        mask: Mask,
    ) -> FloatTensor<Self> {
        tracked::<B, C, 3>([query, keys, memory], mask)
    }

    fn additive_attention_kernel(
        query: FloatTensor<Self>,
        keys: FloatTensor<Self>,
        memory: FloatTensor<Self>,
        energy: FloatTensor<Self>,
        mask: Mask,
    ) -> FloatTensor<Self> {
        tracked::<B, C, 4>([query, keys, memory, energy], mask)
    }
}

fn tracked<B: Cpu, C: CheckpointStrategy, const N: usize>(
    tensors: [FloatTensor<Autodiff<B, C>>; N],
    mask: Mask,
) -> FloatTensor<Autodiff<B, C>> {
    let (tensors, guards) = parts::<B, C, N>(tensors);
    let (attention, output) = Attention::<B, N>::new(tensors, mask);
    record::<B, C, _, _, N>(SourceAttentionStep, guards, output, || attention)
}

#[derive(Debug)]
struct SourceAttentionStep;

impl<B: Cpu, const N: usize> Backward<B, N> for SourceAttentionStep {
    type State = Attention<B, N>;

    fn backward(self, ops: Ops<Attention<B, N>, N>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let output = B::contiguous(gradients.consume::<B>(&ops.node));
        let found = ops.state.backward(B::values(&output));
        register::<B, _, N>(ops, gradients, found);
    }
}

/// An attention that was computed, with what its backward step needs.
#[derive(Debug, Clone)]
struct Attention<B: Cpu, const N: usize> {
    /// Queries, keys, memory, and of the additive score v.
    tensors: [FloatTensor<B>; N],
    /// a, `[B, T, S]`; what the mask hides is not written.
    weights: FloatTensor<B>,
    mask: Mask,
    sizes: Sizes,
}

#[derive(Debug, Clone, Copy)]
struct Sizes {
    queries: usize,
    keys: usize,
    width: usize,
}

impl<B: Cpu, const N: usize> Attention<B, N> {
    /// Computes the output, `[B, T, D]`.
    fn new(tensors: [FloatTensor<B>; N], mask: Mask) -> (Self, FloatTensor<B>) {
        let tensors = tensors.map(B::contiguous);
        let [batch, queries, width] = tensors[0].shape().dims();
        let [_, keys, _] = tensors[1].shape().dims();
        assert_eq!(tensors[1].shape(), tensors[2].shape(), "keys and memory");
        assert_eq!(
            tensors[1].shape(),
            Shape::new([batch, keys, width]),
            "keys of these queries"
        );
        if let Some(energy) = tensors.get(3) {
            assert_eq!(B::values(energy).len(), width, "numbers of v");
        }
        assert_ne!(mask, Mask::LookAhead, "words to come have no place in a source");
        let sizes = Sizes { queries, keys, width };
        let mut output = uninitialized(batch * queries * width);
        let mut weights = uninitialized(batch * queries * keys);
        let parts = output.par_chunks_mut(queries * width);
        parts
            .zip(weights.par_chunks_mut(queries * keys))
            .enumerate()
            .for_each_init(Vec::new, |dropped, (number, (output, weights))| {
                Sentence::new::<B>(&tensors, &mask, sizes, number).forward(output, weights, dropped);
            });
        let output = B::tensor(output, Shape::new([batch, queries, width]));
        let weights = B::tensor(weights, Shape::new([batch, queries, keys]));
        let attention = Self {
            tensors,
            weights,
            mask,
            sizes,
        };
        (attention, output)
    }

    /// Gradients of all tensors from the output's.
    fn backward(&self, output: &[f32]) -> [FloatTensor<B>; N] {
        let Sizes { queries, keys, width } = self.sizes;
        let values = B::values(&self.weights);
        let batch = values.len() / (queries * keys);
        let mut query = uninitialized(batch * queries * width);
        let mut key = uninitialized(batch * keys * width);
        let mut memory = uninitialized(batch * keys * width);
        // Each sentence's share of v.
        let mut energy = uninitialized(batch * width);
        let parts = query
            .par_chunks_mut(queries * width)
            .zip(key.par_chunks_mut(keys * width))
            .zip(memory.par_chunks_mut(keys * width))
            .zip(energy.par_chunks_mut(width));
        parts.enumerate().for_each_init(
            Default::default,
            |buffers, (number, (((query, keys), memory), energy))| {
                let one = Sentence::new::<B>(&self.tensors, &self.mask, self.sizes, number);
                let output = &output[number * queries * width..][..queries * width];
                let weights = &values[number * queries * self.sizes.keys..][..queries * self.sizes.keys];
                let gradients = SentenceGradients {
                    query,
                    keys,
                    memory,
                    energy,
                };
                one.backward(output, weights, gradients, buffers);
            },
        );
        let mut found = vec![query, key, memory];
        if N == 4 {
            found.push(column_sums(Matrix::new(&energy, [energy.len() / width, width])));
        }
        let mut found = found.into_iter();
        std::array::from_fn(|index| {
            let values = found.next().expect("one for each tensor");
            B::tensor(values, self.tensors[index].shape())
        })
    }
}

/// One sentence of a batch.
struct Sentence<'a> {
    query: Matrix<'a>,
    query_values: &'a [f32],
    keys: Matrix<'a>,
    key_values: &'a [f32],
    memory: Matrix<'a>,
    /// v.
    energy: Option<&'a [f32]>,
    /// Keys that are no padding.
    seen: usize,
    sizes: Sizes,
}

/// Gradients of a sentence, to be written.
struct SentenceGradients<'a> {
    query: &'a mut [f32],
    keys: &'a mut [f32],
    memory: &'a mut [f32],
    /// Of v.
    energy: &'a mut [f32],
}

impl SentenceGradients<'_> {
    fn fill_with_zeros(self) {
        for gradient in [self.query, self.keys, self.memory, self.energy] {
            gradient.fill(0.0);
        }
    }
}

impl<'a> Sentence<'a> {
    fn new<B: Cpu>(tensors: &'a [FloatTensor<B>], mask: &Mask, sizes: Sizes, number: usize) -> Self {
        let Sizes { queries, keys, width } = sizes;
        let seen = mask.seen(number, keys);
        let rows = |tensor: usize, rows: usize| &B::values(&tensors[tensor])[number * rows * width..][..rows * width];
        let (query, key) = (rows(0, queries), &rows(1, keys)[..seen * width]);
        Self {
            query: Matrix::new(query, [queries, width]),
            query_values: query,
            keys: Matrix::new(key, [seen, width]),
            key_values: key,
            memory: Matrix::new(&rows(2, keys)[..seen * width], [seen, width]),
            energy: tensors.get(3).map(B::values),
            seen,
            sizes,
        }
    }

    fn forward(&self, output: &mut [f32], weights: &mut [f32], dropped: &mut Vec<f32>) {
        let Sizes { queries, keys, width } = self.sizes;
        if self.seen == 0 {
            return output.fill(0.0);
        }
        dropped.resize(queries * keys, 0.0);
        match self.energy {
            Some(energy) => additive_scores(self.query_values, self.key_values, energy, weights, keys),
            None => multiply_small(self.query, self.keys.t(), 1.0, weights, keys),
        }
        weigh(weights, dropped, [keys, self.seen], false, Dropout::OFF, 0);
        let weights = Matrix::strided(weights, [queries, self.seen], keys);
        multiply_small(weights, self.memory, 1.0, output, width);
    }

    fn backward(
        &self,
        output: &[f32],
        weights: &[f32],
        gradients: SentenceGradients,
        [scores, dropped]: &mut [Vec<f32>; 2],
    ) {
        let Sizes { queries, keys, width } = self.sizes;
        let seen = self.seen;
        if seen == 0 {
            return gradients.fill_with_zeros();
        }
        scores.resize(queries * keys, 0.0);
        dropped.resize(queries * keys, 0.0);
        let output = Matrix::new(output, [queries, width]);
        multiply_small(output, self.memory.t(), 1.0, scores, keys);
        weigh_backward(weights, scores, dropped, [keys, seen], false, Dropout::OFF, 0);
        let weights = Matrix::strided(weights, [queries, seen], keys);
        multiply_small(weights.t(), output, 1.0, gradients.memory, width);
        match self.energy {
            Some(energy) => additive_backward(
                [self.query_values, self.key_values, energy],
                scores,
                keys,
                gradients.query,
                &mut gradients.keys[..seen * width],
                gradients.energy,
            ),
            None => {
                let scores = Matrix::strided(scores, [queries, seen], keys);
                multiply_small(scores, self.keys, 1.0, gradients.query, width);
                multiply_small(scores.t(), self.query, 1.0, gradients.keys, width);
            }
        }
        // Padding was seen by nobody.
        gradients.keys[seen * width..].fill(0.0);
        gradients.memory[seen * width..].fill(0.0);
    }
}

/// Numbers of a row that are handled together: as many as the widest registers hold, a few times.
const LANES: usize = 64;

vectorized! {
    /// Writes the first numbers of each row of `scores`, which are `stride` apart.
    fn additive_scores(query: &[f32], keys: &[f32], energy: &[f32], scores: &mut [f32], stride: usize) {
        let width = energy.len();
        for (q, scores) in query.chunks_exact(width).zip(scores.chunks_exact_mut(stride)) {
            for (k, score) in keys.chunks_exact(width).zip(scores) {
                *score = additive_score(q, k, energy);
            }
        }
    }

    /// `inputs` are q, k and v; gradients of them are written, from those of the scores.
    fn additive_backward(
        inputs: [&[f32]; 3],
        scores: &[f32],
        stride: usize,
        of_query: &mut [f32],
        of_keys: &mut [f32],
        of_energy: &mut [f32],
    ) {
        let [query, keys, energy] = inputs;
        let width = energy.len();
        let of_energy = &mut of_energy[..width];
        of_query.fill(0.0);
        of_keys.fill(0.0);
        of_energy.fill(0.0);
        let queries = query.chunks_exact(width).zip(of_query.chunks_exact_mut(width));
        for ((q, of_q), scores) in queries.zip(scores.chunks_exact(stride)) {
            let rows = keys.chunks_exact(width).zip(of_keys.chunks_exact_mut(width));
            for ((k, of_k), of_score) in rows.zip(scores) {
                for i in 0..width {
                    let (made, slope) = tanh_and_slope(q[i] + k[i]);
                    let of_sum = of_score * energy[i] * slope;
                    of_q[i] += of_sum;
                    of_k[i] += of_sum;
                    of_energy[i] += of_score * made;
                }
            }
        }
    }
}

/// `v · tanh(q + k)`.
#[inline(always)]
fn additive_score(q: &[f32], k: &[f32], v: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (q_chunks, q_rest) = q.as_chunks::<LANES>();
    let (k_chunks, k_rest) = k.as_chunks::<LANES>();
    let (v_chunks, v_rest) = v.as_chunks::<LANES>();
    for ((q, k), v) in q_chunks.iter().zip(k_chunks).zip(v_chunks) {
        for i in 0..LANES {
            lanes[i] += v[i] * tanh(q[i] + k[i]);
        }
    }
    let rest = q_rest.iter().zip(k_rest).zip(v_rest);
    sum(&lanes) + rest.map(|((q, k), v)| v * tanh(q + k)).sum::<f32>()
}

#[cfg(test)]
mod tests;
