//! `ember inspect`
//!
//! ```text
//! tables     what people read
//! pictures   positions.svg and schedule.svg
//! ```

mod pictures;
mod tables;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use ember_trainer::config::Config;
use ember_trainer::console::{Console, Stoppable};
use ember_trainer::inspect::{InspectOptions, inspect};
use ember_trainer::run::RunFolder;

use super::sentence_length;
use crate::console::{Terminal, print_result};
use crate::signals;

/// Show what a config makes, before it is trained: parameters, vocabulary, memory
///
/// Where the training text is there, it is read as `ember train` reads it, so that a tokenizer is learnt from it and the
/// memory is that of its largest batch; nothing of that stays on disk. Memory is a forecast for CPUs, to about a fifth.
#[derive(Args)]
pub struct Inspect {
    /// A config file, or the run folder of a training
    #[arg(value_name = "CONFIG|RUN")]
    path: PathBuf,
    /// Override one key of a config file, such as model.arch=rnn; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Forecast memory for sentences of N tokens on both sides, as `ember bench` makes them
    #[arg(long, value_parser = sentence_length, value_name = "N")]
    length: Option<usize>,
    /// Draw the positional encoding and the learning rate, positions.svg and schedule.svg
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let terminal = if self.json { Terminal::quiet() } else { Terminal::new() };
        let stop = signals::stop_flag()?;
        let console = Stoppable::new(&terminal, &stop);
        let (config, run) = self.load()?;
        let options = InspectOptions {
            config,
            run,
            length: self.length,
        };
        let inspection = inspect(&options, &console)?;
        print_result(&if self.json {
            format!("{}\n", serde_json::to_string(&inspection)?)
        } else {
            tables::text(&inspection)
        })?;
        if let Some(folder) = &self.pictures {
            for line in pictures::write(&inspection, folder)? {
                console.message(&line);
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The config, and the run folder that it lies in if that was named.
    fn load(&self) -> anyhow::Result<(Config, Option<RunFolder>)> {
        if !self.path.is_dir() {
            return Ok((Config::load(&self.path, &self.set)?, None));
        }
        let run = RunFolder::new(&self.path);
        let config = run.load_config()?;
        anyhow::ensure!(
            self.set.is_empty(),
            "--set {} has no place here: {} is a run folder, whose config is settled\nhint: name a config file",
            self.set[0],
            self.path.display()
        );
        Ok((config, Some(run)))
    }
}
