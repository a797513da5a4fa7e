mod exactness;
mod small;

use super::*;
use crate::instructions::InstructionSet;
use crate::testing::{instruction_sets, numbers, pool};

fn on_every_instruction_set(check: impl Fn() + Sync) {
    for set in instruction_sets() {
        pool(2, set).install(&check);
    }
}

fn at(matrix: Matrix, row: usize, column: usize) -> f64 {
    f64::from(matrix.data[row * matrix.row_stride + column * matrix.column_stride])
}

/// `a b`, of `[m, k]` and `[k, n]`, in fp32.
fn multiplied(a: &[f32], b: &[f32], [m, k, n]: [usize; 3]) -> Vec<f32> {
    let mut result = vec![0.0; m * n];
    Product {
        left: Matrix::new(a, [m, k]),
        right: &Right::new(Matrix::new(b, [k, n]), Precision::Fp32),
        start: Start::Zero,
    }
    .to(&mut result)
    .write();
    result
}

/// Shapes that are multiples of nothing, of tiles, of the depth, and one; few rows, and one more than few; more columns
/// than are read for one strip of rows after the other; sums that tasks share.
const SHAPES: [[usize; 3]; 20] = [
    [1, 1, 1],
    [1, 32, 7],
    [12, 32, 256],
    [13, 33, 257],
    [5, 100, 3],
    [96, 64, 64],
    [97, 31, 255],
    [200, 300, 513],
    [24, 1000, 16],
    [7, 640, 640],
    [333, 16, 48],
    [64, 65, 15],
    [24, 96, 600],
    [25, 96, 600],
    [30, 200, 16],
    [200, 30, 16],
    [40, 50, 432],
    [26, 2100, 1],
    [45, 70, 1100],
    [70, 45, 2050],
];

/// Both factors, each as it is and transposed in memory.
fn check(precision: Precision, tolerance: f64) {
    for [m, n, k] in SHAPES {
        let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
        let bias = numbers(n, 3);
        let before = numbers(m * n, 4);
        for (a_turned, b_turned, prepared) in [
            (false, false, false),
            (true, false, true),
            (false, true, true),
            (true, true, false),
        ] {
            let left = if a_turned {
                Matrix::new(&a, [k, m]).t()
            } else {
                Matrix::new(&a, [m, k])
            };
            let matrix = if b_turned {
                Matrix::new(&b, [n, k]).t()
            } else {
                Matrix::new(&b, [k, n])
            };
            let right = if prepared {
                Right::prepared(matrix, precision)
            } else {
                Right::new(matrix, precision)
            };
            for start in [Start::Zero, Start::Result, Start::Bias(&bias)] {
                let mut result = before.clone();
                Product {
                    left,
                    right: &right,
                    start,
                }
                .to(&mut result)
                .write();
                for row in 0..m {
                    for column in 0..n {
                        let product: f64 = (0..k).map(|i| at(left, row, i) * at(matrix, i, column)).sum();
                        let expected = product
                            + match start {
                                Start::Zero => 0.0,
                                Start::Result => f64::from(before[row * n + column]),
                                Start::Bias(bias) => f64::from(bias[column]),
                            };
                        let found = f64::from(result[row * n + column]);
                        assert!(
                            (found - expected).abs() < tolerance * (k as f64).sqrt(),
                            "{}, {m}x{n}x{k} {a_turned} {b_turned} {start:?} {row},{column}: {found}, not {expected}",
                            InstructionSet::detect()
                        );
                    }
                }
            }
        }
    }
}

/// The last digit of a sum is worth up to 2e-6 where these sums reach 20.
#[test]
fn products_in_fp32() {
    on_every_instruction_set(|| check(Precision::Fp32, 2e-6));
}

/// Each operand is off by up to 2^-8 of itself, up or down.
#[test]
fn products_in_bf16() {
    on_every_instruction_set(|| check(Precision::Bf16, 4e-3));
}

/// Whole numbers up to 256 are bf16 numbers, so that nothing is rounded.
#[test]
fn bf16_products_of_small_whole_numbers_are_exact() {
    on_every_instruction_set(check_whole_numbers);
}

