//! How exact the operands of matrix products are.

use burn::prelude::*;
use burn::tensor::{DType, FloatDType};

use crate::cpu::is_fused;
use crate::instructions::InstructionSet;

/// How operands of products are rounded. Weights, sums and whatever is no product stay fp32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// Not at all; in tile registers (AMX) to 32 bits beside the greatest of up to 256 numbers that are multiplied and
    /// summed together, which keeps all digits of those down to 2^-7 of it.
    #[default]
    Fp32,
    /// To bf16, 8 bits of mantissa, where the device multiplies such numbers; else as [`Precision::Fp32`]. Products
    /// inside attention are not rounded.
    Bf16,
}

impl Precision {
    /// What this machine's CPU makes of it.
    pub fn available(self) -> Self {
        if InstructionSet::detect().has_bf16() {
            self
        } else {
            Self::Fp32
        }
    }

    /// What a device makes of it.
    pub fn available_on(self, device: &Device) -> Self {
        if is_fused(device) {
            self.available()
        } else if device.supports_dtype(DType::BF16) {
            self
        } else {
            Self::Fp32
        }
    }
}

/// A product by plain Burn operations; where its operands are rounded to bf16, so is its result.
pub(crate) fn product(left: Tensor<2>, right: Tensor<2>, precision: Precision) -> Tensor<2> {
    match precision.available_on(&left.device()) {
        Precision::Fp32 => left.matmul(right),
        Precision::Bf16 => left
            .cast(FloatDType::BF16)
            .matmul(right.cast(FloatDType::BF16))
            .cast(FloatDType::F32),
    }
}
