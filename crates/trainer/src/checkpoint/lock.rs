//! One process a run folder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Seek, Write};
use std::path::Path;

use super::{CheckpointError, During, Result};

/// Holds a run folder for this process until dropped, or until the process ends in whatever way.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

impl RunLock {
    /// Takes the run folder, which is created if it does not exist.
    ///
    /// # Errors
    /// [`CheckpointError::Locked`] while another process has it.
    pub fn acquire(run: &Path) -> Result<Self> {
        fs::create_dir_all(run).during("create", run)?;
        let path = run.join(".lock");
        let open = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path);
        let mut file = open.during("create", &path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let owner = fs::read_to_string(&path)
                    .ok()
                    .and_then(|text| text.trim().parse::<u32>().ok());
                let owner = owner.map_or(String::new(), |number| format!(" (number {number})"));
                return Err(CheckpointError::Locked {
                    path: run.into(),
                    owner,
                });
            }
            // A file system without locks: training there is better than not training.
            Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => {
                tracing::warn!("{} cannot be locked: {error}", path.display());
            }
            Err(TryLockError::Error(error)) => return Err(error).during("lock", &path),
        }
        file.set_len(0).during("write", &path)?;
        file.rewind().during("write", &path)?;
        writeln!(file, "{}", std::process::id()).during("write", &path)?;
        Ok(Self { _file: file })
    }
}
