//! What a run shows while it goes on, without knowing about terminals.

use ember_data::Progress;

/// Where training is, for a progress bar.
#[derive(Debug, Clone, Copy)]
pub struct TrainingStatus {
    /// Updates made.
    pub update: u64,
    /// Label-smoothed cross-entropy a target token of the last update, in nats.
    pub loss: f64,
    /// Its learning rate.
    pub learning_rate: f64,
    /// Speed since the last validation.
    pub target_tokens_per_second: f64,
    /// How much of `stop_after` is done, in its own unit.
    pub done: u64,
    /// `stop_after`.
    pub total: u64,
}

/// Shown to: the binary draws bars on a terminal and prints lines elsewhere.
pub trait Console: Progress {
    /// A message for the user.
    fn message(&self, text: &str);
    /// A log line of the last updates, of use only where no bar is drawn.
    fn log_line(&self, text: &str);
    /// An update was made.
    fn training(&self, status: &TrainingStatus);
    /// No update follows for now.
    fn training_paused(&self);
}
