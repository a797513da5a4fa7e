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
    let mut weights = Weights::new();
    let mut sums: Vec<Vec<f64>> = Vec::new();
    for folder in folders {
        let path = folder.join(MODEL_FILE);
        let more = weights_file::read(&path)?;
        if weights.is_empty() {
            sums = more.values().map(|weight| vec![0.0; weight.values.len()]).collect();
        } else if !same_shapes(&weights, &more) {
            let message = "its parameters are not those of the other checkpoints".into();
            let hint = "was a folder of another run copied here?".into();
            return Err(CheckpointError::Damaged { path, message, hint }.into());
        }
        for (sum, weight) in sums.iter_mut().zip(more.values()) {
            sum.iter_mut()
                .zip(&weight.values)
                .for_each(|(sum, value)| *sum += f64::from(*value));
        }
        weights = more;
    }
    for (weight, sum) in weights.values_mut().zip(sums) {
        weight.values = sum.into_iter().map(|sum| (sum / folders.len() as f64) as f32).collect();
    }
    Ok(weights)
}

fn same_shapes(one: &Weights, other: &Weights) -> bool {
    let shapes = |weights: &Weights| {
        weights
            .iter()
            .map(|(name, w)| (name.clone(), w.shape.clone()))
            .collect::<Vec<_>>()
    };
    shapes(one) == shapes(other)
}
