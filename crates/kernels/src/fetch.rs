//! Memory that is asked for before it is read.

/// Asks for what stands behind some numbers, in as many parts as there is work to do meanwhile: for one of `parts` parts
/// of as many numbers again. Whether there are any makes no difference.
#[cfg(target_arch = "x86_64")]
#[inline]
pub fn fetch_behind(numbers: &[f32], part: usize, parts: usize) {
    use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
    /// Numbers of a cache line.
    const LINE: usize = 16;
    let count = numbers.len().div_ceil(parts);
    let first = numbers.as_ptr().wrapping_add(numbers.len() + part * count);
    for number in (0..count).step_by(LINE) {
        // SAFETY: it reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(first.wrapping_add(number).cast()) };
    }
}

/// Elsewhere nothing is asked for.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub fn fetch_behind(_numbers: &[f32], _part: usize, _parts: usize) {}
