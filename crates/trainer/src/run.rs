//! A run folder: where everything of a run lies, and how a trained model comes back out of it.
//!
//! ```text
//! config.toml  tokenizer.json  data.json  train.log  metrics.jsonl  validations.tsv  events.out.tfevents.*
//! checkpoints/<update>/{model.safetensors, optimizer.safetensors, state.json, manifest.json}
//! checkpoints/average/{model.safetensors, average.json, manifest.json}
//! checkpoints/{best,last}    translations/<split>.<update>.txt
//! ```

use std::path::{Path, PathBuf};

use burn::prelude::*;
use ember_data::tokenizer::{Side, Tokenizer};
use ember_model::arch::{Transformer, Vocabularies};
use ember_model::config::DecodingConfig;
use ember_model::weights::import;

use crate::checkpoint::whole::write_whole;
use crate::checkpoint::{files, pointers};
use crate::config::Config;
use crate::console::Console;
use crate::error::{Result, TrainerError};
use crate::translate::{Translation, Translator};
use crate::weights_file;

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

/// A trained model with what it needs to read and write text.
pub struct TrainedModel {
    /// The run's config.
    pub config: Config,
    /// Text to ids and back.
    pub tokenizer: Tokenizer,
    /// Without autodiff.
    pub model: Transformer,
    /// Where the model lies.
    pub device: Device,
    /// The checkpoint's folder name: an update's number or `average`.
    pub checkpoint: String,
}

impl TrainedModel {
    /// Reads a run's model. `checkpoint` is `best`, `last`, `average`, an update's number or a folder.
    ///
    /// # Errors
    /// When something is missing, damaged, or does not fit together.
    pub fn load(run: &RunFolder, checkpoint: &str, device: &Device) -> Result<Self> {
        let config = run.load_config()?;
        let tokenizer = Tokenizer::load(&run.tokenizer())?;
        let folder = pointers::resolve(run.root(), checkpoint)?;
        files::verify(&folder)?;
        let weights = weights_file::read(&folder.join(MODEL_FILE))?;
        let model = Transformer::new(&config.model, vocabularies(&tokenizer), device)?;
        let model = import(model, weights).map_err(|fault| TrainerError::Run {
            folder: folder.clone(),
            message: fault.to_string(),
            hint: "the checkpoint belongs to another config.toml or tokenizer.json".into(),
        })?;
        let checkpoint = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self {
            config,
            tokenizer,
            model,
            device: device.clone(),
            checkpoint,
        })
    }
}

impl TrainedModel {
    /// Translates lines, with a progress bar and a warning for lines that had to be split.
    ///
    /// # Errors
    /// The user's wish to stop.
    pub fn translate(
        &self,
        lines: &[String],
        decoding: &DecodingConfig,
        console: &dyn Console,
    ) -> Result<Vec<Translation>> {
        let translator = Translator {
            model: &self.model,
            tokenizer: &self.tokenizer,
            device: &self.device,
            max_length: self.config.data.max_length,
        };
        console.begin("translating", Some(lines.len() as u64));
        let found = translator.translate(lines, decoding, console);
        console.finish();
        let found = found?;
        for (index, line) in found.iter().enumerate().filter(|(_, line)| line.parts > 1) {
            console.message(&format!(
                "warning: line {} is longer than data.max_length {}: translated in {} parts",
                index + 1,
                self.config.data.max_length,
                line.parts
            ));
        }
        Ok(found)
    }
}

/// The sizes of a tokenizer's vocabularies.
pub fn vocabularies(tokenizer: &Tokenizer) -> Vocabularies {
    Vocabularies {
        source: tokenizer.vocabulary_size(Side::Source),
        target: tokenizer.vocabulary_size(Side::Target),
        shared: tokenizer.is_shared(),
    }
}
