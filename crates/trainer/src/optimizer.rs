//! Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019), and the moving average of weights.
//!
//! For every parameter, with `g` its gradient, `t` the step and `η` the learning rate:
//!
//! ```text
//! m = β1 m + (1 - β1) g          v = β2 v + (1 - β2) g²
//! w = w - η ( m / (1 - β1^t) / (sqrt(v / (1 - β2^t)) + ε) + λ w )
//! average = d average + (1 - d) w        with d = min(decay, (1 + t) / (10 + t))
//! ```
//!
//! The average's decay grows in the beginning, so that it soon forgets the weights it began with.

mod saved;

use std::collections::BTreeMap;

use burn::module::{ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::prelude::*;
use ember_model::kernels::adam::{AdamStep, Parameter, sum_of_squares};
use ember_model::weights::{Path, Weight, Weights, host_values};

use crate::config::Optimizer as OptimizerConfig;
pub use saved::{ImportFault, Saved};
use saved::{check_average, take_mean};

/// Adam's running means of all parameters, and the weights' moving average if one is kept.
pub struct Optimizer {
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    weight_decay: f64,
    /// 0: no average is kept.
    ema: f64,
    /// Steps taken; skipped updates are none.
    steps: u64,
    states: BTreeMap<String, ParameterState>,
}

/// All flat: one number for each of the parameter's.
struct ParameterState {
    mean: Tensor<1>,
    square: Tensor<1>,
    average: Option<Tensor<1>>,
}

impl Optimizer {
    /// With nothing learnt yet. `ema` is the decay of the weights' moving average, 0 for none.
    pub fn new(config: &OptimizerConfig, ema: f64) -> Self {
        let (beta1, beta2, epsilon, weight_decay) = match *config {
            OptimizerConfig::Adam { beta1, beta2, epsilon } => (beta1, beta2, epsilon, 0.0),
            OptimizerConfig::Adamw {
                beta1,
                beta2,
                epsilon,
                weight_decay,
            } => (beta1, beta2, epsilon, weight_decay),
        };
        Self {
            beta1,
            beta2,
            epsilon,
            weight_decay,
            ema,
            steps: 0,
            states: BTreeMap::new(),
        }
    }

    /// Changes every parameter that has a gradient. Gradients are multiplied by `gradient_scale` first.
    pub fn step<M: Module>(
        &mut self,
        model: M,
        gradients: GradientsParams,
        learning_rate: f64,
        gradient_scale: f64,
    ) -> M {
        self.steps += 1;
        model.map(&mut Step {
            numbers: self.numbers(learning_rate, gradient_scale),
            optimizer: self,
            gradients,
            path: Path::default(),
        })
    }

    fn update(&mut self, name: &str, weight: Tensor<1>, gradient: Tensor<1>, step: &AdamStep) -> Tensor<1> {
        let zeros = || Tensor::zeros(weight.shape(), &weight.device());
        let state = self.states.remove(name);
        let ParameterState { mean, square, average } = state.unwrap_or_else(|| ParameterState {
            mean: zeros(),
            square: zeros(),
            average: None,
        });
        let parameter = Parameter {
            weight,
            mean,
            square,
            average,
        };
        let Parameter {
            weight,
            mean,
            square,
            average,
        } = step.apply(parameter, gradient);
        // An average begins with the weights after the first step.
        let average = average.or_else(|| (self.ema > 0.0).then(|| weight.clone()));
        self.states
            .insert(name.to_owned(), ParameterState { mean, square, average });
        weight
    }

    /// The numbers of the step that is being taken.
    fn numbers(&self, learning_rate: f64, gradient_scale: f64) -> AdamStep {
        let steps = self.steps as f64;
        AdamStep {
            beta1: self.beta1,
            beta2: self.beta2,
            epsilon: self.epsilon,
            weight_decay: self.weight_decay,
            learning_rate,
            step: self.steps,
            gradient_scale,
            decay: self.ema.min((1.0 + steps) / (10.0 + steps)),
        }
    }

    /// The moving average under the parameters' names; `None` where none is kept or no step was taken.
    pub fn average(&self, shapes: &Weights) -> Option<Weights> {
        let average = |name: &String, weight: &Weight| {
            let values = host_values(self.states.get(name)?.average.clone()?);
            Some((
                name.clone(),
                Weight {
                    shape: weight.shape.clone(),
                    values,
                },
            ))
        };
        shapes.iter().map(|(name, weight)| average(name, weight)).collect()
    }

    /// The running means as `mean.<parameter>` and `square.<parameter>`.
    pub fn export(&self) -> Weights {
        let mut weights = Weights::new();
        for (name, state) in &self.states {
            for (kind, tensor) in [("mean", &state.mean), ("square", &state.square)] {
                let values = host_values(tensor.clone());
                weights.insert(
                    format!("{kind}.{name}"),
                    Weight {
                        shape: vec![values.len()],
                        values,
                    },
                );
            }
        }
        weights
    }

    /// Goes on from what a checkpoint holds for the parameters `trained`.
    ///
    /// # Errors
    /// A mean, square or average that is missing, too many, or of another size than its parameter.
    pub fn import(&mut self, saved: Saved, trained: &Weights, device: &Device) -> Result<(), ImportFault> {
        let flat = |values: Vec<f32>| {
            let length = values.len();
            Tensor::<1>::from_data(TensorData::new(values, [length]), device)
        };
        let fault = |of_average, message| ImportFault { of_average, message };
        let mut means = saved.means;
        if let Some(average) = &saved.average {
            check_average(average, trained).map_err(|message| fault(true, message))?;
        }
        let mut average = saved.average.unwrap_or_default();
        self.steps = saved.steps;
        self.states.clear();
        for (name, weight) in trained {
            let mut take = |kind| {
                let found = take_mean(&mut means, kind, name, weight).map_err(|message| fault(false, message))?;
                Ok(found.map(|found| flat(found.values)))
            };
            let (mean, square) = match (take("mean")?, take("square")?) {
                (Some(mean), Some(square)) => (mean, square),
                // A parameter that never had a gradient.
                (None, None) => continue,
                _ => return Err(fault(false, format!("{name} has one of mean and square, not both"))),
            };
            let average = average.remove(name).map(|weight| flat(weight.values));
            self.states
                .insert(name.clone(), ParameterState { mean, square, average });
        }
        match means.keys().next() {
            Some(left) => Err(fault(false, format!("{left} belongs to no parameter of the model"))),
            None => Ok(()),
        }
    }
}

struct Step<'a> {
    optimizer: &'a mut Optimizer,
    gradients: GradientsParams,
    numbers: AdamStep,
    path: Path,
}

