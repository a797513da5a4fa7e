//! The manifest of a checkpoint: size and BLAKE3 sum of each of its files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{CheckpointError, During, Result};

/// Name of the manifest's own file.
pub const MANIFEST: &str = "manifest.json";

/// Version of the checkpoint's form; an older program refuses a newer one.
pub const FORMAT: u32 = 1;

/// The files of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the checkpoint's form.
    pub format: u32,
    /// Version of the program that wrote it.
    pub program: String,
    /// The files by name.
    pub files: BTreeMap<String, Entry>,
}

/// What one file of a checkpoint must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Size in bytes.
    pub bytes: u64,
    /// BLAKE3 sum in hexadecimal digits.
    pub blake3: String,
}

impl Default for Manifest {
    fn default() -> Self {
        Self {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").into(),
            files: BTreeMap::new(),
        }
    }
}

impl Manifest {
    /// Reads the manifest of a checkpoint; the files are not looked at.
    ///
    /// # Errors
    /// A folder that is no checkpoint, a manifest that cannot be read or was written by a newer version.
    pub fn read(checkpoint: &Path) -> Result<Self> {
        let path = checkpoint.join(MANIFEST);
        let damaged = |message: String| CheckpointError::Damaged {
            path: path.clone(),
            message,
            hint: "choose another one of the run by --checkpoint".into(),
        };
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(CheckpointError::Missing {
                    path: checkpoint.into(),
                    message: format!("there is no checkpoint here ({MANIFEST} is missing)"),
                    hint: "a checkpoint is a folder such as runs/<name>/checkpoints/<update>".into(),
                });
            }
            text => text.during("read", &path)?,
        };
        let manifest: Self = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        if manifest.format > FORMAT {
            let (format, program) = (manifest.format, manifest.program);
            return Err(damaged(format!(
                "version {program} wrote it in format {format}, this one reads up to {FORMAT}"
            )));
        }
        if let Some(name) = manifest
            .files
            .keys()
            .find(|name| name.contains(['/', '\\']) || name.starts_with('.'))
        {
            return Err(damaged(format!("{name:?} is not the name of a file in the checkpoint")));
        }
        Ok(manifest)
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).expect("a manifest has a form in JSON");
        text.push(b'\n');
        text
    }
}

impl Entry {
    pub(super) fn of(content: &[u8]) -> Self {
        Self {
            bytes: content.len() as u64,
            blake3: blake3::hash(content).to_hex().to_string(),
        }
    }

    /// Whether the file is what was written.
    pub(super) fn check(&self, path: &Path) -> Result<()> {
        let damaged = |message: String| CheckpointError::Damaged {
            path: path.into(),
            message,
            hint: String::new(),
        };
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(damaged("the file is missing".into())),
            file => file.during("read", path)?,
        };
        let bytes = file.metadata().during("read", path)?.len();
        if bytes != self.bytes {
            return Err(damaged(format!("it has {bytes} bytes, {} were written", self.bytes)));
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(file).during("read", path)?;
        let sum = hasher.finalize();
        if sum.to_hex().as_str() != self.blake3 {
            return Err(damaged(format!(
                "its BLAKE3 sum is {sum}, that of what was written {}",
                self.blake3
            )));
        }
        Ok(())
    }
}
