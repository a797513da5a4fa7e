//! Dropout rates of the `[model]` section: one for all layers, one a layer, or other ones in the encoder and the decoder.
//!
//! ```toml
//! dropout = 0.1
//! residual_dropout = [0.1, 0.1, 0.2]                              # as many as layers on both sides, from the input up
//! attention_dropout = { encoder = 0.1, decoder = [0.1, 0.2, 0.3] }
//! ```

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{Architecture, ModelConfig, ModelConfigError};

/// Encoder or decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Reads the source.
    Encoder,
    /// Writes the target.
    Decoder,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Encoder => "encoder",
            Self::Decoder => "decoder",
        }
    }
}

/// Rates of the layers of one side.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum LayerRates {
    /// The same in all.
    Same(f64),
    /// One a layer, from the input up.
    ByLayer(Vec<f64>),
}

/// Rates of all layers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Rates {
    /// Encoder and decoder alike.
    Both(LayerRates),
    /// Each its own.
    BySide(SideRates),
}

/// The table of [`Rates::BySide`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SideRates {
    /// Of the encoder's layers.
    pub encoder: LayerRates,
    /// Of the decoder's layers.
    pub decoder: LayerRates,
}

/// What one layer drops.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerDropout {
    /// On attention weights.
    pub attention: f64,
    /// Behind the feed-forward activation.
    pub feed_forward: f64,
    /// On a sub-layer's output; of a recurrent model, between its layers.
    pub residual: f64,
}

impl From<f64> for Rates {
    fn from(rate: f64) -> Self {
        Self::Both(LayerRates::Same(rate))
    }
}

impl LayerRates {
    fn all(&self) -> &[f64] {
        match self {
            Self::Same(rate) => std::slice::from_ref(rate),
            Self::ByLayer(rates) => rates,
        }
    }

    fn of(&self, layer: usize) -> f64 {
        match self {
            Self::Same(rate) => *rate,
            Self::ByLayer(rates) => rates[layer],
        }
    }
}

impl Rates {
    fn side(&self, side: Side) -> &LayerRates {
        match (self, side) {
            (Self::Both(rates), _) => rates,
            (Self::BySide(sides), Side::Encoder) => &sides.encoder,
            (Self::BySide(sides), Side::Decoder) => &sides.decoder,
        }
    }

    /// The rate of everything, where there is but one.
    fn single(&self) -> Option<f64> {
        match self {
            Self::Both(LayerRates::Same(rate)) => Some(*rate),
            _ => None,
        }
    }
}

impl ModelConfig {
    /// What layer `layer` (from 0) of a side drops: rates of their own where given, `dropout` elsewhere.
    ///
    /// # Panics
    /// When the config is not valid, or has no such layer.
    pub fn layer_dropout(&self, side: Side, layer: usize) -> LayerDropout {
        let rate = |own: &Option<Rates>| own.as_ref().unwrap_or(&self.dropout).side(side).of(layer);
        LayerDropout {
            attention: rate(&self.attention_dropout),
            feed_forward: rate(&self.feed_forward_dropout),
            residual: rate(&self.residual_dropout),
        }
    }

    /// What is dropped of the sum of embedding and position.
    pub fn embedding_dropout_rate(&self) -> f64 {
        // A valid config has one of the two.
        self.embedding_dropout.or(self.dropout.single()).unwrap_or_default()
    }

    /// What every layer of a side drops, from the input up.
    pub fn layer_dropouts(&self, side: Side) -> Vec<LayerDropout> {
        (0..self.layers(side))
            .map(|layer| self.layer_dropout(side, layer))
            .collect()
    }

    /// Whether anything is dropped in training.
    pub fn has_dropout(&self) -> bool {
        let drops = |layer: &LayerDropout| {
            // A recurrent model drops at one of these places, and only between layers.
            let of_transformer = match self.arch {
                Architecture::Transformer => layer.attention + layer.feed_forward,
                Architecture::Rnn | Architecture::RnnAttention => 0.0,
            };
            layer.residual + of_transformer > 0.0
        };
        let first = match self.arch {
            Architecture::Transformer => 0,
            Architecture::Rnn | Architecture::RnnAttention => 1,
        };
        let of_side = |side| self.layer_dropouts(side).iter().skip(first).any(drops);
        self.embedding_dropout_rate() > 0.0 || of_side(Side::Encoder) || of_side(Side::Decoder)
    }

