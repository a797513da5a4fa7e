//! Options of the metrics, under the names that sacreBLEU's command gives them, and the files that are scored.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use clap::Args;
use ember_data::corpus::LineReader;
use ember_metrics::{BleuTokenizer, MetricError, Smoothing, text};
use ember_trainer::console::Console;
use ember_trainer::evaluate::{MetricName, ScoreOptions};

use crate::console::Terminal;

/// The longest n-gram that can be asked for.
const LONGEST: u64 = 100;

/// What is scored, and how.
#[derive(Args)]
#[command(next_help_heading = "Metrics")]
pub struct Scoring {
    /// Which: bleu, chrf, chrf++, ter
    #[arg(long, value_delimiter = ',', default_value = "bleu,chrf,ter", value_name = "LIST")]
    metrics: Vec<MetricName>,
    /// BLEU's tokenizer: 13a, intl, char, none or zh [default: the config's, else 13a]
    #[arg(long, value_name = "NAME")]
    tokenize: Option<BleuTokenizer>,
    /// BLEU and chrF regardless of case
    #[arg(long)]
    lowercase: bool,
    /// What BLEU does with a precision of zero: exp, floor, add-k or none
    #[arg(long, value_name = "NAME", default_value = "exp")]
    smooth_method: Smoothing,
    /// How much, for floor [default: 0.1] and add-k [default: 1]
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = from_zero_up)]
    smooth_value: Option<f64>,
    /// BLEU over the orders that the hypothesis has n-grams of
    #[arg(long)]
    effective_order: bool,
    /// BLEU's longest n-gram
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = order(1..=LONGEST))]
    max_order: u64,
    /// The text is natural though it looks tokenised: no warning
    #[arg(long)]
    force: bool,
    /// chrF's longest character n-gram
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = order(1..=LONGEST))]
    chrf_char_order: u64,
    /// chrF's longest word n-gram; with 2 it is chrF++
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = order(0..=LONGEST))]
    chrf_word_order: u64,
    /// How many times chrF weighs recall as much as precision
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(..=1000))]
    chrf_beta: u32,
    /// chrF with white space among the characters
    #[arg(long)]
    chrf_whitespace: bool,
    /// chrF regardless of case
    #[arg(long)]
    chrf_lowercase: bool,
    /// chrF over all orders, those without n-grams as a tiny value
    #[arg(long)]
    chrf_eps_smoothing: bool,
    /// TER with punctuation and possessives as words of their own
    #[arg(long)]
    ter_normalized: bool,
    /// TER without punctuation
    #[arg(long)]
    ter_no_punct: bool,
    /// The two above treat ideographs and Asian punctuation too
    #[arg(long)]
    ter_asian_support: bool,
    /// TER with regard to case
    #[arg(long)]
    ter_case_sensitive: bool,
    /// Decimals of printed scores; JSON has all
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = order(0..=15))]
    width: u64,
}

impl Scoring {
    /// The options, where `defaults` holds what a config may have set.
    ///
    /// # Errors
    /// A smoothing value for a smoothing that has none.
    pub fn options(&self, defaults: ScoreOptions) -> anyhow::Result<ScoreOptions> {
        let mut options = defaults;
        options.metrics = self.metrics.clone();
        options.force = self.force;
        let bleu = &mut options.bleu;
        bleu.tokenizer = self.tokenize.unwrap_or(bleu.tokenizer);
        bleu.lowercase |= self.lowercase;
        bleu.smoothing = self.smoothing()?;
        bleu.effective_order = self.effective_order;
        bleu.max_order = self.max_order as usize;
        let chrf = &mut options.chrf;
        chrf.char_order = self.chrf_char_order as usize;
        chrf.word_order = self.chrf_word_order as usize;
        chrf.beta = self.chrf_beta;
        chrf.lowercase |= self.lowercase || self.chrf_lowercase;
        chrf.whitespace = self.chrf_whitespace;
        chrf.eps_smoothing = self.chrf_eps_smoothing;
        options.ter.normalized = self.ter_normalized;
        options.ter.no_punct = self.ter_no_punct;
        options.ter.asian_support = self.ter_asian_support;
        options.ter.case_sensitive = self.ter_case_sensitive;
        Ok(options)
    }

    /// Decimals of printed scores.
    pub fn width(&self) -> usize {
        self.width as usize
    }

