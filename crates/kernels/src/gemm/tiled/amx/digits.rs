//! Products of fp32 numbers by whole numbers of eight bits, after Ootomo, Ozaki and Yokota (2024), "DGEMM on integer matrix
//! multiplication unit".
//!
//! The numbers of a lane along a piece of `k` share a power of two, so that each is a whole one of 32 bits: four digits
//! from -128 to 127, the greatest number of the lane near the greatest that those can write.
//!
//! ```text
//! a = s (2^24 a1 + 2^16 a2 + 2^8 a3 + a4)       b = t (2^24 b1 + 2^16 b2 + 2^8 b3 + b4)
//! Σ a b = s t 2^48 (Σ a1 b1 + 2^-8 Σ (a1 b2 + a2 b1) + 2^-16 Σ (a1 b3 + a2 b2 + a3 b1)
//!                                                    + 2^-24 Σ (a1 b4 + a2 b3 + a3 b2 + a4 b1))
//! ```
//!
//! These four sums are exact; what is left out is less than 2^-28 of the greatest product. Numbers down to 2^-7 of the
//! greatest of their lane keep all 24 digits of fp32, smaller ones are off by up to 2^-31 of it. Of what training multiplies
//! results are nearer to the exact ones than those of sums in fp32: `docs/BENCHMARKS.md` has the figures.
//!
//! It holds for lanes whose greatest number is from 6.3e-30 to 3.38e38; smaller ones lose digits. What is greater becomes,
//! like infinity itself, what is not a number, and so does the whole row or column of the result; so may a number of the
//! result where the greatest ones of its row and its column have a product of 2^140 or more, whatever they meet.

use std::arch::asm;
use std::arch::x86_64::*;

use super::super::Target;
use super::super::registers::lane_masks;
use super::super::words::Line;
use super::{GROUP, REGISTER, REGISTER_WORDS, Registers};

/// Numbers along `k` that a register holds of a lane.
pub const DEPTH: usize = 64;
/// Digits of a number.
pub const DIGITS: usize = 4;
const _: () = assert!(4 * REGISTER_WORDS == REGISTER * DEPTH);

/// Sums of products that are worth the same.
const SUMS: usize = 4;
/// Rows of a result that are made of their sums while one block of the next tile is multiplied; where blocks are few, it
/// is twice as many.
const ROWS_BETWEEN: usize = 4;
/// What a sum is worth beside the one before.
const DIGIT: f32 = 1.0 / 256.0;

impl Registers {
    /// Adds a product to a part of the result. `left` and `right` are strips of blocks that are [`DEPTH`] deep, a
    /// register for each digit, with a line of scales behind each strip.
    ///
    /// # Safety
    /// The part is there, and nobody else's.
    #[target_feature(enable = "avx512f")]
    pub unsafe fn multiply_digits(&mut self, left: &[u32], right: &[u32], depth: usize, part: &Target) {
        let blocks = depth.div_ceil(DEPTH);
        let words = blocks * DIGITS * REGISTER_WORDS + REGISTER;
        let strips = |lanes: usize| lanes.div_ceil(REGISTER) * words;
        assert!(
            blocks > 0 && left.len() >= strips(part.rows) && right.len() >= strips(part.columns),
            "strips of a part"
        );
        let mut last = Last::default();
        for first in (0..part.columns).step_by(GROUP * REGISTER) {
            let columns = first..part.columns.min(first + GROUP * REGISTER);
            let right = &right[first / REGISTER * words..];
            for (row, left) in (0..part.rows).step_by(REGISTER).zip(left.chunks_exact(words)) {
                for (column, right) in columns.clone().step_by(REGISTER).zip(right.chunks_exact(words)) {
                    // SAFETY: by the caller; these are strips of so many blocks.
                    unsafe { last.multiply([left, right], blocks, part.tile([row, column], REGISTER)) };
                }
            }
        }
        // SAFETY: by the caller.
        unsafe { last.finish(0) };
    }
}

/// The sums of a tile, `[SUMS, rows, columns]`.
type Sums = [[Line; REGISTER]; SUMS];

/// The last tile whose sums were made, while its result was not; and sums of the one that is multiplied.
struct Last {
    sums: [Sums; 2],
    /// Where the next tile's sums will be.
    next: usize,
    tile: Option<Tile>,
}

/// A tile of the result.
#[derive(Clone, Copy)]
struct Tile {
    target: Target,
    /// A scale for each row.
    row_scales: *const f32,
    /// A scale for each column.
    column_scales: *const f32,
}

