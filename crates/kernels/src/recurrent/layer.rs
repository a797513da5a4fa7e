//! A layer on slices: all its positions, and back through them.

use burn::backend::TensorMetadata;
use burn::backend::tensor::FloatTensor;
use burn::prelude::*;
use rayon::prelude::*;

use super::cells::{elman, elman_backward, gru, gru_backward, lstm, lstm_backward};
use super::{Cell, RecurrentRule};
use crate::cpu::Cpu;
use crate::gemm::{FEW_ROWS, Matrix, Product, Right, Start};
use crate::instructions::InstructionSet;
use crate::numbers::{chunks_or_empty, uninitialized};

/// A layer and the state it starts from.
#[derive(Debug, Clone)]
pub(super) struct Layer<B: Cpu> {
    /// `[H, G H]`.
    weight: FloatTensor<B>,
    /// `[G H]`.
    bias: FloatTensor<B>,
    /// `[B, H]`; for an LSTM the inner state beside the hidden one, `[B, 2 H]`.
    state: FloatTensor<B>,
    batch: usize,
    length: usize,
    width: usize,
    rule: RecurrentRule,
}

impl<B: Cpu> Layer<B> {
    /// `gates`: `[B, L, G H]`.
    pub fn new(gates: &FloatTensor<B>, parameters: [FloatTensor<B>; 3], rule: RecurrentRule) -> Self {
        let [weight, bias, state] = parameters.map(B::contiguous);
        let gates = gates.shape();
        let layer = Self {
            batch: gates[0],
            length: gates[1],
            width: weight.shape()[0],
            weight,
            bias,
            state,
            rule,
        };
        let (batch, length) = (layer.batch, layer.length);
        assert!(batch > 0 && length > 0 && layer.width > 0, "a layer over nothing");
        assert_eq!(gates[2], layer.made(), "numbers of the gates");
        assert_eq!(layer.weight.shape()[1], layer.made(), "columns of the weight");
        let state = layer.state.shape();
        assert_eq!([state[0], state[1]], [batch, layer.stride()], "size of the state");
        let mut lengths = layer.rule.lengths.iter();
        assert!(lengths.all(|lengths| lengths.len() == batch && lengths.iter().all(|words| *words <= length)));
        layer
    }

    fn has_inner(&self) -> bool {
        self.rule.cell == Cell::Lstm
    }

    /// Numbers of a sentence's state.
    fn stride(&self) -> usize {
        self.width * (1 + usize::from(self.has_inner()))
    }

    /// G H.
    fn made(&self) -> usize {
        self.rule.cell.gates() * self.width
    }

    /// Numbers kept of a position for its gradient.
    fn keeps(&self) -> usize {
        self.rule.cell.kept() * self.width
    }

    /// Numbers of a sentence in the result; the last inner state stands behind the outputs.
    fn result(&self) -> usize {
        self.width * (self.length + usize::from(self.has_inner()))
    }

    /// Sentences that a task takes at a time: whole tiles of 512-bit registers, as many tasks as threads. Products of
    /// our own by a prepared factor round a row alike whatever stands beside it; others round a single row otherwise
    /// than several, so that the number of threads must have no say there.
    fn block(&self) -> usize {
        if InstructionSet::detect().has_avx512() {
            self.batch.div_ceil(rayon::current_num_threads()).next_multiple_of(12)
        } else {
            24
        }
    }

