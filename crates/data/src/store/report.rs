//! What `data.json` says about the training corpora. Nothing in it depends on the clock.

use serde::{Deserialize, Serialize};

use super::TrainingCorpus;
use crate::batch::Mixture;
use crate::corpus::FileReport;
use crate::error::{DataError, Result};

/// The training data as a whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DataReport {
    /// Names the content: files, tokenizer, settings.
    pub fingerprint: String,
    /// Lines of all corpora.
    pub lines: u64,
    /// Pairs that are trained on.
    pub kept: u64,
    /// Source tokens of the kept pairs, tags counted, end-of-sentence tokens not.
    pub source_tokens: u64,
    /// Target tokens of the kept pairs, end-of-sentence tokens not counted.
    pub target_tokens: u64,
    /// Pairs left out of all corpora, by reason.
    pub left_out: LeftOut,
    /// The corpora in the order of the config.
    pub corpora: Vec<CorpusReport>,
}

/// One corpus. `lines = kept + left_out.total()`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CorpusReport {
    /// Its files: source and target, or one TSV file.
    pub files: Vec<FileEntry>,
    /// The tag that its sources begin with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// How often each of its pairs is seen an epoch, on average.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub weight: f64,
    /// Its lines.
    pub lines: u64,
    /// Pairs kept.
    pub kept: u64,
    /// Pairs left out, by reason.
    pub left_out: LeftOut,
}

fn once() -> f64 {
    1.0
}

fn is_once(weight: &f64) -> bool {
    *weight == once()
}

/// One file of a corpus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// BLAKE3 hash of the file's bytes as they lie on disk.
    pub fingerprint: String,
    /// The path and what its lines were like.
    #[serde(flatten)]
    pub file: FileReport,
}

impl FileEntry {
    pub(super) fn new(file: FileReport, fingerprint: String) -> Self {
        Self { fingerprint, file }
    }
}

/// How many pairs were left out, each counted under one reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Only the source side is empty, or has nothing but white space and invisible characters.
    pub empty_source: u64,
    /// Only the target side is.
    pub empty_target: u64,
    /// Both sides are.
    pub empty_both: u64,
    /// A side has more tokens than `data.max_length`.
    pub too_long: u64,
    /// The same two sides stood before; only with `data.deduplicate`.
    pub duplicate: u64,
}

impl LeftOut {
    /// Pairs left out for any reason.
    pub fn total(&self) -> u64 {
        self.empty_source + self.empty_target + self.empty_both + self.too_long + self.duplicate
    }

    fn add(&mut self, other: &Self) {
        self.empty_source += other.empty_source;
        self.empty_target += other.empty_target;
        self.empty_both += other.empty_both;
        self.too_long += other.too_long;
        self.duplicate += other.duplicate;
    }
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let reasons = [
            (self.empty_source, "with an empty source side"),
            (self.empty_target, "with an empty target side"),
            (self.empty_both, "with both sides empty"),
            (self.too_long, "longer than data.max_length"),
            (self.duplicate, "seen before"),
        ];
        let said: Vec<String> = reasons
            .iter()
            .filter(|(pairs, _)| *pairs > 0)
            .map(|(pairs, reason)| format!("{pairs} {reason}"))
            .collect();
        match said.is_empty() {
            true => write!(formatter, "none"),
            false => write!(formatter, "{}", said.join(", ")),
        }
    }
}

impl CorpusReport {
    /// Whether neither weight nor tag sets it apart.
    pub fn is_plain(&self) -> bool {
        is_once(&self.weight) && self.tag.is_none()
    }
}

impl DataReport {
    pub(super) fn add(&mut self, corpus: CorpusReport) {
        self.lines += corpus.lines;
        self.kept += corpus.kept;
        self.left_out.add(&corpus.left_out);
        self.corpora.push(corpus);
    }

    /// How often its pairs are seen.
    pub fn mixture(&self) -> Mixture {
        Mixture::new(self.corpora.iter().map(|corpus| (corpus.kept, corpus.weight)))
    }

    /// The report was written for the same contents, perhaps under other names and with other weights.
    pub(super) fn describe(&mut self, corpora: &[TrainingCorpus]) {
        for (report, corpus) in self.corpora.iter_mut().zip(corpora) {
            report.weight = corpus.weight;
            for (entry, path) in report.files.iter_mut().zip(corpus.files.paths()) {
                entry.file.path = path.to_owned();
            }
        }
    }

    pub(super) fn check_kept(&self, corpora: &[TrainingCorpus]) -> Result<()> {
        if self.kept > 0 {
            return Ok(());
        }
        let first = corpora.iter().flat_map(|corpus| corpus.files.paths()).next();
        Err(DataError::Content {
            path: first.map(Into::into).unwrap_or_default(),
            line: None,
            message: format!("no pair is left of {}; left out: {}", self.lines, self.left_out),
            hint: match self.left_out.too_long {
                0 => "are both sides text?".into(),
                _ => "raise data.max_length, or use sub-words (tokenizer.kind = \"bpe\")".into(),
            },
        })
    }
}
