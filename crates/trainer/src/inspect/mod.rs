//! What can be known of a training before its first update: sizes, words, memory, the learning rate.
//!
//! ```text
//! parameters  the model's parameters, module by module
//! dropout     its dropout rates, where layers differ
//! corpus      what the training text tells: tokenizer, batches, coverage; nothing stays on disk
//! vocabulary  the two sides' pieces, and how well they cover the text
//! memory/     a forecast of the memory that training takes at most
//! schedule    the learning rate over all updates
//! ```

pub mod corpus;
pub mod dropout;
pub mod memory;
pub mod parameters;
pub mod schedule;
pub mod vocabulary;

use ember_data::Progress;
use ember_model::config::{Architecture, PositionMerge};
use serde::Serialize;

use crate::bench::vocabularies_of_config;
use crate::config::Config;
use crate::error::Result;
use crate::run::RunFolder;
use crate::trained::vocabularies;
use corpus::Corpus;
use dropout::LayerRow;
use memory::{BatchShape, BatchSource, Forecast, Texts, Update};
use parameters::Parameters;
use schedule::LearningRates;
use vocabulary::Vocabulary;

/// What to look at.
pub struct InspectOptions {
    /// The model and its training.
    pub config: Config,
    /// Where its tokenizer lies, if it was trained already.
    pub run: Option<RunFolder>,
    /// Forecast the memory of batches of sentences of so many tokens on both sides, `</s>` counted, instead of those of
    /// the corpus.
    pub length: Option<usize>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// The config's.
    pub name: String,
    /// The architecture.
    pub arch: Architecture,
    /// The model's parameters.
    pub parameters: Parameters,
    /// What each layer drops; absent where all drop the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropout: Option<Vec<LayerRow>>,
    /// What text becomes.
    pub vocabulary: Vocabulary,
    /// Memory that training takes at most.
    pub memory: Forecast,
    /// The sinusoidal positions; absent for a model without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub positions: Option<Positions>,
    /// The learning rate over all updates.
    pub schedule: LearningRates,
}

/// How a Transformer's positions meet its embeddings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Positions {
    /// Added, or beside them.
    pub merge: PositionMerge,
    /// Numbers of a position.
    pub width: usize,
    /// Positions that training sees: `data.max_length`, a tag where there are some, and `</s>`.
    pub longest: usize,
}

/// Looks. The corpus is read if it is there; what is made of it lies in a temporary folder until this returns.
///
/// # Errors
/// A config that cannot work, a corpus or tokenizer that is damaged, or the user's wish to stop. A corpus that is not there
/// is none: less is found then.
pub fn inspect(options: &InspectOptions, progress: &dyn Progress) -> Result<Inspection> {
    let config = &options.config;
    let corpus = Corpus::open(config, options.run.as_ref(), progress)?;
    let vocabularies = corpus
        .tokenizer
        .as_ref()
        .map_or_else(|| vocabularies_of_config(config), |tokenizer| vocabularies(tokenizer));
    let parameters = Parameters::count(&config.model, vocabularies)?;
    let update = Update::new(config, vocabularies, parameters.total);
    let (batch, source) = match options.length {
        Some(length) => (update.batch_of(length), BatchSource::Length),
        None => match corpus.batches.iter().max_by_key(|batch| update.peak(**batch)) {
            Some(batch) => (*batch, BatchSource::Corpus),
            None => (longest_batch(config, &update), BatchSource::Longest),
        },
    };
    let texts = Texts::new(&corpus, config, batch.source_length);
    let averages = corpus.averages(config);
    Ok(Inspection {
        name: config.name.clone(),
        arch: config.model.arch,
        memory: update.forecast(batch, source, &texts),
        parameters,
        dropout: dropout::by_layer(&config.model),
        vocabulary: Vocabulary::describe(config, &corpus, vocabularies),
        positions: positions(config),
        schedule: LearningRates::new(config, averages),
    })
}

/// Tokens of the longest source that training sees: `data.max_length`, a tag and `</s>`.
fn longest_source(config: &Config) -> usize {
    let has_tags = !config.data.train.tags().is_empty();
    config.data.max_length + usize::from(has_tags) + 1
}

/// A full batch of sentences as long as `data.max_length` allows.
fn longest_batch(config: &Config, update: &Update) -> BatchShape {
    BatchShape {
        source_length: longest_source(config),
        ..update.batch_of(config.data.max_length + 1)
    }
}

fn positions(config: &Config) -> Option<Positions> {
    (config.model.arch == Architecture::Transformer).then(|| Positions {
        merge: config.model.position_merge,
        width: config.model.embedding_width(),
        longest: longest_source(config),
    })
}
