//! Residual connection, dropout and layer normalisation: "Add & Norm" (Vaswani et al. 2017, section 3.1; Ba et al. 2016).
//!
//! ```text
//! z = x + dropout(y)       h = (z - mean z) / sqrt(var z + ε)       output = γ h + β
//!
//! dz = (γ do - mean(γ do) - h mean(h γ do)) / sqrt(var z + ε)
//! dx = dz     dy = dropout(dz)     dγ = Σ_rows h do     dβ = Σ_rows do
//! ```
//!
//! N rows, D numbers in a row.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, TensorMetadata, backend_extension};
use burn::nn::LayerNorm;
use burn::prelude::*;
use rayon::prelude::*;

use crate::autodiff::{record, register};
use crate::cpu::{Cpu, is_fused};
use crate::dropout::Dropout;
use crate::instructions::vectorized;
use crate::numbers::{CHUNK, dot, sum, uninitialized};

/// ε. Norms must be made with it: Burn does not show a norm's own.
pub const EPSILON: f64 = 1e-5;

/// Rows that one task handles. Sums over rows are taken over as many first, whatever the number of threads.
const ROWS: usize = 64;

/// `norm(x + dropout(y))`.
///
/// # Shapes
/// - `x`, `y` and result: `[B, L, D]`
pub fn add_and_norm(norm: &LayerNorm, x: Tensor<3>, y: Tensor<3>, dropout: Dropout) -> Tensor<3> {
    match (is_fused(&x.device()), &norm.beta) {
        (true, Some(beta)) => Tensor::from_dispatch(Dispatch::add_norm_kernel(
            x.into_dispatch(),
            y.into_dispatch(),
            norm.gamma.val().into_dispatch(),
            beta.val().into_dispatch(),
            dropout,
        )),
        _ => norm.forward(x + dropout.apply(y)),
    }
}

/// `norm(x)`.
///
/// # Shapes
/// - `x` and result: `[B, L, D]`
pub fn norm(norm: &LayerNorm, x: Tensor<3>) -> Tensor<3> {
    match (is_fused(&x.device()), &norm.beta) {
        (true, Some(beta)) => Tensor::from_dispatch(Dispatch::norm_kernel(
            x.into_dispatch(),
            norm.gamma.val().into_dispatch(),
            beta.val().into_dispatch(),
        )),
        _ => norm.forward(x),
    }
}

/// `x + dropout(y)`.
///
/// # Shapes
/// - `x`, `y` and result: `[B, L, D]`
pub fn add(x: Tensor<3>, y: Tensor<3>, dropout: Dropout) -> Tensor<3> {
    if is_fused(&x.device()) {
        Tensor::from_dispatch(Dispatch::add_kernel(x.into_dispatch(), y.into_dispatch(), dropout))
    } else {
        x + dropout.apply(y)
    }
}

/// The fused operations.
#[backend_extension(Flex, NdArray, Autodiff)]
pub trait ResidualKernel: Backend {
    /// See [`norm`].
    fn norm_kernel(x: FloatTensor<Self>, gamma: FloatTensor<Self>, beta: FloatTensor<Self>) -> FloatTensor<Self>;

    /// See [`add_and_norm`].
    fn add_norm_kernel(
        x: FloatTensor<Self>,
        y: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        dropout: Dropout,
    ) -> FloatTensor<Self>;

    /// See [`add`].
    fn add_kernel(x: FloatTensor<Self>, y: FloatTensor<Self>, dropout: Dropout) -> FloatTensor<Self>;
}

impl<B: Cpu> ResidualKernel for B {
    fn norm_kernel(x: FloatTensor<B>, gamma: FloatTensor<B>, beta: FloatTensor<B>) -> FloatTensor<B> {
        Normalized::<B>::new(x, None, gamma, Dropout::OFF).output(beta)
    }

    fn add_norm_kernel(
        x: FloatTensor<B>,
        y: FloatTensor<B>,
        gamma: FloatTensor<B>,
        beta: FloatTensor<B>,
        dropout: Dropout,
    ) -> FloatTensor<B> {
        Normalized::<B>::new(x, Some(y), gamma, dropout).output(beta)
    }

    fn add_kernel(x: FloatTensor<B>, y: FloatTensor<B>, dropout: Dropout) -> FloatTensor<B> {
        let shape = x.shape();
        let (mut x, y) = (B::into_values(x), B::contiguous(y));
        assert_eq!(x.len(), B::values(&y).len(), "numbers of x and y");
        x.par_chunks_mut(CHUNK)
            .zip(B::values(&y).par_chunks(CHUNK))
            .enumerate()
            .for_each(|(chunk, (x, y))| {
                add_dropped(x, y, dropout, chunk * CHUNK);
            });
        B::tensor(x, shape)
    }
}

