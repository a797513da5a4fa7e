//! Schedules: the learning rate as a pure function of the update.
//!
//! `u` is the update, counted from 1, `w` the warm-up in updates, `p` the peak. All but `noam` rise linearly to the peak
//! over the warm-up, `p u / w`, and then go their own way.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// The `training.schedule` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// `factor d_model^-0.5 min(u^-0.5, u w^-1.5)` (Vaswani et al. 2017, eq. 3).
    Noam {
        /// Updates until the highest rate.
        #[serde(default = "default_warmup")]
        warmup: u64,
        /// Multiplies the rate of the paper.
        #[serde(default = "default_factor")]
        factor: f64,
    },
    /// `p sqrt(w / u)` behind the warm-up: the curve of `noam`, its height given instead of derived (fairseq).
    InverseSqrt {
        /// Highest rate.
        peak: f64,
        /// Updates until the highest rate.
        warmup: u64,
    },
    /// A straight line from the peak, at the end of the warm-up, to `end`, at update `decay`; `end` from there on.
    Linear {
        /// Highest rate.
        peak: f64,
        /// Updates until the highest rate.
        warmup: u64,
        /// The update at which the rate has come down to `end`.
        decay: u64,
        /// Last rate.
        #[serde(default)]
        end: f64,
    },
    /// `end + (p - end) (1 + cos(pi t)) / 2` with t from 0, at the end of the warm-up, to 1, at update `decay`
    /// (Loshchilov and Hutter 2017, eq. 5, without restarts).
    Cosine {
        /// Highest rate.
        peak: f64,
        /// Updates until the highest rate.
        warmup: u64,
        /// The update at which the rate has come down to `end`.
        decay: u64,
        /// Last rate.
        #[serde(default)]
        end: f64,
    },
    /// The peak, always.
    Constant {
        /// The rate.
        peak: f64,
        /// Updates until the rate is reached.
        #[serde(default)]
        warmup: u64,
    },
    /// The peak, times `factor` whenever `patience` validations in a row were not the best so far.
    Plateau {
        /// Highest rate.
        peak: f64,
        /// Updates until the highest rate.
        #[serde(default)]
        warmup: u64,
        /// Multiplies the rate at every reduction.
        #[serde(default = "default_plateau_factor")]
        factor: f64,
        /// Validations without improvement before a reduction.
        #[serde(default = "default_plateau_patience")]
        patience: u32,
        /// The rate never falls below this.
        #[serde(default)]
        minimum: f64,
    },
}

impl Default for Schedule {
    /// The schedule of the paper.
    fn default() -> Self {
        Schedule::Noam {
            warmup: default_warmup(),
            factor: default_factor(),
        }
    }
}

fn default_warmup() -> u64 {
    4000
}

fn default_factor() -> f64 {
    1.0
}

fn default_plateau_factor() -> f64 {
    0.5
}

fn default_plateau_patience() -> u32 {
    2
}

/// What `plateau` remembers; part of every checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlateauState {
    /// Validations in a row that were not the best so far, counted anew after a reduction.
    pub stalled: u32,
    /// How often the rate was reduced.
    pub reductions: u32,
}

/// How a validation went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is the best so far.
    Improved,
    /// It is not.
    Stalled,
}

impl Schedule {
    /// The learning rate of update `update`, which counts from 1.
    pub fn learning_rate(&self, update: u64, d_model: usize, state: &PlateauState) -> f64 {
        let u = update.max(1) as f64;
        match *self {
            Schedule::Noam { warmup, factor } => {
                let w = warmup as f64;
                factor * (d_model as f64).powf(-0.5) * u.powf(-0.5).min(u * w.powf(-1.5))
            }
            Schedule::InverseSqrt { peak, warmup } => warm(peak, u, warmup, |peak| peak * (warmup as f64 / u).sqrt()),
            Schedule::Linear {
                peak,
                warmup,
                decay,
                end,
            } => warm(peak, u, warmup, |peak| {
                end + (peak - end) * (1.0 - progress(u, warmup, decay))
            }),
            Schedule::Cosine {
                peak,
                warmup,
                decay,
                end,
            } => warm(peak, u, warmup, |peak| {
                end + (peak - end) * (1.0 + (PI * progress(u, warmup, decay)).cos()) / 2.0
            }),
            Schedule::Constant { peak, warmup } => warm(peak, u, warmup, |peak| peak),
            Schedule::Plateau {
                peak,
                warmup,
                factor,
                minimum,
                ..
            } => {
                let reduced = peak * factor.powf(f64::from(state.reductions));
                warm(reduced.max(minimum), u, warmup, |peak| peak)
            }
        }
    }