impl Default for Last {
    fn default() -> Self {
        Self {
            sums: [[[Line([0; 16]); REGISTER]; SUMS]; 2],
            next: 0,
            tile: None,
        }
    }
}

impl Last {
    /// Makes the sums of a tile, and meanwhile the result of the one before.
    ///
    /// # Safety
    /// Strips have the blocks, of which there is one at least, and scales; targets are there. Registers are configured.
    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn multiply(&mut self, [left, right]: [&[u32]; 2], blocks: usize, target: Target) {
        let words = blocks * DIGITS * REGISTER_WORDS;
        let tile = Tile {
            target,
            row_scales: left[words..].as_ptr().cast(),
            column_scales: right[words..].as_ptr().cast(),
        };
        let [sums, before] = [self.next, 1 - self.next].map(|which| self.sums[which].as_mut_ptr());
        // Where there is none, it is not looked at.
        let last = self.tile.unwrap_or(tile);
        let (initial, initial_stride) = last.target.initial();
        // As many as make all rows, if there are enough.
        let rows_of_block = if 2 * blocks * ROWS_BETWEEN <= REGISTER {
            2 * ROWS_BETWEEN
        } else {
            ROWS_BETWEEN
        };
        let with_rows = match self.tile {
            Some(_) => blocks.min(REGISTER / rows_of_block),
            None => 0,
        };
        let before_last = with_rows.min(blocks - 1);
        /// A row of the result before; that of the next tile is fetched, or storing it would wait.
        macro_rules! row {
            () => {
                "vcvtdq2ps zmm0, zmmword ptr [{before}]
                vcvtdq2ps zmm1, zmmword ptr [{before} + 1024]
                vcvtdq2ps zmm2, zmmword ptr [{before} + 2048]
                vcvtdq2ps zmm3, zmmword ptr [{before} + 3072]
                vfmadd231ps zmm2, zmm3, zmm30
                vfmadd231ps zmm1, zmm2, zmm30
                vfmadd231ps zmm0, zmm1, zmm30
                vmulps zmm1, zmm29, dword ptr [{scales}]{{1to16}}
                vfmadd213ps zmm0, zmm1, zmmword ptr [{initial}]
                vmovups zmmword ptr [{to}], zmm0
                add {before}, 64
                add {scales}, 4
                add {initial}, {initial_stride}
                add {to}, {stride}
                prefetchw byte ptr [{fetched}]
                add {fetched}, {stride}
                "
            };
        }
        /// A part of the next block, fetched or not: products of short sums are slower if it is.
        macro_rules! next {
            (fetched, $offset:literal) => {
                fetch!("{right}", $offset)
            };
            (not_fetched, $offset:literal) => {
                ""
            };
        }
        /// A block: registers 0 to 3 are the sums, 4 to 6 hold columns of the right factor, 7 rows of the left one. What stores
        /// a sum stands where it can be complete.
        macro_rules! block {
            ($between:expr, $next:ident, $store0:expr, $store1:expr, $store2:expr, $store3:expr) => {
                concat!(
                    "tileloadd tmm4, [{right} + 1*{row}]
                    tileloadd tmm7, [{left} + 1*{row}]
                    tdpbssd tmm0, tmm7, tmm4
                    ",
                    next!($next, 4096),
                    "tileloadd tmm5, [{right} + 1*{row} + 1024]
                    tdpbssd tmm1, tmm7, tmm5
                    ",
                    next!($next, 4608),
                    $between,
                    "tileloadd tmm6, [{right} + 1*{row} + 2048]
                    tdpbssd tmm2, tmm7, tmm6
                    ",
                    next!($next, 5120),
                    "tileloadd tmm7, [{left} + 1*{row} + 1024]
                    tdpbssd tmm1, tmm7, tmm4
                    ",
                    next!($next, 5632),
                    $between,
                    "tdpbssd tmm2, tmm7, tmm5
                    ",
                    $store0,
                    next!($next, 6144),
                    "tdpbssd tmm3, tmm7, tmm6
                    ",
                    next!($next, 6656),
                    $between,
                    "tileloadd tmm7, [{left} + 1*{row} + 2048]
                    tdpbssd tmm2, tmm7, tmm4
                    ",
                    $store1,
                    next!($next, 7168),
                    "tdpbssd tmm3, tmm7, tmm5
                    ",
                    $between,
                    "tileloadd tmm7, [{left} + 1*{row} + 3072]
                    tdpbssd tmm3, tmm7, tmm4
                    ",
                    $store2,
                    next!($next, 7680),
                    "tileloadd tmm7, [{left} + 1*{row}]
                    tileloadd tmm5, [{right} + 1*{row} + 3072]
                    tdpbssd tmm3, tmm7, tmm5
                    ",
                    $store3,
                    "add {left}, 4096
                    add {right}, 4096"
                )
            };
        }
        macro_rules! store {
            ($sum:literal) => {
                concat!("tilestored [{sums} + 1*{row} + ", $sum, "*1024], tmm", $sum, "\n")
            };
        }
        /// All blocks, the first ones with rows of the result before. The last one stores each sum as soon as it is made,
        /// so that products of the next tile do not wait for stores.
        macro_rules! tile {
            ($rows:expr, $next:ident) => {
                asm!(
                    "tilezero tmm0",
                    "tilezero tmm1",
                    "tilezero tmm2",
                    "tilezero tmm3",
                    "test {with_rows}, {with_rows}",
                    "jz 3f",
                    "2:",
                    block!($rows, $next, "", "", "", ""),
                    "dec {with_rows}",
                    "jnz 2b",
                    "3:",
                    "sub {others}, 2",
                    "jb 5f",
                    "4:",
                    block!("", $next, "", "", "", ""),
                    "sub {others}, 2",
                    "jae 4b",
                    "5:",
                    "cmp {others}, -1",
                    "je 6f",
                    block!("", $next, store!(0), store!(1), store!(2), store!(3)),
                    "jmp 7f",
                    "6:",
                    block!($rows, $next, store!(0), store!(1), store!(2), store!(3)),
                    "7:",
                    left = inout(reg) left.as_ptr() => _,
                    right = inout(reg) right.as_ptr() => _,
                    with_rows = inout(reg) before_last => _,
                    // Twice their number, and one more where the last block comes with rows as well.
                    others = inout(reg) 2 * (blocks - 1 - before_last) + usize::from(with_rows == blocks) => _,
                    row = in(reg) 64usize,
                    sums = in(reg) sums,
                    before = inout(reg) before => _,
                    scales = inout(reg) last.row_scales => _,
                    to = inout(reg) last.target.to => _,
                    fetched = inout(reg) target.to => _,
                    stride = in(reg) 4 * target.stride,
                    initial = inout(reg) initial => _,
                    initial_stride = in(reg) 4 * initial_stride,
                    in("zmm29") _mm512_loadu_ps(last.column_scales),
                    in("zmm30") _mm512_set1_ps(DIGIT),
                    out("zmm0") _, out("zmm1") _, out("zmm2") _, out("zmm3") _,
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                )
            };
        }
        // Few blocks come with twice the rows each, and fetch nothing.
        // SAFETY: by the caller.
        unsafe {
            match rows_of_block {
                ROWS_BETWEEN => tile!(row!(), fetched),
                _ => tile!(concat!(row!(), row!()), not_fetched),
            }
        }
        if with_rows * rows_of_block < REGISTER {
            // SAFETY: by the caller.
            unsafe { self.finish(with_rows * rows_of_block) };
        }
        self.next = 1 - self.next;
        self.tile = Some(tile);
        if target.rows < REGISTER || target.columns < REGISTER {
            // SAFETY: by the caller.
            unsafe { self.finish(0) };
        }
    }

