//! A trained model, out of a run folder.

use burn::prelude::*;
use ember_data::tokenizer::{Side, Tokenizer};
use ember_model::arch::{Model, Vocabularies};
use ember_model::config::DecodingConfig;
use ember_model::search::Sampling;

use crate::config::Config;
use crate::console::Console;
use crate::error::Result;
use crate::member::{self, Home};
use crate::run::RunFolder;
use crate::tag::{self, TaggedLines};
use crate::translate::{Translation, Translator};

/// A trained model with what it needs to read and write text, or several that translate together.
pub struct TrainedModel {
    /// The run's config.
    pub config: Config,
    /// Text to ids and back.
    pub tokenizer: Tokenizer,
    /// Without autodiff.
    pub model: Model,
    /// The other members of an ensemble, of any architecture; none for a model alone.
    pub others: Vec<Model>,
    /// Where the models lie.
    pub device: Device,
    /// The members' checkpoints: an update's number or `average`, and for one of another run its name before it, as in
    /// `wide@1200`.
    pub checkpoints: Vec<String>,
    /// BLAKE3 sums of the members' weights, in the same order.
    pub models_blake3: Vec<String>,
}

impl TrainedModel {
    /// Reads a run's model. `checkpoint` is `best`, `last`, `average`, an update's number or a folder; or several of
    /// these with commas between them, which make an ensemble.
    ///
    /// A folder may be of another run, with any model for the same vocabularies. All else, such as how long a source may
    /// be, is as the first run has it.
    ///
    /// # Errors
    /// When something is missing, damaged, or does not fit together.
    pub fn load(run: &RunFolder, checkpoint: &str, device: &Device) -> Result<Self> {
        let config = run.load_config()?;
        let tokenizer = Tokenizer::load(&run.tokenizer())?;
        let home = Home {
            run,
            config: &config,
            tokenizer: &tokenizer,
            device,
        };
        let (mut models, mut checkpoints, mut models_blake3) = (Vec::new(), Vec::new(), Vec::new());
        for name in member::names(checkpoint) {
            let member = home.read(name)?;
            models.push(member.model);
            checkpoints.push(member.checkpoint);
            models_blake3.push(member.model_blake3);
        }
        Ok(Self {
            model: models.remove(0),
            others: models,
            config,
            tokenizer,
            device: device.clone(),
            checkpoints,
            models_blake3,
        })
    }

    /// All members of the ensemble; the model where it is alone.
    pub fn members(&self) -> impl Iterator<Item = &Model> {
        std::iter::once(&self.model).chain(&self.others)
    }

    /// All checkpoints as one name, such as `1200+1600`.
    pub fn checkpoint(&self) -> String {
        self.checkpoints.join("+")
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
        self.shown(lines, console, |translator| {
            translator.translate(lines, decoding, console)
        })
    }

    /// Draws translations of lines; in all else as [`TrainedModel::translate`].
    ///
    /// # Errors
    /// The user's wish to stop.
    pub fn sample(
        &self,
        lines: TaggedLines<'_>,
        decoding: &DecodingConfig,
        sampling: &Sampling,
        console: &dyn Console,
    ) -> Result<Vec<Translation>> {
        self.shown(lines, console, |translator| {
            translator.sample(lines, decoding, sampling, console)
        })
    }

    fn shown(
        &self,
        lines: TaggedLines<'_>,
        console: &dyn Console,
        translate: impl FnOnce(Translator<'_>) -> Result<Vec<Translation>>,
    ) -> Result<Vec<Translation>> {
        console.begin("translating", Some(lines.lines.len() as u64));
        let found = translate(Translator {
            model: &self.model,
            others: &self.others,
            tokenizer: &self.tokenizer,
            device: &self.device,
            max_length: self.config.data.max_length,
        });
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
