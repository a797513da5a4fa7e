//! Factors copied in the order in which tiles read them, and rounded or taken apart as their format wants it.

mod digits;
mod registers;
mod rounded;
mod scales;
mod squares;

use std::arch::x86_64::*;

use super::order::{Format, Order, Side};
use super::registers::{COLUMNS, ROWS};

/// Lanes (columns of a right factor, rows of a left one) side by side, `depth` numbers each.
pub(super) struct Lines<'a> {
    pub data: &'a [f32],
    pub lanes: usize,
    pub lane_stride: usize,
    pub depth: usize,
    pub depth_stride: usize,
}

/// Where strips are written.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The first word of the first strip.
    pub first: *mut u32,
    /// Words from a strip to the next.
    pub strip_stride: usize,
}

impl Lines<'_> {
    /// Writes strips; lanes that are not there become zero, or are left out where no tile reads them.
    ///
    /// Where lanes lie side by side, the sum of each is added to `sums`; elsewhere there must be none.
    ///
    /// # Safety
    /// The strips' words are there and nobody else's, and the machine has the instructions.
    pub unsafe fn pack(&self, order: Order, place: Place, sums: Option<&mut [f32]>) {
        let last = (self.lanes - 1) * self.lane_stride + (self.depth - 1) * self.depth_stride;
        assert!(last < self.data.len() && sums.as_ref().is_none_or(|sums| sums.len() == self.lanes));
        assert!(
            self.lane_stride == 1 || self.depth_stride == 1,
            "one of a matrix's strides"
        );
        assert!(sums.is_none() || self.lane_stride == 1, "sums of lanes that lie apart");
        let Order { side, format } = order;
        // SAFETY: all numbers lie before `last`; the rest is the caller's.
        unsafe {
            match (format, side) {
                (Format::AmxDigits, _) => self.pack_digits(side, place, sums),
                (Format::AmxRounded, _) => self.pack_rounded(side, place, sums),
                (_, Side::Left) => self.pack_words::<ROWS>(format == Format::Bf16, place, sums),
                (_, Side::Right) => self.pack_words::<COLUMNS>(format == Format::Bf16, place, sums),
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

/// Words of rounded numbers, the first ones in their lower halves.
#[target_feature(enable = "avx512f,avx512bf16,avx512bw,avx512vl")]
#[inline]
fn pairs(low: __m512, high: __m512) -> __m512i {
    _mm512_or_si512(rounded(low), _mm512_slli_epi32::<16>(rounded(high)))
}

/// Sixteen rows of sixteen words become columns.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn transposed(rows: [__m512i; 16]) -> [__m512i; 16] {
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
