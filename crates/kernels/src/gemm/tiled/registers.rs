//! Products in 512-bit registers: 24 of them hold a tile of the result.

use std::arch::x86_64::*;

use super::Target;

/// Rows of a tile.
pub(super) const ROWS: usize = 12;
/// Columns of a tile: two registers.
pub(super) const COLUMNS: usize = 32;

/// One tile of the result.
pub(super) struct Tile {
    pub steps: usize,
    /// Word `(row, step)` at `row * row_stride + step * step_stride`.
    pub left: *const u32,
    pub row_stride: usize,
    pub step_stride: usize,
    /// 32 words of each step.
    pub right: *const u32,
    pub right_stride: usize,
    pub target: Target,
}

impl Tile {
    /// # Safety
    /// Pointers and strides describe memory that is there, and the machine has the instructions.
    pub unsafe fn add(&self, is_bf16: bool) {
        macro_rules! rows {
            ($($count:literal)*) => {
                match (is_bf16, self.target.rows) {
                    $((false, $count) => unsafe { self.add_fp32::<$count>() },
                      (true, $count) => unsafe { self.add_bf16::<$count>() },)*
                    _ => unreachable!("a tile has up to {ROWS} rows"),
                }
            };
        }
        rows!(1 2 3 4 5 6 7 8 9 10 11 12);
    }

    #[target_feature(enable = "avx512f")]
    unsafe fn add_fp32<const ROWS: usize>(&self) {
        let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
        let (mut left, mut right) = (self.left, self.right);
        for _ in 0..self.steps {
            // SAFETY: by the caller.
            unsafe {
                let columns = [_mm512_loadu_ps(right.cast()), _mm512_loadu_ps(right.add(16).cast())];
                for (row, sums) in sums.iter_mut().enumerate() {
                    let x = _mm512_set1_ps(*left.add(row * self.row_stride).cast());
                    sums[0] = _mm512_fmadd_ps(x, columns[0], sums[0]);
                    sums[1] = _mm512_fmadd_ps(x, columns[1], sums[1]);
                }
                left = left.add(self.step_stride);
                right = right.wrapping_add(self.right_stride);
            }
        }
        // SAFETY: by the caller.
        unsafe { self.store(sums) }
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn add_bf16<const ROWS: usize>(&self) {
        let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
        let (mut left, mut right) = (self.left, self.right);
        for _ in 0..self.steps {
            // SAFETY: by the caller; the two types are 32 bf16 numbers.
            unsafe {
                let columns = [
                    std::mem::transmute::<__m512i, __m512bh>(_mm512_loadu_si512(right.cast())),
                    std::mem::transmute::<__m512i, __m512bh>(_mm512_loadu_si512(right.add(16).cast())),
                ];
                for (row, sums) in sums.iter_mut().enumerate() {
                    let pair = _mm512_set1_epi32(*left.add(row * self.row_stride).cast());
                    let pair: __m512bh = std::mem::transmute(pair);
                    sums[0] = _mm512_dpbf16_ps(sums[0], pair, columns[0]);
                    sums[1] = _mm512_dpbf16_ps(sums[1], pair, columns[1]);
                }
                left = left.add(self.step_stride);
                right = right.wrapping_add(self.right_stride);
            }
        }
        // SAFETY: by the caller.
        unsafe { self.store(sums) }
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn store<const ROWS: usize>(&self, sums: [[__m512; 2]; ROWS]) {
        let Target {
            to,
            stride,
            initial,
            initial_stride,
            columns,
            ..
        } = self.target;
        let masks = lane_masks(columns);
        for (row, sums) in sums.into_iter().enumerate() {
            for (half, sum) in sums.into_iter().enumerate() {
                // SAFETY: by the caller; lanes beyond the result's columns are masked.
                unsafe {
                    let sum = if initial.is_null() {
                        sum
                    } else {
                        let initial = initial.wrapping_add(row * initial_stride + half * 16);
                        _mm512_add_ps(sum, _mm512_maskz_loadu_ps(masks[half], initial))
                    };
                    let to = to.wrapping_add(row * stride + half * 16);
                    if columns == COLUMNS {
                        _mm512_storeu_ps(to, sum);
                    } else {
                        _mm512_mask_storeu_ps(to, masks[half], sum);
                    }
                }
            }
        }
    }
}

/// Which of 32 lanes, in two registers, are among the first `count`.
pub(super) fn lane_masks(count: usize) -> [u16; 2] {
    let bits = (1u64 << count) - 1;
    [bits as u16, (bits >> 16) as u16]
}
