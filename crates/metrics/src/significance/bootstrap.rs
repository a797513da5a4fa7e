//! Paired bootstrap resampling (Koehn 2004): how far would the scores lie apart on other test sets of the same kind?
//!
//! Each resample draws as many lines as there are, with replacement, and all systems are scored on it. The differences,
//! shifted so that their mean is zero, are those that chance makes between systems which are equally good.

use rayon::prelude::*;

use super::random::Pcg64;
use super::{Confidence, Interval, PairedTest, SystemResult, p_value};
use crate::real::{Real, exact_mean, mean};
use crate::{Metric, Rows};

/// Resamples whose lines are drawn before they are scored on all cores.
const BLOCK: usize = 64;

pub(super) fn run(test: &PairedTest, metric: &Metric, systems: &[Rows]) -> Vec<SystemResult> {
    let scores: Vec<f64> = systems.iter().map(|rows| metric.score(&rows.sum())).collect();
    let resampled = resample((test.samples, test.seed), metric, systems);
    let result = |system: usize| {
        let difference = (system > 0).then(|| (scores[0] - scores[system]).abs());
        let (baseline, own) = (&resampled[0], &resampled[system]);
        let (interval, p_value) = match metric.resamples_in_single_precision() {
            true => analyse(&single(baseline), &single(own), difference),
            false => analyse(baseline, own, difference),
        };
        SystemResult {
            score: scores[system],
            interval: Some(interval),
            p_value,
        }
    };
    (0..systems.len()).map(result).collect()
}

/// How sure the score of one system is.
pub(super) fn of_one(confidence: &Confidence, metric: &Metric, rows: &Rows) -> Interval {
    let draws = (confidence.samples, confidence.seed);
    let resampled = &resample(draws, metric, std::slice::from_ref(rows))[0];
    match metric.resamples_in_single_precision() {
        true => interval(&single(resampled), exact_mean),
        false => interval(resampled, exact_mean),
    }
}

/// Scores by system and resample.
fn resample((samples, seed): (usize, u64), metric: &Metric, systems: &[Rows]) -> Vec<Vec<f64>> {
    let lines = systems[0].len();
    let bound = u32::try_from(lines).expect("a text of less than four billion lines");
    let width = systems[0].width();
    let systems: Vec<Vec<f32>> = systems.iter().map(Rows::single).collect();
    let mut scores = vec![Vec::with_capacity(samples); systems.len()];
    let mut generator = Pcg64::new(seed);
    let mut drawn = Vec::new();
    for first in (0..samples).step_by(BLOCK) {
        let block = BLOCK.min(samples - first);
        drawn.clear();
        drawn.extend((0..block * lines).map(|_| generator.below(bound)));
        let score = |rows: &Vec<f32>, sample: &[u32]| {
            let mut sums = vec![0.0; width];
            for line in sample {
                let start = *line as usize * width;
                for (sum, value) in sums.iter_mut().zip(&rows[start..start + width]) {
                    *sum += value;
                }
            }
            metric.resampled_score(&sums)
        };
        for (rows, scores) in systems.iter().zip(&mut scores) {
            scores.par_extend(drawn.par_chunks(lines).map(|sample| score(rows, sample)));
        }
    }
    scores
}

fn single(scores: &[f64]) -> Vec<f32> {
    scores.iter().map(|score| *score as f32).collect()
}

/// The interval of a system, and its p value if it has a difference to the baseline.
fn analyse<R: Real>(baseline: &[R], system: &[R], difference: Option<f64>) -> (Interval, Option<f64>) {
    let p_value = difference.map(|difference| {
        let distance = |(one, other): (&R, &R)| R::of((*one - *other).double().abs());
        let distances: Vec<R> = system.iter().zip(baseline).map(distance).collect();
        let (centre, difference) = (mean(&distances), R::of(difference));
        let beyond = distances.iter().filter(|distance| **distance - centre > difference);
        p_value(beyond.count(), distances.len())
    });
    // NumPy takes the mean of the sorted numbers, and sums depend on the order.
    (interval(system, mean), p_value)
}

/// The mean, and half of what is left between the lowest and the highest fortieth.
fn interval<R: Real>(scores: &[R], mean: impl Fn(&[R]) -> R) -> Interval {
    let mut sorted = scores.to_vec();
    sorted.sort_by(|one, other| one.double().total_cmp(&other.double()));
    let cut = sorted.len() / 40;
    let (low, high) = (sorted[cut], sorted[sorted.len() - 1 - cut]);
    Interval {
        mean: mean(&sorted).double(),
        half_width: (R::of(0.5) * (high - low)).double(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_leaves_out_a_fortieth_on_either_side() {
        let scores: Vec<f64> = (0..80).rev().map(f64::from).collect();
        let expected = Interval {
            mean: 39.5,
            half_width: 0.5 * (77.0 - 2.0),
        };
        assert_eq!(interval(&scores, mean), expected);
        assert_eq!(interval(&[7.0f32], mean).half_width, 0.0);
    }

    #[test]
    fn differences_beyond_the_real_one_are_counted() {
        // Distances 0, 1, 2, 9; their mean is 3, so that one of four lies more than 5 above it.
        let (baseline, system) = ([1.0, 1.0, 1.0, 1.0], [1.0, 0.0, 3.0, 10.0]);
        assert_eq!(analyse(&baseline, &system, Some(5.0)).1, Some(2.0 / 5.0));
        assert_eq!(analyse(&baseline, &system, Some(6.0)).1, Some(1.0 / 5.0));
        assert_eq!(analyse(&baseline, &system, None).1, None);
    }
}
