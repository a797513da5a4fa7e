//! Training, from the config to the last checkpoint; the loop reads top to bottom.
//!
//! Update `u` is a pure function of (config, weights and optimizer after `u - 1`, `u`): its batches follow from (seed,
//! epoch), its dropout from (seed, u). So a run that was killed anywhere and started again ends in the same bytes, on
//! CPU, as one that was never stopped.

mod save;
mod tally;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use burn::optim::GradientsParams;
use burn::prelude::*;
use ember_data::batch::{Batch, BatchOptions, BatchStream, Position, Resegment, measure_padding};
use ember_model::arch::Transformer;
use ember_model::dropout::DropoutStream;
use ember_model::loss::output_loss;
use ember_model::weights::initialise;

use crate::checkpoint::files;
use crate::checkpoint::lock::RunLock;
use crate::checkpoint::state::State;
use crate::checkpoint::whole::write_whole;
use crate::config::{Config, Metric, compare_for_resume};
use crate::console::{Console, Stoppable, TrainingStatus};
use crate::error::{Result, TrainerError};
use crate::journal::{Covered, Journal, UpdateRecord, ValidationRecord, update_line};
use crate::optimizer::{Optimizer, add_gradients, gradient_norm};
use crate::prepare::{Corpora, ParallelText, Prepared, prepare};
use crate::run::{RunFolder, vocabularies};
use crate::schedule::Outcome;
use crate::tensors::BatchTensors;
use crate::translate::Translator;
use crate::validate::{Validation, ValidationResult};
use tally::{Interval, TimeShares};

/// Updates between two lines of the log.
const LOG_EVERY: u64 = 50;
/// Updates in a row that may be skipped because loss or gradient is not finite.
const MOST_SKIPPED: u32 = 10;

/// What to train, and where.
pub struct TrainOptions {
    /// The config, resolved.
    pub config: Config,
    /// The run folder.
    pub run: RunFolder,
    /// Where to compute, without autodiff.
    pub device: Device,
    /// How the device is called in the log.
    pub device_name: String,
    /// Move an older run of this name aside instead of resuming it.
    pub fresh: bool,
    /// Turns true when the user wants to stop.
    pub stop: Arc<AtomicBool>,
}

/// Why training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// `stop_after` was reached.
    Finished,
    /// No improvement for as many validations as `patience` allows.
    OutOfPatience,
    /// The user asked for it; the same command goes on.
    Interrupted,
}

/// How training ended.
pub struct Trained {
    /// Why.
    pub end: End,
    /// Updates made, over all resumes.
    pub update: u64,
    /// The test texts by name.
    pub tests: Vec<(String, ParallelText)>,
}

/// Trains until `stop_after`, the end of patience, or a signal; resumes what the run folder holds.
///
/// # Errors
/// A fault in config, data or run folder; training that diverged.
pub fn train(options: &TrainOptions, console: &dyn Console) -> Result<Trained> {
    let TrainOptions { config, run, .. } = options;
    let console = &Stoppable::new(console, &options.stop);
    // Before anything is written or moved.
    let corpora = Corpora::find(config)?;
    if options.fresh && run.root().exists() {
        match corpora.check(config, console) {
            Err(error) if error.is_stop() => return Ok(interrupted(0, console)),
            checked => checked?,
        }
        move_aside(run, console)?;
    }
    let lock = RunLock::acquire(run.root())?;
    for folder in [run.root(), &run.checkpoints(), &run.translations()] {
        files::clean_up(folder)?;
    }
    let (resumable, warnings) = files::find_resumable(&run.checkpoints())?;
    for warning in warnings {
        console.message(&format!("warning: {warning}"));
    }
    if resumable.is_some() {
        for change in compare_for_resume(&run.load_config()?, config)? {
            console.message(&format!("changed since the last start: {change}"));
        }
    }
    let prepared = match prepare(config, corpora, run, resumable.is_some(), console) {
        Err(error) if error.is_stop() => {
            return Ok(interrupted(resumable.map_or(0, |resumable| resumable.update), console));
        }
        prepared => prepared?,
    };
    write_whole(&run.config(), config.to_toml().as_bytes())?;

    let mut trainer = match resumable {
        Some(resumable) => {
            let state = State::read(&resumable.folder)?;
            let mut trainer = Trainer::new(options, &prepared, state, console)?;
            trainer.load(&resumable.folder)?;
            trainer
        }
        None => {
            let state = State::new(Position::default(), config.validation.metric);
            let mut trainer = Trainer::new(options, &prepared, state, console)?;
            trainer.say(&format!("training {} from the start", config.name))?;
            trainer
        }
    };
    trainer.describe()?;
    let end = trainer.run()?;
    let update = trainer.state.update;
    drop(trainer);
    drop(lock);
    Ok(Trained {
        end,
        update,
        tests: prepared.tests,
    })
}

