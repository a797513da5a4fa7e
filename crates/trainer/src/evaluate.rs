//! Scores of translations: BLEU, chrF and TER with their signatures, and by source length BLEU and exact matches.

use std::time::Instant;

use ember_metrics::corpus::n_references;
use ember_metrics::{BleuTokenizer, Metric, MetricError, Reference, Rows, looks_processed};
use ember_model::config::DecodingConfig;
use serde::Serialize;

use crate::console::Console;
use crate::error::Result;
pub use crate::score_options::{MetricName, ScoreOptions};
use crate::tag::TaggedLines;
use crate::trained::TrainedModel;
use crate::translate::{Translation, texts};

/// Longest source, in words, of each row of [`Scores::by_length`]; one more row holds what is longer.
const LENGTHS: [usize; 5] = [10, 20, 30, 40, 50];

/// A metric's value.
#[derive(Debug, Clone, Serialize)]
pub struct MetricScore {
    /// As sacreBLEU names it: `BLEU`, `chrF2`, `chrF2++`, `TER`.
    pub name: String,
    /// Between 0 and 100; TER may be larger.
    pub score: f64,
    /// sacreBLEU's signature.
    pub signature: String,
    /// Mean score of lines drawn with replacement, where it was asked for, like the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// Half the width of the interval that holds 95 % of those scores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// What the score is made of: BLEU's precisions, brevity penalty and lengths, TER's edits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
}

