//! One recurrent layer over whole sentences.
//!
//! ```text
//! Elman   h' = tanh(x + u)                                    u = h U + c
//! GRU     r, z = σ(x + u)     n = tanh(x_n + r u_n)           h' = n + z (h - n)
//! LSTM    i, f, o = σ(x + u)  g = tanh(x_g + u_g)             s' = f s + i g     h' = o tanh(s')
//! ```
//!
//! Elman (1990); Cho et al. (2014) in the form that cuDNN computes; Hochreiter and Schmidhuber (1997) with the forget gate of
//! Gers et al. (2000). `x`, the input's share of the gates, is made beforehand, for all positions at once. Gates stand side
//! by side: `r z n` and `i f g o`. A position behind a sentence's end changes no state.
//!
//! Gradients go from the last position read to the first (Werbos 1990). With δ those of the gates' arguments, and δ' the
//! same but δ'_n = r δ_n for the GRU,
//!
//! ```text
//! LSTM    ds += dh o (1 - tanh²(s'))   δ_o = dh tanh(s') o (1 - o)   δ_f = ds s f (1 - f)   δ_i = ds g i (1 - i)
//!         δ_g = ds i (1 - g²)          ds = ds f
//! GRU     δ_n = dh (1 - z)(1 - n²)     δ_z = dh (h - n) z (1 - z)    δ_r = δ_n u_n r (1 - r)
//! Elman   δ = dh (1 - h'²)
//! dh = δ' U^T (+ dh z for the GRU)     dU = Σ h^T δ'                 dc = Σ δ'
//! ```
//!
//! Sentences do not know of each other: each thread takes some of them through all positions, without waiting for others.
//!
//! B sentences, L positions, H numbers of a state, G gates.

mod cells;
mod reference;

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, TensorMetadata, backend_extension};
use burn::nn::Linear;
use burn::prelude::*;
use rayon::prelude::*;

use self::cells::{elman, elman_backward, gru, gru_backward, lstm, lstm_backward};
use crate::autodiff::{parts, record, register};
use crate::cpu::{Cpu, is_fused};
use crate::gemm::{Matrix, Product, Right, Start, column_sums};
use crate::numbers::uninitialized;
use crate::precision::Precision;

pub use reference::reference;

/// What a layer does at each position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// One map.
    Elman,
    /// Two gates.
    Gru,
    /// Three gates and an inner state.
    Lstm,
}

impl Cell {
    /// G, the maps that stand side by side.
    pub fn gates(self) -> usize {
        match self {
            Self::Elman => 1,
            Self::Gru => 3,
            Self::Lstm => 4,
        }
    }

    /// Numbers kept of a position for its gradient, in units of H: `r z n u_n` and `i f g o s'`.
    fn kept(self) -> usize {
        match self {
            Self::Elman => 0,
            Self::Gru => 4,
            Self::Lstm => 5,
        }
    }
}

/// In which order a layer reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the first word on.
    Forward,
    /// From the last word back.
    Backward,
}

impl Direction {
    /// The position that is read at a step.
    pub fn position(self, step: usize, length: usize) -> usize {
        match self {
            Self::Forward => step,
            Self::Backward => length - 1 - step,
        }
    }
}

/// What a layer carries from one position to the next.
#[derive(Debug, Clone)]
pub struct State {
    /// What it gives out: `[B, H]`.
    pub hidden: Tensor<2>,
    /// The LSTM's inner state: `[B, H]`.
    pub inner: Option<Tensor<2>>,
}

/// How a layer computes.
#[derive(Debug, Clone)]
pub struct RecurrentRule {
    /// What it does at each position.
    pub cell: Cell,
    /// In which order.
    pub direction: Direction,
    /// Words of each sentence; `None` where there is no padding.
    pub lengths: Option<Arc<[usize]>>,
    /// How operands of products are rounded.
    pub precision: Precision,
}

impl RecurrentRule {
    fn is_word(&self, sentence: usize, position: usize) -> bool {
        self.lengths.as_ref().is_none_or(|lengths| position < lengths[sentence])
    }
}