fn check_whole_numbers() {
    let whole = |count: usize, step: usize| (0..count).map(|i| ((i * step) % 31) as f32 - 15.0).collect::<Vec<_>>();
    let [m, n, k] = [29, 70, 301];
    let (a, b) = (whole(m * k, 7), whole(k * n, 11));
    let product = |precision| {
        let mut result = vec![0.0; m * n];
        let right = Right::new(Matrix::new(&b, [n, k]).t(), precision);
        Product {
            left: Matrix::new(&a, [m, k]),
            right: &right,
            start: Start::Zero,
        }
        .to(&mut result)
        .write();
        result
    };
    assert_eq!(product(Precision::Bf16), product(Precision::Fp32));
}

/// An update whose numbers have left their range is to be seen as such.
#[test]
fn what_is_not_finite_does_not_become_finite() {
    on_every_instruction_set(|| {
        let [m, n, k] = [40, 64, 300];
        let wrong = [
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::NAN,
            f32::from_bits(0x7F80_0001),
            f32::from_bits(0x7FFF_FFFF),
            f32::from_bits(0xFFFF_FFFF),
        ];
        for (wrong, precision) in wrong.iter().flat_map(|x| [(x, Precision::Fp32), (x, Precision::Bf16)]) {
            // In the first piece of `k` and in the last, of factors as they are and transposed in memory.
            for (place_of_a, place_of_b, is_turned) in [(47, 290, false), (290, 11, true)] {
                let (mut a, mut b) = (numbers(m * k, 1), numbers(k * n, 2));
                let (left, right) = if is_turned {
                    a[place_of_a * m + 33] = *wrong;
                    b[60 * k + place_of_b] = *wrong;
                    (Matrix::new(&a, [k, m]).t(), Matrix::new(&b, [n, k]).t())
                } else {
                    a[33 * k + place_of_a] = *wrong;
                    b[place_of_b * n + 60] = *wrong;
                    (Matrix::new(&a, [m, k]), Matrix::new(&b, [k, n]))
                };
                let mut result = vec![0.0; m * n];
                Product {
                    left,
                    right: &Right::new(right, precision),
                    start: Start::Zero,
                }
                .to(&mut result)
                .write();
                for (place, found) in result.into_iter().enumerate() {
                    assert!(
                        found.is_finite() == (place / n != 33 && place % n != 60),
                        "{}, {precision:?}, {:x}, {place}",
                        InstructionSet::detect(),
                        wrong.to_bits()
                    );
                }
            }
        }
    });
}

/// From nothing to nearly the greatest that there is.
#[test]
fn rows_of_any_size() {
    on_every_instruction_set(|| {
        let sizes = [0.0, 2.6e-32, 1e-30, 1.0, 1e30, 3.38e38];
        let [m, n, k] = [30, 40, 3];
        let a: Vec<f32> = (0..m)
            .flat_map(|row| [1.0, 0.3, -0.7].map(|x| x * sizes[row % sizes.len()]))
            .collect();
        let b: Vec<f32> = numbers(k * n, 2).into_iter().map(|x| x / 4.0).collect();
        let result = multiplied(&a, &b, [m, k, n]);
        for (place, found) in result.into_iter().enumerate() {
            let (row, column) = (place / n, place % n);
            let expected: f64 = (0..k)
                .map(|i| f64::from(a[row * k + i]) * f64::from(b[i * n + column]))
                .sum();
            assert!(
                (f64::from(found) - expected).abs() <= 3e-7 * f64::from(sizes[row % sizes.len()]),
                "{}: {found:e} instead of {expected:e}",
                InstructionSet::detect()
            );
        }
    });
}

/// A part of a larger result is written, of a left factor whose rows lie apart, and nothing beside it.
#[test]
fn what_stands_beside_a_result_stays() {
    on_every_instruction_set(|| {
        let shapes = [[45, 50, 70], [33, 31, 300], [64, 32, 40], [40, 50, 1100]];
        let starts = [Start::Zero, Start::Result];
        for ([m, n, k], start) in shapes.iter().flat_map(|shape| starts.map(|start| (*shape, start))) {
            let (a_row, row) = (k + 5, n + 7);
            let (a, b) = (numbers(m * a_row, 1), numbers(k * n, 2));
            let left = Matrix::strided(&a, [m, k], a_row);
            let matrix = Matrix::new(&b, [k, n]);
            let [mut result, mut on_all_threads] = [vec![7.0; m * row], vec![7.0; m * row]];
            let product = Product {
                left,
                right: &Right::prepared(matrix, Precision::Fp32),
                start,
            };
            product.to_rows(&mut result, row).write_here();
            let right = &Right::new(matrix, Precision::Fp32);
            Product { right, ..product }.to_rows(&mut on_all_threads, row).write();
            assert!(result == on_all_threads);
            for (place, found) in result.into_iter().enumerate() {
                let (row, column) = (place / row, place % row);
                let expected: f64 = match column < n {
                    true => (0..k).map(|i| at(left, row, i) * at(matrix, i, column)).sum(),
                    false => 0.0,
                };
                let is_kept = column >= n || matches!(start, Start::Result);
                let expected = expected + if is_kept { 7.0 } else { 0.0 };
                assert!(
                    (f64::from(found) - expected).abs() < 2e-6 * (k as f64).sqrt(),
                    "{}, {m}x{n}x{k} {start:?} at {row},{column}: {found} instead of {expected}",
                    InstructionSet::detect()
                );
            }
        }
    });
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    instruction_sets().into_iter().for_each(check_threads);
}

