//! The linear map of rows, `y = x W + b`; several maps of the same rows as one operation.
//!
//! ```text
//! dx = Σ dy_i W_i^T        dW_i = x^T dy_i        db_i = Σ_rows dy_i
//! ```
//!
//! N rows, K numbers in a row, M numbers that a map makes of them.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, TensorMetadata, backend_extension};
use burn::nn::Linear;
use burn::prelude::*;

use crate::autodiff::{parts, record, register};
use crate::cpu::{Cpu, is_fused};
use crate::gemm::{Matrix, Product, Right, Start};
use crate::numbers::uninitialized;
use crate::precision::{Precision, product};

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
        // No model has more; the products are the same ones.
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
fn bias(map: &Linear) -> Tensor<1> {
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
fn mapped<B: Cpu, const N: usize>(tensors: [FloatTensor<B>; N], precision: Precision) -> FloatTensor<B> {
    Maps::<B>::new(tensors, precision).forward()
}

/// The same for autodiff.
fn recorded<B: Cpu, C: CheckpointStrategy, const N: usize>(
    tensors: [FloatTensor<Autodiff<B, C>>; N],
    precision: Precision,
) -> FloatTensor<Autodiff<B, C>> {
    let (tensors, guards) = parts::<B, C, N>(tensors);
    let maps = Maps::<B>::new(tensors, precision);
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

/// Rows and the maps that they go through.
#[derive(Debug, Clone)]
struct Maps<B: Cpu> {
    x: FloatTensor<B>,
    /// Weight and bias of each map.
    parameters: Vec<[FloatTensor<B>; 2]>,
    precision: Precision,
}

impl<B: Cpu> Maps<B> {
    fn new<const N: usize>(tensors: [FloatTensor<B>; N], precision: Precision) -> Self {
        let mut tensors = tensors.into_iter().map(B::contiguous);
        let x = tensors.next().expect("x");
        let parameters = std::iter::from_fn(|| Some([tensors.next()?, tensors.next()?])).collect();
        Self {
            x,
            parameters,
            precision,
        }
    }

    /// N, K, and the sum of all M.
    fn sizes(&self) -> [usize; 3] {
        let width = *self.x.shape().last().expect("rows");
        let made = self.parameters.iter().map(|[weight, _]| weight.shape()[1]).sum();
        [B::values(&self.x).len() / width, width, made]
    }

    /// Each map's weight, `[K, M]`, its bias, and where its numbers begin in a row of the result.
    fn each(&self) -> impl Iterator<Item = (Matrix<'_>, &[f32], usize)> {
        let mut begin = 0;
        self.parameters.iter().map(move |[weight, bias]| {
            let [rows, columns] = [weight.shape()[0], weight.shape()[1]];
            let offset = begin;
            begin += columns;
            (Matrix::new(B::values(weight), [rows, columns]), B::values(bias), offset)
        })
    }

    fn forward(&self) -> FloatTensor<B> {
        let [rows, width, made] = self.sizes();
        let mut output = uninitialized(rows * made);
        for (weight, bias, offset) in self.each() {
            Product {
                left: Matrix::new(B::values(&self.x), [rows, width]),
                right: &Right::new(weight, self.precision),
                start: Start::Bias(bias),
            }
            .write_strided(&mut output[offset..], made);
        }
        let mut shape = self.x.shape();
        let last = shape.num_dims() - 1;
        shape[last] = made;
        B::tensor(output, shape)
    }

    /// Gradients of x and of each weight and bias, from the output's.
    fn backward(&self, output: &[f32], of_x: bool) -> Vec<FloatTensor<B>> {
        let [rows, width, made] = self.sizes();
        let x = Matrix::new(B::values(&self.x), [rows, width]);
        let mut x_gradient = uninitialized(rows * width);
        let mut gradients = Vec::new();
        for (weight, bias, offset) in self.each() {
            let output = Matrix::strided(&output[offset..], [rows, bias.len()], made);
            if of_x {
                Product {
                    left: output,
                    right: &Right::new(weight.t(), self.precision),
                    start: if offset == 0 { Start::Zero } else { Start::Result },
                }
                .write(&mut x_gradient);
            }
            let mut weight_gradient = uninitialized(width * bias.len());
            let mut bias_gradient = uninitialized(bias.len());
            Product {
                left: x.t(),
                right: &Right::new(output, self.precision),
                start: Start::Zero,
            }
            .write_and_sum(&mut weight_gradient, &mut bias_gradient);
            gradients.push(B::tensor(weight_gradient, Shape::new([width, bias.len()])));
            gradients.push(B::tensor(bias_gradient, Shape::new([bias.len()])));
        }
        gradients.insert(0, B::tensor(x_gradient, self.x.shape()));
        gradients
    }
}

#[cfg(test)]
mod tests;