/// The outputs of all positions, and the state behind the last one read.
///
/// # Shapes
/// - `gates`: `[B, L, G H]`, the input's share; `own`: U and c, `[H, G H]` and `[G H]`
/// - result: `[B, L, H]`
pub fn recurrent(gates: Tensor<3>, own: &Linear, state: State, rule: RecurrentRule) -> (Tensor<3>, State) {
    if !is_fused(&gates.device()) {
        return reference(gates, own, state, &rule);
    }
    let [_, length, _] = gates.dims();
    let last = rule.direction.position(length - 1, length);
    let bias = own.bias.as_ref().expect("a map with a bias").val();
    let [gates, hidden] = [gates.into_dispatch(), state.hidden.into_dispatch()];
    let (weight, bias) = (own.weight.val().into_dispatch(), bias.into_dispatch());
    let Some(inner) = state.inner else {
        let found = Dispatch::recurrent_kernel(gates, weight, bias, hidden, rule);
        let outputs = Tensor::<3>::from_dispatch(found);
        let hidden = outputs.clone().slice_dim(1, last..last + 1).squeeze_dim(1);
        return (outputs, State { hidden, inner: None });
    };
    let found = Dispatch::lstm_kernel(gates, weight, bias, hidden, inner.into_dispatch(), rule);
    let found = Tensor::<3>::from_dispatch(found);
    let at = |position: usize| found.clone().slice_dim(1, position..position + 1).squeeze_dim(1);
    let state = State {
        hidden: at(last),
        inner: Some(at(length)),
    };
    (found.clone().slice_dim(1, 0..length), state)
}

/// The fused operations, see [`recurrent`].
#[backend_extension(Flex, NdArray, Autodiff)]
pub trait RecurrentKernel: Backend {
    /// A layer whose state is its output.
    fn recurrent_kernel(
        gates: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        hidden: FloatTensor<Self>,
        rule: RecurrentRule,
    ) -> FloatTensor<Self>;

    /// A layer with an inner state; the last one stands behind the outputs: `[B, L + 1, H]`.
    fn lstm_kernel(
        gates: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        hidden: FloatTensor<Self>,
        inner: FloatTensor<Self>,
        rule: RecurrentRule,
    ) -> FloatTensor<Self>;
}

impl<B: Cpu> RecurrentKernel for B {
    fn recurrent_kernel(
        gates: FloatTensor<B>,
        weight: FloatTensor<B>,
        bias: FloatTensor<B>,
        hidden: FloatTensor<B>,
        rule: RecurrentRule,
    ) -> FloatTensor<B> {
        Layer::<B>::new([gates, weight, bias, hidden], rule).forward(None)
    }

    fn lstm_kernel(
        gates: FloatTensor<B>,
        weight: FloatTensor<B>,
        bias: FloatTensor<B>,
        hidden: FloatTensor<B>,
        inner: FloatTensor<B>,
        rule: RecurrentRule,
    ) -> FloatTensor<B> {
        Layer::<B>::new([gates, weight, bias, hidden, inner], rule).forward(None)
    }
}

impl<B: Cpu, C: CheckpointStrategy> RecurrentKernel for Autodiff<B, C> {
    fn recurrent_kernel(
        gates: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        hidden: FloatTensor<Self>,
        rule: RecurrentRule,
    ) -> FloatTensor<Self> {
        recorded::<B, C, _>([gates, weight, bias, hidden], rule)
    }

    fn lstm_kernel(
        gates: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        hidden: FloatTensor<Self>,
        inner: FloatTensor<Self>,
        rule: RecurrentRule,
    ) -> FloatTensor<Self> {
        recorded::<B, C, _>([gates, weight, bias, hidden, inner], rule)
    }
}

/// The layer with what its gradients need.
fn recorded<B: Cpu, C: CheckpointStrategy, const N: usize>(
    tensors: [FloatTensor<Autodiff<B, C>>; N],
    rule: RecurrentRule,
) -> FloatTensor<Autodiff<B, C>> {
    let (tensors, guards) = parts::<B, C, N>(tensors);
    let layer = Layer::<B>::new(tensors, rule);
    let [batch, length, width] = layer.sizes();
    let mut kept = uninitialized(batch * length * layer.rule.cell.kept() * width);
    let output = layer.forward(Some(&mut kept));
    let saved = output.clone();
    record::<B, C, _, _, N>(RecurrentStep, guards, output, || (layer, saved, Arc::new(kept)))
}

