use super::*;
use crate::testing::{Case, Input, Layout, assert_close, devices, numbers, product, turned, values};

/// Sizes of a case.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub rows: usize,
    pub vocabulary: usize,
    pub width: usize,
    pub padding: Padding,
}

/// Which targets are padding.
#[derive(Debug, Clone, Copy)]
pub(super) enum Padding {
    None,
    EveryThird,
    /// All but the first row.
    Most,
    All,
}

impl Sizes {
    pub fn targets(&self) -> Vec<u32> {
        (0..self.rows)
            .map(|row| {
                let real = match self.padding {
                    Padding::None => true,
                    Padding::EveryThird => row % 3 != 2,
                    Padding::Most => row == 0,
                    Padding::All => false,
                };
                if real {
                    1 + (row * row % (self.vocabulary - 1)) as u32
                } else {
                    PAD
                }
            })
            .collect()
    }
}

/// How it is computed.
#[derive(Debug, Clone, Copy)]
struct How {
    is_table: bool,
    smoothing: f64,
    layout: Layout,
    /// The logits lie further apart the larger it is.
    scale: f32,
    precision: Precision,
}

const PLAIN: How = How {
    is_table: true,
    smoothing: 0.1,
    layout: Layout::RowMajor,
    scale: 1.0,
    precision: Precision::Fp32,
};

/// `weight` is `[V, R]` for a table, else `[R, V]`.
fn loss(hidden: Tensor<2>, weight: Tensor<2>, targets: &[u32], how: How, fused: bool) -> OutputLoss {
    let ids: Vec<i32> = targets.iter().map(|id| *id as i32).collect();
    let targets = Tensor::from_data(TensorData::new(ids, [targets.len()]), &hidden.device());
    let projection = if how.is_table {
        Projection::Table(weight)
    } else {
        Projection::Weight(weight)
    };
    if fused {
        output_loss(hidden, projection, targets, how.smoothing, how.precision)
    } else {
        reference::output_loss(hidden, projection.weight(), targets, how.smoothing, how.precision)
    }
}

/// The smoothed loss and its gradients.
fn case(sizes: Sizes, how: How) -> Case {
    let Sizes {
        rows,
        vocabulary,
        width,
        ..
    } = sizes;
    let weight = if how.is_table {
        [vocabulary, width]
    } else {
        [width, vocabulary]
    };
    // With one entry for the whole vocabulary, the gradient of the hidden states would be zero but for rounding.
    let weight_layout = if how.layout == Layout::Expanded {
        Layout::RowMajor
    } else {
        how.layout
    };
    let input = |shape, layout| Input::new(shape).lying(layout).up_to(how.scale);
    let run = move |fused: bool| -> crate::testing::Operation {
        Box::new(move |inputs| {
            loss(inputs.get(0), inputs.get(1), &sizes.targets(), how, fused)
                .smoothed
                .reshape([1, 1, 1])
        })
    };
    Case {
        name: format!("output_loss {sizes:?}, {how:?}"),
        inputs: vec![input([rows, width], how.layout), input(weight, weight_layout)],
        fused: run(true),
        reference: run(false),
        bound: 1e-5,
    }
}

/// One row, multiples of 32, odd sizes, more rows than have logits at the same time, blocks and batches of padding,
/// rows of several parts.
pub(super) fn sizes() -> Vec<Sizes> {
    [
        (1, 2, 1, Padding::None),
        (1, 37, 5, Padding::None),
        (1, 37, 5, Padding::All),
        (32, 64, 32, Padding::EveryThird),
        (7, 101, 33, Padding::EveryThird),
        (512, 3, 4, Padding::None),
        (513, 33, 7, Padding::EveryThird),
        (1030, 65, 16, Padding::Most),
        (600, 31, 3, Padding::All),
        (70, 1000, 64, Padding::None),
        (5, 2 * PART + 57, 3, Padding::EveryThird),
    ]
    .into_iter()
    .map(|(rows, vocabulary, width, padding)| Sizes {
        rows,
        vocabulary,
        width,
        padding,
    })
    .collect()
}

/// Both kinds of projection, with and without smoothing.
fn ways() -> [How; 4] {
    [(true, 0.1), (true, 0.0), (false, 0.1), (false, 0.0)].map(|(is_table, smoothing)| How {
        is_table,
        smoothing,
        ..PLAIN
    })
}

