//! What can go wrong with a user's files, each told with the file, the line where there is one, and a hint.

use std::path::{Path, PathBuf};

/// The result of everything in this crate that touches a user's files.
pub type Result<T, E = DataError> = std::result::Result<T, E>;

/// A fault in the user's data or settings, or the wish to stop. `Display` gives one paragraph that ends in a hint.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file could not be opened, read or written.
    #[error("cannot {action} {path}: {source}{hint}", path = .path.display())]
    Io {
        /// What was tried: `read`, `write`, `create`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
        /// Empty, or `"\nhint: …"`.
        hint: String,
    },
    /// A file's content is not what it must be.
    #[error("{path}{line}: {message}\nhint: {hint}", path = .path.display(), line = .line.map(|n| format!(":{n}")).unwrap_or_default())]
    Content {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: Option<u64>,
        /// What is wrong, with value and limit.
        message: String,
        /// What to do about it.
        hint: String,
    },
    /// No file stands where a corpus should.
    #[error("no corpus at {corpus}: tried {tried}\nhint: {hint}", corpus = .corpus.display())]
    Missing {
        /// The path as the config names it.
        corpus: PathBuf,
        /// The files that were looked for, joined by commas.
        tried: String,
        /// What to do about it.
        hint: String,
    },
    /// The user wanted to stop before it was done: no fault.
    #[error("stopped before it was done\nhint: the same command begins it again")]
    Stopped,
    /// A setting that cannot work.
    #[error("{key}: {message}\nhint: {hint}")]
    Setting {
        /// The config key, such as `tokenizer.vocabulary` or `data.train[1].weight`.
        key: String,
        /// What is wrong, with value and limit.
        message: String,
        /// What to do about it.
        hint: String,
    },
}

impl DataError {
    /// An [`Io`](DataError::Io) error with the hint that fits what the system said.
    pub fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        use std::io::ErrorKind;
        let hint = match source.kind() {
            ErrorKind::NotFound => {
                "check the path; relative ones in a config count from the config's folder, all others from where you are"
            }
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                "check the permissions of the file and its folder"
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free some space, or choose another run folder",
            ErrorKind::IsADirectory => "this is a folder; name a file",
            _ => "",
        };
        let hint = if hint.is_empty() {
            String::new()
        } else {
            format!("\nhint: {hint}")
        };
        DataError::Io {
            action,
            path: path.to_owned(),
            source,
            hint,
        }
    }
}
