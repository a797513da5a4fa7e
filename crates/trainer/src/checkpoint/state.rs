//! `state.json`: what a run must remember beside weights and optimizer, so that it goes on as if never stopped.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::by_metric::{Values, Yardsticks};
use super::{CheckpointError, During, Result};
use crate::config::Metric;
use crate::duration::Progress;
use crate::schedule::{Outcome, PlateauState};

/// Name of the file.
pub const STATE: &str = "state.json";

/// Version of the state's form; an older program refuses a newer one. Since 2 validations have all their values.
pub const VERSION: u32 = 2;

/// A validation's value and the update it was taken at.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scored {
    /// The update.
    pub update: u64,
    /// Value of the validation metric.
    pub score: f64,
    /// The values of all metrics; absent in version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Values>,
}

impl Scored {
    /// The same validation by another metric, where that can be told.
    fn by(&self, metric: Metric) -> Option<Self> {
        let score = (*self.values.as_ref()?.of(metric))?;
        Some(Self { score, ..*self })
    }
}

/// What became of a run's validations when it went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judging {
    /// They are measured as before.
    AsBefore,
    /// They are ranked by other values.
    Changed {
        /// How many of them cannot be compared any more.
        forgotten: usize,
    },
}

/// Where a run stands; `P` is the batcher's position.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State<P> {
    /// Version of this form.
    pub version: u32,
    /// Updates made, skipped ones included.
    pub update: u64,
    /// Epochs completed.
    pub epoch: u64,
    /// The next batch.
    pub position: P,
    /// Source tokens trained on.
    pub source_tokens: u64,
    /// Target tokens trained on.
    pub target_tokens: u64,
    /// Sentence pairs trained on.
    pub sentences: u64,
    /// Updates left out because loss or gradient was not finite.
    pub skipped: u64,
    /// How many of them in a row, up to now.
    pub skipped_in_a_row: u32,
    /// The metric that `best` and `kept` are measured in.
    pub metric: Metric,
    /// What they were measured by; absent in version 1.
    #[serde(default)]
    pub yardsticks: Option<Yardsticks>,
    /// The best validation so far.
    pub best: Option<Scored>,
    /// The best value of those that were due, which decides on patience and plateau: the last validation of a run that
    /// goes on later is no part of the run that never stopped.
    #[serde(default)]
    pub to_beat: Option<f64>,
    /// Validations in a row since then that were due.
    pub stalled: u32,
    /// What the `plateau` schedule remembers.
    pub plateau: PlateauState,
    /// A validation is due at this update and was cut short or not begun: it comes before the next update.
    #[serde(default)]
    pub validation_due: bool,
    /// Validated checkpoints that still exist, oldest first.
    pub validated: Vec<u64>,
    /// Those of them with a score in `metric`, oldest first.
    pub kept: Vec<Scored>,
}

impl<P> State<P> {
    /// The state before the first update.
    pub fn new(position: P, metric: Metric) -> Self {
        Self {
            version: VERSION,
            update: 0,
            epoch: 0,
            position,
            source_tokens: 0,
            target_tokens: 0,
            sentences: 0,
            skipped: 0,
            skipped_in_a_row: 0,
            metric,
            yardsticks: None,
            best: None,
            to_beat: None,
            stalled: 0,
            plateau: PlateauState::default(),
            validation_due: false,
            validated: vec![],
            kept: vec![],
        }
    }

    /// The counters that durations are measured in.
    pub fn progress(&self) -> Progress {
        Progress {
            updates: self.update,
            epochs: self.epoch,
            target_tokens: self.target_tokens,
        }
    }

    /// Whether the present update was validated.
    pub fn is_validated(&self) -> bool {
        self.validated.last() == Some(&self.update)
    }

    /// Takes note of a validation at the present update: the best, the checkpoint to be kept, and for one that was due
    /// patience. `None` for one that was not.
    pub fn validated(&mut self, values: Values) -> Option<Outcome> {
        let was_due = std::mem::take(&mut self.validation_due);
        self.kept.retain(|kept| kept.update != self.update);
        self.validated.retain(|update| *update != self.update);
        self.validated.push(self.update);
        let score = *values.of(self.metric);
        // The first finite value is the best so far, whatever it is.
        let beats =
            |best: Option<f64>| score.filter(|&score| best.is_none_or(|best| self.metric.is_better(score, best)));
        let (is_best, improved) = (beats(self.best.map(|best| best.score)).is_some(), beats(self.to_beat));
        if let Some(score) = score {
            let scored = Scored {
                update: self.update,
                score,
                values: Some(values),
            };
            self.kept.push(scored);
            if is_best {
                self.best = Some(scored);
            }
        }
        if !was_due {
            return None;
        }
        if improved.is_some() {
            self.to_beat = improved;
            self.stalled = 0;
            Some(Outcome::Improved)
        } else {
            self.stalled += 1;
            Some(Outcome::Stalled)
        }
    }

