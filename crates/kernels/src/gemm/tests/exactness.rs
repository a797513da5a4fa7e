//! How far results in fp32 are from the exact ones.

use super::*;

/// One product each, so that nothing but its own digits counts: all 24 are multiplied, of large numbers and of small.
#[test]
fn products_keep_the_digits_of_fp32() {
    on_every_instruction_set(|| {
        let [m, n] = [61, 90];
        let scaled = |count, seed, power: i32| -> Vec<f32> {
            let scale = |(i, x): (usize, f32)| x * 2f32.powi((i % 61) as i32 * power - 30 * power);
            numbers(count, seed).into_iter().enumerate().map(scale).collect()
        };
        let (mut a, mut b) = (scaled(m, 1, 1), scaled(n, 2, -2));
        // Numbers about the greatest that four digits of eight bits write, and the greatest of their power of two.
        for factor in [&mut a, &mut b] {
            for (number, x) in factor.iter_mut().take(32).enumerate() {
                let sign = if number % 2 == 0 { 1.0 } else { -1.0 };
                *x = sign * f32::from_bits(0x3FFE_FEF8 + number as u32 / 2);
            }
            factor[32] = f32::from_bits(0x3FFF_FFFF);
            factor[33] = 0.0;
        }
        let mut result = vec![0.0; m * n];
        let right = Right::new(Matrix::new(&b, [1, n]), Precision::Fp32);
        Product {
            left: Matrix::new(&a, [m, 1]),
            right: &right,
            start: Start::Zero,
        }
        .to(&mut result)
        .write();
        for (place, found) in result.into_iter().enumerate() {
            let expected = f64::from(a[place / n]) * f64::from(b[place % n]);
            assert!(
                (f64::from(found) - expected).abs() <= 1.5e-7 * expected.abs(),
                "{}: {found:e} instead of {expected:e}",
                InstructionSet::detect()
            );
        }
    });
}

/// Of numbers of like size, and where a few are much greater than most, as among gradients.
#[test]
fn products_are_as_exact_as_those_of_a_plain_loop() {
    on_every_instruction_set(|| {
        let [m, n] = [45, 50];
        let spread = |count: usize, seed: usize, octaves: f32| -> Vec<f32> {
            let sizes = numbers(count, seed + 10)
                .into_iter()
                .map(|y| (-octaves * y.abs()).exp2());
            numbers(count, seed)
                .into_iter()
                .zip(sizes)
                .map(|(x, size)| x * size)
                .collect()
        };
        for (octaves, k) in [(0.0, 192), (0.0, 2048), (10.0, 192), (10.0, 2048)] {
            let (a, b) = (spread(m * k, 1, octaves), spread(k * n, 2, octaves));
            let result = multiplied(&a, &b, [m, k, n]);
            let [mut ours, mut plain] = [0.0_f64; 2];
            for (place, found) in result.into_iter().enumerate() {
                let factors = || (0..k).map(|i| (a[place / n * k + i], b[i * n + place % n]));
                let exact: f64 = factors().map(|(x, y)| f64::from(x) * f64::from(y)).sum();
                let sum = factors().fold(0.0, |sum, (x, y)| sum + x * y);
                ours += (f64::from(found) - exact).powi(2);
                plain += (f64::from(sum) - exact).powi(2);
            }
            let ratio = (ours / plain).sqrt();
            assert!(
                ratio <= 1.01,
                "{}, {octaves} octaves, sums of {k}: {ratio} times a plain loop's error",
                InstructionSet::detect()
            );
        }
    });
}
