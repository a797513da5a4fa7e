//! Recurrent layers: what they make of a sentence, one position after the other.
//!
//! ```text
//! Elman   h' = tanh(x W + b + h U + c)
//! GRU     r, z = σ(x W + b + h U + c)            n = tanh(x W_n + b_n + r (h U_n + c_n))      h' = (1 - z) n + z h
//! LSTM    i, f, o = σ(x W + b + h U + c)         g = tanh(x W_g + b_g + h U_g + c_g)
//!         s' = f s + i g                         h' = o tanh(s')
//! ```
//!
//! Elman (1990); Cho et al. (2014) in the form that PyTorch and cuDNN compute; Hochreiter and Schmidhuber (1997) with
//! forget gates (Gers et al. 2000). Gates stand side by side in one matrix, `r z n` and `i f g o`, so that all positions'
//! `x W + b` are one product.
//!
//! B batch, L length, E numbers of an input, H of a state, G gates.

use burn::nn::{Initializer, Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::activation::{sigmoid, tanh};
use ember_kernels::linear::linear;

use crate::cache::index_tensor;
use crate::config::CellKind;
use crate::pass::Pass;

/// What a layer carries from one position to the next.
#[derive(Debug, Clone)]
pub struct CellState {
    /// What it gives out: `[B, H]`.
    pub hidden: Tensor<2>,
    /// The LSTM's inner state: `[B, H]`.
    pub inner: Option<Tensor<2>>,
}

impl CellState {
    /// Zeros.
    pub fn zero(kind: CellKind, shape: [usize; 2], device: &Device) -> Self {
        Self {
            hidden: Tensor::zeros(shape, device),
            inner: (kind == CellKind::Lstm).then(|| Tensor::zeros(shape, device)),
        }
    }

    /// `self` where `real` is 0, `next` where it is 1: `[B, 1]`.
    fn moved(self, next: Self, real: &Tensor<2>) -> Self {
        let moved = |old: Tensor<2>, new: Tensor<2>| old.clone() + (new - old) * real.clone();
        Self {
            hidden: moved(self.hidden, next.hidden),
            inner: self.inner.zip(next.inner).map(|(old, new)| moved(old, new)),
        }
    }

    /// The states of some rows.
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        let rows = index_tensor(rows, &self.hidden.device());
        let select = |tensor: &Tensor<2>| tensor.clone().select(0, rows.clone());
        Self {
            hidden: select(&self.hidden),
            inner: self.inner.as_ref().map(select),
        }
    }
}

/// One layer in one direction.
#[derive(Module, Debug)]
pub struct RecurrentLayer {
    /// W and b: `[E, G H]`.
    pub input: Linear,
    /// U and c: `[H, G H]`.
    pub recurrent: Linear,
    #[module(skip)]
    kind: CellKind,
}

impl RecurrentLayer {
    /// With all values zero.
    pub fn new(kind: CellKind, width: usize, hidden: usize, device: &Device) -> Self {
        let gates = match kind {
            CellKind::Elman => 1,
            CellKind::Gru => 3,
            CellKind::Lstm => 4,
        };
        let map = |from| {
            LinearConfig::new(from, gates * hidden)
                .with_initializer(Initializer::Zeros)
                .init(device)
        };
        Self {
            input: map(width),
            recurrent: map(hidden),
            kind,
        }
    }

    /// Its cell.
    pub fn kind(&self) -> CellKind {
        self.kind
    }

    /// H.
    pub fn width(&self) -> usize {
        let [hidden, _] = self.recurrent.weight.dims();
        hidden
    }

    /// The outputs of all positions, and the state behind the last one read.
    ///
    /// # Shapes
    /// - `x`: `[B, L, E]`; result `[B, L, H]`
    /// - `real`: `[B, L]`, 1 for a word and 0 for padding, which changes no state; `None` where there is none
    pub fn forward(
        &self,
        x: Tensor<3>,
        mut state: CellState,
        real: Option<&Tensor<2>>,
        direction: Direction,
        pass: &Pass,
    ) -> (Tensor<3>, CellState) {
        let [_, length, _] = x.dims();
        let gates = linear(&[&self.input], x, pass.precision()); // [B, L, G H]
        let mut outputs = Vec::with_capacity(length);
        for step in 0..length {
            let position = match direction {
                Direction::Forward => step,
                Direction::Backward => length - 1 - step,
            };
            let at = gates.clone().slice_dim(1, position..position + 1).squeeze_dim(1);
            let next = self.step(at, state.clone(), pass);
            state = match real {
                Some(real) => state.moved(next, &real.clone().slice_dim(1, position..position + 1)),
                None => next,
            };
            outputs.push(state.hidden.clone());
        }
        if direction == Direction::Backward {
            outputs.reverse();
        }
        (Tensor::stack(outputs, 1), state)
    }

    /// The next state, from the input's share of the gates: `[B, G H]`.
    fn step(&self, gates: Tensor<2>, state: CellState, pass: &Pass) -> CellState {
        let CellState { hidden, inner } = state;
        let own = linear(&[&self.recurrent], hidden.clone().unsqueeze_dim(1), pass.precision());
        let own: Tensor<2> = own.squeeze_dim(1);
        match self.kind {
            CellKind::Elman => CellState {
                hidden: tanh(gates + own),
                inner: None,
            },
            CellKind::Gru => {
                let [r, z, n]: [_; 3] = gates.chunk(3, 1).try_into().expect("three gates");
                let [own_r, own_z, own_n]: [_; 3] = own.chunk(3, 1).try_into().expect("three gates");
                let (r, z) = (sigmoid(r + own_r), sigmoid(z + own_z));
                let n = tanh(n + r * own_n);
                CellState {
                    hidden: n.clone() + z * (hidden - n),
                    inner: None,
                }
            }
            CellKind::Lstm => {
                let [i, f, g, o]: [_; 4] = (gates + own).chunk(4, 1).try_into().expect("four gates");
                let inner = sigmoid(f) * inner.expect("an LSTM's state") + sigmoid(i) * tanh(g);
                CellState {
                    hidden: sigmoid(o) * tanh(inner.clone()),
                    inner: Some(inner),
                }
            }
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
