//! Validation: loss, perplexity, and the translations' BLEU and chrF.

use std::time::Instant;

use burn::prelude::*;
use ember_data::Progress;
use ember_data::batch::Batch;
use ember_data::tokenizer::{Side, Tokenizer, tagged};
use ember_metrics::{Bleu, BleuOptions, Chrf, ChrfOptions};
use ember_model::config::DecodingConfig;
use ember_model::loss::output_loss;
use ember_model::pass::Pass;
use ember_model::weights::host_values;
use serde::Serialize;

use crate::checkpoint::by_metric::Yardsticks;
use crate::config::{Config, ValidationConfig};
use crate::error::Result;
use crate::prepare::ParallelText;
use crate::tag::{self, TaggedLines};
use crate::tensors::BatchTensors;
use crate::translate::Translator;

/// The validation text, ready to be used again and again.
pub struct Validation {
    text: ParallelText,
    /// The ids of its tags.
    tags: Vec<Option<u32>>,
    batches: Vec<Batch>,
    /// Pairs that are too long to count in the loss.
    pub too_long: usize,
    config: ValidationConfig,
    decoding: DecodingConfig,
    label_smoothing: f64,
}

/// How a model did.
pub struct ValidationResult {
    /// Label-smoothed cross-entropy a target token, in nats.
    pub loss: f64,
    /// Plain cross-entropy a target token, in nats.
    pub nll: f64,
    /// 0 to 100.
    pub bleu: f64,
    /// 0 to 100.
    pub chrf: f64,
    /// One a line.
    pub translations: Vec<String>,
    /// What the loss took.
    pub loss_seconds: f64,
    /// What translating took.
    pub decode_seconds: f64,
    /// Tokens of the translations.
    pub decoded_tokens: usize,
}

impl Validation {
    /// Tokenises the text. `batch_tokens` is the most target tokens of a batch, padding counted.
    ///
    /// # Errors
    /// A tag that the tokenizer does not know.
    pub fn new(text: ParallelText, tokenizer: &Tokenizer, config: &Config, batch_tokens: usize) -> Result<Self> {
        let tags = tag::ids(tokenizer, &text.tags)?;
        let pairs: Vec<(Vec<u32>, Vec<u32>)> = text
            .source
            .iter()
            .zip(&text.reference)
            .map(|(source, reference)| {
                (
                    tokenizer.encode(Side::Source, source),
                    tokenizer.encode(Side::Target, reference),
                )
            })
            .collect();
        let lines = pairs.len();
        let mut pairs: Vec<_> = pairs
            .into_iter()
            .zip(&tags)
            .filter(|((source, target), _)| source.len().max(target.len()) <= config.data.max_length)
            .map(|((source, target), tag)| (tagged(*tag, source), target))
            .collect();
        Ok(Self {
            batches: batches_by_length(&mut pairs, batch_tokens),
            too_long: lines - pairs.len(),
            text,
            tags,
            config: config.validation.clone(),
            decoding: DecodingConfig {
                beam: config.validation.beam,
                ..config.decoding.clone()
            },
            label_smoothing: config.training.label_smoothing,
        })
    }

    /// Whether there is a pair that is short enough to count in the loss.
    pub fn has_loss(&self) -> bool {
        !self.batches.is_empty()
    }

    /// Measures a model.
    ///
    /// # Errors
    /// When a metric refuses the text, or the user wants to stop.
    pub fn run(&self, translator: &Translator<'_>, progress: &dyn Progress) -> Result<ValidationResult> {
        let started = Instant::now();
        let (loss, nll) = self.losses(translator, progress)?;
        let loss_seconds = started.elapsed().as_secs_f64();

        let started = Instant::now();
        progress.begin("validating", Some(self.text.source.len() as u64));
        let lines = TaggedLines::new(&self.text.source, &self.tags);
        let found = translator.translate(lines, &self.decoding, progress);
        progress.finish();
        let found = found?;
        let decode_seconds = started.elapsed().as_secs_f64();
        let tokens = found.iter().filter_map(|line| line.candidates.first()?.tokens.as_ref());
        let decoded_tokens = tokens.map(|tokens| tokens.target.len() + 1).sum();
        let translations: Vec<String> = found.iter().map(|line| line.text().to_owned()).collect();

        let references = std::slice::from_ref(&self.text.reference);
        let bleu = Bleu::new(BleuOptions {
            tokenizer: self.config.tokenize,
            lowercase: self.config.lowercase,
            ..BleuOptions::default()
        });
        let chrf = Chrf::new(ChrfOptions {
            lowercase: self.config.lowercase,
            ..ChrfOptions::default()
        });
        Ok(ValidationResult {
            loss,
            nll,
            bleu: bleu.corpus(&translations, references)?.score,
            chrf: chrf.corpus(&translations, references)?.score,
            translations,
            loss_seconds,
            decode_seconds,
            decoded_tokens,
        })
    }

