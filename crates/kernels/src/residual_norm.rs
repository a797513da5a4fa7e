//! Residual connection, dropout and layer normalisation: "Add & Norm" (Vaswani et al. 2017, section 3.1; Ba et al. 2016).
//!
//! ```text
//! z = x + dropout(y)       h = (z - mean z) / sqrt(var z + ε)       output = γ h + β
//!
//! dz = (γ do - mean(γ do) - h mean(h γ do)) / sqrt(var z + ε)
//! dx = dz     dy = dropout(dz)     dγ = Σ_rows h do     dβ = Σ_rows do
//! ```
//!
//! With pre-norm, x goes past the sub-layer that reads its norm, and the sum of both has no norm: [`norm_and_skip`].
//!
//! N rows, D numbers in a row.

mod rows;
mod skip;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, TensorMetadata, backend_extension};
use burn::nn::LayerNorm;
use burn::prelude::*;
use rayon::prelude::*;

pub use self::skip::{Carried, Skip, norm_and_skip};
use crate::autodiff::{record, register};
use crate::cpu::{Cpu, is_fused};
use crate::dropout::Dropout;
use crate::numbers::{CHUNK, chunks_or_empty, uninitialized};
use rows::{add_dropped, normalize, normalize_and_keep, normalize_backward, scale_dropped};

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
            None,
        )),
        _ => norm.forward(x),
    }
}

/// The fused operations.
#[backend_extension(Flex, NdArray, Autodiff)]
pub trait ResidualKernel: Backend {
    /// See [`norm`]. To the gradient of x it adds what is carried past the sub-layer that reads it.
    fn norm_kernel(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        carried: Option<Carried>,
    ) -> FloatTensor<Self>;

    /// See [`add_and_norm`].
    fn add_norm_kernel(
        x: FloatTensor<Self>,
        y: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        dropout: Dropout,
    ) -> FloatTensor<Self>;

    /// See [`Skip::add`]. The gradient of x is carried to its norm, if that takes it.
    fn add_kernel(
        x: FloatTensor<Self>,
        y: FloatTensor<Self>,
        dropout: Dropout,
        carried: Option<Carried>,
    ) -> FloatTensor<Self>;
}

impl<B: Cpu> ResidualKernel for B {
    fn norm_kernel(
        x: FloatTensor<B>,
        gamma: FloatTensor<B>,
        beta: FloatTensor<B>,
        _: Option<Carried>,
    ) -> FloatTensor<B> {
        Rows::<B>::new(x, None, [gamma, beta], Dropout::OFF).output()
    }

    fn add_norm_kernel(
        x: FloatTensor<B>,
        y: FloatTensor<B>,
        gamma: FloatTensor<B>,
        beta: FloatTensor<B>,
        dropout: Dropout,
    ) -> FloatTensor<B> {
        Rows::<B>::new(x, Some(y), [gamma, beta], dropout).output()
    }

    fn add_kernel(x: FloatTensor<B>, y: FloatTensor<B>, dropout: Dropout, _: Option<Carried>) -> FloatTensor<B> {
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
    fn norm_kernel(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        carried: Option<Carried>,
    ) -> FloatTensor<Self> {
        let ((x, x_guard), (gamma, gamma_guard)) = (x.into_parts(), gamma.into_parts());
        let (beta, beta_guard) = beta.into_parts();
        let (output, normalized) = Rows::<B>::new(x, None, [gamma, beta], Dropout::OFF).output_and_kept();
        let state = || (normalized, carried);
        record::<B, C, _, _, 3>(AddNormStep, [x_guard, gamma_guard, beta_guard], output, state)
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
        let (output, normalized) = Rows::<B>::new(x, Some(y), [gamma, beta], dropout).output_and_kept();
        let guards = [x_guard, gamma_guard, beta_guard, y_guard];
        record::<B, C, _, _, 4>(AddNormStep, guards, output, || (normalized, None))
    }

    fn add_kernel(
        x: FloatTensor<Self>,
        y: FloatTensor<Self>,
        dropout: Dropout,
        carried: Option<Carried>,
    ) -> FloatTensor<Self> {
        let ((x, x_guard), (y, y_guard)) = (x.into_parts(), y.into_parts());
        let output = B::add_kernel(x, y, dropout, carried.clone());
        record::<B, C, _, _, 2>(AddStep, [x_guard, y_guard], output, || (dropout, carried))
    }
}

#[derive(Debug)]
struct AddNormStep;

impl<B: Cpu, const N: usize> Backward<B, N> for AddNormStep {
    type State = (Normalized<B>, Option<Carried>);

