//! The allocator: mimalloc, which keeps freed memory for the next update instead of giving it back to the system.
//!
//! An update frees and takes the same hundreds of megabytes as the one before. Given back, every page would be a page
//! fault at the next touch.

#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc 2 and 3; the bindings do not name it.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Stops the allocator from giving memory back. To be called before the first large allocation.
pub fn keep_memory() {
    // SAFETY: sets an integer inside the allocator; 15 is below `_mi_option_last`.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) }
}