    /// Goes on with a metric and yardsticks that may be other ones. The validations are ranked by what of their values
    /// still means the same. Where the present update has no such value its validation is due again; the checkpoints of
    /// others without one stay until then.
    pub fn judge_by(&mut self, metric: Metric, yardsticks: Yardsticks) -> Judging {
        let old = self.yardsticks.replace(yardsticks.clone());
        let old = old.unwrap_or_else(|| yardsticks.clone());
        for scored in self.kept.iter_mut().chain(&mut self.best) {
            scored.values = scored.values.map(|values| values.comparable(&old, &yardsticks));
        }
        if self.metric == metric && old.of(metric) == yardsticks.of(metric) {
            return Judging::AsBefore;
        }
        self.metric = metric;
        let before = self.kept.len();
        self.kept = self.kept.iter().filter_map(|scored| scored.by(metric)).collect();
        self.best = self.ranking().first().copied();
        self.to_beat = self.best.map(|best| best.score);
        self.stalled = 0;
        self.plateau.stalled = 0;
        if self.is_validated() && self.kept.last().map(|kept| kept.update) != Some(self.update) {
            self.validated.pop();
            self.validation_due = true;
        }
        Judging::Changed {
            forgotten: before - self.kept.len(),
        }
    }

    /// Forgets validated checkpoints that are not among the existing ones. The best value stays what is to be beaten.
    pub fn forget_missing(&mut self, existing: &[u64]) {
        self.kept.retain(|kept| existing.contains(&kept.update));
        self.validated.retain(|update| existing.contains(update));
    }

    /// Chooses the validated checkpoints that stay: the best `keep_best`, the last `keep_last`, and always the best and
    /// the present one. Forgets the others.
    pub fn keep(&mut self, keep_best: usize, keep_last: usize) {
        let mut keep: BTreeSet<u64> = self.validated.iter().rev().take(keep_last).copied().collect();
        keep.extend(self.ranked().into_iter().take(keep_best));
        keep.extend(self.best.map(|best| best.update));
        keep.insert(self.update);
        self.kept.retain(|kept| keep.contains(&kept.update));
        self.validated.retain(|update| keep.contains(update));
    }

    /// The checkpoints that stay: validated ones, and the present one.
    pub fn stays(&self) -> BTreeSet<u64> {
        self.validated.iter().copied().chain([self.update]).collect()
    }

    /// The best checkpoint that there is: the best of all may have been pruned since, in a run that went back to an
    /// older state.
    pub fn best_there(&self) -> Option<u64> {
        let best = self.best.map(|best| best.update);
        best.filter(|best| self.validated.contains(best))
            .or_else(|| self.ranked().first().copied())
    }

    /// The updates of scored checkpoints, best first.
    pub fn ranked(&self) -> Vec<u64> {
        self.ranking().iter().map(|kept| kept.update).collect()
    }

    /// Best first. Of two equal ones the older is the better: nothing was gained since.
    fn ranking(&self) -> Vec<Scored> {
        let badness = |score: f64| if self.metric == Metric::Loss { score } else { -score };
        let mut ranking = self.kept.clone();
        ranking.sort_by(|a, b| {
            badness(a.score)
                .total_cmp(&badness(b.score))
                .then(a.update.cmp(&b.update))
        });
        ranking
    }
}

impl<P: Serialize + DeserializeOwned> State<P> {
    /// The content of `state.json`.
    pub fn to_json(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).expect("a state has a form in JSON");
        text.push(b'\n');
        text
    }

    /// Reads a checkpoint's `state.json`, one of an older version as the present one.
    ///
    /// # Errors
    /// A file that is missing, does not read, or is of a newer version.
    pub fn read(checkpoint: &Path) -> Result<Self> {
        let path = checkpoint.join(STATE);
        let text = fs::read(&path).during("read", &path)?;
        let damaged = |message: String| CheckpointError::Damaged {
            path: path.clone(),
            message,
            hint: "another version of the program may have written it; start over with --fresh".into(),
        };
        // Before the fields, which a newer version may have others of.
        let Version { version } = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        if !(1..=VERSION).contains(&version) {
            return Err(damaged(format!(
                "its form has version {version}, this program reads 1 to {VERSION}"
            )));
        }
        let mut state: Self = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        if version == 1 {
            state.to_beat = state.best.map(|best| best.score);
        }
        state.version = VERSION;
        Ok(state)
    }
}

/// What every version of the form has.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

#[cfg(test)]
mod tests;
