//! How long steps report how far they are, without knowing about terminals.

/// Told about a long step's progress. The binary draws a bar; tests and libraries pass [`NoProgress`].
pub trait Progress: Sync {
    /// A step begins. `total` is its length in units of its own (lines, bytes, words), where known.
    fn begin(&self, label: &str, total: Option<u64>);
    /// `units` more are done; may be called from several threads.
    fn advance(&self, units: u64);
    /// The step that was begun last is done.
    fn finish(&self);
}

/// Reports nothing.
pub struct NoProgress;

impl Progress for NoProgress {
    fn begin(&self, _label: &str, _total: Option<u64>) {}
    fn advance(&self, _units: u64) {}
    fn finish(&self) {}
}
