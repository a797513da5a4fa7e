//! The loss of R-Drop (Liang et al. 2021, equations 1 to 4).
//!
//! A batch goes through the model twice, each time with other numbers dropped. Of every target token there are two
//! distributions then, and beside the cross-entropy of each the model is trained on how far they lie apart:
//!
//! ```text
//! p = softmax(h W), q = softmax(h' W)        h, h' the rows of one target, the first and the second pass
//!
//! divergence = (KL(p||q) + KL(q||p)) / 2                                                           (1)
//! trained    = (loss(p) + loss(q)) / 2 + α/2 divergence                                            (2, 3, halved)
//! ```
//!
//! `loss` is the label-smoothed cross-entropy of the module above, where the paper has the plain one. The paper trains
//! on twice this sum: with α its own, its α means the same here, and without dropout, where the divergence is
//! none, the loss is that of a single pass, so that learning rate, clipping and reported losses keep their scale.
//!
//! With `d_v = log p_v - log q_v` the gradients that the logits turn into are
//!
//! ```text
//! d divergence / d logit_v  = (p_v (d_v - KL(p||q)) + p_v - q_v) / 2
//! d divergence / d logit'_v = (q_v (-d_v - KL(q||p)) + q_v - p_v) / 2
//! ```
//!
//! N targets, V vocabulary, R what the output projection reads.

use burn::prelude::*;
use rayon::prelude::*;

use super::{LossRule, PAD, Projection, Sums, fused};
use crate::cpu::{ids, is_fused};
use crate::instructions::vectorized;
use crate::numbers::{dot, exp, max, sum, uninitialized};
use crate::precision::Precision;

pub mod reference;

/// How losses of two passes become one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairRule {
    /// ε of the label smoothing.
    pub smoothing: f64,
    /// α, what the divergence counts; 5 in the paper's translation experiments.
    pub divergence_weight: f64,
    /// How operands of matrix products are rounded.
    pub precision: Precision,
}

/// Sums over the target tokens of a batch; padding counts nothing.
pub struct PairedLoss {
    /// To be trained on, in nats: `[1]`.
    pub trained: Tensor<1>,
    /// The smoothed loss, the mean of both passes, in nats: `[1]`, without a gradient.
    pub smoothed: Tensor<1>,
    /// The plain negative log-likelihood, the mean of both passes, in nats: `[1]`, without a gradient.
    pub nll: Tensor<1>,
    /// How far the two passes lie apart, in nats: `[1]`, without a gradient.
    pub divergence: Tensor<1>,
}

/// Loss of the hidden states of two passes against the same reference tokens.
///
/// # Shapes
/// - `hidden`: `[2 N, R]`, the first pass's rows and behind them the second's
/// - `targets`: `[N]`
///
/// # Panics
/// When there are not two rows for each target.
pub fn paired_output_loss(
    hidden: Tensor<2>,
    projection: Projection,
    targets: Tensor<1, Int>,
    rule: PairRule,
) -> PairedLoss {
    if !is_fused(&hidden.device()) {
        return reference::paired_output_loss(hidden, projection.weight(), targets, rule);
    }
    let [trained, smoothed, nll, divergence] = fused(hidden, projection, |is_table| LossRule {
        targets: ids(targets).into(),
        smoothing: rule.smoothing,
        precision: rule.precision,
        is_table,
        divergence_weight: Some(rule.divergence_weight),
    });
    PairedLoss {
        trained,
        smoothed: smoothed.detach(),
        nll: nll.detach(),
        divergence: divergence.detach(),
    }
}

/// The losses of each target. The first half of the logits belongs to the first pass, the other one to the second; they
/// become their own gradients.
pub(super) fn losses(logits: &mut [f32], targets: &[u32], smoothing: f32, divergence_weight: f32) -> Vec<Sums<f32>> {
    let vocabulary = logits.len() / (2 * targets.len());
    let (first, second) = logits.split_at_mut(targets.len() * vocabulary);
    let rows = first
        .par_chunks_mut(vocabulary)
        .zip(second.par_chunks_mut(vocabulary))
        .zip(targets);
    rows.map_init(
        || uninitialized(vocabulary),
        |difference, ((first, second), target)| {
            if *target == PAD {
                first.fill(0.0);
                second.fill(0.0);
                return [0.0; 4];
            }
            let [smoothed, nll, divergence] = pair_loss(
                first,
                second,
                difference,
                *target as usize,
                smoothing,
                divergence_weight,
            );
            [
                smoothed + 0.5 * divergence_weight * divergence,
                smoothed,
                nll,
                divergence,
            ]
        },
    )
    .collect()
}

vectorized! {
    /// The smoothed loss, the plain one and the divergence of one target, whose logits become their own gradients.
    /// `d`, as long as they are, is written over.
    fn pair_loss(
        p: &mut [f32],
        q: &mut [f32],
        d: &mut [f32],
        target: usize,
        smoothing: f32,
        divergence_weight: f32,
    ) -> [f32; 3] {
        let count = p.len() as f32;
        let highest = [max(p), max(q)];
        let mean = 0.5 * (sum(p) + sum(q)) / count;
        let reference = 0.5 * (p[target] + q[target]);
        for ((p, q), d) in p.iter_mut().zip(q.iter_mut()).zip(d.iter_mut()) {
            *d = *p - *q;
            *p = exp(*p - highest[0]);
            *q = exp(*q - highest[1]);
        }
        let totals = [sum(p), sum(q)];
        let log_sums = [highest[0] + totals[0].ln(), highest[1] + totals[1].ln()];
        let (inverse, shift) = ([1.0 / totals[0], 1.0 / totals[1]], log_sums[0] - log_sums[1]);
        for ((p, q), d) in p.iter_mut().zip(q.iter_mut()).zip(d.iter_mut()) {
            *p *= inverse[0];
            *q *= inverse[1];
            *d -= shift;
        }
        // KL(p||q) and KL(q||p).
        let (of_p, of_q) = (dot(p, d), -dot(q, d));
        // The mean of two losses halves their gradients, and half the weight halves those of the divergence once more.
        let (uniform, weight) = (0.5 * smoothing / count, 0.25 * divergence_weight);
        for ((p, q), d) in p.iter_mut().zip(q.iter_mut()).zip(d.iter()) {
            let apart = *p - *q;
            let [to_p, to_q] = [*p * (*d - of_p) + apart, *q * (-*d - of_q) - apart];
            *p = 0.5 * *p - uniform + weight * to_p;
            *q = 0.5 * *q - uniform + weight * to_q;
        }
        p[target] -= 0.5 * (1.0 - smoothing);
        q[target] -= 0.5 * (1.0 - smoothing);
        let log_sum = 0.5 * (log_sums[0] + log_sums[1]);
        let nll = log_sum - reference;
        [(1.0 - smoothing) * nll + smoothing * (log_sum - mean), nll, 0.5 * (of_p + of_q)]
    }
}

#[cfg(test)]
mod tests;
