//! The `[training]` and `[validation]` sections of a config file, with every default in one place.

use ember_metrics::BleuTokenizer;
use serde::{Deserialize, Serialize};

use crate::duration::Duration;
use crate::schedule::Schedule;

/// The `[training]` section.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingConfig {
    /// When to stop: the total, counted over all resumes.
    pub stop_after: Duration,
    /// Target tokens of an update, all its micro-batches together.
    #[serde(default = "default_batch_tokens")]
    pub batch_tokens: usize,
    /// Micro-batches of an update, each of `batch_tokens / accumulate` target tokens.
    #[serde(default = "default_accumulate")]
    pub accumulate: usize,
    /// Sentence pairs that are sorted by length together; by default the batcher's own number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<usize>,
    /// Probability spread over the words that are not the reference's (Szegedy et al. 2016).
    #[serde(default = "default_label_smoothing")]
    pub label_smoothing: f64,
    /// What the divergence of two passes with other dropout counts (R-Drop, Liang et al. 2021). 0 is off, a single pass.
    #[serde(default)]
    pub r_drop: f64,
    /// How operands of matrix products are rounded.
    #[serde(default)]
    pub precision: Precision,
    /// Largest norm of the gradient of all weights together; longer ones are shortened to it. 0 is off.
    #[serde(default)]
    pub clip_norm: f64,
    /// Decay of the exponential moving average of the weights, which is then what is validated and kept. 0 is off.
    #[serde(default)]
    pub ema: f64,
    /// The learning rate over time.
    #[serde(default)]
    pub schedule: Schedule,
    /// How gradients change weights.
    #[serde(default)]
    pub optimizer: Optimizer,
}

impl TrainingConfig {
    /// Most target tokens of a micro-batch, padding counted.
    pub fn micro_batch_tokens(&self) -> usize {
        (self.batch_tokens / self.accumulate).max(1)
    }

    /// How many times every sentence goes through the model in an update.
    pub fn passes(&self) -> usize {
        if self.r_drop > 0.0 { 2 } else { 1 }
    }
}

fn default_batch_tokens() -> usize {
    4096
}

fn default_accumulate() -> usize {
    1
}

fn default_label_smoothing() -> f64 {
    0.1
}

/// The `training.optimizer` table. The defaults are the paper's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Optimizer {
    /// Kingma and Ba 2015.
    Adam {
        /// Decay of the mean of the gradient.
        #[serde(default = "default_beta1")]
        beta1: f64,
        /// Decay of the mean of its square.
        #[serde(default = "default_beta2")]
        beta2: f64,
        /// Added to the denominator.
        #[serde(default = "default_epsilon")]
        epsilon: f64,
    },
    /// Adam with weight decay beside the gradient (Loshchilov and Hutter 2019).
    Adamw {
        /// Decay of the mean of the gradient.
        #[serde(default = "default_beta1")]
        beta1: f64,
        /// Decay of the mean of its square.
        #[serde(default = "default_beta2")]
        beta2: f64,
        /// Added to the denominator.
        #[serde(default = "default_epsilon")]
        epsilon: f64,
        /// Part of every weight taken off at an update, times the learning rate.
        #[serde(default = "default_weight_decay")]
        weight_decay: f64,
    },
}

impl Default for Optimizer {
    fn default() -> Self {
        Optimizer::Adam {
            beta1: default_beta1(),
            beta2: default_beta2(),
            epsilon: default_epsilon(),
        }
    }
}

fn default_beta1() -> f64 {
    0.9
}

fn default_beta2() -> f64 {
    0.98
}

fn default_epsilon() -> f64 {
    1e-9
}

fn default_weight_decay() -> f64 {
    0.01
}

/// How operands of matrix products are rounded in training; weights, sums, norms and the optimizer stay fp32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// Not at all.
    #[default]
    Fp32,
    /// To bf16, on CPUs that multiply such numbers.
    Bf16,
}

impl From<Precision> for ember_model::kernels::Precision {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::Fp32 => Self::Fp32,
            Precision::Bf16 => Self::Bf16,
        }
    }
}

/// What a validation is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// BLEU, higher is better.
    Bleu,
    /// chrF, higher is better.
    Chrf,
    /// Plain cross-entropy a target token, lower is better.
    Loss,
}

impl Metric {
    /// Whether `value` beats `best`; NaN beats nothing.
    pub fn is_better(self, value: f64, best: f64) -> bool {
        match self {
            Metric::Bleu | Metric::Chrf => value > best,
            Metric::Loss => value < best,
        }
    }

    /// As it stands in the config.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Bleu => "bleu",
            Metric::Chrf => "chrf",
            Metric::Loss => "loss",
        }
    }
}

/// The `[validation]` section.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ValidationConfig {
    /// How often to validate and to write a checkpoint.
    pub every: Duration,
    /// What decides which checkpoint is the best.
    pub metric: Metric,
    /// Validations in a row without a new best before training stops; 0 never stops.
    pub patience: u32,
    /// How many of the best checkpoints stay.
    pub keep_best: usize,
    /// How many of the last checkpoints stay.
    pub keep_last: usize,
    /// Sample translations to write into the log.
    pub samples: usize,
    /// Search width at validation; 1 is greedy.
    pub beam: usize,
    /// BLEU's tokenizer, at validation and for the test corpora.
    pub tokenize: BleuTokenizer,
    /// Scores regardless of case.
    pub lowercase: bool,
}

impl Default for ValidationConfig {
    fn default() -> Self {
        Self {
            every: Duration::updates(500),
            metric: Metric::Bleu,
            patience: 0,
            keep_best: 5,
            keep_last: 5,
            samples: 5,
            beam: 1,
            tokenize: BleuTokenizer::default(),
            lowercase: false,
        }
    }
}
