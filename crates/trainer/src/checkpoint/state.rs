//! `state.json`: what a run must remember beside weights and optimizer, so that it goes on as if never stopped.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{CheckpointError, During, Result};
use crate::config::Metric;
use crate::duration::Progress;
use crate::schedule::{Outcome, PlateauState};

/// Name of the file.
pub const STATE: &str = "state.json";

/// Version of the state's form.
pub const VERSION: u32 = 1;

/// A validation's value and the update it was taken at.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scored {
    /// The update.
    pub update: u64,
    /// Value of the validation metric.
    pub score: f64,
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
    /// The best validation so far.
    pub best: Option<Scored>,
    /// Validations in a row since then.
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
            best: None,
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

    /// Takes note of a validation at the present update: best, patience, and the checkpoint to be kept.
    pub fn validated(&mut self, score: f64) -> Outcome {
        self.validation_due = false;
        let scored = Scored {
            update: self.update,
            score,
        };
        self.kept.retain(|kept| kept.update != self.update);
        self.validated.retain(|update| *update != self.update);
        self.validated.push(self.update);
        if score.is_finite() {
            self.kept.push(scored);
        }
        // The first finite value is the best so far, whatever it is.
        if score.is_finite() && self.best.is_none_or(|best| self.metric.is_better(score, best.score)) {
            self.best = Some(scored);
            self.stalled = 0;
            Outcome::Improved
        } else {
            self.stalled += 1;
            Outcome::Stalled
        }
    }

    /// Goes on with another metric: what was measured in the old one says nothing in the new one.
    pub fn change_metric(&mut self, metric: Metric) {
        if self.metric != metric {
            self.metric = metric;
            self.best = None;
            self.stalled = 0;
            self.plateau.stalled = 0;
            self.kept.clear();
        }
    }

    /// Which validated checkpoints stay: the best `keep_best`, the last `keep_last`, and always the best and the present
    /// one. Forgets the others.
    pub fn keep(&mut self, keep_best: usize, keep_last: usize) -> BTreeSet<u64> {
        let mut keep: BTreeSet<u64> = self.validated.iter().rev().take(keep_last).copied().collect();
        keep.extend(self.ranked().into_iter().take(keep_best));
        keep.extend(self.best.map(|best| best.update));
        keep.insert(self.update);
        self.kept.retain(|kept| keep.contains(&kept.update));
        self.validated.retain(|update| keep.contains(update));
        keep
    }

    /// The scored checkpoints, best first. Of two equal ones the older is the better: nothing was gained since.
    pub fn ranked(&self) -> Vec<u64> {
        let badness = |score: f64| if self.metric == Metric::Loss { score } else { -score };
        let mut ranked = self.kept.clone();
        ranked.sort_by(|a, b| {
            badness(a.score)
                .total_cmp(&badness(b.score))
                .then(a.update.cmp(&b.update))
        });
        ranked.iter().map(|kept| kept.update).collect()
    }
}

impl<P: Serialize + DeserializeOwned> State<P> {
    /// The content of `state.json`.
    pub fn to_json(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).expect("a state has a form in JSON");
        text.push(b'\n');
        text
    }

    /// Reads a checkpoint's `state.json`.
    ///
    /// # Errors
    /// A file that is missing or does not read.
    pub fn read(checkpoint: &Path) -> Result<Self> {
        let path = checkpoint.join(STATE);
        let text = fs::read(&path).during("read", &path)?;
        serde_json::from_slice(&text).map_err(|error| CheckpointError::Damaged {
            path,
            message: error.to_string(),
            hint: "another version of the program may have written it; start over with --fresh".into(),
        })
    }
}
