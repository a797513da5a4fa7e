//! `ember compare`

mod runs;
mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use ember_metrics::{PairedTest, TestKind};
use ember_trainer::compare::{Comparison, System, compare};
use ember_trainer::console::Console;
use ember_trainer::evaluate::ScoreOptions;

use super::scoring::{ReferenceFiles, Scoring, read_text, same_lines};
use crate::console::{Terminal, print_result};
use crate::device::DeviceChoice;

/// Tell whether one model or text is really better than another
///
/// The first system is the baseline; every other one is compared with it on the same lines. With run folders: on their
/// test corpora, by the translations that they hold, or translated now. With --hypothesis: on text of any origin. Scores,
/// confidence intervals and p values are those of sacreBLEU's paired tests.
#[derive(Args)]
#[command(group = clap::ArgGroup::new("scored_text").arg("hypothesis").multiple(true))]
pub struct Compare {
    /// Run folders of trained models, the baseline first
    #[arg(required_unless_present = "hypothesis", conflicts_with_all = ["hypothesis", "reference"], num_args = 2..)]
    runs: Vec<PathBuf>,
    /// A test corpus of the configs, or `valid` [default: all test corpora]
    #[arg(long, value_name = "NAME", conflicts_with = "hypothesis")]
    split: Option<String>,
    /// A translation, the baseline first; to be repeated
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "reference")]
    hypothesis: Vec<PathBuf>,
    #[command(flatten)]
    references: ReferenceFiles,
    /// best, last, average, or an update's number, of every run
    #[arg(
        long,
        default_value = "best",
        value_name = "CHECKPOINT",
        conflicts_with = "hypothesis"
    )]
    checkpoint: String,
    /// bootstrap: lines drawn with replacement; randomisation: translations of a line swapped by chance
    #[arg(long, default_value = "bootstrap", value_name = "NAME")]
    test: TestKind,
    /// Resamples, or trials [default: 1000 of the bootstrap, 10000 of randomisation]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    samples: Option<u64>,
    /// Where the random numbers start
    #[arg(long, value_name = "N", default_value_t = PairedTest::DEFAULT_SEED)]
    seed: u64,
    /// auto, flex, ndarray, wgpu[:i] or cuda[:i]
    #[arg(long, default_value_t, value_name = "DEVICE")]
    device: DeviceChoice,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    scoring: Scoring,
}

impl Compare {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        // Options that do not go together are told before a model is read.
        self.scoring.options(ScoreOptions::default())?;
        let comparisons = if self.runs.is_empty() {
            vec![("text".to_owned(), self.compare_texts()?)]
        } else {
            self.compare_runs()?
        };
        let console = Terminal::quiet();
        for (name, comparison) in &comparisons {
            for warning in &comparison.warnings {
                console.message(&format!("warning: {name}: {warning}"));
            }
        }
        if self.json {
            print_json(comparisons)?;
        } else {
            for (name, comparison) in &comparisons {
                print_result(&table::render(name, comparison, self.scoring.width()))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn compare_texts(&self) -> anyhow::Result<Comparison> {
        anyhow::ensure!(
            self.hypothesis.len() > 1,
            "1 hypothesis is given, a comparison needs 2\nhint: repeat --hypothesis, the baseline first"
        );
        refuse_repeated(&self.hypothesis)?;
        let mut systems: Vec<System> = Vec::new();
        for path in &self.hypothesis {
            systems.push((path.display().to_string(), read_text(path)?));
        }
        let (first, lines) = (&self.hypothesis[0], systems[0].1.len());
        for (path, (_, text)) in self.hypothesis.iter().zip(&systems) {
            same_lines((path, text.len()), (first, lines))?;
        }
        let references = self.references.read(first, lines)?;
        let options = self.scoring.options(ScoreOptions::default())?;
        Ok(compare(&systems, &references, &options, &self.paired_test())?)
    }

    fn compare_runs(&self) -> anyhow::Result<Vec<(String, Comparison)>> {
        refuse_repeated(&self.runs)?;
        let runs = runs::Runs::open(&self.runs, &self.checkpoint, self.device)?;
        let options = self.scoring.options(runs.score_options())?;
        let mut comparisons = Vec::new();
        for split in runs.splits(self.split.as_deref())? {
            let (systems, reference) = runs.translations(&split)?;
            let comparison = compare(&systems, &[reference], &options, &self.paired_test())?;
            comparisons.push((split, comparison));
        }
        Ok(comparisons)
    }

    fn paired_test(&self) -> PairedTest {
        let samples = self.samples.map(|samples| samples as usize);
        PairedTest {
            kind: self.test,
            samples: samples.unwrap_or(self.test.default_samples()),
            seed: self.seed,
        }
    }
}

fn refuse_repeated(systems: &[PathBuf]) -> anyhow::Result<()> {
    for (index, path) in systems.iter().enumerate() {
        anyhow::ensure!(
            !systems[..index].contains(path),
            "{} is given twice\nhint: a system does not differ from itself; give another one",
            path.display()
        );
    }
    Ok(())
}

/// One object; of several test corpora their comparisons stand under their names.
fn print_json(mut comparisons: Vec<(String, Comparison)>) -> anyhow::Result<()> {
    let json = match comparisons.len() {
        1 => serde_json::to_string(&comparisons.remove(0).1)?,
        _ => serde_json::to_string(&comparisons.into_iter().collect::<BTreeMap<_, _>>())?,
    };
    print_result(&format!("{json}\n"))
}
