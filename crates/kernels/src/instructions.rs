//! Which instructions this machine has, found once at run time.
//!
//! A plain build targets the oldest CPU of its family. Functions inside [`vectorized!`] are compiled once for each
//! instruction set, and the best one is called: the same source, four, eight or sixteen numbers at a time.
//!
//! None of them uses fused multiply-add, and sums keep a fixed number of lanes, so that every instruction set gives the
//! same bits. (Matrix products do fuse, and sum columns on the way in an order of their own: see [`crate::gemm`].)

use std::fmt;
use std::sync::OnceLock;

/// What the kernels are run with, from the widest to the plainest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InstructionSet {
    /// Tile registers for products of bf16 numbers and of whole ones, and what follows.
    Amx,
    /// 512-bit registers, and products of bf16 numbers.
    Avx512Bf16,
    /// 512-bit registers.
    Avx512,
    /// 256-bit registers and fused multiply-add.
    Avx2,
    /// What every CPU of the family has (on ARM, that is NEON).
    Baseline,
}

impl InstructionSet {
    /// The best one of this machine.
    pub fn detect() -> Self {
        static FOUND: OnceLock<InstructionSet> = OnceLock::new();
        let found = *FOUND.get_or_init(find);
        #[cfg(test)]
        let found = found.max(limit::get());
        found
    }

    /// Whether matrix products can multiply bf16 numbers directly.
    pub fn has_bf16(self) -> bool {
        matches!(self, Self::Amx | Self::Avx512Bf16)
    }

    /// Whether tile registers can be used.
    pub fn has_amx(self) -> bool {
        self == Self::Amx
    }

    /// Whether 512-bit registers can be used.
    pub fn has_avx512(self) -> bool {
        self <= Self::Avx512
    }
}

impl fmt::Display for InstructionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Amx => "AMX and AVX-512",
            Self::Avx512Bf16 => "AVX-512 with bf16",
            Self::Avx512 => "AVX-512",
            Self::Avx2 => "AVX2",
            Self::Baseline if cfg!(target_arch = "aarch64") => "NEON",
            Self::Baseline => "baseline",
        })
    }
}

#[cfg(target_arch = "x86_64")]
fn find() -> InstructionSet {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = avx2
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    let bf16 = avx512 && is_x86_feature_detected!("avx512bf16");
    match (avx512, avx2) {
        (true, _) if bf16 && crate::gemm::has_amx() => InstructionSet::Amx,
        (true, _) if bf16 => InstructionSet::Avx512Bf16,
        (true, _) => InstructionSet::Avx512,
        (false, true) => InstructionSet::Avx2,
        (false, false) => InstructionSet::Baseline,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn find() -> InstructionSet {
    InstructionSet::Baseline
}

/// Compiles functions for every instruction set; a call runs the best version.
///
/// The functions called inside must be `#[inline(always)]`, or they stay at the baseline.
macro_rules! vectorized {
    ($(
        $(#[$attribute:meta])*
        $visibility:vis fn $name:ident($($argument:ident: $kind:ty),* $(,)?) $(-> $result:ty)? $body:block
    )*) => { $(
        $(#[$attribute])*
        $visibility fn $name($($argument: $kind),*) $(-> $result)? {
            #[inline(always)]
            #[allow(clippy::too_many_arguments)]
            fn body($($argument: $kind),*) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn avx512($($argument: $kind),*) $(-> $result)? {
                    body($($argument),*)
                }
                #[target_feature(enable = "avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn avx2($($argument: $kind),*) $(-> $result)? {
                    body($($argument),*)
                }
                match $crate::instructions::InstructionSet::detect() {
                    // SAFETY: the machine was found to have these instructions.
                    set if set.has_avx512() => return unsafe { avx512($($argument),*) },
                    $crate::instructions::InstructionSet::Avx2 => return unsafe { avx2($($argument),*) },
                    _ => {}
                }
            }
            body($($argument),*)
        }
    )* };
}
pub(crate) use vectorized;

/// Lets a thread do without its machine's best instructions, so that tests reach what plainer machines run.
#[cfg(test)]
pub mod limit {
    use std::cell::Cell;

    use super::InstructionSet;

    thread_local! {
        static LIMIT: Cell<InstructionSet> = const { Cell::new(InstructionSet::Amx) };
    }

    /// The best that this thread may use.
    pub fn get() -> InstructionSet {
        LIMIT.get()
    }

    /// Sets it.
    pub fn set(best: InstructionSet) {
        LIMIT.set(best);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    vectorized! {
        fn doubled(values: &mut [f32]) -> f32 {
            for value in values.iter_mut() {
                *value *= 2.0;
            }
            values.iter().sum()
        }
    }

    #[test]
    fn a_vectorized_function_is_the_function() {
        let mut values: Vec<f32> = (0..37u8).map(f32::from).collect();
        assert_eq!(doubled(&mut values), 36.0 * 37.0);
        assert_eq!(values[36], 72.0);
        // What was found does not change.
        assert_eq!(InstructionSet::detect(), InstructionSet::detect());
    }
}
