//! `ember train`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use ember_trainer::config::Config;
use ember_trainer::console::{Console, Stoppable};
use ember_trainer::evaluate::{ScoreOptions, translate_and_score};
use ember_trainer::run::RunFolder;
use ember_trainer::tag::{self, TaggedLines};
use ember_trainer::train::{End, TrainOptions, train};
use ember_trainer::trained::TrainedModel;
use ember_trainer::translate::texts;
use ember_trainer::translations;

use crate::console::{Terminal, print_result};
use crate::device::{self, DeviceChoice};
use crate::signals;

/// Train a model from a config file; run again, it resumes where it stopped
///
/// Prepares what is missing (tokenizer, token store), trains, validates, keeps checkpoints, and at the end translates and
/// scores the test corpora with the best checkpoint. Ctrl-C saves a checkpoint and stops; the same command goes on.
#[derive(Args)]
pub struct Train {
    /// The config file
    config: PathBuf,
    /// Override one key, such as training.stop_after='"2000u"'; a bare word is a string; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// auto, flex, ndarray, wgpu[:i] or cuda[:i]
    #[arg(long, default_value_t, value_name = "DEVICE")]
    device: DeviceChoice,
    /// The run folder [default: runs/<name>]
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Start over; an older run of the same name is moved aside
    #[arg(long)]
    fresh: bool,
}

impl Train {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let config = Config::load(&self.config, &self.set)?;
        let device = device::open(self.device)?;
        let run = RunFolder::new(self.run_dir.unwrap_or_else(|| PathBuf::from("runs").join(&config.name)));
        let console = Terminal::new();
        let options = TrainOptions {
            config,
            run,
            device: device.device,
            device_name: device.choice.to_string(),
            fresh: self.fresh,
            stop: signals::stop_flag()?,
        };
        let trained = train(&options, &console)?;
        if trained.end == End::Interrupted {
            return Ok(ExitCode::SUCCESS);
        }
        let model = TrainedModel::load(&options.run, "best", &options.device)?;
        let splits: Vec<&str> = trained.tests.iter().map(|(split, _)| split.as_str()).collect();
        for (number, (split, text)) in trained.tests.iter().enumerate() {
            let tags = tag::ids(&model.tokenizer, &text.tags)?;
            let source = TaggedLines::new(&text.source, &tags);
            let references = std::slice::from_ref(&text.reference);
            let scoring = ScoreOptions::of_run(&options.config.validation);
            let decoding = &options.config.decoding;
            let stoppable = Stoppable::new(&console, &options.stop);
            let scored = translate_and_score(&model, source, references, decoding, &scoring, &stoppable);
            let (found, scores) = match scored {
                Err(error) if error.is_stop() => {
                    let left = splits[number..].join(", ");
                    console.message(&format!(
                        "interrupted before {left} was scored; the same command does it"
                    ));
                    break;
                }
                scored => scored?,
            };
            translations::keep(&options.run, split, &model, source, decoding, &texts(&found))?;
            for warning in &scores.warnings {
                console.message(&format!("warning: {split}: {warning}"));
            }
            if let Some(bleu) = scores.bleu() {
                print_result(&format!("{split} BLEU {:.2} {}\n", bleu.score, bleu.signature))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
