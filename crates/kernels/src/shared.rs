//! A buffer that several tasks write.

use std::marker::PhantomData;

/// A borrowed buffer of which each task writes a part of its own.
pub struct Shared<'a, T> {
    first: *mut T,
    len: usize,
    buffer: PhantomData<&'a mut [T]>,
}

// SAFETY: who takes parts promises that they do not overlap.
unsafe impl<T: Send> Send for Shared<'_, T> {}
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub fn new(buffer: &'a mut [T]) -> Self {
        Self {
            first: buffer.as_mut_ptr(),
            len: buffer.len(),
            buffer: PhantomData,
        }
    }

    /// Elements `begin .. begin + len`.
    ///
    /// # Safety
    /// Nobody else has any of them at the same time.
    ///
    /// # Panics
    /// If they are not there.
    #[allow(clippy::mut_from_ref)] // what this is for; the caller sees to it
    pub unsafe fn part(&self, begin: usize, len: usize) -> &mut [T] {
        assert!(begin <= self.len && len <= self.len - begin, "a part of the buffer");
        // SAFETY: they are there, and nobody else's.
        unsafe { std::slice::from_raw_parts_mut(self.first.add(begin), len) }
    }

    /// Where an element lies.
    ///
    /// # Panics
    /// If it is not there.
    pub fn at(&self, index: usize) -> *mut T {
        assert!(index < self.len, "an element of the buffer");
        // SAFETY: it is there.
        unsafe { self.first.add(index) }
    }
}
