//! Products in tile registers: Intel's Advanced Matrix Extensions (AMX).
//!
//! One instruction multiplies sixteen rows of 32 bf16 numbers by 32 rows of sixteen columns and adds the products in
//! fp32: sixteen times what a core's 512-bit registers do with fp32 numbers in the same time. A tile of a result has 32
//! rows and 32 columns, which four of the eight registers hold; the others hold what is multiplied.
//!
//! A number of fp32 is the sum of three of bf16, exactly, as its 24 binary digits are three times eight:
//! `a = a1 + a2 + a3`. Of the nine products that `a b` then has, the six greatest are added; the others are together
//! less than 2^-24 of `a b`, which is less than fp32 can tell. This is after Henry, Tang and Heinecke (2019),
//! "Leveraging the bfloat16 artificial intelligence datatype for higher-precision computations". It holds from 1e-31 to
//! 3.38e38: parts below 1e-38 count as zero, and what rounds to infinity becomes, like infinity itself, what is not a
//! number.

use std::arch::asm;
use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
use std::marker::PhantomData;

use super::words::Line;
use super::{TILE_COLUMNS, Target};

/// Rows and columns of a tile of the result.
pub(super) const SIDE: usize = 32;
/// Rows and columns of a register.
pub(super) const REGISTER: usize = 16;
/// Numbers along `k` that a register holds of a lane.
pub const DEPTH: usize = 32;
/// Bytes of a register.
const REGISTER_BYTES: usize = 1024;
const _: () = assert!(SIDE == TILE_COLUMNS && SIDE == 2 * REGISTER && REGISTER_BYTES == REGISTER * DEPTH * 2);

/// How many bf16 numbers a number is the sum of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parts {
    /// The nearest.
    One,
    /// Three, for all digits of fp32.
    Three,
}

impl Parts {
    pub const fn count(self) -> usize {
        match self {
            Self::One => 1,
            Self::Three => 3,
        }
    }
}

/// Asks whether the CPU has tile registers, and the system to let this process use them.
pub fn is_available() -> bool {
    has_instructions() && is_permitted()
}

