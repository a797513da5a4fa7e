use super::*;
use crate::output_loss::tests::{Sizes, sizes};
use crate::testing::{Case, Input, Layout, Operation, assert_close, devices, numbers, product, turned, values};

/// How it is computed; sizes count targets.
#[derive(Debug, Clone, Copy)]
struct How {
    is_table: bool,
    layout: Layout,
    rule: PairRule,
}

const PLAIN: How = How {
    is_table: true,
    layout: Layout::RowMajor,
    rule: PairRule {
        smoothing: 0.1,
        divergence_weight: 5.0,
        precision: Precision::Fp32,
    },
};

fn ways() -> [How; 3] {
    let how = |is_table, smoothing, divergence_weight| How {
        is_table,
        rule: PairRule {
            smoothing,
            divergence_weight,
            ..PLAIN.rule
        },
        ..PLAIN
    };
    [how(true, 0.1, 5.0), how(false, 0.1, 0.5), how(false, 0.0, 1.0)]
}

impl How {
    fn with(self, precision: Precision) -> Self {
        Self {
            rule: PairRule { precision, ..self.rule },
            ..self
        }
    }

    /// `[V, R]` for a table, else `[R, V]`.
    fn weight_shape(self, sizes: Sizes) -> [usize; 2] {
        if self.is_table {
            [sizes.vocabulary, sizes.width]
        } else {
            [sizes.width, sizes.vocabulary]
        }
    }

    fn loss(self, hidden: Tensor<2>, weight: Tensor<2>, targets: &[u32], is_fused: bool) -> PairedLoss {
        let ids: Vec<i32> = targets.iter().map(|id| *id as i32).collect();
        let targets = Tensor::from_data(TensorData::new(ids, [targets.len()]), &hidden.device());
        let projection = if self.is_table {
            Projection::Table(weight)
        } else {
            Projection::Weight(weight)
        };
        if is_fused {
            paired_output_loss(hidden, projection, targets, self.rule)
        } else {
            reference::paired_output_loss(hidden, projection.weight(), targets, self.rule)
        }
    }
}

/// What is trained on, and its gradients.
fn case(sizes: Sizes, how: How) -> Case {
    // With one entry for the whole vocabulary, the gradient of the hidden states would be zero but for rounding; with
    // one row for all hidden states the passes would not differ.
    let layout = if how.layout == Layout::Expanded {
        Layout::RowMajor
    } else {
        how.layout
    };
    let input = |shape: [usize; 2]| Input::new(shape).lying(layout);
    let run = move |is_fused: bool| -> Operation {
        Box::new(move |inputs| {
            let loss = how.loss(inputs.get(0), inputs.get(1), &sizes.targets(), is_fused);
            loss.trained.reshape([1, 1, 1])
        })
    };
    Case {
        name: format!("paired_output_loss {sizes:?}, {how:?}"),
        inputs: vec![input([2 * sizes.rows, sizes.width]), input(how.weight_shape(sizes))],
        fused: run(true),
        reference: run(false),
        bound: 1e-5,
    }
}

#[test]
fn the_fused_loss_is_the_plain_one() {
    for how in ways() {
        for sizes in sizes() {
            case(sizes, how).agrees_with_its_reference();
        }
        for layout in [Layout::Turned, Layout::Sliced, Layout::Offset] {
            case(sizes()[4], How { layout, ..how }).agrees_with_its_reference();
        }
    }
}

/// What is reported beside it, on every device with and without autodiff.
#[test]
fn what_is_reported_is_the_plain_one() {
    for device in devices()
        .into_iter()
        .flat_map(|device| [device.clone().autodiff(), device])
    {
        for sizes in sizes() {
            for how in ways() {
                let reported = |is_fused| {
                    let tensor = |shape: [usize; 2], seed| {
                        let values = numbers(shape[0] * shape[1], seed);
                        Tensor::<2>::from_data(TensorData::new(values, shape), &device)
                    };
                    let hidden = tensor([2 * sizes.rows, sizes.width], 1);
                    let weight = tensor(how.weight_shape(sizes), 2);
                    let loss = how.loss(hidden, weight, &sizes.targets(), is_fused);
                    [loss.smoothed, loss.nll, loss.divergence].map(|loss| values(loss)[0])
                };
                let name = format!("reported {sizes:?}, {how:?}");
                for (found, expected) in reported(true).iter().zip(reported(false)) {
                    assert_close(&name, &[*found], &[expected], 1e-5);
                }
            }
        }
    }
}

#[test]
fn gradients_are_slopes() {
    for how in ways() {
        for sizes in sizes() {
            case(sizes, how).has_its_slopes_by(0.01);
        }
    }
}

