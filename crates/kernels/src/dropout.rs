//! Dropout (Srivastava et al. 2014) from a counter hash instead of a random generator's state.
//!
//! Whether number `i` of a tensor is kept is a hash of `i` and a key. Nothing is stored for the backward pass, which
//! asks the hash again; results do not depend on threads; and the key is all there is to save of its state.

use burn::prelude::*;
use burn::tensor::DType;
use rayon::prelude::*;

use crate::cpu::is_cpu;
use crate::numbers::CHUNK;

/// What one call of dropout does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// Names the pattern; every call of a training has its own.
    key: u32,
    /// Numbers whose hash is below it are dropped.
    threshold: u32,
    /// What the others are multiplied by: `1 / (1 - rate)`.
    scale: f32,
}

impl Dropout {
    /// Nothing is dropped.
    pub const OFF: Self = Self {
        key: 0,
        threshold: 0,
        scale: 1.0,
    };

    /// Drops numbers with probability `rate`, from 0 to below 1.
    pub fn new(rate: f64, key: u32) -> Self {
        Self {
            key,
            threshold: (rate * f64::from(u32::MAX)) as u32,
            scale: (1.0 / (1.0 - rate)) as f32,
        }
    }

    /// Whether nothing is dropped.
    pub fn is_off(&self) -> bool {
        self.threshold == 0
    }

    /// What number `index` is multiplied by: 0 or `1 / (1 - rate)`. Indices are taken modulo 2^32.
    #[inline(always)]
    pub fn factor(&self, index: usize) -> f32 {
        if hash(index as u32, self.key) >= self.threshold {
            self.scale
        } else {
            0.0
        }
    }

    /// What a number that was kept is multiplied by.
    #[inline(always)]
    pub(crate) fn scale(&self) -> f32 {
        self.scale
    }

    /// The factors of `len` numbers.
    pub fn factors(&self, len: usize) -> Vec<f32> {
        let mut factors = vec![0.0; len];
        factors.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, values)| {
            for (offset, value) in values.iter_mut().enumerate() {
                *value = self.factor(chunk * CHUNK + offset);
            }
        });
        factors
    }

    /// Dropout in plain Burn operations.
    pub fn apply<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        if self.is_off() {
            return x;
        }
        let (shape, device) = (x.shape(), x.device());
        let factors = if is_cpu(&device) || !device.supports_dtype(DType::U32) {
            Tensor::from_data(TensorData::new(self.factors(shape.num_elements()), shape), &device)
        } else {
            self.factors_made_by(&device, rows_and_columns(&shape)).reshape(shape)
        };
        x * factors
    }

    /// The factors of `rows` times `columns` numbers. The device hashes; what it is sent is a number for each row and
    /// each column, as an index times [`INDEX_FACTOR`] is the sum of what row and column add to it.
    fn factors_made_by(self, device: &Device, [rows, columns]: [usize; 2]) -> Tensor<2> {
        let words = |count: usize, step: usize, shape: [usize; 2]| {
            let words = (0..count).map(|i| ((i * step) as u32).wrapping_mul(INDEX_FACTOR));
            Tensor::<2, Int>::from_data(TensorData::new(words.collect(), shape), (device, DType::U32))
        };
        let shifted = |x: Tensor<2, Int>, bits: u32| x.clone().bitwise_xor(x.bitwise_right_shift_scalar(bits));
        let x = words(rows, columns, [rows, 1]) + words(columns, 1, [1, columns]);
        let x = shifted(x.bitwise_xor_scalar(self.key), SHIFTS[0]).mul_scalar(MIXERS[0]);
        let x = shifted(shifted(x, SHIFTS[1]).mul_scalar(MIXERS[1]), SHIFTS[2]);
        x.greater_equal_scalar(self.threshold).float().mul_scalar(self.scale)
    }
}

