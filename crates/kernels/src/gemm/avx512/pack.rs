//! Factors copied in the order in which tiles read them, and rounded to bf16 where that is wanted.

use std::arch::x86_64::*;

use super::super::Precision;
use super::tile::lane_masks;
use super::{TILE_ROWS, steps};

/// Lanes (columns of a right factor, rows of a left one) side by side, `depth` numbers each.
pub(super) struct Lines<'a> {
    pub data: &'a [f32],
    pub lanes: usize,
    pub lane_stride: usize,
    pub depth: usize,
    pub depth_stride: usize,
}

impl Lines<'_> {
    /// Writes `[steps, WIDTH]` words; lanes that are not there become zero. Only rows of a left factor that are contiguous
    /// are written as `[WIDTH, steps]`, and those that are not there are left out.
    pub fn pack<const WIDTH: usize>(&self, precision: Precision, words: &mut [u32]) {
        let last = (self.lanes - 1) * self.lane_stride + (self.depth - 1) * self.depth_stride;
        assert!(last < self.data.len() && words.len() == WIDTH * steps(self.depth, precision));
        // SAFETY: all numbers lie before `last`, all words were counted; the instructions were found before.
        unsafe {
            match (precision, self.lane_stride, self.depth_stride) {
                // First, as a single row has both strides 1.
                (Precision::Bf16, _, 1) if WIDTH == TILE_ROWS => self.round_rows(words),
                (Precision::Fp32, 1, _) => self.copy_fp32::<WIDTH>(words),
                (Precision::Bf16, 1, _) => self.copy_bf16::<WIDTH>(words),
                (Precision::Fp32, _, 1) => self.transpose_fp32::<WIDTH>(words),
                (Precision::Bf16, _, 1) => self.transpose_bf16::<WIDTH>(words),
                _ => unreachable!("one of a matrix's strides is 1"),
            }
        }
    }

    /// Lanes are contiguous.
    #[target_feature(enable = "avx512f")]
    unsafe fn copy_fp32<const WIDTH: usize>(&self, words: &mut [u32]) {
        // SAFETY: by the caller.
        unsafe {
            self.copy::<WIDTH>(words, self.depth, |step, half, mask| {
                let from = self.data.as_ptr().wrapping_add(step * self.depth_stride + half * 16);
                _mm512_castps_si512(_mm512_maskz_loadu_ps(mask, from))
            });
        }
    }

    /// Lanes are contiguous; two numbers of the same lane make a word.
    #[target_feature(enable = "avx512f,avx512bf16,avx512bw,avx512vl")]
    unsafe fn copy_bf16<const WIDTH: usize>(&self, words: &mut [u32]) {
        // SAFETY: by the caller.
        unsafe {
            self.copy::<WIDTH>(words, self.depth.div_ceil(2), |step, half, mask| {
                let from = self
                    .data
                    .as_ptr()
                    .wrapping_add(2 * step * self.depth_stride + half * 16);
                let low = rounded(_mm512_maskz_loadu_ps(mask, from));
                if 2 * step + 1 == self.depth {
                    return low;
                }
                let high = rounded(_mm512_maskz_loadu_ps(mask, from.wrapping_add(self.depth_stride)));
                _mm512_or_si512(low, _mm512_slli_epi32::<16>(high))
            });
        }
    }

    /// Sixteen lanes at a time; `load` gives a step's words of them, and does not touch masked ones.
    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn copy<const WIDTH: usize>(
        &self,
        words: &mut [u32],
        steps: usize,
        load: impl Fn(usize, usize, u16) -> __m512i,
    ) {
        let masks = lane_masks(self.lanes);
        let stored = lane_masks(WIDTH);
        for step in 0..steps {
            for half in 0..WIDTH.div_ceil(16) {
                let found = load(step, half, masks[half]);
                // SAFETY: by the caller. Masked stores are slow: what an unmasked one writes beyond the width belongs
                // to the next step, which is written afterwards.
                unsafe {
                    let to = words.as_mut_ptr().add(step * WIDTH + half * 16).cast();
                    if step + 1 < steps || (half + 1) * 16 <= WIDTH {
                        _mm512_storeu_si512(to, found);
                    } else {
                        _mm512_mask_storeu_epi32(to.cast(), stored[half], found);
                    }
                }
            }
        }
    }

    /// Each lane is contiguous, and stays so.
    #[target_feature(enable = "avx512f,avx512bf16,avx512bw")]
    unsafe fn round_rows(&self, words: &mut [u32]) {
        let steps = self.depth.div_ceil(2);
        for (lane, words) in words.chunks_exact_mut(steps).take(self.lanes).enumerate() {
            for step in (0..steps).step_by(16) {
                let masks = lane_masks(32.min(self.depth - 2 * step));
                // SAFETY: by the caller; masked numbers and words are not touched. The two types are 32 bf16 numbers.
                unsafe {
                    let from = self.data.as_ptr().add(lane * self.lane_stride + 2 * step);
                    let low = _mm512_maskz_loadu_ps(masks[0], from);
                    let high = _mm512_maskz_loadu_ps(masks[1], from.wrapping_add(16));
                    let pairs: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(high, low));
                    let to = words.as_mut_ptr().add(step);
                    if step + 16 <= steps {
                        _mm512_storeu_si512(to.cast(), pairs);
                    } else {
                        _mm512_mask_storeu_epi32(to.cast(), lane_masks(steps - step)[0], pairs);
                    }
                }
            }
        }
    }

    /// Each lane is contiguous.
    #[target_feature(enable = "avx512f")]
    unsafe fn transpose_fp32<const WIDTH: usize>(&self, words: &mut [u32]) {
        // SAFETY: by the caller.
        unsafe {
            self.transpose::<WIDTH>(words, self.depth, |line, step| {
                let mask = lane_masks(16.min(self.depth - step))[0];
                _mm512_castps_si512(_mm512_maskz_loadu_ps(mask, line.add(step)))
            });
        }
    }

    /// Each lane is contiguous; two numbers of the same lane make a word.
    #[target_feature(enable = "avx512f,avx512bf16,avx512bw")]
    unsafe fn transpose_bf16<const WIDTH: usize>(&self, words: &mut [u32]) {
        // SAFETY: by the caller; the two types are 32 bf16 numbers.
        unsafe {
            self.transpose::<WIDTH>(words, self.depth.div_ceil(2), |line, step| {
                let masks = lane_masks(32.min(self.depth - 2 * step));
                let low = _mm512_maskz_loadu_ps(masks[0], line.add(2 * step));
                let high = _mm512_maskz_loadu_ps(masks[1], line.wrapping_add(2 * step + 16));
                std::mem::transmute(_mm512_cvtne2ps_pbh(high, low))
            });
        }
    }

    /// Sixteen lanes and sixteen steps at a time; `load` gives sixteen words of a lane.
    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn transpose<const WIDTH: usize>(
        &self,
        words: &mut [u32],
        steps: usize,
        load: impl Fn(*const f32, usize) -> __m512i,
    ) {
        let stored = lane_masks(WIDTH);
        for half in 0..WIDTH.div_ceil(16) {
            for step in (0..steps).step_by(16) {
                let mut square = [_mm512_setzero_si512(); 16];
                let lanes = self.lanes.saturating_sub(half * 16).min(16);
                for (lane, row) in square[..lanes].iter_mut().enumerate() {
                    // SAFETY: by the caller.
                    let line = unsafe { self.data.as_ptr().add((half * 16 + lane) * self.lane_stride) };
                    *row = load(line, step);
                }
                let square = transposed(square);
                for (offset, row) in square[..16.min(steps - step)].iter().enumerate() {
                    // SAFETY: by the caller; what is written beyond the width belongs to the next step, see `copy`.
                    unsafe {
                        let to = words.as_mut_ptr().add((step + offset) * WIDTH + half * 16).cast();
                        if step + offset + 1 < steps || (half + 1) * 16 <= WIDTH {
                            _mm512_storeu_si512(to, *row);
                        } else {
                            _mm512_mask_storeu_epi32(to.cast(), stored[half], *row);
                        }
                    }
                }
            }
        }
    }
}

