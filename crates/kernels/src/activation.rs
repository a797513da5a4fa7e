//! Activations with the dropout behind them: by themselves, as in recurrent models, and what [`crate::feed_forward`] applies
//! to its rows.
//!
//! ```text
//! relu    max(x, 0)                                   Vaswani et al. (2017), eq. 2
//! gelu    x Φ(x),  Φ(x) = (1 + erf(x / √2)) / 2       Hendrycks and Gimpel (2016)
//! tanh    tanh x                                      of recurrent models
//! swiglu  x silu(g),  silu(g) = g σ(g)                Shazeer (2020)
//! ```

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, TensorMetadata, backend_extension};
use burn::prelude::*;
use burn::tensor::activation::{self, relu, silu};
use rayon::prelude::*;

use crate::autodiff::{record, register};
use crate::cpu::{Cpu, is_fused};
use crate::dropout::Dropout;
use crate::instructions::vectorized;
use crate::numbers::{CHUNK, exp, sigmoid, tanh, tanh_and_slope, uninitialized};

/// Which function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
    /// `x Φ(x)`.
    Gelu,
    /// `tanh x`.
    Tanh,
    /// `x silu(g)`: rows hold x and then g, each half a row.
    Swiglu,
}

/// `dropout(activation(x))`.
///
/// # Shapes
/// - `x`: `[B, L, F]`, with SwiGLU `[B, L, 2 F]`
/// - result: `[B, L, F]`
pub fn activate(activation: Activation, x: Tensor<3>, dropout: Dropout) -> Tensor<3> {
    if is_fused(&x.device()) {
        Tensor::from_dispatch(Dispatch::activation_kernel(x.into_dispatch(), activation, dropout))
    } else {
        dropout.apply(reference(activation, x))
    }
}

/// The activation in plain Burn operations.
pub fn reference(activation: Activation, x: Tensor<3>) -> Tensor<3> {
    match activation {
        Activation::Relu => relu(x),
        // Not Burn's `gelu`: on most devices its gradient is that of another function, off by up to 9e-4.
        Activation::Gelu => {
            let below = (x.clone().mul_scalar(std::f64::consts::FRAC_1_SQRT_2).erf() + 1.0).mul_scalar(0.5);
            x * below
        }
        Activation::Tanh => activation::tanh(x),
        Activation::Swiglu => {
            let [x, gate]: [_; 2] = x.chunk(2, 2).try_into().expect("two halves");
            x * silu(gate)
        }
    }
}

/// The fused operation.
#[backend_extension(Flex, NdArray, Autodiff)]
pub trait ActivationKernel: Backend {
    /// See [`activate`].
    fn activation_kernel(x: FloatTensor<Self>, activation: Activation, dropout: Dropout) -> FloatTensor<Self>;
}

impl<B: Cpu> ActivationKernel for B {
    fn activation_kernel(x: FloatTensor<B>, activation: Activation, dropout: Dropout) -> FloatTensor<B> {
        forward::<B>(&B::contiguous(x), activation, dropout)
    }
}

impl<B: Cpu, C: CheckpointStrategy> ActivationKernel for Autodiff<B, C> {
    fn activation_kernel(x: FloatTensor<Self>, activation: Activation, dropout: Dropout) -> FloatTensor<Self> {
        let (x, guard) = x.into_parts();
        let x = B::contiguous(x);
        let output = forward::<B>(&x, activation, dropout);
        // ReLU's output tells where it had a slope, and what reads it keeps it anyway.
        let kept = if activation == Activation::Relu {
            output.clone()
        } else {
            x
        };
        let state = || Kept {
            tensor: kept,
            activation,
            dropout,
        };
        record::<B, C, _, _, 1>(ActivationStep, [guard], output, state)
    }
}

#[derive(Debug)]
struct ActivationStep;

impl<B: Cpu> Backward<B, 1> for ActivationStep {
    type State = Kept<B>;

    fn backward(self, ops: Ops<Kept<B>, 1>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let output = B::contiguous(gradients.consume::<B>(&ops.node));
        let found = ops.state.backward(B::values(&output));
        register::<B, _, 1>(ops, gradients, [found]);
    }
}