#[test]
fn the_fused_loss_is_the_plain_one() {
    for how in ways() {
        for sizes in sizes() {
            case(sizes, how).agrees_with_its_reference();
        }
        for layout in [Layout::Turned, Layout::Sliced, Layout::Offset, Layout::Expanded] {
            case(sizes()[4], How { layout, ..how }).agrees_with_its_reference();
        }
        case(sizes()[6], How { scale: 3.0, ..how }).agrees_with_its_reference();
    }
}

/// The plain loss, which has no gradient, on every device with and without autodiff.
#[test]
fn the_likelihood_is_the_plain_one() {
    for device in devices()
        .into_iter()
        .flat_map(|device| [device.clone().autodiff(), device])
    {
        for sizes in sizes() {
            for how in ways() {
                let nll = |fused| {
                    let Sizes {
                        rows,
                        vocabulary,
                        width,
                        ..
                    } = sizes;
                    let shape = if how.is_table {
                        [vocabulary, width]
                    } else {
                        [width, vocabulary]
                    };
                    let tensor = |shape: [usize; 2], seed| {
                        let values = numbers(shape[0] * shape[1], seed);
                        Tensor::<2>::from_data(TensorData::new(values, shape), &device)
                    };
                    let (hidden, weight) = (tensor([rows, width], 1), tensor(shape, 2));
                    values(loss(hidden, weight, &sizes.targets(), how, fused).nll)
                };
                assert_close(&format!("likelihood {sizes:?}, {how:?}"), &nll(true), &nll(false), 1e-5);
            }
        }
    }
}

#[test]
fn gradients_are_slopes() {
    for how in ways() {
        for sizes in sizes() {
            case(sizes, how).has_its_slopes_as_gradients();
        }
    }
}

#[test]
fn threads_change_no_bit() {
    for how in ways() {
        for precision in [Precision::Fp32, Precision::Bf16] {
            for sizes in sizes() {
                case(sizes, How { precision, ..how }).does_not_depend_on_threads();
            }
        }
    }
}

#[test]
fn padding_has_no_gradient() {
    let device = Device::flex().autodiff();
    let hidden = Tensor::<2>::ones([3, 2], &device).require_grad();
    let weight = Tensor::<2>::ones([5, 2], &device).require_grad();
    let loss = loss(hidden.clone(), weight, &[PAD, 4, PAD], PLAIN, true);
    let gradient = values(hidden.grad(&loss.smoothed.backward()).expect("a gradient"));
    assert_eq!([gradient[0], gradient[1], gradient[4], gradient[5]], [0.0; 4]);
}

#[test]
#[should_panic(expected = "id 5 is outside a vocabulary of 5")]
fn a_target_outside_the_vocabulary_is_refused() {
    let device = Device::flex();
    loss(
        Tensor::ones([1, 2], &device),
        Tensor::ones([5, 2], &device),
        &[5],
        PLAIN,
        true,
    );
}

/// What 8 bits of mantissa leave, the leading one counted. An operand of a product is off by up to 2^-8 of itself, up as
/// often as down: asked is half of that, `r = 2^-8 + 2^-18` for a product of two. From there on, for a row whose logits
/// are off by up to δ:
///
/// ```text
/// δ = r max_v Σ |h| |W|          its loss is off by up to 2 δ, and p_v by up to (e^(2 δ) - 1) p_v
/// g = p - target distribution    dh and dW are off by what g is, times (1 + r) |W| or |h|, and by r |g| |W| or r |h| |g|
/// ```
#[test]
fn bf16_losses_are_as_exact_as_their_mantissas() {
    losses_are_as_exact_as_their_mantissas(true);
}

/// The reference rounds p, not g, and every product's result as well.
#[test]
fn bf16_losses_of_the_reference_are_as_exact_as_their_mantissas() {
    losses_are_as_exact_as_their_mantissas(false);
}

