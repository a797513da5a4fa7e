//! Factors for tile registers: blocks of sixteen lanes and 32 numbers of each.
//!
//! A word holds two numbers that are sixteen apart along `k`, so that whole registers of numbers make registers of
//! words. A block of a left factor is `[lanes, words]`, one of a right factor `[words, lanes]`.

use std::arch::x86_64::*;

use super::super::amx::{DEPTH, REGISTER};
use super::super::order::Side;
use super::super::registers::lane_masks;
use super::{Lines, Place, pairs, transposed};

/// Words of a block, for one part of its numbers.
const BLOCK: usize = REGISTER * DEPTH / 2;
/// Lanes of a strip, in registers.
const HALVES: usize = 2;

impl Lines<'_> {
    /// Writes strips of two blocks side by side, `PARTS` times, for every 32 numbers.
    ///
    /// # Safety
    /// See [`Lines::pack`], which checked the lines.
    #[target_feature(enable = "avx512f,avx512bf16,avx512bw,avx512vl")]
    pub(super) unsafe fn pack_tiles<const PARTS: usize>(&self, side: Side, place: Place, mut sums: Option<&mut [f32]>) {
        let halves = self.lanes.div_ceil(REGISTER * HALVES) * HALVES;
        let at = |block: usize, half: usize| {
            let before = half / HALVES * place.strip_stride + (block * HALVES + half % HALVES) * PARTS * BLOCK;
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
                        self.fetch(block + 1, lanes.start);
                        let sums = sums.as_mut().map(|sums| &mut sums[lanes.clone()]);
                        let squares = Squares::beside(self, lanes.start, block * DEPTH);
                        match side {
                            Side::Left => squares.write::<PARTS, true>(at(block, half), None),
                            Side::Right => squares.write::<PARTS, false>(at(block, half), sums),
                        }
                    }
                }
            } else {
                for half in 0..halves {
                    for block in 0..blocks {
                        let squares = Squares::along(self, half * REGISTER, block * DEPTH);
                        match side {
                            Side::Left => squares.write::<PARTS, false>(at(block, half), None),
                            Side::Right => squares.write::<PARTS, true>(at(block, half), None),
                        }
                    }
                }
            }
        }
    }

    /// Fetches the numbers of sixteen lanes side by side for the block after this one: rows lie too far apart for the
    /// machine to see that they will be wanted.
    #[inline(always)]
    fn fetch(&self, block: usize, lane: usize) {
        for number in block * DEPTH..self.depth.min((block + 1) * DEPTH) {
            let line = self.data.as_ptr().wrapping_add(number * self.depth_stride + lane);
            // SAFETY: it reads nothing.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) };
        }
    }
}

/// Two squares of sixteen lines with sixteen numbers each, as they lie in memory.
struct Squares {
    first: [*const f32; 2],
    stride: usize,
    /// Lines that are there, of each square.
    present: [usize; 2],
    /// Numbers that are there, of every line.
    masks: [u16; 2],
}

impl Squares {
    /// Lines are numbers along `k`: sixteen, and the sixteen after them.
    fn beside(all: &Lines, lane: usize, number: usize) -> Self {
        let mask = lane_masks(REGISTER.min(all.lanes.saturating_sub(lane)))[0];
        let numbers = [number, number + REGISTER];
        Self {
            first: numbers.map(|number| all.data.as_ptr().wrapping_add(number * all.depth_stride + lane)),
            stride: all.depth_stride,
            present: numbers.map(|number| REGISTER.min(all.depth.saturating_sub(number))),
            masks: [mask; 2],
        }
    }

    /// Lines are lanes: sixteen numbers of each, and the sixteen after them.
    fn along(all: &Lines, lane: usize, number: usize) -> Self {
        let numbers = [number, number + REGISTER];
        Self {
            first: numbers.map(|number| all.data.as_ptr().wrapping_add(lane * all.lane_stride + number)),
            stride: all.lane_stride,
            present: [REGISTER.min(all.lanes.saturating_sub(lane)); 2],
            masks: numbers.map(|number| lane_masks(REGISTER.min(all.depth.saturating_sub(number)))[0]),
        }
    }