    fn layers(&self, side: Side) -> usize {
        match side {
            Side::Encoder => self.encoder_layers,
            Side::Decoder => self.decoder_layers,
        }
    }

    /// Checks all rates, and that there are as many as layers.
    pub(super) fn check_dropout(&self) -> Result<(), ModelConfigError> {
        let rates = [
            ("model.dropout", Some(&self.dropout)),
            ("model.attention_dropout", self.attention_dropout.as_ref()),
            ("model.feed_forward_dropout", self.feed_forward_dropout.as_ref()),
            ("model.residual_dropout", self.residual_dropout.as_ref()),
        ];
        for (key, rates) in rates {
            for side in [Side::Encoder, Side::Decoder] {
                if let Some(rates) = rates {
                    self.check_rates(key, rates.side(side), side)?;
                }
            }
        }
        match (self.embedding_dropout, self.dropout.single()) {
            (Some(rate), _) => check_rate("model.embedding_dropout", rate),
            (None, Some(_)) => Ok(()),
            (None, None) => Err(ModelConfigError {
                key: "model.dropout",
                message: "it differs between layers, and embeddings belong to none".into(),
                hint: "give them a rate of their own, such as embedding_dropout = 0.1".into(),
            }),
        }
    }

    fn check_rates(&self, key: &'static str, rates: &LayerRates, side: Side) -> Result<(), ModelConfigError> {
        let (layers, name) = (self.layers(side), side.name());
        if let LayerRates::ByLayer(rates) = rates {
            if self.arch != Architecture::Transformer {
                return Err(ModelConfigError {
                    key,
                    message: "a recurrent model drops between its layers, which have no rates of their own".into(),
                    hint: "give one number, or { encoder = 0.1, decoder = 0.2 }".into(),
                });
            }
            if rates.len() != layers {
                return Err(ModelConfigError {
                    key,
                    message: format!("{} rates for {layers} {name} layers", rates.len()),
                    hint: "give one number, one for each layer, or a table { encoder = …, decoder = … } of these"
                        .into(),
                });
            }
        }
        rates.all().iter().try_for_each(|rate| check_rate(key, *rate))
    }
}

fn check_rate(key: &'static str, rate: f64) -> Result<(), ModelConfigError> {
    if (0.0..1.0).contains(&rate) {
        return Ok(());
    }
    Err(ModelConfigError {
        key,
        message: format!("{rate} is not in 0 <= rate < 1"),
        hint: "0.1 suits large corpora, 0.3 small ones".into(),
    })
}

/// By hand, so that a fault is told in the user's terms.
struct LayerRatesVisitor;

impl<'de> Visitor<'de> for LayerRatesVisitor {
    type Value = LayerRates;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a list of numbers")
    }

    fn visit_f64<E: Error>(self, rate: f64) -> Result<LayerRates, E> {
        Ok(LayerRates::Same(rate))
    }

    fn visit_i64<E: Error>(self, rate: i64) -> Result<LayerRates, E> {
        Ok(LayerRates::Same(rate as f64))
    }

    fn visit_u64<E: Error>(self, rate: u64) -> Result<LayerRates, E> {
        Ok(LayerRates::Same(rate as f64))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, rates: A) -> Result<LayerRates, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(rates)).map(LayerRates::ByLayer)
    }
}

impl<'de> Deserialize<'de> for LayerRates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LayerRatesVisitor)
    }
}

/// The same, or a table.
struct RatesVisitor;

impl<'de> Visitor<'de> for RatesVisitor {
    type Value = Rates;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a list of numbers or a table { encoder = …, decoder = … }")
    }

    fn visit_f64<E: Error>(self, rate: f64) -> Result<Rates, E> {
        LayerRatesVisitor.visit_f64(rate).map(Rates::Both)
    }

    fn visit_i64<E: Error>(self, rate: i64) -> Result<Rates, E> {
        LayerRatesVisitor.visit_i64(rate).map(Rates::Both)
    }

    fn visit_u64<E: Error>(self, rate: u64) -> Result<Rates, E> {
        LayerRatesVisitor.visit_u64(rate).map(Rates::Both)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, rates: A) -> Result<Rates, A::Error> {
        LayerRatesVisitor.visit_seq(rates).map(Rates::Both)
    }

    fn visit_map<A: MapAccess<'de>>(self, sides: A) -> Result<Rates, A::Error> {
        SideRates::deserialize(MapAccessDeserializer::new(sides)).map(Rates::BySide)
    }
}

