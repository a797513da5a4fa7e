//! Output projection and label-smoothed cross-entropy (Szegedy et al. 2016, section 7; Vaswani et al. 2017, section 5.4).
//!
//! The target distribution is `1 - ε` at the reference token plus `ε / V` everywhere, the reference included:
//!
//! ```text
//! loss = (1 - ε) (-log p(y)) + ε mean_v(-log p(v))          p = softmax(h W)
//!
//! d loss / d logit_v = p_v - ε/V - (1 - ε) [v = y]
//! ```
//!
//! The logits, `[N, V]`, are the largest tensor of a training step by far. They are made a few rows at a time, turned
//! into their own gradients where they lie, and multiplied into the gradients of what they were made from.
//!
//! [`pairs`] holds the loss of R-Drop, for which every target has two rows. It goes the same way: the logits that exist at
//! the same time are then those of both rows of some targets.
//!
//! N rows, V vocabulary, R what the output projection reads.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, TensorMetadata, backend_extension};
use burn::prelude::*;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

use crate::autodiff::{record, register};
use crate::cpu::{Cpu, ids, is_fused};
use crate::fetch::fetch_behind;
use crate::gemm::{Matrix, Product, Right, Start, write_all};
use crate::instructions::vectorized;
use crate::numbers::{CHUNK, PART, Sum, exp, max, uninitialized};
use crate::precision::Precision;

pub mod pairs;
pub mod reference;

/// The id of padding, which counts nothing.
pub const PAD: u32 = 0;

/// Rows whose logits exist at the same time.
pub const ROWS: usize = 512;

/// What turns the decoder's output into logits.
#[derive(Debug, Clone)]
pub enum Projection {
    /// An embedding that is used again: `[V, R]`.
    Table(Tensor<2>),
    /// A matrix of its own: `[R, V]`.
    Weight(Tensor<2>),
}

impl Projection {
    /// `[R, V]`, whichever it is.
    pub fn weight(self) -> Tensor<2> {
        match self {
            Self::Table(table) => table.transpose(),
            Self::Weight(weight) => weight,
        }
    }
}

/// Sums over the target tokens of a batch; padding counts nothing.
pub struct OutputLoss {
    /// The smoothed loss, to be trained on, in nats: `[1]`.
    pub smoothed: Tensor<1>,
    /// The plain negative log-likelihood, in nats: `[1]`; `exp` of its mean is the perplexity.
    pub nll: Tensor<1>,
}

/// Loss of hidden states against reference tokens.
///
/// # Shapes
/// - `hidden`: `[N, R]`, `targets`: `[N]`
pub fn output_loss(
    hidden: Tensor<2>,
    projection: Projection,
    targets: Tensor<1, Int>,
    smoothing: f64,
    precision: Precision,
) -> OutputLoss {
    if !is_fused(&hidden.device()) {
        return reference::output_loss(hidden, projection.weight(), targets, smoothing, precision);
    }
    let [smoothed, _, nll, _] = fused(hidden, projection, |is_table| LossRule {
        targets: ids(targets).into(),
        smoothing,
        precision,
        is_table,
        divergence_weight: None,
    });
    OutputLoss {
        smoothed,
        nll: nll.detach(),
    }
}

/// The sums of [`OutputLossKernel`], `[1]` each; the rule is told whether the projection is a table.
fn fused(hidden: Tensor<2>, projection: Projection, rule: impl FnOnce(bool) -> LossRule) -> [Tensor<1>; 4] {
    let (weight, is_table) = match projection {
        Projection::Table(table) => (table, true),
        Projection::Weight(weight) => (weight, false),
    };
    let sums = Dispatch::output_loss_kernel(hidden.into_dispatch(), weight.into_dispatch(), rule(is_table));
    let sums = Tensor::<1>::from_dispatch(sums);
    [0, 1, 2, 3].map(|place| sums.clone().slice_dim(0, place..place + 1))
}

/// What the loss is computed with, beside the tensors.
#[derive(Debug, Clone)]
pub struct LossRule {
    targets: Arc<[u32]>,
    smoothing: f64,
    precision: Precision,
    /// Whether the weight is `[V, R]`.
    is_table: bool,
    /// What divergence counts where every target has two rows, see [`pairs`]; `None` where it has one.
    divergence_weight: Option<f64>,
}

