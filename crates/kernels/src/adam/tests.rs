use super::*;
use crate::instructions::InstructionSet;
use crate::testing::{assert_close, devices, instruction_sets, numbers, pool, values};

/// One number, multiples of 32, odd sizes, a whole task, more than one.
const LENGTHS: [usize; 7] = [1, 7, 32, 64, 33, CHUNK, 2 * CHUNK + 77];

const STEP: AdamStep = AdamStep {
    beta1: 0.9,
    beta2: 0.98,
    epsilon: 1e-9,
    weight_decay: 0.0,
    learning_rate: 1e-3,
    step: 3,
    gradient_scale: 1.0,
    decay: 0.9,
};

/// With and without weight decay and gradient scale, in the beginning and later.
fn steps() -> Vec<AdamStep> {
    let mut steps = Vec::new();
    for weight_decay in [0.0, 0.1] {
        for gradient_scale in [1.0, 0.37] {
            for step in [1, 3, 100_000] {
                steps.push(AdamStep {
                    weight_decay,
                    gradient_scale,
                    step,
                    ..STEP
                });
            }
        }
    }
    steps
}

/// How a parameter's tensors lie in memory.
#[derive(Debug, Clone, Copy)]
enum Lying {
    RowMajor,
    /// The middle of something longer.
    Sliced,
    /// Every second number of something longer.
    Strided,
}

fn tensor(values: Vec<f32>, lying: Lying, device: &Device) -> Tensor<1> {
    let count = values.len();
    let of = |values: Vec<f32>| Tensor::<1>::from_data(TensorData::new(values.clone(), [values.len()]), device);
    match lying {
        Lying::RowMajor => of(values),
        Lying::Sliced => of([vec![9.0; 3], values, vec![9.0; 5]].concat()).slice_dim(0, 3..count + 3),
        Lying::Strided => {
            let pairs = of(values.into_iter().flat_map(|x| [9.0, x]).collect()).reshape([count, 2]);
            pairs.slice_dim(1, 1..2).squeeze_dim(1)
        }
    }
}

/// A parameter in the middle of a training, and its gradient.
fn example(length: usize, lying: Lying, average: bool, device: &Device) -> (Parameter, Tensor<1>) {
    let of = |seed| tensor(numbers(length, seed), lying, device);
    // A mean of squares is not negative.
    let square = numbers(length, 3).iter().map(|x| x * x).collect();
    let parameter = Parameter {
        weight: of(1),
        mean: of(2),
        square: tensor(square, lying, device),
        average: average.then(|| of(4)),
    };
    (parameter, of(5))
}

/// Weight, mean, square and average.
fn numbers_of(parameter: Parameter) -> Vec<Vec<f32>> {
    let Parameter {
        weight,
        mean,
        square,
        average,
    } = parameter;
    [Some(weight), Some(mean), Some(square), average]
        .into_iter()
        .flatten()
        .map(values)
        .collect()
}

#[test]
fn the_fused_step_is_the_plain_one() {
    for device in devices() {
        for lying in [Lying::RowMajor, Lying::Sliced, Lying::Strided] {
            for average in [false, true] {
                for step in steps() {
                    for length in LENGTHS {
                        let (parameter, gradient) = example(length, lying, average, &device);
                        let found = numbers_of(step.apply(parameter.clone(), gradient.clone()));
                        let expected = numbers_of(step.reference(parameter, gradient));
                        assert_eq!(found.len(), expected.len());
                        for (what, (found, expected)) in found.iter().zip(&expected).enumerate() {
                            let name = format!("result {what} of {length}, {lying:?}, {step:?}, {device:?}");
                            assert_close(&name, found, expected, 1e-6);
                        }
                    }
                }
            }
        }
    }
}

/// A change is a thousandth of the weight it is added to, so that it is held against the reference alone.
#[test]
fn the_change_of_a_weight_is_the_plain_one() {
    for device in devices() {
        for step in steps() {
            let (mut parameter, gradient) = example(1000, Lying::RowMajor, false, &device);
            parameter.weight = parameter.weight.zeros_like();
            let found = numbers_of(step.apply(parameter.clone(), gradient.clone()));
            let expected = numbers_of(step.reference(parameter, gradient));
            let larger = |x: &[f32]| x.iter().map(|x| x / 1e-3).collect::<Vec<_>>();
            assert_close(&format!("{step:?}"), &larger(&found[0]), &larger(&expected[0]), 1e-6);
        }
    }
}

/// Weights are changed in their place only where nobody else holds them.
#[test]
fn what_somebody_else_holds_stays_as_it_was() {
    for device in devices() {
        let (parameter, gradient) = example(100, Lying::RowMajor, true, &device);
        let held = parameter.clone();
        let before = numbers_of(held.clone());
        let after = numbers_of(STEP.apply(parameter, gradient));
        assert_ne!(after, before);
        assert_eq!(numbers_of(held), before);
    }
}

#[test]
fn fused_sums_of_squares_are_the_plain_ones() {
    for device in devices() {
        for lying in [Lying::RowMajor, Lying::Sliced, Lying::Strided] {
            for length in LENGTHS {
                let x = tensor(numbers(length, 1), lying, &device);
                let expected: f64 = values(x.clone()).iter().map(|x| f64::from(*x).powi(2)).sum();
                let plain = values((x.clone() * x.clone()).sum());
                let found = values(sum_of_squares(x));
                assert_close("against f64", &found, &[expected as f32], 1e-6);
                // Plain sums are taken in fp32, in whatever order the device likes.
                assert_close("against the plain sum", &found, &plain, 1e-5);
            }
        }
    }
}

#[test]
fn threads_and_instructions_change_no_bit() {
    for device in devices() {
        let results = |threads, set| {
            pool(threads, set).install(|| {
                let results = LENGTHS.map(|length| {
                    let step = |average| {
                        let (parameter, gradient) = example(length, Lying::RowMajor, average, &device);
                        numbers_of(
                            AdamStep {
                                weight_decay: 0.1,
                                ..STEP
                            }
                            .apply(parameter, gradient),
                        )
                    };
                    let squares = values(sum_of_squares(tensor(numbers(length, 1), Lying::RowMajor, &device)));
                    [step(false), step(true), vec![squares]].concat().concat()
                });
                results.concat().into_iter().map(f32::to_bits).collect::<Vec<_>>()
            })
        };
        let one = results(1, InstructionSet::detect());
        for set in instruction_sets() {
            assert!(one == results(3, set), "{set}, {device:?}");
        }
    }
}
