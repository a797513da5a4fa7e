//! Holds an operation against its reference, against its own slopes, and against itself on other threads.

use burn::module::{Param, ParamId};
use burn::nn::{Linear, LinearConfig};
use burn::prelude::*;

use crate::instructions::{InstructionSet, limit};

/// How an input lies in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One number behind the other.
    RowMajor,
    /// First and last dimension exchanged.
    Turned,
    /// The middle of something larger in every dimension.
    Sliced,
    /// The middle rows of something longer: contiguous, but not from the beginning.
    Offset,
    /// One entry of the first dimension, repeated.
    Expanded,
}

/// A tensor that an operation takes.
#[derive(Debug, Clone)]
pub struct Input {
    shape: Vec<usize>,
    layout: Layout,
    scale: f32,
}

impl Input {
    /// Numbers between -1 and 1, in row-major order.
    pub fn new<const D: usize>(shape: [usize; D]) -> Self {
        Self {
            shape: shape.to_vec(),
            layout: Layout::RowMajor,
            scale: 1.0,
        }
    }

    /// In another order.
    pub fn lying(self, layout: Layout) -> Self {
        Self { layout, ..self }
    }

    /// Numbers up to `scale`.
    pub fn up_to(self, scale: f32) -> Self {
        Self { scale, ..self }
    }

    /// The shape of what lies in memory.
    fn stored(&self) -> Vec<usize> {
        let mut shape = self.shape.clone();
        let last = shape.len() - 1;
        match self.layout {
            Layout::RowMajor => {}
            Layout::Turned => shape.swap(0, last),
            Layout::Sliced => shape.iter_mut().for_each(|size| *size += 2),
            Layout::Offset => shape[0] += 2,
            Layout::Expanded => shape[0] = 1,
        }
        shape
    }

    fn values(&self, seed: usize) -> Vec<f32> {
        let mut values = numbers(self.stored().iter().product(), seed);
        values.iter_mut().for_each(|x| *x *= self.scale);
        values
    }
}

/// Numbers between -1 and 1 that look random, none nearer to zero than 0.1: a small step crosses no kink of ReLU.
pub fn numbers(count: usize, seed: usize) -> Vec<f32> {
    let hash = |i: u32| {
        let x = (i ^ (seed as u32).wrapping_mul(0x9E37_79B9)).wrapping_mul(0x85EB_CA6B);
        let x = (x ^ (x >> 13)).wrapping_mul(0xC2B2_AE35);
        x ^ (x >> 16)
    };
    let number = |x: u32| (0.1 + 0.9 * (x >> 9) as f32 / (1 << 23) as f32) * if x & 1 == 0 { 1.0 } else { -1.0 };
    (0..count as u32).map(|i| number(hash(i))).collect()
}

/// What this machine can run, the best first.
pub fn instruction_sets() -> Vec<InstructionSet> {
    let best = InstructionSet::detect();
    let all = [
        InstructionSet::Amx,
        InstructionSet::Avx512Bf16,
        InstructionSet::Avx512,
        InstructionSet::Avx2,
        InstructionSet::Baseline,
    ];
    all.into_iter().filter(|set| *set >= best).collect()
}

/// Threads that use nothing better than `set`.
pub fn pool(threads: usize, set: InstructionSet) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .start_handler(move |_| limit::set(set))
        .build()
        .expect("threads")
}

/// The numbers of a tensor in row-major order.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// The devices that run fused operations.
pub fn devices() -> [Device; 2] {
    [Device::flex(), Device::ndarray()]
}

/// A parameter whose value may be the result of other operations.
pub fn parameter<const D: usize>(value: Tensor<D>) -> Param<Tensor<D>> {
    Param::initialized(ParamId::new(), value)
}

/// The inputs of an operation as tensors.
pub struct Inputs<'a> {
    described: &'a [Input],
    stored: Vec<Tensor<1>>,
    pub device: Device,
}

impl Inputs<'_> {
    /// The linear map whose weight is input `index` and whose bias is the next one.
    pub fn map(&self, index: usize) -> Linear {
        let (weight, bias) = (self.get::<2>(index), self.get::<1>(index + 1));
        let [from, to] = weight.dims();
        let mut map = LinearConfig::new(from, to).init(&self.device);
        map.weight = parameter(weight);
        map.bias = Some(parameter(bias));
        map
    }

    /// Input `index` in its shape.
    pub fn get<const D: usize>(&self, index: usize) -> Tensor<D> {
        let Input { shape, layout, .. } = &self.described[index];
        let shape: [usize; D] = shape
            .as_slice()
            .try_into()
            .expect("as many dimensions as the input has");
        let stored: [usize; D] = self.described[index].stored().try_into().expect("as many dimensions");
        let x = self.stored[index].clone().reshape(stored);
        match layout {
            Layout::RowMajor => x,
            Layout::Turned => x.swap_dims(0, D - 1),
            Layout::Sliced => (0..D).fold(x, |x, dimension| x.slice_dim(dimension, 1..shape[dimension] + 1)),
            Layout::Offset => x.slice_dim(0, 1..shape[0] + 1),
            Layout::Expanded => x.expand(shape),
        }
    }
}

