//! The checkpoints that a user names, each read as a model: of the run itself or, for an ensemble, of another one.

use std::path::{Path, PathBuf};

use burn::prelude::*;
use ember_data::tokenizer::{Side, Tokenizer};
use ember_model::arch::Model;
use ember_model::weights::import;

use crate::checkpoint::manifest::Manifest;
use crate::checkpoint::{files, pointers};
use crate::config::Config;
use crate::error::{Result, TrainerError};
use crate::run::{MODEL_FILE, RunFolder};
use crate::trained::vocabularies;
use crate::weights_file;

/// The run that checkpoints are named from.
pub struct Home<'a> {
    /// Its folder.
    pub run: &'a RunFolder,
    /// Its config.
    pub config: &'a Config,
    /// Its vocabularies, which every member shares.
    pub tokenizer: &'a Tokenizer,
    /// Where the models will lie.
    pub device: &'a Device,
}

/// A model out of a checkpoint.
pub struct Member {
    /// Without autodiff.
    pub model: Model,
    /// The checkpoint's name, as [`Place`] has it.
    pub checkpoint: String,
    /// BLAKE3 sum of the weights.
    pub model_blake3: String,
}

/// Where a checkpoint that a user names lies.
pub struct Place {
    /// Its folder.
    pub folder: PathBuf,
    /// Its folder's name, and for one of another run that run's name before it, as in `wide@1200`.
    pub name: String,
    /// The run that it belongs to, where that is another one.
    other: Option<RunFolder>,
}

/// The checkpoints in a list with commas. A folder that has a comma in its own name is one.
pub fn names(checkpoints: &str) -> Vec<&str> {
    match Path::new(checkpoints).is_dir() {
        true => vec![checkpoints],
        false => checkpoints.split(',').map(str::trim).collect(),
    }
}

impl Place {
    /// Finds `best`, `last`, `average`, an update's number or a folder.
    ///
    /// # Errors
    /// A checkpoint that does not exist.
    pub fn find(run: &RunFolder, checkpoint: &str) -> Result<Self> {
        let folder = pointers::resolve(run.root(), checkpoint)?;
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let other = other_run(run, &folder);
        let name = match &other {
            None => name,
            Some(other) => format!("{}@{name}", name_of(other)),
        };
        Ok(Self { folder, name, other })
    }
}

/// BLAKE3 sum of a checkpoint's weights, as its manifest has it.
pub fn model_blake3(manifest: &Manifest) -> String {
    let entry = manifest.files.get(MODEL_FILE);
    entry.map_or_else(String::new, |entry| entry.blake3.clone())
}

impl Home<'_> {
    /// Reads `best`, `last`, `average`, an update's number or a folder.
    ///
    /// # Errors
    /// When something is missing or damaged, or belongs to a run with other vocabularies.
    pub fn read(&self, checkpoint: &str) -> Result<Member> {
        let Place { folder, name, other } = Place::find(self.run, checkpoint)?;
        let manifest = files::verify_file(&folder, MODEL_FILE)?;
        let config = match other {
            None => self.config.model.clone(),
            Some(other) => {
                self.check_vocabularies(&other)?;
                other.load_config()?.model
            }
        };
        let weights = weights_file::read(&folder.join(MODEL_FILE))?;
        let model = Model::new(&config, vocabularies(self.tokenizer), self.device)?;
        let model = import(model, weights).map_err(|fault| TrainerError::Run {
            folder: folder.clone(),
            message: fault.to_string(),
            hint: "the checkpoint belongs to another config.toml or tokenizer.json".into(),
        })?;
        Ok(Member {
            model,
            checkpoint: name,
            model_blake3: model_blake3(&manifest),
        })
    }

    /// Ids must mean the same to all members, and text be cut alike.
    fn check_vocabularies(&self, other: &RunFolder) -> Result<()> {
        let theirs = Tokenizer::load(&other.tokenizer())?;
        if theirs.fingerprint() == self.tokenizer.fingerprint() {
            return Ok(());
        }
        let sizes = |tokenizer: &Tokenizer| {
            let [source, target] = [Side::Source, Side::Target].map(|side| tokenizer.vocabulary_size(side));
            format!("{source} source and {target} target entries")
        };
        let (here, there) = (sizes(self.tokenizer), sizes(&theirs));
        let difference = match here == there {
            true => format!("{there}, as many but not the same"),
            false => format!("{there} instead of {here}"),
        };
        Err(TrainerError::Run {
            folder: other.root().to_owned(),
            message: format!(
                "has other vocabularies than {}: {difference}",
                self.run.root().display()
            ),
            hint: "only models with the same tokenizer.json translate together; runs learn the same one from the same \
                   training text with the same [tokenizer] section"
                .into(),
        })
    }
}

/// The run that a checkpoint's folder lies in, where it is not this one. A checkpoint that was copied out of its run is
/// read as one of this run.
fn other_run(run: &RunFolder, checkpoint: &Path) -> Option<RunFolder> {
    let root = |path: &Path| path.canonicalize().ok();
    let checkpoints = root(checkpoint)?.parent()?.to_owned();
    let other = RunFolder::new(checkpoints.parent()?);
    let is_run = other.checkpoints() == checkpoints && other.config().is_file();
    (is_run && root(run.root()).as_deref() != Some(other.root())).then_some(other)
}

/// A run's folder name, as it may stand in the name of a file before an ending.
fn name_of(run: &RunFolder) -> String {
    let name = run.root().file_name().map(PathBuf::from).unwrap_or_default();
    name.to_string_lossy().replace('.', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_part_checkpoints_but_not_the_name_of_a_folder() {
        assert_eq!(names("best"), ["best"]);
        assert_eq!(names("1200, 1600,average"), ["1200", "1600", "average"]);
        assert_eq!(names("1200,"), ["1200", ""]);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a,b");
        std::fs::create_dir(&path).expect("a folder");
        let path = path.to_str().expect("UTF-8");
        assert_eq!(names(path), [path]);
    }
}
