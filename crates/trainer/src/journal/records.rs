//! What there is to say of an update and of a validation.

use serde::Serialize;

/// An update, or all updates since the last record. Serialised in this order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UpdateRecord {
    /// The update, from 1.
    pub update: u64,
    /// The epoch it belongs to, from 1.
    pub epoch: u64,
    /// Label-smoothed cross-entropy a target token, in nats; what is trained, with R-Drop beside the divergence.
    pub loss: f64,
    /// Plain cross-entropy a target token, in nats.
    pub nll: f64,
    /// `exp(nll)`.
    pub perplexity: f64,
    /// `exp(loss)`: perplexity of the smoothed loss.
    pub smoothed_perplexity: f64,
    /// How far the two passes of R-Drop lie apart at a target token, the mean of both KL divergences in nats; absent
    /// without R-Drop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kl: Option<f64>,
    /// Learning rate of this update.
    pub learning_rate: f64,
    /// Norm of the gradient of all weights together, before clipping.
    pub gradient_norm: f64,
    /// Sentence pairs of this update.
    pub sentences: u64,
    /// Source tokens of this update.
    pub source_tokens: u64,
    /// Target tokens of this update.
    pub target_tokens: u64,
    /// Sentence pairs since the beginning of the run.
    pub total_sentences: u64,
    /// Target tokens since the beginning of the run.
    pub total_target_tokens: u64,
    /// Updates left out so far because loss or gradient was not finite.
    pub skipped: u64,
    /// What this update took.
    pub seconds: f64,
    /// Speed of this update.
    pub target_tokens_per_second: f64,
}

impl UpdateRecord {
    /// A line of `metrics.jsonl`; what is not finite becomes `null`.
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("numbers have a form in JSON")
    }

    pub(super) fn scalars(&self) -> Vec<(&'static str, f64)> {
        let mut scalars = vec![
            ("train/loss", self.loss),
            ("train/nll", self.nll),
            ("train/perplexity", self.perplexity),
            ("train/learning_rate", self.learning_rate),
            ("train/gradient_norm", self.gradient_norm),
            ("train/target_tokens_per_second", self.target_tokens_per_second),
        ];
        scalars.extend(self.kl.map(|kl| ("train/kl", kl)));
        scalars
    }
}

/// A validation.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidationRecord {
    /// The update it was taken after.
    pub update: u64,
    /// The epoch that update belongs to, from 1.
    pub epoch: u64,
    /// Label-smoothed cross-entropy a target token, in nats.
    pub loss: f64,
    /// Plain cross-entropy a target token, in nats.
    pub nll: f64,
    /// `exp(nll)`.
    pub perplexity: f64,
    /// BLEU of the translations, 0 to 100.
    pub bleu: f64,
    /// chrF of the translations, 0 to 100.
    pub chrf: f64,
    /// Learning rate of the last update.
    pub learning_rate: f64,
    /// Name of the metric that decides.
    pub metric: &'static str,
    /// Best value of that metric so far, this validation included.
    pub best_value: f64,
    /// Whether this validation is the best so far.
    pub best: bool,
    /// Validations in a row that were not.
    pub stalled: u32,
    /// What computing the loss took.
    pub loss_seconds: f64,
    /// What translating took.
    pub decode_seconds: f64,
    /// Speed of translating.
    pub decode_target_tokens_per_second: f64,
}

impl ValidationRecord {
    fn columns(&self) -> [(&'static str, String); 15] {
        let number = |value: f64| value.to_string();
        [
            ("update", self.update.to_string()),
            ("epoch", self.epoch.to_string()),
            ("loss", number(self.loss)),
            ("nll", number(self.nll)),
            ("perplexity", number(self.perplexity)),
            ("bleu", number(self.bleu)),
            ("chrf", number(self.chrf)),
            ("learning_rate", number(self.learning_rate)),
            ("metric", self.metric.into()),
            ("best_value", number(self.best_value)),
            ("best", if self.best { "*".into() } else { String::new() }),
            ("stalled", self.stalled.to_string()),
            ("loss_seconds", format!("{:.3}", self.loss_seconds)),
            ("decode_seconds", format!("{:.3}", self.decode_seconds)),
            (
                "decode_target_tokens_per_second",
                format!("{:.1}", self.decode_target_tokens_per_second),
            ),
        ]
    }

    /// The first line of `validations.tsv`.
    pub(super) fn header() -> String {
        let empty = Self {
            update: 0,
            epoch: 0,
            loss: 0.0,
            nll: 0.0,
            perplexity: 0.0,
            bleu: 0.0,
            chrf: 0.0,
            learning_rate: 0.0,
            metric: "bleu",
            best_value: 0.0,
            best: false,
            stalled: 0,
            loss_seconds: 0.0,
            decode_seconds: 0.0,
            decode_target_tokens_per_second: 0.0,
        };
        empty.columns().map(|(name, _)| name).join("\t")
    }

    /// A row of `validations.tsv`.
    pub(super) fn to_row(&self) -> String {
        self.columns().map(|(_, value)| value).join("\t")
    }

    pub(super) fn scalars(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("valid/loss", self.loss),
            ("valid/nll", self.nll),
            ("valid/perplexity", self.perplexity),
            ("valid/bleu", self.bleu),
            ("valid/chrf", self.chrf),
        ]
    }
}
