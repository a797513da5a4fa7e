//! What a copy of a factor holds, and in which order.

use super::{amx, registers};
use crate::gemm::{FEW_ROWS, Precision};
use crate::instructions::InstructionSet;

const _: () = assert!(FEW_ROWS == 2 * registers::ROWS);

/// How a product is computed; what the words of its factors are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// In 512-bit registers. A word is an fp32 number.
    Fp32,
    /// In 512-bit registers. A word is two bf16 numbers that follow each other along `k`.
    Bf16,
    /// In tile registers. A word is two bf16 numbers: see [`amx`].
    AmxRounded,
    /// In tile registers. A word is a digit of four numbers, and behind a piece comes its scale: see [`amx`].
    AmxDigits,
}

impl Format {
    /// The fastest one of this machine, for products with many rows.
    pub fn of(precision: Precision) -> Self {
        match (InstructionSet::detect().has_amx(), precision) {
            (true, Precision::Fp32) => Self::AmxDigits,
            (true, Precision::Bf16) => Self::AmxRounded,
            (false, Precision::Fp32) => Self::Fp32,
            (false, Precision::Bf16) => Self::Bf16,
        }
    }

    /// The fastest one for a left factor with this many rows and a right one that was not prepared: with few rows it
    /// does not pay to take its numbers apart.
    pub fn of_rows(precision: Precision, rows: usize) -> Self {
        match Self::of(precision) {
            Self::AmxDigits if rows <= FEW_ROWS => Self::Fp32,
            format => format,
        }
    }

    /// How far `k` runs before a tile is stored.
    pub const fn depth(self) -> usize {
        match self {
            // A panel takes 64 KiB in fp32, 32 KiB in bf16.
            Self::Fp32 | Self::Bf16 => 512,
            // 16 KiB, so that it stays in the first cache.
            Self::AmxRounded | Self::AmxDigits => 256,
        }
    }

    /// Words of a lane, for `depth` of its numbers.
    pub const fn steps(self, depth: usize) -> usize {
        match self {
            Self::Fp32 => depth,
            Self::Bf16 => depth.div_ceil(2),
            Self::AmxRounded => depth.div_ceil(amx::ROUNDED_DEPTH) * (amx::ROUNDED_DEPTH / 2),
            Self::AmxDigits => {
                depth.div_ceil(amx::DIGITS_DEPTH) * (amx::DIGITS_DEPTH / 4) * amx::DIGITS + depth.div_ceil(self.depth())
            }
        }
    }

    /// Whether tile registers are used.
    pub const fn is_amx(self) -> bool {
        matches!(self, Self::AmxRounded | Self::AmxDigits)
    }

    /// Rows of a tile of the result.
    pub const fn tile_rows(self) -> usize {
        match self {
            Self::Fp32 | Self::Bf16 => registers::ROWS,
            Self::AmxRounded => amx::ROUNDED_SIDE,
            Self::AmxDigits => amx::REGISTER,
        }
    }

    /// Columns of a tile of the result.
    pub const fn tile_columns(self) -> usize {
        match self {
            Self::Fp32 | Self::Bf16 => registers::COLUMNS,
            Self::AmxRounded => amx::ROUNDED_SIDE,
            Self::AmxDigits => amx::REGISTER,
        }
    }
}

/// Which factor is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Its lanes are its rows.
    Left,
    /// Its lanes are its columns.
    Right,
}

/// How a factor is copied.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    pub side: Side,
    pub format: Format,
}

impl Order {
    /// Lanes of a strip: rows or columns of a tile.
    pub const fn width(self) -> usize {
        match self.side {
            Side::Left => self.format.tile_rows(),
            Side::Right => self.format.tile_columns(),
        }
    }

    /// See [`Format::steps`].
    pub const fn steps(self, depth: usize) -> usize {
        self.format.steps(depth)
    }
}