    fn matrix(&self) -> Matrix<'_> {
        Matrix::new(B::values(&self.weight), [self.width, self.made()])
    }

    /// The position that is read at a step.
    fn position(&self, step: usize) -> usize {
        self.rule.direction.position(step, self.length)
    }

    /// The result, and what is kept of every position: `[B, L, kept H]`.
    pub fn forward(&self, gates: &[f32]) -> (FloatTensor<B>, Vec<f32>) {
        let (length, width, made) = (self.length, self.width, self.made());
        let (stride, block) = (self.stride(), self.block());
        // In a step of a search the factor is used once, and few rows read it where it lies.
        let right = match length == 1 && self.batch <= FEW_ROWS {
            true => Right::new(self.matrix(), self.rule.precision),
            false => Right::prepared(self.matrix(), self.rule.precision),
        };
        let mut output = uninitialized(self.batch * self.result());
        let mut kept = uninitialized(self.batch * length * self.keeps());
        let kept_parts = chunks_or_empty(&mut kept, block * length * self.keeps(), self.batch.div_ceil(block));
        let parts = output.par_chunks_mut(block * self.result()).zip(kept_parts);
        parts.enumerate().for_each(|(part, (output, kept))| {
            let first = part * block;
            let count = output.len() / self.result();
            let mut states = B::values(&self.state)[first * stride..][..count * stride].to_vec();
            let mut own = uninitialized(count * made);
            for step in 0..length {
                let position = self.position(step);
                let product = Product {
                    left: Matrix::strided(&states, [count, width], stride),
                    right: &right,
                    start: Start::Bias(B::values(&self.bias)),
                };
                product.to_rows(&mut own, made).write_here();
                for row in 0..count {
                    let place = row * length + position;
                    let gates = &gates[(first * length + place) * made..][..made];
                    let own = &own[row * made..][..made];
                    let (hidden, inner) = states[row * stride..][..stride].split_at_mut(width);
                    let kept = &mut kept[place * self.keeps()..][..self.keeps()];
                    if self.rule.is_word(first + row, position) {
                        match self.rule.cell {
                            Cell::Elman => elman(gates, own, hidden),
                            Cell::Gru => gru(gates, own, hidden, kept),
                            Cell::Lstm => lstm(gates, own, hidden, inner, kept),
                        }
                    } else if self.has_inner() {
                        // The next position starts from it; the gates count for nothing.
                        kept[4 * width..].copy_from_slice(inner);
                    }
                    output[row * self.result() + position * width..][..width].copy_from_slice(hidden);
                }
            }
            for (output, state) in output.chunks_exact_mut(self.result()).zip(states.chunks_exact(stride)) {
                output[length * width..].copy_from_slice(&state[width..]);
            }
        });
        let rows = self.result() / width;
        (B::tensor(output, Shape::new([self.batch, rows, width])), kept)
    }

    /// Gradients of gates, U, c and the first state, from those of the result.
    pub fn backward(&self, upstream: &[f32], output: &[f32], kept: &[f32]) -> [FloatTensor<B>; 4] {
        let (length, width, made) = (self.length, self.width, self.made());
        let (stride, block) = (self.stride(), self.block());
        let right = Right::prepared(self.matrix().t(), self.rule.precision);
        let before = self.states_before(output);
        let mut gates = uninitialized(self.batch * length * made);
        // δ' where it is not δ.
        let is_gru = self.rule.cell == Cell::Gru;
        let mut own = uninitialized(if is_gru { gates.len() } else { 0 });
        let mut states = uninitialized(self.batch * stride);
        let own_parts = chunks_or_empty(&mut own, block * length * made, self.batch.div_ceil(block));
        let gates_parts = gates.par_chunks_mut(block * length * made);
        let parts = gates_parts.zip(states.par_chunks_mut(block * stride)).zip(own_parts);
        parts.enumerate().for_each(|(part, ((gates, states), own))| {
            let first = part * block;
            let count = states.len() / stride;
            let upstream = &upstream[first * self.result()..][..count * self.result()];
            for (state, upstream) in states
                .chunks_exact_mut(stride)
                .zip(upstream.chunks_exact(self.result()))
            {
                state[..width].fill(0.0);
                state[width..].copy_from_slice(&upstream[length * width..]);
            }
            // What reaches a state without U.
            let mut direct = uninitialized(count * width);
            for step in (0..length).rev() {
                let position = self.position(step);
                for row in 0..count {
                    let place = row * length + position;
                    let (hidden, inner) = states[row * stride..][..stride].split_at_mut(width);
                    let here = &upstream[row * self.result() + position * width..][..width];
                    hidden.iter_mut().zip(here).for_each(|(hidden, here)| *hidden += here);
                    let gates = &mut gates[place * made..][..made];
                    let direct = &mut direct[row * width..][..width];
                    if !self.rule.is_word(first + row, position) {
                        gates.fill(0.0);
                        if is_gru {
                            own[place * made..][..made].fill(0.0);
                        }
                        direct.copy_from_slice(hidden);
                        continue;
                    }
                    direct.fill(0.0);
                    let kept_here = &kept[(first * length + place) * self.keeps()..][..self.keeps()];
                    match self.rule.cell {
                        Cell::Elman => {
                            let output = &output[(first + row) * self.result() + position * width..][..width];
                            elman_backward(hidden, output, gates);
                        }
                        Cell::Gru => {
                            let before = &before[(first * length + place) * width..][..width];
                            gru_backward(
                                hidden,
                                before,
                                kept_here,
                                gates,
                                &mut own[place * made..][..made],
                                direct,
                            );
                        }
                        Cell::Lstm => {
                            let before = self.inner_before(kept, first + row, step);
                            lstm_backward(hidden, inner, before, kept_here, gates);
                        }
                    }
                }
                for (state, direct) in states.chunks_exact_mut(stride).zip(direct.chunks_exact(width)) {
                    state[..width].copy_from_slice(direct);
                }
                let delta = if is_gru { &*own } else { &*gates };
                let product = Product {
                    left: Matrix::strided(&delta[position * made..], [count, made], length * made),
                    right: &right,
                    start: Start::Result,
                };
                product.to_rows(states, stride).write_here();
            }
        });
        let delta = if is_gru { &own } else { &gates };
        let positions = self.batch * length;
        let mut weight = uninitialized(width * made);
        let product = Product {
            left: Matrix::new(&before, [positions, width]).t(),
            right: &Right::new(Matrix::new(delta, [positions, made]), self.rule.precision),
            start: Start::Zero,
        };
        let mut bias = uninitialized(made);
        product.to(&mut weight).summing(&mut bias).write();
        [
            B::tensor(gates, Shape::new([self.batch, length, made])),
            B::tensor(weight, self.weight.shape()),
            B::tensor(bias, self.bias.shape()),
            B::tensor(states, self.state.shape()),
        ]
    }

    /// The hidden state that each position started from: `[B, L, H]`.
    fn states_before(&self, output: &[f32]) -> Vec<f32> {
        let width = self.width;
        let mut before = uninitialized(self.batch * self.length * width);
        for (sentence, before) in before.chunks_exact_mut(self.length * width).enumerate() {
            for step in 0..self.length {
                let state = match step.checked_sub(1) {
                    None => &B::values(&self.state)[sentence * self.stride()..],
                    Some(last) => &output[sentence * self.result() + self.position(last) * width..],
                };
                before[self.position(step) * width..][..width].copy_from_slice(&state[..width]);
            }
        }
        before
    }

    /// The inner state that a step of an LSTM started from.
    fn inner_before<'a>(&'a self, kept: &'a [f32], sentence: usize, step: usize) -> &'a [f32] {
        let state = match step.checked_sub(1) {
            None => &B::values(&self.state)[sentence * self.stride() + self.width..],
            Some(last) => {
                let place = sentence * self.length + self.position(last);
                &kept[place * self.keeps() + 4 * self.width..]
            }
        };
        &state[..self.width]
    }
}
