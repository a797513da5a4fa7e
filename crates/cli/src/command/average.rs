//! `ember average`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use ember_trainer::average::{Selection, average};
use ember_trainer::run::RunFolder;

use super::at_least_one;

/// Average the weights of several checkpoints, for use as `--checkpoint average`
///
/// Writes checkpoints/average; its average.json names the run and the updates that went into it.
#[derive(Args)]
pub struct Average {
    /// The run folder
    run: PathBuf,
    /// The newest N checkpoints
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = at_least_one)]
    last: usize,
    /// The N checkpoints with the best validations
    #[arg(long, value_name = "N", conflicts_with = "last", value_parser = at_least_one)]
    best: Option<usize>,
}

impl Average {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let selection = self.best.map_or(Selection::Last(self.last), Selection::Best);
        let updates = average(&RunFolder::new(&self.run), selection)?;
        let updates: Vec<String> = updates.iter().map(u64::to_string).collect();
        eprintln!(
            "averaged the checkpoints {} into {}",
            updates.join(", "),
            self.run.join("checkpoints/average").display()
        );
        Ok(ExitCode::SUCCESS)
    }
}
