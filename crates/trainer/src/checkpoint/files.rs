//! Writing, verifying, listing and pruning the folders `checkpoints/<update>/`.
//!
//! A checkpoint is written to `.tmp-<update>-<process>`, every file and the folder itself is forced to disk, and only
//! then it gets its name. So a folder whose name is a number was complete once; the manifest tells whether it still is.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::manifest::{Entry, MANIFEST, Manifest};
use super::{CheckpointError, During, Result};

const TEMPORARY: &str = ".tmp-";
const REPLACED: &str = ".old-";

/// Writes `checkpoints/<update>/` with these files, given by name and content, and their manifest. An older checkpoint
/// of the same update is replaced.
///
/// # Errors
/// What the system refuses. Nothing but a temporary folder is left behind then.
pub fn write_checkpoint(checkpoints: &Path, update: u64, files: &[(&str, &[u8])]) -> Result<PathBuf> {
    write_named(checkpoints, &update.to_string(), files)
}

/// [`write_checkpoint`] for one that has a name instead of a number: `average`.
///
/// # Errors
/// As [`write_checkpoint`].
pub fn write_named(checkpoints: &Path, name: &str, files: &[(&str, &[u8])]) -> Result<PathBuf> {
    fs::create_dir_all(checkpoints).during("create", checkpoints)?;
    let temporary = checkpoints.join(hidden(TEMPORARY, name));
    remove_folder(&temporary)?;
    fs::create_dir(&temporary).during("create", &temporary)?;
    let written = write_files(&temporary, files).and_then(|()| publish(checkpoints, &temporary, name));
    if written.is_err() {
        // A disk that is full has room again for the next attempt; the error that is told is the first one.
        let _ = fs::remove_dir_all(&temporary);
    }
    written
}

/// A name that no checkpoint has, of this process alone.
fn hidden(prefix: &str, name: &str) -> String {
    format!("{prefix}{name}-{}", std::process::id())
}

fn write_files(folder: &Path, files: &[(&str, &[u8])]) -> Result<()> {
    let mut manifest = Manifest::default();
    for (name, content) in files {
        write_file(&folder.join(name), content)?;
        manifest.files.insert(name.to_string(), Entry::of(content));
    }
    write_file(&folder.join(MANIFEST), &manifest.to_json())?;
    sync_folder(folder)
}

/// Writes a file and forces it to disk.
fn write_file(path: &Path, content: &[u8]) -> Result<()> {
    let mut file = File::create(path).during("create", path)?;
    file.write_all(content).during("write", path)?;
    file.sync_all().during("write", path)
}

/// Gives the finished temporary folder its name.
fn publish(checkpoints: &Path, temporary: &Path, name: &str) -> Result<PathBuf> {
    let folder = checkpoints.join(name);
    let replaced = checkpoints.join(hidden(REPLACED, name));
    let replaces = folder.exists();
    if replaces {
        remove_folder(&replaced)?;
        fs::rename(&folder, &replaced).during("rename", &folder)?;
    }
    fs::rename(temporary, &folder).during("rename", temporary)?;
    sync_folder(checkpoints)?;
    if replaces {
        remove_folder(&replaced)?;
    }
    Ok(folder)
}

/// The folder of an update's checkpoint, whether it exists or not.
pub fn folder(checkpoints: &Path, update: u64) -> PathBuf {
    checkpoints.join(update.to_string())
}

/// The updates of all complete checkpoints, in order. Empty if the folder does not exist.
///
/// # Errors
/// A folder that cannot be read.
pub fn list(checkpoints: &Path) -> Result<Vec<u64>> {
    let mut updates = vec![];
    for name in names(checkpoints)? {
        let Ok(update) = name.parse::<u64>() else { continue };
        if update.to_string() == name && checkpoints.join(&name).join(MANIFEST).is_file() {
            updates.push(update);
        }
    }
    updates.sort_unstable();
    Ok(updates)
}

/// Checks every file of a checkpoint against its manifest.
///
/// # Errors
/// [`CheckpointError::Damaged`] names the file that is not what was written, and the newest intact checkpoint beside it.
pub fn verify(checkpoint: &Path) -> Result<Manifest> {
    check(checkpoint).map_err(|error| with_alternative(error, checkpoint))
}

/// Checks one file of a checkpoint: what uses the weights alone does without the optimizer's.
///
/// # Errors
/// As [`verify`]; a manifest that does not name the file.
pub fn verify_file(checkpoint: &Path, name: &str) -> Result<Manifest> {
    let checked = Manifest::read(checkpoint).and_then(|manifest| match manifest.files.get(name) {
        Some(entry) => entry.check(&checkpoint.join(name)).map(|()| manifest),
        None => Err(CheckpointError::Damaged {
            path: checkpoint.into(),
            message: format!("its manifest names no {name}"),
            hint: String::new(),
        }),
    });
    checked.map_err(|error| with_alternative(error, checkpoint))
}

