//! Products in tile registers: Intel's Advanced Matrix Extensions (AMX).
//!
//! One instruction multiplies sixteen rows by sixteen columns, of each [32 bf16 numbers](rounded) or [64 whole numbers of
//! eight bits](digits), and adds the products: up to 32 times what a core's 512-bit registers do with fp32 numbers in the
//! same time.

/// Assembly that fetches eight lines of what is read next into the first cache.
macro_rules! fetch {
    ($from:literal, $offset:literal) => {
        concat!(
            fetch!($from, $offset, 0),
            fetch!($from, $offset, 64),
            fetch!($from, $offset, 128),
            fetch!($from, $offset, 192),
            fetch!($from, $offset, 256),
            fetch!($from, $offset, 320),
            fetch!($from, $offset, 384),
            fetch!($from, $offset, 448),
        )
    };
    ($from:literal, $offset:literal, $line:literal) => {
        concat!("prefetcht0 byte ptr [", $from, " + ", $offset, " + ", $line, "]\n")
    };
}

mod digits;
mod rounded;

use std::arch::asm;
use std::marker::PhantomData;

use super::Target;
use super::words::Line;

pub use digits::{DEPTH as DIGITS_DEPTH, DIGITS};
pub use rounded::{DEPTH as ROUNDED_DEPTH, SIDE as ROUNDED_SIDE};

/// Rows and columns of a register of sums.
pub const REGISTER: usize = 16;
/// Words of a register.
pub const REGISTER_WORDS: usize = 256;
/// Strips of columns that are read for one strip of rows after the other: a megabyte, which stays in the second cache.
const GROUP: usize = 64;

/// Asks whether the CPU has tile registers, and the system to let this process use them.
pub fn is_available() -> bool {
    has_instructions() && is_permitted()
}

/// Whether the CPU multiplies bf16 and whole numbers in tile registers, and the system keeps them for each thread.
fn has_instructions() -> bool {
    use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
    #[target_feature(enable = "xsave")]
    fn kept() -> u64 {
        // SAFETY: the system has switched these instructions on.
        unsafe { _xgetbv(0) }
    }
    const BF16: u32 = 1 << 22;
    const TILES: u32 = 1 << 24;
    const INT8: u32 = 1 << 25;
    const OSXSAVE: u32 = 1 << 27;
    const CONFIGURATION_AND_DATA: u64 = 0b11 << 17;
    let has_leaf = __cpuid(0).eax >= 7;
    has_leaf
        && __cpuid_count(7, 0).edx & (BF16 | TILES | INT8) == BF16 | TILES | INT8
        && __cpuid(1).ecx & OSXSAVE != 0
        // SAFETY: the system has switched them on.
        && unsafe { kept() } & CONFIGURATION_AND_DATA == CONFIGURATION_AND_DATA
}

/// Linux lets a process use tile registers when it asks for them.
#[cfg(target_os = "linux")]
fn is_permitted() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const TILE_DATA: libc::c_long = 18;
    // SAFETY: it changes nothing but what this process may use.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn is_permitted() -> bool {
    false
}

/// This thread's tile registers, which can be used as long as this is there.
pub(super) struct Registers(PhantomData<*const ()>);

/// Eight registers of sixteen rows of 64 bytes.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    zero: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

impl Registers {
    /// # Safety
    /// They were found [available](is_available), and this thread has no other of this type.
    pub unsafe fn new() -> Self {
        static CONFIGURATION: Configuration = Configuration {
            palette: 1,
            start_row: 0,
            zero: [0; 14],
            row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
            rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
        };
        // SAFETY: 64 bytes are read; nothing else in this program has tile registers.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &CONFIGURATION, options(nostack, preserves_flags)) };
        Self(PhantomData)
    }
}

impl Drop for Registers {
    fn drop(&mut self) {
        // SAFETY: they were configured by this thread, as this is not `Send`.
        unsafe { asm!("tilerelease", options(nomem, nostack, preserves_flags)) };
    }
}

/// What a result begins with that begins with nothing.
static ZEROS: [Line; 2] = [Line([0; 16]); 2];

impl Target {
    /// What it begins with, and the numbers from a row of that to the next.
    #[inline]
    fn initial(&self) -> (*const f32, usize) {
        match self.initial.is_null() {
            true => (ZEROS.as_ptr().cast(), 0),
            false => (self.initial, self.initial_stride),
        }
    }

    /// The part of it that begins at a row and a column, with `side` of both at most.
    #[inline]
    fn tile(&self, [row, column]: [usize; 2], side: usize) -> Self {
        let initial = match self.initial.is_null() {
            true => self.initial,
            false => self.initial.wrapping_add(row * self.initial_stride + column),
        };
        Self {
            to: self.to.wrapping_add(row * self.stride + column),
            initial,
            rows: side.min(self.rows - row),
            columns: side.min(self.columns - column),
            ..*self
        }
    }
}
