//! What a run folder tells: the facts of a report, without a word of how they are shown.
//!
//! ```text
//! updates      metrics.jsonl -> curves of a few hundred points
//! validations  validations.tsv -> rows
//! log          train.log -> device, sizes, where the time went
//! scored       translations/ -> scores of the test corpora
//! samples      a few sentences, translated now by the best checkpoint
//! ```
//!
//! A run may still be going on, or lack anything but its config: what is not there is told as a sentence in its place.
//! Nothing is written.

mod log;
mod samples;
mod scored;
mod updates;
mod validations;

use burn::prelude::*;
use ember_data::store::DataReport;

use crate::console::Console;
use crate::error::Result;
use crate::run::RunFolder;

pub use log::{LogFacts, Times};
pub use samples::{Sample, Samples};
pub use scored::SplitScores;
pub use updates::{UpdatePoint, Updates};
pub use validations::ValidationRow;

/// Something of a run, or a sentence that says why it is not there.
pub type Found<T> = std::result::Result<T, String>;

/// The facts of a run.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// The config's name.
    pub name: String,
    /// The resolved config as TOML.
    pub config: String,
    /// What was trained on.
    pub data: Found<DataReport>,
    /// What the log says beside its updates.
    pub log: LogFacts,
    /// The updates as curves.
    pub updates: Updates,
    /// One a validation.
    pub validations: Vec<ValidationRow>,
    /// The scores of each test corpus by each checkpoint that translated it.
    pub splits: Vec<SplitScores>,
    /// A few sentences.
    pub samples: Found<Samples>,
}

/// Reads a run folder, and translates a few sentences with its best checkpoint.
///
/// # Errors
/// A folder that is no run folder, or the user's wish to stop.
pub fn collect(run: &RunFolder, device: &Device, console: &dyn Console) -> Result<RunReport> {
    let config = run.load_config()?;
    let samples = match samples::translate(run, &config, device, console) {
        Err(error) if error.is_stop() => return Err(error),
        samples => samples.map_err(|error| error.to_string()),
    };
    Ok(RunReport {
        data: read_data(run),
        log: LogFacts::read(&run.root().join("train.log")),
        updates: Updates::read(&run.root().join("metrics.jsonl")),
        validations: validations::read(&run.root().join("validations.tsv")),
        splits: scored::score_all(run, &config),
        samples,
        config: config.to_toml(),
        name: config.name,
    })
}

fn read_data(run: &RunFolder) -> Found<DataReport> {
    let path = run.data();
    let bytes = std::fs::read(&path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{} is damaged: {error}", path.display()))
}
