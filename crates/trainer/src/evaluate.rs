//! Scores of translations: BLEU, chrF and TER with their signatures, and by source length BLEU and exact matches.

use std::str::FromStr;
use std::time::Instant;

use ember_metrics::{
    Bleu, BleuOptions, BleuScore, BleuStatistics, BleuTokenizer, Chrf, ChrfOptions, MetricError, Ter, TerOptions,
    looks_processed,
};
use ember_model::config::DecodingConfig;
use serde::Serialize;

use crate::console::Console;
use crate::error::Result;
use crate::tag::TaggedLines;
use crate::trained::TrainedModel;
use crate::translate::{Translation, texts};

/// Longest source, in words, of each row of [`Scores::by_length`]; one more row holds what is longer.
const LENGTHS: [usize; 5] = [10, 20, 30, 40, 50];

/// What to score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricName {
    /// Papineni et al. 2002.
    Bleu,
    /// Popović 2015.
    Chrf,
    /// chrF with word bigrams, Popović 2017.
    ChrfPlusPlus,
    /// Snover et al. 2006.
    Ter,
}

impl FromStr for MetricName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_lowercase().as_str() {
            "bleu" => Ok(Self::Bleu),
            "chrf" => Ok(Self::Chrf),
            "chrf++" => Ok(Self::ChrfPlusPlus),
            "ter" => Ok(Self::Ter),
            _ => Err(format!("metric {text:?} is not one of bleu, chrf, chrf++, ter")),
        }
    }
}

/// How to score.
#[derive(Debug, Clone)]
pub struct ScoreOptions {
    /// Which metrics, in the order of the report.
    pub metrics: Vec<MetricName>,
    /// BLEU's tokenizer.
    pub tokenize: BleuTokenizer,
    /// Regardless of case.
    pub lowercase: bool,
}

impl Default for ScoreOptions {
    fn default() -> Self {
        Self {
            metrics: vec![MetricName::Bleu, MetricName::Chrf, MetricName::Ter],
            tokenize: BleuTokenizer::default(),
            lowercase: false,
        }
    }
}

/// A metric's value.
#[derive(Debug, Clone, Serialize)]
pub struct MetricScore {
    /// As sacreBLEU names it: `BLEU`, `chrF2`, `chrF2++`, `TER`.
    pub name: String,
    /// Between 0 and 100; TER may be larger.
    pub score: f64,
    /// sacreBLEU's signature.
    pub signature: String,
    /// BLEU's precisions, brevity penalty and lengths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
}

/// BLEU of the lines whose source has about the same length.
#[derive(Debug, Clone, Serialize)]
pub struct LengthScore {
    /// Longest source in words; `None` for all that is longer than the last row.
    pub max_source_words: Option<usize>,
    /// Lines.
    pub lines: usize,
    /// Their BLEU.
    pub bleu: f64,
    /// Percent of them that equal a reference, spaces at the ends apart.
    pub exact_match: f64,
}

/// The scores of one set of lines.
#[derive(Debug, Clone, Serialize)]
pub struct Scores {
    /// Lines scored.
    pub lines: usize,
    /// Seconds for translating and scoring.
    pub seconds: f64,
    /// In the order that was asked for.
    pub metrics: Vec<MetricScore>,
    /// Empty where the source is not known.
    pub by_length: Vec<LengthScore>,
    /// Signs that the text was tokenised or lower-cased before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Scores {
    /// The BLEU among the scores.
    pub fn bleu(&self) -> Option<&MetricScore> {
        self.metrics.iter().find(|metric| metric.name == "BLEU")
    }
}

/// Translates a text with a trained model and scores it.
///
/// # Errors
/// When the numbers of lines differ, or the user wants to stop.
pub fn translate_and_score(
    trained: &TrainedModel,
    source: TaggedLines<'_>,
    references: &[Vec<String>],
    decoding: &DecodingConfig,
    options: &ScoreOptions,
    console: &dyn Console,
) -> Result<(Vec<Translation>, Scores)> {
    let started = Instant::now();
    let found = trained.translate(source, decoding, console)?;
    let mut scores = score(&texts(&found), references, Some(source.lines), options)?;
    scores.seconds = started.elapsed().as_secs_f64();
    Ok((found, scores))
}

/// Scores hypotheses against references (`references[r][line]`). With the source, BLEU is also told by its length.
///
/// # Errors
/// When the numbers of lines differ.
pub fn score(
    hypotheses: &[String],
    references: &[Vec<String>],
    source: Option<&[String]>,
    options: &ScoreOptions,
) -> Result<Scores, MetricError> {
    let bleu = Bleu::new(BleuOptions {
        tokenizer: options.tokenize,
        lowercase: options.lowercase,
        ..BleuOptions::default()
    });
    let metrics = options
        .metrics
        .iter()
        .map(|metric| score_metric(*metric, &bleu, hypotheses, references, options.lowercase))
        .collect::<Result<Vec<_>, _>>()?;
    let by_length = match source {
        Some(source) if options.metrics.contains(&MetricName::Bleu) => by_length(&bleu, hypotheses, references, source),
        _ => Vec::new(),
    };
    let suspicious = options.tokenize == BleuTokenizer::Thirteen;
    let warnings = references
        .iter()
        .filter(|_| suspicious)
        .filter_map(|lines| looks_processed(lines))
        .take(1)
        .collect();
    Ok(Scores {
        lines: hypotheses.len(),
        seconds: 0.0,
        metrics,
        by_length,
        warnings,
    })
}

