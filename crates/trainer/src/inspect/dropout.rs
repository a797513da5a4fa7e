//! Dropout rates layer by layer.

use ember_model::config::{Architecture, ModelConfig, Side};
use serde::Serialize;

/// What one layer drops.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerRow {
    /// The layer's module; of a recurrent model, all layers of a side.
    pub layer: String,
    /// Rate on attention weights; absent for a recurrent model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attention: Option<f64>,
    /// Rate behind the feed-forward activation; absent for a recurrent model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feed_forward: Option<f64>,
    /// Rate on a sub-layer's output; of a recurrent model, between layers.
    pub residual: f64,
}

/// The rates of a config that is valid; `None` where all layers drop the same.
pub fn by_layer(config: &ModelConfig) -> Option<Vec<LayerRow>> {
    let rows: Vec<_> = [(Side::Encoder, "encoder"), (Side::Decoder, "decoder")]
        .into_iter()
        .flat_map(|(side, name)| rows_of(config, side, name))
        .collect();
    let rates = |row: &LayerRow| (row.attention, row.feed_forward, row.residual);
    let differ = rows.iter().any(|row| rates(row) != rates(&rows[0]));
    differ.then_some(rows)
}

fn rows_of(config: &ModelConfig, side: Side, name: &str) -> Vec<LayerRow> {
    if config.arch != Architecture::Transformer {
        return vec![LayerRow {
            layer: name.into(),
            attention: None,
            feed_forward: None,
            residual: config.layer_dropout(side, 0).residual,
        }];
    }
    let layers = config.layer_dropouts(side).into_iter().enumerate();
    layers
        .map(|(number, dropout)| LayerRow {
            layer: format!("{name}.layers.{number}"),
            attention: Some(dropout.attention),
            feed_forward: Some(dropout.feed_forward),
            residual: dropout.residual,
        })
        .collect()
}