    /// Tells `plateau` how a validation went; the other schedules do not listen.
    pub fn after_validation(&self, outcome: Outcome, state: &mut PlateauState) {
        let Schedule::Plateau { patience, .. } = self else {
            return;
        };
        match outcome {
            Outcome::Improved => state.stalled = 0,
            Outcome::Stalled => state.stalled += 1,
        }
        if state.stalled >= *patience {
            state.stalled = 0;
            state.reductions += 1;
        }
    }
}

/// The linear warm-up `p u / w`, then `after`.
fn warm(peak: f64, u: f64, warmup: u64, after: impl Fn(f64) -> f64) -> f64 {
    let w = warmup as f64;
    if u < w { peak * u / w } else { after(peak) }
}

/// Where `u` stands between the end of the warm-up, 0, and the end of the decay, 1.
fn progress(u: f64, warmup: u64, decay: u64) -> f64 {
    let length = decay.saturating_sub(warmup).max(1) as f64;
    ((u - warmup as f64) / length).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(schedule: &Schedule, update: u64) -> f64 {
        schedule.learning_rate(update, 512, &PlateauState::default())
    }

    #[track_caller]
    fn close(value: f64, expected: f64) {
        assert!(
            (value - expected).abs() <= 1e-12 + expected.abs() * 1e-9,
            "{value} is not {expected}"
        );
    }

    #[test]
    fn noam_is_equation_3() {
        let schedule = Schedule::default();
        // 512^-0.5 = 0.04419417382; 4000^-1.5 = 3.952847075e-6; 4000^-0.5 = 0.01581138830; 16000^-0.5 = 0.00790569415.
        close(rate(&schedule, 1), 1.746_928_107_421_71e-7);
        close(rate(&schedule, 4000), 6.987_712_429_686_843e-4);
        close(rate(&schedule, 16000), 3.493_856_214_843_421_4e-4);
        let doubled = Schedule::Noam {
            warmup: 4000,
            factor: 2.0,
        };
        close(rate(&doubled, 16000), 6.987_712_429_686_843e-4);
    }

    #[test]
    fn inverse_sqrt_peaks_at_the_warm_up() {
        let schedule = Schedule::InverseSqrt {
            peak: 5e-3,
            warmup: 2000,
        };
        close(rate(&schedule, 1), 2.5e-6);
        close(rate(&schedule, 1000), 2.5e-3);
        close(rate(&schedule, 2000), 5e-3);
        close(rate(&schedule, 8000), 2.5e-3);
    }

    #[test]
    fn linear_comes_down_in_a_line() {
        let schedule = Schedule::Linear {
            peak: 1.0,
            warmup: 100,
            decay: 1100,
            end: 0.2,
        };
        close(rate(&schedule, 50), 0.5);
        close(rate(&schedule, 100), 1.0);
        close(rate(&schedule, 600), 0.6);
        close(rate(&schedule, 1100), 0.2);
        close(rate(&schedule, 5000), 0.2);
    }

    #[test]
    fn cosine_comes_down_in_half_a_wave() {
        let schedule = Schedule::Cosine {
            peak: 1.0,
            warmup: 0,
            decay: 300,
            end: 0.0,
        };
        close(rate(&schedule, 100), 0.75);
        close(rate(&schedule, 150), 0.5);
        close(rate(&schedule, 200), 0.25);
        close(rate(&schedule, 301), 0.0);
    }

    #[test]
    fn constant_stays() {
        let schedule = Schedule::Constant { peak: 3e-4, warmup: 0 };
        close(rate(&schedule, 1), 3e-4);
        close(rate(&schedule, 1_000_000), 3e-4);
        close(rate(&Schedule::Constant { peak: 3e-4, warmup: 10 }, 5), 1.5e-4);
    }

    #[test]
    fn plateau_halves_after_its_patience_and_stops_at_the_minimum() {
        let schedule = Schedule::Plateau {
            peak: 0.8,
            warmup: 2,
            factor: 0.5,
            patience: 2,
            minimum: 0.15,
        };
        let mut state = PlateauState::default();
        let mut rates = vec![];
        for outcome in [
            Outcome::Improved,
            Outcome::Stalled,
            Outcome::Stalled,
            Outcome::Stalled,
            Outcome::Improved,
        ] {
            schedule.after_validation(outcome, &mut state);
            rates.push(schedule.learning_rate(10, 512, &state));
        }
        assert_eq!(rates, [0.8, 0.8, 0.4, 0.4, 0.4]);
        for _ in 0..6 {
            schedule.after_validation(Outcome::Stalled, &mut state);
        }
        close(schedule.learning_rate(10, 512, &state), 0.15);
        close(schedule.learning_rate(1, 512, &state), 0.075);
    }

    #[test]
    fn the_other_schedules_ignore_validations() {
        let mut state = PlateauState::default();
        for _ in 0..5 {
            Schedule::default().after_validation(Outcome::Stalled, &mut state);
        }
        assert_eq!(state, PlateauState::default());
    }
}