/// Gradients of an update, and what they were taken from.
struct UpdateGradients {
    sum: GradientsParams,
    norm: f64,
    /// Label-smoothed cross-entropy a target token, in nats.
    loss: f64,
    /// Plain cross-entropy a target token, in nats.
    nll: f64,
}

struct Trainer<'a> {
    options: &'a TrainOptions,
    config: &'a Config,
    console: &'a dyn Console,
    prepared: &'a Prepared,
    validation: Validation,
    journal: Journal,
    /// With autodiff.
    device: Device,
    model: Transformer,
    optimizer: Optimizer,
    state: State<Position>,
    /// The update of the newest checkpoint.
    saved: Option<u64>,
    interval: Interval,
    shares: TimeShares,
}

impl<'a> Trainer<'a> {
    fn new(
        options: &'a TrainOptions,
        prepared: &'a Prepared,
        state: State<Position>,
        console: &'a dyn Console,
    ) -> Result<Self> {
        let config = &options.config;
        let covered = Covered {
            updates: state.update,
            // A validation that the checkpoint does not know of is done again.
            validations: state.update - u64::from(!state.is_validated()).min(state.update),
        };
        let journal = Journal::open(options.run.root(), covered)?;
        let device = options.device.clone().autodiff();
        let model = Transformer::new(&config.model, vocabularies(&prepared.tokenizer), &device)?;
        let validation = Validation::new(
            prepared.valid.clone(),
            &prepared.tokenizer,
            config,
            micro_batch_tokens(config),
        );
        Ok(Self {
            options,
            config,
            console,
            prepared,
            validation,
            journal,
            device,
            model: initialise(model, config.seed),
            optimizer: Optimizer::new(&config.training.optimizer, config.training.ema),
            state,
            saved: None,
            interval: Interval::start(),
            shares: TimeShares::default(),
        })
    }

    /// The loop.
    fn run(&mut self) -> Result<End> {
        let training = &self.config.training;
        let mut batches = BatchStream::new(self.prepared.store.clone(), self.batch_options(), self.state.position);
        let started = Instant::now();
        let mut end = loop {
            if self.state.validation_due {
                self.validate_and_save()?;
            }
            if training.stop_after.is_reached(&self.state.progress()) {
                break End::Finished;
            }
            if self.out_of_patience() {
                break End::OutOfPatience;
            }
            if self.options.stop.load(Ordering::Relaxed) {
                break End::Interrupted;
            }
            let before = self.state.progress();
            let waiting = Instant::now();
            let micro_batches: Vec<_> = batches.by_ref().take(training.accumulate).collect();
            self.shares.data += waiting.elapsed().as_secs_f64();
            self.update(&micro_batches)?;
            self.state.validation_due = self.config.validation.every.is_due(&before, &self.state.progress());
        };
        self.console.training_paused();
        if end != End::Interrupted && !self.state.is_validated() {
            self.state.validation_due = true;
            self.validate_and_save()?;
            if self.state.validation_due {
                end = End::Interrupted;
            }
        }
        // Weights that gave no finite loss are not worth keeping: the run goes on from the checkpoint before.
        if end == End::Interrupted && self.state.skipped_in_a_row == 0 {
            self.save()?;
        }
        self.log_interval()?;
        let line = self.shares.describe(started.elapsed().as_secs_f64());
        self.say(&format!(
            "{} at update {}; {line}",
            end_in_words(end),
            self.state.update
        ))?;
        self.journal.sync()?;
        Ok(end)
    }

