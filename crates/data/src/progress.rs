//! How long steps report how far they are, and learn that nobody waits for them any more, without knowing about
//! terminals and signals.

use crate::error::{DataError, Result};

/// Told about a long step's progress. The binary draws a bar; tests and libraries pass [`NoProgress`].
pub trait Progress: Sync {
    /// A step begins. `total` is its length in units of its own (lines, bytes, words), where known.
    fn begin(&self, label: &str, total: Option<u64>);
    /// `units` more are done; may be called from several threads.
    fn advance(&self, units: u64);
    /// The step that was begun last is done, or given up.
    fn finish(&self);
    /// Whether the user wants to stop. Asked between small pieces of work; a step that is told so ends with
    /// [`DataError::Stopped`] and leaves nothing half done.
    fn is_stopped(&self) -> bool {
        false
    }
    /// Asks [`is_stopped`](Self::is_stopped).
    ///
    /// # Errors
    ///
    /// [`DataError::Stopped`] if so.
    fn go_on(&self) -> Result<()> {
        if self.is_stopped() {
            Err(DataError::Stopped)
        } else {
            Ok(())
        }
    }
}

/// Reports nothing.
pub struct NoProgress;

impl Progress for NoProgress {
    fn begin(&self, _label: &str, _total: Option<u64>) {}
    fn advance(&self, _units: u64) {}
    fn finish(&self) {}
}

/// A step under way; it is finished when this is dropped, so an error in the middle takes the bar down too.
pub struct Step<'a> {
    progress: &'a dyn Progress,
}

impl<'a> Step<'a> {
    /// Begins a step, see [`Progress::begin`].
    pub fn begin(progress: &'a dyn Progress, label: &str, total: Option<u64>) -> Self {
        progress.begin(label, total);
        Self { progress }
    }

    /// `units` more are done.
    ///
    /// # Errors
    ///
    /// [`DataError::Stopped`] if the user wants to stop.
    pub fn advance(&self, units: u64) -> Result<()> {
        self.progress.advance(units);
        self.progress.go_on()
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        self.progress.finish();
    }
}
