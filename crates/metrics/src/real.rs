//! The two precisions that scores are computed in: double for texts, single for resamples of them.
//!
//! sacreBLEU adds up and divides in single precision when it resamples. The p value counts how often a difference is
//! exceeded, so that equal p values need equal rounding. One formula serves both.

use std::ops::{Add, Div, Mul, Sub};

/// `f32` or `f64`.
pub(crate) trait Real:
    Copy + PartialOrd + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    /// The nearest number of this precision.
    fn of(value: f64) -> Self;

    /// The same number in double precision.
    fn double(self) -> f64;
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }

    fn double(self) -> f64 {
        self
    }
}

impl Real for f32 {
    fn of(value: f64) -> Self {
        value as f32
    }

    fn double(self) -> f64 {
        f64::from(self)
    }
}

/// The arithmetic mean, summed pairwise as NumPy does: eight running sums over at most 128 numbers, halves above that.
///
/// # Panics
///
/// Without a number.
pub(crate) fn mean<R: Real>(values: &[R]) -> R {
    assert!(!values.is_empty(), "nothing has no mean");
    R::of(pairwise_sum(values).double() / values.len() as f64)
}

/// The arithmetic mean of the exact sum, as Python's `statistics.mean` has it: rounding errors are carried along
/// (Neumaier 1974).
///
/// # Panics
///
/// Without a number.
pub(crate) fn exact_mean<R: Real>(values: &[R]) -> R {
    assert!(!values.is_empty(), "nothing has no mean");
    let (mut sum, mut lost) = (0.0, 0.0);
    for value in values.iter().map(|value| value.double()) {
        let next: f64 = sum + value;
        lost += match sum.abs() >= value.abs() {
            true => (sum - next) + value,
            false => (value - next) + sum,
        };
        sum = next;
    }
    R::of((sum + lost) / values.len() as f64)
}

const LANES: usize = 8;
const BLOCK: usize = 128;

fn pairwise_sum<R: Real>(values: &[R]) -> R {
    if values.len() > BLOCK {
        let half = values.len() / 2;
        let (left, right) = values.split_at(half - half % LANES);
        return pairwise_sum(left) + pairwise_sum(right);
    }
    let (rows, rest) = values.as_chunks::<LANES>();
    let sum = match rows.split_first() {
        None => R::of(0.0),
        Some((first, rows)) => {
            let mut lanes = *first;
            for row in rows {
                for (lane, value) in lanes.iter_mut().zip(row) {
                    *lane = *lane + *value;
                }
            }
            let [a, b, c, d, e, f, g, h] = lanes;
            ((a + b) + (c + d)) + ((e + f) + (g + h))
        }
    };
    rest.iter().fold(sum, |sum, value| sum + *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers whose sum depends on the order in single precision.
    fn values(count: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 7919) % 1000) as f32 * 0.037).collect()
    }

    #[rustfmt::skip]
    const NUMPY_MEANS: [(usize, f32); 6] = [
        (9, 20.90089), (127, 18.330734), (128, 18.393625), (129, 18.43231), (1000, 18.4815), (1003, 18.491037),
    ];

    #[test]
    fn the_mean_is_numpys_to_the_last_bit() {
        // numpy.mean of the same float32 arrays.
        for (count, expected) in NUMPY_MEANS {
            assert_eq!(mean(&values(count)), expected, "{count}");
        }
    }

    #[test]
    fn the_exact_mean_loses_nothing() {
        assert_eq!(exact_mean(&[1e16, 1.0, -1e16, 2.0]), 0.75);
        assert_eq!(exact_mean(&[0.1; 10]), 0.1);
        // statistics.mean of the same float32 numbers.
        assert_eq!(exact_mean(&values(1003)), 18.491035);
    }

    #[test]
    fn few_numbers_are_summed_in_order() {
        assert_eq!(pairwise_sum(&[1.0, 2.0, 3.5]), 6.5);
        assert_eq!(mean(&[4.0f32]), 4.0);
    }
}