    /// One update: gradients of all micro-batches, one step of the optimizer.
    fn update(&mut self, micro_batches: &[(Batch, Position)]) -> Result<()> {
        let started = Instant::now();
        let config = &self.config.training;
        let update = self.state.update + 1;
        let epoch = self.state.position.epoch + 1;
        let target_tokens: usize = micro_batches.iter().map(|(batch, _)| batch.target_tokens).sum();
        let source_tokens: usize = micro_batches.iter().map(|(batch, _)| batch.source_tokens).sum();
        let sentences: usize = micro_batches.iter().map(|(batch, _)| batch.rows).sum();

        let gradients = self.gradients(micro_batches, update, target_tokens as f64);
        let learning_rate = config
            .schedule
            .learning_rate(update, self.config.model.d_model, &self.state.plateau);
        if gradients.loss.is_finite() && gradients.norm.is_finite() {
            let too_long = config.clip_norm > 0.0 && gradients.norm > config.clip_norm;
            let scale = if too_long {
                config.clip_norm / gradients.norm
            } else {
                1.0
            };
            self.model = self
                .optimizer
                .step(self.model.clone(), gradients.sum, learning_rate, scale);
            self.state.skipped_in_a_row = 0;
        } else {
            self.skip(update, gradients.loss, gradients.norm)?;
        }

        self.state.update = update;
        self.state.source_tokens += source_tokens as u64;
        self.state.target_tokens += target_tokens as u64;
        self.state.sentences += sentences as u64;
        if let Some((_, position)) = micro_batches.last() {
            self.state.position = *position;
            self.state.epoch = position.epoch;
        }
        let seconds = started.elapsed().as_secs_f64();
        self.shares.updates += seconds;
        self.record(UpdateRecord {
            update,
            epoch,
            loss: gradients.loss,
            nll: gradients.nll,
            perplexity: gradients.nll.exp(),
            smoothed_perplexity: gradients.loss.exp(),
            learning_rate,
            gradient_norm: gradients.norm,
            sentences: sentences as u64,
            source_tokens: source_tokens as u64,
            target_tokens: target_tokens as u64,
            total_sentences: self.state.sentences,
            total_target_tokens: self.state.target_tokens,
            skipped: self.state.skipped,
            seconds,
            target_tokens_per_second: target_tokens as f64 / seconds,
        })
    }

    /// Gradients of the mean loss of all target tokens of an update.
    fn gradients(&self, micro_batches: &[(Batch, Position)], update: u64, target_tokens: f64) -> UpdateGradients {
        let mut total = UpdateGradients {
            sum: GradientsParams::new(),
            norm: 0.0,
            loss: 0.0,
            nll: 0.0,
        };
        for (number, (batch, _)) in micro_batches.iter().enumerate() {
            let tensors = BatchTensors::new(batch, &self.device);
            let mut stream = DropoutStream::new(self.config.seed, update, number as u64);
            let hidden = self.model.forward(&tensors.source, tensors.target_input, &mut stream);
            let smoothing = self.config.training.label_smoothing;
            let loss = output_loss(hidden, self.model.output_weight(), tensors.target_output, smoothing);
            let smoothed = loss.smoothed.div_scalar(target_tokens);
            let nll = loss.nll.div_scalar(target_tokens);
            let gradients = GradientsParams::from_grads(smoothed.backward(), &self.model);
            total.sum = if number == 0 {
                gradients
            } else {
                add_gradients(&self.model, total.sum, gradients)
            };
            total.loss += f64::from(smoothed.into_scalar::<f32>());
            total.nll += f64::from(nll.into_scalar::<f32>());
        }
        total.norm = gradient_norm(&self.model, &total.sum);
        total
    }