impl<'de> Deserialize<'de> for Rates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RatesVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(dropout: &str) -> ModelConfig {
        let text = format!(r#"{{"encoder_layers": 2, "decoder_layers": 3, {dropout}}}"#);
        serde_json::from_str(&text).expect("a [model] section")
    }

    fn residuals(config: &ModelConfig) -> [Vec<f64>; 2] {
        [Side::Encoder, Side::Decoder].map(|side| {
            let layers = config.layer_dropouts(side);
            layers.iter().map(|layer| layer.residual).collect()
        })
    }

    #[test]
    fn a_number_holds_for_all_and_a_table_for_each_side() {
        let found = residuals(&config(r#""dropout": 0.2"#));
        assert_eq!(found, [vec![0.2; 2], vec![0.2; 3]]);
        let found = residuals(&config(r#""dropout": {"encoder": [0.1, 0], "decoder": 0.3}"#));
        assert_eq!(found, [vec![0.1, 0.0], vec![0.3; 3]]);
    }

    #[test]
    fn a_rate_of_its_own_goes_before_the_common_one() {
        let config = config(r#""dropout": 0.2, "attention_dropout": {"encoder": 0, "decoder": [0.1, 0.2, 0.3]}"#);
        assert_eq!(config.validate(), Ok(()));
        let layer = config.layer_dropout(Side::Decoder, 2);
        assert_eq!((layer.attention, layer.feed_forward, layer.residual), (0.3, 0.2, 0.2));
        assert_eq!(config.layer_dropout(Side::Encoder, 1).attention, 0.0);
        assert_eq!(config.embedding_dropout_rate(), 0.2);
    }

    #[test]
    fn rates_that_cannot_be_are_told_by_key() {
        for (dropout, key, message) in [
            (
                r#""dropout": [0.1, 0.2]"#,
                "model.dropout",
                "2 rates for 3 decoder layers",
            ),
            (r#""dropout": []"#, "model.dropout", "0 rates for 2 encoder layers"),
            (
                r#""residual_dropout": {"encoder": [0.1], "decoder": 0}"#,
                "model.residual_dropout",
                "1 rates for 2 encoder layers",
            ),
            (
                r#""attention_dropout": {"encoder": 0, "decoder": [0, 0, 1]}"#,
                "model.attention_dropout",
                "1 is not in 0 <= rate < 1",
            ),
            (r#""dropout": -0.1"#, "model.dropout", "-0.1 is not in 0 <= rate < 1"),
            (
                r#""embedding_dropout": 1"#,
                "model.embedding_dropout",
                "1 is not in 0 <= rate < 1",
            ),
            (
                r#""dropout": {"encoder": 0.1, "decoder": 0.2}"#,
                "model.dropout",
                "it differs between layers, and embeddings belong to none",
            ),
            (
                r#""arch": "rnn", "residual_dropout": {"encoder": [0.1, 0.2], "decoder": 0}"#,
                "model.residual_dropout",
                "a recurrent model drops between its layers, which have no rates of their own",
            ),
        ] {
            let error = config(dropout).validate().expect_err(dropout);
            assert_eq!((error.key, &*error.message), (key, message), "{dropout}");
        }
    }

    #[test]
    fn whether_anything_is_dropped() {
        assert!(!config(r#""dropout": 0"#).has_dropout());
        assert!(config(r#""dropout": 0, "embedding_dropout": 0.1"#).has_dropout());
        assert!(config(r#""dropout": 0, "attention_dropout": {"encoder": 0, "decoder": [0, 0, 0.1]}"#).has_dropout());
        let recurrent = ModelConfig {
            arch: Architecture::Rnn,
            decoder_layers: 1,
            ..config(r#""embedding_dropout": 0, "dropout": {"encoder": 0, "decoder": 0.3}"#)
        };
        assert!(!recurrent.has_dropout(), "nothing lies between one layer");
        let deeper = ModelConfig {
            decoder_layers: 2,
            ..recurrent
        };
        assert!(deeper.has_dropout());
    }
}
