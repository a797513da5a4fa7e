use burn::nn::LinearConfig;

use super::*;
use crate::testing::{Case, Input, Inputs, Layout, assert_close, numbers, parameter, product, turned, values};

/// `[B, L, K]` and every M.
fn case(rows: [usize; 3], made: &[usize], layouts: [Layout; 3], precision: Precision) -> Case {
    let [x, weight, bias] = layouts;
    let mut inputs = vec![Input::new(rows).lying(x)];
    for made in made {
        inputs.push(Input::new([rows[2], *made]).lying(weight));
        inputs.push(Input::new([*made]).lying(bias));
    }
    let count = made.len();
    let maps = move |inputs: &Inputs| -> Vec<Linear> {
        let map = |index| inputs.map(2 * index + 1);
        (0..count).map(map).collect()
    };
    Case {
        name: format!("linear {rows:?} to {made:?}, {layouts:?}"),
        inputs,
        fused: Box::new(move |inputs| linear(&maps(inputs).iter().collect::<Vec<_>>(), inputs.get(0), precision)),
        reference: Box::new(move |inputs| {
            reference(&maps(inputs).iter().collect::<Vec<_>>(), inputs.get(0), precision)
        }),
        bound: 1e-5,
    }
}

const PLAIN: [Layout; 3] = [Layout::RowMajor; 3];

/// One row, multiples of 32, odd sizes, one sentence, sums longer than a piece of a product, enough work for threads.
fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = [
        ([1, 1, 1], vec![1]),
        ([1, 1, 7], vec![3, 1]),
        ([1, 32, 16], vec![32]),
        ([2, 64, 32], vec![64, 32, 64]),
        ([3, 5, 33], vec![31, 7]),
        ([4, 13, 25], vec![25, 25, 25]),
        ([2, 3, 600], vec![40]),
        ([9, 64, 20], vec![24, 3]),
        ([4, 64, 130], vec![96, 257]),
    ]
    .into_iter()
    .map(|(rows, made)| case(rows, &made, PLAIN, Precision::Fp32))
    .collect();
    for layout in [Layout::Turned, Layout::Sliced, Layout::Offset, Layout::Expanded] {
        for layouts in [[layout, PLAIN[0], PLAIN[0]], [PLAIN[0], layout, layout], [layout; 3]] {
            cases.push(case([3, 5, 9], &[8, 3], layouts, Precision::Fp32));
        }
    }
    cases
}

#[test]
fn the_fused_maps_are_the_plain_ones() {
    cases().iter().for_each(Case::agrees_with_its_reference);
}

#[test]
fn gradients_are_slopes() {
    cases().iter().for_each(Case::has_its_slopes_as_gradients);
}

#[test]
fn threads_change_no_bit() {
    for precision in [Precision::Fp32, Precision::Bf16] {
        case([4, 64, 130], &[96, 257], PLAIN, precision).does_not_depend_on_threads();
        case([9, 64, 20], &[24, 3, 40], PLAIN, precision).does_not_depend_on_threads();
        case([1, 1, 700], &[700], PLAIN, precision).does_not_depend_on_threads();
    }
}

/// A bf16 number has 8 bits of mantissa, the leading one counted, so that rounding moves an operand by up to 2^-8 of
/// itself. It goes up as often as down: asked is half of that, which makes 2^-8 + 2^-18 for a product of two, times the
/// sum of absolute values for a sum of products. The reference rounds results and their gradients as well.
#[test]
fn bf16_maps_are_as_exact_as_their_mantissas() {
    check_rounding(linear, 0.0);
    check_rounding(reference, 2f64.powi(-9));
}

type Operation = fn(&[&Linear], Tensor<3>, Precision) -> Tensor<3>;

fn check_rounding(operation: Operation, rounding_of_results: f64) {
    let rounding = 2f64.powi(-8) + 2f64.powi(-18) + rounding_of_results * 1.01;
    for [rows, width, made] in [[1, 1, 1], [5, 33, 7], [40, 64, 96], [70, 600, 31]] {
        let absolute = |count, seed| -> Vec<f64> { numbers(count, seed).iter().map(|x| f64::from(x.abs())).collect() };
        let device = Device::flex().autodiff();
        let tensor = |shape: [usize; 2], seed| {
            let values = numbers(shape[0] * shape[1], seed);
            Tensor::<2>::from_data(TensorData::new(values, shape), &device).require_grad()
        };
        let results = |precision| {
            let (x, weight) = (tensor([rows, width], 1), tensor([width, made], 2));
            let bias = Tensor::<1>::from_data(TensorData::new(numbers(made, 3), [made]), &device).require_grad();
            let mut map = LinearConfig::new(width, made).init(&device);
            map.weight = parameter(weight.clone());
            map.bias = Some(parameter(bias.clone()));
            let output = operation(&[&map], x.clone().reshape([1, rows, width]), precision);
            let upstream = tensor([rows, made], 4).reshape([1, rows, made]);
            let gradients = (output.clone() * upstream.detach()).sum().backward();
            let [x, weight] = [x, weight].map(|tensor| values(tensor.grad(&gradients).expect("a gradient")));
            (
                [values(output), x, weight],
                values(bias.grad(&gradients).expect("a gradient")),
            )
        };
        let (found, found_bias) = results(Precision::Bf16);
        let (exact, exact_bias) = results(Precision::Fp32);
        assert_close("bias, which is not rounded", &found_bias, &exact_bias, 1e-6);
        let (x, weight) = (absolute(rows * width, 1), absolute(width * made, 2));
        let upstream = absolute(rows * made, 4);
        let sums = [
            product(&x, &weight, [rows, width, made]),
            product(&upstream, &turned(&weight, [width, made]), [rows, made, width]),
            product(&turned(&x, [rows, width]), &upstream, [width, rows, made]),
        ];
        let mut differ = false;
        for (what, ((found, exact), sums)) in found.iter().zip(&exact).zip(&sums).enumerate() {
            for (place, ((found, exact), sum)) in found.iter().zip(exact).zip(sums).enumerate() {
                let difference = f64::from((found - exact).abs());
                // Both are rounded to fp32 as well.
                let bound = sum * (rounding + 1e-6) + 1e-6;
                assert!(
                    difference <= bound,
                    "{rows}x{width}x{made}, result {what}, number {place}: {found}, {exact}"
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

/// Shapes that do not fit end in a panic that tells them, not in numbers of the wrong rows.
#[test]
fn weights_that_do_not_fit_are_refused() {
    let device = Device::flex();
    let map = |from, to, made| {
        let mut map = LinearConfig::new(from, to).init(&device);
        map.bias = Some(parameter(Tensor::zeros([made], &device)));
        map
    };
    let (four_to_three, four_to_five) = (map(4, 3, 3), map(4, 5, 5));
    let unlike = [map(6, 3, 3), map(4, 5, 3), map(3, 3, 3)];
    let computes = |maps: &[&Linear]| {
        let x = Tensor::ones([1, 2, 4], &device);
        let of = std::panic::AssertUnwindSafe(|| linear(maps, x, Precision::Fp32));
        std::panic::catch_unwind(of).is_ok()
    };
    assert!(computes(&[&four_to_three, &four_to_five]));
    for map in &unlike {
        assert!(!computes(&[map]), "{:?} alone", map.weight.dims());
        assert!(
            !computes(&[&four_to_three, map]),
            "{:?} beside another",
            map.weight.dims()
        );
    }
}
