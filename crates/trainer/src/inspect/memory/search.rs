//! What the search keeps while it translates the texts of a validation.

use ember_model::config::{Architecture, DecodingConfig, ModelConfig};
use ember_model::search::{max_output_length, most_at_once};

use super::super::corpus::Corpus;
use super::Numbers;
use crate::config::Config;

/// Lines of a validation text that is not there.
const USUAL_LINES: usize = 1_000;

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
            lengths = vec![length - 1; (decoding.batch_tokens / length + 1).min(USUAL_LINES)];
        }
        lengths.sort_unstable_by(|one, other| other.cmp(one));
        Self { lengths, decoding }
    }

    /// Numbers of the batch that takes most.
    pub fn most(&self, model: &ModelConfig, target_vocabulary: usize) -> Numbers {
        let mut rest = &self.lengths[..];
        let mut most = 0;
        while let Some(&longest) = rest.first() {
            let fits = most_at_once(&self.decoding, target_vocabulary, longest).min(rest.len());
            let kept = match model.arch {
                Architecture::Transformer => self.keys_and_values(model, fits, longest),
                Architecture::Rnn | Architecture::RnnAttention => self.states(model, fits, longest),
            };
            // Logits, and their copy for the choice of the best.
            let logits = 2 * self.rows(fits) * target_vocabulary as Numbers;
            most = most.max(kept + logits);
            rest = &rest[fits..];
        }
        most
    }

    /// Rows of the decoder, every beam of every sentence.
    fn rows(&self, sentences: usize) -> Numbers {
        sentences as Numbers * self.decoding.beam as Numbers
    }

    /// Keys and values of all decoder layers, of the output so far for every beam, and of the source; and a copy of one
    /// layer's keys while beams change places.
    fn keys_and_values(&self, model: &ModelConfig, sentences: usize, longest: usize) -> Numbers {
        let [layers, width, count] = [model.decoder_layers, model.d_model, sentences].map(|size| size as Numbers);
        let output = self.rows(sentences) * max_output_length(&self.decoding, longest) as Numbers * width;
        let source = count * (longest as Numbers + 1) * width;
        2 * layers * (output + source) + output
    }

    /// Hidden and inner states of all layers, and with attention the encoder's outputs as they are and mapped.
    fn states(&self, model: &ModelConfig, sentences: usize, longest: usize) -> Numbers {
        let [layers, width, count] = [model.decoder_layers, model.d_model, sentences].map(|size| size as Numbers);
        let states = 2 * layers * self.rows(sentences) * width;
        let source = count * (longest as Numbers + 1) * width;
        match model.arch {
            Architecture::RnnAttention => states + 2 * source,
            _ => states,
        }
    }
}
