//! Dropout (Srivastava et al. 2014) from a counter hash instead of a random generator's state.
//!
//! Whether number `i` of a tensor is kept is a hash of `i` and a key. Nothing is stored for the backward pass, which
//! asks the hash again; results do not depend on threads; and the key is all there is to save of its state.

use burn::prelude::*;
use rayon::prelude::*;

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
        let shape = x.shape();
        let factors = TensorData::new(self.factors(shape.num_elements()), shape);
        let factors = Tensor::from_data(factors, &x.device());
        x * factors
    }
}

/// An avalanche hash of 32 bits: each input bit flips each output bit about every second time.
#[inline(always)]
fn hash(index: u32, key: u32) -> u32 {
    let mut x = index.wrapping_mul(0x9E37_79B1) ^ key;
    x ^= x >> 16;
    x = x.wrapping_mul(0x7FEB_352D);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846C_A68B);
    x ^ (x >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instructions::InstructionSet;
    use crate::testing::pool;

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

    #[test]
    fn off_changes_nothing() {
        let x = Tensor::<1>::from_floats([1.0, 2.0, 3.0], &Device::flex());
        assert_eq!(Dropout::OFF.apply(x.clone()).into_data(), x.into_data());
        assert_eq!(Dropout::OFF.factor(3), 1.0);
    }
}
