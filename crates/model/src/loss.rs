//! Label-smoothed cross-entropy (Szegedy et al. 2016, section 7; Vaswani et al. 2017, section 5.4).
//!
//! The target distribution is `1 - ε` at the reference token plus `ε / V` everywhere, the reference included, so that
//! `loss = (1 - ε) (-log p(y)) + ε mean_v(-log p(v))`. Sums, not means, are returned: an update's loss is the sum over
//! all its micro-batches divided by their target tokens.

use burn::prelude::*;

use crate::PAD;

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
/// - `hidden`: `[N, R]`, `output_weight`: `[R, V]`
/// - `targets`: `[N]`, 0 is padding
pub fn output_loss(hidden: Tensor<2>, output_weight: Tensor<2>, targets: Tensor<1, Int>, smoothing: f64) -> OutputLoss {
    let [rows, _] = hidden.dims();
    let real = targets.clone().not_equal_scalar(PAD as i32).float();
    let logits = hidden.matmul(output_weight); // [N, V]
    let nll = token_losses(logits, targets.reshape([rows, 1]));
    let smoothed = nll.reference.clone().mul_scalar(1.0 - smoothing) + nll.uniform.mul_scalar(smoothing);
    OutputLoss { smoothed: (smoothed * real.clone()).sum(), nll: (nll.reference * real).sum() }
}

struct TokenLosses {
    /// `-log p(y)`, `[N]`.
    reference: Tensor<1>,
    /// `mean_v(-log p(v))`, `[N]`.
    uniform: Tensor<1>,
}

/// With `z` the logits less their row's largest: `-log p(v) = log Σ exp(z) - z_v`.
fn token_losses(logits: Tensor<2>, targets: Tensor<2, Int>) -> TokenLosses {
    let [rows, _] = logits.dims();
    let largest = logits.clone().detach().max_dim(1);
    let z = logits - largest;
    let log_sum = z.clone().exp().sum_dim(1).log().reshape([rows]);
    let reference = z.clone().gather(1, targets).reshape([rows]);
    let mean = z.mean_dim(1).reshape([rows]);
    TokenLosses { reference: log_sum.clone() - reference, uniform: log_sum - mean }
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
        let loss = output_loss(hidden, weight, targets, 0.1);
        let [p0, p1, p2] = [1.0f64 / 8.0, 2.0 / 8.0, 5.0 / 8.0];
        let uniform = -(p0.ln() + p1.ln() + p2.ln()) / 3.0;
        assert!((loss.nll.into_scalar::<f32>() as f64 + p2.ln()).abs() < 1e-6);
        assert!((loss.smoothed.into_scalar::<f32>() as f64 - (-0.9 * p2.ln() + 0.1 * uniform)).abs() < 1e-6);
    }
}
