//! What a run shows while it goes on, without knowing about terminals.

use std::sync::atomic::{AtomicBool, Ordering};

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
    /// Speed since the last line of the log.
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

/// A console whose long steps end early once the user wants to stop.
pub struct Stoppable<'a> {
    console: &'a dyn Console,
    stop: &'a AtomicBool,
}

impl<'a> Stoppable<'a> {
    /// `stop` turns true when the user wants to stop.
    pub fn new(console: &'a dyn Console, stop: &'a AtomicBool) -> Self {
        Self { console, stop }
    }
}

impl Progress for Stoppable<'_> {
    fn begin(&self, label: &str, total: Option<u64>) {
        self.console.begin(label, total);
    }

    fn advance(&self, units: u64) {
        self.console.advance(units);
    }

    fn finish(&self) {
        self.console.finish();
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Console for Stoppable<'_> {
    fn message(&self, text: &str) {
        self.console.message(text);
    }

    fn log_line(&self, text: &str) {
        self.console.log_line(text);
    }

    fn training(&self, status: &TrainingStatus) {
        self.console.training(status);
    }

    fn training_paused(&self) {
        self.console.training_paused();
    }
}