/// A metric's value for every line.
#[derive(Debug, Clone, Serialize)]
pub struct SentenceScores {
    /// As in [`MetricScore`].
    pub name: String,
    /// sacreBLEU's signature; BLEU of a sentence has the effective order.
    pub signature: String,
    /// In the order of the lines.
    pub scores: Vec<f64>,
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

/// Each row with the shortest and the longest source in words that it is of; the last one may have no longest.
pub fn with_ranges(rows: &[LengthScore]) -> impl Iterator<Item = ((usize, Option<usize>), &LengthScore)> {
    rows.iter().map(|row| {
        let below = |longest: &&usize| row.max_source_words.is_none_or(|own| **longest < own);
        let shortest = LENGTHS.iter().rev().find(below).map_or(1, |longest| longest + 1);
        ((shortest, row.max_source_words), row)
    })
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
    /// Scores of every line, where they were asked for, in the order of the metrics.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sentences: Vec<SentenceScores>,
    /// The checkpoints that translated, several for an ensemble; none for text that was there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checkpoints: Vec<String>,
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
pub fn translate_and_score<R: Reference>(
    trained: &TrainedModel,
    source: TaggedLines<'_>,
    references: &[Vec<R>],
    decoding: &DecodingConfig,
    options: &ScoreOptions,
    console: &dyn Console,
) -> Result<(Vec<Translation>, Scores)> {
    let started = Instant::now();
    let found = trained.translate(source, decoding, console)?;
    let mut scores = score(&texts(&found), references, Some(source.lines), options)?;
    scores.seconds = started.elapsed().as_secs_f64();
    scores.checkpoints = trained.checkpoints.clone();
    Ok((found, scores))
}

/// Scores hypotheses against references (`references[r][line]`). With the source, BLEU is also told by its length.
///
/// # Errors
/// When the numbers of lines differ, or a line has no reference.
pub fn score<R: Reference>(
    hypotheses: &[String],
    references: &[Vec<R>],
    source: Option<&[String]>,
    options: &ScoreOptions,
) -> Result<Scores, MetricError> {
    let mut scores = Scores {
        lines: hypotheses.len(),
        seconds: 0.0,
        metrics: Vec::new(),
        by_length: Vec::new(),
        sentences: Vec::new(),
        checkpoints: Vec::new(),
        warnings: warnings(hypotheses, references, options),
    };
    for metric in options.metrics() {
        let rows = metric.rows(hypotheses, references)?;
        let count = n_references(references);
        let sums = rows.sum();
        let interval = options.confidence.map(|test| test.interval(&metric, &rows));
        scores.metrics.push(MetricScore {
            name: metric.name(),
            score: metric.score(&sums),
            signature: match &options.confidence {
                None => metric.signature(count),
                Some(test) => test.signature(&metric, count),
            },
            mean: interval.map(|interval| interval.mean),
            confidence: interval.map(|interval| interval.half_width),
            details: metric.details(&sums),
        });
        if options.sentence_level {
            scores.sentences.push(SentenceScores {
                name: metric.name(),
                signature: metric.sentence_signature(count),
                scores: rows.iter().map(|row| metric.sentence_score(row)).collect(),
            });
        }
        if let (Metric::Bleu(_), Some(source)) = (&metric, source) {
            scores.by_length = by_length(&metric, &rows, hypotheses, references, source);
        }
    }
    Ok(scores)
}

/// What is suspicious about the references, else about the hypotheses. Other tokenizers than `13a` are chosen with care.
pub(crate) fn warnings<R: Reference>(
    hypotheses: &[String],
    references: &[Vec<R>],
    options: &ScoreOptions,
) -> Vec<String> {
    if options.force || options.bleu.tokenizer != BleuTokenizer::Thirteen {
        return Vec::new();
    }
    let of_reference = |lines: &Vec<R>| {
        let lines: Vec<&str> = lines.iter().filter_map(Reference::text).collect();
        looks_processed(&lines).map(|warning| format!("references: {warning}"))
    };
    let of_hypotheses = || looks_processed(hypotheses).map(|warning| format!("hypotheses: {warning}"));
    let first = references.iter().find_map(of_reference).or_else(of_hypotheses);
    first.into_iter().collect()
}

fn by_length<R: Reference>(
    bleu: &Metric,
    rows: &Rows,
    hypotheses: &[String],
    references: &[Vec<R>],
    source: &[String],
) -> Vec<LengthScore> {
    let mut lines_of = vec![Vec::new(); LENGTHS.len() + 1];
    for (line, source) in source.iter().enumerate() {
        let words = source.split_whitespace().count();
        lines_of[LENGTHS.partition_point(|longest| words > *longest)].push(line);
    }
    let is_exact = |line: &&usize| {
        let mut texts = references.iter().filter_map(|reference| reference[**line].text());
        texts.any(|text| text.trim() == hypotheses[**line].trim())
    };
    let limits = LENGTHS.iter().copied().map(Some).chain([None]);
    let some = limits.zip(&lines_of).filter(|(_, lines)| !lines.is_empty());
    some.map(|(max_source_words, lines)| LengthScore {
        max_source_words,
        lines: lines.len(),
        bleu: bleu.score(&rows.sum_of(lines.iter().copied())),
        exact_match: 100.0 * lines.iter().filter(is_exact).count() as f64 / lines.len() as f64,
    })
    .collect()
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
        let ranges: Vec<_> = with_ranges(&rows).map(|(range, _)| range).collect();
        assert_eq!(ranges, [(1, Some(10)), (11, Some(20)), (51, None)]);
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

    #[test]
    fn sentences_are_scored_on_request() {
        let text = lines(&["the cat sat on the mat", "a dog"]);
        let references = [lines(&["the cat sat on the mat", "a cat"])];
        let options = ScoreOptions {
            sentence_level: true,
            ..ScoreOptions::default()
        };
        let scores = score(&text, &references, None, &options).unwrap();
        let names: Vec<_> = scores.sentences.iter().map(|metric| metric.name.as_str()).collect();
        assert_eq!(names, ["BLEU", "chrF2", "TER"]);
        assert!(scores.sentences[0].signature.contains("|eff:yes|"));
        assert!((scores.sentences[0].scores[0] - 100.0).abs() < 1e-9);
        assert_eq!(scores.sentences[2].scores, [0.0, 50.0]);
    }

    #[test]
    fn a_reference_may_be_missing() {
        let text = lines(&["a b c d", "e"]);
        let line = |text: &str| Some(text.to_owned());
        let references = [vec![line("a b c d"), line("e")], vec![line("x"), None]];
        let scores = score(&text, &references, Some(&text), &ScoreOptions::default()).unwrap();
        assert!(
            scores
                .metrics
                .iter()
                .all(|metric| metric.signature.starts_with("nrefs:var|"))
        );
        assert_eq!(scores.by_length[0].exact_match, 100.0);
    }

    #[test]
    fn tokenised_text_is_told_unless_it_is_meant() {
        let tokenised = vec!["A man sleeps .".to_owned(); 20];
        let natural = vec!["A man sleeps.".to_owned(); 20];
        let warnings = |hypotheses: &[String], references: &[String], force: bool| {
            let options = ScoreOptions {
                force,
                ..ScoreOptions::default()
            };
            let scores = score(hypotheses, &[references.to_vec()], None, &options);
            scores.unwrap().warnings
        };
        assert!(warnings(&natural, &tokenised, false)[0].starts_with("references: 20 of 20 lines look tokenised"));
        assert!(warnings(&tokenised, &natural, false)[0].starts_with("hypotheses: 20 of 20"));
        assert_eq!(warnings(&tokenised, &tokenised, true), [""; 0]);
        assert_eq!(warnings(&natural, &natural, false), [""; 0]);
    }
}
