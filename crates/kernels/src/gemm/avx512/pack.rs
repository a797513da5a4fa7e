//! Factors copied in the order in which tiles read them, and rounded to bf16 where that is wanted.

use std::arch::x86_64::*;

use super::super::Precision;
use super::tile::lane_masks;
use super::{TILE_COLUMNS, TILE_ROWS};

/// Lanes (columns of a right factor, rows of a left one) side by side, `depth` numbers each.
pub(super) struct Lines<'a> {
    pub data: &'a [f32],
    pub lanes: usize,
    pub lane_stride: usize,
    pub depth: usize,
    pub depth_stride: usize,
}

/// Where strips of `WIDTH` lanes are written.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The first word of the first strip.
    pub first: *mut u32,
    /// Words from a strip to the next.
    pub strip_stride: usize,
}

/// Steps that are copied of every strip before the next ones: few, so that the rows that they lie in stay in the first
/// cache until all strips have taken their lanes of them.
const BLOCK: usize = 8;

impl Lines<'_> {
    /// Writes strips, `[steps, WIDTH]` words each; lanes that are not there become zero. Only rows of a left factor
    /// that are contiguous are written as `[WIDTH, steps]`, and those that are not there are left out.
    ///
    /// Where lanes lie side by side, the sum of each is added to `sums`; elsewhere there must be none.
    ///
    /// # Safety
    /// The strips' words are there and nobody else's, and the machine has the instructions.
    pub unsafe fn pack<const WIDTH: usize>(&self, precision: Precision, place: Place, sums: Option<&mut [f32]>) {
        const { assert!(WIDTH == TILE_ROWS || WIDTH == TILE_COLUMNS) };
        let last = (self.lanes - 1) * self.lane_stride + (self.depth - 1) * self.depth_stride;
        assert!(last < self.data.len() && sums.as_ref().is_none_or(|sums| sums.len() == self.lanes));
        assert!(sums.is_none() || self.lane_stride == 1, "sums of lanes that lie apart");
        // SAFETY: all numbers lie before `last`; the rest is the caller's.
        unsafe {
            match (precision, self.lane_stride, self.depth_stride) {
                // First, as a single row has both strides 1.
                (Precision::Bf16, _, 1) if WIDTH == TILE_ROWS => self.each_strip::<WIDTH>(place, Self::round_rows),
                (Precision::Fp32, 1, _) => self.copy_fp32::<WIDTH>(place, sums),
                (Precision::Bf16, 1, _) => self.copy_bf16::<WIDTH>(place, sums),
                (Precision::Fp32, _, 1) => self.each_strip::<WIDTH>(place, Self::transpose_fp32::<WIDTH>),
                (Precision::Bf16, _, 1) => self.each_strip::<WIDTH>(place, Self::transpose_bf16::<WIDTH>),
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
                let words = _mm512_or_si512(rounded(low), _mm512_slli_epi32::<16>(rounded(high)));
                (words, _mm512_add_ps(low, high))
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
