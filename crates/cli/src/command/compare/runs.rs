//! What several runs made of the same test corpus.

use std::cell::OnceCell;
use std::path::PathBuf;

use ember_data::config::CorpusConfig;
use ember_data::tokenizer::Tokenizer;
use ember_trainer::compare::System;
use ember_trainer::config::Config;
use ember_trainer::console::Console;
use ember_trainer::evaluate::ScoreOptions;
use ember_trainer::prepare::ParallelText;
use ember_trainer::run::RunFolder;
use ember_trainer::tag::{self, TaggedLines};
use ember_trainer::trained::TrainedModel;
use ember_trainer::translate::texts;
use ember_trainer::translations;

use crate::command::scoring::trimmed;
use crate::command::split::corpora_of;
use crate::console::Terminal;
use crate::device::{self, DeviceChoice, OpenDevice};

/// Runs with their configs.
pub struct Runs {
    runs: Vec<Run>,
    checkpoint: String,
    choice: DeviceChoice,
    /// Opened by the first run that has to translate.
    device: OnceCell<OpenDevice>,
}

struct Run {
    name: String,
    folder: RunFolder,
    config: Config,
}

impl Runs {
    /// Reads the configs.
    ///
    /// # Errors
    /// A folder that is no run folder.
    pub fn open(folders: &[PathBuf], checkpoint: &str, choice: DeviceChoice) -> anyhow::Result<Self> {
        let mut runs = Vec::new();
        for path in folders {
            let folder = RunFolder::new(path);
            runs.push(Run {
                name: path.display().to_string(),
                config: folder.load_config()?,
                folder,
            });
        }
        Ok(Self {
            runs,
            checkpoint: checkpoint.to_owned(),
            choice,
            device: OnceCell::new(),
        })
    }

    /// As the baseline is validated.
    pub fn score_options(&self) -> ScoreOptions {
        ScoreOptions::of_run(&self.runs[0].config.validation)
    }

    /// The test corpora to compare on: the one that is named, or all of the baseline.
    ///
    /// # Errors
    /// A corpus that a run does not have.
    pub fn splits(&self, named: Option<&str>) -> anyhow::Result<Vec<String>> {
        let splits: Vec<String> = match named {
            Some(name) => vec![name.to_owned()],
            None => self.runs[0].config.data.test.keys().cloned().collect(),
        };
        anyhow::ensure!(
            !splits.is_empty(),
            "the config of {} names no test corpus\nhint: give --split valid, or --hypothesis and --reference",
            self.runs[0].name
        );
        for run in &self.runs {
            for split in &splits {
                run.corpora(split)?;
            }
        }
        Ok(splits)
    }

    /// The systems' translations of a corpus, and the reference that they share.
    ///
    /// # Errors
    /// Runs whose references differ, and whatever keeps a run from translating.
    pub fn translations(&self, split: &str) -> anyhow::Result<(Vec<System>, Vec<String>)> {
        let mut texts = Vec::new();
        for run in &self.runs {
            let mut text = run.text(split)?;
            text.reference = text.reference.into_iter().map(trimmed).collect();
            texts.push(text);
        }
        for (run, text) in self.runs.iter().zip(&texts) {
            same_reference(split, (&self.runs[0], &texts[0]), (run, text))?;
        }
        let mut systems = Vec::new();
        for (run, text) in self.runs.iter().zip(&texts) {
            let tags = tag::ids(&Tokenizer::load(&run.folder.tokenizer())?, &text.tags)?;
            let lines = self.translation(run, split, TaggedLines::new(&text.source, &tags))?;
            systems.push((run.name.clone(), lines.into_iter().map(trimmed).collect()));
        }
        Ok((systems, texts.swap_remove(0).reference))
    }

    fn translation(&self, run: &Run, split: &str, source: TaggedLines<'_>) -> anyhow::Result<Vec<String>> {
        if let Some(lines) = translations::kept(&run.folder, split, &self.checkpoint, &run.config, source)? {
            return Ok(lines);
        }
        let device = match self.device.get() {
            Some(device) => device,
            None => {
                let device = device::open(self.choice)?;
                self.device.get_or_init(|| device)
            }
        };
        let console = Terminal::quiet();
        let trained = TrainedModel::load(&run.folder, &self.checkpoint, &device.device)?;
        let decoding = &run.config.decoding;
        let lines = texts(&trained.translate(source, decoding, &console)?);
        // Validation's translations are training's own.
        if split != "valid"
            && let Err(error) = translations::keep(&run.folder, split, &trained, source, decoding, &lines)
        {
            console.message(&format!("warning: the translation was not kept: {error}"));
        }
        Ok(lines)
    }
}

impl Run {
    fn corpora(&self, split: &str) -> anyhow::Result<&[CorpusConfig]> {
        corpora_of(&self.config.data, split, &format!("the config of {}", self.name))
    }

    fn text(&self, split: &str) -> anyhow::Result<ParallelText> {
        Ok(ParallelText::read(&self.config.data, self.corpora(split)?)?)
    }
}

fn same_reference(
    split: &str,
    (first, one): (&Run, &ParallelText),
    (second, other): (&Run, &ParallelText),
) -> anyhow::Result<()> {
    let hint =
        "hint: scores can be compared on the same references only; for other text give --hypothesis and --reference";
    let (one, other) = (&one.reference, &other.reference);
    anyhow::ensure!(
        one.len() == other.len(),
        "the references of {split} differ: {} lines of {}, {} of {}\n{hint}",
        one.len(),
        first.name,
        other.len(),
        second.name
    );
    if let Some(line) = (0..one.len()).find(|line| one[*line] != other[*line]) {
        anyhow::bail!(
            "the references of {split} differ in line {}: {:?} of {}, {:?} of {}\n{hint}",
            line + 1,
            one[line],
            first.name,
            other[line],
            second.name
        );
    }
    Ok(())
}