    /// Counts an update whose numbers are not finite; too many in a row end the training.
    fn skip(&mut self, update: u64, loss: f64, norm: f64) -> Result<()> {
        self.state.skipped += 1;
        self.state.skipped_in_a_row += 1;
        self.say(&format!(
            "update {update} is skipped: loss {loss}, gradient norm {norm}"
        ))?;
        if self.state.skipped_in_a_row < MOST_SKIPPED {
            return Ok(());
        }
        let what = format!("loss or gradient was not finite {MOST_SKIPPED} times in a row");
        Err(self.diverged(update, &what)?)
    }

    /// The error that ends a training whose numbers are no longer finite.
    fn diverged(&mut self, update: u64, what: &str) -> Result<TrainerError> {
        self.journal.sync()?;
        let last = match self.saved {
            Some(saved) => format!(
                "the last good checkpoint is {}",
                files::folder(&self.options.run.checkpoints(), saved).display()
            ),
            None => "there is no checkpoint yet".into(),
        };
        Ok(TrainerError::Diverged {
            update,
            message: format!("{what}; {last}"),
            hint: "lower the peak of training.schedule, lengthen its warmup, or set training.clip_norm = 1.0, and run \
                   the same command: it goes on from the last checkpoint; --fresh starts over"
                .into(),
        })
    }

    fn record(&mut self, record: UpdateRecord) -> Result<()> {
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
    fn log_interval(&mut self) -> Result<()> {
        if let Some(record) = self.interval.summary() {
            let line = update_line(&record);
            self.journal.log(&line)?;
            self.console.log_line(&line);
        }
        self.interval = Interval::start();
        Ok(())
    }

    /// Validates and writes a checkpoint. A validation that the user cuts short does not count: it stays due.
    fn validate_and_save(&mut self) -> Result<()> {
        self.console.training_paused();
        self.log_interval()?;
        let started = Instant::now();
        let model = self.model_in_use();
        let translator = Translator {
            model: &model,
            tokenizer: &self.prepared.tokenizer,
            device: &self.options.device,
            max_length: self.config.data.max_length,
        };
        let result = match self.validation.run(&translator, self.console) {
            Err(error) if error.is_stop() => return self.say("the validation is cut short and will be done again"),
            result => result?,
        };
        if self.validation.has_loss() && !result.nll.is_finite() {
            // A checkpoint of such weights would be the one that a resumed run goes on from.
            let what = format!("the validation loss is {}", result.nll);
            return Err(self.diverged(self.state.update, &what)?);
        }
        let value = match self.config.validation.metric {
            Metric::Bleu => result.bleu,
            Metric::Chrf => result.chrf,
            Metric::Loss => result.nll,
        };
        let outcome = self.state.validated(value);
        self.record_validation(&result, outcome, value)?;
        self.config
            .training
            .schedule
            .after_validation(outcome, &mut self.state.plateau);
        self.shares.validations += started.elapsed().as_secs_f64();
        self.save()?;
        self.interval = Interval::start();
        Ok(())
    }

    fn record_validation(&mut self, result: &ValidationResult, outcome: Outcome, value: f64) -> Result<()> {
        let learning_rate = self.config.training.schedule.learning_rate(
            self.state.update,
            self.config.model.d_model,
            &self.state.plateau,
        );
        let record = ValidationRecord {
            update: self.state.update,
            epoch: self.state.position.epoch + 1,
            loss: result.loss,
            nll: result.nll,
            perplexity: result.nll.exp(),
            bleu: Some(result.bleu),
            chrf: Some(result.chrf),
            learning_rate,
            metric: self.config.validation.metric.name(),
            best_value: self.state.best.map_or(value, |best| best.score),
            best: outcome == Outcome::Improved,
            stalled: self.state.stalled,
            loss_seconds: result.loss_seconds,
            decode_seconds: result.decode_seconds,
            decode_target_tokens_per_second: result.decoded_tokens as f64 / result.decode_seconds,
        };
        self.journal.validation(&record)?;
        self.console.message(&crate::journal::validation_line(&record));
        let samples = self.validation.samples(&result.translations);
        self.journal.log(&samples)?;
        self.options
            .run
            .write_translation("valid", &self.state.update.to_string(), &result.translations)
    }

    /// Says something to the user and to the log.
    fn say(&mut self, text: &str) -> Result<()> {
        self.console.message(text);
        Ok(self.journal.log(text)?)
    }

    /// What is about to be trained, on what, with what.
    fn describe(&mut self) -> Result<()> {
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
            format!(
                "vocabulary {} source, {} target{}",
                vocabularies.source,
                vocabularies.target,
                if vocabularies.shared { ", shared" } else { "" }
            ),
            format!("{} parameters", self.model.num_params()),
            format!(
                "{} batches an epoch, padding {:.1} % of the source, {:.1} % of the target",
                padding.batches,
                100.0 * padding.source_share(),
                100.0 * padding.target_share()
            ),
        ];
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
        if self.validation.too_long > 0 {
            let limit = self.config.data.max_length;
            lines.push(format!(
                "{} validation pairs are longer than data.max_length {limit}: translated in parts, not in the loss",
                self.validation.too_long
            ));
        }
        lines.iter().try_for_each(|line| self.say(line))
    }

