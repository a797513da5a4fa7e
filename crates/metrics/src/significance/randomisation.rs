//! Paired approximate randomisation (Riezler and Maxwell 2005): if two systems were equally good, it would not matter
//! which of them translated a line.
//!
//! In each trial the two translations of every line change places or do not, by a coin. What is counted are trials whose
//! two mixed systems lie further apart than the real ones.

use rayon::prelude::*;

use super::random::Coins;
use super::{PairedTest, SystemResult, p_value};
use crate::rows::add;
use crate::{Metric, Rows};

/// Trials whose coins are tossed before they are scored on all cores.
const BLOCK: usize = 64;

pub(super) fn run(test: &PairedTest, metric: &Metric, systems: &[Rows]) -> Vec<SystemResult> {
    let scores: Vec<f64> = systems.iter().map(|rows| metric.score(&rows.sum())).collect();
    let result = |system: usize| SystemResult {
        score: scores[system],
        interval: None,
        p_value: (system > 0).then(|| {
            let difference = (scores[0] - scores[system]).abs();
            let beyond = count_beyond(test, metric, [&systems[0], &systems[system]], difference);
            p_value(beyond, test.samples)
        }),
    };
    (0..systems.len()).map(result).collect()
}

/// Trials whose mixed systems differ by more than the real ones.
fn count_beyond(test: &PairedTest, metric: &Metric, [one, other]: [&Rows; 2], difference: f64) -> usize {
    let mixtures = Mixtures::new(one, other);
    let mut coins = Coins::new(test.seed);
    let mut tossed = Vec::new();
    let mut beyond = 0;
    for first in (0..test.samples).step_by(BLOCK) {
        let trials = BLOCK.min(test.samples - first);
        tossed.clear();
        tossed.extend((0..trials * one.len()).map(|_| coins.toss()));
        let is_beyond = |coins: &&[bool]| {
            let [mixed, rest] = mixtures.of(coins);
            (metric.score(&mixed) - metric.score(&rest)).abs() > difference
        };
        beyond += tossed.par_chunks(one.len()).filter(is_beyond).count();
    }
    beyond
}

/// What two systems have together, and what changes when a line changes places.
struct Mixtures {
    /// The sums of the second system.
    second: Vec<f64>,
    /// The sums of both.
    both: Vec<f64>,
    /// The lines that differ, and what the first system has more than the second in them.
    changes: Vec<(usize, Vec<f64>)>,
}

impl Mixtures {
    fn new(first: &Rows, second: &Rows) -> Self {
        let mut both = first.sum();
        add(&mut both, &second.sum());
        let pairs = first.iter().zip(second.iter()).enumerate();
        let change = |(line, (one, other)): (usize, (&[f64], &[f64]))| {
            let more: Vec<f64> = one.iter().zip(other).map(|(one, other)| one - other).collect();
            more.iter().any(|value| *value != 0.0).then_some((line, more))
        };
        Self {
            second: second.sum(),
            both,
            changes: pairs.filter_map(change).collect(),
        }
    }

    /// The sums of the system that takes the first one's lines where the coin says so, and of the one with the rest.
    fn of(&self, coins: &[bool]) -> [Vec<f64>; 2] {
        let mut mixed = self.second.clone();
        for (line, more) in &self.changes {
            if coins[*line] {
                add(&mut mixed, more);
            }
        }
        let rest = self.both.iter().zip(&mixed).map(|(both, mixed)| both - mixed).collect();
        [mixed, rest]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_change_places() {
        let first = Rows::new(2, [vec![1.0, 5.0], vec![2.0, 6.0], vec![3.0, 7.0]]);
        let second = Rows::new(2, [vec![10.0, 5.0], vec![2.0, 6.0], vec![30.0, 8.0]]);
        let mixtures = Mixtures::new(&first, &second);
        assert_eq!(mixtures.changes.len(), 2, "the second line is the same");
        assert_eq!(mixtures.of(&[true; 3]), [first.sum(), second.sum()]);
        assert_eq!(mixtures.of(&[false; 3]), [second.sum(), first.sum()]);
        assert_eq!(mixtures.of(&[true, false, false]), [vec![33.0, 19.0], vec![15.0, 18.0]]);
    }
}
