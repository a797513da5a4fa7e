//! Cross-attention weights of translations, for people to look into.
//!
//! `{"layers": L, "heads": H, "lines": [{"source": [S pieces], "target": [T pieces], "weights": [L][H][T][S]}, …]}`.
//! The target's pieces and rows end in `</s>`, and so do the source's pieces and columns; every row adds up to 1. A line
//! that was empty or translated in parts is `null`.

use burn::prelude::*;
use ember_data::tokenizer::Side;
use ember_model::BOS;
use ember_model::arch::ids_tensor;
use ember_model::search::pad_sources;
use ember_model::weights::host_values;
use serde::Serialize;

use crate::config::ConfigError;
use crate::error::Result;
use crate::trained::TrainedModel;
use crate::translate::{CandidateTokens, Translation};

/// The attention of several lines.
#[derive(Debug, Serialize)]
pub struct Attention {
    /// Decoder layers.
    pub layers: usize,
    /// Heads of each.
    pub heads: usize,
    /// One a line.
    pub lines: Vec<Option<LineAttention>>,
}

/// The attention of a line's best translation.
#[derive(Debug, Serialize)]
pub struct LineAttention {
    /// Source pieces and `</s>`.
    pub source: Vec<String>,
    /// Output pieces and `</s>`.
    pub target: Vec<String>,
    /// `[layer][head][target][source]`.
    pub weights: Vec<Vec<Vec<Vec<f32>>>>,
}

/// Decoder layers and heads of a model's attention over the source.
///
/// # Errors
/// When it has none.
pub fn attention_maps(trained: &TrainedModel) -> Result<[usize; 2]> {
    let hint = "models of arch rnn-attention and transformer have some";
    let none = || ConfigError::invalid("model.arch", "this model has no attention to show", hint);
    Ok(trained.model.attention_maps().ok_or_else(none)?)
}

/// The cross-attention of each line's best translation, of a model with so many layers and heads.
pub fn attention_json(trained: &TrainedModel, [layers, heads]: [usize; 2], translations: &[Translation]) -> Attention {
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
    let maps = trained.model.cross_attention(&source, input);
    LineAttention {
        source: pieces(Side::Source, &tokens.source),
        target: pieces(Side::Target, &tokens.target),
        weights: maps.into_iter().map(nested).collect(),
    }
}

/// `[1, H, T, S]` as lists.
fn nested(map: Tensor<4>) -> Vec<Vec<Vec<f32>>> {
    let [_, _, target, source] = map.dims();
    let rows: Vec<Vec<f32>> = host_values(map).chunks(source).map(<[f32]>::to_vec).collect();
    rows.chunks(target).map(<[Vec<f32>]>::to_vec).collect()
}