fn check_threads(set: InstructionSet) {
    // The right factor is copied by all threads together, then by each for itself, so is the left one; then tasks share
    // sums, but those of a result that is large.
    for [m, n, k] in [
        [301, 257, 700],
        [257, 301, 700],
        [130, 70, 2100],
        [70, 130, 4100],
        [33, 40, 1024],
        [40, 33, 1025],
        [530, 510, 2050],
    ] {
        let (a, b) = (numbers(m * k, 5), numbers(k * n, 6));
        for precision in [Precision::Fp32, Precision::Bf16] {
            let product = |threads| {
                pool(threads, set).install(|| {
                    let [mut result, mut sums] = [vec![0.0; m * n], vec![0.0; n]];
                    let right = Right::new(Matrix::new(&b, [k, n]), precision);
                    Product {
                        left: Matrix::new(&a, [k, m]).t(),
                        right: &right,
                        start: Start::Zero,
                    }
                    .to(&mut result)
                    .summing(&mut sums)
                    .write();
                    (result, sums, column_sums(Matrix::new(&a, [k, m])))
                })
            };
            let one = product(1);
            assert!(
                [2, 3, 16].into_iter().all(|threads| one == product(threads)),
                "{m}x{n}x{k}, {set}"
            );
        }
    }
}

/// Each result is what it is by itself, whatever is done beside it and by however many threads.
#[test]
fn products_beside_each_other() {
    for set in instruction_sets() {
        for threads in [1, 2, 3] {
            pool(threads, set).install(check_beside);
        }
    }
}

/// The gradients of a map: of its weight and bias, and of what it reads, which is changed when it is complete.
fn check_beside() {
    for [rows, width, made] in [[300, 64, 50], [2100, 32, 96], [5, 40, 7], [2049, 10, 1], [3, 0, 5]] {
        let (x, dy, w) = (
            numbers(rows * width, 1),
            numbers(rows * made, 2),
            numbers(width * made, 3),
        );
        for precision in [Precision::Fp32, Precision::Bf16] {
            let right = Right::new(Matrix::new(&dy, [rows, made]), precision);
            let of_weight = Product {
                left: Matrix::new(&x, [rows, width]).t(),
                right: &right,
                start: Start::Result,
            };
            let weight = Right::new(Matrix::new(&w, [width, made]).t(), precision);
            let of_x = Product {
                left: Matrix::new(&dy, [rows, made]),
                right: &weight,
                start: Start::Zero,
            };
            let then = |_: usize, rows: &mut [f32]| rows.iter_mut().for_each(|x| *x = x.max(0.25));
            let buffers = || (vec![0.5; width * made], vec![0.5; made], vec![0.5; rows * width]);
            let (mut dw, mut db, mut dx) = buffers();
            of_weight.to(&mut dw).summing(&mut db).write();
            of_x.to(&mut dx).then(Some(&then)).write();
            let apart = (dw, db, dx);
            let (mut dw, mut db, mut dx) = buffers();
            write_all([
                of_weight.to(&mut dw).summing(&mut db),
                of_x.to(&mut dx).then(Some(&then)),
            ]);
            assert!(
                apart == (dw, db, dx),
                "{rows}x{width}x{made}, {precision:?}, {}",
                InstructionSet::detect()
            );
        }
    }
}

/// Columns are summed in any shape, of rows that lie apart as well, and the product is what it is without them.
#[test]
fn sums_come_with_the_product() {
    on_every_instruction_set(check_sums);
}

