//! `metrics.jsonl` as curves.
//!
//! A run may have a hundred thousand updates and a chart shows a few hundred points, so neighbours are put together: the
//! loss and the divergence of R-Drop are means over target tokens, the speed their tokens over their seconds, the
//! gradient's norm the largest, so that no jump is lost, and the learning rate that of the last.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;

/// Points of a curve at most.
const MOST_POINTS: usize = 300;

/// The updates of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Updates {
    /// In the order of training.
    pub points: Vec<UpdatePoint>,
    /// Updates that a point stands for; the last may stand for fewer.
    pub per_point: usize,
    /// The last update.
    pub last: u64,
    /// The epoch it belongs to, from 1.
    pub epoch: u64,
    /// Target tokens trained on.
    pub target_tokens: u64,
    /// Updates left out because loss or gradient was not finite.
    pub skipped: u64,
    /// Seconds of all updates together.
    pub seconds: f64,
    /// Lines that could not be read, the last one not counted: a run that goes on may be writing it.
    pub damaged: usize,
}

/// Some updates in a row. What is not a number was not finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UpdatePoint {
    /// The last of them.
    pub update: u64,
    /// Mean label-smoothed cross-entropy a target token, in nats.
    pub loss: f64,
    /// Mean divergence of the two passes of R-Drop a target token, in nats; not a number without.
    pub kl: f64,
    /// Of the last.
    pub learning_rate: f64,
    /// The largest, before clipping.
    pub gradient_norm: f64,
    /// Mean speed.
    pub target_tokens_per_second: f64,
}

/// A line of the file; `null` stands for what was not finite.
#[derive(Debug, Clone, Deserialize)]
struct Line {
    update: u64,
    epoch: u64,
    loss: Option<f64>,
    #[serde(default)]
    kl: Option<f64>,
    learning_rate: Option<f64>,
    gradient_norm: Option<f64>,
    target_tokens: u64,
    total_target_tokens: u64,
    skipped: u64,
    seconds: f64,
}

impl Updates {
    /// Reads the file; one that is not there has no updates.
    pub fn read(path: &Path) -> Self {
        match File::open(path) {
            Ok(file) => Self::from_lines(BufReader::new(file)),
            Err(_) => Self::default(),
        }
    }

    fn from_lines(mut reader: impl BufRead) -> Self {
        let (mut lines, mut damaged) = (Vec::<Line>::new(), 0);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
            match serde_json::from_slice(&bytes) {
                Ok(line) => lines.push(line),
                Err(_) => damaged += usize::from(bytes.ends_with(b"\n")),
            }
            bytes.clear();
        }
        let per_point = lines.len().div_ceil(MOST_POINTS).max(1);
        let Some(last) = lines.last() else {
            return Self {
                damaged,
                ..Self::default()
            };
        };
        Self {
            points: lines.chunks(per_point).map(UpdatePoint::of).collect(),
            per_point,
            last: last.update,
            epoch: last.epoch,
            target_tokens: last.total_target_tokens,
            skipped: last.skipped,
            seconds: lines.iter().map(|line| line.seconds).sum(),
            damaged,
        }
    }
}

impl UpdatePoint {
    /// Of at least one line.
    fn of(lines: &[Line]) -> Self {
        let last = &lines[lines.len() - 1];
        // The mean over target tokens of the lines that have it.
        let mean = |value: fn(&Line) -> Option<f64>| {
            let known = || {
                lines
                    .iter()
                    .filter_map(move |line| Some((value(line)?, line.target_tokens as f64)))
            };
            let sum: f64 = known().map(|(value, tokens)| value * tokens).sum();
            sum / known().map(|(_, tokens)| tokens).sum::<f64>()
        };
        let seconds: f64 = lines.iter().map(|line| line.seconds).sum();
        let all_tokens: u64 = lines.iter().map(|line| line.target_tokens).sum();
        Self {
            update: last.update,
            loss: mean(|line| line.loss),
            kl: mean(|line| line.kl),
            learning_rate: last.learning_rate.unwrap_or(f64::NAN),
            gradient_norm: lines
                .iter()
                .filter_map(|line| line.gradient_norm)
                .fold(f64::NAN, f64::max),
            target_tokens_per_second: all_tokens as f64 / seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(update: u64, loss: &str, norm: &str) -> String {
        format!(
            "{{\"update\":{update},\"epoch\":{},\"loss\":{loss},\"nll\":1.0,\"learning_rate\":0.5,\"gradient_norm\":{norm},\
             \"target_tokens\":100,\"total_target_tokens\":{},\"skipped\":0,\"seconds\":0.5}}\n",
            1 + update / 400,
            100 * update
        )
    }

    #[test]
    fn a_short_run_keeps_every_update() {
        let text = line(1, "4.0", "2.0") + &line(2, "null", "null");
        let updates = Updates::from_lines(text.as_bytes());
        assert_eq!((updates.per_point, updates.last, updates.target_tokens), (1, 2, 200));
        assert_eq!(updates.seconds, 1.0);
        let [one, two] = updates.points[..] else {
            panic!("{:?}", updates.points)
        };
        assert_eq!(
            (one.loss, one.gradient_norm, one.target_tokens_per_second),
            (4.0, 2.0, 200.0)
        );
        assert!(two.loss.is_nan() && two.gradient_norm.is_nan());
    }

    #[test]
    fn a_long_run_keeps_means_jumps_and_its_end() {
        let norm = |update| if update == 777 { "9.5" } else { "1.0" };
        let text: String = (1..=1000)
            .map(|update| line(update, &update.to_string(), norm(update)))
            .collect();
        let updates = Updates::from_lines(text.as_bytes());
        assert_eq!((updates.per_point, updates.points.len()), (4, 250));
        assert_eq!(updates.points[0].loss, 2.5);
        assert_eq!(updates.points[249].update, 1000);
        let jumps: Vec<_> = updates
            .points
            .iter()
            .filter(|point| point.gradient_norm == 9.5)
            .collect();
        assert_eq!((jumps.len(), jumps[0].update), (1, 780));
    }

    #[test]
    fn the_divergence_of_two_passes_is_a_mean_of_those_that_are_there() {
        let with_kl =
            |update: u64, kl: &str| line(update, "4.0", "1.0").replace("\"nll\"", &format!("\"kl\":{kl},\"nll\""));
        let text: String = (1..=600)
            .map(|update| match update {
                1 => with_kl(1, "null"),
                2 => with_kl(2, "0.5"),
                3 => with_kl(3, "0.2"),
                4 => with_kl(4, "0.4"),
                _ => line(update, "4.0", "1.0"),
            })
            .collect();
        let updates = Updates::from_lines(text.as_bytes());
        assert_eq!((updates.per_point, updates.damaged), (2, 0));
        assert_eq!(updates.points[0].kl, 0.5);
        assert!((updates.points[1].kl - 0.3).abs() < 1e-12);
        assert!(updates.points[2].kl.is_nan());
    }

    #[test]
    fn a_line_that_is_being_written_is_left_out_and_a_damaged_one_counted() {
        let text = line(1, "4.0", "1.0") + "{\"update\":\n" + &line(3, "2.0", "1.0") + "{\"update\":4,\"epo";
        let updates = Updates::from_lines(text.as_bytes());
        assert_eq!((updates.points.len(), updates.damaged, updates.last), (2, 1, 3));
        assert_eq!(Updates::from_lines(&b"{\"upd"[..]), Updates::default());
    }
}
