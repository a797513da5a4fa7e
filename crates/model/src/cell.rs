//! Layers of recurrent cells; their equations and gradients are in [`ember_kernels::recurrent`].
//!
//! B batch, L length, E numbers of an input, H of a state, G gates.

use burn::nn::{Initializer, Linear, LinearConfig};
use burn::prelude::*;
use ember_kernels::linear::linear;
use ember_kernels::recurrent::{Cell, Direction, RecurrentRule, State, recurrent};

use crate::attention::Mask;
use crate::cache::index_tensor;
use crate::config::CellKind;
use crate::pass::Pass;

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

impl CellKind {
    fn cell(self) -> Cell {
        match self {
            Self::Elman => Cell::Elman,
            Self::Gru => Cell::Gru,
            Self::Lstm => Cell::Lstm,
        }
    }
}

impl RecurrentLayer {
    /// With all values zero.
    pub fn new(kind: CellKind, width: usize, hidden: usize, device: &Device) -> Self {
        let map = |from| {
            LinearConfig::new(from, kind.cell().gates() * hidden)
                .with_initializer(Initializer::Zeros)
                .init(device)
        };
        Self {
            input: map(width),
            recurrent: map(hidden),
            kind,
        }
    }

    /// A state of zeros for each of `batch` sentences.
    pub fn zero_state(&self, batch: usize, device: &Device) -> State {
        let zeros = || Tensor::zeros([batch, self.width()], device);
        State {
            hidden: zeros(),
            inner: (self.kind == CellKind::Lstm).then(zeros),
        }
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
    /// - `padding`: what lies behind a sentence's end changes no state; `None` where there is none
    pub fn forward(
        &self,
        x: Tensor<3>,
        state: State,
        padding: Option<&Mask>,
        direction: Direction,
        pass: &Pass,
    ) -> (Tensor<3>, State) {
        let gates = linear(&[&self.input], x, pass.precision()); // [B, L, G H]
        let rule = RecurrentRule {
            cell: self.kind.cell(),
            direction,
            lengths: padding.and_then(|mask| match mask {
                Mask::Padding(lengths) => Some(lengths.clone()),
                Mask::LookAhead => None,
            }),
            precision: pass.precision(),
        };
        recurrent(gates, &self.recurrent, state, rule)
    }
}

/// The states of some rows.
pub(crate) fn select(state: &State, rows: &[usize]) -> State {
    let rows = index_tensor(rows, &state.hidden.device());
    let select = |tensor: &Tensor<2>| tensor.clone().select(0, rows.clone());
    State {
        hidden: select(&state.hidden),
        inner: state.inner.as_ref().map(select),
    }
}
