//! The loss of R-Drop in plain Burn operations: the smoothed loss of all rows, and the divergence of the pairs, each with
//! the logits of a few rows at a time.
//!
//! N targets, V vocabulary, R what the output projection reads.

use burn::prelude::*;
use burn::tensor::activation::log_softmax;

use super::{PairRule, PairedLoss};
use crate::output_loss::{OutputLoss, PAD, reference};
use crate::precision::{Precision, product};

/// Targets whose logits exist at the same time.
const CHUNK: usize = 256;

/// Loss of the hidden states of two passes against the same reference tokens.
///
/// # Shapes
/// - `hidden`: `[2 N, R]`, `output_weight`: `[R, V]`
/// - `targets`: `[N]`, 0 is padding
pub fn paired_output_loss(
    hidden: Tensor<2>,
    output_weight: Tensor<2>,
    targets: Tensor<1, Int>,
    rule: PairRule,
) -> PairedLoss {
    let [rows, _] = hidden.dims();
    let [count] = targets.dims();
    assert_eq!(rows, 2 * count, "two rows for each target");
    let twice = Tensor::cat(vec![targets.clone(), targets.clone()], 0);
    let OutputLoss { smoothed, nll } = reference::output_loss(
        hidden.clone(),
        output_weight.clone(),
        twice,
        rule.smoothing,
        rule.precision,
    );
    let smoothed = smoothed.mul_scalar(0.5);
    let divergence = divergence(hidden, output_weight, targets, rule.precision);
    PairedLoss {
        trained: smoothed.clone() + divergence.clone().mul_scalar(0.5 * rule.divergence_weight),
        smoothed: smoothed.detach(),
        nll: nll.mul_scalar(0.5),
        divergence: divergence.detach(),
    }
}

/// `(KL(p||q) + KL(q||p)) / 2` summed over the targets that are no padding: `[1]`. Its gradients are found with it, as
/// those of the loss are.
fn divergence(hidden: Tensor<2>, weight: Tensor<2>, targets: Tensor<1, Int>, precision: Precision) -> Tensor<1> {
    let tracked = hidden.is_tracked() || weight.is_tracked();
    let [count] = targets.dims();
    let real = targets.inner().not_equal_scalar(PAD as i32).float().reshape([count, 1]); // [N, 1]
    let (rows, matrix) = (hidden.clone().inner(), weight.clone().inner());
    let mut sum = Tensor::<1>::zeros([1], &rows.device());
    let mut hidden_gradients = [Vec::new(), Vec::new()];
    let mut weight_gradient = Tensor::<2>::zeros(matrix.dims(), &rows.device());
    for start in (0..count).step_by(CHUNK) {
        let chunk = start..count.min(start + CHUNK);
        let real = real.clone().slice_dim(0, chunk.clone());
        let pass = |pass: usize| {
            rows.clone()
                .slice_dim(0, pass * count + chunk.start..pass * count + chunk.end)
        };
        let passes = [pass(0), pass(1)]; // [n, R] each
        let logs = passes
            .clone()
            .map(|rows| log_softmax(product(rows, matrix.clone(), precision), 1)); // [n, V] each
        let Apart { divergence, gradients } = apart(logs);
        sum = sum + (divergence * real.clone()).sum();
        if !tracked {
            continue;
        }
        for ((gradient, rows), found) in gradients.into_iter().zip(passes).zip(&mut hidden_gradients) {
            let gradient = gradient * real.clone();
            found.push(product(gradient.clone(), matrix.clone().transpose(), precision));
            weight_gradient = weight_gradient + product(rows.transpose(), gradient, precision);
        }
    }
    let sum = Tensor::from_inner(sum);
    if !tracked {
        return sum;
    }
    let hidden_gradient = Tensor::cat(hidden_gradients.into_iter().flatten().collect(), 0);
    let carrier =
        (hidden * Tensor::from_inner(hidden_gradient)).sum() + (weight * Tensor::from_inner(weight_gradient)).sum();
    // Zero in value, so that only the derivatives count.
    carrier.clone() - carrier.detach() + sum
}

/// How far two rows of distributions lie apart.
struct Apart {
    /// `[n, 1]`.
    divergence: Tensor<2>,
    /// By the logits of each: `[n, V]`.
    gradients: [Tensor<2>; 2],
}

/// Of distributions given by their logarithms, `[n, V]` each.
fn apart([log_p, log_q]: [Tensor<2>; 2]) -> Apart {
    let (p, q) = (log_p.clone().exp(), log_q.clone().exp());
    let difference = log_p - log_q;
    let of_p = (p.clone() * difference.clone()).sum_dim(1); // KL(p||q)
    let of_q = (q.clone() * difference.clone()).sum_dim(1).neg(); // KL(q||p)
    let apart = p.clone() - q.clone();
    let gradients = [
        p * (difference.clone() - of_p.clone()) + apart.clone(),
        q * (difference.neg() - of_q.clone()) - apart,
    ];
    Apart {
        divergence: (of_p + of_q).mul_scalar(0.5),
        gradients: gradients.map(|gradient| gradient.mul_scalar(0.5)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_case_by_hand() {
        let device = Device::flex();
        // Rows 1 and 2 of the vocabulary's logits: p = 1/8, 2/8, 5/8 and q = 1/3 each; the second target is padding.
        let hidden = Tensor::<2>::from_floats([[1.0], [7.0], [0.0], [9.0]], &device);
        let weight = Tensor::<2>::from_floats([[0.0, 2f32.ln(), 5f32.ln()]], &device);
        let targets = Tensor::<1, Int>::from_ints([2, 0], &device);
        let rule = PairRule {
            smoothing: 0.0,
            divergence_weight: 5.0,
            precision: Precision::Fp32,
        };
        let loss = paired_output_loss(hidden, weight, targets, rule);
        let (p, q) = ([1.0f64 / 8.0, 2.0 / 8.0, 5.0 / 8.0], 1.0f64 / 3.0);
        let divergence: f64 = p.iter().map(|p| (p - q) * (p / q).ln() / 2.0).sum();
        let nll = -(p[2].ln() + q.ln()) / 2.0;
        let close = |found: Tensor<1>, expected: f64| {
            let found = f64::from(found.into_scalar::<f32>());
            assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
        };
        close(loss.divergence, divergence);
        close(loss.nll, nll);
        close(loss.smoothed, nll);
        close(loss.trained, nll + 2.5 * divergence);
    }
}