impl<B: Cpu, C: CheckpointStrategy> ResidualKernel for Autodiff<B, C> {
    fn norm_kernel(x: FloatTensor<Self>, gamma: FloatTensor<Self>, beta: FloatTensor<Self>) -> FloatTensor<Self> {
        let ((x, x_guard), (gamma, gamma_guard)) = (x.into_parts(), gamma.into_parts());
        let (beta, beta_guard) = beta.into_parts();
        let normalized = Normalized::<B>::new(x, None, gamma, Dropout::OFF);
        let output = normalized.output(beta);
        record::<B, C, _, _, 3>(AddNormStep, [x_guard, gamma_guard, beta_guard], output, || normalized)
    }

    fn add_norm_kernel(
        x: FloatTensor<Self>,
        y: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        dropout: Dropout,
    ) -> FloatTensor<Self> {
        let ((x, x_guard), (y, y_guard)) = (x.into_parts(), y.into_parts());
        let ((gamma, gamma_guard), (beta, beta_guard)) = (gamma.into_parts(), beta.into_parts());
        let normalized = Normalized::<B>::new(x, Some(y), gamma, dropout);
        let output = normalized.output(beta);
        let guards = [x_guard, gamma_guard, beta_guard, y_guard];
        record::<B, C, _, _, 4>(AddNormStep, guards, output, || normalized)
    }

    fn add_kernel(x: FloatTensor<Self>, y: FloatTensor<Self>, dropout: Dropout) -> FloatTensor<Self> {
        let ((x, x_guard), (y, y_guard)) = (x.into_parts(), y.into_parts());
        let output = B::add_kernel(x, y, dropout);
        record::<B, C, _, _, 2>(AddStep, [x_guard, y_guard], output, || dropout)
    }
}

#[derive(Debug)]
struct AddNormStep;

impl<B: Cpu, const N: usize> Backward<B, N> for AddNormStep {
    type State = Normalized<B>;

    fn backward(self, ops: Ops<Normalized<B>, N>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let output = B::contiguous(gradients.consume::<B>(&ops.node));
        let mut found = ops.state.backward(B::values(&output));
        found.truncate(N);
        let found: [_; N] = found.try_into().expect("one gradient for each parent");
        register::<B, _, N>(ops, gradients, found);
    }
}

#[derive(Debug)]
struct AddStep;

impl<B: Cpu> Backward<B, 2> for AddStep {
    type State = Dropout;

    fn backward(self, ops: Ops<Dropout, 2>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let x = B::contiguous(gradients.consume::<B>(&ops.node));
        let y = if ops.state.is_off() {
            x.clone()
        } else {
            dropped::<B>(&x, ops.state)
        };
        register::<B, _, 2>(ops, gradients, [x, y]);
    }
}

/// `dropout(x)`.
fn dropped<B: Cpu>(x: &FloatTensor<B>, dropout: Dropout) -> FloatTensor<B> {
    let values = B::values(x);
    let mut result = uninitialized(values.len());
    result
        .par_chunks_mut(CHUNK)
        .zip(values.par_chunks(CHUNK))
        .enumerate()
        .for_each(|(chunk, (to, from))| {
            scale_dropped(to, from, dropout, chunk * CHUNK);
        });
    B::tensor(result, x.shape())
}

/// Rows after normalisation, and what the backward step needs.
#[derive(Debug, Clone)]
struct Normalized<B: Cpu> {
    /// h, `[B, L, D]`.
    rows: FloatTensor<B>,
    /// `1 / sqrt(var z + ε)`, `[N]`.
    scales: FloatTensor<B>,
    gamma: FloatTensor<B>,
    dropout: Dropout,
}

impl<B: Cpu> Normalized<B> {
    fn new(x: FloatTensor<B>, y: Option<FloatTensor<B>>, gamma: FloatTensor<B>, dropout: Dropout) -> Self {
        let (x, gamma) = (B::contiguous(x), B::contiguous(gamma));
        let y = y.map(B::contiguous);
        let width = gamma.shape()[0];
        let values = B::values(&x);
        let count = values.len() / width;
        let mut rows = uninitialized(values.len());
        let mut scales = uninitialized(count);
        let blocks = rows
            .par_chunks_mut(ROWS * width)
            .zip(scales.par_chunks_mut(ROWS))
            .enumerate();
        blocks.for_each(|(block, (rows, scales))| {
            let begin = block * ROWS * width;
            let x = &values[begin..][..rows.len()];
            let y = y.as_ref().map(|y| &B::values(y)[begin..][..rows.len()]);
            normalize(x, y, rows, scales, dropout, begin);
        });
        Self {
            rows: B::tensor(rows, x.shape()),
            scales: B::tensor(scales, Shape::new([count])),
            gamma,
            dropout,
        }
    }

    /// `γ h + β`.
    fn output(&self, beta: FloatTensor<B>) -> FloatTensor<B> {
        let beta = B::contiguous(beta);
        let (gamma, beta) = (B::values(&self.gamma), B::values(&beta));
        let rows = B::values(&self.rows);
        let mut output = uninitialized(rows.len());
        let block = ROWS * gamma.len();
        output
            .par_chunks_mut(block)
            .zip(rows.par_chunks(block))
            .for_each(|(output, rows)| {
                scale_and_shift(rows, gamma, beta, output);
            });
        B::tensor(output, self.rows.shape())
    }

