//! A trained model, out of a run folder.

use burn::prelude::*;
use ember_data::tokenizer::{Side, Tokenizer};
use ember_model::arch::{Model, Vocabularies};
use ember_model::config::DecodingConfig;
use ember_model::weights::import;

use crate::checkpoint::{files, pointers};
use crate::config::Config;
use crate::console::Console;
use crate::error::{Result, TrainerError};
use crate::run::{MODEL_FILE, RunFolder};
use crate::tag::{self, TaggedLines};
use crate::translate::{Translation, Translator};
use crate::weights_file;

/// A trained model with what it needs to read and write text.
pub struct TrainedModel {
    /// The run's config.
    pub config: Config,
    /// Text to ids and back.
    pub tokenizer: Tokenizer,
    /// Without autodiff.
    pub model: Model,
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
        let model = Model::new(&config.model, vocabularies(&tokenizer), device)?;
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

    /// The id of the tag that a user asks for, if any, for so many lines.
    ///
    /// # Errors
    /// A tag that the model does not know; none where the model needs one.
    pub fn tags(&self, wanted: Option<&str>, lines: usize) -> Result<Vec<Option<u32>>> {
        Ok(vec![
            tag::chosen(&self.tokenizer, &self.config.data.train, wanted)?;
            lines
        ])
    }

    /// Translates lines, with a progress bar and a warning for lines that had to be split.
    ///
    /// # Errors
    /// The user's wish to stop.
    pub fn translate(
        &self,
        lines: TaggedLines<'_>,
        decoding: &DecodingConfig,
        console: &dyn Console,
    ) -> Result<Vec<Translation>> {
        let translator = Translator {
            model: &self.model,
            tokenizer: &self.tokenizer,
            device: &self.device,
            max_length: self.config.data.max_length,
        };
        console.begin("translating", Some(lines.lines.len() as u64));
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
