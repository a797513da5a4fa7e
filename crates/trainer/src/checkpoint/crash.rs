//! For tests: a process that dies between two system calls of a checkpoint.
//!
//! Every system call of this module's parent goes through [`During`](super::During), and may be the last one. Death is a
//! panic without a message, so nothing of the error handling runs that a killed process would not run either.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

thread_local! {
    /// Calls that this thread may still make; `None` for any number.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
}

struct Death;

/// Does the work up to and including system call number `calls`, counted from 1. `None` if it died there, and what came
/// out if it made fewer calls.
pub(crate) fn dies_after<T>(calls: usize, work: impl FnOnce() -> T) -> Option<T> {
    LEFT.set(Some(calls));
    let outcome = catch_unwind(AssertUnwindSafe(work));
    LEFT.set(None);
    match outcome {
        Ok(done) => Some(done),
        Err(death) if death.is::<Death>() => None,
        Err(panic) => resume_unwind(panic),
    }
}

/// A system call was made.
pub(super) fn call() {
    match LEFT.get() {
        // What is dropped on the way out makes its calls in peace.
        _ if std::thread::panicking() => {}
        Some(0 | 1) => resume_unwind(Box::new(Death)),
        left => LEFT.set(left.map(|left| left - 1)),
    }
}
