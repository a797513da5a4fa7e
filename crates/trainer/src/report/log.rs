//! What `train.log` says beside its updates: on what a run was trained, when, and where the time went.

use std::path::Path;

use crate::train::TimeShares;

/// What the log says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LogFacts {
    /// When the first line was written, in UTC.
    pub began: Option<String>,
    /// When the newest line was written, in UTC.
    pub newest: Option<String>,
    /// The device of the newest start.
    pub device: Option<String>,
    /// Its vocabularies, in words.
    pub vocabulary: Option<String>,
    /// Parameters of the model.
    pub parameters: Option<u64>,
    /// How the newest start ended, in words; none while it goes on, or where it was killed.
    pub end: Option<String>,
    /// Where the time went.
    pub times: Times,
}

/// Seconds of all starts that said goodbye; one that was killed did not.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Times {
    /// Starts that are counted.
    pub starts: usize,
    /// From their first update to their last checkpoint.
    pub total: f64,
    /// Forward, backward, optimizer.
    pub updates: f64,
    /// Waiting for batches.
    pub data: f64,
    /// Loss and translation of the validation text.
    pub validations: f64,
    /// Writing checkpoints.
    pub checkpoints: f64,
}

impl LogFacts {
    /// Reads the log; one that is not there says nothing.
    pub fn read(path: &Path) -> Self {
        // Sample translations may hold anything, so the log need not be UTF-8 from end to end.
        std::fs::read(path).map_or_else(|_| Self::default(), |bytes| Self::of(&String::from_utf8_lossy(&bytes)))
    }

    fn of(text: &str) -> Self {
        let mut facts = Self::default();
        let lines = text.lines().filter_map(|line| line.strip_prefix('[')?.split_once("] "));
        for (time, said) in lines {
            facts.began.get_or_insert_with(|| time.into());
            facts.newest = Some(time.into());
            facts.add(said);
        }
        facts
    }

    fn add(&mut self, said: &str) {
        if let Some(device) = said.strip_prefix("device ") {
            self.device = Some(device.into());
            self.end = None;
        } else if let Some(sizes) = said.strip_prefix("vocabulary ") {
            self.vocabulary = Some(sizes.into());
        } else if let Some(count) = said.strip_suffix(" parameters").and_then(|count| count.parse().ok()) {
            self.parameters = Some(count);
        } else if !said.starts_with(' ') // a sample's text
            && let Some((end, shares)) = said.rsplit_once("; ")
            && let Some((total, shares)) = TimeShares::read(shares)
        {
            self.end = Some(end.into());
            self.times.add(total, &shares);
        }
    }
}

impl Times {
    fn add(&mut self, total: f64, shares: &TimeShares) {
        self.starts += 1;
        self.total += total;
        self.updates += shares.updates;
        self.data += shares.data;
        self.validations += shares.validations;
        self.checkpoints += shares.checkpoints;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
[2026-11-21 11:27:53] training small from the start
[2026-11-21 11:27:53] device flex
[2026-11-21 11:27:53] vocabulary 1200 source, 1100 target
[2026-11-21 11:27:53] 1232896 parameters
[2026-11-21 11:28:01] Ep. 1 : Up. 50 : Sen. 9,269 : Cost 6.5566 : Time 7.22s : 14048.50 words/s : gNorm 1.3889 : L.r. 5.0000e-04
[2026-11-21 11:28:59]   source      device cpu; 9 s: 100.0 % updates
[2026-11-21 11:29:33] interrupted; the same command goes on at update 735; 100 s: 90.0 % updates, 1.0 % waiting for batches, 5.0 % validation, 2.0 % checkpoints
[2026-11-21 12:00:00] device cuda
";

    #[test]
    fn a_run_that_goes_on_has_no_end() {
        let facts = LogFacts::of(LOG);
        assert_eq!(facts.began.as_deref(), Some("2026-11-21 11:27:53"));
        assert_eq!(facts.newest.as_deref(), Some("2026-11-21 12:00:00"));
        assert_eq!(
            (facts.device.as_deref(), facts.parameters),
            (Some("cuda"), Some(1_232_896))
        );
        assert_eq!(facts.vocabulary.as_deref(), Some("1200 source, 1100 target"));
        assert_eq!(facts.end, None);
        let expected = Times {
            starts: 1,
            total: 100.0,
            updates: 90.0,
            data: 1.0,
            validations: 5.0,
            checkpoints: 2.0,
        };
        assert_eq!(facts.times, expected);
    }

    #[test]
    fn the_times_of_all_starts_are_added() {
        let end = "[2026-11-21 12:01:00] finished at update 1500; 50 s: 96.0 % updates, 0.0 % waiting for batches, \
                   2.0 % validation, 2.0 % checkpoints\n";
        let facts = LogFacts::of(&(LOG.to_owned() + end));
        assert_eq!(facts.end.as_deref(), Some("finished at update 1500"));
        assert_eq!(
            (facts.times.starts, facts.times.total, facts.times.updates),
            (2, 150.0, 138.0)
        );
    }
}
