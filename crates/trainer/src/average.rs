//! Averaging the weights of several checkpoints (Vaswani et al. 2017, section 6.1: the last 5, or 20).
//!
//! Beside the weights stands `average.json`, which says what they are the mean of: the run's name, how the checkpoints
//! were chosen, and of each its update and the BLAKE3 sum of its `model.safetensors`.
//!
//! ```json
//! {"version": 1, "run": "multi30k-en-de", "selection": {"last": 2}, "checkpoints": [
//!   {"update": 3600, "model_blake3": "0f31…"}, {"update": 4000, "model_blake3": "a5c2…"}]}
//! ```

use std::path::PathBuf;

use ember_model::weights::Weights;
use serde::Serialize;

use crate::checkpoint::CheckpointError;
use crate::checkpoint::files;
use crate::checkpoint::state::State;
use crate::error::{Result, TrainerError};
use crate::member::model_blake3;
use crate::run::{MODEL_FILE, RunFolder};
use crate::weights_file;

/// Which checkpoints to average.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selection {
    /// The newest.
    Last(usize),
    /// Those with the best validations.
    Best(usize),
    /// Those of given updates.
    Updates(Vec<u64>),
}

impl Selection {
    /// The newest checkpoints of a run, `most` at most.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn newest(run: &RunFolder, most: usize) -> Result<Self> {
        let existing = files::list(&run.checkpoints())?.len();
        Ok(Self::Last(existing.clamp(1, most)))
    }
}

/// Name of the file that says what an average holds.
const AVERAGE: &str = "average.json";

/// Version of that file's form.
const VERSION: u32 = 1;

/// What an average is the mean of; `average.json`.
#[derive(Serialize)]
struct Averaged {
    /// Version of this form.
    version: u32,
    /// Name of the run.
    run: String,
    /// How the checkpoints were chosen.
    selection: Selection,
    /// The checkpoints, oldest first.
    checkpoints: Vec<Part>,
}

/// A checkpoint that went into an average.
#[derive(Serialize)]
struct Part {
    /// Its update.
    update: u64,
    /// The sum of its `model.safetensors`, as in its manifest.
    model_blake3: String,
}

/// Writes `checkpoints/average/`, usable as `--checkpoint average`. Returns the updates that went into it.
///
/// # Errors
/// When the run has no checkpoint, or fewer or other ones than asked for, or one is damaged.
pub fn average(run: &RunFolder, selection: Selection) -> Result<Vec<u64>> {
    let name = run.load_config()?.name;
    let updates = select(run, &selection)?;
    let mut folders = Vec::new();
    let mut checkpoints = Vec::new();
    for &update in &updates {
        let folder = files::folder(&run.checkpoints(), update);
        let manifest = files::verify_file(&folder, MODEL_FILE)?;
        checkpoints.push(Part {
            update,
            model_blake3: model_blake3(&manifest),
        });
        folders.push(folder);
    }
    let averaged = Averaged {
        version: VERSION,
        run: name,
        selection,
        checkpoints,
    };
    let mut json = serde_json::to_vec_pretty(&averaged).expect("names and numbers have a form in JSON");
    json.push(b'\n');
    files::write_named(
        &run.checkpoints(),
        "average",
        &[
            (MODEL_FILE, &weights_file::to_bytes(&mean(&folders)?)),
            (AVERAGE, &json),
        ],
    )?;
    Ok(updates)
}

/// The updates of a selection, oldest first.
fn select(run: &RunFolder, selection: &Selection) -> Result<Vec<u64>> {
    let checkpoints = run.checkpoints();
    let existing = files::list(&checkpoints)?;
    let (count, mut candidates) = match selection {
        Selection::Last(count) => (*count, existing),
        Selection::Best(count) => (*count, ranked(run, &existing)?),
        Selection::Updates(updates) => return given(checkpoints, &existing, updates),
    };
    if count == 0 || candidates.len() < count {
        let ranks = matches!(selection, Selection::Best(_));
        let hint = match (candidates.len(), ranks) {
            (0, true) => "none was validated yet: --last takes the newest",
            (0, false) => "`ember train` writes them",
            _ => "ask for fewer, or keep more with validation.keep_last and keep_best",
        };
        return Err(TrainerError::Run {
            folder: checkpoints,
            message: format!(
                "has {} checkpoints to average, {count} were asked for",
                candidates.len()
            ),
            hint: hint.into(),
        });
    }
    let mut chosen = candidates.split_off(candidates.len() - count);
    chosen.sort_unstable();
    Ok(chosen)
}

/// The updates that the user named, each of which must exist and counts once.
fn given(checkpoints: PathBuf, existing: &[u64], updates: &[u64]) -> Result<Vec<u64>> {
    let fault = |message: String, hint: String| {
        Err(TrainerError::Run {
            folder: checkpoints.clone(),
            message,
            hint,
        })
    };
    let in_words = |updates: &[u64]| updates.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let missing: Vec<u64> = updates
        .iter()
        .copied()
        .filter(|update| !existing.contains(update))
        .collect();
    if !missing.is_empty() {
        let there = match existing {
            [] => "it has none".into(),
            _ => format!("it has {}", in_words(existing)),
        };
        let hint = format!("{there}; validation.keep_last and keep_best say how many stay");
        return fault(format!("has no checkpoint of update {}", in_words(&missing)), hint);
    }
    let mut chosen = updates.to_vec();
    chosen.sort_unstable();
    if let Some(pair) = chosen.windows(2).find(|pair| pair[0] == pair[1]) {
        let hint = "name each once: all count the same".into();
        return fault(format!("is asked for update {} twice", pair[0]), hint);
    }
    Ok(chosen)
}

/// The validated checkpoints that still exist, best last.
fn ranked(run: &RunFolder, existing: &[u64]) -> Result<Vec<u64>> {
    let Some(newest) = existing.last() else {
        return Ok(Vec::new());
    };
    let state = State::<ember_data::batch::Position>::read(&files::folder(&run.checkpoints(), *newest))?;
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
