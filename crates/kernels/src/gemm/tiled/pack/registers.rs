//! Factors for 512-bit registers: fp32 numbers, or pairs of bf16 numbers.

use std::arch::x86_64::*;

use super::super::registers::{COLUMNS, ROWS, lane_masks};
use super::{Lines, Place, pairs, rounded, transposed};

/// Steps that are copied of every strip before the next ones: few, so that the rows that they lie in stay in the first
/// cache until all strips have taken their lanes of them.
const BLOCK: usize = 8;

impl Lines<'_> {
    /// Writes strips, `[steps, WIDTH]` words each. Only rows of a left factor that are contiguous are written as
    /// `[WIDTH, steps]`, and those that are not there are left out.
    ///
    /// # Safety
    /// See [`Lines::pack`], which checked the lines.
    pub(super) unsafe fn pack_words<const WIDTH: usize>(&self, is_bf16: bool, place: Place, sums: Option<&mut [f32]>) {
        const { assert!(WIDTH == ROWS || WIDTH == COLUMNS) };
        // SAFETY: by the caller.
        unsafe {
            match (is_bf16, self.lane_stride, self.depth_stride) {
                // First, as a single row has both strides 1.
                (true, _, 1) if WIDTH == ROWS => self.each_strip::<WIDTH>(place, Self::round_rows),
                (false, 1, _) => self.copy_fp32::<WIDTH>(place, sums),
                (true, 1, _) => self.copy_bf16::<WIDTH>(place, sums),
                (false, _, 1) => self.each_strip::<WIDTH>(place, Self::transpose_fp32::<WIDTH>),
                (true, _, 1) => self.each_strip::<WIDTH>(place, Self::transpose_bf16::<WIDTH>),
                _ => unreachable!("one of a matrix's strides is 1"),
            }
        }
    }

    /// Strips one after the other.
    unsafe fn each_strip<const WIDTH: usize>(&self, place: Place, write: unsafe fn(&Self, *mut u32)) {
        for (strip, lane) in (0..self.lanes).step_by(WIDTH).enumerate() {
            let lines = Self {
                data: &self.data[lane * self.lane_stride..],
                lanes: WIDTH.min(self.lanes - lane),
                ..*self
            };
            // SAFETY: by the caller.
            unsafe { write(&lines, place.first.add(strip * place.strip_stride)) };
        }
    }

    /// Lanes lie side by side.
    #[target_feature(enable = "avx512f")]
    unsafe fn copy_fp32<const WIDTH: usize>(&self, place: Place, sums: Option<&mut [f32]>) {
        // SAFETY: by the caller; masked numbers are not touched.
        unsafe {
            self.copy::<WIDTH, 1>(place, sums, |from, _, mask| {
                let numbers = _mm512_maskz_loadu_ps(mask, from);
                (_mm512_castps_si512(numbers), numbers)
            });
        }
    }

    /// Lanes lie side by side; two numbers of the same lane make a word.
    #[target_feature(enable = "avx512f,avx512bf16,avx512bw,avx512vl")]
    unsafe fn copy_bf16<const WIDTH: usize>(&self, place: Place, sums: Option<&mut [f32]>) {
        // SAFETY: by the caller; masked numbers are not touched.
        unsafe {
            self.copy::<WIDTH, 2>(place, sums, |from, step, mask| {
                let low = _mm512_maskz_loadu_ps(mask, from);
                if 2 * step + 1 == self.depth {
                    return (rounded(low), low);
                }
                let high = _mm512_maskz_loadu_ps(mask, from.wrapping_add(self.depth_stride));
                (pairs(low, high), _mm512_add_ps(low, high))
            });
        }
    }

    /// A few steps of all strips, then the next steps; `load` gives sixteen words of a step, which are made of
    /// `NUMBERS` numbers of each lane, and the sums of those.
    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn copy<const WIDTH: usize, const NUMBERS: usize>(
        &self,
        place: Place,
        mut sums: Option<&mut [f32]>,
        load: impl Fn(*const f32, usize, u16) -> (__m512i, __m512),
    ) {
        let steps = self.depth.div_ceil(NUMBERS);
        for begin in (0..steps).step_by(BLOCK) {
            let block = begin..steps.min(begin + BLOCK);
            // Rows lie too far apart for the machine to see that they will be wanted.
            let ahead = [block.start, block.end].map(|step| self.depth.min((step + 2 * BLOCK) * NUMBERS));
            for number in ahead[0]..ahead[1] {
                let row = self.data.as_ptr().wrapping_add(number * self.depth_stride);
                for lane in (0..self.lanes).step_by(16) {
                    _mm_prefetch::<_MM_HINT_T0>(row.wrapping_add(lane).cast());
                }
            }
            for (strip, first) in (0..self.lanes).step_by(WIDTH).enumerate() {
                let masks = lane_masks(WIDTH.min(self.lanes - first));
                for half in 0..WIDTH.div_ceil(16) {
                    let lane = first + half * 16;
                    let mut sum = _mm512_setzero_ps();
                    for step in block.clone() {
                        let from = self
                            .data
                            .as_ptr()
                            .wrapping_add(step * NUMBERS * self.depth_stride + lane);
                        let (words, numbers) = load(from, step, masks[half]);
                        sum = _mm512_add_ps(sum, numbers);
                        let at = strip * place.strip_stride + step * WIDTH + half * 16;
                        // SAFETY: by the caller.
                        unsafe { store::<WIDTH>(place.first.add(at), half, words) };
                    }
                    if let Some(sums) = sums.as_mut() {
                        let to = sums.as_mut_ptr().wrapping_add(lane);
                        // SAFETY: there is a sum for each lane; the others are masked.
                        unsafe {
                            let sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(masks[half], to));
                            _mm512_mask_storeu_ps(to, masks[half], sum);
                        }
                    }
                }
            }
        }
    }

    /// Each lane is contiguous, and stays so.
    #[target_feature(enable = "avx512f,avx512bf16,avx512bw")]
    unsafe fn round_rows(&self, words: *mut u32) {
        let steps = self.depth.div_ceil(2);
        for lane in 0..self.lanes {
            for step in (0..steps).step_by(16) {
                let masks = lane_masks(32.min(self.depth - 2 * step));
                // SAFETY: by the caller; masked numbers and words are not touched. The two types are 32 bf16 numbers.
                unsafe {
                    let from = self.data.as_ptr().add(lane * self.lane_stride + 2 * step);
                    let low = _mm512_maskz_loadu_ps(masks[0], from);
                    let high = _mm512_maskz_loadu_ps(masks[1], from.wrapping_add(16));
                    let pairs: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(high, low));
                    let to = words.add(lane * steps + step);
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
    unsafe fn transpose_fp32<const WIDTH: usize>(&self, words: *mut u32) {
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
    unsafe fn transpose_bf16<const WIDTH: usize>(&self, words: *mut u32) {
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
        words: *mut u32,
        steps: usize,
        load: impl Fn(*const f32, usize) -> __m512i,
    ) {
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
                    // SAFETY: by the caller.
                    unsafe { store::<WIDTH>(words.add((step + offset) * WIDTH + half * 16), half, *row) };
                }
            }
        }
    }
}

/// The words of a step that lie in one register; of the last one only as many as the strip has left. Not masked, as
/// masked stores are slow.
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn store<const WIDTH: usize>(to: *mut u32, half: usize, words: __m512i) {
    // SAFETY: by the caller.
    unsafe {
        if (half + 1) * 16 <= WIDTH {
            _mm512_storeu_si512(to.cast(), words);
        } else {
            const { assert!(matches!(WIDTH % 16, 0 | 12)) };
            _mm256_storeu_si256(to.cast(), _mm512_castsi512_si256(words));
            _mm_storeu_si128(to.add(8).cast(), _mm512_extracti32x4_epi32::<2>(words));
        }
    }
}