    /// Gradients of x, γ, β and y.
    fn backward(&self, output: &[f32]) -> Vec<FloatTensor<B>> {
        let gamma = B::values(&self.gamma);
        let (rows, scales) = (B::values(&self.rows), B::values(&self.scales));
        let width = gamma.len();
        let mut x = uninitialized(rows.len());
        // The gradient of y is that of x where nothing is dropped.
        let apart = !self.dropout.is_off();
        let mut y = if apart { uninitialized(rows.len()) } else { Vec::new() };
        let x_blocks = x.par_chunks_mut(ROWS * width).enumerate();
        let sums: Vec<[Vec<f32>; 2]> = x_blocks
            .map(|(block, x)| {
                let begin = block * ROWS * width;
                let count = x.len() / width;
                let mut sums = [vec![0.0; width], vec![0.0; width]];
                let [gamma_sum, beta_sum] = &mut sums;
                let (output, rows) = (&output[begin..][..x.len()], &rows[begin..][..x.len()]);
                normalize_backward(
                    output,
                    rows,
                    &scales[block * ROWS..][..count],
                    gamma,
                    x,
                    gamma_sum,
                    beta_sum,
                );
                sums
            })
            .collect();
        if apart {
            y.par_chunks_mut(CHUNK)
                .zip(x.par_chunks(CHUNK))
                .enumerate()
                .for_each(|(chunk, (y, x))| {
                    scale_dropped(y, x, self.dropout, chunk * CHUNK);
                });
        }
        let mut totals = [vec![0.0; width], vec![0.0; width]];
        for block in &sums {
            for (total, sum) in totals.iter_mut().zip(block) {
                total.iter_mut().zip(sum).for_each(|(total, sum)| *total += sum);
            }
        }
        let x = B::tensor(x, self.rows.shape());
        let y = if apart {
            B::tensor(y, self.rows.shape())
        } else {
            x.clone()
        };
        let [gamma, beta] = totals.map(|total| B::tensor(total, Shape::new([width])));
        vec![x, gamma, beta, y]
    }
}

vectorized! {
    /// `x + dropout(y)` in the place of x; the first number is number `index` of its tensor.
    fn add_dropped(x: &mut [f32], y: &[f32], dropout: Dropout, index: usize) {
        for (offset, (x, y)) in x.iter_mut().zip(y).enumerate() {
            *x += y * dropout.factor(index + offset);
        }
    }

    /// `dropout(from)`; the first number is number `index` of its tensor.
    fn scale_dropped(to: &mut [f32], from: &[f32], dropout: Dropout, index: usize) {
        for (offset, (to, from)) in to.iter_mut().zip(from).enumerate() {
            *to = from * dropout.factor(index + offset);
        }
    }

    /// h and the scale of every row.
    fn normalize(
        x: &[f32],
        y: Option<&[f32]>,
        rows: &mut [f32],
        scales: &mut [f32],
        dropout: Dropout,
        index: usize,
    ) {
        let width = rows.len() / scales.len();
        for (number, (row, scale)) in rows.chunks_exact_mut(width).zip(scales).enumerate() {
            let begin = number * width;
            let x = &x[begin..][..width];
            match y {
                Some(y) => {
                    let y = &y[begin..][..width];
                    for i in 0..width {
                        row[i] = x[i] + y[i] * dropout.factor(index + begin + i);
                    }
                }
                None => row.copy_from_slice(x),
            }
            let mean = sum(row) / width as f32;
            for z in row.iter_mut() {
                *z -= mean;
            }
            *scale = 1.0 / (dot(row, row) / width as f32 + EPSILON as f32).sqrt();
            for z in row.iter_mut() {
                *z *= *scale;
            }
        }
    }

    fn scale_and_shift(rows: &[f32], gamma: &[f32], beta: &[f32], output: &mut [f32]) {
        let width = gamma.len();
        for (row, output) in rows.chunks_exact(width).zip(output.chunks_exact_mut(width)) {
            for i in 0..width {
                output[i] = row[i] * gamma[i] + beta[i];
            }
        }
    }

    /// The gradient of x, and sums over these rows for γ and β.
    fn normalize_backward(
        output: &[f32],
        rows: &[f32],
        scales: &[f32],
        gamma: &[f32],
        x: &mut [f32],
        gamma_sum: &mut [f32],
        beta_sum: &mut [f32],
    ) {
        let width = gamma.len();
        for (number, scale) in scales.iter().enumerate() {
            let begin = number * width;
            let (output, row) = (&output[begin..][..width], &rows[begin..][..width]);
            let x = &mut x[begin..][..width];
            for i in 0..width {
                gamma_sum[i] += output[i] * row[i];
                beta_sum[i] += output[i];
                x[i] = output[i] * gamma[i];
            }
            let mean = sum(x) / width as f32;
            let along = dot(x, row) / width as f32;
            for i in 0..width {
                x[i] = (x[i] - mean - row[i] * along) * scale;
            }
        }
    }
}

#[cfg(test)]
mod tests;