/// Sixteen numbers rounded to bf16, to the nearest and to even, each in the lower half of a word.
#[target_feature(enable = "avx512f,avx512bf16,avx512bw,avx512vl")]
#[inline]
fn rounded(values: __m512) -> __m512i {
    // SAFETY: the two types are 16 bf16 numbers.
    _mm512_cvtepu16_epi32(unsafe { std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(values)) })
}

/// Sixteen rows of sixteen words become columns.
#[target_feature(enable = "avx512f")]
#[inline]
fn transposed(rows: [__m512i; 16]) -> [__m512i; 16] {
    let mut pairs = rows;
    for i in 0..8 {
        pairs[2 * i] = _mm512_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
        pairs[2 * i + 1] = _mm512_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
    }
    // fours[4 i + c]: column c (modulo 4) of rows 4 i .. 4 i + 4, in each quarter.
    let mut fours = pairs;
    for i in 0..4 {
        for half in 0..2 {
            let (a, b) = (pairs[4 * i + half], pairs[4 * i + half + 2]);
            fours[4 * i + 2 * half] = _mm512_unpacklo_epi64(a, b);
            fours[4 * i + 2 * half + 1] = _mm512_unpackhi_epi64(a, b);
        }
    }
    let mut columns = fours;
    for c in 0..4 {
        let (a, b, d, e) = (fours[c], fours[4 + c], fours[8 + c], fours[12 + c]);
        let even = _mm512_shuffle_i32x4::<0b10_00_10_00>(a, b); // quarters a0 a2 b0 b2
        let odd = _mm512_shuffle_i32x4::<0b11_01_11_01>(a, b); // a1 a3 b1 b3
        let even_below = _mm512_shuffle_i32x4::<0b10_00_10_00>(d, e);
        let odd_below = _mm512_shuffle_i32x4::<0b11_01_11_01>(d, e);
        columns[c] = _mm512_shuffle_i32x4::<0b10_00_10_00>(even, even_below);
        columns[4 + c] = _mm512_shuffle_i32x4::<0b10_00_10_00>(odd, odd_below);
        columns[8 + c] = _mm512_shuffle_i32x4::<0b11_01_11_01>(even, even_below);
        columns[12 + c] = _mm512_shuffle_i32x4::<0b11_01_11_01>(odd, odd_below);
    }
    columns
}
