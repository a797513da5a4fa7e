//! Whole models, one a file, and what they have in common.
//!
//! B batch, S source length, T target length, D model width, R what the output projection reads, V vocabulary.

pub mod recurrent;
mod source;
pub mod transformer;

use burn::prelude::*;
use ember_kernels::output_loss::Projection;

pub use recurrent::Recurrent;
pub use source::{Source, Vocabularies, ids_tensor};
pub use transformer::Transformer;

use crate::attention::AttentionMaps;
use crate::cache::DecoderCache;
use crate::config::{Architecture, ModelConfig, ModelConfigError};
use crate::pass::Pass;
use recurrent::SearchState;

/// A model of any architecture.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // there are few models in a process
pub enum Model {
    /// See [`transformer`].
    Transformer(Transformer),
    /// See [`recurrent`].
    Recurrent(Recurrent),
}

/// What a search has read and written so far.
#[allow(clippy::large_enum_variant)] // as above
pub enum Search {
    /// Keys and values.
    Transformer(DecoderCache),
    /// The states of the cells.
    Recurrent(SearchState),
}

impl Model {
    /// A model with all values zero; [`crate::weights`] initialises or reads them.
    ///
    /// # Errors
    /// When the config cannot work, alone or with these vocabularies.
    pub fn new(config: &ModelConfig, vocabularies: Vocabularies, device: &Device) -> Result<Self, ModelConfigError> {
        Ok(match config.arch {
            Architecture::Transformer => Self::Transformer(Transformer::new(config, vocabularies, device)?),
            Architecture::Rnn | Architecture::RnnAttention => {
                Self::Recurrent(Recurrent::new(config, vocabularies, device)?)
            }
        })
    }

    /// Encoder and decoder, for whole target sentences at once (teacher forcing): `[B * T, R]`, ready for
    /// [`Model::projection`].
    ///
    /// # Shapes
    /// - `target_input`: `[B, T]`, each row `<s>` and the reference
    pub fn forward(&self, source: &Source, target_input: Tensor<2, Int>, pass: &mut Pass) -> Tensor<2> {
        match self {
            Self::Transformer(model) => model.forward(source, target_input, pass),
            Self::Recurrent(model) => model.forward(source, target_input, pass),
        }
    }

    /// The output projection.
    pub fn projection(&self) -> Projection {
        match self {
            Self::Transformer(model) => model.projection(),
            Self::Recurrent(model) => model.projection(),
        }
    }

    /// The output projection as a matrix: `[R, V_target]`.
    pub fn output_weight(&self) -> Tensor<2> {
        self.projection().weight()
    }

    /// Entries of the target vocabulary.
    pub fn target_vocabulary(&self) -> usize {
        let [_, entries] = self.output_weight().dims();
        entries
    }

    /// Prepares a search: what depends on the source alone is computed here, once a sentence.
    ///
    /// `beam` rows stand for each source sentence; `max_length` is the longest output in tokens.
    pub fn start(&self, source: &Source, beam: usize, max_length: usize) -> Search {
        match self {
            Self::Transformer(model) => Search::Transformer(model.start(source, beam, max_length)),
            Self::Recurrent(model) => Search::Recurrent(model.start(source, beam)),
        }
    }

    /// One step of the search: logits of the next token for each row.
    ///
    /// # Shapes
    /// - `tokens`: `[B * beam]`, the token each row ends in
    /// - result: `[B * beam, V_target]`
    ///
    /// # Panics
    /// When the search was started by a model of another architecture.
    pub fn step(&self, tokens: &[u32], search: &mut Search) -> Tensor<2> {
        match (self, search) {
            (Self::Transformer(model), Search::Transformer(cache)) => model.step(tokens, cache),
            (Self::Recurrent(model), Search::Recurrent(state)) => model.step(tokens, state),
            _ => panic!("a search of another architecture"),
        }
    }

    /// How many maps of attention over the source there are: decoder layers and heads. `None` for a model without.
    pub fn attention_maps(&self) -> Option<[usize; 2]> {
        match self {
            Self::Transformer(model) => Some(model.attention_maps()),
            Self::Recurrent(model) => model.has_attention().then_some([1, 1]),
        }
    }

    /// Every map of attention for given sentence pairs.
    ///
    /// # Shapes
    /// - `target_input`: `[B, T]`, each row `<s>` and the target
    pub fn attention(&self, source: &Source, target_input: Tensor<2, Int>) -> AttentionMaps {
        match self {
            Self::Transformer(model) => model.attention(source, target_input),
            Self::Recurrent(model) => model.attention(source, target_input),
        }
    }
}

impl Search {
    /// Makes row i continue what row `order[i]` holds.
    pub fn reorder(&mut self, order: &[usize]) {
        if order.iter().copied().eq(0..order.len()) {
            return;
        }
        match self {
            Self::Transformer(cache) => cache.reorder(order),
            Self::Recurrent(state) => state.reorder(order),
        }
    }

    /// Keeps the given sentences with all their beams, in this order, and forgets the others.
    pub fn keep(&mut self, sentences: &[usize]) {
        match self {
            Self::Transformer(cache) => cache.keep(sentences),
            Self::Recurrent(state) => state.keep(sentences),
        }
    }
}