    /// Makes the result of the last tile, if there is one, from a row on: the same bits as [`Self::multiply`].
    ///
    /// # Safety
    /// The target is there.
    #[target_feature(enable = "avx512f")]
    unsafe fn finish(&mut self, first: usize) {
        let Some(tile) = &self.tile else { return };
        let (initial, initial_stride) = tile.target.initial();
        let sums = &self.sums[1 - self.next];
        let mask = lane_masks(tile.target.columns)[0];
        let digit = _mm512_set1_ps(DIGIT);
        for row in first..tile.target.rows {
            let [first, second, third, last] = [0, 1, 2, 3].map(|sum| _mm512_cvtepi32_ps(sums[sum][row].words()));
            let low = _mm512_fmadd_ps(last, digit, third);
            let sum = _mm512_fmadd_ps(_mm512_fmadd_ps(low, digit, second), digit, first);
            // SAFETY: by the caller; columns that are not there are masked.
            unsafe {
                let scale = _mm512_set1_ps(*tile.row_scales.add(row));
                let scales = _mm512_mul_ps(_mm512_loadu_ps(tile.column_scales), scale);
                let initial = _mm512_maskz_loadu_ps(mask, initial.wrapping_add(row * initial_stride));
                let to = tile.target.to.wrapping_add(row * tile.target.stride);
                _mm512_mask_storeu_ps(to, mask, _mm512_fmadd_ps(sum, scales, initial));
            }
        }
        self.tile = None;
    }
}
