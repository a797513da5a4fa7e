//! Label-smoothed cross-entropy (Szegedy et al. 2016, section 7; Vaswani et al. 2017, section 5.4).
//!
//! The target distribution is `1 - ε` at the reference token plus `ε / V` everywhere, the reference included, so that
//! `loss = (1 - ε) (-log p(y)) + ε mean_v(-log p(v))`. Sums, not means, are returned: an update's loss is the sum over
//! all its micro-batches divided by their target tokens.
//!
//! The logits `[N, V]` are the largest tensor of a training step by far. They are made a few rows at a time, and with
//! them, at once, the gradients of what they were made from. With `p = softmax(h W)` for a row `h`,
//!
//! ```text
//! d loss / d h   = W p - ε/V Σ_v W_v - (1 - ε) W_y
//! d loss / d W_v = h (p_v - ε/V - (1 - ε) [v = y])        summed over rows
//! ```
//!
//! so that `p` is the only thing as large as the logits that is ever made. Autodiff is then given a sum whose value is
//! the loss and whose derivatives are these.
//!
//! N rows, V vocabulary, R what the output projection reads.

use burn::prelude::*;
use burn::tensor::IndexingUpdateOp;
use burn::tensor::activation::softmax;

use super::{OutputLoss, PAD};
use crate::precision::{Precision, product};

/// Rows whose logits exist at the same time.
const CHUNK: usize = 512;

/// The least probability whose logarithm is taken: a reference token below it counts as 85 nats.
const LEAST: f32 = 1e-37;

/// Loss of hidden states against reference tokens.
///
/// # Shapes
/// - `hidden`: `[N, R]`, `output_weight`: `[R, V]`
/// - `targets`: `[N]`, 0 is padding
pub fn output_loss(
    hidden: Tensor<2>,
    output_weight: Tensor<2>,
    targets: Tensor<1, Int>,
    smoothing: f64,
    precision: Precision,
) -> OutputLoss {
    let tracked = hidden.is_tracked() || output_weight.is_tracked();
    let rows = Rows {
        hidden: hidden.clone().inner(),
        weight: output_weight.clone().inner(),
        targets: targets.inner(),
        smoothing,
        precision,
        tracked,
    };
    let found = rows.loss_and_gradients();
    let smoothed = match found.gradients {
        Some([hidden_gradient, weight_gradient]) => {
            let carrier = (hidden * Tensor::from_inner(hidden_gradient)).sum()
                + (output_weight * Tensor::from_inner(weight_gradient)).sum();
            // Zero in value, so that only the derivatives count.
            let derivatives = carrier.clone() - carrier.detach();
            derivatives + Tensor::from_inner(found.smoothed)
        }
        None => found.smoothed,
    };
    OutputLoss {
        smoothed,
        nll: found.nll,
    }
}

/// What the loss is computed from, without autodiff.
struct Rows {
    hidden: Tensor<2>,
    weight: Tensor<2>,
    targets: Tensor<1, Int>,
    smoothing: f64,
    precision: Precision,
    /// Whether gradients are wanted.
    tracked: bool,
}

/// Sums over all rows.
struct Found {
    smoothed: Tensor<1>,
    nll: Tensor<1>,
    /// Of the smoothed loss by `hidden` and `weight`.
    gradients: Option<[Tensor<2>; 2]>,
}

