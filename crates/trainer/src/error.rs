//! What can go wrong around a run, each told with a hint.

use std::path::PathBuf;

use ember_data::DataError;
use ember_model::config::ModelConfigError;

use crate::checkpoint::CheckpointError;
use crate::config::{ConfigError, ResumeError};
use crate::journal::JournalError;

/// The result of everything in this crate that a user's files can make fail.
pub type Result<T, E = TrainerError> = std::result::Result<T, E>;

/// A fault that a user can mend. `Display` gives one paragraph that ends in a hint.
#[derive(Debug, thiserror::Error)]
pub enum TrainerError {
    /// In the config file.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// In a corpus, a tokenizer or a token store.
    #[error(transparent)]
    Data(#[from] DataError),
    /// In a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// In the run's logs.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The model does not fit the vocabulary.
    #[error(transparent)]
    Model(#[from] ModelConfigError),
    /// A metric could not be computed.
    #[error(transparent)]
    Metric(#[from] ember_metrics::MetricError),
    /// The config changed in a way that a run cannot go on with.
    #[error(transparent)]
    Resume(#[from] ResumeError),
    /// A run folder, or something in it.
    #[error("{folder} {message}\nhint: {hint}", folder = .folder.display())]
    Run {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        message: String,
        /// What to do about it.
        hint: String,
    },
    /// What several models together cannot do.
    #[error("an ensemble of {members} models: {message}\nhint: {hint}")]
    Ensemble {
        /// How many there are.
        members: usize,
        /// Why not.
        message: String,
        /// What to do about it.
        hint: String,
    },
    /// A tag that a model does not know, or needs.
    #[error("{message}\nhint: {hint}")]
    Tag {
        /// What is wrong.
        message: String,
        /// What to do about it.
        hint: String,
    },
    /// Training cannot go on.
    #[error("training stopped at update {update}: {message}\nhint: {hint}")]
    Diverged {
        /// The update at which it stopped.
        update: u64,
        /// Why.
        message: String,
        /// What to do about it.
        hint: String,
    },
}

impl TrainerError {
    /// Whether it is no fault but the user's wish to stop.
    pub fn is_stop(&self) -> bool {
        matches!(self, Self::Data(DataError::Stopped))
    }
}
