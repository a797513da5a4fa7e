//! The linear map, on flattened rows.

use burn::nn::Linear;
use burn::prelude::*;

/// `y = x W + b` for every row of `x`.
///
/// Rows are flattened first: one matrix product of `B * L` rows is faster than `B` products of `L` rows.
///
/// # Shapes
/// - `x`: `[B, L, d_in]`, weight `[d_in, d_out]`, bias `[d_out]`
/// - result: `[B, L, d_out]`
pub fn linear(layer: &Linear, x: Tensor<3>) -> Tensor<3> {
    let [batch, length, d_in] = x.dims();
    let [_, d_out] = layer.weight.dims();
    layer
        .forward(x.reshape([batch * length, d_in]))
        .reshape([batch, length, d_out])
}
