//! One step of Adam (Kingma and Ba 2015) or AdamW (Loshchilov and Hutter 2019) over a parameter, with the moving average
//! of the weight, in one pass over the memory.
//!
//! ```text
//! g = clip g'                m = β1 m + (1 - β1) g          v = β2 v + (1 - β2) g²
//! w = w (1 - η λ) - η m / (1 - β1^t) / (sqrt(v) / sqrt(1 - β2^t) + ε)
//! average = d average + (1 - d) w
//! ```

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, TensorMetadata, backend_extension};
use burn::prelude::*;
use rayon::prelude::*;

use crate::cpu::{Cpu, is_fused};
use crate::instructions::vectorized;
use crate::numbers::{CHUNK, dot};

/// The numbers of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep {
    /// β1.
    pub beta1: f64,
    /// β2.
    pub beta2: f64,
    /// ε.
    pub epsilon: f64,
    /// λ; 0 is Adam.
    pub weight_decay: f64,
    /// η.
    pub learning_rate: f64,
    /// t, from 1.
    pub step: u64,
    /// What gradients are multiplied by first.
    pub gradient_scale: f64,
    /// d of the moving average.
    pub decay: f64,
}

/// A parameter and what the optimizer keeps of it, all flat.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// w.
    pub weight: Tensor<1>,
    /// m.
    pub mean: Tensor<1>,
    /// v.
    pub square: Tensor<1>,
    /// The moving average of w, where one is kept.
    pub average: Option<Tensor<1>>,
}

impl AdamStep {
    /// Changes a parameter. Tensors without autodiff are expected; where nobody else holds them, they are changed in
    /// their place.
    pub fn apply(&self, parameter: Parameter, gradient: Tensor<1>) -> Parameter {
        if !is_fused(&parameter.weight.device()) {
            return self.reference(parameter, gradient);
        }
        let Parameter {
            weight,
            mean,
            square,
            average,
        } = parameter;
        let [weight, mean, square, gradient] = [weight, mean, square, gradient].map(|tensor| tensor.into_dispatch());
        let tensor = Tensor::from_dispatch;
        match average {
            Some(average) => {
                let average = average.into_dispatch();
                let (weight, mean, square, average) =
                    Dispatch::adam_average_kernel(weight, mean, square, average, gradient, *self);
                Parameter {
                    weight: tensor(weight),
                    mean: tensor(mean),
                    square: tensor(square),
                    average: Some(tensor(average)),
                }
            }
            None => {
                let (weight, mean, square) = Dispatch::adam_kernel(weight, mean, square, gradient, *self);
                Parameter {
                    weight: tensor(weight),
                    mean: tensor(mean),
                    square: tensor(square),
                    average: None,
                }
            }
        }
    }

    /// The same in plain Burn operations.
    pub fn reference(&self, parameter: Parameter, gradient: Tensor<1>) -> Parameter {
        let Parameter {
            weight,
            mean,
            square,
            average,
        } = parameter;
        let gradient = if self.gradient_scale == 1.0 {
            gradient
        } else {
            gradient.mul_scalar(self.gradient_scale)
        };
        let mean = mean.mul_scalar(self.beta1) + gradient.clone().mul_scalar(1.0 - self.beta1);
        let square = square.mul_scalar(self.beta2) + (gradient.clone() * gradient).mul_scalar(1.0 - self.beta2);
        let root = square.clone().sqrt().mul_scalar(1.0 / self.square_correction());
        let change = mean.clone().mul_scalar(self.rate()) / root.add_scalar(self.epsilon);
        let kept = if self.weight_decay == 0.0 {
            weight
        } else {
            weight.mul_scalar(1.0 - self.learning_rate * self.weight_decay)
        };
        let weight = kept - change;
        let average =
            average.map(|average| average.mul_scalar(self.decay) + weight.clone().mul_scalar(1.0 - self.decay));
        Parameter {
            weight,
            mean,
            square,
            average,
        }
    }

    /// `η / (1 - β1^t)`.
    fn rate(&self) -> f64 {
        self.learning_rate / (1.0 - self.beta1.powf(self.step as f64))
    }

    /// `sqrt(1 - β2^t)`.
    fn square_correction(&self) -> f64 {
        (1.0 - self.beta2.powf(self.step as f64)).sqrt()
    }
}

/// `Σ x²`, `[1]`.
pub fn sum_of_squares(x: Tensor<1>) -> Tensor<1> {
    if is_fused(&x.device()) {
        Tensor::from_dispatch(Dispatch::squares_kernel(x.into_dispatch()))
    } else {
        (x.clone() * x).sum()
    }
}

