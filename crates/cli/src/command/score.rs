//! `ember score`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use ember_data::corpus::read_lines;
use ember_trainer::run::RunFolder;
use ember_trainer::score::score_pairs;
use ember_trainer::tag::TaggedLines;
use ember_trainer::trained::TrainedModel;
use serde_json::json;

use crate::console::{print_result, print_to_stderr};
use crate::device::{self, DeviceChoice};

/// Print the log-probability of each given pair, in nats, one a line
///
/// A pair with a side of more sub-words than data.max_length is scored whole, like every other, and counted in a warning:
/// the model was trained on nothing that long.
#[derive(Args)]
pub struct Score {
    /// The run folder of a trained model
    run: PathBuf,
    /// The source text
    #[arg(long, value_name = "FILE")]
    source: PathBuf,
    /// The target text; line i translates line i of the source
    #[arg(long, value_name = "FILE")]
    target: PathBuf,
    /// The tag that every source line begins with, of a model that was trained with tags, such as "<2de>"
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// best, last, average, an update's number, or a checkpoint's or run's folder; several with commas score
    /// together
    #[arg(long, default_value = "best", value_name = "CHECKPOINT")]
    checkpoint: String,
    /// auto, flex, ndarray, wgpu[:i] or cuda[:i]
    #[arg(long, default_value_t, value_name = "DEVICE")]
    device: DeviceChoice,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Score {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let device = device::open(self.device)?;
        let trained = TrainedModel::load(&RunFolder::new(&self.run), &self.checkpoint, &device.device)?;
        let (source, target) = (read_lines(&self.source)?, read_lines(&self.target)?);
        anyhow::ensure!(
            source.len() == target.len(),
            "{} has {} lines, {} has {}\nhint: line i of the target must translate line i of the source",
            self.source.display(),
            source.len(),
            self.target.display(),
            target.len()
        );
        let tags = trained.tags(self.tag.as_deref(), source.len())?;
        let scores = score_pairs(&trained, TaggedLines::new(&source, &tags), &target);
        let mut long = scores.iter().enumerate().filter(|(_, score)| score.over_max_length);
        let first = long.next().map(|(index, _)| index + 1);
        let over_max_length = long.count() + usize::from(first.is_some());
        if let Some(line) = first {
            print_to_stderr(&format!(
                "warning: {over_max_length} of {} pairs are longer than data.max_length {}, the first in line {line}: \
                 scored whole, but the model was trained on nothing that long",
                scores.len(),
                trained.config.data.max_length
            ));
        }
        if self.json {
            print_result(&format!(
                "{}\n",
                json!({
                    "lines": scores.len(),
                    "checkpoints": trained.checkpoints,
                    "over_max_length": over_max_length,
                    "pairs": scores
                })
            ))?;
        } else {
            let lines: String = scores
                .iter()
                .map(|score| format!("{:.4}\n", score.log_probability))
                .collect();
            print_result(&lines)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
