//! Logits, loss and gradients of small models against PyTorch.
//!
//! scripts/golden_transformer.py writes the files in golden/; PyTorch is not needed here.

use std::collections::HashMap;

use burn::module::{ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::prelude::*;
use ember_model::arch::{Source, Transformer, Vocabularies, ids_tensor};
use ember_model::config::ModelConfig;
use ember_model::kernels::Precision;
use ember_model::loss::output_loss;
use ember_model::pass::Pass;
use ember_model::weights::{Weight, Weights, export, host_values, import};
use safetensors::{Dtype, SafeTensors};

/// Largest difference allowed, relative to the larger of 1 and the value.
const TOLERANCE: f32 = 2e-5;

#[test]
fn post_norm_relu_all_tied() {
    check("post_relu_all");
}

#[test]
fn pre_norm_gelu_untied() {
    check("pre_gelu_none");
}

#[test]
fn post_norm_swiglu_target_tied_positions_concatenated() {
    check("post_swiglu_target_concat");
}

#[test]
fn post_norm_swiglu_untied_positions_concatenated() {
    check("post_swiglu_none_concat");
}

fn check(variant: &str) {
    let golden = Golden::read(variant);
    let device = Device::flex().autodiff();
    let model = Transformer::new(&golden.config, golden.vocabularies, &device).expect("a valid config");
    let model = import(model, golden.weights.clone()).expect("the file holds exactly the model's parameters");
    assert_eq!(export(&model), golden.weights, "exported weights are the imported ones");

    let source = Source::new(&golden.ids["source"].1, golden.ids["source"].0, &device);
    let (target_shape, target_input) = &golden.ids["target_input"];
    let target_output = &golden.ids["target_output"].1;
    let target_input = ids_tensor(target_input, *target_shape, &device);
    let stream = &mut Pass::inference();

    let memory = host_values(model.encode(&source, stream));
    let source_real = golden.ids["source"].1.iter().map(|id| *id != 0).collect::<Vec<_>>();
    assert_rows("memory", &memory, &golden.floats["memory"].values, &source_real);

    let hidden = model.forward(&source, target_input, stream);
    let logits = host_values(hidden.clone().matmul(model.output_weight()));
    let target_real = target_output.iter().map(|id| *id != 0).collect::<Vec<_>>();
    assert_rows("logits", &logits, &golden.floats["logits"].values, &target_real);

    let targets = ids_tensor(target_output, [target_output.len()], &device);
    let tokens = target_real.iter().filter(|real| **real).count() as f64;
    let loss = output_loss(hidden, model.projection(), targets, 0.1, Precision::Fp32);
    let smoothed = loss.smoothed.div_scalar(tokens);
    assert_close(
        "nll",
        &host_values(loss.nll.div_scalar(tokens)),
        &golden.floats["nll"].values,
    );
    assert_close("loss", &host_values(smoothed.clone()), &golden.floats["loss"].values);

    let grads = GradientsParams::from_grads(smoothed.backward(), &model);
    let mut compared = CompareGradients {
        grads,
        golden: &golden,
        path: Vec::new(),
        count: 0,
    };
    model.visit(&mut compared);
    assert_eq!(compared.count, golden.weights.len(), "every parameter has a gradient");
}

struct CompareGradients<'a> {
    grads: GradientsParams,
    golden: &'a Golden,
    path: Vec<String>,
    count: usize,
}

impl ModuleVisitor for CompareGradients<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = format!("grad.{}", self.path.join("."));
        let gradient = self
            .grads
            .get::<D>(param.id)
            .unwrap_or_else(|| panic!("{name} is missing"));
        assert_close(&name, &host_values(gradient), &self.golden.floats[&name].values);
        self.count += 1;
    }
}

fn assert_close(name: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        let difference = (found - expected).abs();
        assert!(
            difference <= TOLERANCE * expected.abs().max(1.0),
            "{name}[{place}] is {found}, PyTorch has {expected}"
        );
    }
}

/// Compares the rows that belong to real tokens.
fn assert_rows(name: &str, found: &[f32], expected: &[f32], real: &[bool]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let width = found.len() / real.len();
    for (row, _) in real.iter().enumerate().filter(|(_, real)| **real) {
        let cells = row * width..(row + 1) * width;
        assert_close(&format!("{name} row {row}"), &found[cells.clone()], &expected[cells]);
    }
}

struct Golden {
    config: ModelConfig,
    vocabularies: Vocabularies,
    /// Shape and ids of `source`, `target_input`, `target_output`.
    ids: HashMap<String, ([usize; 2], Vec<u32>)>,
    weights: Weights,
    /// Everything else: results and gradients.
    floats: HashMap<String, Weight>,
}

impl Golden {
    fn read(variant: &str) -> Self {
        let path = format!("tests/golden/{variant}.safetensors");
        let bytes = std::fs::read(&path).expect("the golden file is part of the repository");
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("a safetensors file");
        let settings = header.metadata().clone().expect("hyper-parameters");
        let number = |key: &str| settings[key].parse::<usize>().expect("a number");
        let config = serde_json::json!({
            "d_model": number("d_model"), "d_ff": number("d_ff"), "n_heads": number("n_heads"),
            "encoder_layers": number("encoder_layers"), "decoder_layers": number("decoder_layers"), "dropout": 0.0,
            "norm": settings["norm"], "activation": settings["activation"], "tie": settings["tie"],
            "position_merge": settings["position_merge"],
        });
        let mut golden = Self {
            config: serde_json::from_value(config).expect("a [model] section"),
            vocabularies: Vocabularies {
                source: number("source_vocabulary"),
                target: number("target_vocabulary"),
                shared: settings["tie"] == "all",
            },
            ids: HashMap::new(),
            weights: Weights::new(),
            floats: HashMap::new(),
        };
        for (name, tensor) in SafeTensors::deserialize(&bytes).expect("a safetensors file").tensors() {
            let shape = tensor.shape().to_vec();
            if tensor.dtype() == Dtype::I64 {
                let ids = tensor
                    .data()
                    .as_chunks()
                    .0
                    .iter()
                    .map(|bytes| i64::from_le_bytes(*bytes) as u32)
                    .collect();
                golden.ids.insert(name, ([shape[0], shape[1]], ids));
                continue;
            }
            let values = tensor
                .data()
                .as_chunks()
                .0
                .iter()
                .map(|bytes| f32::from_le_bytes(*bytes))
                .collect();
            let weight = Weight { shape, values };
            let result = name.starts_with("grad.") || ["memory", "logits", "nll", "loss"].contains(&name.as_str());
            if result {
                golden.floats.insert(name, weight)
            } else {
                golden.weights.insert(name, weight)
            };
        }
        golden
    }
}
