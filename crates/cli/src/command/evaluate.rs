//! `ember evaluate`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use ember_data::corpus::read_lines;
use ember_metrics::{Confidence, PairedTest, TestKind};
use ember_trainer::console::Console;
use ember_trainer::evaluate::{ScoreOptions, Scores, score, translate_and_score, with_ranges};
use ember_trainer::prepare::ParallelText;
use ember_trainer::run::RunFolder;
use ember_trainer::tag::{self, TaggedLines};
use ember_trainer::trained::TrainedModel;
use ember_trainer::translate::texts;
use ember_trainer::translations;

use super::scoring::{ReferenceFiles, Scoring, read_text as read_scored_text, same_lines, trimmed};
use super::split::corpora_of;
use super::{beam, length_penalty};
use crate::console::{Terminal, print_result};
use crate::device::{self, DeviceChoice};

/// Score a model on held-out data, or text against references
///
/// With a run folder: translates and scores its test corpora, or a source and its references. With --hypothesis: scores
/// text, no model needed, with sacreBLEU's numbers and signatures.
#[derive(Args)]
#[command(group = clap::ArgGroup::new("scored_text").args(["source", "hypothesis"]).multiple(true))]
pub struct Evaluate {
    /// The run folder of a trained model
    #[arg(required_unless_present = "hypothesis", conflicts_with = "hypothesis")]
    run: Option<PathBuf>,
    /// A test corpus of the config, or `valid` [default: all test corpora]
    #[arg(long, value_name = "NAME", conflicts_with_all = ["source", "hypothesis"])]
    split: Option<String>,
    /// The text to translate; with --hypothesis, what BLEU is told by the length of
    #[arg(long, value_name = "FILE", requires = "reference")]
    source: Option<PathBuf>,
    /// The tag that every line of --source begins with; test corpora have theirs in the config
    #[arg(long, value_name = "TAG", requires = "source", conflicts_with = "hypothesis")]
    tag: Option<String>,
    /// The translation to score
    #[arg(long, value_name = "FILE", requires = "reference")]
    hypothesis: Option<PathBuf>,
    #[command(flatten)]
    references: ReferenceFiles,
    /// best, last, average, an update's number, or a checkpoint's or run's folder; several with commas translate
    /// together
    #[arg(
        long,
        default_value = "best",
        value_name = "CHECKPOINT",
        conflicts_with = "hypothesis"
    )]
    checkpoint: String,
    /// Hypotheses kept for a sentence [default: the config's]
    #[arg(long, value_name = "N", value_parser = beam, conflicts_with = "hypothesis")]
    beam: Option<usize>,
    /// Exponent of the length penalty [default: the config's]
    #[arg(long, value_name = "A", allow_negative_numbers = true, value_parser = length_penalty, conflicts_with = "hypothesis")]
    length_penalty: Option<f64>,
    /// Print the scores of every line, one line each, in the order of the metrics with TABs between
    #[arg(long)]
    sentence_level: bool,
    /// Add the interval that holds 95 % of the scores of lines drawn with replacement
    #[arg(long)]
    confidence: bool,
    /// How often they are drawn
    #[arg(long, value_name = "N", requires = "confidence", value_parser = clap::value_parser!(u64).range(1..=10_000_000),
          default_value_t = TestKind::Bootstrap.default_samples() as u64)]
    samples: u64,
    /// Where the random numbers start
    #[arg(long, value_name = "N", requires = "confidence", default_value_t = PairedTest::DEFAULT_SEED)]
    seed: u64,
    /// auto, flex, ndarray, wgpu[:i] or cuda[:i]
    #[arg(long, default_value_t, value_name = "DEVICE", conflicts_with = "hypothesis")]
    device: DeviceChoice,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    scoring: Scoring,
}

/// What is scored together.
struct Task {
    name: String,
    source: Vec<String>,
    /// The ids of its tags.
    tags: Vec<Option<u32>>,
    references: Vec<Vec<Option<String>>>,
}