#[derive(Debug)]
struct RecurrentStep;

impl<B: Cpu, const N: usize> Backward<B, N> for RecurrentStep {
    /// The layer, its outputs, and what it kept.
    type State = (Layer<B>, FloatTensor<B>, Arc<Vec<f32>>);

    fn backward(self, ops: Ops<Self::State, N>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let upstream = B::contiguous(gradients.consume::<B>(&ops.node));
        let (layer, output, kept) = &ops.state;
        let found = layer.backward(B::values(&upstream), B::values(output), kept);
        let found: [_; N] = found.try_into().expect("one gradient for each parent");
        register::<B, _, N>(ops, gradients, found);
    }
}

/// A layer and what it reads.
#[derive(Debug, Clone)]
struct Layer<B: Cpu> {
    gates: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    hidden: FloatTensor<B>,
    inner: Option<FloatTensor<B>>,
    rule: RecurrentRule,
}

impl<B: Cpu> Layer<B> {
    /// `tensors` are gates, U, c, the first hidden state and, for an LSTM, the first inner one.
    fn new<const N: usize>(tensors: [FloatTensor<B>; N], rule: RecurrentRule) -> Self {
        let mut tensors = tensors.into_iter().map(B::contiguous);
        let mut next = || tensors.next();
        let layer = Self {
            gates: next().expect("gates"),
            weight: next().expect("a weight"),
            bias: next().expect("a bias"),
            hidden: next().expect("a state"),
            inner: next(),
            rule,
        };
        let [batch, length, width] = layer.sizes();
        let cell = layer.rule.cell;
        assert_eq!(layer.inner.is_some(), cell == Cell::Lstm, "an inner state");
        assert_eq!(layer.gates.shape()[2], cell.gates() * width, "numbers of the gates");
        for state in std::iter::once(&layer.hidden).chain(&layer.inner) {
            assert_eq!([state.shape()[0], state.shape()[1]], [batch, width], "size of a state");
        }
        assert!(length > 0 && width > 0, "a layer over nothing");
        let fits = |lengths: &Arc<[usize]>| lengths.len() == batch && lengths.iter().all(|words| *words <= length);
        assert!(layer.rule.lengths.as_ref().is_none_or(fits), "words of each sentence");
        layer
    }

    /// B, L and H.
    fn sizes(&self) -> [usize; 3] {
        let gates = self.gates.shape();
        [gates[0], gates[1], self.weight.shape()[0]]
    }

    /// Positions of the result: the last inner state stands behind those of the sentence.
    fn rows(&self) -> usize {
        self.sizes()[1] + usize::from(self.inner.is_some())
    }

    /// Sentences that a thread takes at a time: whole tiles of a product.
    fn block(&self) -> usize {
        let [batch, ..] = self.sizes();
        batch.div_ceil(rayon::current_num_threads()).next_multiple_of(12)
    }

