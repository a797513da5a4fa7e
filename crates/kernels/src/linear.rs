//! The linear map of rows, `y = x W + b`; several maps of the same rows as one operation.
//!
//! ```text
//! dx = Σ dy_i W_i^T        dW_i = x^T dy_i        db_i = Σ_rows dy_i
//! ```
//!
//! N rows, K numbers in a row, M numbers that a map makes of them.

mod maps;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, backend_extension};
use burn::nn::Linear;
use burn::prelude::*;

use crate::autodiff::{parts, record, register};
use crate::cpu::{Cpu, is_fused};
use crate::precision::{Precision, product};

pub(crate) use maps::Maps;

/// The results of all maps, side by side. Up to three maps are fused.
///
/// # Shapes
/// - `x`: `[B, L, K]`; weights `[K, M_i]`, biases `[M_i]`
/// - result: `[B, L, Σ M_i]`
pub fn linear(maps: &[&Linear], x: Tensor<3>, precision: Precision) -> Tensor<3> {
    if !is_fused(&x.device()) {
        return reference(maps, x, precision);
    }
    let rows = x.into_dispatch();
    let [weight, bias] = [
        |map: &Linear| map.weight.val().into_dispatch(),
        |map: &Linear| bias(map).into_dispatch(),
    ];
    Tensor::from_dispatch(match maps {
        [one] => Dispatch::linear_kernel(rows, weight(one), bias(one), precision),
        [one, two] => Dispatch::two_linear_kernel(rows, weight(one), bias(one), weight(two), bias(two), precision),
        [one, two, three] => Dispatch::three_linear_kernel(
            rows,
            weight(one),
            bias(one),
            weight(two),
            bias(two),
            weight(three),
            bias(three),
            precision,
        ),
        // No model has more.
        _ => return reference(maps, Tensor::from_dispatch(rows), precision),
    })
}

/// The same in plain Burn operations: one product of all rows is faster than one for each sentence.
pub fn reference(maps: &[&Linear], x: Tensor<3>, precision: Precision) -> Tensor<3> {
    let [batch, length, width] = x.dims();
    let rows = x.reshape([batch * length, width]);
    let result = |map: &&Linear| product(rows.clone(), map.weight.val(), precision) + bias(map).unsqueeze();
    let results: Vec<_> = maps.iter().map(result).collect();
    let result = match <[_; 1]>::try_from(results) {
        Ok([result]) => result,
        Err(results) => Tensor::cat(results, 1),
    };
    let [_, made] = result.dims();
    result.reshape([batch, length, made])
}

/// A map's bias; zeros where it has none.
pub(crate) fn bias(map: &Linear) -> Tensor<1> {
    let [_, made] = map.weight.dims();
    map.bias
        .as_ref()
        .map_or_else(|| Tensor::zeros([made], &map.weight.device()), |bias| bias.val())
}

/// The fused operations, see [`linear`].
#[backend_extension(Flex, NdArray, Autodiff)]
pub trait LinearKernel: Backend {
    /// One map.
    fn linear_kernel(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self>;

    /// Two maps.
    fn two_linear_kernel(
        x: FloatTensor<Self>,
        weight_1: FloatTensor<Self>,
        bias_1: FloatTensor<Self>,
        weight_2: FloatTensor<Self>,
        bias_2: FloatTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self>;

    /// Three maps.
    fn three_linear_kernel(
        x: FloatTensor<Self>,
        weight_1: FloatTensor<Self>,
        bias_1: FloatTensor<Self>,
        weight_2: FloatTensor<Self>,
        bias_2: FloatTensor<Self>,
        weight_3: FloatTensor<Self>,
        bias_3: FloatTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self>;
}

/// Implements the three with a function of all tensors, as an array.
macro_rules! every_count {
    ($function:path) => {
        fn linear_kernel(
            x: FloatTensor<Self>,
            weight: FloatTensor<Self>,
            bias: FloatTensor<Self>,
            precision: Precision,
        ) -> FloatTensor<Self> {
            $function([x, weight, bias], precision)
        }

        fn two_linear_kernel(
            x: FloatTensor<Self>,
            weight_1: FloatTensor<Self>,
            bias_1: FloatTensor<Self>,
            weight_2: FloatTensor<Self>,
            bias_2: FloatTensor<Self>,
            precision: Precision,
        ) -> FloatTensor<Self> {
            $function([x, weight_1, bias_1, weight_2, bias_2], precision)
        }

        fn three_linear_kernel(
            x: FloatTensor<Self>,
            weight_1: FloatTensor<Self>,
            bias_1: FloatTensor<Self>,
            weight_2: FloatTensor<Self>,
            bias_2: FloatTensor<Self>,
            weight_3: FloatTensor<Self>,
            bias_3: FloatTensor<Self>,
            precision: Precision,
        ) -> FloatTensor<Self> {
            $function(
                [x, weight_1, bias_1, weight_2, bias_2, weight_3, bias_3],
                precision,
            )
        }
    };
}

impl<B: Cpu> LinearKernel for B {
    every_count!(mapped::<B, _>);
}

impl<B: Cpu, C: CheckpointStrategy> LinearKernel for Autodiff<B, C> {
    every_count!(recorded::<B, C, _>);
}

/// `tensors` are x, weight, bias, weight, bias, …
fn together<B: Cpu, const N: usize>(tensors: [FloatTensor<B>; N], precision: Precision) -> Maps<B> {
    let mut tensors = tensors.into_iter();
    let x = tensors.next().expect("x");
    Maps::new(x, tensors, precision)
}

/// The tensors as in [`together`].
fn mapped<B: Cpu, const N: usize>(tensors: [FloatTensor<B>; N], precision: Precision) -> FloatTensor<B> {
    together::<B, N>(tensors, precision).forward()
}

/// The same for autodiff.
fn recorded<B: Cpu, C: CheckpointStrategy, const N: usize>(
    tensors: [FloatTensor<Autodiff<B, C>>; N],
    precision: Precision,
) -> FloatTensor<Autodiff<B, C>> {
    let (tensors, guards) = parts::<B, C, N>(tensors);
    let maps = together::<B, N>(tensors, precision);
    let output = maps.forward();
    record::<B, C, _, _, N>(LinearStep, guards, output, || maps)
}

#[derive(Debug)]
struct LinearStep;

impl<B: Cpu, const N: usize> Backward<B, N> for LinearStep {
    type State = Maps<B>;

    fn backward(self, ops: Ops<Maps<B>, N>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let output = B::contiguous(gradients.consume::<B>(&ops.node));
        let found = ops.state.backward(B::values(&output), ops.parents[0].is_some());
        let found: [_; N] = found.try_into().expect("one gradient for each parent");
        register::<B, _, N>(ops, gradients, found);
    }
}

#[cfg(test)]
mod tests;