/// A tensor as a matrix whose columns, the last dimensions, are few beside all its numbers.
fn rows_and_columns(shape: &Shape) -> [usize; 2] {
    const MOST_COLUMNS: usize = 1 << 14;
    let mut columns = 1;
    for size in shape.iter().rev() {
        if columns * size > MOST_COLUMNS {
            break;
        }
        columns *= size;
    }
    [shape.num_elements() / columns.max(1), columns]
}

/// Spreads indices over all 32 bits.
const INDEX_FACTOR: u32 = 0x9E37_79B1;

/// What [`hash`] mixes bits by.
const MIXERS: [u32; 2] = [0x7FEB_352D, 0x846C_A68B];
const SHIFTS: [u32; 3] = [16, 15, 16];

/// An avalanche hash of 32 bits: each input bit flips each output bit about every second time.
#[inline(always)]
fn hash(index: u32, key: u32) -> u32 {
    let mut x = index.wrapping_mul(INDEX_FACTOR) ^ key;
    x ^= x >> SHIFTS[0];
    x = x.wrapping_mul(MIXERS[0]);
    x ^= x >> SHIFTS[1];
    x = x.wrapping_mul(MIXERS[1]);
    x ^ (x >> SHIFTS[2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instructions::InstructionSet;
    use crate::testing::{devices, pool, values};

    #[test]
    fn the_rate_is_met_and_the_mean_is_kept() {
        for rate in [0.1, 0.3, 0.5] {
            let factors = Dropout::new(rate, 77).factors(1 << 20);
            let dropped = factors.iter().filter(|value| **value == 0.0).count() as f64 / factors.len() as f64;
            assert!((dropped - rate).abs() < 2e-3, "{dropped} dropped at rate {rate}");
            let mean = factors.iter().map(|value| f64::from(*value)).sum::<f64>() / factors.len() as f64;
            assert!((mean - 1.0).abs() < 4e-3, "mean {mean} at rate {rate}");
        }
    }

    #[test]
    fn neighbours_and_keys_are_independent() {
        let agree = |a: &[f32], b: &[f32]| a.iter().zip(b).filter(|(x, y)| x == y).count() as f64 / a.len() as f64;
        let [a, b] = [1, 2].map(|key| Dropout::new(0.5, key).factors(1 << 16));
        assert!((agree(&a, &b) - 0.5).abs() < 0.01);
        assert!((agree(&a[1..], &a[..a.len() - 1]) - 0.5).abs() < 0.01);
    }

    #[test]
    fn the_pattern_does_not_depend_on_the_number_of_threads() {
        let best = InstructionSet::detect();
        let factors = |threads| pool(threads, best).install(|| Dropout::new(0.1, 5).factors(100_003));
        assert_eq!(factors(1), factors(4));
    }

    /// Devices without fused operations hash by themselves; here it is the CPU's backends that do so.
    #[test]
    fn devices_find_the_same_factors() {
        for device in devices() {
            for shape in [[1, 1], [3, 5], [1, 70], [1030, 33], [7, 20_000]] {
                for key in [0, 5, u32::MAX] {
                    let dropout = Dropout::new(0.3, key);
                    let found = dropout.factors_made_by(&device, shape);
                    assert_eq!(
                        values(found),
                        dropout.factors(shape[0] * shape[1]),
                        "{shape:?}, {key} on {device:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn few_numbers_say_which_index_stands_where() {
        for (shape, expected) in [
            (vec![1], [1, 1]),
            (vec![70_000], [70_000, 1]),
            (vec![25_024, 512], [25_024, 512]),
            (vec![782, 8, 32, 32], [782, 8192]),
            (vec![3, 5, 7], [1, 105]),
            (vec![0, 5], [0, 0]),
        ] {
            assert_eq!(rows_and_columns(&Shape::from(shape)), expected);
        }
    }

    #[test]
    fn off_changes_nothing() {
        let x = Tensor::<1>::from_floats([1.0, 2.0, 3.0], &Device::flex());
        assert_eq!(Dropout::OFF.apply(x.clone()).into_data(), x.into_data());
        assert_eq!(Dropout::OFF.factor(3), 1.0);
    }
}
