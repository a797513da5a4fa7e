//! Checkpoints: folders that are there whole or not at all.
//!
//! ```text
//! files       writing, verifying, listing and pruning `checkpoints/<update>/`
//! manifest    the sum of every file of a checkpoint
//! pointers    `checkpoints/best` and `checkpoints/last`
//! whole       small files that are there whole or not at all
//! state       what a run must remember beside weights and optimizer
//! by_metric   what validations measured, and by what
//! lock        one process a run folder
//! ```

pub mod by_metric;
pub mod files;
pub mod lock;
pub mod manifest;
pub mod pointers;
pub mod state;
pub mod whole;

use std::io;
use std::path::{Path, PathBuf};

/// The result of everything that touches checkpoints.
pub type Result<T, E = CheckpointError> = std::result::Result<T, E>;

/// What can go wrong with a run folder. `Display` gives one paragraph, with a hint where there is one.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A file or folder could not be read or written.
    #[error("cannot {action} {path}: {source}{hint}", path = .path.display(), hint = io_hint(.source))]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of a checkpoint is not what was written.
    #[error("{path}: {message}\nhint: {hint}", path = .path.display())]
    Damaged {
        /// The damaged file.
        path: PathBuf,
        /// How that shows.
        message: String,
        /// Another checkpoint to use, if there is one.
        hint: String,
    },
    /// There is no such checkpoint.
    #[error("{path}: {message}\nhint: {hint}", path = .path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
        /// What was looked for.
        message: String,
        /// What is there instead.
        hint: String,
    },
    /// Another process trains in the run folder.
    #[error("another process{owner} is training in {path}\nhint: wait for it or stop it, or choose another --run-dir", path = .path.display())]
    Locked {
        /// The run folder.
        path: PathBuf,
        /// Empty, or ` (number …)`.
        owner: String,
    },
}

fn io_hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "\nhint: free some space and run the same command again, it resumes; fewer checkpoints stay with \
             validation.keep_best and keep_last"
        }
        io::ErrorKind::PermissionDenied => "\nhint: choose a folder you may write to with --run-dir",
        _ => "",
    }
}

/// Turns a system error into ours, with what was tried on which path.
trait During<T> {
    fn during(self, action: &'static str, path: &Path) -> Result<T>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, action: &'static str, path: &Path) -> Result<T> {
        #[cfg(test)]
        crash::call();
        self.map_err(|source| CheckpointError::Io {
            action,
            path: path.into(),
            source,
        })
    }
}

#[cfg(test)]
pub(crate) mod crash;
#[cfg(test)]
mod tests;