fn check_sums() {
    for [m, n, k] in SHAPES {
        let row = n + 3;
        let (a, b) = (numbers(m * k, 1), numbers(k * row, 2));
        for precision in [Precision::Fp32, Precision::Bf16] {
            let matrix = Matrix::strided(&b, [k, n], row);
            let right = Right::new(matrix, precision);
            let product = Product {
                left: Matrix::new(&a, [k, m]).t(),
                right: &right,
                start: Start::Zero,
            };
            let [mut expected, mut result] = [vec![0.0; m * n], vec![0.0; m * n]];
            let mut sums = vec![7.0; n];
            product.to(&mut expected).write();
            product.to(&mut result).summing(&mut sums).write();
            assert!(result == expected, "{m}x{n}x{k}, {}", InstructionSet::detect());
            let apart = column_sums(matrix);
            for column in 0..n {
                let expected: f64 = (0..k).map(|i| at(matrix, i, column)).sum();
                for found in [sums[column], apart[column]] {
                    assert!(
                        (f64::from(found) - expected).abs() < 2e-6 * (k as f64).sqrt(),
                        "{m}x{n}x{k}, column {column}: {found} instead of {expected}"
                    );
                }
            }
        }
    }
}

/// What machines without AVX-512 run.
#[test]
fn the_portable_product_agrees_and_does_not_depend_on_threads() {
    let [m, n, k] = [301, 257, 700];
    let (a, b) = (numbers(m * k, 5), numbers(k * n, 6));
    let bias = numbers(n, 7);
    for start in [Start::Zero, Start::Result, Start::Bias(&bias)] {
        let right = Right::new(Matrix::new(&b, [n, k]).t(), Precision::Fp32);
        let product = Product {
            left: Matrix::new(&a, [k, m]).t(),
            right: &right,
            start,
        };
        let mut expected = vec![0.5; m * n];
        product.to(&mut expected).write();
        let found = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut result = vec![0.5; m * n];
                portable(&product, &mut result, n, true);
                result
            })
        };
        let one = found(1);
        assert!(
            one.iter()
                .zip(&expected)
                .all(|(one, expected)| (one - expected).abs() < 1e-4)
        );
        assert!(one == found(3), "the bits depend on the number of threads");
    }
}

#[test]
fn sums_come_without_rows_as_well() {
    let (x, dy) = (numbers(0, 1), numbers(3 * 5, 2));
    let right = Right::new(Matrix::new(&dy, [3, 5]), Precision::Fp32);
    let mut sums = vec![7.0; 5];
    Product {
        left: Matrix::new(&x, [3, 0]).t(),
        right: &right,
        start: Start::Zero,
    }
    .to(&mut [])
    .summing(&mut sums)
    .write();
    assert_eq!(sums, column_sums(Matrix::new(&dy, [3, 5])));
    let none = Right::new(Matrix::new(&[], [3, 0]), Precision::Fp32);
    let left = Matrix::new(&dy, [5, 3]);
    let start = Start::Zero;
    Product {
        left,
        right: &none,
        start,
    }
    .to(&mut [])
    .summing(&mut [])
    .write();
}

/// Every row is changed once, whoever made it, and told its place.
#[test]
fn results_are_changed_when_they_are_complete() {
    on_every_instruction_set(check_changes);
}

fn check_changes() {
    for [m, n, k] in SHAPES.into_iter().chain([[500, 90, 40], [90, 500, 40]]) {
        let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
        let right = Right::new(Matrix::new(&b, [k, n]), Precision::Fp32);
        let product = Product {
            left: Matrix::new(&a, [m, k]),
            right: &right,
            start: Start::Zero,
        };
        let changed = |place: usize, x: f32| 2.0 * x + place as f32;
        let mut expected = vec![0.0; m * n];
        product.to(&mut expected).write();
        for (place, x) in expected.iter_mut().enumerate() {
            *x = changed(place, *x);
        }
        let mut result = vec![0.0; m * n];
        let then = |first: usize, rows: &mut [f32]| {
            assert!(first.is_multiple_of(n) && rows.len().is_multiple_of(n), "whole rows");
            for (offset, x) in rows.iter_mut().enumerate() {
                *x = changed(first + offset, *x);
            }
        };
        product.to(&mut result).then(Some(&then)).write();
        assert!(result == expected, "{m}x{n}x{k}, {}", InstructionSet::detect());
    }
}