fn losses_are_as_exact_as_their_mantissas(fused: bool) {
    let rounding_of_results = if fused { 0.0 } else { 1.01 * 2f64.powi(-9) };
    let r = 2f64.powi(-8) + 2f64.powi(-18) + rounding_of_results;
    // Results and sums in fp32.
    let slack = 1e-5;
    for how in ways() {
        for sizes in [sizes()[1], sizes()[3], sizes()[6]] {
            let Sizes {
                rows,
                vocabulary,
                width,
                ..
            } = sizes;
            let targets = sizes.targets();
            let device = Device::flex().autodiff();
            let hidden = numbers(rows * width, 1);
            // [V, R]
            let table = numbers(vocabulary * width, 2);
            let results = |precision| {
                let tensor = |values: &[f32], shape: [usize; 2]| {
                    Tensor::<2>::from_data(TensorData::new(values.to_vec(), shape), &device).require_grad()
                };
                let (hidden, table) = (tensor(&hidden, [rows, width]), tensor(&table, [vocabulary, width]));
                let weight = if how.is_table {
                    table.clone()
                } else {
                    table.clone().transpose()
                };
                let OutputLoss { smoothed, nll } =
                    loss(hidden.clone(), weight, &targets, How { precision, ..how }, fused);
                let losses = [values(smoothed.clone())[0], values(nll)[0]];
                let gradients = smoothed.backward();
                (
                    losses,
                    [hidden, table].map(|x| values(x.grad(&gradients).expect("a gradient"))),
                )
            };
            let (losses, found) = results(Precision::Bf16);
            let (exact_losses, exact) = results(Precision::Fp32);

            let [hidden, table] = [&hidden, &table].map(|x| x.iter().map(|x| f64::from(*x)).collect::<Vec<_>>());
            let absolute = |x: &[f64]| x.iter().map(|x| x.abs()).collect::<Vec<_>>();
            let logits = product(&hidden, &turned(&table, [vocabulary, width]), [rows, width, vocabulary]);
            let (hidden, table) = (absolute(&hidden), absolute(&table));
            let reach = product(&hidden, &turned(&table, [vocabulary, width]), [rows, width, vocabulary]);
            // By how much gradients of the logits are off, and how large they are.
            let (mut off, mut size) = (Vec::new(), Vec::new());
            let mut loss_bound = slack * f64::from(exact_losses[0].abs().max(exact_losses[1]));
            for (row, target) in targets.iter().enumerate() {
                let [logits, reach] = [&logits, &reach].map(|x| &x[row * vocabulary..][..vocabulary]);
                let real = if *target == PAD { 0.0 } else { 1.0 };
                let delta = r * reach.iter().fold(0.0, |most: f64, x| most.max(*x));
                loss_bound += 2.0 * delta * real;
                let total: f64 = logits.iter().map(|x| x.exp()).sum();
                for (id, logit) in logits.iter().enumerate() {
                    let p = logit.exp() / total;
                    let wanted = how.smoothing / vocabulary as f64
                        + if id == *target as usize {
                            1.0 - how.smoothing
                        } else {
                            0.0
                        };
                    off.push(real * ((2.0 * delta).exp_m1() * p));
                    let rounded = if fused { (p - wanted).abs() } else { p + wanted };
                    size.push(real * rounded);
                }
            }
            for (found, exact) in losses.iter().zip(exact_losses) {
                let difference = f64::from((found - exact).abs());
                assert!(
                    difference <= loss_bound,
                    "{sizes:?}, {how:?}: {found}, {exact}, bound {loss_bound}"
                );
            }
            let spread: Vec<f64> = off
                .iter()
                .zip(&size)
                .map(|(off, size)| off * (1.0 + r) + size * r)
                .collect();
            let bounds = [
                product(&spread, &table, [rows, vocabulary, width]),
                product(&turned(&spread, [rows, vocabulary]), &hidden, [vocabulary, rows, width]),
            ];
            let mut differ = false;
            for (what, ((found, exact), bounds)) in found.iter().zip(&exact).zip(&bounds).enumerate() {
                for (place, ((found, exact), bound)) in found.iter().zip(exact).zip(bounds).enumerate() {
                    let difference = f64::from((found - exact).abs());
                    assert!(
                        difference <= bound * (1.0 + slack) + slack,
                        "{sizes:?}, {how:?}, gradient {what}, number {place}: {found}, {exact}, bound {bound}"
                    );
                    differ |= found != exact;
                }
            }
            assert_eq!(
                differ,
                Precision::Bf16.available() == Precision::Bf16,
                "operands are rounded if they can be"
            );
        }
    }
}