#[test]
fn threads_change_no_bit() {
    for how in ways() {
        for precision in [Precision::Fp32, Precision::Bf16] {
            for sizes in sizes() {
                case(sizes, how.with(precision)).does_not_depend_on_threads();
            }
        }
    }
}

/// Two passes that dropped the same are one, whose loss it then is, gradients included.
#[test]
fn equal_passes_are_one() {
    let sizes = sizes()[6];
    let targets = sizes.targets();
    let device = Device::flex().autodiff();
    let rows = numbers(sizes.rows * sizes.width, 1);
    let tensor = |values: &[f32], shape: [usize; 2]| {
        Tensor::<2>::from_data(TensorData::new(values.to_vec(), shape), &device).require_grad()
    };
    let table = numbers(sizes.vocabulary * sizes.width, 2);
    let (one, one_table) = (
        tensor(&rows, [sizes.rows, sizes.width]),
        tensor(&table, [sizes.vocabulary, sizes.width]),
    );
    let (two, two_table) = (
        tensor(&rows.repeat(2), [2 * sizes.rows, sizes.width]),
        tensor(&table, [sizes.vocabulary, sizes.width]),
    );
    let ids: Vec<i32> = targets.iter().map(|id| *id as i32).collect();
    let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [targets.len()]), &device);
    let projection = Projection::Table(one_table.clone());
    let single = crate::output_loss::output_loss(one.clone(), projection, ids, 0.1, Precision::Fp32);
    let paired = PLAIN.loss(two.clone(), two_table.clone(), &targets, true);
    assert_eq!(values(paired.divergence), [0.0]);
    assert_eq!(values(paired.trained.clone()), values(paired.smoothed));
    assert_close(
        "loss",
        &values(paired.trained.clone()),
        &values(single.smoothed.clone()),
        1e-6,
    );
    assert_close("likelihood", &values(paired.nll), &values(single.nll), 1e-6);
    let (single, paired) = (single.smoothed.backward(), paired.trained.backward());
    let of = |x: &Tensor<2>, gradients| values(x.grad(gradients).expect("a gradient"));
    assert_close("table", &of(&two_table, &paired), &of(&one_table, &single), 1e-6);
    // Each pass has half of it.
    let halves = of(&two, &paired);
    let (first, second) = halves.split_at(rows.len());
    let whole: Vec<f32> = first.iter().zip(second).map(|(one, other)| one + other).collect();
    assert_close("hidden", &whole, &of(&one, &single), 1e-6);
}

#[test]
fn padding_has_no_gradient() {
    let device = Device::flex().autodiff();
    let hidden = Tensor::<2>::from_data(TensorData::new(numbers(12, 1), [6, 2]), &device).require_grad();
    let weight = Tensor::<2>::from_data(TensorData::new(numbers(10, 2), [5, 2]), &device).require_grad();
    let loss = PLAIN.loss(hidden.clone(), weight, &[PAD, 4, PAD], true);
    let gradient = values(hidden.grad(&loss.trained.backward()).expect("a gradient"));
    for row in [0, 2, 3, 5] {
        assert_eq!(gradient[2 * row..][..2], [0.0; 2], "row {row}");
    }
    for row in [1, 4] {
        assert_ne!(gradient[2 * row..][..2], [0.0; 2], "row {row}");
    }
}

#[test]
#[should_panic(expected = "2 rows for each target")]
fn a_row_without_its_pair_is_refused() {
    let device = Device::flex();
    PLAIN.loss(
        Tensor::ones([3, 2], &device),
        Tensor::ones([5, 2], &device),
        &[1, 2],
        true,
    );
}

