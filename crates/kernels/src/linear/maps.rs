//! Rows and the maps that they go through, on slices.

use burn::backend::TensorMetadata;
use burn::backend::tensor::FloatTensor;
use burn::prelude::*;
use rayon::prelude::*;

use crate::cpu::Cpu;
use crate::gemm::{Matrix, Product, Right, Start, Then, Work, write_all};
use crate::numbers::uninitialized;
use crate::precision::Precision;

/// Rows and the maps that they go through, see [`crate::linear`] for the sizes.
#[derive(Debug, Clone)]
pub(crate) struct Maps<B: Cpu> {
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
    /// `parameters` are weight, bias, weight, bias, …
    ///
    /// # Panics
    /// If shapes do not fit.
    pub fn new(x: FloatTensor<B>, parameters: impl IntoIterator<Item = FloatTensor<B>>, precision: Precision) -> Self {
        let x = B::contiguous(x);
        let width = *x.shape().last().expect("rows");
        let mut parameters = parameters.into_iter().map(B::contiguous);
        let (weights, biases): (Vec<_>, Vec<_>) =
            std::iter::from_fn(|| Some((parameters.next()?, parameters.next()?))).unzip();
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

    /// The numbers of x.
    pub fn x(&self) -> &[f32] {
        B::values(&self.x)
    }

    /// M of each map.
    pub fn made(&self) -> &[usize] {
        &self.made
    }

    /// N, K, and the sum of all M.
    fn sizes(&self) -> [usize; 3] {
        let width = *self.x.shape().last().expect("rows");
        [self.x().len() / width, width, self.made.iter().sum()]
    }

    fn weight(&self) -> Matrix<'_> {
        let [_, width, made] = self.sizes();
        Matrix::new(B::values(&self.weight), [width, made])
    }

    /// All results side by side.
    pub fn forward(&self) -> FloatTensor<B> {
        let mut shape = self.x.shape();
        let last = shape.num_dims() - 1;
        shape[last] = self.made.iter().sum();
        B::tensor(self.product(None), shape)
    }

    /// Their numbers, changed by `then`.
    pub fn product(&self, then: Option<Then>) -> Vec<f32> {
        let [rows, width, made] = self.sizes();
        let mut output = uninitialized(rows * made);
        Product {
            left: Matrix::new(self.x(), [rows, width]),
            right: &Right::new(self.weight(), self.precision),
            start: Start::Bias(B::values(&self.bias)),
        }
        .to(&mut output)
        .then(then)
        .write();
        output
    }

    /// Gradients of x and of each weight and bias, from the output's. That of x is not computed if nobody wants it.
    pub fn backward(&self, output: &[f32], of_x: bool) -> Vec<FloatTensor<B>> {
        let (x, parameters) = if of_x {
            self.backward_then(output, None)
        } else {
            (
                uninitialized(self.x().len()),
                self.of_parameters(output, |of_weight| of_weight.write()),
            )
        };
        let mut gradients = vec![B::tensor(x, self.x.shape())];
        gradients.extend(parameters);
        gradients
    }

    /// The gradient of x, changed by `then`, and those of each weight and bias.
    pub fn backward_then(&self, output: &[f32], then: Option<Then>) -> (Vec<f32>, Vec<FloatTensor<B>>) {
        let [rows, width, made] = self.sizes();
        let right = Right::new(self.weight().t(), self.precision);
        let mut x = uninitialized(rows * width);
        let of_x = Product {
            left: Matrix::new(output, [rows, made]),
            right: &right,
            start: Start::Zero,
        };
        let of_x = of_x.to(&mut x).then(then);
        let parameters = self.of_parameters(output, |of_weight| write_all([of_weight, of_x]));
        (x, parameters)
    }

    /// Gradients of each weight and bias; the product is done by `write`.
    fn of_parameters(&self, output: &[f32], write: impl FnOnce(Work)) -> Vec<FloatTensor<B>> {
        let [rows, width, made] = self.sizes();
        let [mut weight, mut bias] = [uninitialized(width * made), uninitialized(made)];
        let right = Right::new(Matrix::new(output, [rows, made]), self.precision);
        let of_weight = Product {
            left: Matrix::new(self.x(), [rows, width]).t(),
            right: &right,
            start: Start::Zero,
        };
        write(of_weight.to(&mut weight).summing(&mut bias));
        let weights = apart(weight, width, &self.made);
        let biases = apart(bias, 1, &self.made);
        let of_map = |((weight, bias), made): ((Vec<f32>, Vec<f32>), &usize)| {
            [
                B::tensor(weight, Shape::new([width, *made])),
                B::tensor(bias, Shape::new([*made])),
            ]
        };
        weights
            .into_iter()
            .zip(biases)
            .zip(&self.made)
            .flat_map(of_map)
            .collect()
    }
}

/// Tensors of equally many rows as one, or vectors; a single one is not copied.
fn side_by_side<B: Cpu>(mut tensors: Vec<FloatTensor<B>>) -> FloatTensor<B> {
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
fn apart(joined: Vec<f32>, rows: usize, widths: &[usize]) -> Vec<Vec<f32>> {
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