    /// Smoothed and plain cross-entropy a target token.
    fn losses(&self, translator: &Translator<'_>, progress: &dyn Progress) -> Result<(f64, f64)> {
        let (mut loss, mut nll, mut tokens) = (0.0, 0.0, 0);
        for batch in &self.batches {
            progress.go_on()?;
            let tensors = BatchTensors::new(batch, translator.device);
            let mut pass = Pass::inference();
            let model = translator.model;
            let hidden = model.forward(&tensors.source, tensors.target_input, &mut pass);
            let sums = output_loss(
                hidden,
                model.projection(),
                tensors.target_output,
                self.label_smoothing,
                pass.precision(),
            );
            let sums = host_values(Tensor::cat(vec![sums.smoothed, sums.nll], 0));
            loss += f64::from(sums[0]);
            nll += f64::from(sums[1]);
            tokens += batch.target_tokens;
        }
        // Not a number without a pair that is short enough (see `has_loss`): no validation is the best by that.
        Ok((loss / tokens as f64, nll / tokens as f64))
    }

    /// The first few lines with their tag, reference and translation, for people to read.
    pub fn samples(&self, translations: &[String]) -> String {
        let text = &self.text;
        let sample = |line: usize| {
            let tag = text.tags[line]
                .as_ref()
                .map_or_else(String::new, |tag| format!("{tag} "));
            format!(
                "  source      {tag}{}\n  reference   {}\n  translation {}\n",
                text.source[line], text.reference[line], translations[line]
            )
        };
        (0..translations.len().min(self.config.samples)).map(sample).collect()
    }
}

/// What the values of each metric depend on beside the model. How many source tokens are translated at once is no part
/// of it: that changes no more than roundings.
pub fn yardsticks(config: &Config, text: &ParallelText) -> Yardsticks {
    let search = DecodingConfig {
        beam: config.validation.beam,
        batch_tokens: DecodingConfig::default().batch_tokens,
        ..config.decoding.clone()
    };
    let (tokenize, lowercase) = (config.validation.tokenize, config.validation.lowercase);
    let text = sum_of(&(&text.source, &text.reference, &text.tags));
    Yardsticks {
        bleu: sum_of(&(&text, &search, lowercase, tokenize)),
        chrf: sum_of(&(&text, &search, lowercase)),
        nll: text,
    }
}

fn sum_of(parts: &impl Serialize) -> String {
    let json = serde_json::to_vec(parts).expect("texts and options have a form in JSON");
    blake3::hash(&json).to_hex().to_string()
}

/// Batches of pairs of about the same length.
fn batches_by_length(pairs: &mut [(Vec<u32>, Vec<u32>)], batch_tokens: usize) -> Vec<Batch> {
    pairs.sort_by_key(|(source, target)| (target.len(), source.len()));
    let mut batches = Vec::new();
    let mut rest = &*pairs;
    while !rest.is_empty() {
        let fits = |rows: usize| {
            let longest = rest[..rows]
                .iter()
                .map(|(source, target)| source.len().max(target.len()) + 1)
                .max();
            rows * longest.unwrap_or(1) <= batch_tokens
        };
        let mut rows = 1;
        while rows < rest.len() && fits(rows + 1) {
            rows += 1;
        }
        let (batch, behind) = rest.split_at(rows);
        batches.push(Batch::from_pairs(batch));
        rest = behind;
    }
    batches
}
