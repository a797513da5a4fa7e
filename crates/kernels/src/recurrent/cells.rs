//! What one sentence's state becomes at one position, and the gradient of that.
//!
//! All slices hold H numbers, or a multiple of them side by side.

use crate::instructions::vectorized;
use crate::numbers::{sigmoid, tanh};

/// Parts of H numbers.
#[inline(always)]
fn parts<const N: usize>(numbers: &[f32], width: usize) -> [&[f32]; N] {
    std::array::from_fn(|part| &numbers[part * width..][..width])
}

/// The same to be written.
#[inline(always)]
fn parts_mut<const N: usize>(numbers: &mut [f32], width: usize) -> [&mut [f32]; N] {
    let mut parts = numbers.chunks_exact_mut(width);
    std::array::from_fn(|_| parts.next().expect("as many parts"))
}

vectorized! {
    /// `own` is `h U + c`.
    pub(super) fn elman(gates: &[f32], own: &[f32], hidden: &mut [f32]) {
        for ((hidden, x), u) in hidden.iter_mut().zip(gates).zip(own) {
            *hidden = tanh(x + u);
        }
    }

    /// Writes the gradient of the gate.
    pub(super) fn elman_backward(of_hidden: &[f32], hidden: &[f32], gates: &mut [f32]) {
        for ((gate, d), h) in gates.iter_mut().zip(of_hidden).zip(hidden) {
            *gate = d * (1.0 - h * h);
        }
    }

    /// Keeps `r z n u_n`.
    pub(super) fn gru(gates: &[f32], own: &[f32], hidden: &mut [f32], kept: &mut [f32]) {
        let width = hidden.len();
        let [x_r, x_z, x_n] = parts(gates, width);
        let [u_r, u_z, u_n] = parts(own, width);
        let [kept_r, kept_z, kept_n, kept_u] = parts_mut(kept, width);
        for k in 0..width {
            let (r, z) = (sigmoid(x_r[k] + u_r[k]), sigmoid(x_z[k] + u_z[k]));
            let n = tanh(x_n[k] + r * u_n[k]);
            hidden[k] = n + z * (hidden[k] - n);
            kept_r[k] = r;
            kept_z[k] = z;
            kept_n[k] = n;
            kept_u[k] = u_n[k];
        }
    }

    /// Writes δ to `gates`, δ' to `own`, and what reaches the state before without U to `direct`.
    pub(super) fn gru_backward(
        of_hidden: &[f32],
        before: &[f32],
        kept: &[f32],
        gates: &mut [f32],
        own: &mut [f32],
        direct: &mut [f32],
    ) {
        let width = of_hidden.len();
        let [r, z, n, u] = parts(kept, width);
        let [of_r, of_z, of_n] = parts_mut(gates, width);
        let [own_r, own_z, own_n] = parts_mut(own, width);
        let (before, direct) = (&before[..width], &mut direct[..width]);
        for k in 0..width {
            let d = of_hidden[k];
            let d_n = d * (1.0 - z[k]) * (1.0 - n[k] * n[k]);
            let d_z = d * (before[k] - n[k]) * z[k] * (1.0 - z[k]);
            let d_r = d_n * u[k] * r[k] * (1.0 - r[k]);
            of_r[k] = d_r;
            of_z[k] = d_z;
            of_n[k] = d_n;
            own_r[k] = d_r;
            own_z[k] = d_z;
            own_n[k] = d_n * r[k];
            direct[k] = d * z[k];
        }
    }

    /// Keeps `i f g o s'`.
    pub(super) fn lstm(gates: &[f32], own: &[f32], hidden: &mut [f32], inner: &mut [f32], kept: &mut [f32]) {
        let width = hidden.len();
        let [x_i, x_f, x_g, x_o] = parts(gates, width);
        let [u_i, u_f, u_g, u_o] = parts(own, width);
        let [kept_i, kept_f, kept_g, kept_o, kept_s] = parts_mut(kept, width);
        let inner = &mut inner[..width];
        for k in 0..width {
            let (i, f) = (sigmoid(x_i[k] + u_i[k]), sigmoid(x_f[k] + u_f[k]));
            let (g, o) = (tanh(x_g[k] + u_g[k]), sigmoid(x_o[k] + u_o[k]));
            let s = f * inner[k] + i * g;
            inner[k] = s;
            hidden[k] = o * tanh(s);
            kept_i[k] = i;
            kept_f[k] = f;
            kept_g[k] = g;
            kept_o[k] = o;
            kept_s[k] = s;
        }
    }

    /// Writes δ to `gates`; the gradient of the inner state becomes that of the one before.
    pub(super) fn lstm_backward(
        of_hidden: &[f32],
        of_inner: &mut [f32],
        before: &[f32],
        kept: &[f32],
        gates: &mut [f32],
    ) {
        let width = of_hidden.len();
        let [i, f, g, o, s] = parts(kept, width);
        let [of_i, of_f, of_g, of_o] = parts_mut(gates, width);
        let (before, of_inner) = (&before[..width], &mut of_inner[..width]);
        for k in 0..width {
            let t = tanh(s[k]);
            let d_s = of_inner[k] + of_hidden[k] * o[k] * (1.0 - t * t);
            of_o[k] = of_hidden[k] * t * o[k] * (1.0 - o[k]);
            of_f[k] = d_s * before[k] * f[k] * (1.0 - f[k]);
            of_i[k] = d_s * g[k] * i[k] * (1.0 - i[k]);
            of_g[k] = d_s * i[k] * (1.0 - g[k] * g[k]);
            of_inner[k] = d_s * f[k];
        }
    }
}
