//! Numbers of a factor sixteen by sixteen, as they lie in memory.

use std::arch::x86_64::*;

use super::super::amx::REGISTER;
use super::super::registers::lane_masks;
use super::Lines;

/// Squares of sixteen lines with sixteen numbers each, one after the other along `k`.
pub(super) struct Squares<const COUNT: usize> {
    first: [*const f32; COUNT],
    stride: usize,
    /// Lines that are there, of each square.
    present: [usize; COUNT],
    /// Numbers that are there, of every line.
    masks: [u16; COUNT],
}

impl<const COUNT: usize> Squares<COUNT> {
    /// From a lane and one of its numbers on. Where lanes lie side by side, a line is one number of each, or else it is
    /// sixteen numbers of a lane.
    pub fn of(all: &Lines, lane: usize, number: usize) -> Self {
        let numbers: [usize; COUNT] = std::array::from_fn(|square| number + square * REGISTER);
        let lanes = REGISTER.min(all.lanes.saturating_sub(lane));
        let depths = numbers.map(|number| REGISTER.min(all.depth.saturating_sub(number)));
        let first = numbers.map(|number| {
            let before = lane * all.lane_stride + number * all.depth_stride;
            all.data.as_ptr().wrapping_add(before)
        });
        let mask = |count| lane_masks(count)[0];
        if all.lane_stride == 1 {
            Self {
                first,
                stride: all.depth_stride,
                present: depths,
                masks: [mask(lanes); COUNT],
            }
        } else {
            Self {
                first,
                stride: all.lane_stride,
                present: [lanes; COUNT],
                masks: depths.map(mask),
            }
        }
    }

    /// A line of every square; numbers that are not there are zero.
    ///
    /// # Safety
    /// The others are there.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub unsafe fn lines(&self, line: usize) -> [__m512; COUNT] {
        let mut lines = [_mm512_setzero_ps(); COUNT];
        for (square, numbers) in lines.iter_mut().enumerate() {
            if line < self.present[square] {
                let from = self.first[square].wrapping_add(line * self.stride);
                // SAFETY: by the caller; masked numbers are not touched.
                *numbers = unsafe { _mm512_maskz_loadu_ps(self.masks[square], from) };
            }
        }
        lines
    }
}
