//! What the search keeps while it translates the texts of a validation.

use ember_model::config::{Architecture, DecodingConfig, ModelConfig};
use ember_model::search::{max_output_length, most_at_once};

use super::super::corpus::Corpus;
use crate::config::Config;

/// The texts that are translated during training, by length.
pub struct Texts {
    /// Tokens of the source sentences, `</s>` not counted, longest first.
    lengths: Vec<usize>,
    decoding: DecodingConfig,
}

impl Texts {
    /// The validation text; where it is not there, sentences of `length` tokens.
    pub fn new(corpus: &Corpus, config: &Config, length: usize) -> Self {
        let decoding = DecodingConfig {
            beam: config.validation.beam,
            ..config.decoding.clone()
        };
        let mut lengths = corpus.valid_lengths.clone();
        if lengths.is_empty() {
            lengths = vec![length - 1; decoding.batch_tokens / length + 1];
        }
        lengths.sort_unstable_by(|one, other| other.cmp(one));
        Self { lengths, decoding }
    }

    /// Numbers of the batch that takes most.
    pub fn most(&self, model: &ModelConfig, target_vocabulary: usize) -> usize {
        let mut rest = &self.lengths[..];
        let mut most = 0;
        while let Some(&longest) = rest.first() {
            let fits = most_at_once(&self.decoding, target_vocabulary, longest).min(rest.len());
            let kept = match model.arch {
                Architecture::Transformer => self.keys_and_values(model, fits, longest),
                Architecture::Rnn | Architecture::RnnAttention => self.states(model, fits, longest),
            };
            // Logits, and their copy for the choice of the best.
            let logits = 2 * fits * self.decoding.beam * target_vocabulary;
            most = most.max(kept + logits);
            rest = &rest[fits..];
        }
        most
    }

    /// Keys and values of all decoder layers, of the output so far for every beam, and of the source; and a copy of one
    /// layer's keys while beams change places.
    fn keys_and_values(&self, model: &ModelConfig, sentences: usize, longest: usize) -> usize {
        let rows = sentences * self.decoding.beam;
        let output = rows * max_output_length(&self.decoding, longest) * model.d_model;
        let source = sentences * (longest + 1) * model.d_model;
        2 * model.decoder_layers * (output + source) + output
    }

    /// Hidden and inner states of all layers, and with attention the encoder's outputs as they are and mapped.
    fn states(&self, model: &ModelConfig, sentences: usize, longest: usize) -> usize {
        let rows = sentences * self.decoding.beam;
        let states = 2 * model.decoder_layers * rows * model.d_model;
        let source = (longest + 1) * model.d_model;
        match model.arch {
            Architecture::RnnAttention => states + 2 * sentences * source,
            _ => states,
        }
    }
}
