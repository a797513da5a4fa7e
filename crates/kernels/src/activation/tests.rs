use super::*;
use crate::testing::{Case, Input, Layout};

const ALL: [Activation; 4] = [Activation::Relu, Activation::Gelu, Activation::Tanh, Activation::Swiglu];

/// `shape` is the result's.
fn case(activation: Activation, mut shape: [usize; 3], layout: Layout, dropout: Dropout, scale: f32) -> Case {
    if activation == Activation::Swiglu {
        shape[2] *= 2;
    }
    Case {
        name: format!("{activation:?} {shape:?}, {layout:?}, {dropout:?}, up to {scale}"),
        inputs: vec![Input::new(shape).lying(layout).up_to(scale)],
        fused: Box::new(move |inputs| activate(activation, inputs.get(0), dropout)),
        reference: Box::new(move |inputs| dropout.apply(reference(activation, inputs.get(0)))),
        bound: 1e-5,
    }
}

/// One number, multiples of 32, odd sizes, more numbers than a task, a row longer than a task.
const SHAPES: [[usize; 3]; 7] = [
    [1, 1, 1],
    [1, 1, 5],
    [2, 32, 32],
    [1, 64, 3],
    [3, 5, 33],
    [3, 70, 100],
    [1, 3, 17_000],
];

#[test]
fn fused_activations_are_the_plain_ones() {
    for activation in ALL {
        for shape in SHAPES {
            for dropout in [Dropout::OFF, Dropout::new(0.3, 4)] {
                // Where tanh is flat, its plain gradient is what rounding leaves of a difference.
                let scales = match activation {
                    Activation::Tanh => [0.5, 1.0, 2.0],
                    _ => [1.0, 6.0, 100.0],
                };
                for scale in scales {
                    case(activation, shape, Layout::RowMajor, dropout, scale).agrees_with_its_reference();
                }
            }
        }
        for layout in [Layout::Turned, Layout::Sliced, Layout::Offset, Layout::Expanded] {
            case(activation, [3, 5, 9], layout, Dropout::new(0.2, 9), 2.0).agrees_with_its_reference();
        }
    }
}

#[test]
fn gradients_are_slopes() {
    for activation in ALL {
        for shape in SHAPES {
            for dropout in [Dropout::OFF, Dropout::new(0.3, 4)] {
                case(activation, shape, Layout::RowMajor, dropout, 2.0).has_its_slopes_as_gradients();
            }
        }
    }
}

/// A training whose numbers are no longer finite must notice it.
#[test]
fn what_is_not_a_number_stays_so() {
    for device in crate::testing::devices() {
        let device = device.autodiff();
        for activation in ALL {
            let x = Tensor::<3>::from_floats([[[f32::NAN, f32::NAN]]], &device).require_grad();
            let output = activate(activation, x.clone(), Dropout::OFF);
            let gradients = output.clone().sum().backward();
            let gradient = crate::testing::values(x.grad(&gradients).expect("a gradient"));
            let found = [crate::testing::values(output), gradient].concat();
            // The gradient of a ReLU is 0 or 1 whatever its input is.
            let counted = if activation == Activation::Relu { 2 } else { found.len() };
            assert!(found[..counted].iter().all(|x| x.is_nan()), "{activation:?}: {found:?}");
        }
    }
}

#[test]
fn threads_change_no_bit() {
    for activation in ALL {
        for shape in SHAPES {
            case(activation, shape, Layout::RowMajor, Dropout::new(0.3, 4), 3.0).does_not_depend_on_threads();
        }
    }
}

#[test]
fn instructions_change_no_bit() {
    for activation in ALL {
        for shape in SHAPES {
            case(activation, shape, Layout::RowMajor, Dropout::new(0.3, 4), 3.0).does_not_depend_on_instructions();
        }
    }
}

#[test]
#[should_panic(expected = "x and its gate are of one width")]
fn a_gate_of_another_width_is_refused() {
    activate(
        Activation::Swiglu,
        Tensor::ones([1, 2, 5], &Device::flex()),
        Dropout::OFF,
    );
}
