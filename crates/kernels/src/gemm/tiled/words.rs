//! Memory that begins with a cache line.

use std::arch::x86_64::*;
use std::ops::{Deref, DerefMut};

use crate::numbers::{Plain, uninitialized};

/// What a cache line, a register and a row of a tile register hold.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Line(pub [u32; 16]);

impl Plain for Line {}

impl Line {
    /// What a register holds.
    #[target_feature(enable = "avx512f")]
    pub fn of(register: __m512i) -> Self {
        let mut line = Self([0; 16]);
        // SAFETY: a line is as large as a register.
        unsafe { _mm512_store_si512((&raw mut line).cast(), register) };
        line
    }

    /// Its words in a register.
    #[target_feature(enable = "avx512f")]
    pub fn words(&self) -> __m512i {
        // SAFETY: a line is as large as a register.
        unsafe { _mm512_load_si512((&raw const *self).cast()) }
    }

    /// Its words as numbers.
    #[target_feature(enable = "avx512f")]
    pub fn numbers(&self) -> __m512 {
        _mm512_castsi512_ps(self.words())
    }
}

/// Words in whole cache lines. They hold what was in their memory before: see [`uninitialized`].
#[derive(Default)]
pub struct Words(Vec<Line>);

impl Words {
    /// At least `count` words.
    pub fn new(count: usize) -> Self {
        Self(uninitialized(count.div_ceil(16)))
    }
}

impl Deref for Words {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        // SAFETY: a line is sixteen words.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), self.0.len() * 16) }
    }
}

impl DerefMut for Words {
    fn deref_mut(&mut self) -> &mut [u32] {
        // SAFETY: a line is sixteen words.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), self.0.len() * 16) }
    }
}