/// What the backward step needs.
#[derive(Debug, Clone)]
struct Kept<B: Cpu> {
    /// With ReLU the output, else x.
    tensor: FloatTensor<B>,
    activation: Activation,
    dropout: Dropout,
}

/// Whole rows for one task.
fn block(width: usize) -> usize {
    CHUNK.div_ceil(width) * width
}

fn forward<B: Cpu>(x: &FloatTensor<B>, activation: Activation, dropout: Dropout) -> FloatTensor<B> {
    let mut shape = x.shape();
    let last = shape.num_dims() - 1;
    let ratio = activation.ratio();
    assert!(shape[last].is_multiple_of(ratio), "x and its gate are of one width");
    shape[last] /= ratio;
    let width = shape[last];
    let x = B::values(x);
    let block = block(width);
    let mut output = uninitialized(shape.num_elements());
    output.par_chunks_mut(block).enumerate().for_each(|(task, output)| {
        let x = &x[task * block * ratio..][..output.len() * ratio];
        activation.forward(x, output, width, dropout, task * block);
    });
    B::tensor(output, shape)
}

impl Activation {
    /// Numbers that an element of the result is made of.
    pub(crate) fn ratio(self) -> usize {
        if self == Self::Swiglu { 2 } else { 1 }
    }

    /// `dropout(activation(x))` of rows; `width` is a row of the result, `index` the place of its first number.
    pub(crate) fn forward(self, x: &[f32], output: &mut [f32], width: usize, dropout: Dropout, index: usize) {
        match self {
            Self::Relu => relu_forward(x, output),
            Self::Gelu => gelu_forward(x, output),
            Self::Tanh => tanh_forward(x, output),
            Self::Swiglu => swiglu_forward(x, output, width),
        }
        drop_in_place(output, dropout, index);
    }

    /// The gradient of x from the output's, with what the backward step keeps: with ReLU the output, else x.
    pub(crate) fn backward(
        self,
        kept: &[f32],
        output: &[f32],
        gradient: &mut [f32],
        width: usize,
        dropout: Dropout,
        index: usize,
    ) {
        match self {
            Self::Relu => relu_backward(kept, output, gradient, dropout.scale()),
            Self::Gelu => gelu_backward(kept, output, gradient, dropout, index),
            Self::Tanh => tanh_backward(kept, output, gradient, dropout, index),
            Self::Swiglu => swiglu_backward(kept, output, gradient, width, dropout, index),
        }
    }
}

/// [`Activation::forward`] of a ReLU, in the place of x.
pub(crate) fn relu_in_place(x: &mut [f32], dropout: Dropout, index: usize) {
    rectify(x);
    drop_in_place(x, dropout, index);
}

impl<B: Cpu> Kept<B> {
    /// The gradient of x from the output's.
    fn backward(&self, output: &[f32]) -> FloatTensor<B> {
        let shape = self.tensor.shape();
        let row = *shape.last().expect("rows");
        let kept = B::values(&self.tensor);
        let ratio = self.activation.ratio();
        let width = row / ratio;
        let block = block(width);
        let mut gradient = uninitialized(kept.len());
        gradient
            .par_chunks_mut(block * ratio)
            .enumerate()
            .for_each(|(task, gradient)| {
                let kept = &kept[task * block * ratio..][..gradient.len()];
                let index = task * block;
                let output = &output[index..][..gradient.len() / ratio];
                self.activation
                    .backward(kept, output, gradient, width, self.dropout, index);
            });
        B::tensor(gradient, shape)
    }
}

/// `erf x` to 1.5e-7, Abramowitz and Stegun (1964), 7.1.26.
#[inline(always)]
fn erf(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let p = ((((1.061_405_4 * t - 1.453_152) * t + 1.421_413_7) * t - 0.284_496_74) * t + 0.254_829_6) * t;
    (1.0 - p * exp(-x * x)).copysign(x)
}

/// Not `x.max(0.0)`, which would make zero of what is not a number, and hide a training that went wrong.
#[inline(always)]
fn rectified(x: f32) -> f32 {
    if x <= 0.0 { 0.0 } else { x }
}