/// The fused operations.
#[backend_extension(Flex, NdArray)]
pub trait AdamKernel: Backend {
    /// See [`sum_of_squares`].
    fn squares_kernel(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Weight, mean and square after a step.
    fn adam_kernel(
        weight: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        square: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// Weight, mean, square and average after a step.
    fn adam_average_kernel(
        weight: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        square: FloatTensor<Self>,
        average: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        step: AdamStep,
    ) -> (
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
    );
}

impl<B: Cpu> AdamKernel for B {
    /// Pieces of a fixed size in fp32, so that threads do not matter, and their sum in f64.
    fn squares_kernel(x: FloatTensor<B>) -> FloatTensor<B> {
        let x = B::contiguous(x);
        let pieces: Vec<f32> = B::values(&x).par_chunks(CHUNK).map(squares).collect();
        let sum: f64 = pieces.into_iter().map(f64::from).sum();
        B::tensor(vec![sum as f32], Shape::new([1]))
    }

    fn adam_kernel(
        weight: FloatTensor<B>,
        mean: FloatTensor<B>,
        square: FloatTensor<B>,
        gradient: FloatTensor<B>,
        step: AdamStep,
    ) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
        let shape = weight.shape();
        let [mut weight, mut mean, mut square] = [weight, mean, square].map(B::into_values);
        let gradient = B::contiguous(gradient);
        let sizes = [mean.len(), square.len(), B::values(&gradient).len()];
        assert_eq!(sizes, [weight.len(); 3], "numbers of means, squares and gradients");
        let numbers = Numbers::new(&step);
        let moments = mean.par_chunks_mut(CHUNK).zip(square.par_chunks_mut(CHUNK));
        let gradients = B::values(&gradient).par_chunks(CHUNK);
        weight
            .par_chunks_mut(CHUNK)
            .zip(moments)
            .zip(gradients)
            .for_each(|((weight, (mean, square)), gradient)| {
                move_weights(weight, mean, square, gradient, numbers);
            });
        let tensor = |values| B::tensor(values, shape.clone());
        (tensor(weight), tensor(mean), tensor(square))
    }

    fn adam_average_kernel(
        weight: FloatTensor<B>,
        mean: FloatTensor<B>,
        square: FloatTensor<B>,
        average: FloatTensor<B>,
        gradient: FloatTensor<B>,
        step: AdamStep,
    ) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
        let shape = weight.shape();
        let [mut weight, mut mean, mut square, mut average] = [weight, mean, square, average].map(B::into_values);
        let gradient = B::contiguous(gradient);
        let sizes = [mean.len(), square.len(), average.len(), B::values(&gradient).len()];
        assert_eq!(
            sizes,
            [weight.len(); 4],
            "numbers of means, squares, averages and gradients"
        );
        let numbers = Numbers::new(&step);
        let moments = mean.par_chunks_mut(CHUNK).zip(square.par_chunks_mut(CHUNK));
        let gradients = B::values(&gradient).par_chunks(CHUNK);
        let weights = weight.par_chunks_mut(CHUNK).zip(average.par_chunks_mut(CHUNK));
        weights
            .zip(moments)
            .zip(gradients)
            .for_each(|(((weight, average), (mean, square)), gradient)| {
                // A chunk stays in the cache between the two.
                move_weights(weight, mean, square, gradient, numbers);
                move_average(average, weight, step.decay as f32, (1.0 - step.decay) as f32);
            });
        let tensor = |values| B::tensor(values, shape.clone());
        (tensor(weight), tensor(mean), tensor(square), tensor(average))
    }
}

/// A step as the loop reads it.
#[derive(Debug, Clone, Copy)]
struct Numbers {
    beta1: [f32; 2],
    beta2: [f32; 2],
    epsilon: f32,
    kept: f32,
    rate: f32,
    inverse_correction: f32,
    gradient_scale: f32,
}

impl Numbers {
    fn new(step: &AdamStep) -> Self {
        Self {
            beta1: [step.beta1 as f32, (1.0 - step.beta1) as f32],
            beta2: [step.beta2 as f32, (1.0 - step.beta2) as f32],
            epsilon: step.epsilon as f32,
            kept: (1.0 - step.learning_rate * step.weight_decay) as f32,
            rate: step.rate() as f32,
            inverse_correction: (1.0 / step.square_correction()) as f32,
            gradient_scale: step.gradient_scale as f32,
        }
    }
}

vectorized! {
    fn move_weights(weight: &mut [f32], mean: &mut [f32], square: &mut [f32], gradient: &[f32], step: Numbers) {
        for (((weight, mean), square), gradient) in weight.iter_mut().zip(mean).zip(square).zip(gradient) {
            let gradient = gradient * step.gradient_scale;
            *mean = step.beta1[0] * *mean + step.beta1[1] * gradient;
            *square = step.beta2[0] * *square + step.beta2[1] * (gradient * gradient);
            let change = *mean * step.rate / (square.sqrt() * step.inverse_correction + step.epsilon);
            *weight = *weight * step.kept - change;
        }
    }

    fn move_average(average: &mut [f32], weight: &[f32], decay: f32, rest: f32) {
        for (average, weight) in average.iter_mut().zip(weight) {
            *average = *average * decay + weight * rest;
        }
    }

    fn squares(x: &[f32]) -> f32 {
        dot(x, x)
    }
}

#[cfg(test)]
mod tests;
