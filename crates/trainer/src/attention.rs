//! What translations looked at, for people to look into.
//!
//! Every map of every layer and head, of each line's best translation; docs/ATTENTION.md describes the file:
//!
//! ```text
//! {"layers": L, "heads": H, "lines": [{
//!     "source":  [S pieces],      the last is </s>
//!     "target":  [T pieces],      the last is </s>
//!     "weights": [L][H][T][S],    of the decoder over the source
//!     "encoder": [E][H][S][S],    encoder self-attention, E encoder layers
//!     "decoder": [L][H][T][T]     decoder self-attention, nothing above the diagonal
//! }, …]}
//! ```
//!
//! Row t belongs to the step that writes target piece t. What the decoder reads there, and looks back at, is `<s>` and
//! the target pieces before the last: see [`LineAttention::decoder_input`]. Every row adds up to 1. A line that was
//! empty or translated in parts is `null`; recurrent models have no `encoder` and no `decoder`.

use burn::prelude::*;
use ember_data::tokenizer::Side;
use ember_model::BOS;
use ember_model::arch::ids_tensor;
use ember_model::search::pad_sources;
use ember_model::weights::host_values;
use serde::Serialize;

use crate::config::ConfigError;
use crate::error::{Result, TrainerError};
use crate::trained::TrainedModel;
use crate::translate::{CandidateTokens, Translation};

/// The attention of several lines.
#[derive(Debug, Clone, Serialize)]
pub struct Attention {
    /// Decoder layers.
    pub layers: usize,
    /// Heads of each.
    pub heads: usize,
    /// One a line.
    pub lines: Vec<Option<LineAttention>>,
}

/// `[layer][head][query][key]`.
pub type Maps = Vec<Vec<Vec<Vec<f32>>>>;

/// The attention of a line's best translation.
#[derive(Debug, Clone, Serialize)]
pub struct LineAttention {
    /// Source pieces and `</s>`.
    pub source: Vec<String>,
    /// Output pieces and `</s>`.
    pub target: Vec<String>,
    /// Of the decoder over the source.
    pub weights: Maps,
    /// Encoder self-attention.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub encoder: Maps,
    /// Decoder self-attention.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub decoder: Maps,
}

impl LineAttention {
    /// What the decoder reads: `<s>` and the target pieces before the last.
    pub fn decoder_input(&self) -> Vec<String> {
        let before_last = &self.target[..self.target.len() - 1];
        std::iter::once("<s>".into())
            .chain(before_last.iter().cloned())
            .collect()
    }
}

/// Decoder layers and heads of a model's attention over the source.
///
/// # Errors
/// When it has none, or when several models translate together, each with maps of its own.
pub fn attention_maps(trained: &TrainedModel) -> Result<[usize; 2]> {
    if !trained.others.is_empty() {
        return Err(TrainerError::Ensemble {
            members: trained.checkpoints.len(),
            message: "each attends in its own way".into(),
            hint: "name one checkpoint to see its attention".into(),
        });
    }
    let hint = "models of arch rnn-attention and transformer have some";
    let none = || ConfigError::invalid("model.arch", "this model has no attention to show", hint);
    Ok(trained.model.attention_maps().ok_or_else(none)?)
}

/// The attention of each line's best translation, of a model with so many layers and heads.
pub fn attention_of(trained: &TrainedModel, [layers, heads]: [usize; 2], translations: &[Translation]) -> Attention {
    let line = |translation: &Translation| {
        let tokens = translation.candidates.first()?.tokens.as_ref()?;
        (!tokens.source.is_empty()).then(|| line_attention(trained, tokens))
    };
    Attention {
        layers,
        heads,
        lines: translations.iter().map(line).collect(),
    }
}

fn line_attention(trained: &TrainedModel, tokens: &CandidateTokens) -> LineAttention {
    let pieces = |side, ids: &[u32]| {
        let mut pieces = trained.tokenizer.pieces(side, ids);
        pieces.push("</s>".into());
        pieces
    };
    let input = [&[BOS], &tokens.target[..]].concat();
    let input = ids_tensor(&input, [1, input.len()], &trained.device);
    let source = pad_sources(&[&tokens.source], &trained.device);
    let maps = trained.model.attention(&source, input);
    LineAttention {
        source: pieces(Side::Source, &tokens.source),
        target: pieces(Side::Target, &tokens.target),
        weights: nested(maps.cross),
        encoder: nested(maps.encoder),
        decoder: nested(maps.decoder),
    }
}

/// Tensors of `[1, H, T, S]` as lists.
fn nested(layers: Vec<Tensor<4>>) -> Maps {
    let lists = |map: Tensor<4>| {
        let [_, _, queries, keys] = map.dims();
        let rows: Vec<Vec<f32>> = host_values(map).chunks(keys).map(<[f32]>::to_vec).collect();
        rows.chunks(queries).map(<[Vec<f32>]>::to_vec).collect()
    };
    layers.into_iter().map(lists).collect()
}
