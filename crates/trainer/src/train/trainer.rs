//! The loop: updates, and validations between them.

use std::sync::atomic::Ordering;
use std::time::Instant;

use ember_data::batch::{Batch, BatchOptions, BatchStream, Position};

use super::tally::{Interval, TimeShares};
use super::{End, TrainOptions};
use crate::checkpoint::by_metric::Values;
use crate::checkpoint::files;
use crate::checkpoint::state::State;
use crate::config::Config;
use crate::console::Console;
use crate::error::{Result, TrainerError};
use crate::journal::{Covered, Journal, UpdateRecord};
use crate::learner::Learner;
use crate::prepare::{Prepared, batch_options};
use crate::trained::vocabularies;
use crate::translate::Translator;
use crate::validate::Validation;

/// Updates in a row that may be skipped because loss or gradient is not finite.
const MOST_SKIPPED: u32 = 10;

/// A run that is being trained.
pub(super) struct Trainer<'a> {
    pub(super) options: &'a TrainOptions,
    pub(super) config: &'a Config,
    pub(super) console: &'a dyn Console,
    pub(super) prepared: &'a Prepared,
    pub(super) validation: Validation,
    pub(super) journal: Journal,
    pub(super) learner: Learner,
    pub(super) state: State<Position>,
    /// The update of the newest checkpoint.
    pub(super) saved: Option<u64>,
    pub(super) interval: Interval,
    pub(super) shares: TimeShares,
}

impl<'a> Trainer<'a> {
    /// At the state of a checkpoint whose weights are still to be loaded, or at the beginning.
    pub fn new(
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
        let learner = Learner::new(config, vocabularies(&prepared.tokenizer), &options.device)?;
        let validation = Validation::new(
            prepared.valid.clone(),
            &prepared.tokenizer,
            config,
            config.training.micro_batch_tokens(),
        )?;
        Ok(Self {
            options,
            config,
            console,
            prepared,
            validation,
            journal,
            learner,
            state,
            saved: None,
            interval: Interval::start(),
            shares: TimeShares::default(),
        })
    }

    /// The loop. Returns why it ended, and after which update.
    pub fn run(mut self) -> Result<(End, u64)> {
        let config = self.config;
        let mut batches = BatchStream::new(self.prepared.store.clone(), self.batch_options(), self.state.position);
        let started = Instant::now();
        self.interval = Interval::start();
        let end = loop {
            // Weights that gave no finite loss are kept only where a validation loss shows that they are sound.
            let can_be_judged = self.state.skipped_in_a_row == 0 || self.validation.has_loss();
            if self.state.validation_due && can_be_judged {
                self.validate_and_save()?;
            }
            if config.training.stop_after.is_reached(&self.state.progress()) {
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
            let micro_batches: Vec<_> = batches.by_ref().take(config.training.accumulate).collect();
            self.shares.data += waiting.elapsed().as_secs_f64();
            self.update(&micro_batches)?;
            self.state.validation_due |= config.validation.every.is_due(&before, &self.state.progress());
        };
        self.console.training_paused();
        let end = self.end(end)?;
        self.say_goodbye(end, started.elapsed().as_secs_f64())?;
        Ok((end, self.state.update))
    }

    /// One update: gradients of all micro-batches, one step of the optimizer.
    fn update(&mut self, micro_batches: &[(Batch, Position)]) -> Result<()> {
        let started = Instant::now();
        let update = self.state.update + 1;
        let epoch = self.state.position.epoch + 1;
        let counts = Counts::of(micro_batches);

        let gradients = self
            .learner
            .gradients(micro_batches.iter().map(|(batch, _)| batch), update);
        let (loss, nll, gradient_norm) = (gradients.loss, gradients.nll, gradients.norm);
        let kl = gradients.divergence;
        let schedule = &self.config.training.schedule;
        let learning_rate = schedule.learning_rate(update, self.config.model.d_model, &self.state.plateau);
        if gradients.is_finite() {
            self.learner.step(gradients, learning_rate);
            self.state.skipped_in_a_row = 0;
        } else {
            self.skip(update, loss, gradient_norm)?;
        }

        self.state.update = update;
        self.state.source_tokens += counts.source_tokens;
        self.state.target_tokens += counts.target_tokens;
        self.state.sentences += counts.sentences;
        if let Some((_, position)) = micro_batches.last() {
            self.state.position = *position;
            self.state.epoch = position.epoch;
        }
        let seconds = started.elapsed().as_secs_f64();
        self.shares.updates += seconds;
        self.record(UpdateRecord {
            update,
            epoch,
            loss,
            nll,
            perplexity: nll.exp(),
            smoothed_perplexity: loss.exp(),
            kl,
            learning_rate,
            gradient_norm,
            sentences: counts.sentences,
            source_tokens: counts.source_tokens,
            target_tokens: counts.target_tokens,
            total_sentences: self.state.sentences,
            total_target_tokens: self.state.target_tokens,
            skipped: self.state.skipped,
            seconds,
            target_tokens_per_second: counts.target_tokens as f64 / seconds,
        })
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

    /// Validates and writes a checkpoint. A validation that the user cuts short does not count: it stays due if it was.
    fn validate_and_save(&mut self) -> Result<()> {
        self.console.training_paused();
        self.log_interval()?;
        let started = Instant::now();
        let model = self.model_in_use();
        let translator = Translator {
            model: &model,
            others: &[],
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
        let outcome = self.state.validated(Values::new(result.bleu, result.chrf, result.nll));
        self.record_validation(&result)?;
        if let Some(outcome) = outcome {
            let schedule = &self.config.training.schedule;
            schedule.after_validation(outcome, &mut self.state.plateau);
        }
        self.shares.validations += started.elapsed().as_secs_f64();
        self.save()?;
        self.interval = Interval::start();
        Ok(())
    }

    /// The last validation, where the last update has none, and the last checkpoint. Returns why training really ended:
    /// the validation may be cut short. It was not due: to patience and plateau it does not count.
    fn end(&mut self, end: End) -> Result<End> {
        if end != End::Interrupted && !self.state.is_validated() {
            if self.state.skipped_in_a_row > 0 && !self.validation.has_loss() {
                let skipped = self.state.skipped_in_a_row;
                let what = format!(
                    "loss or gradient was not finite in the last {skipped} updates, and no validation pair is short \
                     enough to show whether the weights are sound"
                );
                return Err(self.diverged(self.state.update, &what)?);
            }
            self.validate_and_save()?;
        }
        if end != End::Interrupted && self.state.is_validated() {
            return Ok(end);
        }
        // Weights that gave no finite loss are not worth keeping: the run goes on from the checkpoint before.
        if self.state.skipped_in_a_row == 0 {
            self.save()?;
        }
        Ok(End::Interrupted)
    }

    fn out_of_patience(&self) -> bool {
        let patience = self.config.validation.patience;
        patience > 0 && self.state.stalled >= patience
    }

    pub(super) fn batch_options(&self) -> BatchOptions {
        batch_options(self.config, &self.prepared.report, &self.prepared.tokenizer)
    }
}

/// What the micro-batches of an update hold.
struct Counts {
    sentences: u64,
    source_tokens: u64,
    target_tokens: u64,
}

impl Counts {
    fn of(micro_batches: &[(Batch, Position)]) -> Self {
        let sum = |count: fn(&Batch) -> usize| micro_batches.iter().map(|(batch, _)| count(batch) as u64).sum();
        Self {
            sentences: sum(|batch| batch.rows),
            source_tokens: sum(|batch| batch.source_tokens),
            target_tokens: sum(|batch| batch.target_tokens),
        }
    }
}
