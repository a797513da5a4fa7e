//! The learning rate over all updates of a training, before there is one.

use serde::Serialize;

use crate::config::{Config, Schedule};
use crate::duration::{Duration, Unit};
use crate::schedule::PlateauState;

/// Points of the curve, beside its first and last one.
const POINTS: u64 = 400;

/// What the batches of a corpus are like on average.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Averages {
    /// Updates that go through the corpus once.
    pub updates_an_epoch: f64,
    /// Target tokens of an update.
    pub target_tokens: f64,
}

/// The learning rates of a training.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LearningRates {
    /// `training.stop_after`.
    pub stop_after: Duration,
    /// The updates that it comes to; absent where epochs are counted and the corpus is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updates: Option<u64>,
    /// Whether validations lower the rate as well, which nobody knows beforehand.
    pub depends_on_validation: bool,
    /// The highest rate.
    pub highest: Rate,
    /// That of the last update.
    pub last: Rate,
    /// The curve, by growing update.
    #[serde(skip)]
    pub curve: Vec<Rate>,
}

/// The learning rate of an update.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rate {
    /// From 1.
    pub update: u64,
    /// Its rate.
    pub learning_rate: f64,
}

impl LearningRates {
    /// Those of a config. Without `averages`, target tokens are turned into updates by `training.batch_tokens`; epochs
    /// cannot be, and the curve shows ten times the warm-up.
    pub fn new(config: &Config, averages: Option<Averages>) -> Self {
        let schedule = &config.training.schedule;
        let updates = updates(config, averages);
        let shown = updates.unwrap_or_else(|| warmup(schedule).max(100).saturating_mul(10));
        let at = |update| Rate {
            update,
            learning_rate: schedule.learning_rate(update, config.model.d_model, &PlateauState::default()),
        };
        let mut shown_updates: Vec<u64> = (0..=POINTS).map(|point| part(shown, point)).collect();
        // The corner of the curve is a point of it.
        shown_updates.push(warmup(schedule).clamp(1, shown));
        shown_updates.sort_unstable();
        shown_updates.dedup();
        let curve: Vec<Rate> = shown_updates.into_iter().map(at).collect();
        let highest = curve.iter().copied().reduce(|one, other| {
            if other.learning_rate > one.learning_rate {
                other
            } else {
                one
            }
        });
        Self {
            stop_after: config.training.stop_after,
            updates,
            depends_on_validation: matches!(schedule, Schedule::Plateau { .. }),
            highest: highest.unwrap_or_else(|| at(1)),
            last: at(shown),
            curve,
        }
    }
}

/// The update at `point` of [`POINTS`].
fn part(updates: u64, point: u64) -> u64 {
    let part = u128::from(updates) * u128::from(point) / u128::from(POINTS);
    at_least_one(part as u64)
}

fn at_least_one(update: u64) -> u64 {
    update.max(1)
}

fn updates(config: &Config, averages: Option<Averages>) -> Option<u64> {
    let stop_after = config.training.stop_after;
    let updates = match stop_after.unit {
        Unit::Updates => return Some(stop_after.value),
        Unit::Epochs => stop_after.value as f64 * averages?.updates_an_epoch,
        Unit::TargetTokens => {
            let tokens = averages.map_or(config.training.batch_tokens as f64, |averages| averages.target_tokens);
            stop_after.value as f64 / tokens
        }
    };
    Some(at_least_one(updates.ceil() as u64))
}

fn warmup(schedule: &Schedule) -> u64 {
    match *schedule {
        Schedule::Noam { warmup, .. }
        | Schedule::InverseSqrt { warmup, .. }
        | Schedule::Linear { warmup, .. }
        | Schedule::Cosine { warmup, .. }
        | Schedule::Constant { warmup, .. }
        | Schedule::Plateau { warmup, .. } => warmup,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn config(settings: &[&str]) -> Config {
        let text = "name = \"a\"\n[data]\nsource = \"en\"\ntarget = \"de\"\ntrain = \"train\"\nvalid = \"valid\"\n\
                    [tokenizer]\nkind = \"bpe\"\n[model]\nd_model = 64\nn_heads = 4\n\
                    [training]\nbatch_tokens = 1000\nstop_after = \"2000u\"\n\
                    schedule = { kind = \"linear\", peak = 1e-3, warmup = 333, decay = 2000 }\n";
        let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        Config::from_toml(text, Path::new("a.toml"), &settings).expect("a config")
    }

    #[test]
    fn the_curve_has_its_corner_and_its_ends() {
        let rates = LearningRates::new(&config(&[]), None);
        assert_eq!((rates.updates, rates.depends_on_validation), (Some(2000), false));
        assert_eq!((rates.highest.update, rates.highest.learning_rate), (333, 1e-3));
        assert_eq!(rates.curve[0].update, 1);
        assert_eq!(rates.curve.last(), Some(&rates.last));
        assert_eq!((rates.last.update, rates.last.learning_rate), (2000, 0.0));
        assert!(rates.curve.is_sorted_by(|one, other| one.update < other.update));
    }

    #[test]
    fn other_units_become_updates() {
        let averages = Averages {
            updates_an_epoch: 12.5,
            target_tokens: 800.0,
        };
        let updates = |stop_after: &str, averages| {
            let setting = format!("training.stop_after=\"{stop_after}\"");
            LearningRates::new(&config(&[&setting]), averages).updates
        };
        assert_eq!(updates("3e", Some(averages)), Some(38));
        assert_eq!(updates("3e", None), None);
        assert_eq!(updates("80kt", Some(averages)), Some(100));
        assert_eq!(updates("80kt", None), Some(80));
        let most = LearningRates::new(&config(&["training.stop_after=\"18446744073709551615u\""]), None);
        assert_eq!(most.last.update, u64::MAX);
    }

    #[test]
    fn a_plateau_depends_on_validation() {
        let plateau = "training.schedule={ kind = \"plateau\", peak = 0.1, warmup = 10 }";
        let rates = LearningRates::new(&config(&[plateau]), None);
        assert!(rates.depends_on_validation);
        assert_eq!(rates.last.learning_rate, 0.1);
    }
}
