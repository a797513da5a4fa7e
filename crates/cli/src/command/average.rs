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
    /// The checkpoints of these updates, such as 2000,2500,3000
    #[arg(long, value_name = "U,…", conflicts_with_all = ["last", "best"], value_delimiter = ',')]
    checkpoints: Vec<u64>,
}

impl Average {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let selection = match self.best {
            Some(count) => Selection::Best(count),
            None if self.checkpoints.is_empty() => Selection::Last(self.last),
            None => Selection::Updates(self.checkpoints),
        };
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
