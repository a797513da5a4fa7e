//! `checkpoints/best` and `checkpoints/last`: small text files that hold the number of a checkpoint.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::files::{folder, list};
use super::whole::write_whole;
use super::{CheckpointError, During, Result};

/// A name for one of the checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pointer {
    /// The best by the validation metric.
    Best,
    /// The newest.
    Last,
}

impl Pointer {
    /// Name of the file.
    pub fn name(self) -> &'static str {
        match self {
            Pointer::Best => "best",
            Pointer::Last => "last",
        }
    }

    /// Points to the checkpoint of `update`.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn write(self, checkpoints: &Path, update: u64) -> Result<()> {
        let path = checkpoints.join(self.name());
        write_whole(&path, format!("{update}\n").as_bytes())
    }

    /// Makes the name stand for nothing; [`resolve`] then takes the newest checkpoint.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn remove(self, checkpoints: &Path) -> Result<()> {
        let path = checkpoints.join(self.name());
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.during("remove", &path),
        }
    }

    /// The update pointed to, None if nothing was written yet.
    ///
    /// # Errors
    /// A file that cannot be read or holds no number.
    pub fn read(self, checkpoints: &Path) -> Result<Option<u64>> {
        let path = checkpoints.join(self.name());
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.during("read", &path)?,
        };
        match text.trim().parse() {
            Ok(update) => Ok(Some(update)),
            Err(_) => Err(CheckpointError::Damaged {
                message: format!("{:?} is not the number of a checkpoint", text.trim()),
                hint: format!("give the number of one of {}", available(checkpoints)),
                path,
            }),
        }
    }
}

/// The folder of `best`, `last`, `average`, an update's number, or a path: what `--checkpoint` takes. A path leads to a
/// checkpoint, to the `best` or `last` beside it, or to a run, whose best it stands for. Without a validation so far
/// `best` is the last.
///
/// # Errors
/// A checkpoint that does not exist, with those that do.
pub fn resolve(run: &Path, checkpoint: &str) -> Result<PathBuf> {
    let checkpoints = run.join("checkpoints");
    let missing = |message: String| CheckpointError::Missing {
        path: checkpoints.clone(),
        message,
        hint: format!("there are {}", available(&checkpoints)),
    };
    let newest = || list(&checkpoints).map(|updates| updates.last().copied());
    let update = match checkpoint {
        "best" => Pointer::Best
            .read(&checkpoints)?
            .map_or_else(newest, |update| Ok(Some(update)))?,
        "last" => Pointer::Last
            .read(&checkpoints)?
            .map_or_else(newest, |update| Ok(Some(update)))?,
        "average" => {
            let average = checkpoints.join("average");
            let message = "there is no averaged checkpoint; `ember average` writes it";
            return if average.is_dir() {
                Ok(average)
            } else {
                Err(missing(message.into()))
            };
        }
        "" => None,
        number if number.bytes().all(|byte| byte.is_ascii_digit()) => number.parse().ok(),
        path => match named_by_path(Path::new(path)) {
            Some((run, name)) => return resolve(&run, name),
            None if Path::new(path).is_dir() => return Ok(path.into()),
            None => None,
        },
    };
    match update.map(|update| folder(&checkpoints, update)) {
        Some(folder) if folder.is_dir() => Ok(folder),
        Some(folder) if is_pointer(checkpoint) => {
            let named = folder.file_name().unwrap_or_default().display();
            Err(missing(format!(
                "{checkpoint:?} names the checkpoint {named}, which is not there"
            )))
        }
        _ => Err(missing(format!("there is no checkpoint {checkpoint:?}"))),
    }
}

fn is_pointer(name: &str) -> bool {
    [Pointer::Best, Pointer::Last]
        .iter()
        .any(|pointer| pointer.name() == name)
}

/// Run and name of `RUN/checkpoints/best`, `RUN/checkpoints/last` and `RUN`.
fn named_by_path(path: &Path) -> Option<(PathBuf, &'static str)> {
    if path.join("checkpoints").is_dir() {
        return Some((path.to_path_buf(), Pointer::Best.name()));
    }
    let pointer = [Pointer::Best, Pointer::Last]
        .into_iter()
        .find(|pointer| path.ends_with(pointer.name()))?;
    let checkpoints = path
        .parent()
        .filter(|folder| folder.ends_with("checkpoints") && folder.is_dir())?;
    Some((checkpoints.parent()?.to_path_buf(), pointer.name()))
}

fn available(checkpoints: &Path) -> String {
    match list(checkpoints).unwrap_or_default().as_slice() {
        [] => "no checkpoints yet".into(),
        updates => updates.iter().map(u64::to_string).collect::<Vec<_>>().join(", "),
    }
}