/// Whether the CPU multiplies bf16 numbers in tile registers, and the system keeps them for each thread.
fn has_instructions() -> bool {
    use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
    #[target_feature(enable = "xsave")]
    fn kept() -> u64 {
        // SAFETY: the system has switched these instructions on.
        unsafe { _xgetbv(0) }
    }
    const BF16: u32 = 1 << 22;
    const TILES: u32 = 1 << 24;
    const OSXSAVE: u32 = 1 << 27;
    const CONFIGURATION_AND_DATA: u64 = 0b11 << 17;
    let has_leaf = __cpuid(0).eax >= 7;
    has_leaf
        && __cpuid_count(7, 0).edx & (BF16 | TILES) == BF16 | TILES
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
pub(super) struct Registers {
    /// Where a register is stored that nobody reads.
    unread: Register,
    not_send: PhantomData<*const ()>,
}

/// What a register holds.
#[repr(C, align(64))]
struct Register([u8; REGISTER_BYTES]);

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
        Self {
            unread: Register([0; REGISTER_BYTES]),
            not_send: PhantomData,
        }
    }

    /// Adds a product to a tile of the result. `left` and `right` are strips of blocks that are [`DEPTH`] deep: for
    /// each the registers of the first sixteen lanes, one for each part, then those of the others.
    ///
    /// # Safety
    /// The target is there, and nobody else's.
    pub unsafe fn multiply(&mut self, left: &[u32], right: &[u32], blocks: usize, parts: Parts, target: &Target) {
        let words = blocks * parts.count() * 2 * REGISTER_BYTES / 4;
        assert!(
            blocks > 0 && left.len() >= words && right.len() >= words,
            "strips of a tile"
        );
        // SAFETY: by the caller.
        unsafe {
            if target.rows == SIDE && target.columns == SIDE {
                return self.whole(left, right, blocks, parts, target);
            }
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
            if !target.initial.is_null() {
                for row in 0..target.rows {
                    let from = target.initial.add(row * target.initial_stride);
                    to.add(row * SIDE).copy_from_nonoverlapping(from, target.columns);
                }
            }
            self.whole(left, right, blocks, parts, &whole);
            for row in 0..target.rows {
                let from = to.add(row * SIDE);
                target
                    .to
                    .add(row * target.stride)
                    .copy_from_nonoverlapping(from, target.columns);
            }
        }
    }

    /// A tile whose rows and columns are all in the result.
    ///
    /// # Safety
    /// As above.
    unsafe fn whole(&mut self, left: &[u32], right: &[u32], blocks: usize, parts: Parts, target: &Target) {
        static ZEROS: [Line; 2] = [Line([0; 16]); 2];
        let (initial, initial_stride) = match target.initial.is_null() {
            true => (ZEROS.as_ptr().cast(), 0),
            false => (target.initial, target.initial_stride),
        };
        // The result's lines are fetched while the sums are made, or storing would wait for them.
        for row in 0..SIDE {
            let line = target.to.wrapping_add(row * target.stride);
            // SAFETY: it changes nothing.
            unsafe {
                _mm_prefetch::<_MM_HINT_ET0>(line.cast());
                _mm_prefetch::<_MM_HINT_ET0>(line.wrapping_add(REGISTER).cast());
            }
        }
        /// Registers 0 to 3 are the sums, 4 and 5 hold rows of the left factor, 6 and 7 columns of the right one;
        /// `bytes` are those of a block.
        macro_rules! tile {
            ($bytes:literal, [$($step:expr),* $(,)?] $(, $name:ident = $operand:expr)?) => {
                asm!(
                    "tileloadd tmm0, [{initial} + 1*{initial_stride}]",
                    "tileloadd tmm1, [{initial} + 1*{initial_stride} + 64]",
                    "tileloadd tmm2, [{initial_below} + 1*{initial_stride}]",
                    "tileloadd tmm3, [{initial_below} + 1*{initial_stride} + 64]",
                    "2:",
                    $($step,)*
                    concat!("add {left}, ", $bytes),
                    concat!("add {right}, ", $bytes),
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
                    $($name = in(reg) $operand,)?
                    initial = in(reg) initial,
                    initial_below = in(reg) initial.wrapping_add(REGISTER * initial_stride),
                    initial_stride = in(reg) 4 * initial_stride,
                    to = in(reg) target.to,
                    to_below = in(reg) target.to.wrapping_add(REGISTER * target.stride),
                    stride = in(reg) 4 * target.stride,
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                )
            };
        }
        // Most loads stand right before what needs them, so that multiplying goes on meanwhile. An argument is where the
        // first sixteen lanes lie within a block, then where the others do.
        macro_rules! first_right {
            ($right:literal, $right_other:literal) => {
                concat!(
                    "tileloadd tmm6, [{right} + 1*{row} + ",
                    $right,
                    "]\n",
                    "tileloadd tmm7, [{right} + 1*{row} + ",
                    $right_other,
                    "]\n",
                )
            };
        }
        macro_rules! left {
            ($left:literal, $left_other:literal) => {
                concat!(
                    "tileloadd tmm4, [{left} + 1*{row} + ",
                    $left,
                    "]\n",
                    "tdpbf16ps tmm0, tmm4, tmm6\n",
                    "tdpbf16ps tmm1, tmm4, tmm7\n",
                    "tileloadd tmm5, [{left} + 1*{row} + ",
                    $left_other,
                    "]\n",
                    "tdpbf16ps tmm2, tmm5, tmm6\n",
                    "tdpbf16ps tmm3, tmm5, tmm7\n",
                )
            };
        }
        macro_rules! right {
            ($right:literal, $right_other:literal) => {
                concat!(
                    "tileloadd tmm6, [{right} + 1*{row} + ",
                    $right,
                    "]\n",
                    "tdpbf16ps tmm0, tmm4, tmm6\n",
                    "tdpbf16ps tmm2, tmm5, tmm6\n",
                    "tileloadd tmm7, [{right} + 1*{row} + ",
                    $right_other,
                    "]\n",
                    "tdpbf16ps tmm1, tmm4, tmm7\n",
                    "tdpbf16ps tmm3, tmm5, tmm7\n",
                )
            };
        }
        // SAFETY: by the caller; the registers are configured, and there is at least one block.
        unsafe {
            match parts {
                Parts::One => tile!("2048", [first_right!("0", "1024"), left!("0", "1024")]),
                // Parts 1 and 3, then 1 2, 2 2, 2 1, 1 1 and 3 1: each step changes one side. The unit that stores
                // registers sleeps after about a microsecond without work and takes a quarter of one to wake up: it is
                // given some in every block.
                Parts::Three => tile!(
                    "6144",
                    [
                        first_right!("2048", "5120"),
                        left!("0", "3072"),
                        right!("1024", "4096"),
                        left!("1024", "4096"),
                        right!("0", "3072"),
                        left!("0", "3072"),
                        left!("2048", "5120"),
                        "tilestored [{unread} + 1*{row}], tmm4",
                    ],
                    unread = &mut self.unread
                ),
            }
        }
    }
}

impl Drop for Registers {
    fn drop(&mut self) {
        // SAFETY: they were configured by this thread, as this is not `Send`.
        unsafe { asm!("tilerelease", options(nomem, nostack, preserves_flags)) };
    }
}

/// A tile of which the result has only a part.
#[repr(C, align(64))]
struct Scratch([[f32; SIDE]; SIDE]);
