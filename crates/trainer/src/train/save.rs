//! From a trainer to a checkpoint and back.
//!
//! `model.safetensors` is the model to be used. Where a moving average of the weights is kept, that is the average, and
//! `optimizer.safetensors` holds the weights that are trained beside Adam's means.

use std::collections::BTreeSet;
use std::path::Path;

use burn::prelude::*;
use ember_model::arch::Model;
use ember_model::weights::{Weights, export, import};

use super::trainer::Trainer;
use crate::checkpoint::CheckpointError;
use crate::checkpoint::files;
use crate::checkpoint::pointers::Pointer;
use crate::checkpoint::state::STATE;
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
        let keep = self.keep();
        let checkpoints = self.options.run.checkpoints();
        files::write_checkpoint(
            &checkpoints,
            self.state.update,
            &[
                (MODEL_FILE, &weights_file::to_bytes(&in_use)),
                (OPTIMIZER_FILE, &weights_file::to_bytes(&optimizer)),
                (STATE, &self.state.to_json()),
            ],
        )?;
        self.point()?;
        files::prune(&checkpoints, &keep)?;
        self.saved = Some(self.state.update);
        self.shares.checkpoints += started.elapsed().as_secs_f64();
        Ok(())
    }

    /// The checkpoints that stay: validated ones by the rules of `[validation]`, and the present one.
    fn keep(&mut self) -> BTreeSet<u64> {
        self.state
            .keep(self.config.validation.keep_best, self.config.validation.keep_last)
    }

    /// Makes `best` and `last` name what the state says.
    fn point(&self) -> Result<()> {
        let checkpoints = self.options.run.checkpoints();
        Pointer::Last.write(&checkpoints, self.state.update)?;
        match self.state.best {
            Some(best) => Ok(Pointer::Best.write(&checkpoints, best.update)?),
            None => Ok(Pointer::Best.remove(&checkpoints)?),
        }
    }

    /// Goes on from a checkpoint that was verified, whose state was read before.
    pub(super) fn load(&mut self, folder: &Path) -> Result<()> {
        self.state.change_metric(self.config.validation.metric);
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
        // A run that was killed between the checkpoint and what follows it does that now.
        self.point()?;
        files::prune(&self.options.run.checkpoints(), &self.keep())?;
        self.say(&format!(
            "resuming {} behind update {}",
            self.config.name, self.state.update
        ))
    }
}
