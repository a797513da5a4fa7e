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
use rayon::prelude::*;

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
    /// The weights of all maps side by side, `[K, Σ M_i]`, so that one product computes them.
    weight: FloatTensor<B>,
    /// The biases, one behind the other.
    bias: FloatTensor<B>,
    /// M of each map.
    made: Vec<usize>,
    precision: Precision,
}

impl<B: Cpu> Maps<B> {
    fn new<const N: usize>(tensors: [FloatTensor<B>; N], precision: Precision) -> Self {
        let mut tensors = tensors.into_iter().map(B::contiguous);
        let x = tensors.next().expect("x");
        let width = *x.shape().last().expect("rows");
        let (weights, biases): (Vec<_>, Vec<_>) =
            std::iter::from_fn(|| Some((tensors.next()?, tensors.next()?))).unzip();
        for (weight, bias) in weights.iter().zip(&biases) {
            assert_eq!(weight.shape()[..], [width, bias.shape()[0]], "a weight's shape");
        }
        Self {
            x,
            made: biases.iter().map(|bias| bias.shape()[0]).collect(),
            weight: side_by_side::<B>(weights),
            bias: side_by_side::<B>(biases),
            precision,
        }
    }

    /// N, K, and the sum of all M.
    fn sizes(&self) -> [usize; 3] {
        let width = *self.x.shape().last().expect("rows");
        [B::values(&self.x).len() / width, width, self.made.iter().sum()]
    }

    fn weight(&self) -> Matrix<'_> {
        let [_, width, made] = self.sizes();
        Matrix::new(B::values(&self.weight), [width, made])
    }

    fn forward(&self) -> FloatTensor<B> {
        let [rows, width, made] = self.sizes();
        let mut output = uninitialized(rows * made);
        Product {
            left: Matrix::new(B::values(&self.x), [rows, width]),
            right: &Right::new(self.weight(), self.precision),
            start: Start::Bias(B::values(&self.bias)),
        }
        .write(&mut output);
        let mut shape = self.x.shape();
        let last = shape.num_dims() - 1;
        shape[last] = made;
        B::tensor(output, shape)
    }

    /// Gradients of x and of each weight and bias, from the output's.
    fn backward(&self, output: &[f32], of_x: bool) -> Vec<FloatTensor<B>> {
        let [rows, width, made] = self.sizes();
        let output = Matrix::new(output, [rows, made]);
        let mut x = uninitialized(rows * width);
        if of_x {
            Product {
                left: output,
                right: &Right::new(self.weight().t(), self.precision),
                start: Start::Zero,
            }
            .write(&mut x);
        }
        let [mut weight, mut bias] = [uninitialized(width * made), uninitialized(made)];
        Product {
            left: Matrix::new(B::values(&self.x), [rows, width]).t(),
            right: &Right::new(output, self.precision),
            start: Start::Zero,
        }
        .write_and_sum(&mut weight, &mut bias);
        let weights = apart(weight, width, &self.made);
        let biases = apart(bias, 1, &self.made);
        let mut gradients = vec![B::tensor(x, self.x.shape())];
        for ((weight, bias), made) in weights.into_iter().zip(biases).zip(&self.made) {
            gradients.push(B::tensor(weight, Shape::new([width, *made])));
            gradients.push(B::tensor(bias, Shape::new([*made])));
        }
        gradients
    }
}

/// Tensors of equally many rows as one, or vectors; a single one is not copied.
pub(crate) fn side_by_side<B: Cpu>(mut tensors: Vec<FloatTensor<B>>) -> FloatTensor<B> {
    if tensors.len() == 1 {
        return tensors.remove(0);
    }
    let mut shape = tensors[0].shape();
    let last = shape.num_dims() - 1;
    let rows = B::values(&tensors[0]).len() / shape[last];
    let parts: Vec<_> = tensors
        .iter()
        .map(|tensor| (B::values(tensor), tensor.shape()[last]))
        .collect();
    shape[last] = parts.iter().map(|(_, width)| width).sum();
    assert!(
        parts.iter().all(|(values, width)| values.len() == rows * width),
        "equally many rows"
    );
    let mut joined = uninitialized(rows * shape[last]);
    joined
        .par_chunks_exact_mut(shape[last])
        .enumerate()
        .for_each(|(row, joined)| {
            let mut begin = 0;
            for (values, width) in &parts {
                joined[begin..][..*width].copy_from_slice(&values[row * width..][..*width]);
                begin += width;
            }
        });
    B::tensor(joined, shape)
}

/// Rows cut into parts of these widths; all that belongs to a part is one vector.
pub(crate) fn apart(joined: Vec<f32>, rows: usize, widths: &[usize]) -> Vec<Vec<f32>> {
    if widths.len() == 1 {
        return vec![joined];
    }
    let all: usize = widths.iter().sum();
    let mut begin = 0;
    let part = |width: &usize| {
        let columns = begin..begin + width;
        begin += width;
        let mut part = Vec::with_capacity(rows * width);
        for row in joined.chunks_exact(all) {
            part.extend_from_slice(&row[columns.clone()]);
        }
        part
    };
    widths.iter().map(part).collect()
}

#[cfg(test)]
mod tests;
