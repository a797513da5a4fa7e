//! Every operation, fused and in plain Burn operations, and matrix products of the shapes of a model.
//!
//! One layer of a small Transformer and a batch of 128 sentences of 16 tokens. `cargo bench -p ember-kernels`; behind
//! `--`, a name selects: `cargo bench -p ember-kernels -- attention`.

use std::fmt;
use std::sync::Arc;

use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::prelude::*;
use divan::Bencher;
use divan::counter::ItemsCount;
use ember_kernels::activation::{Activation, activate};
use ember_kernels::adam::{AdamStep, Parameter, sum_of_squares};
use ember_kernels::attention::{Heads, Mask, Projections, attention};
use ember_kernels::embedding::{EmbeddingRule, embed};
use ember_kernels::feed_forward::{FeedForwardRule, feed_forward};
use ember_kernels::gemm::{Matrix, Product, Right, Start};
use ember_kernels::linear::linear;
use ember_kernels::output_loss::pairs::{PairRule, paired_output_loss};
use ember_kernels::output_loss::{Projection, output_loss};
use ember_kernels::recurrent::{Cell, Direction, RecurrentRule, State, recurrent};
use ember_kernels::residual_norm::{EPSILON, add_and_norm, norm, norm_and_skip};
use ember_kernels::source_attention::{Scores, source_attention};
use ember_kernels::{Dropout, Precision, use_reference};

/// That of the program: the system's allocator would be measured with every operation.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH: usize = 128;
const LENGTH: usize = 16;
const D_MODEL: usize = 256;
const D_FF: usize = 1024;
const HEADS: usize = 4;
const VOCABULARY: usize = 10_000;

fn main() {
    divan::main();
}

/// How an operation is run.
#[derive(Clone, Copy)]
struct Way {
    plain: bool,
    backward: bool,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.plain { "plain" } else { "fused" };
        let extent = if self.backward {
            "forward and backward"
        } else {
            "forward"
        };
        write!(f, "{kind}, {extent}")
    }
}

impl Way {
    fn all() -> impl Iterator<Item = Self> {
        [false, true]
            .into_iter()
            .flat_map(|backward| [false, true].map(|plain| Self { plain, backward }))
    }

    fn device(self) -> Device {
        if self.backward {
            Device::flex().autodiff()
        } else {
            Device::flex()
        }
    }

    /// Runs an operation again and again; its inputs are made once.
    fn run<const D: usize>(self, bencher: Bencher, operation: impl Fn() -> Tensor<D> + Sync) {
        // Benches follow each other, so that the switch holds for this one alone.
        use_reference(self.plain);
        bencher.counter(ItemsCount::new(BATCH * LENGTH)).bench(|| {
            let output = operation();
            if self.backward {
                divan::black_box(output.sum().backward());
            } else {
                divan::black_box(output);
            }
        });
        use_reference(false);
    }
}

/// Numbers between -1 and 1 that look random.
fn numbers(count: usize) -> Vec<f32> {
    let hash = |i: u32| (i ^ (i >> 15)).wrapping_mul(0x85EB_CA6B);
    (0..count as u32)
        .map(|i| (hash(i.wrapping_mul(0x9E37_79B1)) >> 8) as f32 / (1 << 23) as f32 - 1.0)
        .collect()
}

fn tensor<const D: usize>(shape: [usize; D], way: Way) -> Tensor<D> {
    let values = TensorData::new(numbers(shape.iter().product()), shape);
    let tensor = Tensor::from_data(values, &way.device());
    if way.backward { tensor.require_grad() } else { tensor }
}

fn rows(width: usize, way: Way) -> Tensor<3> {
    tensor([BATCH, LENGTH, width], way)
}

fn map(from: usize, to: usize, way: Way) -> Linear {
    LinearConfig::new(from, to).init(&way.device())
}

fn layer_norm(way: Way) -> LayerNorm {
    LayerNormConfig::new(D_MODEL).with_epsilon(EPSILON).init(&way.device())
}

fn dropout() -> Dropout {
    Dropout::new(0.1, 7)
}

/// From 8 to 16 tokens.
fn padding() -> Mask {
    let lengths: Arc<[usize]> = (0..BATCH).map(|row| 8 + row % 9).collect();
    Mask::Padding(lengths)
}

#[divan::bench(args = Way::all())]
fn linear_one_map(bencher: Bencher, way: Way) {
    let (x, inner) = (rows(D_MODEL, way), map(D_MODEL, D_FF, way));
    way.run(bencher, || linear(&[&inner], x.clone(), Precision::Fp32));
}

