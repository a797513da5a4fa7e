//! Whole models with fused operations against the same models in plain Burn operations: logits, loss, the gradient of
//! every parameter, and the losses of a short training.
//!
//! [`use_reference`] holds for the whole process. Tests that need it stand in this file and take turns.

// Burn's hint to use Flex instead of NdArray; both are offered.
#![allow(deprecated)]

use std::collections::BTreeMap;
use std::sync::Mutex;

use burn::module::{ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::prelude::*;
use ember_model::arch::{Model, Source, Vocabularies, ids_tensor};
use ember_model::config::ModelConfig;
use ember_model::kernels::adam::{AdamStep, Parameter};
use ember_model::kernels::{Precision, is_fused, use_reference};
use ember_model::loss::output_loss;
use ember_model::loss::pairs::{PairRule, paired_output_loss};
use ember_model::pass::Pass;
use ember_model::weights::{Path, Weight, Weights, export, host_values, import, initialise};

/// Largest difference, relative to the largest value: of logits and loss, and of a parameter's gradient.
const RESULT_BOUND: f32 = 5e-6;
const GRADIENT_BOUND: f32 = 1e-5;

/// Largest relative difference of a loss during a training. Weights drift apart: where a gradient is near zero, Adam
/// divides its rounding by its size.
const CURVE_BOUND: f64 = 1e-5;

static TURN: Mutex<()> = Mutex::new(());

/// What `compute` gives with fused operations and with plain ones.
fn both<T>(compute: impl Fn() -> T) -> [T; 2] {
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    [false, true].map(|plain| {
        use_reference(plain);
        assert_eq!(is_fused(&Device::flex()), !plain);
        let found = compute();
        use_reference(false);
        found
    })
}

fn config(norm: &str, activation: &str, tie: &str, position_merge: &str, dropout: f64) -> ModelConfig {
    let config = serde_json::json!({
        "d_model": 24, "d_ff": 40, "n_heads": 3, "encoder_layers": 2, "decoder_layers": 2, "dropout": dropout,
        "norm": norm, "activation": activation, "tie": tie, "position_merge": position_merge,
    });
    serde_json::from_value(config).expect("a [model] section")
}

/// With attention if a score is named.
fn recurrent_config(cell: &str, score: Option<&str>, input_feeding: bool, dropout: f64) -> ModelConfig {
    let mut config = serde_json::json!({
        "arch": "rnn", "cell": cell, "d_model": 24, "encoder_layers": 2, "decoder_layers": 2, "dropout": dropout,
    });
    if let Some(score) = score {
        config["arch"] = "rnn-attention".into();
        config["score"] = score.into();
        config["input_feeding"] = input_feeding.into();
    }
    serde_json::from_value(config).expect("a [model] section")
}

fn model(config: &ModelConfig, device: &Device) -> Model {
    let shared = serde_json::to_value(config).expect("a config")["tie"] == "all";
    let vocabularies = Vocabularies {
        source: if shared { 37 } else { 31 },
        target: 37,
        shared,
    };
    let model = initialise(Model::new(config, vocabularies, device).expect("a valid config"), 5);
    match model {
        Model::Transformer(_) => model,
        // New cells say next to nothing, so that gradients of attention would be zero but for rounding.
        Model::Recurrent(_) => {
            let mut weights = export(&model);
            let values = weights.values_mut().flat_map(|weight| &mut weight.values);
            values.for_each(|value| *value *= 1.5);
            import(model, weights).expect("its own weights")
        }
    }
}

/// Rows of these lengths, padded to the longest.
fn ragged(lengths: &[usize], entries: usize, seed: usize) -> (Vec<u32>, [usize; 2]) {
    let longest = lengths.iter().copied().max().expect("a row");
    let id = |place: usize| (4 + (place * 7 + place * place * seed) % (entries - 4)) as u32;
    let rows = lengths.iter().enumerate();
    let ids = rows.flat_map(|(row, length)| {
        (0..longest).map(move |place| if place < *length { id(row * longest + place) } else { 0 })
    });
    (ids.collect(), [lengths.len(), longest])
}

/// Logits, loss and gradients of one pass. A sentence of one token, one without padding, some between.
fn pass(model: &Model, device: &Device, update: u64) -> (Vec<f32>, [f32; 2], Weights) {
    let (source, source_shape) = ragged(&[9, 1, 5, 8], 31, 3);
    let (target_input, target_shape) = ragged(&[7, 3, 1, 6], 37, 5);
    let (target_output, _) = ragged(&[7, 3, 1, 6], 37, 11);
    let pass = &mut Pass::training(3, update, 0, Precision::Fp32);
    let source = Source::new(&source, source_shape, device);
    let hidden = model.forward(&source, ids_tensor(&target_input, target_shape, device), pass);
    let logits = host_values(hidden.clone().matmul(model.output_weight()));
    let tokens = target_output.iter().filter(|id| **id != 0).count() as f64;
    let targets = ids_tensor(&target_output, [target_output.len()], device);
    let loss = output_loss(hidden, model.projection(), targets, 0.1, pass.precision());
    let smoothed = loss.smoothed.div_scalar(tokens);
    let losses = [smoothed.clone(), loss.nll.div_scalar(tokens)].map(|loss| host_values(loss)[0]);
    (logits, losses, gradients_by_name(model, smoothed))
}

/// The same batch twice, as R-Drop reads it: the loss, its parts and the gradients.
fn paired_pass(model: &Model, device: &Device) -> ([f32; 4], Weights) {
    let twice = |lengths: &[usize], entries, seed| {
        let (ids, [rows, length]) = ragged(lengths, entries, seed);
        (ids.repeat(2), [2 * rows, length])
    };
    let (source, source_shape) = twice(&[9, 1, 5, 8], 31, 3);
    let (target_input, target_shape) = twice(&[7, 3, 1, 6], 37, 5);
    let (target_output, _) = ragged(&[7, 3, 1, 6], 37, 11);
    let pass = &mut Pass::training(3, 1, 0, Precision::Fp32);
    let source = Source::new(&source, source_shape, device);
    let hidden = model.forward(&source, ids_tensor(&target_input, target_shape, device), pass);
    let targets = ids_tensor(&target_output, [target_output.len()], device);
    let rule = PairRule {
        smoothing: 0.1,
        divergence_weight: 5.0,
        precision: pass.precision(),
    };
    let loss = paired_output_loss(hidden, model.projection(), targets, rule);
    let losses = [loss.trained.clone(), loss.smoothed, loss.nll, loss.divergence].map(|loss| host_values(loss)[0]);
    (losses, gradients_by_name(model, loss.trained))
}

fn gradients_by_name(model: &Model, loss: Tensor<1>) -> Weights {
    let mut gradients = GradientsByName {
        gradients: GradientsParams::from_grads(loss.backward(), model),
        path: Path::default(),
        found: Weights::new(),
    };
    model.visit(&mut gradients);
    gradients.found
}

struct GradientsByName {
    gradients: GradientsParams,
    path: Path,
    found: Weights,
}

impl ModuleVisitor for GradientsByName {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = self
            .gradients
            .get::<D>(param.id)
            .expect("every parameter has a gradient");
        let shape = gradient.dims().to_vec();
        let values = host_values(gradient);
        self.found.insert(self.path.name(), Weight { shape, values });
    }
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |largest, x| largest.max(x.abs()))
}