fn score_metric(
    metric: MetricName,
    bleu: &Bleu,
    hypotheses: &[String],
    references: &[Vec<String>],
    lowercase: bool,
) -> Result<MetricScore, MetricError> {
    let count = references.len();
    match metric {
        MetricName::Bleu => {
            let score: BleuScore = bleu.corpus(hypotheses, references)?;
            Ok(MetricScore {
                name: bleu.name(),
                score: score.score,
                signature: bleu.signature(count),
                details: Some(score.to_string()),
            })
        }
        MetricName::Chrf | MetricName::ChrfPlusPlus => {
            let word_order = if metric == MetricName::Chrf { 0 } else { 2 };
            let chrf = Chrf::new(ChrfOptions {
                word_order,
                lowercase,
                ..ChrfOptions::default()
            });
            let score = chrf.corpus(hypotheses, references)?.score;
            Ok(MetricScore {
                name: chrf.name(),
                score,
                signature: chrf.signature(count),
                details: None,
            })
        }
        MetricName::Ter => {
            let ter = Ter::new(TerOptions {
                case_sensitive: false,
                ..TerOptions::default()
            });
            let score = ter.corpus(hypotheses, references)?.score;
            Ok(MetricScore {
                name: ter.name().to_string(),
                score,
                signature: ter.signature(count),
                details: None,
            })
        }
    }
}

fn by_length(bleu: &Bleu, hypotheses: &[String], references: &[Vec<String>], source: &[String]) -> Vec<LengthScore> {
    let row = |line: &String| LENGTHS.partition_point(|longest| line.split_whitespace().count() > *longest);
    let mut totals: Vec<Option<(usize, usize, BleuStatistics)>> = vec![None; LENGTHS.len() + 1];
    for (index, (hypothesis, source)) in hypotheses.iter().zip(source).enumerate() {
        let lines: Vec<&str> = references.iter().map(|lines| lines[index].as_str()).collect();
        let statistics = bleu.statistics(hypothesis, &lines);
        let exact = usize::from(lines.iter().any(|line| line.trim() == hypothesis.trim()));
        let total = &mut totals[row(source)];
        *total = Some(match total.take() {
            Some((count, same, sum)) => (count + 1, same + exact, sum + statistics),
            None => (1, exact, statistics),
        });
    }
    let limits = LENGTHS.iter().copied().map(Some).chain([None]);
    let rows = limits.zip(totals).filter_map(|(max_source_words, total)| {
        total.map(|(lines, exact, sum)| LengthScore {
            max_source_words,
            lines,
            bleu: bleu.score(&sum).score,
            exact_match: 100.0 * exact as f64 / lines as f64,
        })
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[&str]) -> Vec<String> {
        text.iter().map(|line| line.to_string()).collect()
    }

    #[test]
    fn lines_fall_into_rows_by_source_words() {
        let source = [10, 11, 51].map(|words| vec!["w"; words].join(" "));
        let text = lines(&["the cat sat on the mat", "a b c d e", "x"]);
        let scores = score(
            &text,
            &[lines(&["the cat sat on the mat", "a b c d e", "y"])],
            Some(&source),
            &ScoreOptions::default(),
        );
        let rows = scores.unwrap().by_length;
        let limits: Vec<_> = rows.iter().map(|row| (row.max_source_words, row.lines)).collect();
        assert_eq!(limits, [(Some(10), 1), (Some(20), 1), (None, 1)]);
        assert!((rows[0].bleu - 100.0).abs() < 1e-9 && rows[2].bleu == 0.0);
        let exact: Vec<_> = rows.iter().map(|row| row.exact_match).collect();
        assert_eq!(exact, [100.0, 100.0, 0.0]);
    }

    #[test]
    fn signatures_are_sacrebleus() {
        let text = lines(&["the cat"]);
        let scores = score(&text, std::slice::from_ref(&text), None, &ScoreOptions::default()).unwrap();
        let signatures: Vec<_> = scores.metrics.iter().map(|metric| metric.signature.as_str()).collect();
        assert_eq!(
            signatures[0],
            "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"
        );
        assert_eq!(
            signatures[1],
            "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0"
        );
        assert_eq!(
            signatures[2],
            "nrefs:1|case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:2.6.0"
        );
    }
}
