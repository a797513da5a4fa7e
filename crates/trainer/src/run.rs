//! A run folder: where everything of a run lies.
//!
//! ```text
//! config.toml  tokenizer.json  data.json  train.log  metrics.jsonl  validations.tsv  events.out.tfevents.*
//! checkpoints/<update>/{model.safetensors, optimizer.safetensors, state.json, manifest.json}
//! checkpoints/average/{model.safetensors, average.json, manifest.json}
//! checkpoints/{best,last}    translations/<split>.<update>.txt    report.html, if `ember plot` was asked for it
//! ```

use std::path::{Path, PathBuf};

use crate::checkpoint::whole::write_whole;
use crate::config::Config;
use crate::error::{Result, TrainerError};

/// The model to be used, in every checkpoint.
pub const MODEL_FILE: &str = "model.safetensors";

/// The paths of a run.
#[derive(Debug, Clone)]
pub struct RunFolder {
    root: PathBuf,
}

impl RunFolder {
    /// Names a folder; nothing is read or made.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The resolved config.
    pub fn config(&self) -> PathBuf {
        self.root.join("config.toml")
    }

    /// The tokenizer, both sides.
    pub fn tokenizer(&self) -> PathBuf {
        self.root.join("tokenizer.json")
    }

    /// What was read, and what was left out.
    pub fn data(&self) -> PathBuf {
        self.root.join("data.json")
    }

    /// Parent of all checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    /// Translations of validation and test corpora.
    pub fn translations(&self) -> PathBuf {
        self.root.join("translations")
    }

    /// Token stores, shared by all runs that stand beside this one.
    pub fn store(&self) -> PathBuf {
        self.root
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."))
            .join(".store")
    }

    /// Writes a split's translation by a checkpoint, one line a sentence.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn write_translation(&self, split: &str, checkpoint: &str, lines: &[String]) -> Result<()> {
        let text: String = lines.iter().map(|line| line.replace('\n', " ") + "\n").collect();
        let folder = self.translations();
        let failed = |source| TrainerError::Run {
            folder: folder.clone(),
            message: format!("cannot be made: {source}"),
            hint: "is there space left, and may you write there?".into(),
        };
        std::fs::create_dir_all(&folder).map_err(failed)?;
        Ok(write_whole(
            &folder.join(format!("{split}.{checkpoint}.txt")),
            text.as_bytes(),
        )?)
    }

    /// Refuses a folder that has files, but none of a run's: it is somebody's, and would be filled or moved aside.
    ///
    /// # Errors
    /// Such a folder; one that cannot be read; a file of that name.
    pub fn refuse_foreign(&self) -> Result<()> {
        let fault = |message: String, hint: &str| TrainerError::Run {
            folder: self.root.clone(),
            message,
            hint: hint.into(),
        };
        if self.root.exists() && !self.root.is_dir() {
            return Err(fault("is a file".into(), "a run is a folder: choose another --run-dir"));
        }
        let own = [self.config(), self.tokenizer(), self.checkpoints(), self.data()];
        if !self.root.exists() || own.iter().any(|path| path.exists()) {
            return Ok(());
        }
        let unreadable = |error| fault(format!("cannot be read: {error}"), "check its permissions");
        for entry in std::fs::read_dir(&self.root).map_err(unreadable)? {
            let name = entry.map_err(unreadable)?.file_name();
            // Locks and temporary files begin with a dot.
            if !name.to_string_lossy().starts_with('.') {
                let message = format!("holds {}, and nothing that a run has", name.display());
                return Err(fault(
                    message,
                    "choose another --run-dir: a new or empty folder, or a run's",
                ));
            }
        }
        Ok(())
    }

    /// The config that a run was started with.
    ///
    /// # Errors
    /// When the folder is no run folder.
    pub fn load_config(&self) -> Result<Config> {
        let path = self.config();
        if !path.is_file() {
            let what = if self.root.is_dir() {
                "is no run folder: it has no config.toml"
            } else {
                "does not exist"
            };
            return Err(TrainerError::Run {
                folder: self.root.clone(),
                message: what.into(),
                hint: "name a folder that `ember train` made, such as runs/<name>".into(),
            });
        }
        Ok(Config::load(&path, &[])?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_somebody_else_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let run = RunFolder::new(folder.path());
        run.refuse_foreign().expect("an empty folder");
        std::fs::write(folder.path().join(".lock"), "").expect("a file");
        run.refuse_foreign().expect("a folder that was locked only");
        std::fs::write(folder.path().join("thesis.txt"), "").expect("a file");
        let refused = run.refuse_foreign().expect_err("somebody's folder").to_string();
        assert!(refused.contains("holds thesis.txt"), "{refused}");
        std::fs::write(run.tokenizer(), "").expect("a file");
        run.refuse_foreign().expect("a run that has not come far");
        let refused = RunFolder::new(folder.path().join("thesis.txt")).refuse_foreign();
        assert!(refused.expect_err("a file").to_string().contains("is a file"));
    }
}
