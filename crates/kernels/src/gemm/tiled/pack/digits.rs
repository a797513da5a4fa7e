//! Factors for [tile registers](super::super::amx), as [digits](super::super::amx::digits): blocks of sixteen lanes and 64
//! numbers of each, a register for each digit; behind a strip the scales of its lanes.
//!
//! A word holds a digit of four numbers that are sixteen apart along `k`, so that whole registers of numbers make
//! registers of words. A block of a left factor is `[lanes, words]`, one of a right factor `[words, lanes]`.

use std::arch::x86_64::*;

use super::super::amx::{DIGITS, DIGITS_DEPTH as DEPTH, REGISTER, REGISTER_WORDS};
use super::super::order::Side;
use super::super::words::Line;
use super::squares::Squares;
use super::{Lines, Place, transposed};

/// Squares of a block.
const SQUARES: usize = DEPTH / REGISTER;
/// Strips that are written side by side, where lanes lie so: they are read twice, for the greatest number of each lane
/// first, and stay in the second cache until then.
pub(super) const STRIPS: usize = 8;

impl Lines<'_> {
    /// Writes strips of whole pieces.
    ///
    /// # Safety
    /// See [`Lines::pack`], which checked the lines.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    pub(super) unsafe fn pack_digits(&self, side: Side, place: Place, mut sums: Option<&mut [f32]>) {
        let blocks = self.depth.div_ceil(DEPTH);
        let strips = self.lanes.div_ceil(REGISTER);
        let group = if self.lane_stride == 1 { STRIPS } else { 1 };
        for first in (0..strips).step_by(group) {
            let count = group.min(strips - first);
            // SAFETY: by the caller.
            unsafe {
                let scales = self.scales(first * REGISTER, count, sums.as_deref_mut());
                for block in 0..blocks {
                    for (strip, scales) in (first..first + count).zip(&scales) {
                        let squares = Squares::<SQUARES>::of(self, strip * REGISTER, block * DEPTH);
                        let to = place.first.wrapping_add(strip * place.strip_stride);
                        let to = to.wrapping_add(block * DIGITS * REGISTER_WORDS);
                        match (self.lane_stride == 1, side) {
                            (true, Side::Left) => squares.write_digits::<true, true>(&scales.down, to),
                            (true, Side::Right) => squares.write_digits::<true, false>(&scales.down, to),
                            (false, Side::Left) => squares.write_digits::<false, false>(&scales.down, to),
                            (false, Side::Right) => squares.write_digits::<false, true>(&scales.down, to),
                        }
                    }
                }
                for (strip, scales) in (first..first + count).zip(&scales) {
                    let to = place.first.wrapping_add(strip * place.strip_stride);
                    to.wrapping_add(blocks * DIGITS * REGISTER_WORDS)
                        .cast::<Line>()
                        .write(scales.up);
                }
            }
        }
    }
}

impl Squares<SQUARES> {
    /// Writes sixteen rows of words for each digit, of the numbers as they lie in memory or transposed.
    ///
    /// # Safety
    /// Numbers are there, and so is the block, which is nobody else's.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn write_digits<const IS_BESIDE: bool, const IS_TURNED: bool>(&self, scales: &Line, to: *mut u32) {
        let beside = scales.numbers();
        let at = |digit: usize, row: usize| to.wrapping_add(digit * REGISTER_WORDS + row * REGISTER).cast();
        // SAFETY: by the caller.
        unsafe {
            for line in 0..REGISTER {
                let scales = match IS_BESIDE {
                    true => beside,
                    false => _mm512_set1_ps(f32::from_bits(scales.0[line])),
                };
                let numbers = self.lines(line);
                let words = digits(numbers.map(|numbers| _mm512_mul_ps(numbers, scales)));
                for (digit, words) in words.into_iter().enumerate() {
                    _mm512_store_si512(at(digit, line), words);
                }
            }
            if IS_TURNED {
                for digit in 0..DIGITS {
                    let rows = std::array::from_fn(|row| _mm512_load_si512(at(digit, row)));
                    for (row, words) in transposed(rows).into_iter().enumerate() {
                        _mm512_store_si512(at(digit, row), words);
                    }
                }
            }
        }
    }
}

/// The digits of numbers of up to 32 bits, four numbers a word, the greatest digits first.
///
/// With 128 added to each digit but the greatest they are the bytes of the number. In a word come the first, the third,
/// the second and the fourth number.
#[target_feature(enable = "avx512f")]
#[inline]
fn digits(numbers: [__m512; SQUARES]) -> [__m512i; DIGITS] {
    /// Bits of the first where a mask has ones, of the second elsewhere.
    const CHOOSE: i32 = 0xE4;
    let lower_half = _mm512_set1_epi32(0xFFFF);
    let even = _mm512_set1_epi32(0x00FF_00FF);
    let halves = _mm512_set1_epi32(0x0080_8080);
    let [a, b, c, d] = numbers.map(|numbers| {
        let bytes = _mm512_add_epi32(_mm512_cvtps_epi32(numbers), halves);
        _mm512_xor_si512(bytes, halves)
    });
    // Two numbers' lower digits, and their upper ones.
    let lower = |a, b| _mm512_ternarylogic_epi32::<CHOOSE>(a, _mm512_slli_epi32::<16>(b), lower_half);
    let upper = |a, b| _mm512_ternarylogic_epi32::<CHOOSE>(_mm512_srli_epi32::<16>(a), b, lower_half);
    // The greater and the lesser ones of these.
    let parted = |ab, cd| {
        let lesser = _mm512_ternarylogic_epi32::<CHOOSE>(ab, _mm512_slli_epi32::<8>(cd), even);
        let greater = _mm512_ternarylogic_epi32::<CHOOSE>(_mm512_srli_epi32::<8>(ab), cd, even);
        [greater, lesser]
    };
    let [first, second] = parted(upper(a, b), upper(c, d));
    let [third, fourth] = parted(lower(a, b), lower(c, d));
    [first, second, third, fourth]
}
