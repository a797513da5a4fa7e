//! Rows: dropout, normalisation, and their gradients.

use super::EPSILON;
use crate::dropout::Dropout;
use crate::instructions::vectorized;
use crate::numbers::{dot, sum};

vectorized! {
    /// `x + dropout(y)` in the place of x; the first number is number `index` of its tensor.
    pub fn add_dropped(x: &mut [f32], y: &[f32], dropout: Dropout, index: usize) {
        for (offset, (x, y)) in x.iter_mut().zip(y).enumerate() {
            *x += y * dropout.factor(index + offset);
        }
    }

    /// `dropout(from)`; the first number is number `index` of its tensor.
    pub fn scale_dropped(to: &mut [f32], from: &[f32], dropout: Dropout, index: usize) {
        for (offset, (to, from)) in to.iter_mut().zip(from).enumerate() {
            *to = from * dropout.factor(index + offset);
        }
    }

    /// `γ h + β` of every row.
    pub fn normalize(
        x: &[f32],
        y: Option<&[f32]>,
        gamma: &[f32],
        beta: &[f32],
        output: &mut [f32],
        dropout: Dropout,
        index: usize,
    ) {
        let width = gamma.len();
        let beta = &beta[..width];
        for (number, output) in output.chunks_exact_mut(width).enumerate() {
            let begin = number * width;
            let (x, y) = (&x[begin..][..width], y.map(|y| &y[begin..][..width]));
            let scale = center(x, y, output, dropout, index + begin);
            for i in 0..width {
                output[i] = output[i] * scale * gamma[i] + beta[i];
            }
        }
    }

    /// The same to the last bit; h and the scale of every row are written as well.
    pub fn normalize_and_keep(
        x: &[f32],
        y: Option<&[f32]>,
        gamma: &[f32],
        beta: &[f32],
        output: &mut [f32],
        rows: &mut [f32],
        scales: &mut [f32],
        dropout: Dropout,
        index: usize,
    ) {
        let width = gamma.len();
        let beta = &beta[..width];
        let lines = output.chunks_exact_mut(width).zip(rows.chunks_exact_mut(width));
        for (number, ((output, row), kept)) in lines.zip(scales).enumerate() {
            let begin = number * width;
            let (x, y) = (&x[begin..][..width], y.map(|y| &y[begin..][..width]));
            let scale = center(x, y, row, dropout, index + begin);
            *kept = scale;
            for i in 0..width {
                let h = row[i] * scale;
                row[i] = h;
                output[i] = h * gamma[i] + beta[i];
            }
        }
    }

    /// The gradient of x, to which `carried` is added, and sums over these rows for γ and β.
    pub fn normalize_backward(
        output: &[f32],
        carried: Option<&[f32]>,
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
            if let Some(carried) = carried {
                x.iter_mut().zip(&carried[begin..][..width]).for_each(|(x, carried)| *x += carried);
            }
        }
    }
}

/// `z - mean z`, and `1 / sqrt(var z + ε)`; the first number is number `index` of its tensor.
#[inline(always)]
fn center(x: &[f32], y: Option<&[f32]>, row: &mut [f32], dropout: Dropout, index: usize) -> f32 {
    let width = row.len();
    let x = &x[..width];
    match y {
        Some(y) => {
            let y = &y[..width];
            for i in 0..width {
                row[i] = x[i] + y[i] * dropout.factor(index + i);
            }
            let mean = sum(row) / width as f32;
            for z in row.iter_mut() {
                *z -= mean;
            }
        }
        None => {
            let mean = sum(x) / width as f32;
            for i in 0..width {
                row[i] = x[i] - mean;
            }
        }
    }
    1.0 / (dot(row, row) / width as f32 + EPSILON as f32).sqrt()
}
