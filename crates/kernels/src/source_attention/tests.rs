use super::*;
use crate::testing::{Case, Input, Inputs, Layout};

/// Batch, T, S and D, and how many keys of each sentence are no padding.
#[derive(Debug, Clone)]
struct Given {
    sizes: [usize; 4],
    lengths: Vec<usize>,
    is_additive: bool,
}

fn case(given: Given, layout: Layout, scale: f32) -> Case {
    let name = format!("{given:?}, {layout:?}, up to {scale}");
    let [batch, queries, keys, width] = given.sizes;
    let mut inputs = vec![
        Input::new([batch, queries, width]),
        Input::new([batch, keys, width]),
        Input::new([batch, keys, width]),
    ];
    if given.is_additive {
        inputs.push(Input::new([width, 1]));
    }
    let mask = Mask::Padding(given.lengths.into());
    let run = |function: fn(Scores, Tensor<3>, &Mask) -> Tensor<3>| -> crate::testing::Operation {
        let mask = mask.clone();
        Box::new(move |inputs: &Inputs| {
            let (query, keys) = (inputs.get(0), inputs.get(1));
            let scores = if given.is_additive {
                let energy = inputs.get(3);
                Scores::Additive { query, keys, energy }
            } else {
                Scores::Dot { query, keys }
            };
            function(scores, inputs.get(2), &mask)
        })
    };
    Case {
        name,
        inputs: inputs
            .into_iter()
            .map(|input| input.lying(layout).up_to(scale))
            .collect(),
        fused: run(source_attention),
        reference: run(reference::source_attention),
        bound: 1e-5,
    }
}

/// One of everything, a single key left and none, padding at the end only, widths around a register's.
fn all() -> Vec<Given> {
    [
        ([1, 1, 1, 1], vec![1]),
        ([2, 3, 5, 7], vec![5, 1]),
        ([3, 1, 4, 32], vec![2, 4, 1]),
        ([2, 9, 33, 64], vec![33, 32]),
        ([2, 4, 3, 70], vec![3, 2]),
        ([2, 5, 6, 130], vec![1, 6]),
        ([3, 4, 5, 6], vec![0, 5, 0]),
    ]
    .into_iter()
    .flat_map(|(sizes, lengths)| {
        [false, true].map(|is_additive| Given {
            sizes,
            lengths: lengths.clone(),
            is_additive,
        })
    })
    .collect()
}

#[test]
fn fused_attention_is_the_plain_one() {
    for given in all() {
        // Not more: weights would hang on the last digit of a score, and slopes of tanh on that of a sum.
        for scale in [0.05, 0.3] {
            case(given.clone(), Layout::RowMajor, scale).agrees_with_its_reference();
        }
        for layout in [Layout::Turned, Layout::Sliced, Layout::Offset] {
            case(given.clone(), layout, 0.3).agrees_with_its_reference();
        }
    }
}

#[test]
fn gradients_are_slopes() {
    for given in all().into_iter().filter(|given| given.sizes[3] <= 32) {
        case(given, Layout::RowMajor, 1.0).has_its_slopes_as_gradients();
    }
}

#[test]
fn threads_change_no_bit() {
    for given in all() {
        case(given, Layout::RowMajor, 1.0).does_not_depend_on_threads();
    }
}

/// Padding may hold anything: neither results nor gradients read it.
#[test]
fn what_stands_behind_a_sentence_changes_nothing() {
    for is_additive in [false, true] {
        let results = |padding: f32| {
            let device = Device::flex().autodiff();
            let rows = |seed| {
                let mut values = crate::testing::numbers(5 * 6, seed);
                values[2 * 6..].fill(padding);
                Tensor::<3>::from_data(TensorData::new(values, [1, 5, 6]), &device).require_grad()
            };
            let query = TensorData::new(crate::testing::numbers(3 * 6, 1), [1, 3, 6]);
            let query = Tensor::<3>::from_data(query, &device).require_grad();
            let (keys, memory) = (rows(2), rows(3));
            let scores = if is_additive {
                let energy = TensorData::new(crate::testing::numbers(6, 4), [6, 1]);
                Scores::Additive {
                    query: query.clone(),
                    keys: keys.clone(),
                    energy: Tensor::from_data(energy, &device),
                }
            } else {
                Scores::Dot {
                    query: query.clone(),
                    keys: keys.clone(),
                }
            };
            let output = source_attention(scores, memory.clone(), &Mask::Padding([2].into()));
            let gradients = (output.clone() * output.clone()).sum().backward();
            let gradient = |x: Tensor<3>| crate::testing::values(x.grad(&gradients).expect("a gradient"));
            [
                crate::testing::values(output),
                gradient(query),
                gradient(keys),
                gradient(memory),
            ]
        };
        let expected = results(0.0);
        for gradient in &expected[2..] {
            assert!(gradient[2 * 6..].iter().all(|x| *x == 0.0), "padding has no gradient");
        }
        assert_eq!(results(1e30), expected);
        assert_eq!(results(f32::NAN), expected);
    }
}