    fn smoothing(&self) -> anyhow::Result<Smoothing> {
        match (self.smooth_method, self.smooth_value) {
            (method, None) => Ok(method),
            (Smoothing::Floor(_), value) => Ok(Smoothing::Floor(value)),
            (Smoothing::AddK(_), value) => Ok(Smoothing::AddK(value)),
            (method, Some(value)) => anyhow::bail!(
                "--smooth-value {value} does not go with the smoothing {method}\nhint: it is for floor and add-k only"
            ),
        }
    }
}

fn order(range: RangeInclusive<u64>) -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(range)
}

fn from_zero_up(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
        Ok(value) => Err(format!("{value} is not a number from 0 up")),
        Err(error) => Err(error.to_string()),
    }
}

/// The references of a text, and what their empty lines mean. What they belong to is the argument group `scored_text`.
#[derive(Args)]
pub struct ReferenceFiles {
    /// A reference; several may follow, or be repeated
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "scored_text")]
    pub reference: Vec<PathBuf>,
    /// References in every line of a file, with TABs between
    #[arg(long, value_name = "N", default_value_t = 1, requires = "reference", value_parser = order(1..=LONGEST))]
    num_refs: u64,
    /// An empty line of a reference means that it is missing there, not that nothing is right
    #[arg(long, requires = "reference")]
    empty_is_missing: bool,
}

impl ReferenceFiles {
    /// Reads all references, each of as many lines as the text `of`.
    ///
    /// # Errors
    /// Files that cannot be read or have another number of lines, or a line for which all references are missing.
    pub fn read(&self, of: &Path, lines: usize) -> anyhow::Result<Vec<Vec<Option<String>>>> {
        let mut references = Vec::new();
        for path in &self.reference {
            let reference = read_lines(path)?;
            same_lines((path, reference.len()), (of, lines))?;
            let present = |line: String| (!self.empty_is_missing || !line.is_empty()).then_some(line);
            for column in split_at_tabs(path, reference, self.num_refs as usize)? {
                references.push(column.into_iter().map(present).collect::<Vec<_>>());
            }
        }
        if let Some(line) = (0..lines).find(|line| references.iter().all(|reference| reference[*line].is_none())) {
            return Err(MetricError::LineWithoutReference { line: line + 1 }.into());
        }
        Ok(references)
    }
}

/// The references of a file that has `count` of them in every line; the last one may hold TABs itself.
fn split_at_tabs(path: &Path, lines: Vec<String>, count: usize) -> anyhow::Result<Vec<Vec<String>>> {
    let mut columns = vec![Vec::with_capacity(lines.len()); count];
    for (index, line) in lines.iter().enumerate() {
        let found = line.splitn(count, '\t').count();
        anyhow::ensure!(
            found == count,
            "{}:{}: expected {count} references with TABs between them, found {found}\n\
             hint: leave a missing one empty between its TABs and give --empty-is-missing",
            path.display(),
            index + 1
        );
        for (column, text) in columns.iter_mut().zip(line.splitn(count, '\t')) {
            column.push(trimmed(text.to_owned()));
        }
    }
    Ok(columns)
}

/// All lines of a file without the white space at their ends, which is no part of them, as in sacreBLEU's command.
///
/// # Errors
/// A file that cannot be read or has no lines.
pub fn read_text(path: &Path) -> anyhow::Result<Vec<String>> {
    let lines = read_lines(path)?;
    Ok(lines.into_iter().map(trimmed).collect())
}

/// All lines of a file, of which there must be some. A byte order mark is told, since sacreBLEU scores it as text.
fn read_lines(path: &Path) -> anyhow::Result<Vec<String>> {
    let mut reader = LineReader::open(path)?;
    let lines = reader.by_ref().collect::<Result<Vec<_>, _>>()?;
    anyhow::ensure!(
        !lines.is_empty(),
        "{} has no lines, so there is nothing to score\nhint: is it the right file, and was it written to its end?",
        path.display()
    );
    if reader.report().bom {
        Terminal::quiet().message(&format!(
            "warning: {}: the byte order mark at its start is left out; sacreBLEU counts it as part of the first word",
            path.display()
        ));
    }
    Ok(lines)
}

/// A line without the white space at its end.
pub fn trimmed(mut line: String) -> String {
    line.truncate(text::trim_end(&line).len());
    line
}

/// Refuses two texts of different length.
///
/// # Errors
/// With both files and numbers.
pub fn same_lines((one, found): (&Path, usize), (other, expected): (&Path, usize)) -> anyhow::Result<()> {
    anyhow::ensure!(
        found == expected,
        "{} has {found} lines, {} has {expected}\nhint: line i of both must belong to the same sentence; \
         look for a line that is missing or broken in two",
        one.display(),
        other.display(),
    );
    Ok(())
}
