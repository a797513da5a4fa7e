use burn::nn::LinearConfig;

use super::*;
use crate::testing::{Case, Input, Inputs, Layout};

const ALL: [Activation; 3] = [Activation::Relu, Activation::Gelu, Activation::Swiglu];

/// `[B, L, D]`, F, and the width of the result.
fn case(
    rows: [usize; 3],
    hidden: usize,
    made: usize,
    activation: Activation,
    layout: Layout,
    dropout: Dropout,
) -> Case {
    let inner = activation.ratio();
    let mut inputs = vec![Input::new(rows).lying(layout)];
    for _ in 0..inner {
        inputs.push(Input::new([rows[2], hidden]).lying(layout));
        inputs.push(Input::new([hidden]).lying(layout));
    }
    inputs.push(Input::new([hidden, made]).lying(layout));
    inputs.push(Input::new([made]).lying(layout));
    let maps = move |inputs: &Inputs| -> (Vec<Linear>, Linear) {
        let map = |index| inputs.map(2 * index + 1);
        ((0..inner).map(map).collect(), map(inner))
    };
    let rule = FeedForwardRule {
        activation,
        dropout,
        precision: Precision::Fp32,
    };
    let of = move |inputs: &Inputs, network: fn(&[&Linear], &Linear, Tensor<3>, FeedForwardRule) -> Tensor<3>| {
        let (inner, outer) = maps(inputs);
        network(&inner.iter().collect::<Vec<_>>(), &outer, inputs.get(0), rule)
    };
    Case {
        name: format!("{activation:?} {rows:?} by {hidden} to {made}, {layout:?}, {dropout:?}"),
        inputs,
        fused: Box::new(move |inputs| of(inputs, feed_forward)),
        reference: Box::new(move |inputs| of(inputs, reference)),
        bound: 1e-5,
    }
}

/// One number, multiples of 32, odd sizes, more rows than columns and fewer, sums longer than a piece of a product,
/// enough work for threads.
const SIZES: [([usize; 3], usize, usize); 7] = [
    ([1, 1, 1], 1, 1),
    ([1, 1, 7], 5, 3),
    ([2, 32, 32], 64, 32),
    ([3, 5, 33], 31, 9),
    ([2, 3, 40], 600, 40),
    ([9, 64, 20], 130, 20),
    ([4, 50, 96], 257, 96),
];

#[test]
fn the_fused_network_is_the_plain_one() {
    for activation in ALL {
        for (rows, hidden, made) in SIZES {
            for dropout in [Dropout::OFF, Dropout::new(0.3, 4)] {
                case(rows, hidden, made, activation, Layout::RowMajor, dropout).agrees_with_its_reference();
            }
        }
        for layout in [Layout::Turned, Layout::Sliced, Layout::Offset, Layout::Expanded] {
            case([3, 5, 9], 14, 8, activation, layout, Dropout::new(0.2, 9)).agrees_with_its_reference();
        }
    }
}

#[test]
fn gradients_are_slopes() {
    for activation in ALL {
        for (rows, hidden, made) in SIZES {
            for dropout in [Dropout::OFF, Dropout::new(0.3, 4)] {
                let mut case = case(rows, hidden, made, activation, Layout::RowMajor, dropout);
                if activation == Activation::Relu {
                    keep_from_kinks(&mut case, rows[2]);
                }
                case.has_its_slopes_by(0.005);
            }
        }
    }
}

/// Biases so much greater than what the inner map makes of `width` numbers that no step brings a sum near zero, where
/// ReLU has no slope.
fn keep_from_kinks(case: &mut Case, width: usize) {
    const BIAS: usize = 2;
    case.inputs[BIAS] = case.inputs[BIAS].clone().up_to(12.0 * width as f32);
}

#[test]
fn threads_change_no_bit() {
    for activation in ALL {
        for (rows, hidden, made) in SIZES {
            case(rows, hidden, made, activation, Layout::RowMajor, Dropout::new(0.3, 4)).does_not_depend_on_threads();
        }
    }
}

/// Fused or not, the network is its parts one after the other, dropping the same numbers.
#[test]
fn the_network_is_its_parts() {
    let device = Device::flex();
    let map = |from, to| LinearConfig::new(from, to).init(&device);
    let (inner, gate, outer) = (map(24, 70), map(24, 70), map(70, 24));
    let x = Tensor::<3>::from_data(
        TensorData::new(crate::testing::numbers(6 * 33 * 24, 3), [6, 33, 24]),
        &device,
    );
    let dropout = Dropout::new(0.4, 11);
    for activation in ALL {
        let inner = [&inner, &gate];
        let inner = &inner[..activation.ratio()];
        let rule = FeedForwardRule {
            activation,
            dropout,
            precision: Precision::Fp32,
        };
        let hidden = activation::activate(activation, linear::linear(inner, x.clone(), rule.precision), dropout);
        let parts = linear::linear(&[&outer], hidden, rule.precision);
        let whole = feed_forward(inner, &outer, x.clone(), rule);
        assert!(
            crate::testing::values(whole) == crate::testing::values(parts),
            "{activation:?}"
        );
    }
}

#[test]
#[should_panic(expected = "inner maps")]
fn a_gate_must_be_there_for_swiglu() {
    let map = LinearConfig::new(3, 3).init(&Device::flex());
    let rule = FeedForwardRule {
        activation: Activation::Swiglu,
        dropout: Dropout::OFF,
        precision: Precision::Fp32,
    };
    feed_forward(&[&map], &map, Tensor::ones([1, 1, 3], &Device::flex()), rule);
}

#[test]
fn maps_that_do_not_fit_are_refused() {
    let device = Device::flex();
    let map = |from, to| LinearConfig::new(from, to).init(&device);
    let computes = |width, [inner, gate]: [Linear; 2], outer: Linear| {
        let rule = FeedForwardRule {
            activation: Activation::Swiglu,
            dropout: Dropout::OFF,
            precision: Precision::Fp32,
        };
        let x = Tensor::ones([2, 1, width], &device);
        let of = std::panic::AssertUnwindSafe(|| feed_forward(&[&inner, &gate], &outer, x, rule));
        std::panic::catch_unwind(of).is_ok()
    };
    assert!(computes(4, [map(4, 6), map(4, 6)], map(6, 4)));
    assert!(!computes(5, [map(4, 6), map(4, 6)], map(6, 4)), "x is too wide");
    assert!(
        !computes(4, [map(4, 5), map(4, 7)], map(6, 4)),
        "halves of unlike widths"
    );
    assert!(!computes(4, [map(4, 6), map(5, 6)], map(6, 4)), "a gate of other rows");
    assert!(!computes(4, [map(4, 6), map(4, 6)], map(7, 4)), "another inner width");
}