fn assert_close(name: &str, found: &[f32], expected: &[f32], largest: f32, bound: f32) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        let difference = (found - expected).abs();
        assert!(
            difference <= bound * largest,
            "{name}[{place}] is {found} instead of {expected}, of up to {largest}"
        );
    }
}

#[test]
fn fused_models_are_the_plain_ones() {
    for device in [Device::flex().autodiff(), Device::ndarray().autodiff()] {
        for norm in ["post", "pre"] {
            for activation in ["relu", "gelu", "swiglu"] {
                for tie in ["all", "target", "none"] {
                    for position_merge in ["sum", "concat"] {
                        for dropout in [0.0, 0.3] {
                            compare(&config(norm, activation, tie, position_merge, dropout), &device);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn fused_recurrent_models_are_the_plain_ones() {
    for device in [Device::flex().autodiff(), Device::ndarray().autodiff()] {
        for cell in ["elman", "gru", "lstm"] {
            for dropout in [0.0, 0.3] {
                for score in [None, Some("additive"), Some("dot"), Some("general")] {
                    compare(&recurrent_config(cell, score, false, dropout), &device);
                }
                compare(&recurrent_config(cell, Some("dot"), true, dropout), &device);
            }
        }
    }
}

fn compare(config: &ModelConfig, device: &Device) {
    let model = model(config, device);
    let [(logits, losses, gradients), expected] = both(|| pass(&model, device, 1));
    let name = |what: &str| format!("{what} of {config:?} on {device:?}");
    assert_close(
        &name("logits"),
        &logits,
        &expected.0,
        largest(&expected.0),
        RESULT_BOUND,
    );
    assert_close(&name("loss"), &losses, &expected.1, largest(&expected.1), RESULT_BOUND);
    compare_gradients(name, &gradients, &expected.2);
}

fn compare_gradients(name: impl Fn(&str) -> String, found: &Weights, expected: &Weights) {
    assert_eq!(found.len(), expected.len());
    for (parameter, expected_gradient) in expected {
        // A constant added to all scores of a query changes no weight: the gradient of a key's bias is zero but for
        // rounding, which is held against the gradient of the key's weight.
        let measure = &expected[&parameter.replace("key.bias", "key.weight")];
        assert_close(
            &name(parameter),
            &found[parameter].values,
            &expected_gradient.values,
            largest(&measure.values),
            GRADIENT_BOUND,
        );
    }
}

#[test]
fn fused_models_of_two_passes_are_the_plain_ones() {
    for device in [Device::flex().autodiff(), Device::ndarray().autodiff()] {
        for (norm, tie) in [("post", "all"), ("pre", "none")] {
            let config = config(norm, "relu", tie, "sum", 0.3);
            let model = model(&config, &device);
            let [(losses, gradients), expected] = both(|| paired_pass(&model, &device));
            let name = |what: &str| format!("{what} of {config:?} on {device:?}");
            assert!(losses[3] > 0.1, "the passes differ: {losses:?}");
            assert_close(&name("loss"), &losses, &expected.0, largest(&expected.0), RESULT_BOUND);
            compare_gradients(name, &gradients, &expected.1);
        }
    }
}

#[test]
fn a_training_with_fused_operations_is_the_plain_one() {
    for config in [
        config("post", "relu", "all", "sum", 0.1),
        config("pre", "gelu", "none", "sum", 0.1),
        config("post", "swiglu", "target", "concat", 0.1),
    ] {
        let [found, expected] = both(|| train(&config, 50));
        assert!(expected[49] < 0.7 * expected[0], "{config:?} learns: {expected:?}");
        for (update, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let difference = ((found - expected) / expected).abs();
            assert!(
                difference <= CURVE_BOUND,
                "{config:?}, update {update}: {found} instead of {expected}"
            );
        }
    }
}

/// The loss of every update.
fn train(config: &ModelConfig, updates: u64) -> Vec<f64> {
    let device = Device::flex();
    let tracked = device.clone().autodiff();
    let flat = |values: Vec<f32>| Tensor::<1>::from_data(TensorData::new(values.clone(), [values.len()]), &device);
    let mut model = model(config, &tracked);
    let first = export(&model);
    let mut parameters: BTreeMap<String, Parameter> = first
        .iter()
        .map(|(name, weight)| {
            let zeros = || flat(vec![0.0; weight.values.len()]);
            let parameter = Parameter {
                weight: flat(weight.values.clone()),
                mean: zeros(),
                square: zeros(),
                average: None,
            };
            (name.clone(), parameter)
        })
        .collect();
    let mut losses = Vec::new();
    for step in 1..=updates {
        let (_, [loss, _], gradients) = pass(&model, &tracked, step);
        losses.push(f64::from(loss));
        let adam = AdamStep {
            beta1: 0.9,
            beta2: 0.98,
            epsilon: 1e-9,
            weight_decay: 0.01,
            learning_rate: 2e-3,
            step,
            gradient_scale: 1.0,
            decay: 0.0,
        };
        let mut weights = Weights::new();
        for (name, parameter) in &mut parameters {
            *parameter = adam.apply(parameter.clone(), flat(gradients[name].values.clone()));
            let shape = first[name].shape.clone();
            let values = host_values(parameter.weight.clone());
            weights.insert(name.clone(), Weight { shape, values });
        }
        model = import(model, weights).expect("the parameters of the same model");
    }
    losses
}