/// Names another checkpoint in the place of a damaged one.
fn with_alternative(error: CheckpointError, checkpoint: &Path) -> CheckpointError {
    match error {
        CheckpointError::Damaged { path, message, .. } => CheckpointError::Damaged {
            path,
            message,
            hint: alternative(checkpoint),
        },
        other => other,
    }
}

fn check(checkpoint: &Path) -> Result<Manifest> {
    let manifest = Manifest::read(checkpoint)?;
    for (name, entry) in &manifest.files {
        entry.check(&checkpoint.join(name))?;
    }
    Ok(manifest)
}

fn alternative(damaged: &Path) -> String {
    let checkpoints = damaged.parent().unwrap_or(Path::new("."));
    let own: Option<u64> = damaged
        .file_name()
        .and_then(OsStr::to_str)
        .and_then(|name| name.parse().ok());
    let others = list(checkpoints).unwrap_or_default();
    match others
        .into_iter()
        .rev()
        .find(|&update| Some(update) != own && check(&folder(checkpoints, update)).is_ok())
    {
        Some(update) => format!("the newest intact checkpoint is {update}: --checkpoint {update}"),
        None => "no other checkpoint of this run is intact; start over with --fresh".into(),
    }
}

/// The newest checkpoint that is intact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resumable {
    /// Its update.
    pub update: u64,
    /// Its folder.
    pub folder: PathBuf,
}

/// Looks for the newest intact checkpoint, to go on from; damaged ones are passed over with a warning each, for the
/// log. A run without checkpoints gives None.
///
/// # Errors
/// A folder that cannot be read; checkpoints of which none is intact.
pub fn find_resumable(checkpoints: &Path) -> Result<(Option<Resumable>, Vec<String>)> {
    let mut warnings = vec![];
    let mut last = None;
    for update in list(checkpoints)?.into_iter().rev() {
        let folder = folder(checkpoints, update);
        match check(&folder) {
            Ok(_) => return Ok((Some(Resumable { update, folder }), warnings)),
            Err(CheckpointError::Damaged { path, message, .. }) => {
                warnings.push(format!(
                    "{}: {message}; going back to an older checkpoint",
                    path.display()
                ));
                last = Some(CheckpointError::Damaged {
                    path,
                    message,
                    hint: alternative(&folder),
                });
            }
            Err(other) => return Err(other),
        }
    }
    last.map_or(Ok((None, warnings)), Err)
}

/// Removes every checkpoint that is not in `keep`.
///
/// # Errors
/// What the system refuses.
pub fn prune(checkpoints: &Path, keep: &BTreeSet<u64>) -> Result<()> {
    for update in list(checkpoints)? {
        if !keep.contains(&update) {
            // First out of sight, so that a half removed checkpoint is never taken for a whole one.
            let doomed = checkpoints.join(hidden(TEMPORARY, &update.to_string()));
            remove_folder(&doomed)?;
            let folder = folder(checkpoints, update);
            fs::rename(&folder, &doomed).during("rename", &folder)?;
            remove_folder(&doomed)?;
        }
    }
    Ok(())
}

/// Removes what dead processes left behind, and brings back a checkpoint that was set aside to be replaced. To be called
/// under the [run lock](super::lock::RunLock): nobody else replaces or prunes then.
///
/// # Errors
/// What the system refuses.
pub fn clean_up(checkpoints: &Path) -> Result<()> {
    for name in names(checkpoints)? {
        let path = checkpoints.join(&name);
        let parts = |prefix| name.strip_prefix(prefix).and_then(|rest: &str| rest.rsplit_once('-'));
        // Unlike a number, an average is written without the lock, possibly just now.
        let is_in_use = |original: &str, process| original.parse::<u64>().is_err() && is_another_live_process(process);
        if let Some((original, process)) = parts(REPLACED) {
            if is_in_use(original, process) {
                continue;
            }
            let home = checkpoints.join(original);
            if !home.exists() && check(&path).is_ok() {
                fs::rename(&path, &home).during("rename", &path)?;
            } else {
                remove_folder(&path)?;
            }
        } else if let Some((original, process)) = parts(TEMPORARY) {
            if is_in_use(original, process) {
                continue;
            }
            if path.is_dir() {
                remove_folder(&path)?
            } else {
                fs::remove_file(&path).during("remove", &path)?
            }
        }
    }
    Ok(())
}

/// Whether a process other than this one has the number; where the system does not say, it is taken for dead.
fn is_another_live_process(number: &str) -> bool {
    number != std::process::id().to_string()
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && Path::new("/proc").join(number).is_dir()
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        entries => entries.during("read", folder)?,
    };
    let mut names = vec![];
    for entry in entries {
        names.extend(entry.during("read", folder)?.file_name().into_string().ok());
    }
    Ok(names)
}

fn remove_folder(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.during("remove", folder),
    }
}

/// Makes names in a folder durable. Systems that cannot open folders do that by themselves.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) {
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .during("write", folder)
    } else {
        Ok(())
    }
}