/// A computation whose result and gradients are compared.
pub type Operation = Box<dyn Fn(&Inputs) -> Tensor<3> + Send + Sync>;

/// What the result is summed with, and so how the gradient that comes back lies in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upstream {
    RowMajor,
    Turned,
    /// One number for all.
    Expanded,
}

/// The result of an operation and the gradient of each of its inputs, by name.
type Results = Vec<(String, Vec<f32>)>;

/// An operation with certain inputs.
pub struct Case {
    /// Says which case failed.
    pub name: String,
    pub inputs: Vec<Input>,
    pub fused: Operation,
    /// The same in plain Burn operations.
    pub reference: Operation,
    /// Largest difference from the reference, relative to the largest value.
    pub bound: f32,
}

impl Case {
    /// Result and gradients are the reference's, on every device and however they lie in memory; and the gradient of one
    /// input does not depend on whether the others want theirs.
    pub fn agrees_with_its_reference(&self) {
        for device in devices() {
            let tracked = device.clone().autodiff();
            let results = self.run(&self.fused, &tracked, Upstream::RowMajor);
            let plain = values((self.fused)(&self.stored(&device, &self.all_values())));
            assert_eq!(results[0].1, plain, "{} with and without autodiff", self.name);
            for index in 0..self.inputs.len() {
                let alone = self.run_tracking(|input| input == index, &self.fused, &tracked, Upstream::RowMajor);
                assert_eq!(alone[1], results[index + 1], "{} alone", self.name);
            }
            let all = [Upstream::RowMajor, Upstream::Turned, Upstream::Expanded];
            let upstreams = if plain.len() > 5000 { &all[..1] } else { &all };
            for upstream in upstreams {
                let found = self.run(&self.fused, &tracked, *upstream);
                let expected = self.run(&self.reference, &tracked, *upstream);
                for ((what, found), (_, expected)) in found.iter().zip(&expected) {
                    let name = format!("{}, {what}, {device:?}, gradient {upstream:?}", self.name);
                    assert_close(&name, found, expected, self.bound);
                }
            }
        }
    }

    /// On every device, gradients are the slopes of the operation itself, along random directions through all inputs.
    ///
    /// Slopes are central differences with two steps, extrapolated to none (Richardson 1911): what is left is of the
    /// fourth order in the step, and the rounding of sums divided by it. Both stay below 2e-4 of the gradient's length.
    pub fn has_its_slopes_as_gradients(&self) {
        self.has_its_slopes_by(0.02);
    }

    /// The same with a step of one's own: short for what is much curved, long where large sums are rounded.
    pub fn has_its_slopes_by(&self, step: f32) {
        for device in devices() {
            self.has_its_slopes_on(&device, step);
        }
    }

    fn has_its_slopes_on(&self, device: &Device, step: f32) {
        let results = self.run(&self.fused, &device.clone().autodiff(), Upstream::RowMajor);
        let gradients: Vec<f32> = results[1..].iter().flat_map(|(_, gradient)| gradient.clone()).collect();
        let length = gradients.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        let weights = numbers(results[0].1.len(), UPSTREAM_SEED);
        let begin = self.all_values();
        for seed in 0..3 {
            let signs: Vec<f32> = numbers(gradients.len(), 500 + seed)
                .iter()
                .map(|x| x.signum())
                .collect();
            let value = |step: f32| {
                let mut signs = signs.iter();
                let moved: Vec<Vec<f32>> = begin
                    .iter()
                    .map(|x| x.iter().zip(&mut signs).map(|(x, sign)| x + step * sign).collect())
                    .collect();
                let result = values((self.fused)(&self.stored(device, &moved)));
                result
                    .iter()
                    .zip(&weights)
                    .map(|(x, weight)| f64::from(*x) * f64::from(*weight))
                    .sum::<f64>()
            };
            let slope = |step: f32| (value(step) - value(-step)) / (2.0 * f64::from(step));
            let found = (4.0 * slope(step) - slope(2.0 * step)) / 3.0;
            let expected: f64 = gradients
                .iter()
                .zip(&signs)
                .map(|(x, sign)| f64::from(*x) * f64::from(*sign))
                .sum();
            let difference = (found - expected).abs();
            assert!(
                difference <= 2e-4 * length,
                "{}, {device:?}: slope {found}, gradient {expected} of length {length}",
                self.name
            );
        }
    }