impl LossRule {
    /// Rows of each target.
    fn passes(&self) -> usize {
        if self.divergence_weight.is_some() { 2 } else { 1 }
    }
}

/// Of one target, or of all: what is trained on, the smoothed loss, the plain one, the divergence. The first two are
/// the same where a target has one row.
type Sums<T> = [T; 4];

/// The fused operation.
#[backend_extension(Flex, NdArray, Autodiff)]
pub trait OutputLossKernel: Backend {
    /// What is trained on, the smoothed loss, the plain one, the divergence: `[4]`. Only the first has a gradient.
    fn output_loss_kernel(hidden: FloatTensor<Self>, weight: FloatTensor<Self>, rule: LossRule) -> FloatTensor<Self>;
}

impl<B: Cpu> OutputLossKernel for B {
    fn output_loss_kernel(hidden: FloatTensor<B>, weight: FloatTensor<B>, rule: LossRule) -> FloatTensor<B> {
        Rows::<B>::new(hidden, weight, rule).loss(None)
    }
}

impl<B: Cpu, C: CheckpointStrategy> OutputLossKernel for Autodiff<B, C> {
    fn output_loss_kernel(hidden: FloatTensor<Self>, weight: FloatTensor<Self>, rule: LossRule) -> FloatTensor<Self> {
        let tracked = hidden.is_tracked() || weight.is_tracked();
        let ((hidden, hidden_guard), (weight, weight_guard)) = (hidden.into_parts(), weight.into_parts());
        let (hidden_shape, weight_shape) = (hidden.shape(), weight.shape());
        let rows = Rows::<B>::new(hidden, weight, rule);
        let mut found =
            tracked.then(|| [&hidden_shape, &weight_shape].map(|shape| uninitialized(shape.num_elements())));
        let output = rows.loss(found.as_mut());
        let state = || {
            let [hidden, weight] = found.expect("tracked");
            [B::tensor(hidden, hidden_shape), B::tensor(weight, weight_shape)]
        };
        record::<B, C, _, _, 2>(LossStep, [hidden_guard, weight_guard], output, state)
    }
}

/// Gradients were found with the loss; what is left is to multiply them by the gradient of the loss.
#[derive(Debug)]
struct LossStep;

impl<B: Cpu> Backward<B, 2> for LossStep {
    type State = [FloatTensor<B>; 2];

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let output = B::contiguous(gradients.consume::<B>(&ops.node));
        let factor = B::values(&output)[0];
        let Ops { parents, node, state } = ops;
        let found = state.map(|gradient| {
            if factor == 1.0 {
                return gradient;
            }
            let shape = gradient.shape();
            let mut values = B::into_values(gradient);
            values
                .par_chunks_mut(CHUNK)
                .for_each(|values| values.iter_mut().for_each(|x| *x *= factor));
            B::tensor(values, shape)
        });
        register::<B, _, 2>(Ops::new(parents, node, ()), gradients, found);
    }
}

/// Rows whose loss is wanted.
struct Rows<B: Cpu> {
    hidden: FloatTensor<B>,
    weight: FloatTensor<B>,
    rule: LossRule,
}

impl<B: Cpu> Rows<B> {
    fn new(hidden: FloatTensor<B>, weight: FloatTensor<B>, rule: LossRule) -> Self {
        Self {
            hidden: B::contiguous(hidden),
            weight: B::contiguous(weight),
            rule,
        }
    }

