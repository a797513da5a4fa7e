use super::*;

/// Padding and `<s>` have the greatest logits, which must not matter.
const LOGITS: [f32; 12] = [9.0, 0.5, 9.0, -1.0, 2.0, 2.5, -3.0, 1.0, 0.0, 1.5, 2.5, -0.5];

const DRAWS: usize = 100_000;

/// How often each token is drawn.
fn counts(sampling: &Sampling) -> Vec<usize> {
    let mut counts = vec![0; LOGITS.len()];
    for draw in 0..DRAWS {
        let (line, sample, position) = (draw / 100, draw / 10 % 10, draw % 10);
        let number = uniform(sampling.key(line as u64, 0), sample, position);
        counts[sampling.draw(&LOGITS, number) as usize] += 1;
    }
    counts
}

/// The probabilities that the draws should have: those of `tokens` and no others.
fn expected(tokens: &[usize], temperature: f64) -> Vec<f64> {
    let weight = |token: usize| match tokens.contains(&token) {
        true => (f64::from(LOGITS[token]) / temperature).exp(),
        false => 0.0,
    };
    let weights: Vec<f64> = (0..LOGITS.len()).map(weight).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / sum).collect()
}

/// Pearson's statistic. What cannot be drawn must not have been.
#[track_caller]
fn chi_square(counts: &[usize], probabilities: &[f64]) -> f64 {
    let draws = counts.iter().sum::<usize>() as f64;
    let term = |(&count, &probability): (&usize, &f64)| {
        if probability == 0.0 {
            assert_eq!(count, 0, "{counts:?}");
            return 0.0;
        }
        (count as f64 - draws * probability).powi(2) / (draws * probability)
    };
    counts.iter().zip(probabilities).map(term).sum()
}

/// The mean of the statistic with so many degrees of freedom, and five standard deviations.
fn most(freedom: f64) -> f64 {
    freedom + 5.0 * (2.0 * freedom).sqrt()
}

#[test]
fn tokens_are_drawn_as_often_as_they_are_probable() {
    let all = [1, 3, 4, 5, 6, 7, 8, 9, 10, 11];
    for (temperature, top_k, top_p, tokens) in [
        (1.0, 0, 1.0, &all[..]),
        (0.5, 0, 1.0, &all),
        (2.0, 0, 1.0, &all),
        (1.0, 100, 1.0, &all),
        (1.0, 3, 1.0, &[4, 5, 10]),
        // Of the two best, which are equal, the lower token.
        (1.0, 1, 1.0, &[5]),
        // The best five have 0.28, 0.28, 0.17, 0.10 and 0.06 of all.
        (1.0, 0, 0.5, &[5, 10]),
        (1.0, 0, 0.6, &[4, 5, 10]),
        (1.0, 0, 1e-9, &[5]),
        // Of the three best alone, the first two have three quarters.
        (1.0, 3, 0.7, &[5, 10]),
        (1.0, 3, 0.8, &[4, 5, 10]),
    ] {
        let sampling = Sampling {
            temperature,
            top_k,
            top_p,
            seed: 7,
            ..Sampling::default()
        };
        let found = chi_square(&counts(&sampling), &expected(tokens, temperature));
        let most = most(tokens.len() as f64 - 1.0);
        assert!(found <= most, "{sampling:?}: chi-square {found} above {most}");
    }
}

/// The nucleus of a vocabulary that is not sorted at once is the nucleus.
#[test]
fn a_wide_nucleus_is_the_fewest_best() {
    let logits: Vec<f32> = (0..2000u32).map(|token| (token * 7919 % 1999) as f32 / 400.0).collect();
    for top_p in [0.01, 0.3, 0.9, 0.999] {
        let sampling = Sampling {
            top_p,
            ..Sampling::default()
        };
        let found = sampling.candidates(&logits);
        let all = Sampling::default().candidates(&logits);
        let mut sorted = all.clone();
        sorted.sort_by(order);
        let tokens = |candidates: &[Candidate]| candidates.iter().map(|one| one.token).collect::<Vec<_>>();
        assert_eq!(tokens(&found), tokens(&sorted[..found.len()]));
        let share = |count: usize| total(&sorted[..count]) / total(&all);
        assert!(share(found.len()) >= top_p - 1e-9 && share(found.len() - 1) < top_p + 1e-9);
    }
}

#[test]
fn a_low_temperature_draws_the_best() {
    for temperature in [1e-3, 1e-30, 1e-300] {
        let sampling = Sampling {
            temperature,
            ..Sampling::default()
        };
        let mut logits = LOGITS;
        logits[10] += 0.1;
        for number in [1e-9, 0.5, 1.0 - f64::EPSILON / 2.0] {
            assert_eq!(sampling.draw(&logits, number), 10);
        }
    }
}

/// Numbers of neighbours in any of the counters are independent: their pairs fill a square evenly.
#[test]
fn neighbouring_draws_are_independent() {
    const SIDE: usize = 16;
    let number = |seed, line, part, sample, position| {
        let sampling = Sampling {
            seed,
            ..Sampling::default()
        };
        uniform(sampling.key(line, part), sample, position)
    };
    let grid = |neighbour: &dyn Fn(u64) -> f64| {
        let mut counts = vec![0; SIDE * SIDE];
        for line in 0..DRAWS as u64 {
            let [x, y] = [number(1, line, 0, 0, 0), neighbour(line)].map(|number| (number * SIDE as f64) as usize);
            counts[x * SIDE + y] += 1;
        }
        chi_square(&counts, &[1.0 / (SIDE * SIDE) as f64; SIDE * SIDE])
    };
    for found in [
        grid(&|line| number(2, line, 0, 0, 0)),
        grid(&|line| number(1, line + 1, 0, 0, 0)),
        grid(&|line| number(1, line, 1, 0, 0)),
        grid(&|line| number(1, line, 0, 1, 0)),
        grid(&|line| number(1, line, 0, 0, 1)),
    ] {
        assert!(found < most((SIDE * SIDE - 1) as f64), "chi-square {found}");
    }
}

#[test]
fn numbers_that_are_none_end_the_sentence() {
    assert_eq!(Sampling::default().draw(&[f32::NAN; 12], 0.5), EOS);
    assert_eq!(Sampling::default().draw(&[f32::NEG_INFINITY; 12], 0.5), EOS);
    let sampling = Sampling {
        top_k: 3,
        top_p: 0.5,
        ..Sampling::default()
    };
    assert_eq!(sampling.draw(&[f32::NAN; 12], 0.5), EOS);
}
