//! The feed-forward network of a Transformer layer (Vaswani et al. 2017, eq. 2): two maps with an activation between.
//!
//! ```text
//! a = x W_1 + b_1        with SwiGLU x [W_1 | W_g] + [b_1 | b_g]
//! h = dropout(f(a))
//! y = h W_2 + b_2
//!
//! dh = dy W_2^T          dW_2 = h^T dy           db_2 = Σ_rows dy
//! da = dh ⊙ dropout f'(a)
//! dx = da W_1^T          dW_1 = x^T da           db_1 = Σ_rows da
//! ```
//!
//! The activation and its slope are applied to a few rows at a time, as soon as the product has made them and while
//! they lie in the cache. ReLU works in place: its output tells where it had a slope.
//!
//! N rows, D model width, F inner width.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, TensorMetadata, backend_extension};
use burn::nn::Linear;
use burn::prelude::*;

use crate::activation::{self, Activation, relu_backward_in_place, relu_in_place};
use crate::autodiff::{parts, record, register};
use crate::cpu::{Cpu, is_fused};
use crate::dropout::Dropout;
use crate::linear::{self, Maps, bias};
use crate::numbers::uninitialized;
use crate::precision::Precision;
use crate::shared::Shared;

/// What the network computes with, beside its maps.
#[derive(Debug, Clone, Copy)]
pub struct FeedForwardRule {
    /// f.
    pub activation: Activation,
    /// Applied to the output of f.
    pub dropout: Dropout,
    /// Of the products.
    pub precision: Precision,
}

/// `dropout(f(x W_1 + b_1)) W_2 + b_2`; with SwiGLU, `inner` is W_1 and the gate.
///
/// # Shapes
/// - `x`: `[B, L, D]`; weights `[D, F]`, that of `outer` `[F, D]`
/// - result: `[B, L, D]`
///
/// # Panics
/// If there is not one inner map, or two with SwiGLU.
pub fn feed_forward(inner: &[&Linear], outer: &Linear, x: Tensor<3>, rule: FeedForwardRule) -> Tensor<3> {
    assert_eq!(inner.len(), rule.activation.ratio(), "inner maps");
    if !is_fused(&x.device()) {
        return reference(inner, outer, x, rule);
    }
    let [weight, bias] = [
        |map: &Linear| map.weight.val().into_dispatch(),
        |map: &Linear| bias(map).into_dispatch(),
    ];
    let x = x.into_dispatch();
    Tensor::from_dispatch(match inner {
        [one] => Dispatch::feed_forward_kernel(x, weight(one), bias(one), weight(outer), bias(outer), rule),
        [one, gate] => Dispatch::gated_feed_forward_kernel(
            x,
            weight(one),
            bias(one),
            weight(gate),
            bias(gate),
            weight(outer),
            bias(outer),
            rule,
        ),
        _ => unreachable!("one inner map, or two"),
    })
}

/// The same in plain Burn operations.
pub fn reference(inner: &[&Linear], outer: &Linear, x: Tensor<3>, rule: FeedForwardRule) -> Tensor<3> {
    let hidden = activation::reference(rule.activation, linear::reference(inner, x, rule.precision));
    linear::reference(&[outer], rule.dropout.apply(hidden), rule.precision)
}

/// The fused operations, see [`feed_forward`].
#[backend_extension(Flex, NdArray, Autodiff)]
pub trait FeedForwardKernel: Backend {
    /// With one inner map.
    fn feed_forward_kernel(
        x: FloatTensor<Self>,
        inner_weight: FloatTensor<Self>,
        inner_bias: FloatTensor<Self>,
        outer_weight: FloatTensor<Self>,
        outer_bias: FloatTensor<Self>,
        rule: FeedForwardRule,
    ) -> FloatTensor<Self>;

    /// With a gate.
    fn gated_feed_forward_kernel(
        x: FloatTensor<Self>,
        inner_weight: FloatTensor<Self>,
        inner_bias: FloatTensor<Self>,
        gate_weight: FloatTensor<Self>,
        gate_bias: FloatTensor<Self>,
        outer_weight: FloatTensor<Self>,
        outer_bias: FloatTensor<Self>,
        rule: FeedForwardRule,
    ) -> FloatTensor<Self>;
}

/// Implements both with a function of all tensors, as an array.
macro_rules! with_and_without_gate {
    ($function:path) => {
        fn feed_forward_kernel(
            x: FloatTensor<Self>,
            inner_weight: FloatTensor<Self>,
            inner_bias: FloatTensor<Self>,
            outer_weight: FloatTensor<Self>,
            outer_bias: FloatTensor<Self>,
            rule: FeedForwardRule,
        ) -> FloatTensor<Self> {
            $function([x, inner_weight, inner_bias, outer_weight, outer_bias], rule)
        }

        fn gated_feed_forward_kernel(
            x: FloatTensor<Self>,
            inner_weight: FloatTensor<Self>,
            inner_bias: FloatTensor<Self>,
            gate_weight: FloatTensor<Self>,
            gate_bias: FloatTensor<Self>,
            outer_weight: FloatTensor<Self>,
            outer_bias: FloatTensor<Self>,
            rule: FeedForwardRule,
        ) -> FloatTensor<Self> {
            $function(
                [
                    x,
                    inner_weight,
                    inner_bias,
                    gate_weight,
                    gate_bias,
                    outer_weight,
                    outer_bias,
                ],
                rule,
            )
        }
    };
}

