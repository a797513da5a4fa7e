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
use crate::gemm::{Matrix, Product, Right, Start, Then};
use crate::linear::{self, apart, bias, side_by_side};
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
    x: FloatTensor<B>,
    /// `[D, F]`, with a gate `[D, 2 F]`.
    inner_weight: FloatTensor<B>,
    /// `[F, D]`.
    outer_weight: FloatTensor<B>,
    /// h, `[N, F]`.
    hidden: FloatTensor<B>,
    /// a, unless h tells the slope of f.
    before: Option<FloatTensor<B>>,
    rule: FeedForwardRule,
}

impl<B: Cpu> Network<B> {
    /// Computes the output, `[B, L, D]`.
    fn new<const N: usize>(tensors: [FloatTensor<B>; N], rule: FeedForwardRule) -> (Self, FloatTensor<B>) {
        let mut tensors = Vec::from(tensors.map(B::contiguous));
        let [outer_bias, outer_weight] = [(); 2].map(|()| tensors.pop().expect("the outer map"));
        let x = tensors.remove(0);
        let (weights, biases): (Vec<_>, Vec<_>) = tensors
            .chunks_exact(2)
            .map(|map| (map[0].clone(), map[1].clone()))
            .unzip();
        let inner_widths: Vec<_> = biases.iter().map(|bias| bias.shape()[0]).collect();
        assert!(
            weights
                .iter()
                .zip(&inner_widths)
                .all(|(weight, made)| weight.shape()[1] == *made),
            "numbers of an inner bias"
        );
        let [inner_weight, inner_bias] = [side_by_side::<B>(weights), side_by_side::<B>(biases)];
        let FeedForwardRule {
            activation,
            dropout,
            precision,
        } = rule;
        let [width, inner] = [inner_weight.shape()[0], inner_weight.shape()[1]];
        let [hidden_width, made] = [outer_weight.shape()[0], outer_weight.shape()[1]];
        let widths = vec![hidden_width; activation.ratio()];
        assert_eq!(inner_widths, widths, "numbers that the inner maps make");
        assert_eq!(x.shape().last(), Some(&width), "numbers in a row of x");
        assert_eq!(B::values(&outer_bias).len(), made, "numbers of the outer bias");
        let rows = B::values(&x).len() / width;

        let product = |left, weight, [from, to]: [usize; 2], bias, then: Option<Then>| {
            let mut result = uninitialized(rows * to);
            let product = Product {
                left: Matrix::new(left, [rows, from]),
                right: &Right::new(Matrix::new(B::values(weight), [from, to]), precision),
                start: Start::Bias(B::values(bias)),
            };
            match then {
                Some(then) => product.write_then(&mut result, then),
                None => product.write(&mut result),
            }
            result
        };
        let into = [width, inner];
        let (hidden, before) = if activation == Activation::Relu {
            let relu = |index: usize, rows: &mut [f32]| relu_in_place(rows, dropout, index);
            (
                product(B::values(&x), &inner_weight, into, &inner_bias, Some(&relu)),
                None,
            )
        } else {
            let mut hidden = uninitialized(rows * hidden_width);
            let shared = Shared::new(&mut hidden);
            let activate = |index: usize, before: &mut [f32]| {
                let index = index / activation.ratio();
                // SAFETY: the product has each row once, and so has h.
                let hidden = unsafe { shared.part(index, before.len() / activation.ratio()) };
                activation.forward(before, hidden, hidden_width, dropout, index);
            };
            let before = product(B::values(&x), &inner_weight, into, &inner_bias, Some(&activate));
            (hidden, Some(B::tensor(before, Shape::new([rows, inner]))))
        };
        let output = product(&hidden, &outer_weight, [hidden_width, made], &outer_bias, None);
        let mut shape = x.shape();
        let last = shape.num_dims() - 1;
        shape[last] = made;
        let network = Self {
            x,
            inner_weight,
            outer_weight,
            hidden: B::tensor(hidden, Shape::new([rows, hidden_width])),
            before,
            rule,
        };
        (network, B::tensor(output, shape))
    }

    /// Gradients of x and of each weight and bias, from the output's.
    fn backward(&self, output: &[f32], of_x: bool) -> Vec<FloatTensor<B>> {
        let FeedForwardRule {
            activation,
            dropout,
            precision,
        } = self.rule;
        let [width, inner] = [self.inner_weight.shape()[0], self.inner_weight.shape()[1]];
        let [rows, hidden_width] = [self.hidden.shape()[0], self.hidden.shape()[1]];
        let made = self.outer_weight.shape()[1];
        let output = Matrix::new(output, [rows, made]);
        let hidden = B::values(&self.hidden);
        // Gradients of a weight and a bias, from those of what they made.
        let of_map = |x: &[f32], from: usize, made: Matrix, to: usize| {
            let [mut weight, mut bias] = [uninitialized(from * to), uninitialized(to)];
            Product {
                left: Matrix::new(x, [rows, from]).t(),
                right: &Right::new(made, precision),
                start: Start::Zero,
            }
            .write_and_sum(&mut weight, &mut bias);
            (weight, bias)
        };

        let (outer_weight, outer_bias) = of_map(hidden, hidden_width, output, made);
        let outer = Matrix::new(B::values(&self.outer_weight), [hidden_width, made]);
        let to_hidden = Product {
            left: output,
            right: &Right::new(outer.t(), precision),
            start: Start::Zero,
        };
        let mut of_hidden = uninitialized(rows * hidden_width);
        let before = match &self.before {
            None => {
                to_hidden.write_then(&mut of_hidden, &|index, rows| {
                    relu_backward_in_place(&hidden[index..][..rows.len()], rows, dropout.scale());
                });
                of_hidden
            }
            Some(kept) => {
                let (kept, ratio) = (B::values(kept), activation.ratio());
                let mut before = uninitialized(rows * inner);
                let shared = Shared::new(&mut before);
                to_hidden.write_then(&mut of_hidden, &|index, rows| {
                    let kept = &kept[index * ratio..][..rows.len() * ratio];
                    // SAFETY: the product has each row once, and so has a.
                    let before = unsafe { shared.part(index * ratio, kept.len()) };
                    activation.backward(kept, rows, before, hidden_width, dropout, index);
                });
                before
            }
        };
        let of_before = Matrix::new(&before, [rows, inner]);
        let (inner_weight, inner_bias) = of_map(B::values(&self.x), width, of_before, inner);
        let mut x = uninitialized(rows * width);
        if of_x {
            let weight = Matrix::new(B::values(&self.inner_weight), [width, inner]);
            Product {
                left: of_before,
                right: &Right::new(weight.t(), precision),
                start: Start::Zero,
            }
            .write(&mut x);
        }
        let mut found = vec![B::tensor(x, self.x.shape())];
        let widths = vec![hidden_width; activation.ratio()];
        let inner_maps = apart(inner_weight, width, &widths)
            .into_iter()
            .zip(apart(inner_bias, 1, &widths));
        for (weight, bias) in inner_maps {
            found.push(B::tensor(weight, Shape::new([width, hidden_width])));
            found.push(B::tensor(bias, Shape::new([hidden_width])));
        }
        found.push(B::tensor(outer_weight, Shape::new([hidden_width, made])));
        found.push(B::tensor(outer_bias, Shape::new([made])));
        found
    }
}

#[cfg(test)]
mod tests;