    fn backward(self, ops: Ops<Self::State, N>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let output = B::contiguous(gradients.consume::<B>(&ops.node));
        let (normalized, carried) = &ops.state;
        let carried = carried.as_ref().and_then(Carried::take::<FloatTensor<B>>);
        let mut found = normalized.backward(B::values(&output), carried.as_ref().map(B::values));
        found.truncate(N);
        let found: [_; N] = found.try_into().expect("one gradient for each parent");
        register::<B, _, N>(ops, gradients, found);
    }
}

#[derive(Debug)]
struct AddStep;

impl<B: Cpu> Backward<B, 2> for AddStep {
    type State = (Dropout, Option<Carried>);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let output = B::contiguous(gradients.consume::<B>(&ops.node));
        let (dropout, carried) = ops.state;
        let [x, y] = ops.parents;
        if let Some(y) = y {
            let of_y = if dropout.is_off() {
                output.clone()
            } else {
                dropped::<B>(&output, dropout)
            };
            gradients.register::<B>(y.id, of_y);
        }
        match (x, carried) {
            (Some(_), Some(carried)) => carried.put(output),
            (Some(x), None) => gradients.register::<B>(x.id, output),
            (None, _) => {}
        }
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

/// What a norm reads, all contiguous.
struct Rows<B: Cpu> {
    x: FloatTensor<B>,
    y: Option<FloatTensor<B>>,
    gamma: FloatTensor<B>,
    beta: FloatTensor<B>,
    dropout: Dropout,
}

impl<B: Cpu> Rows<B> {
    fn new(x: FloatTensor<B>, y: Option<FloatTensor<B>>, scale: [FloatTensor<B>; 2], dropout: Dropout) -> Self {
        let [gamma, beta] = scale.map(B::contiguous);
        let (x, y) = (B::contiguous(x), y.map(B::contiguous));
        let width = x.shape().last().copied();
        assert_eq!(width, Some(gamma.shape()[0]), "width of the rows and of the norm");
        assert_eq!(gamma.shape(), beta.shape(), "numbers of gamma and beta");
        if let Some(y) = &y {
            assert_eq!(x.shape(), y.shape(), "shapes of x and y");
        }
        Self {
            x,
            y,
            gamma,
            beta,
            dropout,
        }
    }

    /// The numbers of x and y that one task reads.
    fn block(&self, begin: usize, count: usize) -> (&[f32], Option<&[f32]>) {
        let of = |tensor| &B::values(tensor)[begin..][..count];
        (of(&self.x), self.y.as_ref().map(of))
    }

    /// `γ h + β`. No other array is made: h stands in its place for as long as a row takes.
    fn output(&self) -> FloatTensor<B> {
        let (gamma, beta) = (B::values(&self.gamma), B::values(&self.beta));
        let size = ROWS * gamma.len();
        let mut output = uninitialized(B::values(&self.x).len());
        output.par_chunks_mut(size).enumerate().for_each(|(block, output)| {
            let begin = block * size;
            let (x, y) = self.block(begin, output.len());
            normalize(x, y, gamma, beta, output, self.dropout, begin);
        });
        B::tensor(output, self.x.shape())
    }

    /// The same, with what the backward step needs.
    fn output_and_kept(self) -> (FloatTensor<B>, Normalized<B>) {
        let (gamma, beta) = (B::values(&self.gamma), B::values(&self.beta));
        let (size, count) = (ROWS * gamma.len(), B::values(&self.x).len());
        let (mut output, mut rows) = (uninitialized(count), uninitialized(count));
        let mut scales = uninitialized(count / gamma.len());
        let blocks = output.par_chunks_mut(size).zip(rows.par_chunks_mut(size));
        let blocks = blocks.zip(scales.par_chunks_mut(ROWS)).enumerate();
        blocks.for_each(|(block, ((output, rows), scales))| {
            let begin = block * size;
            let (x, y) = self.block(begin, output.len());
            normalize_and_keep(x, y, gamma, beta, output, rows, scales, self.dropout, begin);
        });
        let (shape, scales_shape) = (self.x.shape(), Shape::new([scales.len()]));
        let normalized = Normalized {
            rows: B::tensor(rows, shape.clone()),
            scales: B::tensor(scales, scales_shape),
            gamma: self.gamma,
            dropout: self.dropout,
        };
        (B::tensor(output, shape), normalized)
    }
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
    /// Gradients of x, γ, β and y; `carried` is added to that of x.
    fn backward(&self, output: &[f32], carried: Option<&[f32]>) -> Vec<FloatTensor<B>> {
        let gamma = B::values(&self.gamma);
        let (rows, scales) = (B::values(&self.rows), B::values(&self.scales));
        let width = gamma.len();
        let mut x = uninitialized(rows.len());
        // The gradient of y is that of x where nothing is dropped.
        let apart = !self.dropout.is_off();
        let mut y = if apart { uninitialized(rows.len()) } else { Vec::new() };
        let y_blocks = chunks_or_empty(&mut y, ROWS * width, scales.len().div_ceil(ROWS));
        let blocks = x.par_chunks_mut(ROWS * width).zip(y_blocks).enumerate();
        let sums: Vec<[Vec<f32>; 2]> = blocks
            .map(|(block, (x, y))| {
                let begin = block * ROWS * width;
                let count = x.len() / width;
                let mut sums = [vec![0.0; width], vec![0.0; width]];
                let [gamma_sum, beta_sum] = &mut sums;
                let (output, rows) = (&output[begin..][..x.len()], &rows[begin..][..x.len()]);
                normalize_backward(
                    output,
                    carried.map(|carried| &carried[begin..][..x.len()]),
                    rows,
                    &scales[block * ROWS..][..count],
                    gamma,
                    x,
                    gamma_sum,
                    beta_sum,
                );
                scale_dropped(y, x, self.dropout, begin);
                sums
            })
            .collect();
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

#[cfg(test)]
mod tests;