impl ModuleMapper for Step<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = self.gradients.remove::<D>(param.id) else {
            return param;
        };
        let name = self.path.name();
        param.map(|tensor| {
            let tracked = tensor.is_require_grad();
            let shape = tensor.shape();
            let gradient = gradient.flatten::<1>(0, D - 1);
            let weight = tensor.inner().flatten::<1>(0, D - 1);
            let updated = self
                .optimizer
                .update(&name, weight, gradient, &self.numbers)
                .reshape(shape);
            Tensor::<D>::from_inner(updated).set_require_grad(tracked)
        })
    }
}

/// Adds the gradients of `more` to those of `sum`, for gradient accumulation.
pub fn add_gradients<M: Module>(model: &M, sum: GradientsParams, more: GradientsParams) -> GradientsParams {
    struct Add {
        sum: GradientsParams,
        more: GradientsParams,
    }
    impl ModuleVisitor for Add {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let total = match (self.sum.remove::<D>(param.id), self.more.remove::<D>(param.id)) {
                (Some(sum), Some(more)) => sum + more,
                (Some(one), None) | (None, Some(one)) => one,
                (None, None) => return,
            };
            self.sum.register(param.id, total);
        }
    }
    let mut add = Add { sum, more };
    model.visit(&mut add);
    add.sum
}

