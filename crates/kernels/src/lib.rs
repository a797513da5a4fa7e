//! Fused operations with their gradients for Burn's CPU backends, each beside its reference in plain Burn operations.
//!
//! ```text
//! linear            y = x W + b, several maps of the same rows at once
//! attention         softmax(Q K^T / √d_k) V for packed heads, with masks and dropout
//! residual_norm     norm(x + dropout(y)), and its parts
//! recurrent         a layer of Elman, GRU or LSTM cells through all positions
//! source_attention  attention of a recurrent decoder: one head, scores by product or additive
//! feed_forward      two maps with an activation and dropout between them
//! activation        ReLU, GELU, tanh, SwiGLU, with dropout
//! embedding         table look-up with scale, positions and dropout
//! output_loss       output projection and label-smoothed cross-entropy, a few rows at a time; in pairs for R-Drop
//! adam              the optimizer's step, in one pass over a parameter
//!
//! gemm              matrix products, in fp32 and bf16
//! precision         whether operands of products are rounded to bf16
//! dropout           a counter hash: what is dropped is a pure function of a key and the place
//! instructions      the instruction set, chosen at run time
//! numbers           sums, maxima, exp and its kin over slices
//! shared            a buffer that several tasks write
//! fetch             memory that is asked for before it is read
//! cpu               tensors of Flex and NdArray as slices
//! together          work that consists of many operations, on the pool's threads
//! autodiff          how an operation is recorded
//! ```
//!
//! Each operation's public function takes Burn tensors of any device. On a CPU device it runs fused; on every other
//! device, and after [`use_reference`], it runs the reference. The computation stands once, on slices; what differs
//! between Flex and NdArray is in `cpu`.
//!
//! Results do not depend on the number of threads: sums are taken over pieces of a fixed size, in a fixed order.

// Burn's hint to use Flex instead of NdArray; both are offered.
#![allow(deprecated)]
// Kernels take what they compute with, slice by slice, and walk several slices by one index.
#![allow(clippy::too_many_arguments, clippy::needless_range_loop)]

pub mod activation;
pub mod adam;
pub mod attention;
mod autodiff;
mod cpu;
pub mod dropout;
pub mod embedding;
pub mod feed_forward;
mod fetch;
pub mod gemm;
mod instructions;
pub mod linear;
mod numbers;
pub mod output_loss;
mod precision;
pub mod recurrent;
pub mod residual_norm;
mod shared;
pub mod source_attention;
#[cfg(test)]
mod testing;
mod together;

pub use cpu::{is_fused, use_reference};
pub use dropout::Dropout;
pub use instructions::InstructionSet;
pub use precision::Precision;
pub use together::together;
