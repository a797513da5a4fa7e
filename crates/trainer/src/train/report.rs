//! What is said of a training while it goes on: to the user, to the log, to metrics and validations.

use burn::module::Module;
use ember_data::batch::{BatchOptions, Position, measure_padding};
use ember_data::store::{CorpusReport, DataReport};

use super::End;
use super::tally::Interval;
use super::trainer::Trainer;
use crate::console::TrainingStatus;
use crate::error::Result;
use crate::journal::{UpdateRecord, ValidationRecord, update_line, validation_line};
use crate::learner::missing_precision;
use crate::trained::vocabularies;
use crate::validate::ValidationResult;

/// Updates between two lines of the log.
const LOG_EVERY: u64 = 50;

impl Trainer<'_> {
    /// What is about to be trained, on what, with what.
    pub fn describe(&mut self) -> Result<()> {
        let report = &self.prepared.report;
        let vocabularies = vocabularies(&self.prepared.tokenizer);
        // From the lengths in the store: BPE-dropout's cuts are not made for this.
        let lengths = BatchOptions {
            resegment: None,
            ..self.batch_options()
        };
        let padding = measure_padding(&self.prepared.store, &lengths, self.state.position.epoch);
        let mut lines = vec![
            format!("device {}", self.options.device_name),
            format!(
                "{} training pairs of {} lines; left out: {}",
                report.kept, report.lines, report.left_out
            ),
        ];
        lines.extend(mixture_in_words(report));
        lines.extend([
            format!(
                "vocabulary {} source, {} target{}",
                vocabularies.source,
                vocabularies.target,
                if vocabularies.shared { ", shared" } else { "" }
            ),
            format!("{} parameters", self.learner.model().num_params()),
            format!(
                "{} batches an epoch, padding {:.1} % of the source, {:.1} % of the target",
                padding.batches,
                100.0 * padding.source_share(),
                100.0 * padding.target_share()
            ),
        ]);
        for file in report
            .corpora
            .iter()
            .flat_map(|corpus| &corpus.files)
            .map(|entry| &entry.file)
        {
            lines.extend(
                file.lines
                    .oddities()
                    .map(|oddities| format!("{}: {oddities}", file.path.display())),
            );
        }
        lines.extend(missing_precision(self.config.training.precision, &self.options.device));
        if self.validation.too_long > 0 {
            let limit = self.config.data.max_length;
            lines.push(format!(
                "{} validation pairs are longer than data.max_length {limit}: translated in parts, not in the loss",
                self.validation.too_long
            ));
        }
        lines.iter().try_for_each(|line| self.say(line))
    }

    /// An update, for all who listen.
    pub fn record(&mut self, record: UpdateRecord) -> Result<()> {
        self.journal.update(&record)?;
        self.interval.add(&record);
        let stop_after = &self.config.training.stop_after;
        self.console.training(&TrainingStatus {
            update: record.update,
            loss: record.loss,
            learning_rate: record.learning_rate,
            target_tokens_per_second: self.interval.target_tokens_per_second(),
            done: stop_after.count(&self.state.progress()),
            total: stop_after.value,
        });
        if record.update.is_multiple_of(LOG_EVERY) {
            self.log_interval()
        } else {
            Ok(())
        }
    }

    /// A line for people about the updates since the last one.
    pub fn log_interval(&mut self) -> Result<()> {
        if let Some(record) = self.interval.summary() {
            let line = update_line(&record);
            self.journal.log(&line)?;
            self.console.log_line(&line);
        }
        self.interval = Interval::start();
        Ok(())
    }

    /// A validation, for all who listen, and its translations.
    pub fn record_validation(&mut self, result: &ValidationResult) -> Result<()> {
        let learning_rate = self.config.training.schedule.learning_rate(
            self.state.update,
            self.config.model.d_model,
            &self.state.plateau,
        );
        let best = self.state.best;
        let record = ValidationRecord {
            update: self.state.update,
            epoch: epoch_of_last_update(self.state.position),
            loss: result.loss,
            nll: result.nll,
            perplexity: result.nll.exp(),
            bleu: result.bleu,
            chrf: result.chrf,
            learning_rate,
            metric: self.config.validation.metric.name(),
            best_value: best.map_or(f64::NAN, |best| best.score),
            best: best.is_some_and(|best| best.update == self.state.update),
            stalled: self.state.stalled,
            loss_seconds: result.loss_seconds,
            decode_seconds: result.decode_seconds,
            decode_target_tokens_per_second: result.decoded_tokens as f64 / result.decode_seconds,
        };
        self.journal.validation(&record)?;
        self.console.message(&validation_line(&record));
        if record.nll.is_finite() && !record.perplexity.is_finite() {
            self.say(&format!(
                "warning: a loss of {:.3e} a token is beyond all perplexities: training has diverged; lower the peak of \
                 training.schedule, or set training.clip_norm",
                record.nll
            ))?;
        }
        let samples = self.validation.samples(&result.translations);
        self.journal.log(&samples)?;
        self.options
            .run
            .write_translation("valid", &self.state.update.to_string(), &result.translations)
    }

    /// Why it ended, and where the time went.
    pub fn say_goodbye(&mut self, end: End, seconds: f64) -> Result<()> {
        self.log_interval()?;
        let line = self.shares.describe(seconds);
        let update = self.state.update;
        self.say(&format!("{} at update {update}; {line}", end_in_words(end)))?;
        Ok(self.journal.sync()?)
    }

    /// Says something to the user and to the log.
    pub fn say(&mut self, text: &str) -> Result<()> {
        self.console.message(text);
        Ok(self.journal.log(text)?)
    }
}

/// The epoch, from 1, of the update that ended at a position: behind an epoch's last batch the next one has begun, but
/// no update is part of it yet.
fn epoch_of_last_update(position: Position) -> u64 {
    let has_begun = (position.window, position.batch) != (0, 0);
    (position.epoch + u64::from(has_begun)).max(1)
}

/// A line for each corpus, where weights or tags set them apart.
fn mixture_in_words(report: &DataReport) -> Vec<String> {
    if report.corpora.iter().all(CorpusReport::is_plain) {
        return vec![];
    }
    let line = |corpus: &CorpusReport| {
        let path = corpus.files.first().map(|entry| entry.file.path.display().to_string());
        let tag = corpus
            .tag
            .as_ref()
            .map_or_else(String::new, |tag| format!(", tag {tag}"));
        let path = path.unwrap_or_default();
        format!("{path}: {} pairs, weight {}{tag}", corpus.kept, corpus.weight)
    };
    let total = report.mixture().pairs_an_epoch(report.kept);
    let total = format!("{total} pairs an epoch on average");
    report.corpora.iter().map(line).chain([total]).collect()
}

fn end_in_words(end: End) -> &'static str {
    match end {
        End::Finished => "finished",
        End::OutOfPatience => "stopped early for want of improvement",
        End::Interrupted => "interrupted; the same command goes on",
    }
}
