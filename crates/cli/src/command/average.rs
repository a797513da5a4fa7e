//! `ember average`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use ember_trainer::average::{Selection, average};
use ember_trainer::run::RunFolder;

use super::at_least_one;
use crate::console::print_to_stderr;

/// Checkpoints that are averaged where the user names no number (Vaswani et al. 2017, section 6.1).
const DEFAULT_LAST: usize = 5;

/// Average the weights of several checkpoints, for use as `--checkpoint average`
///
/// Writes checkpoints/average; its average.json names the run and the updates that went into it.
#[derive(Args)]
pub struct Average {
    /// The run folder
    run: PathBuf,
    /// The newest N checkpoints [default: 5, or all where there are fewer]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    last: Option<usize>,
    /// The N checkpoints with the best validations
    #[arg(long, value_name = "N", conflicts_with = "last", value_parser = at_least_one)]
    best: Option<usize>,
    /// The checkpoints of these updates, such as 2000,2500,3000
    #[arg(long, value_name = "U,…", conflicts_with_all = ["last", "best"], value_delimiter = ',')]
    checkpoints: Vec<u64>,
}

impl Average {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let run = RunFolder::new(&self.run);
        let selection = match (self.last, self.best) {
            (Some(count), _) => Selection::Last(count),
            (None, Some(count)) => Selection::Best(count),
            (None, None) if self.checkpoints.is_empty() => Selection::newest(&run, DEFAULT_LAST)?,
            (None, None) => Selection::Updates(self.checkpoints),
        };
        let updates = average(&run, selection)?;
        let updates: Vec<String> = updates.iter().map(u64::to_string).collect();
        print_to_stderr(&format!(
            "averaged the checkpoints {} into {}",
            updates.join(", "),
            self.run.join("checkpoints/average").display()
        ));
        Ok(ExitCode::SUCCESS)
    }
}