    /// The sums; gradients of `hidden` and `weight` are written if they are wanted.
    fn loss(&self, mut gradients: Option<&mut [Vec<f32>; 2]>) -> FloatTensor<B> {
        let hidden = B::values(&self.hidden);
        let [rows, width] = [self.hidden.shape()[0], self.hidden.shape()[1]];
        assert!(rows > 0, "a loss of no rows");
        let (targets, passes) = (&self.rule.targets, self.rule.passes());
        assert_eq!(rows, passes * targets.len(), "{passes} rows for each target");
        let (weight, vocabulary) = self.output_weight();
        let precision = self.rule.precision;
        let weight_right = Right::prepared(weight, precision);
        let transposed = gradients.is_some().then(|| Right::prepared(weight.t(), precision));
        let mut logits = uninitialized(ROWS.min(rows) * vocabulary);
        let mut sums: Sums<f64> = [0.0; 4];
        for first in (0..targets.len()).step_by(ROWS / passes) {
            let count = (ROWS / passes).min(targets.len() - first);
            // The rows of these targets in each pass, and their logits.
            let place = |row: usize| row * width..(row + count) * width;
            let places: Vec<_> = (0..passes).map(|pass| place(pass * targets.len() + first)).collect();
            let chunk = |place: &Range<usize>| Matrix::new(&hidden[place.clone()], [count, width]);
            let logits = &mut logits[..passes * count * vocabulary];
            for (place, logits) in places.iter().zip(logits.chunks_mut(count * vocabulary)) {
                let product = Product {
                    left: chunk(place),
                    right: &weight_right,
                    start: Start::Zero,
                };
                product.to(logits).write();
            }
            for row in self.losses(logits, vocabulary, &targets[first..][..count]) {
                sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(x));
            }
            if let (Some([of_hidden, of_weight]), Some(transposed)) = (&mut gradients, &transposed) {
                for (pass, (place, logits)) in places.iter().zip(logits.chunks(count * vocabulary)).enumerate() {
                    let logits = Matrix::new(logits, [count, vocabulary]);
                    let for_hidden = Product {
                        left: logits,
                        right: transposed,
                        start: Start::Zero,
                    };
                    let (left, right) = if self.rule.is_table {
                        (logits.t(), chunk(place))
                    } else {
                        (chunk(place).t(), logits)
                    };
                    let is_first = first == 0 && pass == 0;
                    let for_weight = Product {
                        left,
                        right: &Right::new(right, precision),
                        start: if is_first { Start::Zero } else { Start::Result },
                    };
                    let of_hidden = &mut of_hidden[place.clone()];
                    write_all([for_hidden.to(of_hidden), for_weight.to(of_weight)]);
                }
            }
        }
        B::tensor(sums.map(|sum| sum as f32).to_vec(), Shape::new([4]))
    }

    /// `[R, V]`, and V.
    fn output_weight(&self) -> (Matrix<'_>, usize) {
        let shape = self.weight.shape();
        let stored = Matrix::new(B::values(&self.weight), [shape[0], shape[1]]);
        if self.rule.is_table {
            (stored.t(), shape[0])
        } else {
            (stored, shape[1])
        }
    }

    /// The losses of each target, whose rows' logits stand pass by pass and become their own gradients.
    fn losses(&self, logits: &mut [f32], vocabulary: usize, targets: &[u32]) -> Vec<Sums<f32>> {
        if let Some(target) = targets.iter().find(|target| **target as usize >= vocabulary) {
            panic!("id {target} is outside a vocabulary of {vocabulary}");
        }
        let smoothing = self.rule.smoothing as f32;
        if let Some(weight) = self.rule.divergence_weight {
            return pairs::losses(logits, targets, smoothing, weight as f32);
        }
        let rows = logits.par_chunks_mut(vocabulary).zip(targets);
        rows.map(|(row, target)| {
            if *target == PAD {
                row.fill(0.0);
                [0.0; 4]
            } else {
                let [smoothed, nll] = row_loss(row, *target as usize, smoothing);
                [smoothed, smoothed, nll, 0.0]
            }
        })
        .collect()
    }
}

vectorized! {
    /// The smoothed and the plain loss of one row, whose logits become their own gradients.
    fn row_loss(logits: &mut [f32], target: usize, smoothing: f32) -> [f32; 2] {
        let count = logits.len() as f32;
        let (mut highest, mut all) = (f32::NEG_INFINITY, Sum::default());
        for part in logits.chunks(PART) {
            highest = highest.max(max(part));
            all.add(part);
        }
        let mean = all.total() / count;
        let reference = logits[target];
        let mut powers = Sum::default();
        let parts = logits.len().div_ceil(PART);
        for number in 0..parts {
            // As much of the next row.
            fetch_behind(logits, number, parts);
            let end = logits.len().min((number + 1) * PART);
            let part = &mut logits[number * PART..end];
            for logit in part.iter_mut() {
                *logit = exp(*logit - highest);
            }
            powers.add(part);
        }
        let total = powers.total();
        let (inverse, uniform) = (1.0 / total, smoothing / count);
        for p in logits.iter_mut() {
            *p = *p * inverse - uniform;
        }
        logits[target] -= 1.0 - smoothing;
        let log_sum = highest + total.ln();
        let nll = log_sum - reference;
        [(1.0 - smoothing) * nll + smoothing * (log_sum - mean), nll]
    }
}

#[cfg(test)]
mod tests;