impl Rows {
    fn loss_and_gradients(self) -> Found {
        let [rows, width] = self.hidden.dims();
        let [_, vocabulary] = self.weight.dims();
        let device = self.hidden.device();
        let uniform = self.smoothing / vocabulary as f64;

        let real = self
            .targets
            .clone()
            .not_equal_scalar(PAD as i32)
            .float()
            .reshape([rows, 1]); // [N, 1]
        let reference = self.weight.clone().transpose().select(0, self.targets.clone()); // W_y, [N, R]
        let weight_sum = self.weight.clone().sum_dim(1).transpose(); // Σ_v W_v, [1, R]

        let mut reference_probability = Vec::new(); // p(y), [n, 1] each
        let mut hidden_gradient = Vec::new(); // W p, [n, R] each
        let mut weight_gradient = Tensor::<2>::zeros([vocabulary, width], &device);
        // A padded row has no part in the gradient of W.
        let real_hidden = self.hidden.clone() * real.clone();
        for start in (0..rows).step_by(CHUNK) {
            let chunk = start..rows.min(start + CHUNK);
            let hidden = self.hidden.clone().slice_dim(0, chunk.clone());
            let logits = product(hidden, self.weight.clone(), self.precision);
            let p = softmax(logits, 1); // [n, V]
            let targets = self
                .targets
                .clone()
                .slice_dim(0, chunk.clone())
                .reshape([chunk.len(), 1]);
            reference_probability.push(p.clone().gather(1, targets));
            if self.tracked {
                hidden_gradient.push(product(p.clone(), self.weight.clone().transpose(), self.precision));
                let real_hidden = real_hidden.clone().slice_dim(0, chunk);
                weight_gradient = weight_gradient + product(p.transpose(), real_hidden, self.precision);
            }
        }

        // -log p(y), and mean_v(-log p(v)) = -log p(y) + h W_y - mean_v(h W_v), both [N, 1].
        let nll = Tensor::cat(reference_probability, 0).clamp_min(LEAST).log().neg();
        let reference_logit = (self.hidden.clone() * reference.clone()).sum_dim(1);
        let mean_logit = self
            .hidden
            .matmul(weight_sum.clone().transpose())
            .div_scalar(vocabulary as f64);
        let flat = nll.clone() + reference_logit - mean_logit;
        let smoothed = nll.clone().mul_scalar(1.0 - self.smoothing) + flat.mul_scalar(self.smoothing);

        let gradients = self.tracked.then(|| {
            let from_references = reference.mul_scalar(1.0 - self.smoothing) + weight_sum.mul_scalar(uniform);
            let hidden_gradient = (Tensor::cat(hidden_gradient, 0) - from_references) * real.clone();
            let from_uniform = real_hidden.clone().sum_dim(0).mul_scalar(uniform); // [1, R]
            let weight_gradient = (weight_gradient - from_uniform).select_assign(
                0,
                self.targets,
                real_hidden.mul_scalar(self.smoothing - 1.0),
                IndexingUpdateOp::Add,
            );
            [hidden_gradient, weight_gradient.transpose()]
        });
        Found {
            smoothed: (smoothed * real.clone()).sum(),
            nll: (nll * real).sum(),
            gradients,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_case_by_hand() {
        let device = Device::flex();
        // One row with logits log(1), log(2), log(5), so p = 1/8, 2/8, 5/8; one row of padding.
        let hidden = Tensor::<2>::from_floats([[1.0], [7.0]], &device);
        let weight = Tensor::<2>::from_floats([[0.0, 2f32.ln(), 5f32.ln()]], &device);
        let targets = Tensor::<1, Int>::from_ints([2, 0], &device);
        let loss = output_loss(hidden, weight, targets, 0.1, Precision::Fp32);
        let [p0, p1, p2] = [1.0f64 / 8.0, 2.0 / 8.0, 5.0 / 8.0];
        let uniform = -(p0.ln() + p1.ln() + p2.ln()) / 3.0;
        assert!((loss.nll.into_scalar::<f32>() as f64 + p2.ln()).abs() < 1e-6);
        assert!((loss.smoothed.into_scalar::<f32>() as f64 - (-0.9 * p2.ln() + 0.1 * uniform)).abs() < 1e-6);
    }

    /// More rows than a chunk, and the gradients against differences of the loss itself.
    #[test]
    fn gradients_are_the_slopes_of_the_loss() {
        let (rows, width, vocabulary) = (CHUNK + 3, 3, 5);
        let numbers = |count: usize, step: f32| (0..count).map(move |i| (i as f32 * step).sin()).collect::<Vec<_>>();
        let hidden_values = numbers(rows * width, 0.7);
        let weight_values = numbers(width * vocabulary, 1.3);
        let targets: Vec<i32> = (0..rows).map(|row| (row % vocabulary) as i32).collect();
        let device = Device::flex().autodiff();
        let loss = |hidden: &[f32], weight: &[f32]| {
            let hidden =
                Tensor::<2>::from_data(TensorData::new(hidden.to_vec(), [rows, width]), &device).require_grad();
            let weight =
                Tensor::<2>::from_data(TensorData::new(weight.to_vec(), [width, vocabulary]), &device).require_grad();
            let targets = Tensor::<1, Int>::from_data(TensorData::new(targets.clone(), [rows]), &device);
            (
                output_loss(hidden.clone(), weight.clone(), targets, 0.1, Precision::Fp32).smoothed,
                hidden,
                weight,
            )
        };
        let (total, hidden, weight) = loss(&hidden_values, &weight_values);
        let gradients = total.backward();
        let hidden_gradient: Vec<f32> = hidden.grad(&gradients).unwrap().into_data().iter::<f32>().collect();
        let weight_gradient: Vec<f32> = weight.grad(&gradients).unwrap().into_data().iter::<f32>().collect();

        let value = |hidden: &[f32], weight: &[f32]| loss(hidden, weight).0.into_scalar::<f32>();
        let step = 0.05;
        let slope = |values: &[f32], place: usize, value: &dyn Fn(&[f32]) -> f32| {
            let moved = |by: f32| {
                let mut values = values.to_vec();
                values[place] += by;
                value(&values)
            };
            (moved(step) - moved(-step)) / (2.0 * step)
        };
        for place in [0, 7, 3 * CHUNK + 4] {
            let slope = slope(&hidden_values, place, &|hidden| value(hidden, &weight_values));
            assert!(
                (slope - hidden_gradient[place]).abs() < 0.02,
                "{slope} against {}",
                hidden_gradient[place]
            );
        }
        for (place, gradient) in weight_gradient.iter().enumerate() {
            let slope = slope(&weight_values, place, &|weight| value(&hidden_values, weight));
            assert!((slope - gradient).abs() < 0.2, "{slope} against {gradient}");
        }
    }
}