    /// One thread and three give the same bits.
    pub fn does_not_depend_on_threads(&self) {
        for device in devices() {
            let device = device.autodiff();
            for set in instruction_sets() {
                let [one, three] = [1, 3].map(|threads| self.run_in(&pool(threads, set), &device));
                self.assert_same_bits(&one, &three, &format!("{set}, {device:?}"));
            }
        }
    }

    /// Every instruction set gives the same bits; not so for what multiplies matrices.
    pub fn does_not_depend_on_instructions(&self) {
        for device in devices() {
            let device = device.autodiff();
            let [best, plainer @ ..] = &instruction_sets()[..] else {
                return;
            };
            let best = self.run_in(&pool(1, *best), &device);
            for set in plainer {
                let found = self.run_in(&pool(1, *set), &device);
                self.assert_same_bits(&best, &found, &format!("{set}, {device:?}"));
            }
        }
    }

    fn run_in(&self, pool: &rayon::ThreadPool, device: &Device) -> Results {
        pool.install(|| self.run(&self.fused, device, Upstream::RowMajor))
    }

    fn assert_same_bits(&self, expected: &Results, found: &Results, which: &str) {
        for ((what, expected), (_, found)) in expected.iter().zip(found) {
            let differ = expected
                .iter()
                .zip(found)
                .position(|(expected, found)| expected.to_bits() != found.to_bits());
            assert_eq!(differ, None, "{}, {what}, {which}", self.name);
        }
    }

    fn all_values(&self) -> Vec<Vec<f32>> {
        self.inputs
            .iter()
            .enumerate()
            .map(|(index, input)| input.values(index + 1))
            .collect()
    }

    fn stored(&self, device: &Device, values: &[Vec<f32>]) -> Inputs<'_> {
        let tensor = |values: &Vec<f32>| Tensor::from_data(TensorData::new(values.clone(), [values.len()]), device);
        Inputs {
            described: &self.inputs,
            stored: values.iter().map(tensor).collect(),
            device: device.clone(),
        }
    }

    fn run(&self, operation: &Operation, device: &Device, upstream: Upstream) -> Results {
        self.run_tracking(|_| true, operation, device, upstream)
    }

    /// Only the inputs that `wanted` names have gradients.
    fn run_tracking(
        &self,
        wanted: impl Fn(usize) -> bool,
        operation: &Operation,
        device: &Device,
        upstream: Upstream,
    ) -> Results {
        let mut inputs = self.stored(device, &self.all_values());
        let tensors = inputs.stored.into_iter().enumerate();
        inputs.stored = tensors
            .map(|(index, x)| if wanted(index) { x.require_grad() } else { x })
            .collect();
        let result = operation(&inputs);
        let weigh = |x: Tensor<3>| {
            let weights = TensorData::new(numbers(x.shape().num_elements(), UPSTREAM_SEED), x.shape());
            (x * Tensor::from_data(weights, device)).sum()
        };
        let total = match upstream {
            Upstream::RowMajor => weigh(result.clone()),
            Upstream::Turned => weigh(result.clone().swap_dims(0, 2)),
            Upstream::Expanded => result.clone().sum(),
        };
        let gradients = total.backward();
        let mut results = vec![("result".to_owned(), values(result))];
        let tracked = inputs.stored.iter().enumerate().filter(|(index, _)| wanted(*index));
        results.extend(tracked.map(|(index, input)| {
            let gradient = input.grad(&gradients).expect("every input has a gradient");
            (format!("gradient of input {index}"), values(gradient))
        }));
        results
    }
}

/// Names what results are summed with.
const UPSTREAM_SEED: usize = 77;

/// Every number is there, and off by at most `bound` times the largest one expected. A gradient that is zero but for
/// rounding has no largest value to speak of: it counts as one of 1e-3, where inputs are about 1.
pub fn assert_close(name: &str, found: &[f32], expected: &[f32], bound: f32) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let largest = expected.iter().fold(1e-3f32, |largest, x| largest.max(x.abs()));
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        let difference = (found - expected).abs();
        assert!(
            difference <= bound * largest,
            "{name}: number {place} is {found} instead of {expected}, of up to {largest}"
        );
    }
}

/// The product of two matrices, `[m, k]` and `[k, n]`, in f64.
pub fn product(left: &[f64], right: &[f64], [m, k, n]: [usize; 3]) -> Vec<f64> {
    let mut result = vec![0.0; m * n];
    for row in 0..m {
        for i in 0..k {
            for column in 0..n {
                result[row * n + column] += left[row * k + i] * right[i * n + column];
            }
        }
    }
    result
}

/// The transpose of an `[m, n]` matrix.
pub fn turned(matrix: &[f64], [m, n]: [usize; 2]) -> Vec<f64> {
    (0..m * n).map(|place| matrix[place % m * n + place / m]).collect()
}