    fn matrix<'a>(&self, weight: &'a FloatTensor<B>) -> Matrix<'a> {
        Matrix::new(B::values(weight), [weight.shape()[0], weight.shape()[1]])
    }

    /// `kept`: `[B, L, kept H]`, if gradients are wanted.
    fn forward(&self, kept: Option<&mut Vec<f32>>) -> FloatTensor<B> {
        let [batch, length, width] = self.sizes();
        let (rows, cell) = (self.rows(), self.rule.cell);
        let made = cell.gates() * width;
        let block = self.block();
        let keeps = cell.kept() * width;
        let right = Right::prepared(self.matrix(&self.weight), self.rule.precision);
        let mut output = uninitialized(batch * rows * width);
        let mut forgotten = Vec::new();
        let kept = kept.unwrap_or_else(|| {
            forgotten = uninitialized(batch * length * keeps);
            &mut forgotten
        });
        let kept = chunks_or_empty(kept, block * length * keeps, batch.div_ceil(block));
        let parts = output.par_chunks_mut(block * rows * width).zip(kept).enumerate();
        parts.for_each(|(part, (output, kept))| {
            let first = part * block;
            let count = output.len() / (rows * width);
            let begin = first * width..(first + count) * width;
            let mut hidden = B::values(&self.hidden)[begin.clone()].to_vec();
            let mut inner = match &self.inner {
                Some(inner) => B::values(inner)[begin].to_vec(),
                None => Vec::new(),
            };
            let mut own = uninitialized(count * made);
            for step in 0..length {
                let position = self.rule.direction.position(step, length);
                let product = Product {
                    left: Matrix::new(&hidden, [count, width]),
                    right: &right,
                    start: Start::Bias(B::values(&self.bias)),
                };
                product.write_here(&mut own, made);
                for row in 0..count {
                    let gates = &B::values(&self.gates)[((first + row) * length + position) * made..][..made];
                    let own = &own[row * made..][..made];
                    let hidden = &mut hidden[row * width..][..width];
                    let is_word = self.rule.is_word(first + row, position);
                    match cell {
                        Cell::Elman if is_word => elman(gates, own, hidden),
                        Cell::Gru if is_word => {
                            let kept = &mut kept[(row * length + position) * keeps..][..keeps];
                            gru(gates, own, hidden, kept);
                        }
                        Cell::Lstm => {
                            let kept = &mut kept[(row * length + position) * keeps..][..keeps];
                            let inner = &mut inner[row * width..][..width];
                            if is_word {
                                lstm(gates, own, hidden, inner, kept);
                            } else {
                                // The state is what the next position starts from; the gates count for nothing.
                                kept.fill(0.0);
                                kept[4 * width..].copy_from_slice(inner);
                            }
                        }
                        _ => {}
                    }
                    output[(row * rows + position) * width..][..width].copy_from_slice(hidden);
                }
            }
            for (row, inner) in inner.chunks_exact(width).enumerate() {
                output[(row * rows + length) * width..][..width].copy_from_slice(inner);
            }
        });
        B::tensor(output, Shape::new([batch, rows, width]))
    }

    /// Gradients of gates, U, c and the first states, from those of the result.
    fn backward(&self, upstream: &[f32], output: &[f32], kept: &[f32]) -> Vec<FloatTensor<B>> {
        let [batch, length, width] = self.sizes();
        let (rows, cell) = (self.rows(), self.rule.cell);
        let made = cell.gates() * width;
        let block = self.block();
        let right = Right::prepared(self.matrix(&self.weight).t(), self.rule.precision);
        let before = self.states_before(output);
        let mut gates = uninitialized(batch * length * made);
        // δ' where it is not δ.
        let mut own = match cell {
            Cell::Gru => uninitialized(batch * length * made),
            _ => Vec::new(),
        };
        let mut hidden = uninitialized(batch * width);
        let mut inner = vec![0.0; if self.inner.is_some() { batch * width } else { 0 }];
        let own_parts = chunks_or_empty(&mut own, block * length * made, batch.div_ceil(block));
        let inner_parts = chunks_or_empty(&mut inner, block * width, batch.div_ceil(block));
        let parts = gates
            .par_chunks_mut(block * length * made)
            .zip(hidden.par_chunks_mut(block * width))
            .zip(own_parts)
            .zip(inner_parts);
        parts.enumerate().for_each(|(part, (((gates, hidden), own), inner))| {
            let first = part * block;
            let count = hidden.len() / width;
            hidden.fill(0.0);
            let upstream = &upstream[first * rows * width..][..count * rows * width];
            for (row, inner) in inner.chunks_exact_mut(width).enumerate() {
                inner.copy_from_slice(&upstream[(row * rows + length) * width..][..width]);
            }
            let mut direct = uninitialized(count * width);
            for step in (0..length).rev() {
                let position = self.rule.direction.position(step, length);
                for row in 0..count {
                    let place = row * length + position;
                    let hidden = &mut hidden[row * width..][..width];
                    let here = &upstream[(row * rows + position) * width..][..width];
                    hidden.iter_mut().zip(here).for_each(|(hidden, here)| *hidden += here);
                    let gates = &mut gates[place * made..][..made];
                    let direct = &mut direct[row * width..][..width];
                    if !self.rule.is_word(first + row, position) {
                        gates.fill(0.0);
                        if cell == Cell::Gru {
                            own[place * made..][..made].fill(0.0);
                        }
                        direct.copy_from_slice(hidden);
                        continue;
                    }
                    let keeps = cell.kept() * width;
                    let here = &kept[(first * length + place) * keeps..][..keeps];
                    match cell {
                        Cell::Elman => {
                            let output = &output[((first + row) * rows + position) * width..][..width];
                            elman_backward(hidden, output, gates);
                            direct.fill(0.0);
                        }
                        Cell::Gru => {
                            let before = &before[(first * length + place) * width..][..width];
                            gru_backward(hidden, before, here, gates, &mut own[place * made..][..made], direct);
                        }
                        Cell::Lstm => {
                            let before = self.inner_before(kept, first + row, step);
                            lstm_backward(hidden, &mut inner[row * width..][..width], before, here, gates);
                            direct.fill(0.0);
                        }
                    }
                }
                hidden.copy_from_slice(&direct);
                let delta = if cell == Cell::Gru { &*own } else { &*gates };
                let product = Product {
                    left: Matrix::strided(&delta[position * made..], [count, made], length * made),
                    right: &right,
                    start: Start::Result,
                };
                product.write_here(hidden, width);
            }
        });
        let delta = if cell == Cell::Gru { &own } else { &gates };
        let mut weight = uninitialized(width * made);
        let product = Product {
            left: Matrix::new(&before, [batch * length, width]).t(),
            right: &Right::new(Matrix::new(delta, [batch * length, made]), self.rule.precision),
            start: Start::Zero,
        };
        product.write(&mut weight);
        let bias = column_sums(delta, made);
        let state = Shape::new([batch, width]);
        let mut found = vec![
            B::tensor(gates, self.gates.shape()),
            B::tensor(weight, self.weight.shape()),
            B::tensor(bias, self.bias.shape()),
            B::tensor(hidden, state.clone()),
        ];
        if self.inner.is_some() {
            found.push(B::tensor(inner, state));
        }
        found
    }

    /// The hidden state that each position started from: `[B, L, H]`.
    fn states_before(&self, output: &[f32]) -> Vec<f32> {
        let [batch, length, width] = self.sizes();
        let rows = self.rows();
        let mut before = uninitialized(batch * length * width);
        for (sentence, before) in before.chunks_exact_mut(length * width).enumerate() {
            for step in 0..length {
                let position = self.rule.direction.position(step, length);
                let state = match step.checked_sub(1) {
                    None => &B::values(&self.hidden)[sentence * width..],
                    Some(step) => {
                        let position = self.rule.direction.position(step, length);
                        &output[(sentence * rows + position) * width..]
                    }
                };
                before[position * width..][..width].copy_from_slice(&state[..width]);
            }
        }
        before
    }

    /// The inner state that a step started from.
    fn inner_before<'a>(&'a self, kept: &'a [f32], sentence: usize, step: usize) -> &'a [f32] {
        let [_, length, width] = self.sizes();
        let keeps = self.rule.cell.kept() * width;
        match (step.checked_sub(1), &self.inner) {
            (Some(step), _) => {
                let position = self.rule.direction.position(step, length);
                &kept[(sentence * length + position) * keeps + 4 * width..][..width]
            }
            (None, Some(inner)) => &B::values(inner)[sentence * width..][..width],
            (None, None) => &[],
        }
    }
}

/// Chunks of a buffer; of an empty one, as many empty ones.
fn chunks_or_empty(buffer: &mut [f32], size: usize, count: usize) -> Vec<&mut [f32]> {
    if buffer.is_empty() {
        return (0..count).map(|_| <&mut [f32]>::default()).collect();
    }
    buffer.chunks_mut(size).collect()
}

#[cfg(test)]
mod tests;
