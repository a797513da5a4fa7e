//! Sums over updates: for the lines of the log, and for where the time of a run went.

use std::time::Instant;

use crate::journal::UpdateRecord;

/// The updates since the last line of the log.
pub(super) struct Interval {
    started: Instant,
    last: Option<UpdateRecord>,
    loss: f64,
    nll: f64,
    /// With R-Drop.
    kl: Option<f64>,
    sentences: u64,
    source_tokens: u64,
    target_tokens: u64,
    /// Target tokens that the losses are summed over.
    counted_tokens: u64,
}

impl Interval {
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
            last: None,
            loss: 0.0,
            nll: 0.0,
            kl: None,
            sentences: 0,
            source_tokens: 0,
            target_tokens: 0,
            counted_tokens: 0,
        }
    }

    pub fn add(&mut self, record: &UpdateRecord) {
        // A skipped update would make every sum of its interval no number.
        if record.loss.is_finite() {
            self.loss += record.loss * record.target_tokens as f64;
            self.nll += record.nll * record.target_tokens as f64;
            if let Some(kl) = record.kl {
                *self.kl.get_or_insert(0.0) += kl * record.target_tokens as f64;
            }
            self.counted_tokens += record.target_tokens;
        }
        self.sentences += record.sentences;
        self.source_tokens += record.source_tokens;
        self.target_tokens += record.target_tokens;
        self.last = Some(record.clone());
    }

    pub fn target_tokens_per_second(&self) -> f64 {
        self.target_tokens as f64 / self.started.elapsed().as_secs_f64().max(1e-9)
    }

    /// The last update with means and sums of all; `None` without an update.
    pub fn summary(&self) -> Option<UpdateRecord> {
        let last = self.last.clone()?;
        let tokens = self.counted_tokens as f64;
        let (loss, nll) = (self.loss / tokens, self.nll / tokens);
        Some(UpdateRecord {
            loss,
            nll,
            perplexity: nll.exp(),
            smoothed_perplexity: loss.exp(),
            kl: self.kl.map(|kl| kl / tokens),
            sentences: self.sentences,
            source_tokens: self.source_tokens,
            target_tokens: self.target_tokens,
            seconds: self.started.elapsed().as_secs_f64(),
            target_tokens_per_second: self.target_tokens_per_second(),
            ..last
        })
    }
}

/// Seconds by what they were spent on.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct TimeShares {
    /// Waiting for batches.
    pub data: f64,
    /// Forward, backward, optimizer.
    pub updates: f64,
    /// Loss and translation of the validation text.
    pub validations: f64,
    /// Writing checkpoints.
    pub checkpoints: f64,
}

impl TimeShares {
    pub fn describe(&self, total: f64) -> String {
        let share = |seconds: f64| 100.0 * seconds / total.max(1e-9);
        format!(
            "{total:.0} s: {:.1} % updates, {:.1} % waiting for batches, {:.1} % validation, {:.1} % checkpoints",
            share(self.updates),
            share(self.data),
            share(self.validations),
            share(self.checkpoints)
        )
    }

    /// What [`TimeShares::describe`] wrote: the total and the shares of it, in seconds.
    pub fn read(text: &str) -> Option<(f64, Self)> {
        let (total, text) = text.split_once(" s: ")?;
        let total: f64 = total.parse().ok()?;
        let mut shares = Self::default();
        for part in text.split(", ") {
            let (percent, name) = part.split_once(" % ")?;
            let seconds = percent.parse::<f64>().ok()? / 100.0 * total;
            match name {
                "updates" => shares.updates = seconds,
                "waiting for batches" => shares.data = seconds,
                "validation" => shares.validations = seconds,
                "checkpoints" => shares.checkpoints = seconds,
                _ => return None,
            }
        }
        Some((total, shares))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_as_they_were_written() {
        let shares = TimeShares {
            data: 2.0,
            updates: 150.0,
            validations: 40.0,
            checkpoints: 8.0,
        };
        assert_eq!(TimeShares::read(&shares.describe(200.0)), Some((200.0, shares)));
        for other in ["", "12 s", "x s: 1.0 % updates", "9 s: 1.0 % sleep", "9 s: updates"] {
            assert_eq!(TimeShares::read(other), None, "{other}");
        }
    }
}
