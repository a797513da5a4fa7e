//! Small products on one thread.

use super::*;

/// Parts of larger matrices, each factor as it is and turned: one number, rows and columns about those of tiles, depths
/// about those that are turned at once, and the shapes of attention.
#[test]
fn small_products_with_strides() {
    on_every_instruction_set(|| {
        for [m, n, k] in [
            [1, 1, 1],
            [5, 9, 6],
            [7, 70, 48],
            [8, 48, 16],
            [9, 49, 17],
            [12, 32, 64],
            [13, 33, 65],
            [16, 64, 16],
            [23, 17, 48],
            [25, 15, 130],
            [31, 97, 31],
        ] {
            for (a_turned, b_turned) in [(false, false), (true, false), (false, true), (true, true)] {
                check_small([m, n, k], a_turned, b_turned);
            }
        }
    });
}

fn check_small([m, n, k]: [usize; 3], a_turned: bool, b_turned: bool) {
    let (beside, before) = (7, 2);
    let [a_shape, b_shape] = [
        if a_turned { [k, m] } else { [m, k] },
        if b_turned { [n, k] } else { [k, n] },
    ];
    // Nothing stands behind the last number of a factor.
    let part = |[rows, columns]: [usize; 2], seed| numbers((rows - 1) * (columns + beside) + before + columns, seed);
    let (a, b) = (part(a_shape, 7), part(b_shape, 8));
    let left = Matrix::strided(&a[before..], a_shape, a_shape[1] + beside);
    let right = Matrix::strided(&b[before..], b_shape, b_shape[1] + beside);
    let left = if a_turned { left.t() } else { left };
    let right = if b_turned { right.t() } else { right };
    let row_stride = n + 2;
    let mut result = vec![7.0; m * row_stride];
    multiply_small(left, right, 0.5, &mut result, row_stride);
    for row in 0..m {
        for column in 0..n {
            let expected: f64 = (0..k).map(|i| at(left, row, i) * at(right, i, column)).sum();
            let found = f64::from(result[row * row_stride + column]);
            assert!(
                (found - 0.5 * expected).abs() < 4e-7 * (k as f64).sqrt(),
                "{}, {m}x{n}x{k} {a_turned} {b_turned} {row},{column}: {found}, not {}",
                InstructionSet::detect(),
                0.5 * expected
            );
        }
        assert_eq!(result[row * row_stride + n..][..2], [7.0, 7.0], "beyond the result");
    }
}

#[test]
fn small_products_of_nothing() {
    let mut result = vec![7.0; 6];
    let [rows, columns] = [Matrix::new(&[], [2, 0]), Matrix::new(&[], [0, 3])];
    multiply_small(rows, columns, 1.0, &mut result, 3);
    assert_eq!(result, [0.0; 6], "sums of no numbers");
    multiply_small(columns, Matrix::new(&[1.0; 6], [3, 2]), 1.0, &mut [], 2);
}
