//! From a trainer to a checkpoint and back.
//!
//! `model.safetensors` is the model to be used. Where a moving average of the weights is kept, that is the average, and
//! `optimizer.safetensors` holds the weights that are trained beside Adam's means.

use std::path::Path;

use burn::prelude::*;
use ember_model::arch::Model;
use ember_model::weights::{Weights, export, import};

use super::trainer::Trainer;
use crate::checkpoint::CheckpointError;
use crate::checkpoint::files;
use crate::checkpoint::pointers::Pointer;
use crate::checkpoint::state::{Judging, STATE};
use crate::error::Result;
use crate::optimizer;
use crate::run::MODEL_FILE;
use crate::weights_file;

const OPTIMIZER_FILE: &str = "optimizer.safetensors";
/// Stands before the name of a trained weight in the optimizer's file.
const TRAINED: &str = "trained.";

impl Trainer<'_> {
    /// The model to be used, without autodiff.
    pub(super) fn model_in_use(&self) -> Model {
        let model = self.learner.model().clone().valid();
        match self.average(&export(&model)) {
            Some(average) => import(model, average).expect("an average has the shapes of its weights"),
            None => model,
        }
    }

    fn average(&self, trained: &Weights) -> Option<Weights> {
        if self.config.training.ema > 0.0 {
            self.learner.optimizer.average(trained)
        } else {
            None
        }
    }

    /// Writes the checkpoint of this update; a run that is killed later goes on from here.
    pub(super) fn save(&mut self) -> Result<()> {
        let started = std::time::Instant::now();
        // Without a validation nothing is known by which an older checkpoint would have to go.
        if self.state.is_validated() {
            let validation = &self.config.validation;
            self.state.keep(validation.keep_best, validation.keep_last);
        }
        self.write()?;
        self.tidy()?;
        self.shares.checkpoints += started.elapsed().as_secs_f64();
        Ok(())
    }

    fn write(&mut self) -> Result<()> {
        self.journal.sync()?;
        let trained = export(self.learner.model());
        let mut optimizer = self.learner.optimizer.export();
        let in_use = match self.average(&trained) {
            Some(average) => {
                optimizer.extend(
                    trained
                        .into_iter()
                        .map(|(name, weight)| (format!("{TRAINED}{name}"), weight)),
                );
                average
            }
            None => trained,
        };
        files::write_checkpoint(
            &self.options.run.checkpoints(),
            self.state.update,
            &[
                (MODEL_FILE, &weights_file::to_bytes(&in_use)),
                (OPTIMIZER_FILE, &weights_file::to_bytes(&optimizer)),
                (STATE, &self.state.to_json()),
            ],
        )?;
        self.saved = Some(self.state.update);
        Ok(())
    }

    /// Makes `best` and `last` name what the state says, and removes the checkpoints that it does not. Without a best
    /// one `best` goes on naming what it names: what cannot be compared any more was still the best of its time.
    fn tidy(&self) -> Result<()> {
        let checkpoints = self.options.run.checkpoints();
        let stays = self.state.stays();
        Pointer::Last.write(&checkpoints, self.state.update)?;
        match self.state.best_there() {
            Some(best) => Pointer::Best.write(&checkpoints, best)?,
            None => {
                let named = Pointer::Best.read(&checkpoints).ok().flatten();
                if !named.is_some_and(|named| stays.contains(&named)) {
                    Pointer::Best.remove(&checkpoints)?;
                }
            }
        }
        Ok(files::prune(&checkpoints, &stays)?)
    }

    /// Goes on from a checkpoint that was verified, whose state was read before, and ranked anew where validations are
    /// judged otherwise now.
    pub(super) fn load(&mut self, folder: &Path, judging: Judging) -> Result<()> {
        let mut optimizer = weights_file::read(&folder.join(OPTIMIZER_FILE))?;
        let in_use = weights_file::read(&folder.join(MODEL_FILE))?;

        let of_optimizer = optimizer.extract_if(.., |name, _| !name.starts_with(TRAINED)).collect();
        let trained: Weights = optimizer
            .into_iter()
            .map(|(name, weight)| (name[TRAINED.len()..].to_owned(), weight))
            .collect();
        let (trained, trained_in, average) = if trained.is_empty() {
            (in_use, MODEL_FILE, None)
        } else {
            (trained, OPTIMIZER_FILE, Some(in_use))
        };

        let damaged = |file: &str, message: String| CheckpointError::Damaged {
            path: folder.join(file),
            message,
            hint: format!(
                "remove {} to go on from an older checkpoint, or start over with --fresh",
                folder.display()
            ),
        };
        let saved = optimizer::Saved {
            means: of_optimizer,
            average,
            steps: self.state.update - self.state.skipped,
        };
        let imported = import(self.learner.model().clone(), trained.clone());
        let model = imported.map_err(|fault| damaged(trained_in, fault.to_string()))?;
        self.learner.set_model(model);
        self.learner
            .optimizer
            .import(saved, &trained, &self.options.device)
            .map_err(|fault| {
                let file = if fault.of_average { MODEL_FILE } else { OPTIMIZER_FILE };
                damaged(file, fault.message)
            })?;
        self.saved = Some(self.state.update);
        self.say(&format!(
            "resuming {} behind update {}",
            self.config.name, self.state.update
        ))?;
        if let Some(line) = self.ranked_anew(judging) {
            self.say(&line)?;
            // For all who read it. A validation that is due writes it itself.
            if !self.state.validation_due {
                self.write()?;
            }
        }
        // A run that was killed between the checkpoint and what follows it does that now.
        self.tidy()
    }

    /// What is to be said of validations that are judged otherwise than before.
    fn ranked_anew(&self, judging: Judging) -> Option<String> {
        let Judging::Changed { forgotten } = judging else {
            return None;
        };
        let mut line = "validations are judged otherwise than before".to_owned();
        if forgotten > 0 {
            line += &format!("; {forgotten} of them can no longer be compared and are forgotten");
        }
        if let Some(best) = self.state.best_there() {
            line += &format!("; the best checkpoint is {best}");
        }
        if self.state.validation_due {
            line += &format!("; update {} is validated again", self.state.update);
        }
        Some(line)
    }
}
