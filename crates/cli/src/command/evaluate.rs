//! `ember evaluate`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use ember_data::config::CorpusConfig;
use ember_data::corpus::read_lines;
use ember_metrics::BleuTokenizer;
use ember_trainer::console::Console;
use ember_trainer::evaluate::{MetricName, ScoreOptions, Scores, score, translate_and_score};
use ember_trainer::prepare::ParallelText;
use ember_trainer::run::RunFolder;
use ember_trainer::tag::{self, TaggedLines};
use ember_trainer::trained::TrainedModel;
use ember_trainer::translate::texts;

use super::train::score_options;
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
    /// A reference; several may follow, or be repeated
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "scored_text")]
    reference: Vec<PathBuf>,
    /// best, last, average, an update's number, or a checkpoint's folder
    #[arg(long, default_value = "best", value_name = "CHECKPOINT")]
    checkpoint: String,
    /// Hypotheses kept for a sentence [default: the config's]
    #[arg(long, value_name = "N", value_parser = beam, conflicts_with = "hypothesis")]
    beam: Option<usize>,
    /// Exponent of the length penalty [default: the config's]
    #[arg(long, value_name = "A", value_parser = length_penalty, conflicts_with = "hypothesis")]
    length_penalty: Option<f64>,
    /// Which: bleu, chrf, chrf++, ter
    #[arg(long, value_delimiter = ',', default_value = "bleu,chrf,ter", value_name = "LIST")]
    metrics: Vec<MetricName>,
    /// BLEU's tokenizer: 13a, intl, char, none or zh [default: the config's, else 13a]
    #[arg(long, value_name = "NAME")]
    tokenize: Option<BleuTokenizer>,
    /// Score regardless of case
    #[arg(long)]
    lowercase: bool,
    /// auto, flex, ndarray, wgpu[:i] or cuda[:i]
    #[arg(long, default_value_t, value_name = "DEVICE")]
    device: DeviceChoice,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What is scored together.
struct Task {
    name: String,
    source: Vec<String>,
    /// The ids of its tags.
    tags: Vec<Option<u32>>,
    references: Vec<Vec<String>>,
}

impl Evaluate {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let scores = match (&self.hypothesis, &self.run) {
            (Some(hypothesis), _) => vec![(hypothesis.display().to_string(), self.score_text(hypothesis)?)],
            (None, Some(run)) => self.score_model(&RunFolder::new(run))?,
            (None, None) => anyhow::bail!("give a run folder or --hypothesis"),
        };
        if self.json {
            print_json(scores)?;
        } else {
            for (name, scores) in &scores {
                print_scores(name, scores)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn score_text(&self, hypothesis: &Path) -> anyhow::Result<Scores> {
        let started = std::time::Instant::now();
        let hypotheses = read_lines(hypothesis)?;
        let references = self.references()?;
        let source = self.source.as_ref().map(|path| read_lines(path)).transpose()?;
        let mut scores = score(
            &hypotheses,
            &references,
            source.as_deref(),
            &self.options(ScoreOptions::default()),
        )?;
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
        let options = self.options(score_options(&trained.config));
        let console = Terminal::quiet();
        let mut all = Vec::new();
        for task in self.tasks(&trained)? {
            let source = TaggedLines::new(&task.source, &task.tags);
            let (found, scores) =
                translate_and_score(&trained, source, &task.references, &decoding, &options, &console)?;
            // Validation's translations are training's own.
            let written = match task.name.as_str() {
                "valid" => Ok(()),
                _ if self.source.is_some() => Ok(()),
                split => run.write_translation(split, &trained.checkpoint, &texts(&found)),
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
                source: lines,
                references: self.references()?,
            };
            for (path, reference) in self.reference.iter().zip(&task.references) {
                anyhow::ensure!(
                    reference.len() == task.source.len(),
                    "{} has {} lines, {} has {}\nhint: line i of a reference must translate line i of the source",
                    path.display(),
                    reference.len(),
                    source.display(),
                    task.source.len()
                );
            }
            return Ok(vec![task]);
        }
        let one = |(name, corpus)| (String::as_str(name), std::slice::from_ref(corpus));
        let splits: Vec<(&str, &[CorpusConfig])> = match self.split.as_deref() {
            None => data.test.iter().map(one).collect(),
            Some("valid") => vec![("valid", data.valid.as_slice())],
            Some(name) => match data.test.get_key_value(name) {
                Some(split) => vec![one(split)],
                None => {
                    let names: Vec<&str> = data.test.keys().map(String::as_str).chain(["valid"]).collect();
                    anyhow::bail!(
                        "the config has no test corpus {name:?}\nhint: one of {}",
                        names.join(", ")
                    );
                }
            },
        };
        anyhow::ensure!(
            !splits.is_empty(),
            "the config names no test corpus\nhint: give --split valid, or --source and --reference"
        );
        let task = |(name, corpora): (&str, &[CorpusConfig])| {
            let text = ParallelText::read(data, corpora)?;
            Ok(Task {
                name: name.to_owned(),
                tags: tag::ids(&trained.tokenizer, &text.tags)?,
                source: text.source,
                references: vec![text.reference],
            })
        };
        splits.into_iter().map(task).collect()
    }

    fn references(&self) -> anyhow::Result<Vec<Vec<String>>> {
        Ok(self
            .reference
            .iter()
            .map(|path| read_lines(path))
            .collect::<Result<_, _>>()?)
    }

    fn options(&self, defaults: ScoreOptions) -> ScoreOptions {
        ScoreOptions {
            metrics: self.metrics.clone(),
            tokenize: self.tokenize.unwrap_or(defaults.tokenize),
            lowercase: self.lowercase || defaults.lowercase,
        }
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

fn print_scores(name: &str, scores: &Scores) -> anyhow::Result<()> {
    let mut lines = vec![format!("{name}: {} lines, {:.1} s", scores.lines, scores.seconds)];
    for metric in &scores.metrics {
        lines.push(format!(
            "  {:<8} {:6.2}  {}",
            metric.name, metric.score, metric.signature
        ));
        lines.extend(metric.details.iter().map(|details| format!("           {details}")));
    }
    if !scores.by_length.is_empty() {
        lines.push("  by source length       BLEU   exact   lines".into());
    }
    let mut shortest = 1;
    for row in &scores.by_length {
        let words = match row.max_source_words {
            Some(longest) => format!("{shortest:>3} to {longest:>3} words"),
            None => format!("{shortest:>3} words and more"),
        };
        lines.push(format!(
            "    {words:<20} {:6.2} {:>6.1}% {:>7}",
            row.bleu, row.exact_match, row.lines
        ));
        shortest = row.max_source_words.map_or(shortest, |longest| longest + 1);
    }
    lines.push(String::new());
    print_result(&lines.join("\n"))?;
    let console = Terminal::quiet();
    scores
        .warnings
        .iter()
        .for_each(|warning| console.message(&format!("warning: {warning}")));
    Ok(())
}
