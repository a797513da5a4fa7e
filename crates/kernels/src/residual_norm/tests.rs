use burn::nn::LayerNormConfig;

use super::*;
use crate::testing::{Case, Input, Inputs, Layout, parameter};

/// One row, multiples of 32, odd sizes, more rows than a block, more numbers than a task of [`Skip::add`].
const SHAPES: [[usize; 3]; 8] = [
    [1, 1, 1],
    [1, 1, 7],
    [1, 32, 32],
    [2, 33, 5],
    [1, 65, 33],
    [3, 64, 64],
    [2, 40, 300],
    [5, 64, 65],
];

fn layer(inputs: &Inputs, gamma: usize) -> LayerNorm {
    let (gamma, beta) = (inputs.get::<1>(gamma), inputs.get::<1>(gamma + 1));
    let [width] = gamma.dims();
    let mut layer = LayerNormConfig::new(width).with_epsilon(EPSILON).init(&inputs.device);
    layer.gamma = parameter(gamma);
    layer.beta = Some(parameter(beta));
    layer
}

/// A scale or a shift. With one number for all of them, gradients of x would be zero but for rounding.
fn row(shape: [usize; 3], layout: Layout) -> Input {
    Input::new([shape[2]]).lying(if layout == Layout::Expanded {
        Layout::RowMajor
    } else {
        layout
    })
}

fn add_norm_case(shape: [usize; 3], layout: Layout, dropout: Dropout) -> Case {
    let row = || row(shape, layout);
    let rows = || Input::new(shape).lying(layout);
    Case {
        name: format!("add_and_norm {shape:?}, {layout:?}, {dropout:?}"),
        inputs: vec![rows(), rows(), row(), row()],
        fused: Box::new(move |inputs| add_and_norm(&layer(inputs, 2), inputs.get(0), inputs.get(1), dropout)),
        reference: Box::new(move |inputs| {
            layer(inputs, 2).forward(inputs.get::<3>(0) + dropout.apply(inputs.get::<3>(1)))
        }),
        bound: 1e-5,
    }
}

fn norm_case(shape: [usize; 3], layout: Layout) -> Case {
    let row = || row(shape, layout);
    Case {
        name: format!("norm {shape:?}, {layout:?}"),
        inputs: vec![Input::new(shape).lying(layout), row(), row()],
        fused: Box::new(|inputs| norm(&layer(inputs, 1), inputs.get(0))),
        reference: Box::new(|inputs| layer(inputs, 1).forward(inputs.get::<3>(0))),
        bound: 1e-5,
    }
}

/// A sub-layer that multiplies its norm by what the dropout is then applied to.
fn skip_case(shape: [usize; 3], layout: Layout, dropout: Dropout) -> Case {
    let row = || row(shape, layout);
    let rows = || Input::new(shape).lying(layout);
    Case {
        name: format!("norm_and_skip {shape:?}, {layout:?}, {dropout:?}"),
        inputs: vec![rows(), rows(), row(), row()],
        fused: Box::new(move |inputs| {
            let (normalized, skip) = norm_and_skip(&layer(inputs, 2), inputs.get(0));
            skip.add(normalized * inputs.get(1), dropout)
        }),
        reference: Box::new(move |inputs| {
            let x = inputs.get::<3>(0);
            let y = layer(inputs, 2).forward(x.clone()) * inputs.get::<3>(1);
            x + dropout.apply(y)
        }),
        bound: 1e-5,
    }
}

fn all(shape: [usize; 3], layout: Layout) -> Vec<Case> {
    let dropout = Dropout::new(0.3, 21);
    vec![
        add_norm_case(shape, layout, Dropout::OFF),
        add_norm_case(shape, layout, dropout),
        norm_case(shape, layout),
        skip_case(shape, layout, Dropout::OFF),
        skip_case(shape, layout, dropout),
    ]
}

#[test]
fn fused_operations_are_the_plain_ones() {
    for shape in SHAPES {
        all(shape, Layout::RowMajor)
            .iter()
            .for_each(Case::agrees_with_its_reference);
    }
    for layout in [Layout::Turned, Layout::Sliced, Layout::Offset, Layout::Expanded] {
        all([3, 5, 9], layout).iter().for_each(Case::agrees_with_its_reference);
    }
}

#[test]
fn gradients_are_slopes() {
    for shape in SHAPES {
        all(shape, Layout::RowMajor)
            .iter()
            .for_each(Case::has_its_slopes_as_gradients);
    }
}

#[test]
fn threads_change_no_bit() {
    for shape in SHAPES {
        all(shape, Layout::RowMajor)
            .iter()
            .for_each(Case::does_not_depend_on_threads);
    }
}

#[test]
fn instructions_change_no_bit() {
    for shape in SHAPES {
        all(shape, Layout::RowMajor)
            .iter()
            .for_each(Case::does_not_depend_on_instructions);
    }
}

#[test]
#[should_panic(expected = "width of the rows and of the norm")]
fn rows_of_another_width_are_refused() {
    let device = Device::flex();
    norm(&LayerNormConfig::new(8).init(&device), Tensor::ones([2, 3, 4], &device));
}

#[test]
#[should_panic(expected = "shapes of x and y")]
fn a_branch_of_another_shape_is_refused() {
    let device = Device::flex();
    let [x, y] = [[2, 3, 4], [2, 4, 4]].map(|shape| Tensor::<3>::ones(shape, &device));
    add_and_norm(&LayerNormConfig::new(4).init(&device), x, y, Dropout::OFF);
}

/// The sum is made in the place of x only where nobody else holds it.
#[test]
fn what_is_added_to_stays_as_it_was() {
    for device in crate::testing::devices() {
        let x = Tensor::<3>::ones([2, 3, 4], &device);
        let layer = LayerNormConfig::new(4).with_epsilon(EPSILON).init(&device);
        let (normalized, skip) = norm_and_skip(&layer, x.clone());
        let sum = skip.add(normalized + 1.0, Dropout::OFF);
        assert!(crate::testing::values(x).iter().all(|x| *x == 1.0));
        assert!(crate::testing::values(sum).iter().all(|x| *x == 2.0));
    }
}

/// A gradient must not get lost.
#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "a gradient that was not taken")]
fn what_is_carried_is_taken() {
    Carried::default().put(1.0f32);
}

/// A norm that has no shift is not fused and takes nothing: the sum hands x its gradient itself.
#[test]
fn a_norm_without_shift() {
    for device in crate::testing::devices() {
        let device = device.autodiff();
        let mut layer = LayerNormConfig::new(7).with_epsilon(EPSILON).init(&device);
        layer.beta = None;
        let numbers = TensorData::new(crate::testing::numbers(3 * 7, 1), [1, 3, 7]);
        let gradient = |sum: &dyn Fn(Tensor<3>) -> Tensor<3>| {
            let x = Tensor::<3>::from_data(numbers.clone(), &device).require_grad();
            let gradients = sum(x.clone()).powi_scalar(2).sum().backward();
            crate::testing::values(x.grad(&gradients).expect("a gradient of x"))
        };
        let found = gradient(&|x| {
            let (normalized, skip) = norm_and_skip(&layer, x);
            skip.add(normalized, Dropout::new(0.3, 21))
        });
        let expected = gradient(&|x| x.clone() + Dropout::new(0.3, 21).apply(layer.forward(x)));
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-5, "{found} instead of {expected}");
        }
    }
}
