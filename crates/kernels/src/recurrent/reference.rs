//! A recurrent layer in plain Burn operations, for every backend.

use burn::nn::Linear;
use burn::prelude::*;
use burn::tensor::activation::{sigmoid, tanh};

use super::{Cell, RecurrentRule, State};
use crate::precision::product;

/// See [`super::recurrent`].
pub fn reference(gates: Tensor<3>, own: &Linear, mut state: State, rule: &RecurrentRule) -> (Tensor<3>, State) {
    let [_, length, _] = gates.dims();
    let words = rule.lengths.as_ref().map(|lengths| {
        let word = |words: &usize| (0..length).map(|place| f32::from(place < *words)).collect::<Vec<_>>();
        let words: Vec<f32> = lengths.iter().flat_map(word).collect();
        Tensor::<2>::from_data(TensorData::new(words, [lengths.len(), length]), &gates.device())
    });
    let mut outputs = Vec::with_capacity(length);
    for step in 0..length {
        let position = rule.direction.position(step, length);
        let at = gates.clone().slice_dim(1, position..position + 1).squeeze_dim(1);
        let next = next_state(at, own, state.clone(), rule);
        state = match &words {
            Some(words) => state.moved(next, words.clone().slice_dim(1, position..position + 1)),
            None => next,
        };
        outputs.push(state.hidden.clone());
    }
    if rule.direction == super::Direction::Backward {
        outputs.reverse();
    }
    (Tensor::stack(outputs, 1), state)
}

impl State {
    /// `self` where `word` is 0, `next` where it is 1: `[B, 1]`.
    fn moved(self, next: Self, word: Tensor<2>) -> Self {
        let moved = |old: Tensor<2>, new: Tensor<2>| old.clone() + (new - old) * word.clone();
        Self {
            hidden: moved(self.hidden, next.hidden),
            inner: self.inner.zip(next.inner).map(|(old, new)| moved(old, new)),
        }
    }
}

/// The next state, from the input's share of the gates: `[B, G H]`.
fn next_state(gates: Tensor<2>, own: &Linear, state: State, rule: &RecurrentRule) -> State {
    let State { hidden, inner } = state;
    let bias = own.bias.as_ref().expect("a map with a bias").val();
    let own = product(hidden.clone(), own.weight.val(), rule.precision) + bias.unsqueeze();
    match rule.cell {
        Cell::Elman => State {
            hidden: tanh(gates + own),
            inner: None,
        },
        Cell::Gru => {
            let [r, z, n]: [_; 3] = gates.chunk(3, 1).try_into().expect("three gates");
            let [own_r, own_z, own_n]: [_; 3] = own.chunk(3, 1).try_into().expect("three gates");
            let (r, z) = (sigmoid(r + own_r), sigmoid(z + own_z));
            let n = tanh(n + r * own_n);
            State {
                hidden: n.clone() + z * (hidden - n),
                inner: None,
            }
        }
        Cell::Lstm => {
            let [i, f, g, o]: [_; 4] = (gates + own).chunk(4, 1).try_into().expect("four gates");
            let inner = sigmoid(f) * inner.expect("an LSTM's state") + sigmoid(i) * tanh(g);
            State {
                hidden: sigmoid(o) * tanh(inner.clone()),
                inner: Some(inner),
            }
        }
    }
}