    /// One line of a square.
    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn line(&self, square: usize, line: usize) -> __m512 {
        if line >= self.present[square] {
            return _mm512_setzero_ps();
        }
        // SAFETY: the line is there; masked numbers are not touched.
        unsafe { _mm512_maskz_loadu_ps(self.masks[square], self.first[square].wrapping_add(line * self.stride)) }
    }

    /// A square whose lines have become columns.
    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn turned(&self, square: usize) -> [__m512i; REGISTER] {
        let mut lines = [_mm512_setzero_si512(); REGISTER];
        for (number, line) in lines.iter_mut().enumerate() {
            // SAFETY: by the caller.
            *line = _mm512_castps_si512(unsafe { self.line(square, number) });
        }
        transposed(lines)
    }

    /// Writes sixteen rows of words of the numbers, or of the transposed numbers, for each part.
    ///
    /// # Safety
    /// Numbers are there, and so is the block, which is nobody else's.
    #[target_feature(enable = "avx512f,avx512bf16,avx512bw,avx512vl")]
    unsafe fn write<const PARTS: usize, const IS_TURNED: bool>(&self, to: *mut u32, sums: Option<&mut [f32]>) {
        // SAFETY: by the caller; masked sums are not touched.
        unsafe {
            if IS_TURNED && PARTS == 1 {
                // Half as many words as numbers are to be turned.
                let mut words = [_mm512_setzero_si512(); REGISTER];
                for (number, words) in words.iter_mut().enumerate() {
                    *words = pairs(self.line(0, number), self.line(1, number));
                }
                for (row, words) in transposed(words).into_iter().enumerate() {
                    _mm512_store_si512(to.wrapping_add(row * REGISTER).cast(), words);
                }
                return;
            }
            if IS_TURNED {
                let [low, high] = [self.turned(0), self.turned(1)];
                for row in 0..REGISTER {
                    let numbers = [_mm512_castsi512_ps(low[row]), _mm512_castsi512_ps(high[row])];
                    write_row::<PARTS>(numbers, to.wrapping_add(row * REGISTER));
                }
                return;
            }
            let mut sum = _mm512_setzero_ps();
            for row in 0..REGISTER {
                let numbers = [self.line(0, row), self.line(1, row)];
                sum = _mm512_add_ps(sum, _mm512_add_ps(numbers[0], numbers[1]));
                write_row::<PARTS>(numbers, to.wrapping_add(row * REGISTER));
            }
            if let Some(sums) = sums {
                let mask = lane_masks(sums.len())[0];
                let before = _mm512_maskz_loadu_ps(mask, sums.as_ptr());
                _mm512_mask_storeu_ps(sums.as_mut_ptr(), mask, _mm512_add_ps(before, sum));
            }
        }
    }
}

/// Writes a row of words, sixteen numbers in their lower halves and sixteen in the upper ones, for each part.
#[target_feature(enable = "avx512f,avx512bf16,avx512bw,avx512vl")]
#[inline]
unsafe fn write_row<const PARTS: usize>([low, high]: [__m512; 2], to: *mut u32) {
    const { assert!(PARTS == 1 || PARTS == 3) };
    // SAFETY: by the caller.
    let store = |part: usize, words| unsafe { _mm512_store_si512(to.wrapping_add(part * BLOCK).cast(), words) };
    if PARTS == 1 {
        return store(0, pairs(low, high));
    }
    let mut rest = [low, high];
    for part in 0..PARTS {
        // Half of what the digits that go are worth; of the last part none go.
        let half = _mm512_set1_epi32(if part + 1 < PARTS { 0x8000 } else { 0 });
        let kept = _mm512_set1_epi32(0xFFFF_0000_u32 as i32);
        let [low, high] = rest.map(|rest| _mm512_add_epi32(_mm512_castps_si512(rest), half));
        // low >> 16 | high & kept
        store(
            part,
            _mm512_ternarylogic_epi32::<0xF8>(_mm512_srli_epi32::<16>(low), high, kept),
        );
        let digits = [low, high].map(|rest| _mm512_castsi512_ps(_mm512_and_si512(rest, kept)));
        rest = [_mm512_sub_ps(rest[0], digits[0]), _mm512_sub_ps(rest[1], digits[1])];
    }
}
