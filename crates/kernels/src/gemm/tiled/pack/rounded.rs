//! Factors for [tile registers](super::super::amx), rounded to bf16: blocks of sixteen lanes and 32 numbers of each.
//!
//! A word holds two numbers that are sixteen apart along `k`, so that whole registers of numbers make registers of
//! words. A block of a left factor is `[lanes, words]`, one of a right factor `[words, lanes]`.

use std::arch::x86_64::*;

use super::super::amx::{REGISTER, REGISTER_WORDS, ROUNDED_DEPTH as DEPTH};
use super::super::order::Side;
use super::super::registers::lane_masks;
use super::squares::Squares;
use super::{Lines, Place, pairs, transposed};

/// Lanes of a strip, in registers.
const HALVES: usize = 2;

impl Lines<'_> {
    /// Writes strips of two blocks side by side for every 32 numbers.
    ///
    /// # Safety
    /// See [`Lines::pack`], which checked the lines.
    #[target_feature(enable = "avx512f,avx512bf16,avx512bw,avx512vl")]
    pub(super) unsafe fn pack_rounded(&self, side: Side, place: Place, mut sums: Option<&mut [f32]>) {
        let halves = self.lanes.div_ceil(REGISTER * HALVES) * HALVES;
        let at = |block: usize, half: usize| {
            let before = half / HALVES * place.strip_stride + (block * HALVES + half % HALVES) * REGISTER_WORDS;
            place.first.wrapping_add(before)
        };
        let blocks = self.depth.div_ceil(DEPTH);
        // SAFETY: by the caller.
        unsafe {
            if self.lane_stride == 1 {
                // As the rows lie in memory.
                for block in 0..blocks {
                    for half in 0..halves {
                        let lanes = self.lanes.min(half * REGISTER)..self.lanes.min((half + 1) * REGISTER);
                        self.fetch((block + 1) * DEPTH..(block + 2) * DEPTH, lanes.start);
                        let sums = sums.as_mut().map(|sums| &mut sums[lanes.clone()]);
                        let squares = Squares::of(self, lanes.start, block * DEPTH);
                        match side {
                            Side::Left => squares.write_turned(at(block, half)),
                            Side::Right => squares.write(at(block, half), sums),
                        }
                    }
                }
            } else {
                for half in 0..halves {
                    for block in 0..blocks {
                        let squares = Squares::of(self, half * REGISTER, block * DEPTH);
                        match side {
                            Side::Left => squares.write(at(block, half), None),
                            Side::Right => squares.write_turned(at(block, half)),
                        }
                    }
                }
            }
        }
    }

    /// Fetches some numbers of sixteen lanes side by side: rows lie too far apart for the machine to see that they will
    /// be wanted.
    #[inline(always)]
    fn fetch(&self, numbers: std::ops::Range<usize>, lane: usize) {
        for number in numbers.start..numbers.end.min(self.depth) {
            let line = self.data.as_ptr().wrapping_add(number * self.depth_stride + lane);
            // SAFETY: it reads nothing.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) };
        }
    }
}

impl Squares<2> {
    /// Writes sixteen rows of words, of the numbers as they lie in memory.
    ///
    /// # Safety
    /// Numbers are there, and so is the block, which is nobody else's.
    #[target_feature(enable = "avx512f,avx512bf16,avx512bw,avx512vl")]
    unsafe fn write(&self, to: *mut u32, sums: Option<&mut [f32]>) {
        let mut sum = _mm512_setzero_ps();
        // SAFETY: by the caller; masked sums are not touched.
        unsafe {
            for row in 0..REGISTER {
                let [low, high] = self.lines(row);
                sum = _mm512_add_ps(sum, _mm512_add_ps(low, high));
                _mm512_store_si512(to.wrapping_add(row * REGISTER).cast(), pairs(low, high));
            }
            if let Some(sums) = sums {
                let mask = lane_masks(sums.len())[0];
                let before = _mm512_maskz_loadu_ps(mask, sums.as_ptr());
                _mm512_mask_storeu_ps(sums.as_mut_ptr(), mask, _mm512_add_ps(before, sum));
            }
        }
    }

    /// The same of the transposed numbers.
    ///
    /// # Safety
    /// The same.
    #[target_feature(enable = "avx512f,avx512bf16,avx512bw,avx512vl")]
    unsafe fn write_turned(&self, to: *mut u32) {
        let mut words = [_mm512_setzero_si512(); REGISTER];
        // SAFETY: by the caller.
        unsafe {
            // Half as many words as numbers are to be turned.
            for (row, words) in words.iter_mut().enumerate() {
                let [low, high] = self.lines(row);
                *words = pairs(low, high);
            }
            for (row, words) in transposed(words).into_iter().enumerate() {
                _mm512_store_si512(to.wrapping_add(row * REGISTER).cast(), words);
            }
        }
    }
}