/// The slope of ReLU and dropout at what they made: what is positive behind them was positive before and kept. A
/// number, not a branch: half of all units are off, and nobody can foresee which.
#[inline(always)]
fn relu_slope(made: f32, scale: f32) -> f32 {
    if made <= 0.0 { 0.0 } else { scale }
}

vectorized! {
    fn drop_in_place(x: &mut [f32], dropout: Dropout, index: usize) {
        if dropout.is_off() {
            return;
        }
        for (offset, x) in x.iter_mut().enumerate() {
            *x *= dropout.factor(index + offset);
        }
    }

    fn relu_forward(x: &[f32], output: &mut [f32]) {
        for (x, output) in x.iter().zip(output) {
            *output = rectified(*x);
        }
    }

    fn rectify(x: &mut [f32]) {
        for x in x {
            *x = rectified(*x);
        }
    }

    fn relu_backward(made: &[f32], output: &[f32], gradient: &mut [f32], scale: f32) {
        for ((gradient, made), output) in gradient.iter_mut().zip(made).zip(output) {
            *gradient = output * relu_slope(*made, scale);
        }
    }

    /// [`Activation::backward`] of a ReLU: the output's gradient becomes that of x.
    pub(crate) fn relu_backward_in_place(made: &[f32], gradient: &mut [f32], scale: f32) {
        for (gradient, made) in gradient.iter_mut().zip(made) {
            *gradient *= relu_slope(*made, scale);
        }
    }

    fn gelu_forward(x: &[f32], output: &mut [f32]) {
        for (x, output) in x.iter().zip(output) {
            *output = 0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2));
        }
    }

    /// `d(x Φ(x)) / dx = Φ(x) + x φ(x)`, with `φ(x) = e^(-x²/2) / √(2π)`.
    fn gelu_backward(x: &[f32], output: &[f32], gradient: &mut [f32], dropout: Dropout, index: usize) {
        const DENSITY: f32 = 0.398_942_3;
        for i in 0..x.len() {
            let below = 0.5 * (1.0 + erf(x[i] * std::f32::consts::FRAC_1_SQRT_2));
            let slope = below + x[i] * DENSITY * exp(-0.5 * x[i] * x[i]);
            gradient[i] = output[i] * dropout.factor(index + i) * slope;
        }
    }

    fn tanh_forward(x: &[f32], output: &mut [f32]) {
        for (x, output) in x.iter().zip(output) {
            *output = tanh(*x);
        }
    }

    fn tanh_backward(x: &[f32], output: &[f32], gradient: &mut [f32], dropout: Dropout, index: usize) {
        for i in 0..x.len() {
            let (_, slope) = tanh_and_slope(x[i]);
            gradient[i] = output[i] * dropout.factor(index + i) * slope;
        }
    }

    fn swiglu_forward(x: &[f32], output: &mut [f32], width: usize) {
        for (row, output) in x.chunks_exact(2 * width).zip(output.chunks_exact_mut(width)) {
            let (x, gate) = row.split_at(width);
            for i in 0..width {
                output[i] = x[i] * (gate[i] * sigmoid(gate[i]));
            }
        }
    }

    /// `d silu(g) / dg = σ(g) (1 + g (1 - σ(g)))`.
    fn swiglu_backward(
        x: &[f32],
        output: &[f32],
        gradient: &mut [f32],
        width: usize,
        dropout: Dropout,
        index: usize,
    ) {
        let rows = x.chunks_exact(2 * width).zip(gradient.chunks_exact_mut(2 * width));
        for (number, (row, gradient)) in rows.enumerate() {
            let (x, gate) = row.split_at(width);
            let (x_gradient, gate_gradient) = gradient.split_at_mut(width);
            let begin = number * width;
            for i in 0..width {
                let kept = output[begin + i] * dropout.factor(index + begin + i);
                let open = sigmoid(gate[i]);
                x_gradient[i] = kept * (gate[i] * open);
                gate_gradient[i] = kept * x[i] * (open * (1.0 + gate[i] * (1.0 - open)));
            }
        }
    }
}

#[cfg(test)]
mod tests;