impl Evaluate {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        // Options that do not go together are told before a model is read.
        self.options(ScoreOptions::default())?;
        let scores = match (&self.hypothesis, &self.run) {
            (Some(hypothesis), _) => vec![(hypothesis.display().to_string(), self.score_text(hypothesis)?)],
            (None, Some(run)) => self.score_model(&RunFolder::new(run))?,
            (None, None) => anyhow::bail!("give a run folder or --hypothesis"),
        };
        if self.json {
            print_json(scores)?;
        } else {
            for (name, scores) in &scores {
                match self.sentence_level {
                    true => print_sentences(scores, self.scoring.width())?,
                    false => print_scores(name, scores, self.scoring.width())?,
                }
                print_warnings(scores);
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn score_text(&self, hypothesis: &Path) -> anyhow::Result<Scores> {
        let started = std::time::Instant::now();
        let options = self.options(ScoreOptions::default())?;
        let hypotheses = read_scored_text(hypothesis)?;
        let references = self.references.read(hypothesis, hypotheses.len())?;
        let source = self.source.as_ref().map(|path| read_lines(path)).transpose()?;
        if let (Some(path), Some(source)) = (&self.source, &source) {
            same_lines((path, source.len()), (hypothesis, hypotheses.len()))?;
        }
        let mut scores = score(&hypotheses, &references, source.as_deref(), &options)?;
        scores.seconds = started.elapsed().as_secs_f64();
        Ok(scores)
    }

    fn score_model(&self, run: &RunFolder) -> anyhow::Result<Vec<(String, Scores)>> {
        let device = device::open(self.device)?;
        let trained = TrainedModel::load(run, &self.checkpoint, &device.device)?;
        let mut decoding = trained.config.decoding.clone();
        decoding.beam = self.beam.unwrap_or(decoding.beam);
        decoding.length_penalty = self.length_penalty.unwrap_or(decoding.length_penalty);
        decoding.validate()?;
        let options = self.options(ScoreOptions::of_run(&trained.config.validation))?;
        let console = Terminal::quiet();
        let tasks = self.tasks(&trained)?;
        anyhow::ensure!(
            !self.sentence_level || self.json || tasks.len() == 1,
            "--sentence-level prints the lines of 1 text, the config has {} test corpora\nhint: choose one by --split",
            tasks.len()
        );
        let mut all = Vec::new();
        for task in tasks {
            let source = TaggedLines::new(&task.source, &task.tags);
            let (found, scores) =
                translate_and_score(&trained, source, &task.references, &decoding, &options, &console)?;
            // Validation's translations are training's own, and others are kept as the config has them made.
            let written = match task.name.as_str() {
                "valid" => Ok(()),
                _ if self.source.is_some() || decoding != trained.config.decoding => Ok(()),
                split => translations::keep(run, split, &trained, source, &decoding, &texts(&found)),
            };
            if let Err(error) = written {
                console.message(&format!("warning: the translation was not kept: {error}"));
            }
            all.push((task.name, scores));
        }
        Ok(all)
    }

    fn tasks(&self, trained: &TrainedModel) -> anyhow::Result<Vec<Task>> {
        let data = &trained.config.data;
        if let Some(source) = &self.source {
            let lines = read_lines(source)?;
            let task = Task {
                name: source.display().to_string(),
                tags: trained.tags(self.tag.as_deref(), lines.len())?,
                references: self.references.read(source, lines.len())?,
                source: lines,
            };
            return Ok(vec![task]);
        }
        let splits: Vec<&str> = match self.split.as_deref() {
            None => data.test.keys().map(String::as_str).collect(),
            Some(name) => vec![name],
        };
        anyhow::ensure!(
            !splits.is_empty(),
            "the config names no test corpus\nhint: give --split valid, or --source and --reference"
        );
        let task = |name: &str| {
            let text = ParallelText::read(data, corpora_of(data, name, "the config")?)?;
            let reference = text.reference.into_iter().map(|line| Some(trimmed(line)));
            Ok(Task {
                name: name.to_owned(),
                tags: tag::ids(&trained.tokenizer, &text.tags)?,
                source: text.source,
                references: vec![reference.collect()],
            })
        };
        splits.into_iter().map(task).collect()
    }

    fn options(&self, defaults: ScoreOptions) -> anyhow::Result<ScoreOptions> {
        let options = self.scoring.options(defaults)?;
        Ok(ScoreOptions {
            sentence_level: self.sentence_level,
            confidence: self.confidence.then_some(Confidence {
                samples: self.samples as usize,
                seed: self.seed,
            }),
            ..options
        })
    }
}

/// One object; with several test corpora their scores stand under their names.
fn print_json(mut scores: Vec<(String, Scores)>) -> anyhow::Result<()> {
    let json = match scores.len() {
        1 => serde_json::to_string(&scores.remove(0).1)?,
        _ => serde_json::to_string(&scores.into_iter().collect::<std::collections::BTreeMap<_, _>>())?,
    };
    print_result(&format!("{json}\n"))
}

fn print_scores(name: &str, scores: &Scores, width: usize) -> anyhow::Result<()> {
    let columns = width + 4;
    let mut lines = vec![format!("{name}: {} lines, {:.1} s", scores.lines, scores.seconds)];
    if !scores.checkpoints.is_empty() {
        lines.push(format!("  by checkpoint {}", scores.checkpoints.join(" + ")));
    }
    for metric in &scores.metrics {
        lines.push(format!(
            "  {:<8} {:columns$.width$}  {}",
            metric.name, metric.score, metric.signature
        ));
        if let (Some(mean), Some(confidence)) = (metric.mean, metric.confidence) {
            lines.push(format!(
                "           μ = {mean:.width$} ± {confidence:.width$}, 95 % of the resamples"
            ));
        }
        lines.extend(metric.details.iter().map(|details| format!("           {details}")));
    }
    if !scores.by_length.is_empty() {
        lines.push("  by source length       BLEU   exact   lines".into());
    }
    for (words, row) in with_ranges(&scores.by_length) {
        let words = match words {
            (shortest, Some(longest)) => format!("{shortest:>3} to {longest:>3} words"),
            (shortest, None) => format!("{shortest:>3} words and more"),
        };
        lines.push(format!(
            "    {words:<20} {:columns$.width$} {:>6.1}% {:>7}",
            row.bleu, row.exact_match, row.lines
        ));
    }
    lines.push(String::new());
    print_result(&lines.join("\n"))
}

/// A line of numbers for each line of the text.
fn print_sentences(scores: &Scores, width: usize) -> anyhow::Result<()> {
    let mut text = String::new();
    for line in 0..scores.lines {
        let numbers = scores
            .sentences
            .iter()
            .map(|metric| format!("{:.width$}", metric.scores[line]));
        text.push_str(&numbers.collect::<Vec<_>>().join("\t"));
        text.push('\n');
    }
    print_result(&text)
}

fn print_warnings(scores: &Scores) {
    let console = Terminal::quiet();
    for warning in &scores.warnings {
        console.message(&format!("warning: {warning}"));
    }
}