#[divan::bench(args = Way::all())]
fn linear_two_maps(bencher: Bencher, way: Way) {
    let (x, maps) = (rows(D_MODEL, way), [(); 2].map(|()| map(D_MODEL, D_MODEL, way)));
    way.run(bencher, || linear(&maps.each_ref(), x.clone(), Precision::Fp32));
}

#[divan::bench(args = Way::all())]
fn linear_three_maps(bencher: Bencher, way: Way) {
    let (x, maps) = (rows(D_MODEL, way), [(); 3].map(|()| map(D_MODEL, D_MODEL, way)));
    way.run(bencher, || linear(&maps.each_ref(), x.clone(), Precision::Fp32));
}

#[divan::bench(args = Way::all())]
fn linear_three_maps_bf16(bencher: Bencher, way: Way) {
    let (x, maps) = (rows(D_MODEL, way), [(); 3].map(|()| map(D_MODEL, D_MODEL, way)));
    way.run(bencher, || linear(&maps.each_ref(), x.clone(), Precision::Bf16));
}

#[divan::bench(args = Way::all())]
fn attention_to_itself(bencher: Bencher, way: Way) {
    attend(bencher, way, &padding(), Projections::Own(rows(3 * D_MODEL, way)));
}

#[divan::bench(args = Way::all())]
fn attention_looking_back(bencher: Bencher, way: Way) {
    attend(bencher, way, &Mask::LookAhead, Projections::Own(rows(3 * D_MODEL, way)));
}

#[divan::bench(args = Way::all())]
fn attention_to_memory(bencher: Bencher, way: Way) {
    let projections = Projections::Memory(rows(D_MODEL, way), rows(2 * D_MODEL, way));
    attend(bencher, way, &padding(), projections);
}

fn attend(bencher: Bencher, way: Way, mask: &Mask, projections: Projections) {
    let heads = Heads {
        count: HEADS,
        dropout: dropout(),
    };
    way.run(bencher, || attention(projections.clone(), mask, heads));
}

#[divan::bench(args = Way::all())]
fn source_attention_dot(bencher: Bencher, way: Way) {
    let (query, keys, memory) = (rows(D_MODEL, way), rows(D_MODEL, way), rows(D_MODEL, way));
    way.run(bencher, || {
        let (query, keys) = (query.clone(), keys.clone());
        source_attention(Scores::Dot { query, keys }, memory.clone(), &padding())
    });
}

#[divan::bench(args = Way::all())]
fn source_attention_additive(bencher: Bencher, way: Way) {
    let (query, keys, memory) = (rows(D_MODEL, way), rows(D_MODEL, way), rows(D_MODEL, way));
    let energy = tensor([D_MODEL, 1], way);
    way.run(bencher, || {
        let (query, keys, energy) = (query.clone(), keys.clone(), energy.clone());
        source_attention(Scores::Additive { query, keys, energy }, memory.clone(), &padding())
    });
}

#[divan::bench(args = Way::all())]
fn recurrent_elman(bencher: Bencher, way: Way) {
    layer_of(Cell::Elman, bencher, way);
}

#[divan::bench(args = Way::all())]
fn recurrent_gru(bencher: Bencher, way: Way) {
    layer_of(Cell::Gru, bencher, way);
}

#[divan::bench(args = Way::all())]
fn recurrent_lstm(bencher: Bencher, way: Way) {
    layer_of(Cell::Lstm, bencher, way);
}

fn layer_of(cell: Cell, bencher: Bencher, way: Way) {
    let made = cell.gates() * D_MODEL;
    let (gates, own) = (rows(made, way), map(D_MODEL, made, way));
    let state = State {
        hidden: tensor([BATCH, D_MODEL], way),
        inner: (cell == Cell::Lstm).then(|| tensor([BATCH, D_MODEL], way)),
    };
    let rule = RecurrentRule {
        cell,
        direction: Direction::Forward,
        lengths: None,
        precision: Precision::Fp32,
    };
    way.run(bencher, || {
        recurrent(gates.clone(), &own, state.clone(), rule.clone()).0
    });
}

#[divan::bench(args = Way::all())]
fn residual_add_and_norm(bencher: Bencher, way: Way) {
    let (x, y, layer) = (rows(D_MODEL, way), rows(D_MODEL, way), layer_norm(way));
    way.run(bencher, || add_and_norm(&layer, x.clone(), y.clone(), dropout()));
}

#[divan::bench(args = Way::all())]
fn residual_norm(bencher: Bencher, way: Way) {
    let (x, layer) = (rows(D_MODEL, way), layer_norm(way));
    way.run(bencher, || norm(&layer, x.clone()));
}

#[divan::bench(args = Way::all())]
fn residual_norm_and_skip(bencher: Bencher, way: Way) {
    let (x, layer) = (rows(D_MODEL, way), layer_norm(way));
    way.run(bencher, || {
        let (normalized, skip) = norm_and_skip(&layer, x.clone());
        skip.add(normalized, dropout())
    });
}