/// The nearest number of 8 bits of mantissa, the leading one counted; of two, the even one.
fn rounded(x: f32) -> f32 {
    let bits = x.to_bits();
    f32::from_bits((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF_0000)
}

/// All that is computed, in f64: the four sums, gradients of the logits `[2 N, V]`, and of `hidden` and the table.
struct Exact {
    sums: [f64; 4],
    of_logits: Vec<f64>,
    gradients: [Vec<f64>; 2],
}

impl Exact {
    /// From the equations of the module's beginning.
    fn new(sizes: Sizes, rule: PairRule, hidden: &[f64], table: &[f64]) -> Self {
        let Sizes {
            rows,
            vocabulary,
            width,
            ..
        } = sizes;
        let logits = product(
            hidden,
            &turned(table, [vocabulary, width]),
            [2 * rows, width, vocabulary],
        );
        let logs: Vec<f64> = logits
            .chunks(vocabulary)
            .flat_map(|row| {
                let log_sum = row.iter().map(|x| x.exp()).sum::<f64>().ln();
                row.iter().map(move |x| x - log_sum)
            })
            .collect();
        let mut sums = [0.0; 4];
        let mut of_logits = vec![0.0; logs.len()];
        for (row, target) in sizes
            .targets()
            .into_iter()
            .enumerate()
            .filter(|(_, target)| *target != PAD)
        {
            let places = [row, rows + row].map(|row| row * vocabulary);
            let [p, q] = places.map(|place| &logs[place..][..vocabulary]);
            let kl = |p: &[f64], q: &[f64]| p.iter().zip(q).map(|(p, q)| p.exp() * (p - q)).sum::<f64>();
            let wanted = |id: usize| {
                let reference = if id == target as usize {
                    1.0 - rule.smoothing
                } else {
                    0.0
                };
                rule.smoothing / vocabulary as f64 + reference
            };
            for (place, p, q) in [(places[0], p, q), (places[1], q, p)] {
                let smoothed: f64 = p.iter().enumerate().map(|(id, p)| -wanted(id) * p).sum();
                sums[1] += smoothed / 2.0;
                sums[2] -= p[target as usize] / 2.0;
                sums[3] += kl(p, q) / 2.0;
                for id in 0..vocabulary {
                    let apart = (p[id].exp() * (p[id] - q[id] - kl(p, q)) + p[id].exp() - q[id].exp()) / 2.0;
                    of_logits[place + id] = (p[id].exp() - wanted(id)) / 2.0 + rule.divergence_weight / 2.0 * apart;
                }
            }
        }
        sums[0] = sums[1] + rule.divergence_weight / 2.0 * sums[3];
        let gradients = [
            product(&of_logits, table, [2 * rows, vocabulary, width]),
            product(
                &turned(&of_logits, [2 * rows, vocabulary]),
                hidden,
                [vocabulary, 2 * rows, width],
            ),
        ];
        Self {
            sums,
            of_logits,
            gradients,
        }
    }
}

/// With operands that are bf16 numbers already, products of bf16 are exact but for sums in fp32; only the gradients of
/// the logits are rounded on their way into products, by up to 2^-8 of themselves.
#[test]
fn losses_are_as_exact_as_their_mantissas() {
    for (how, sizes) in ways()
        .into_iter()
        .flat_map(|how| [1, 3, 6].map(|place| (how, sizes()[place])))
    {
        for precision in [Precision::Fp32, Precision::Bf16] {
            let [hidden, table] = [(2 * sizes.rows, 1), (sizes.vocabulary, 2)].map(|(rows, seed)| {
                let numbers = numbers(rows * sizes.width, seed);
                numbers.into_iter().map(rounded).collect::<Vec<_>>()
            });
            let device = Device::flex().autodiff();
            let tensor = |values: &[f32]| {
                let shape = [values.len() / sizes.width, sizes.width];
                Tensor::<2>::from_data(TensorData::new(values.to_vec(), shape), &device).require_grad()
            };
            let tensors = [tensor(&hidden), tensor(&table)];
            let how = How { is_table: true, ..how }.with(precision);
            let loss = how.loss(tensors[0].clone(), tensors[1].clone(), &sizes.targets(), true);
            let gradients = loss.trained.clone().backward();
            let sums = [loss.trained, loss.smoothed, loss.nll, loss.divergence].map(|sum| values(sum)[0]);

            let [hidden, table] = [hidden, table].map(|x| x.into_iter().map(f64::from).collect::<Vec<_>>());
            let exact = Exact::new(sizes, how.rule, &hidden, &table);
            let name = format!("{sizes:?}, {how:?}");
            assert_close(&name, &sums, &exact.sums.map(|sum| sum as f32), 1e-5);
            let absolute = |x: &[f64]| x.iter().map(|x| x.abs()).collect::<Vec<_>>();
            let of_logits = absolute(&exact.of_logits);
            let rows = 2 * sizes.rows;
            let reaches = [
                product(&of_logits, &absolute(&table), [rows, sizes.vocabulary, sizes.width]),
                product(
                    &turned(&of_logits, [rows, sizes.vocabulary]),
                    &absolute(&hidden),
                    [sizes.vocabulary, rows, sizes.width],
                ),
            ];
            let rounding = if precision.available() == Precision::Bf16 {
                2f64.powi(-8)
            } else {
                0.0
            };
            for ((tensor, exact), reaches) in tensors.iter().zip(&exact.gradients).zip(&reaches) {
                let found = values(tensor.grad(&gradients).expect("a gradient"));
                assert_eq!(found.len(), exact.len());
                for ((found, exact), reach) in found.iter().zip(exact).zip(reaches) {
                    let difference = (f64::from(*found) - exact).abs();
                    let bound = (rounding + 1e-5) * reach + 1e-6;
                    assert!(difference <= bound, "{name}: {found} instead of {exact}, bound {bound}");
                }
            }
        }
    }
}