    fn out_of_patience(&self) -> bool {
        let patience = self.config.validation.patience;
        patience > 0 && self.state.stalled >= patience
    }

    fn batch_options(&self) -> BatchOptions {
        let config = self.config;
        let mut options = BatchOptions::new(micro_batch_tokens(config), config.seed);
        if config.tokenizer.dropout > 0.0 {
            options = options.with_dropout(Resegment {
                tokenizer: self.prepared.tokenizer.clone(),
                dropout: config.tokenizer.dropout,
                max_length: config.data.max_length,
            });
        }
        BatchOptions {
            window: config.training.window.unwrap_or(options.window),
            ..options
        }
    }
}

fn micro_batch_tokens(config: &Config) -> usize {
    (config.training.batch_tokens / config.training.accumulate).max(1)
}

/// What a run comes to that is stopped before its first update.
fn interrupted(update: u64, console: &dyn Console) -> Trained {
    console.message("interrupted before the first update; the same command begins again");
    Trained {
        end: End::Interrupted,
        update,
        tests: vec![],
    }
}

/// Makes room for a run of the same name without losing the old one.
fn move_aside(run: &RunFolder, console: &dyn Console) -> Result<()> {
    let _lock = RunLock::acquire(run.root())?;
    let name = run.root().file_name().unwrap_or_default().to_string_lossy();
    let free = (1..)
        .map(|number| run.root().with_file_name(format!("{name}.old-{number}")))
        .find(|path| !path.exists());
    if let Some(old) = free {
        std::fs::rename(run.root(), &old).map_err(|source| TrainerError::Run {
            folder: run.root().to_path_buf(),
            message: format!("cannot be moved to {}: {source}", old.display()),
            hint: "move or remove it by hand, or choose another --run-dir".into(),
        })?;
        console.message(&format!("the older run now lies in {}", old.display()));
    }
    Ok(())
}

fn end_in_words(end: End) -> &'static str {
    match end {
        End::Finished => "finished",
        End::OutOfPatience => "stopped early for want of improvement",
        End::Interrupted => "interrupted; the same command goes on from here",
    }
}

#[cfg(test)]
mod tests;