impl<B: Cpu> FeedForwardKernel for B {
    with_and_without_gate!(computed::<B, _>);
}

impl<B: Cpu, C: CheckpointStrategy> FeedForwardKernel for Autodiff<B, C> {
    with_and_without_gate!(recorded::<B, C, _>);
}

/// `tensors` are x, then weight and bias of each map.
fn computed<B: Cpu, const N: usize>(tensors: [FloatTensor<B>; N], rule: FeedForwardRule) -> FloatTensor<B> {
    Network::<B>::new(tensors, rule).1
}

/// The same for autodiff.
fn recorded<B: Cpu, C: CheckpointStrategy, const N: usize>(
    tensors: [FloatTensor<Autodiff<B, C>>; N],
    rule: FeedForwardRule,
) -> FloatTensor<Autodiff<B, C>> {
    let (tensors, guards) = parts::<B, C, N>(tensors);
    let (network, output) = Network::<B>::new(tensors, rule);
    record::<B, C, _, _, N>(FeedForwardStep, guards, output, || network)
}

#[derive(Debug)]
struct FeedForwardStep;

impl<B: Cpu, const N: usize> Backward<B, N> for FeedForwardStep {
    type State = Network<B>;

    fn backward(self, ops: Ops<Network<B>, N>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let output = B::contiguous(gradients.consume::<B>(&ops.node));
        let found = ops.state.backward(B::values(&output), ops.parents[0].is_some());
        let found: [_; N] = found.try_into().expect("one gradient for each parent");
        register::<B, _, N>(ops, gradients, found);
    }
}

/// A network that was computed, with what its backward step needs.
#[derive(Debug, Clone)]
struct Network<B: Cpu> {
    /// W_1, with a gate `[W_1 | W_g]`.
    inner: Maps<B>,
    /// W_2; its rows are h.
    outer: Maps<B>,
    /// a, unless h tells the slope of f.
    before: Option<FloatTensor<B>>,
    rule: FeedForwardRule,
}

impl<B: Cpu> Network<B> {
    /// Computes the output, `[B, L, D]`.
    fn new<const N: usize>(tensors: [FloatTensor<B>; N], rule: FeedForwardRule) -> (Self, FloatTensor<B>) {
        let mut tensors = Vec::from(tensors);
        let outer = tensors.split_off(N - 2);
        let mut tensors = tensors.into_iter();
        let x = tensors.next().expect("x");
        let mut shape = x.shape();
        let inner = Maps::<B>::new(x, tensors, rule.precision);
        let FeedForwardRule {
            activation,
            dropout,
            precision,
        } = rule;
        let (width, ratio) = (outer[0].shape()[0], activation.ratio());
        assert_eq!(inner.made(), vec![width; ratio], "numbers that the inner maps make");
        let last = shape.num_dims() - 1;
        shape[last] = width;
        let (hidden, before) = if activation == Activation::Relu {
            let hidden = inner.product(Some(&|index, rows| relu_in_place(rows, dropout, index)));
            (hidden, None)
        } else {
            let mut hidden = uninitialized(shape.num_elements());
            let shared = Shared::new(&mut hidden);
            let before = inner.product(Some(&|index, before| {
                let index = index / ratio;
                // SAFETY: the product has each row once, and so has h.
                let hidden = unsafe { shared.part(index, before.len() / ratio) };
                activation.forward(before, hidden, width, dropout, index);
            }));
            let all = Shape::new([before.len()]);
            (hidden, Some(B::tensor(before, all)))
        };
        let outer = Maps::new(B::tensor(hidden, shape), outer, precision);
        let output = outer.forward();
        let network = Self {
            inner,
            outer,
            before,
            rule,
        };
        (network, output)
    }

    /// Gradients of x and of each weight and bias, from the output's.
    fn backward(&self, output: &[f32], of_x: bool) -> Vec<FloatTensor<B>> {
        let FeedForwardRule {
            activation, dropout, ..
        } = self.rule;
        let hidden = self.outer.x();
        let (before, of_outer) = match &self.before {
            None => self.outer.backward_then(
                output,
                Some(&|index, rows| {
                    relu_backward_in_place(&hidden[index..][..rows.len()], rows, dropout.scale());
                }),
            ),
            Some(kept) => {
                let (kept, width, ratio) = (B::values(kept), self.inner.made()[0], activation.ratio());
                let mut before = uninitialized(kept.len());
                let shared = Shared::new(&mut before);
                let (_, of_outer) = self.outer.backward_then(
                    output,
                    Some(&|index, rows| {
                        let kept = &kept[index * ratio..][..rows.len() * ratio];
                        // SAFETY: the product has each row once, and so has a.
                        let before = unsafe { shared.part(index * ratio, kept.len()) };
                        activation.backward(kept, rows, before, width, dropout, index);
                    }),
                );
                (before, of_outer)
            }
        };
        let mut found = self.inner.backward(&before, of_x);
        found.extend(of_outer);
        found
    }
}

#[cfg(test)]
mod tests;