#[divan::bench(args = Way::all())]
fn feed_forward_relu(bencher: Bencher, way: Way) {
    network(bencher, way, Activation::Relu, Precision::Fp32);
}

#[divan::bench(args = Way::all())]
fn feed_forward_relu_bf16(bencher: Bencher, way: Way) {
    network(bencher, way, Activation::Relu, Precision::Bf16);
}

#[divan::bench(args = Way::all())]
fn feed_forward_gelu(bencher: Bencher, way: Way) {
    network(bencher, way, Activation::Gelu, Precision::Fp32);
}

#[divan::bench(args = Way::all())]
fn feed_forward_swiglu(bencher: Bencher, way: Way) {
    network(bencher, way, Activation::Swiglu, Precision::Fp32);
}

fn network(bencher: Bencher, way: Way, activation: Activation, precision: Precision) {
    let (x, inner, gate) = (rows(D_MODEL, way), map(D_MODEL, D_FF, way), map(D_MODEL, D_FF, way));
    let outer = map(D_FF, D_MODEL, way);
    let inner = [&inner, &gate];
    let inner = if activation == Activation::Swiglu {
        &inner[..]
    } else {
        &inner[..1]
    };
    let rule = FeedForwardRule {
        activation,
        dropout: dropout(),
        precision,
    };
    way.run(bencher, || feed_forward(inner, &outer, x.clone(), rule));
}

#[divan::bench(args = Way::all())]
fn activation_relu(bencher: Bencher, way: Way) {
    let x = rows(D_FF, way);
    way.run(bencher, || activate(Activation::Relu, x.clone(), dropout()));
}

#[divan::bench(args = Way::all())]
fn activation_gelu(bencher: Bencher, way: Way) {
    let x = rows(D_FF, way);
    way.run(bencher, || activate(Activation::Gelu, x.clone(), dropout()));
}

#[divan::bench(args = Way::all())]
fn activation_tanh(bencher: Bencher, way: Way) {
    let x = rows(D_MODEL, way);
    way.run(bencher, || activate(Activation::Tanh, x.clone(), Dropout::OFF));
}

#[divan::bench(args = Way::all())]
fn activation_swiglu(bencher: Bencher, way: Way) {
    let x = rows(2 * D_FF, way);
    way.run(bencher, || activate(Activation::Swiglu, x.clone(), dropout()));
}

#[divan::bench(args = Way::all())]
fn embedding_sum(bencher: Bencher, way: Way) {
    embedding(bencher, way, D_MODEL, false);
}

#[divan::bench(args = Way::all())]
fn embedding_concat(bencher: Bencher, way: Way) {
    embedding(bencher, way, D_MODEL / 2, true);
}

fn embedding(bencher: Bencher, way: Way, width: usize, concat: bool) {
    let table = tensor([VOCABULARY, width], way);
    let ids = Tensor::from_data(TensorData::new(ids(), [BATCH, LENGTH]), &way.device());
    let rule = EmbeddingRule {
        scale: (width as f64).sqrt(),
        positions: numbers(LENGTH * width).into(),
        concat,
        dropout: dropout(),
    };
    way.run(bencher, || embed(table.clone(), ids.clone(), rule.clone()));
}

fn ids() -> Vec<i32> {
    (0..BATCH * LENGTH)
        .map(|place| 1 + ((place * 7919) % (VOCABULARY - 1)) as i32)
        .collect()
}

#[divan::bench(args = Way::all())]
fn output_loss_table(bencher: Bencher, way: Way) {
    let table = Projection::Table(tensor([VOCABULARY, D_MODEL], way));
    loss(bencher, way, table, Precision::Fp32);
}

#[divan::bench(args = Way::all())]
fn output_loss_table_bf16(bencher: Bencher, way: Way) {
    let table = Projection::Table(tensor([VOCABULARY, D_MODEL], way));
    loss(bencher, way, table, Precision::Bf16);
}

#[divan::bench(args = Way::all())]
fn output_loss_weight(bencher: Bencher, way: Way) {
    let weight = Projection::Weight(tensor([D_MODEL, VOCABULARY], way));
    loss(bencher, way, weight, Precision::Fp32);
}

fn loss(bencher: Bencher, way: Way, projection: Projection, precision: Precision) {
    let hidden = tensor([BATCH * LENGTH, D_MODEL], way);
    let targets = Tensor::from_data(TensorData::new(ids(), [BATCH * LENGTH]), &way.device());
    way.run(bencher, || {
        output_loss(hidden.clone(), projection.clone(), targets.clone(), 0.1, precision).smoothed
    });
}

