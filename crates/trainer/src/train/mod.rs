//! Training, from the config to the last checkpoint.
//!
//! ```text
//! mod      what to train, and how it ended; what lies before the loop: older runs, corpora, the checkpoint to go on from
//! trainer  the loop, top to bottom: updates, validations
//! report   what is said of them: log, metrics, progress
//! save     from a trainer to a checkpoint and back
//! tally    sums over updates
//! ```
//!
//! Update `u` is a pure function of (config, weights and optimizer after `u - 1`, `u`): its batches follow from (seed,
//! epoch), its dropout from (seed, u). So a run that was killed anywhere and started again ends in the same bytes, on
//! CPU, as one that was never stopped.

mod report;
mod save;
mod tally;
mod trainer;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burn::prelude::*;
use ember_data::batch::Position;

use crate::checkpoint::files::{self, Resumable};
use crate::checkpoint::lock::RunLock;
use crate::checkpoint::state::State;
use crate::checkpoint::whole::write_whole;
use crate::config::{Config, compare_for_resume};
use crate::console::{Console, Stoppable};
use crate::error::{Result, TrainerError};
use crate::prepare::{Corpora, ParallelText, prepare};
use crate::run::RunFolder;
use crate::validate::yardsticks;
pub(crate) use tally::TimeShares;
use trainer::Trainer;

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
    run.refuse_foreign()?;
    if options.fresh && run.root().exists() {
        match corpora.check(config, console) {
            Err(error) if error.is_stop() => return Ok(interrupted(0, console)),
            checked => checked?,
        }
        move_aside(run, console)?;
    }
    let _lock = RunLock::acquire(run.root())?;
    let resumable = find_resumable(options, console)?;
    let prepared = match prepare(config, corpora, run, resumable.is_some(), console) {
        Err(error) if error.is_stop() => {
            return Ok(interrupted(resumable.map_or(0, |resumable| resumable.update), console));
        }
        prepared => prepared?,
    };
    write_whole(&run.config(), config.to_toml().as_bytes())?;

    let mut state = match &resumable {
        Some(resumable) => State::read(&resumable.folder)?,
        None => State::new(Position::default(), config.validation.metric),
    };
    // What a newer checkpoint than this one pruned is not there to be named or ranked.
    state.forget_missing(&files::list(&run.checkpoints())?);
    let judging = state.judge_by(config.validation.metric, yardsticks(config, &prepared.valid));
    let mut trainer = Trainer::new(options, &prepared, state, console)?;
    match resumable {
        Some(resumable) => trainer.load(&resumable.folder, judging)?,
        None => trainer.say(&format!("training {} from the start", config.name))?,
    }
    trainer.describe()?;
    let (end, update) = trainer.run()?;
    Ok(Trained {
        end,
        update,
        tests: prepared.tests,
    })
}

/// Tidies up after dead processes and finds the checkpoint to go on from, if there is one and the config lets it.
fn find_resumable(options: &TrainOptions, console: &dyn Console) -> Result<Option<Resumable>> {
    let run = &options.run;
    for folder in [run.root(), &run.checkpoints(), &run.translations()] {
        files::clean_up(folder)?;
    }
    let (resumable, warnings) = files::find_resumable(&run.checkpoints())?;
    for warning in warnings {
        console.message(&format!("warning: {warning}"));
    }
    if resumable.is_some() {
        for change in compare_for_resume(&run.load_config()?, &options.config)? {
            console.message(&format!("changed since the last start: {change}"));
        }
    }
    Ok(resumable)
}

/// What a run comes to that is stopped before this start's first update.
fn interrupted(update: u64, console: &dyn Console) -> Trained {
    console.message(match update {
        0 => "interrupted before the first update; the same command begins again",
        _ => "interrupted before training went on; the same command goes on",
    });
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

#[cfg(test)]
mod tests;
