//! What numbers of lanes are multiplied by to become whole ones of 32 bits, for their [digits](super::digits).

use std::arch::x86_64::*;

use super::super::amx::REGISTER;
use super::super::registers::lane_masks;
use super::super::words::Line;
use super::Lines;
use super::digits::STRIPS;

/// How many rows ahead numbers are fetched: rows lie too far apart for the machine to see that they will be wanted.
const AHEAD: usize = 16;

/// The greater magnitudes, as bits: what is not a number is greater than infinity.
#[target_feature(enable = "avx512f")]
#[inline]
fn greater(magnitudes: __m512i, numbers: __m512) -> __m512i {
    let others = _mm512_and_si512(_mm512_castps_si512(numbers), _mm512_set1_epi32(0x7FFF_FFFF));
    _mm512_max_epu32(magnitudes, others)
}

/// What the numbers of sixteen lanes are multiplied by, powers of two.
#[derive(Clone, Copy)]
pub(super) struct Scales {
    /// To become whole numbers of 32 bits.
    pub down: Line,
    /// Digits' products, of both lanes' scales, to become the result.
    pub up: Line,
}

impl Default for Scales {
    fn default() -> Self {
        Self {
            down: Line([0; REGISTER]),
            up: Line([0; REGISTER]),
        }
    }
}

impl Scales {
    /// Of the greatest magnitudes: from 2^e on, they are to be 2^30 or more, and no more than four digits write.
    #[target_feature(enable = "avx512f")]
    fn of(greatest: __m512i) -> Self {
        const EXPONENT: u32 = 0x7F80_0000;
        let constant = |bits: u32| _mm512_set1_epi32(bits as i32);
        // Four digits write up to 0x7F7F_7F7F: what is more counts as the next power of two.
        let rounded = _mm512_add_epi32(_mm512_min_epu32(greatest, constant(EXPONENT)), constant(0x1_0101));
        // Smaller ones would need a scale that is not finite.
        let least = constant(30 << 23);
        let e = _mm512_and_si512(_mm512_max_epu32(rounded, least), constant(EXPONENT));
        let down = _mm512_sub_epi32(constant((30 + 2 * 127) << 23), e);
        let up = _mm512_sub_epi32(e, constant(6 << 23));
        let is_finite = _mm512_cmplt_epu32_mask(e, constant(EXPONENT));
        let up = _mm512_mask_mov_epi32(constant(f32::NAN.to_bits()), is_finite, up);
        Self {
            down: Line::of(down),
            up: Line::of(up),
        }
    }
}

impl Lines<'_> {
    /// The scales of some strips from a lane on: of one, where lanes lie apart. The sums of their numbers are added to
    /// those of all lanes, if there are any.
    ///
    /// # Safety
    /// See [`Self::pack_digits`].
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    pub(super) unsafe fn scales(&self, first: usize, strips: usize, sums: Option<&mut [f32]>) -> [Scales; STRIPS] {
        let sums = sums.map(|sums| &mut sums[first..self.lanes.min(first + strips * REGISTER)]);
        macro_rules! beside {
            ($($count:literal)*) => {
                match strips {
                    $($count => self.scale_beside::<$count>(first, sums),)*
                    _ => unreachable!("up to {STRIPS} strips"),
                }
            };
        }
        // SAFETY: by the caller.
        unsafe {
            match self.lane_stride {
                1 => beside!(1 2 3 4 5 6 7 8),
                _ => [self.scale_along(first); STRIPS],
            }
        }
    }

    /// The scales of lanes side by side, and the sums of their numbers.
    ///
    /// # Safety
    /// See [`Self::pack_digits`].
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn scale_beside<const COUNT: usize>(&self, first: usize, sums: Option<&mut [f32]>) -> [Scales; STRIPS] {
        let mut greatest = [_mm512_setzero_si512(); COUNT];
        let mut totals = [_mm512_setzero_ps(); COUNT];
        let masks: [u16; COUNT] =
            std::array::from_fn(|strip| lane_masks(REGISTER.min(self.lanes - first - strip * REGISTER))[0]);
        let row = |number: usize| self.data.as_ptr().wrapping_add(number * self.depth_stride + first);
        for number in 0..self.depth {
            for strip in 0..COUNT {
                // SAFETY: by the caller; masked numbers are not touched, and fetching reads nothing.
                let numbers = unsafe {
                    _mm_prefetch::<_MM_HINT_T0>(row(number + AHEAD).wrapping_add(strip * REGISTER).cast());
                    _mm512_maskz_loadu_ps(masks[strip], row(number).wrapping_add(strip * REGISTER))
                };
                greatest[strip] = greater(greatest[strip], numbers);
                totals[strip] = _mm512_add_ps(totals[strip], numbers);
            }
        }
        if let Some(sums) = sums {
            for strip in 0..COUNT {
                // SAFETY: masked sums are not touched.
                unsafe {
                    let to = sums.as_mut_ptr().wrapping_add(strip * REGISTER);
                    let before = _mm512_maskz_loadu_ps(masks[strip], to);
                    _mm512_mask_storeu_ps(to, masks[strip], _mm512_add_ps(before, totals[strip]));
                }
            }
        }
        let mut scales = [Scales::default(); STRIPS];
        for (scales, greatest) in scales.iter_mut().zip(greatest) {
            *scales = Scales::of(greatest);
        }
        scales
    }

    /// The scales of sixteen lanes that lie apart.
    ///
    /// # Safety
    /// See [`Self::pack_digits`].
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    #[inline]
    unsafe fn scale_along(&self, first: usize) -> Scales {
        let mut greatest = Line([0; REGISTER]);
        for (lane, greatest) in (first..self.lanes).zip(&mut greatest.0) {
            let mut of_lane = _mm512_setzero_si512();
            for number in (0..self.depth).step_by(REGISTER) {
                let mask = lane_masks(REGISTER.min(self.depth - number))[0];
                let from = self.data.as_ptr().wrapping_add(lane * self.lane_stride + number);
                // SAFETY: by the caller; masked numbers are not touched.
                of_lane = greater(of_lane, unsafe { _mm512_maskz_loadu_ps(mask, from) });
            }
            *greatest = _mm512_reduce_max_epu32(of_lane);
        }
        Scales::of(greatest.words())
    }
}
