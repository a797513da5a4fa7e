//! What one forward pass carries through the layers: the keys of its dropout and the precision of its products.

use ember_kernels::{Dropout, Precision};

/// One forward pass.
///
/// Whether a number is dropped depends on the seed, the update, the micro-batch, the order of the call within the pass
/// and the number's place in its tensor, and on nothing else. So a resumed run drops what the uninterrupted one would
/// have dropped, on one thread or many, and the whole state is the update's number.
#[derive(Debug, Clone)]
pub struct Pass {
    /// `None`: nothing is dropped.
    key: Option<u64>,
    calls: u64,
    precision: Precision,
}

impl Pass {
    /// For training: the pass of micro-batch `micro_batch` (from 0) of update `update` (from 1).
    pub fn training(seed: u64, update: u64, micro_batch: u64, precision: Precision) -> Self {
        Self {
            key: Some(mix(mix(mix(seed) ^ update) ^ micro_batch)),
            calls: 0,
            precision,
        }
    }

    /// For validation and search: nothing is dropped or rounded.
    pub fn inference() -> Self {
        Self {
            key: None,
            calls: 0,
            precision: Precision::Fp32,
        }
    }

    /// How operands of matrix products are rounded.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The next call of dropout.
    pub fn dropout(&mut self, rate: f64) -> Dropout {
        self.calls += 1;
        match self.key {
            Some(key) if rate > 0.0 => Dropout::new(rate, (mix(key ^ self.calls) >> 32) as u32),
            _ => Dropout::OFF,
        }
    }
}

/// One step of SplitMix64 (Steele et al. 2014), to derive keys from counters.
pub(crate) fn mix(x: u64) -> u64 {
    let mut z = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_updates_and_micro_batches_drop_differently() {
        let agree = |a: &[f32], b: &[f32]| a.iter().zip(b).filter(|(x, y)| x == y).count() as f64 / a.len() as f64;
        let pass = |update, micro_batch| Pass::training(1, update, micro_batch, Precision::Fp32);
        let mut first = pass(10, 0);
        let calls = [
            first.dropout(0.5),
            first.dropout(0.5),
            pass(11, 0).dropout(0.5),
            pass(10, 1).dropout(0.5),
        ];
        let factors: Vec<_> = calls.iter().map(|call| call.factors(1 << 16)).collect();
        for (i, a) in factors.iter().enumerate() {
            for b in &factors[i + 1..] {
                assert!((agree(a, b) - 0.5).abs() < 0.01);
            }
        }
        assert_eq!(pass(10, 0).dropout(0.5), calls[0]);
    }

    #[test]
    fn inference_and_a_rate_of_zero_drop_nothing() {
        assert_eq!(Pass::inference().dropout(0.5), Dropout::OFF);
        assert_eq!(Pass::training(1, 1, 0, Precision::Fp32).dropout(0.0), Dropout::OFF);
    }
}
