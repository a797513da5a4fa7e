//! Recurrent layers against PyTorch's: outputs, last states and gradients. See `scripts/golden_cells.py`.

use std::collections::BTreeMap;

use burn::module::{ModuleVisitor, Param};
use burn::prelude::*;
use burn::tensor::Gradients;
use ember_model::attention::Mask;
use ember_model::cell::RecurrentLayer;
use ember_model::config::CellKind;
use ember_model::kernels::recurrent::Direction;
use ember_model::pass::Pass;
use ember_model::weights::{Path, Weight, Weights, host_values, import};
use safetensors::{Dtype, SafeTensors};

/// Largest difference, relative to the largest value or 1.
const TOLERANCE: f32 = 1e-5;

#[test]
fn elman() {
    agrees_with_pytorch(CellKind::Elman, "elman");
}

#[test]
fn gru() {
    agrees_with_pytorch(CellKind::Gru, "gru");
}

#[test]
fn lstm() {
    agrees_with_pytorch(CellKind::Lstm, "lstm");
}

fn agrees_with_pytorch(kind: CellKind, name: &str) {
    let (golden, lengths) = read(name);
    let device = Device::flex().autodiff();
    let tensor = |name: &str| {
        let Weight { shape, values } = golden[name].clone();
        TensorData::new(values, shape)
    };
    let x = Tensor::<3>::from_data(tensor("x"), &device).require_grad();
    let [batch, length, width] = x.dims();
    let words = lengths
        .iter()
        .flat_map(|words| (0..length).map(move |place| f32::from(place < *words as usize)));
    let words = Tensor::<2>::from_data(TensorData::new(words.collect::<Vec<_>>(), [batch, length]), &device);

    let padding = Mask::Padding(lengths.iter().map(|words| *words as usize).collect());

    let mut loss = Tensor::<1>::zeros([1], &device);
    let mut layers = Vec::new();
    for (direction, side) in [(Direction::Forward, "forward"), (Direction::Backward, "backward")] {
        let hidden = golden[&format!("{side}.recurrent.weight")].shape[0];
        let prefix = format!("{side}.");
        let weights = golden.iter().filter_map(|(name, weight)| {
            let name = name.strip_prefix(&prefix)?;
            (name.starts_with("input") || name.starts_with("recurrent")).then(|| (name.to_owned(), weight.clone()))
        });
        let layer = RecurrentLayer::new(kind, width, hidden, &device);
        let layer = import(layer, weights.collect()).expect("PyTorch's shapes");
        let start = layer.zero_state(batch, &device);
        let pass = Pass::inference();
        let (outputs, last) = layer.forward(x.clone(), start, Some(&padding), direction, &pass);
        // PyTorch gives zeros where there is no word.
        let outputs = outputs * words.clone().unsqueeze_dim(2);
        let mut results = vec![
            ("output", outputs.reshape([batch * length, hidden])),
            ("hidden", last.hidden),
        ];
        results.extend(last.inner.map(|inner| ("inner", inner)));
        for (what, result) in results {
            let name = format!("{side}.{what}");
            assert_close(&name, host_values(result.clone()), &golden[&name]);
            let upstream = Tensor::<1>::from_data(tensor_flat(&golden[&format!("upstream.{name}")]), &device);
            loss = loss + (result.flatten(0, 1) * upstream).sum();
        }
        layers.push((side, layer));
    }
    let gradients = loss.backward();
    let of_x = x.grad(&gradients).expect("a gradient of x");
    assert_close("grad.x", host_values(of_x), &golden["grad.x"]);
    for (side, layer) in layers {
        let mut compared = Compare {
            gradients: &gradients,
            golden: &golden,
            side,
            path: Path::default(),
            count: 0,
        };
        layer.visit(&mut compared);
        assert_eq!(compared.count, 4, "weights and biases of {side}");
    }
}

struct Compare<'a> {
    gradients: &'a Gradients,
    golden: &'a Weights,
    side: &'a str,
    path: Path,
    count: usize,
}

impl ModuleVisitor for Compare<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = format!("grad.{}.{}", self.side, self.path.name());
        let gradient = param.val().grad(self.gradients).expect("a gradient of every parameter");
        assert_close(&name, host_values(gradient), &self.golden[&name]);
        self.count += 1;
    }
}

fn assert_close(name: &str, found: Vec<f32>, expected: &Weight) {
    assert_eq!(found.len(), expected.values.len(), "{name}");
    let largest = expected.values.iter().fold(1.0f32, |most, x| most.max(x.abs()));
    for (place, (found, expected)) in found.iter().zip(&expected.values).enumerate() {
        let difference = (found - expected).abs();
        assert!(
            difference <= TOLERANCE * largest,
            "{name} at {place}: {found} instead of {expected}"
        );
    }
}

fn tensor_flat(weight: &Weight) -> TensorData {
    TensorData::new(weight.values.clone(), [weight.values.len()])
}

/// All numbers by name, and how many words each row has.
fn read(kind: &str) -> (Weights, Vec<i64>) {
    let bytes = std::fs::read(format!("tests/golden/cell_{kind}.safetensors")).expect("a file of the repository");
    let mut found = BTreeMap::new();
    let mut lengths = Vec::new();
    for (name, tensor) in SafeTensors::deserialize(&bytes).expect("a safetensors file").tensors() {
        if tensor.dtype() == Dtype::I64 {
            let numbers = tensor.data().as_chunks().0.iter();
            lengths = numbers.map(|bytes| i64::from_le_bytes(*bytes)).collect();
            continue;
        }
        let numbers = tensor.data().as_chunks().0.iter();
        let values = numbers.map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let shape = tensor.shape().to_vec();
        found.insert(name, Weight { shape, values });
    }
    (found, lengths)
}