/// Two passes of half the batch, as R-Drop has them.
#[divan::bench(args = Way::all())]
fn output_loss_pairs(bencher: Bencher, way: Way) {
    let hidden = tensor([BATCH * LENGTH, D_MODEL], way);
    let table = Projection::Table(tensor([VOCABULARY, D_MODEL], way));
    let targets = ids()[..BATCH * LENGTH / 2].to_vec();
    let targets = Tensor::from_data(TensorData::new(targets, [BATCH * LENGTH / 2]), &way.device());
    let rule = PairRule {
        smoothing: 0.1,
        divergence_weight: 5.0,
        precision: Precision::Fp32,
    };
    way.run(bencher, || {
        paired_output_loss(hidden.clone(), table.clone(), targets.clone(), rule).trained
    });
}

/// Numbers of a table and of two maps of the feed-forward network.
const PARAMETER: usize = VOCABULARY * D_MODEL + 2 * D_MODEL * D_FF;

#[divan::bench(args = [(false, false), (false, true), (true, false), (true, true)])]
fn adam_step(bencher: Bencher, (plain, average): (bool, bool)) {
    use_reference(plain);
    let step = AdamStep {
        beta1: 0.9,
        beta2: 0.98,
        epsilon: 1e-9,
        weight_decay: 0.01,
        learning_rate: 1e-3,
        step: 10,
        gradient_scale: 0.5,
        decay: 0.999,
    };
    let of = || Tensor::<1>::from_data(TensorData::new(numbers(PARAMETER), [PARAMETER]), &Device::flex());
    let zeros = || Tensor::<1>::zeros([PARAMETER], &Device::flex());
    let gradient = of();
    let mut parameter = Some(Parameter {
        weight: of(),
        mean: zeros(),
        square: zeros(),
        average: average.then(of),
    });
    // Nobody else holds the parameter, so that it is changed in its place.
    bencher.counter(ItemsCount::new(PARAMETER)).bench_local(|| {
        parameter = parameter
            .take()
            .map(|parameter| step.apply(parameter, gradient.clone()));
    });
    use_reference(false);
}

#[divan::bench(args = [false, true])]
fn squares(bencher: Bencher, plain: bool) {
    use_reference(plain);
    let x = Tensor::<1>::from_data(TensorData::new(numbers(PARAMETER), [PARAMETER]), &Device::flex());
    bencher
        .counter(ItemsCount::new(PARAMETER))
        .bench(|| sum_of_squares(x.clone()));
    use_reference(false);
}

/// Rows, columns and depth, and whether the left factor lies transposed, as it does in the gradient of a weight.
type GemmShape = ([usize; 3], Transposed);

#[derive(Debug, Clone, Copy, PartialEq)]
struct Transposed(bool);

/// Linear maps, the gradients of their weights, and the output projection with both of its gradients.
const SHAPES: [GemmShape; 9] = [
    ([BATCH * LENGTH, D_MODEL, D_MODEL], Transposed(false)),
    ([BATCH * LENGTH, D_FF, D_MODEL], Transposed(false)),
    ([BATCH * LENGTH, D_MODEL, D_FF], Transposed(false)),
    ([D_MODEL, D_MODEL, BATCH * LENGTH], Transposed(true)),
    ([D_MODEL, D_FF, BATCH * LENGTH], Transposed(true)),
    ([D_FF, D_MODEL, BATCH * LENGTH], Transposed(true)),
    ([512, VOCABULARY, D_MODEL], Transposed(false)),
    ([512, D_MODEL, VOCABULARY], Transposed(false)),
    ([VOCABULARY, D_MODEL, 512], Transposed(true)),
];

#[divan::bench(args = SHAPES)]
fn gemm_fp32(bencher: Bencher, shape: GemmShape) {
    gemm(bencher, shape, Precision::Fp32);
}

#[divan::bench(args = SHAPES)]
fn gemm_bf16(bencher: Bencher, shape: GemmShape) {
    gemm(bencher, shape, Precision::Bf16);
}

/// Items are multiplications with their additions.
fn gemm(bencher: Bencher, ([m, n, k], Transposed(transposed)): GemmShape, precision: Precision) {
    let (left, right) = (numbers(m * k), numbers(k * n));
    let left = if transposed {
        Matrix::new(&left, [k, m]).t()
    } else {
        Matrix::new(&left, [m, k])
    };
    let mut result = vec![0.0; m * n];
    bencher.counter(ItemsCount::new(m * n * k)).bench_local(|| {
        Product {
            left,
            right: &Right::new(Matrix::new(&right, [k, n]), precision),
            start: Start::Zero,
        }
        .to(&mut result)
        .write();
    });
}
