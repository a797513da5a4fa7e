use burn::nn::LinearConfig;

use super::*;
use crate::testing::{Case, Input, Inputs, Layout, parameter};

/// B, L and H; inputs of the given layout. The result is all outputs, and the last states behind them.
fn case([batch, length, width]: [usize; 3], rule: RecurrentRule, layout: Layout) -> Case {
    let made = rule.cell.gates() * width;
    let mut inputs = vec![
        Input::new([batch, length, made]).lying(layout),
        Input::new([width, made]).lying(layout),
        Input::new([made]),
        Input::new([batch, width]).lying(layout),
    ];
    if rule.cell == Cell::Lstm {
        inputs.push(Input::new([batch, width]));
    }
    let name = format!(
        "{:?} {:?} {batch}x{length}x{width}, {:?}",
        rule.cell, rule.direction, rule.lengths
    );
    let run = move |inputs: &Inputs, operation: fn(Tensor<3>, &Linear, State, &RecurrentRule) -> (Tensor<3>, State)| {
        let mut own = LinearConfig::new(width, made).init(&inputs.device);
        own.weight = parameter(inputs.get(1));
        own.bias = Some(parameter(inputs.get(2)));
        let state = State {
            hidden: inputs.get(3),
            inner: (rule.cell == Cell::Lstm).then(|| inputs.get(4)),
        };
        let (outputs, state) = operation(inputs.get(0), &own, state, &rule);
        let mut all = vec![outputs, state.hidden.unsqueeze_dim(1)];
        all.extend(state.inner.map(|inner| inner.unsqueeze_dim(1)));
        Tensor::cat(all, 1)
    };
    let again = run.clone();
    Case {
        name,
        inputs,
        fused: Box::new(move |inputs| {
            run(inputs, |gates, own, state, rule| {
                recurrent(gates, own, state, rule.clone())
            })
        }),
        reference: Box::new(move |inputs| again(inputs, reference)),
        bound: 1e-5,
    }
}

/// Batch, length and width: one of everything, odd sizes, a multiple of 32, more sentences than a task has.
const SIZES: [[usize; 3]; 4] = [[1, 1, 1], [3, 5, 7], [2, 3, 32], [29, 4, 18]];

/// Every cell in both directions, with and without padding; a sentence without a word as well.
fn rules(batch: usize, length: usize) -> Vec<RecurrentRule> {
    let ragged: Arc<[usize]> = (0..batch)
        .map(|sentence| (length + 3 * sentence) % (length + 1))
        .collect();
    let mut rules = Vec::new();
    for cell in [Cell::Elman, Cell::Gru, Cell::Lstm] {
        for direction in [Direction::Forward, Direction::Backward] {
            for lengths in [None, Some(ragged.clone())] {
                rules.push(RecurrentRule {
                    cell,
                    direction,
                    lengths,
                    precision: Precision::Fp32,
                });
            }
        }
    }
    rules
}

#[test]
fn the_fused_layer_is_the_plain_one() {
    for sizes in SIZES {
        for rule in rules(sizes[0], sizes[1]) {
            case(sizes, rule, Layout::RowMajor).agrees_with_its_reference();
        }
    }
    for layout in [Layout::Turned, Layout::Sliced, Layout::Offset, Layout::Expanded] {
        for rule in rules(3, 4) {
            case([3, 4, 5], rule, layout).agrees_with_its_reference();
        }
    }
}

#[test]
fn gradients_are_slopes() {
    for sizes in SIZES {
        for rule in rules(sizes[0], sizes[1]) {
            case(sizes, rule, Layout::RowMajor).has_its_slopes_by(0.002);
        }
    }
}

#[test]
fn threads_change_no_bit() {
    for precision in [Precision::Fp32, Precision::Bf16] {
        for rule in rules(40, 6) {
            case([40, 6, 33], RecurrentRule { precision, ..rule }, Layout::RowMajor).does_not_depend_on_threads();
        }
        // One sentence more than a tile of a product has rows.
        for rule in rules(13, 6) {
            case([13, 6, 33], RecurrentRule { precision, ..rule }, Layout::RowMajor).does_not_depend_on_threads();
        }
    }
}
