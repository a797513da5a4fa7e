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
mod layer;
mod reference;

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, backend_extension};
use burn::nn::Linear;
use burn::prelude::*;

use self::layer::Layer;
use crate::autodiff::{parts, record, register};
use crate::cpu::{Cpu, is_fused};
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
    let has_inner = state.inner.is_some();
    let states = match state.inner {
        Some(inner) => Tensor::cat(vec![state.hidden, inner], 1),
        None => state.hidden,
    };
    let found = Tensor::<3>::from_dispatch(Dispatch::recurrent_kernel(
        gates.into_dispatch(),
        own.weight.val().into_dispatch(),
        bias.into_dispatch(),
        states.into_dispatch(),
        rule,
    ));
    let at = |position: usize| found.clone().slice_dim(1, position..position + 1).squeeze_dim(1);
    let state = State {
        hidden: at(last),
        inner: has_inner.then(|| at(length)),
    };
    let outputs = if has_inner {
        found.clone().slice_dim(1, 0..length)
    } else {
        found
    };
    (outputs, state)
}

/// The fused operation, see [`recurrent`].
#[backend_extension(Flex, NdArray, Autodiff)]
pub trait RecurrentKernel: Backend {
    /// `state` is the first one, for an LSTM with the inner one beside it: `[B, 2 H]`. The result of an LSTM has its last
    /// inner state behind the outputs: `[B, L + 1, H]`.
    fn recurrent_kernel(
        gates: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        state: FloatTensor<Self>,
        rule: RecurrentRule,
    ) -> FloatTensor<Self>;
}

impl<B: Cpu> RecurrentKernel for B {
    fn recurrent_kernel(
        gates: FloatTensor<B>,
        weight: FloatTensor<B>,
        bias: FloatTensor<B>,
        state: FloatTensor<B>,
        rule: RecurrentRule,
    ) -> FloatTensor<B> {
        let gates = B::contiguous(gates);
        Layer::<B>::new(&gates, [weight, bias, state], rule)
            .forward(B::values(&gates))
            .0
    }
}

impl<B: Cpu, C: CheckpointStrategy> RecurrentKernel for Autodiff<B, C> {
    fn recurrent_kernel(
        gates: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        state: FloatTensor<Self>,
        rule: RecurrentRule,
    ) -> FloatTensor<Self> {
        let ([gates, weight, bias, state], guards) = parts::<B, C, 4>([gates, weight, bias, state]);
        let gates = B::contiguous(gates);
        let layer = Layer::<B>::new(&gates, [weight, bias, state], rule);
        let (output, kept) = layer.forward(B::values(&gates));
        let saved = output.clone();
        record::<B, C, _, _, 4>(RecurrentStep, guards, output, || (layer, saved, Arc::new(kept)))
    }
}

#[derive(Debug)]
struct RecurrentStep;

impl<B: Cpu> Backward<B, 4> for RecurrentStep {
    /// The layer, its outputs, and what it kept.
    type State = (Layer<B>, FloatTensor<B>, Arc<Vec<f32>>);

    fn backward(self, ops: Ops<Self::State, 4>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let upstream = B::contiguous(gradients.consume::<B>(&ops.node));
        let (layer, output, kept) = &ops.state;
        let found = layer.backward(B::values(&upstream), B::values(output), kept);
        register::<B, _, 4>(ops, gradients, found);
    }
}

#[cfg(test)]
mod tests;
