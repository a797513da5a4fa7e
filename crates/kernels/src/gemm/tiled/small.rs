//! Small products on one thread, of matrices whose rows may stand far apart: those of attention.
//!
//! A tile has up to 48 columns and 8 rows, or 32 columns and 12 rows. Both factors are read where they are; only what is
//! contiguous along columns of the right one is turned first, a panel for a tile's columns.

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use super::super::Matrix;
use super::pack::transposed;
use super::registers::lane_masks;
use super::words::Line;

/// Numbers of a register.
const LANES: usize = 16;
/// Registers of a row of a tile.
const LINES: usize = 3;
/// Rows of a tile whose rows take one, two or three registers.
const ROWS: [usize; LINES] = [12, 12, 8];
/// How far `k` runs before a tile is stored, where the right factor is turned.
const DEPTH: usize = 64;
/// Rows for which it pays to turn a right factor.
const TURNED_ROWS: usize = 8;

/// Whether there are numbers to multiply, and enough rows to turn the right factor for, if it has to be.
pub fn pays(left: Matrix, right: Matrix) -> bool {
    let rows = if right.column_stride == 1 { 1 } else { TURNED_ROWS };
    left.rows >= rows && left.columns > 0 && right.columns > 0
}

/// `result = factor * left * right`, in rows that begin `row_stride` numbers apart.
///
/// # Safety
/// It [pays], the result has its rows, and the machine has the instructions.
#[target_feature(enable = "avx512f")]
pub unsafe fn multiply(left: Matrix, right: Matrix, factor: f32, result: *mut f32, row_stride: usize) {
    let all_lines = right.columns.div_ceil(LANES);
    let panels = all_lines.div_ceil(LINES);
    let is_turned = right.column_stride != 1;
    let depth = if is_turned { DEPTH } else { left.columns };
    let mut turned = [const { MaybeUninit::uninit() }; LINES * DEPTH];
    for panel in 0..panels {
        let [first, last] = [panel, panel + 1].map(|panel| panel * all_lines / panels);
        let lines = last - first;
        let columns = (right.columns - first * LANES).min(lines * LANES);
        for start in (0..left.columns).step_by(depth) {
            let steps = depth.min(left.columns - start);
            let from = right.data[start * right.row_stride + first * LANES * right.column_stride..].as_ptr();
            let (numbers, stride) = match is_turned {
                true => {
                    // SAFETY: these columns and steps are in the right factor.
                    unsafe { turn(from, right.column_stride, [columns, steps], &mut turned) };
                    (turned.as_ptr().cast(), lines * LANES)
                }
                false => (from, right.row_stride),
            };
            let panel = Panel {
                left: Matrix {
                    data: &left.data[start * left.column_stride..],
                    columns: steps,
                    ..left
                },
                right: numbers,
                stride,
                mask: lane_masks(columns - (lines - 1) * LANES)[0],
                factor,
                result: result.wrapping_add(first * LANES),
                row_stride,
                is_added: start > 0,
            };
            // SAFETY: by the caller; the panel has so many lines.
            unsafe {
                match lines {
                    1 => panel.multiply::<1>(),
                    2 => panel.multiply::<2>(),
                    _ => panel.multiply::<3>(),
                }
            }
        }
    }
}

/// Rows of a panel that was turned.
type Turned = [MaybeUninit<Line>; LINES * DEPTH];

/// Columns whose numbers are contiguous become rows of as many lines as they fill. What is not there becomes zero.
///
/// # Safety
/// The numbers are there, for [`DEPTH`] steps and the columns of [`LINES`] at most.
#[target_feature(enable = "avx512f")]
unsafe fn turn(from: *const f32, stride: usize, [columns, steps]: [usize; 2], to: &mut Turned) {
    let lines = columns.div_ceil(LANES);
    for line in 0..lines {
        for step in (0..steps).step_by(LANES) {
            let mask = lane_masks(LANES.min(steps - step))[0];
            let mut square = [_mm512_setzero_si512(); LANES];
            for (column, numbers) in (line * LANES..columns).zip(&mut square) {
                // SAFETY: by the caller; masked numbers are not touched.
                *numbers = unsafe { _mm512_maskz_loadu_epi32(mask, from.add(column * stride + step).cast()) };
            }
            for (row, numbers) in transposed(square).into_iter().enumerate() {
                to[(step + row) * lines + line].write(Line::of(numbers));
            }
        }
    }
}

/// What makes some columns of the result.
struct Panel<'a> {
    left: Matrix<'a>,
    /// Rows of the right factor, from the first of the columns on.
    right: *const f32,
    stride: usize,
    /// Columns of the last line that are there.
    mask: u16,
    factor: f32,
    result: *mut f32,
    row_stride: usize,
    /// Whether the product is added to what the result holds.
    is_added: bool,
}

impl Panel<'_> {
    /// # Safety
    /// The right factor and the result have these rows and columns.
    #[target_feature(enable = "avx512f")]
    unsafe fn multiply<const COUNT: usize>(&self) {
        let tiles = self.left.rows.div_ceil(ROWS[COUNT - 1]);
        for tile in 0..tiles {
            let [row, end] = [tile, tile + 1].map(|tile| tile * self.left.rows / tiles);
            macro_rules! rows {
                ($($rows:literal)*) => {
                    match end - row {
                        $($rows => unsafe { self.tile::<$rows, COUNT>(row) },)*
                        _ => unreachable!("a tile has up to 12 rows"),
                    }
                };
            }
            // SAFETY: by the caller.
            rows!(1 2 3 4 5 6 7 8 9 10 11 12);
        }
    }

    /// # Safety
    /// As above.
    #[target_feature(enable = "avx512f")]
    unsafe fn tile<const ROWS: usize, const COUNT: usize>(&self, row: usize) {
        let left = &self.left;
        let mut sums = [[_mm512_setzero_ps(); COUNT]; ROWS];
        let mut numbers = left.data[row * left.row_stride..].as_ptr();
        let mut right = self.right;
        for _ in 0..left.columns {
            // SAFETY: by the caller; columns that are not there are masked.
            unsafe {
                let mut columns = [_mm512_maskz_loadu_ps(self.mask, right.wrapping_add((COUNT - 1) * LANES)); COUNT];
                for (line, columns) in columns.iter_mut().take(COUNT - 1).enumerate() {
                    *columns = _mm512_loadu_ps(right.add(line * LANES));
                }
                for (row, sums) in sums.iter_mut().enumerate() {
                    let x = _mm512_set1_ps(*numbers.add(row * left.row_stride));
                    for (sum, columns) in sums.iter_mut().zip(columns) {
                        *sum = _mm512_fmadd_ps(x, columns, *sum);
                    }
                }
            }
            numbers = numbers.wrapping_add(left.column_stride);
            right = right.wrapping_add(self.stride);
        }
        let factor = _mm512_set1_ps(self.factor);
        for (offset, sums) in sums.into_iter().enumerate() {
            let to = self.result.wrapping_add((row + offset) * self.row_stride);
            for (line, sum) in sums.into_iter().enumerate() {
                let to = to.wrapping_add(line * LANES);
                let mask = if line + 1 < COUNT { u16::MAX } else { self.mask };
                // SAFETY: by the caller; columns that are not there are masked.
                unsafe {
                    let before = match self.is_added {
                        true => _mm512_maskz_loadu_ps(mask, to),
                        false => _mm512_setzero_ps(),
                    };
                    _mm512_mask_storeu_ps(to, mask, _mm512_fmadd_ps(sum, factor, before));
                }
            }
        }
    }
}
