//! Sums, maxima and `exp` over slices, written so that the compiler makes vector code of them.
//!
//! All keep [`LANES`] partial results, whatever the width of the registers, so that every machine rounds alike. To be
//! called from [`crate::instructions::vectorized`] functions.

/// Partial results kept at the same time: enough to hide the latency of additions in the widest registers.
const LANES: usize = 32;

/// `Σ x`.
#[inline(always)]
pub fn sum(x: &[f32]) -> f32 {
    let mut sum = Sum::default();
    sum.add(x);
    sum.total()
}

/// A sum of numbers that come in parts: the same bits as if they came at once, if all parts but the last are [`PART`]
/// long.
#[derive(Default)]
pub struct Sum {
    lanes: [f32; LANES],
    /// The sum of the numbers that do not fill all lanes.
    rest: f32,
}

/// Numbers that stay in the first cache from one loop over them to the next.
pub const PART: usize = 32 * LANES;

impl Sum {
    /// Adds the next part.
    #[inline(always)]
    pub fn add(&mut self, part: &[f32]) {
        let (chunks, rest) = part.as_chunks::<LANES>();
        for chunk in chunks {
            for (lane, x) in self.lanes.iter_mut().zip(chunk) {
                *lane += x;
            }
        }
        self.rest += rest.iter().sum::<f32>();
    }

    /// The sum of all parts.
    #[inline(always)]
    pub fn total(self) -> f32 {
        fold(self.lanes, |a, b| a + b) + self.rest
    }
}

/// `Σ x y`.
#[inline(always)]
pub fn dot(x: &[f32], y: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (x_chunks, x_rest) = x.as_chunks::<LANES>();
    let (y_chunks, y_rest) = y.as_chunks::<LANES>();
    for (x, y) in x_chunks.iter().zip(y_chunks) {
        for ((lane, x), y) in lanes.iter_mut().zip(x).zip(y) {
            *lane += x * y;
        }
    }
    fold(lanes, |a, b| a + b) + x_rest.iter().zip(y_rest).map(|(x, y)| x * y).sum::<f32>()
}

/// The largest of `x`; minus infinity if there is none.
#[inline(always)]
pub fn max(x: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, *x);
        }
    }
    rest.iter().fold(fold(lanes, larger), |a, b| larger(a, *b))
}

/// Halves the lanes until one is left.
#[inline(always)]
fn fold(mut lanes: [f32; LANES], join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] = join(lanes[i], lanes[i + half]);
        }
        half /= 2;
    }
    lanes[0]
}

/// `e^x` with a relative error of at most 3e-7; below -87 it is 1.6e-38 and above 88 it is 1.7e38. What is not a number
/// stays so.
///
/// `e^x = 2^n e^r` with `n` the integer nearest to `x / ln 2`, `ln 2` subtracted in two parts (Cody and Waite 1980) and
/// `e^r` a polynomial on `|r| <= ln(2)/2`.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    /// Added and subtracted, it rounds to the nearest integer: 1.5 * 2^23.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    // The Taylor coefficients 1/k! up to r^7; the first that is left out adds less than 6e-9.
    let p = 1.0 / 5040.0;
    let p = p * r + 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let power = p * (r * r) + r + 1.0;
    // The lowest bits of `shifted` are n, from -126 to 127 because of the clamp; those of ROUND are shifted out.
    power * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23)
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// `tanh x` to 2e-7.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (1.0 + exp(2.0 * x))
}

/// `tanh x`, and its slope `1 - tanh² x` without the digits that this difference would lose.
#[inline(always)]
pub fn tanh_and_slope(x: f32) -> (f32, f32) {
    let e = exp(2.0 * x);
    let r = 2.0 / (1.0 + e);
    (1.0 - r, r * (r * e))
}

/// A number of which any bits are one.
pub trait Plain: Copy {}
impl Plain for f32 {}
impl Plain for u32 {}

/// Chunks of a buffer; of an empty one, as many empty ones.
pub fn chunks_or_empty(buffer: &mut [f32], size: usize, count: usize) -> Vec<&mut [f32]> {
    if buffer.is_empty() {
        return (0..count).map(|_| <&mut [f32]>::default()).collect();
    }
    buffer.chunks_mut(size).collect()
}

/// A buffer that holds what was in its memory before: zeroing the hundreds of megabytes of an update would cost a tenth of
/// its time. A number is to be read only where it was written; what a mask hides is never read.
#[allow(clippy::uninit_vec)]
pub fn uninitialized<T: Plain>(len: usize) -> Vec<T> {
    let mut buffer = Vec::with_capacity(len);
    // SAFETY: the capacity is there, there is nothing to drop, and nothing is read before it is written.
    unsafe { buffer.set_len(len) };
    buffer
}

/// Numbers that one task of an element-wise operation handles.
pub const CHUNK: usize = 1 << 14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_exact_to_the_last_digits() {
        let mut worst = 0.0f64;
        for step in -870_000..=880_000 {
            let x = step as f32 * 1e-4;
            let expected = f64::from(x).exp();
            worst = worst.max(((f64::from(exp(x)) - expected) / expected).abs());
        }
        assert!(worst < 3e-7, "relative error {worst:e}");
        assert!(exp(-1e9) < 2e-38 && exp(-1e9) >= 0.0);
        assert!(exp(1e9).is_finite());
        assert!(exp(f32::NAN).is_nan());
    }

    /// Less than a part, whole parts, and more; lanes that are not all filled.
    #[test]
    fn sums_in_parts_are_those_of_all_at_once() {
        for count in [
            0,
            1,
            LANES + 3,
            PART - 1,
            PART,
            PART + 1,
            3 * PART,
            3 * PART + LANES / 2,
        ] {
            let x: Vec<f32> = (0..count).map(|i| (i as f32 * 0.7).sin()).collect();
            let mut lanes = [0.0f32; LANES];
            let filled = count / LANES * LANES;
            for (i, x) in x[..filled].iter().enumerate() {
                lanes[i % LANES] += x;
            }
            let at_once = fold(lanes, |a, b| a + b) + x[filled..].iter().sum::<f32>();
            let mut in_parts = Sum::default();
            x.chunks(PART).for_each(|part| in_parts.add(part));
            assert_eq!(in_parts.total().to_bits(), at_once.to_bits(), "{count} numbers");
            assert_eq!(sum(&x).to_bits(), at_once.to_bits(), "{count} numbers");
        }
    }

    #[test]
    fn sigmoid_and_tanh_are_exact_to_the_last_digits() {
        for step in -30_000..=30_000 {
            let x = step as f32 * 1e-3;
            let wide = f64::from(x);
            assert!((f64::from(tanh(x)) - wide.tanh()).abs() < 2e-7, "tanh {x}");
            assert!(
                (f64::from(sigmoid(x)) - 1.0 / (1.0 + (-wide).exp())).abs() < 2e-7,
                "sigmoid {x}"
            );
        }
        assert!(tanh(f32::NAN).is_nan() && sigmoid(f32::NAN).is_nan());
    }

    #[test]
    fn sums_and_maxima_of_every_length() {
        for length in 0..100usize {
            let x: Vec<f32> = (0..length).map(|i| ((i * 37) % 19) as f32 - 9.0).collect();
            let y: Vec<f32> = (0..length).map(|i| ((i * 11) % 7) as f32).collect();
            assert_eq!(sum(&x), x.iter().sum::<f32>());
            assert_eq!(dot(&x, &y), x.iter().zip(&y).map(|(x, y)| x * y).sum::<f32>());
            assert_eq!(max(&x), x.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        }
    }
}
