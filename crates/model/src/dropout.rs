//! Dropout (Srivastava et al. 2014) from a counter hash instead of a random generator's state.
//!
//! Whether a number is kept depends on the seed, the update, the micro-batch, the order of the call within the forward
//! pass and the number's place in its tensor, and on nothing else. So a resumed run drops what the uninterrupted one
//! would have dropped, on one thread or many, and the whole state is the update's number.

use burn::prelude::*;
use rayon::prelude::*;

/// Numbers hashed by one task; a multiple of every vector width.
const CHUNK: usize = 1 << 14;

/// Gives each dropout call of one forward pass a key of its own.
#[derive(Debug, Clone)]
pub struct DropoutStream {
    /// `None`: nothing is dropped.
    key: Option<u64>,
    calls: u64,
}

impl DropoutStream {
    /// For training: the pass of micro-batch `micro_batch` (from 0) of update `update` (from 1).
    pub fn new(seed: u64, update: u64, micro_batch: u64) -> Self {
        Self {
            key: Some(mix(mix(mix(seed) ^ update) ^ micro_batch)),
            calls: 0,
        }
    }

    /// For validation and search: nothing is dropped.
    pub fn off() -> Self {
        Self { key: None, calls: 0 }
    }

    fn next_key(&mut self) -> Option<u32> {
        self.calls += 1;
        self.key.map(|key| (mix(key ^ self.calls) >> 32) as u32)
    }
}

/// Sets each number to zero with probability `rate` and divides the others by `1 - rate`.
pub fn dropout<const D: usize>(x: Tensor<D>, rate: f64, stream: &mut DropoutStream) -> Tensor<D> {
    match stream.next_key() {
        Some(key) if rate > 0.0 => {
            let shape = x.shape();
            let mask = TensorData::new(keep_mask(shape.num_elements(), rate, key), shape);
            let mask = Tensor::from_data(mask, &x.device());
            x * mask
        }
        _ => x,
    }
}

/// `1 / (1 - rate)` where a number is kept, `0` where it is dropped.
fn keep_mask(len: usize, rate: f64, key: u32) -> Vec<f32> {
    let threshold = (rate * f64::from(u32::MAX)) as u32;
    let scale = (1.0 / (1.0 - rate)) as f32;
    let mut mask = vec![0.0; len];
    mask.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, values)| {
        let start = (chunk * CHUNK) as u32;
        for (offset, value) in values.iter_mut().enumerate() {
            *value = if hash(start.wrapping_add(offset as u32), key) >= threshold {
                scale
            } else {
                0.0
            };
        }
    });
    mask
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
    fn the_rate_is_met_and_the_mean_is_kept() {
        for rate in [0.1, 0.3, 0.5] {
            let mask = keep_mask(1 << 20, rate, 77);
            let dropped = mask.iter().filter(|value| **value == 0.0).count() as f64 / mask.len() as f64;
            assert!((dropped - rate).abs() < 2e-3, "{dropped} dropped at rate {rate}");
            let mean = mask.iter().map(|value| f64::from(*value)).sum::<f64>() / mask.len() as f64;
            assert!((mean - 1.0).abs() < 4e-3, "mean {mean} at rate {rate}");
        }
    }

    #[test]
    fn neighbours_calls_and_updates_are_independent() {
        let agree = |a: &[f32], b: &[f32]| a.iter().zip(b).filter(|(x, y)| x == y).count() as f64 / a.len() as f64;
        let mut first = DropoutStream::new(1, 10, 0);
        let keys = [
            first.next_key(),
            first.next_key(),
            DropoutStream::new(1, 11, 0).next_key(),
            DropoutStream::new(1, 10, 1).next_key(),
        ];
        let masks: Vec<_> = keys.iter().map(|key| keep_mask(1 << 16, 0.5, key.unwrap())).collect();
        for (i, a) in masks.iter().enumerate() {
            for b in &masks[i + 1..] {
                assert!((agree(a, b) - 0.5).abs() < 0.01);
            }
            assert!((agree(&a[1..], &a[..a.len() - 1]) - 0.5).abs() < 0.01);
        }
    }

    #[test]
    fn the_mask_does_not_depend_on_the_number_of_threads() {
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let four = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
        let mask = |pool: &rayon::ThreadPool| pool.install(|| keep_mask(100_003, 0.1, 5));
        assert_eq!(mask(&one), mask(&four));
    }

    #[test]
    fn an_inactive_stream_changes_nothing() {
        let x = Tensor::<1>::from_floats([1.0, 2.0, 3.0], &Device::flex());
        assert_eq!(
            dropout(x.clone(), 0.5, &mut DropoutStream::off()).into_data(),
            x.into_data()
        );
    }
}
