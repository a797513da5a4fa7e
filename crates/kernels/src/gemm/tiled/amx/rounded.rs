//! Products of numbers rounded to bf16, with sums in fp32.
//!
//! A tile of the result has 32 rows and 32 columns, which four of the eight registers hold; the others hold what is
//! multiplied.

use std::arch::asm;
use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};

use super::super::Target;
use super::{GROUP, REGISTER, REGISTER_WORDS, Registers};

/// Rows and columns of a tile of the result.
pub const SIDE: usize = 32;
/// Numbers along `k` that a register holds of a lane.
pub const DEPTH: usize = 32;
const _: () = assert!(SIDE == 2 * REGISTER && 2 * REGISTER_WORDS == REGISTER * DEPTH);

impl Registers {
    /// Adds a product to a part of the result. `left` and `right` are strips of blocks that are [`DEPTH`] deep: for each
    /// the register of the first sixteen lanes, then that of the others.
    ///
    /// # Safety
    /// The part is there, and nobody else's.
    pub unsafe fn multiply_rounded(&mut self, left: &[u32], right: &[u32], depth: usize, part: &Target) {
        let blocks = depth.div_ceil(DEPTH);
        let words = blocks * 2 * REGISTER_WORDS;
        let strips = |lanes: usize| lanes.div_ceil(SIDE) * words;
        assert!(
            blocks > 0 && left.len() >= strips(part.rows) && right.len() >= strips(part.columns),
            "strips of a part"
        );
        for first in (0..part.columns).step_by(GROUP * SIDE) {
            let columns = first..part.columns.min(first + GROUP * SIDE);
            let right = &right[first / SIDE * words..];
            for (row, left) in (0..part.rows).step_by(SIDE).zip(left.chunks_exact(words)) {
                for (column, right) in columns.clone().step_by(SIDE).zip(right.chunks_exact(words)) {
                    let target = part.tile([row, column], SIDE);
                    // SAFETY: by the caller; these are strips of so many blocks.
                    unsafe {
                        if target.rows == SIDE && target.columns == SIDE {
                            self.whole(left, right, blocks, &target);
                        } else {
                            self.not_whole(left, right, blocks, &target);
                        }
                    }
                }
            }
        }
    }

    /// A tile of which the result has only a part.
    ///
    /// # Safety
    /// The target is there, and strips have the blocks, of which there is one at least.
    unsafe fn not_whole(&mut self, left: &[u32], right: &[u32], blocks: usize, target: &Target) {
        let mut tile = Scratch([[0.0; SIDE]; SIDE]);
        let to = tile.0.as_mut_ptr().cast::<f32>();
        let whole = Target {
            to,
            stride: SIDE,
            initial: to.cast_const(),
            initial_stride: SIDE,
            rows: SIDE,
            columns: SIDE,
        };
        // SAFETY: by the caller.
        unsafe {
            if !target.initial.is_null() {
                for row in 0..target.rows {
                    let from = target.initial.add(row * target.initial_stride);
                    to.add(row * SIDE).copy_from_nonoverlapping(from, target.columns);
                }
            }
            self.whole(left, right, blocks, &whole);
            for row in 0..target.rows {
                let from = to.add(row * SIDE);
                let to = target.to.add(row * target.stride);
                to.copy_from_nonoverlapping(from, target.columns);
            }
        }
    }

    /// A tile whose rows and columns are all in the result.
    ///
    /// # Safety
    /// As above.
    unsafe fn whole(&mut self, left: &[u32], right: &[u32], blocks: usize, target: &Target) {
        let (initial, initial_stride) = target.initial();
        // The result's lines are fetched while the sums are made, or storing would wait for them.
        for row in 0..SIDE {
            let line = target.to.wrapping_add(row * target.stride);
            // SAFETY: it changes nothing.
            unsafe {
                _mm_prefetch::<_MM_HINT_ET0>(line.cast());
                _mm_prefetch::<_MM_HINT_ET0>(line.wrapping_add(REGISTER).cast());
            }
        }
        // Registers 0 to 3 are the sums, 4 and 5 hold rows of the left factor, 6 and 7 columns of the right one. Most
        // loads stand right before what needs them, so that multiplying goes on meanwhile.
        // SAFETY: by the caller; the registers are configured, and there is at least one block.
        unsafe {
            asm!(
                "tileloadd tmm0, [{initial} + 1*{initial_stride}]",
                "tileloadd tmm1, [{initial} + 1*{initial_stride} + 64]",
                "tileloadd tmm2, [{initial_below} + 1*{initial_stride}]",
                "tileloadd tmm3, [{initial_below} + 1*{initial_stride} + 64]",
                "2:",
                "tileloadd tmm6, [{right} + 1*{row}]",
                "tileloadd tmm7, [{right} + 1*{row} + 1024]",
                "tileloadd tmm4, [{left} + 1*{row}]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                fetch!("{right}", 2048),
                "tdpbf16ps tmm1, tmm4, tmm7",
                fetch!("{right}", 2560),
                "tileloadd tmm5, [{left} + 1*{row} + 1024]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                fetch!("{right}", 3072),
                "tdpbf16ps tmm3, tmm5, tmm7",
                fetch!("{right}", 3584),
                "add {left}, 2048",
                "add {right}, 2048",
                "dec {blocks}",
                "jnz 2b",
                "tilestored [{to} + 1*{stride}], tmm0",
                "tilestored [{to} + 1*{stride} + 64], tmm1",
                "tilestored [{to_below} + 1*{stride}], tmm2",
                "tilestored [{to_below} + 1*{stride} + 64], tmm3",
                left = inout(reg) left.as_ptr() => _,
                right = inout(reg) right.as_ptr() => _,
                blocks = inout(reg) blocks => _,
                row = in(reg) 64usize,
                initial = in(reg) initial,
                initial_below = in(reg) initial.wrapping_add(REGISTER * initial_stride),
                initial_stride = in(reg) 4 * initial_stride,
                to = in(reg) target.to,
                to_below = in(reg) target.to.wrapping_add(REGISTER * target.stride),
                stride = in(reg) 4 * target.stride,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }
}

/// A tile of which the result has only a part.
#[repr(C, align(64))]
struct Scratch([[f32; SIDE]; SIDE]);
