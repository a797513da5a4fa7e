//! Averaging the weights of several checkpoints (Vaswani et al. 2017, section 6.1: the last 5, or 20).

use std::path::PathBuf;

use ember_model::weights::Weights;

use crate::checkpoint::{self, CheckpointError, state::State};
use crate::error::{Result, TrainerError};
use crate::run::{MODEL_FILE, RunFolder};
use crate::weights_file;

/// Which checkpoints to average.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// The newest.
    Last(usize),
    /// Those with the best validations.
    Best(usize),
}

/// Writes `checkpoints/average/`, usable as `--checkpoint average`. Returns the updates that went into it.
///
/// # Errors
/// When the run has no checkpoint, or fewer than asked for, or one is damaged.
pub fn average(run: &RunFolder, selection: Selection) -> Result<Vec<u64>> {
    let updates = select(run, selection)?;
    let folders: Vec<_> = updates
        .iter()
        .map(|update| checkpoint::files::folder(&run.checkpoints(), *update))
        .collect();
    for folder in &folders {
        checkpoint::files::verify(folder)?;
    }
    let weights = mean(&folders)?;
    checkpoint::files::write_named(
        &run.checkpoints(),
        "average",
        &mut [(
            MODEL_FILE,
            checkpoint::files::Content::Bytes(&weights_file::to_bytes(&weights)),
        )],
    )?;
    Ok(updates)
}

fn select(run: &RunFolder, selection: Selection) -> Result<Vec<u64>> {
    let checkpoints = run.checkpoints();
    let existing = checkpoint::files::list(&checkpoints)?;
    let (count, mut candidates) = match selection {
        Selection::Last(count) => (count, existing.clone()),
        Selection::Best(count) => (count, ranked(run, &existing)?),
    };
    if count == 0 || candidates.len() < count {
        return Err(TrainerError::Run {
            folder: checkpoints,
            message: format!(
                "has {} checkpoints to average, {count} were asked for",
                candidates.len()
            ),
            hint: "ask for fewer, or keep more with validation.keep_last and keep_best".into(),
        });
    }
    let mut chosen = candidates.split_off(candidates.len() - count);
    chosen.sort_unstable();
    Ok(chosen)
}

/// The validated checkpoints that still exist, best last.
fn ranked(run: &RunFolder, existing: &[u64]) -> Result<Vec<u64>> {
    let Some(newest) = existing.last() else {
        return Ok(Vec::new());
    };
    let state = State::<ember_data::batch::Position>::read(&checkpoint::files::folder(&run.checkpoints(), *newest))?;
    Ok(state
        .ranked()
        .into_iter()
        .rev()
        .filter(|update| existing.contains(update))
        .collect())
}

/// The mean of the checkpoints' weights, summed in f64 one after another.
fn mean(folders: &[PathBuf]) -> Result<Weights> {
    let count = folders.len();
    let read = |index: usize| weights_file::read(&folders[index].join(MODEL_FILE));
    let mut weights = read(0)?;
    let mut sums: Vec<Vec<f64>> = weights
        .values()
        .map(|weight| weight.values.iter().map(|value| f64::from(*value)).collect())
        .collect();
    for index in 1..count {
        let more = read(index)?;
        let same_shapes = more.len() == weights.len()
            && more
                .iter()
                .zip(&weights)
                .all(|((a, x), (b, y))| a == b && x.shape == y.shape);
        if !same_shapes {
            return Err(CheckpointError::Damaged {
                path: folders[index].join(MODEL_FILE),
                message: "its parameters are not those of the other checkpoints".into(),
                hint: "was a folder of another run copied here?".into(),
            }
            .into());
        }
        for (sum, weight) in sums.iter_mut().zip(more.values()) {
            sum.iter_mut()
                .zip(&weight.values)
                .for_each(|(sum, value)| *sum += f64::from(*value));
        }
    }
    for (weight, sum) in weights.values_mut().zip(sums) {
        weight.values = sum.into_iter().map(|sum| (sum / count as f64) as f32).collect();
    }
    Ok(weights)
}