/// The norm of all gradients as one vector.
pub fn gradient_norm<M: Module>(model: &M, gradients: &GradientsParams) -> f64 {
    struct Squares<'a> {
        gradients: &'a GradientsParams,
        sums: Vec<Tensor<1>>,
    }
    impl ModuleVisitor for Squares<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.gradients.get::<D>(param.id) {
                self.sums.push(sum_of_squares(gradient.flatten::<1>(0, D - 1)));
            }
        }
    }
    let mut squares = Squares {
        gradients,
        sums: Vec::new(),
    };
    model.visit(&mut squares);
    if squares.sums.is_empty() {
        return 0.0;
    }
    host_values(Tensor::cat(squares.sums, 0))
        .into_iter()
        .map(f64::from)
        .sum::<f64>()
        .sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ember_model::weights::export;

    #[derive(Module, Debug)]
    struct Two {
        matrix: Param<Tensor<2>>,
        vector: Param<Tensor<1>>,
    }

    fn two(device: &Device) -> Two {
        Two {
            matrix: Param::from_tensor(Tensor::from_floats([[0.5, -1.0], [2.0, 0.25]], device).require_grad()),
            vector: Param::from_tensor(Tensor::from_floats([1.0, -3.0], device).require_grad()),
        }
    }

    /// Gradients of `Σ matrix² + Σ vector²`: twice the values.
    fn gradients(model: &Two) -> GradientsParams {
        let loss = (model.matrix.val() * model.matrix.val()).sum() + (model.vector.val() * model.vector.val()).sum();
        GradientsParams::from_grads(loss.backward(), model)
    }

    /// The equations above for one number, in f64.
    struct Scalar {
        weight: f64,
        mean: f64,
        square: f64,
        average: f64,
    }

    impl Scalar {
        fn step(&mut self, gradient: f64, t: i32, rate: f64, decay: f64, ema: f64) {
            let (beta1, beta2, epsilon) = (0.9, 0.98, 1e-9);
            self.mean = beta1 * self.mean + (1.0 - beta1) * gradient;
            self.square = beta2 * self.square + (1.0 - beta2) * gradient * gradient;
            let mean = self.mean / (1.0 - f64::powi(beta1, t));
            let square = self.square / (1.0 - f64::powi(beta2, t));
            self.weight -= rate * (mean / (square.sqrt() + epsilon) + decay * self.weight);
            let d = if t == 1 {
                0.0
            } else {
                f64::min(ema, f64::from(1 + t) / f64::from(10 + t))
            };
            self.average = d * self.average + (1.0 - d) * self.weight;
        }
    }

    fn check(config: OptimizerConfig, decay: f64, scale: f64) {
        let device = Device::flex().autodiff();
        let mut model = two(&device);
        let mut optimizer = Optimizer::new(&config, 0.5);
        let mut expected = Scalar {
            weight: -3.0,
            mean: 0.0,
            square: 0.0,
            average: 0.0,
        };
        for t in 1..=20 {
            let rate = 0.1 / f64::from(t);
            expected.step(2.0 * expected.weight * scale, t, rate, decay, 0.5);
            let gradients = gradients(&model);
            model = optimizer.step(model, gradients, rate, scale);
        }
        let weights = export(&model);
        assert!((f64::from(weights["vector"].values[1]) - expected.weight).abs() < 1e-5);
        let average = optimizer.average(&weights).expect("an average is kept");
        assert!((f64::from(average["vector"].values[1]) - expected.average).abs() < 1e-5);
        assert_eq!(average["matrix"].shape, [2, 2]);
    }

    #[test]
    fn adam_follows_its_equations() {
        check(
            OptimizerConfig::Adam {
                beta1: 0.9,
                beta2: 0.98,
                epsilon: 1e-9,
            },
            0.0,
            1.0,
        );
    }

    #[test]
    fn adamw_decays_and_gradients_are_scaled() {
        check(
            OptimizerConfig::Adamw {
                beta1: 0.9,
                beta2: 0.98,
                epsilon: 1e-9,
                weight_decay: 0.1,
            },
            0.1,
            0.25,
        );
    }

    #[test]
    fn what_is_exported_goes_on_as_if_never_stopped() {
        let device = Device::flex().autodiff();
        let config = OptimizerConfig::default();
        let mut model = two(&device);
        let mut optimizer = Optimizer::new(&config, 0.9);
        let step = |model: Two, optimizer: &mut Optimizer| {
            let gradients = gradients(&model);
            optimizer.step(model, gradients, 0.1, 1.0)
        };
        for _ in 0..3 {
            model = step(model, &mut optimizer);
        }
        let mut resumed = Optimizer::new(&config, 0.9);
        let saved = Saved {
            means: optimizer.export(),
            average: optimizer.average(&export(&model)),
            steps: 3,
        };
        resumed
            .import(saved, &export(&model), &Device::flex())
            .expect("both means of every parameter");
        let other = step(model.clone(), &mut resumed);
        model = step(model, &mut optimizer);
        assert_eq!(export(&other), export(&model));
        assert_eq!(resumed.average(&export(&other)), optimizer.average(&export(&model)));
    }

    #[test]
    fn what_does_not_fit_the_model_is_told() {
        let device = Device::flex().autodiff();
        let config = OptimizerConfig::default();
        let model = two(&device);
        let mut optimizer = Optimizer::new(&config, 0.9);
        let gradients = gradients(&model);
        let model = optimizer.step(model, gradients, 0.1, 1.0);
        let trained = export(&model);
        let refused = |change: &dyn Fn(&mut Weights, &mut Weights)| {
            let (mut means, mut average) = (optimizer.export(), optimizer.average(&trained).unwrap());
            change(&mut means, &mut average);
            let (average, steps) = (Some(average), 1);
            let saved = Saved { means, average, steps };
            let fault = Optimizer::new(&config, 0.9).import(saved, &trained, &Device::flex());
            let fault = fault.expect_err("a fault");
            (fault.of_average, fault.message)
        };
        let shorten = |weights: &mut Weights, name: &str| {
            let weight = weights.get_mut(name).unwrap();
            weight.values.pop();
            weight.shape = vec![weight.values.len()];
        };
        for (fault, message) in [
            (
                refused(&|means, _| shorten(means, "mean.matrix")),
                (false, "mean of matrix has 3 values, the parameter has 4"),
            ),
            (
                refused(&|means, _| shorten(means, "square.vector")),
                (false, "square of vector has 1 values, the parameter has 2"),
            ),
            (
                refused(&|means, _| drop(means.remove("square.vector"))),
                (false, "vector has one of mean and square, not both"),
            ),
            (
                refused(&|means, _| drop(means.insert("mean.bias".into(), means["mean.vector"].clone()))),
                (false, "mean.bias belongs to no parameter of the model"),
            ),
            (
                refused(&|_, average| shorten(average, "matrix")),
                (true, "matrix has shape [3], the trained parameter has [2, 2]"),
            ),
            (
                refused(&|_, average| drop(average.remove("vector"))),
                (true, "vector is missing"),
            ),
        ] {
            assert_eq!((fault.0, &*fault.1), message);
        }
    }

    #[test]
    fn norms_and_sums_of_gradients() {
        let device = Device::flex().autodiff();
        let model = two(&device);
        let squares: f64 = [0.5f64, -1.0, 2.0, 0.25, 1.0, -3.0].iter().map(|w| 4.0 * w * w).sum();
        assert!((gradient_norm(&model, &gradients(&model)) - squares.sqrt()).abs() < 1e-5);
        let twice = add_gradients(&model, gradients(&model), gradients(&model));
        assert!((gradient_norm(&model, &twice) - 2.0 * squares.sqrt()).abs() < 1e-5);
    }
}
