//! BLEU: the geometric mean of clipped n-gram precisions, lowered for translations that are too short.
//!
//! Kishore Papineni, Salim Roukos, Todd Ward and Wei-Jing Zhu, "BLEU: a Method for Automatic Evaluation of Machine
//! Translation", ACL 2002. Matt Post, "A Call for Clarity in Reporting BLEU Scores", WMT 2018, on why the tokenizer
//! belongs to the metric.

use std::fmt;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use crate::corpus::{Reference, add_counts, line_statistics, sum_by_add_assign};
use crate::ngram::{NgramCounts, total};
use crate::real::Real;
use crate::signature::{signature, yes_no};
use crate::{BleuTokenizer, MetricError, Smoothing, text};

/// How BLEU is computed; the default is that of sacreBLEU.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BleuOptions {
    /// How both sides are cut into tokens.
    pub tokenizer: BleuTokenizer,
    /// What becomes of a precision of zero.
    pub smoothing: Smoothing,
    /// Whether both sides are lower-cased first.
    pub lowercase: bool,
    /// Whether orders for which the hypothesis has no n-gram are left out of the mean.
    pub effective_order: bool,
    /// The longest n-gram, N in the paper.
    pub max_order: usize,
}

impl Default for BleuOptions {
    fn default() -> Self {
        Self {
            tokenizer: BleuTokenizer::Thirteen,
            smoothing: Smoothing::Exp,
            lowercase: false,
            effective_order: false,
            max_order: 4,
        }
    }
}

/// The metric with its options.
#[derive(Debug, Clone)]
pub struct Bleu {
    options: BleuOptions,
}

/// What BLEU needs to know of a text; the sum over sentences is that of the corpus.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BleuStatistics {
    /// Tokens of the hypothesis.
    pub hypothesis_length: u64,
    /// Tokens of the reference closest to it in length.
    pub reference_length: u64,
    /// Clipped matches by order, from one.
    pub counts: Vec<u64>,
    /// n-grams of the hypothesis by order, from one.
    pub totals: Vec<u64>,
}

/// BLEU and what it was made of. Prints as in sacreBLEU, `41.02 71.0/47.5/34.3/24.5 (BP = …)`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct BleuScore {
    /// BLEU, from 0 to 100.
    pub score: f64,
    /// Smoothed precisions by order, from 0 to 100.
    pub precisions: Vec<f64>,
    /// The factor for brevity, from 0 to 1.
    pub brevity_penalty: f64,
    /// Tokens of the hypotheses.
    pub hypothesis_length: u64,
    /// Tokens of the references closest to them in length.
    pub reference_length: u64,
    /// Matches by order, as counted; sacreBLEU reports them after smoothing where k is added.
    pub counts: Vec<u64>,
    /// n-grams of the hypotheses by order, as counted.
    pub totals: Vec<u64>,
}

impl Bleu {
    /// Prepares the metric.
    pub fn new(options: BleuOptions) -> Self {
        Self { options }
    }

    /// The options in force.
    pub fn options(&self) -> &BleuOptions {
        &self.options
    }

    /// Counts a sentence against its references. Without a reference nothing matches.
    pub fn statistics(&self, hypothesis: &str, references: &[&str]) -> BleuStatistics {
        let hypothesis = self.tokenize(hypothesis);
        let references: Vec<String> = references.iter().map(|reference| self.tokenize(reference)).collect();
        let hypothesis: Vec<&str> = text::words(&hypothesis).collect();
        let references: Vec<Vec<&str>> = references.iter().map(|line| text::words(line).collect()).collect();

        let orders = 1..=self.options.max_order;
        let lengths = references.iter().map(Vec::len);
        BleuStatistics {
            hypothesis_length: hypothesis.len() as u64,
            reference_length: closest_length(hypothesis.len(), lengths) as u64,
            counts: orders
                .clone()
                .map(|order| matches(&hypothesis, &references, order))
                .collect(),
            totals: orders.map(|order| total(hypothesis.len(), order)).collect(),
        }
    }

    /// The score of summed statistics.
    ///
    /// With matches `c_n` of `t_n` n-grams, hypothesis length `c` and reference length `r` (Papineni et al., section 2.3):
    ///
    /// ```text
    /// BLEU = BP · exp(Σ_n 1/N · log p_n)    p_n = c_n / t_n    BP = 1 if c > r, else exp(1 - r/c)
    /// ```
    pub fn score(&self, statistics: &BleuStatistics) -> BleuScore {
        let order = self.options.max_order;
        let mut score = BleuScore {
            score: 0.0,
            precisions: vec![0.0; order],
            brevity_penalty: brevity_penalty(statistics.hypothesis_length as f64, statistics.reference_length as f64),
            hypothesis_length: statistics.hypothesis_length,
            reference_length: statistics.reference_length,
            counts: statistics.counts.clone(),
            totals: statistics.totals.clone(),
        };
        score.counts.resize(order, 0);
        score.totals.resize(order, 0);
        let doubles = |counts: &[u64]| -> Vec<f64> { counts.iter().map(|count| *count as f64).collect() };
        let precisions = self.precisions(&doubles(&score.counts), &doubles(&score.totals));
        score.precisions[..precisions.len()].copy_from_slice(&precisions);
        score.score = score.brevity_penalty * self.geometric_mean(&precisions);
        score
    }

    /// Scores a corpus; `references[r][line]`. A reference may be missing on a line, see [`Reference`].
    ///
    /// # Errors
    ///
    /// Without lines or references, with unequal line counts, or with a line that has no reference.
    pub fn corpus<R: Reference>(&self, hypotheses: &[String], references: &[Vec<R>]) -> Result<BleuScore, MetricError> {
        let lines = line_statistics(hypotheses, references, |line, references| {
            self.statistics(line, references)
        })?;
        Ok(self.score(&lines.iter().sum()))
    }

    /// Scores a single sentence, always with the effective order, since short sentences have no long n-grams.
    pub fn sentence(&self, hypothesis: &str, references: &[&str]) -> BleuScore {
        self.for_sentences().score(&self.statistics(hypothesis, references))
    }

    /// The same metric with the effective order.
    pub fn for_sentences(&self) -> Self {
        Self::new(BleuOptions {
            effective_order: true,
            ..self.options
        })
    }

    /// What to state beside a score, such as `nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0`.
    pub fn signature(&self, n_references: usize) -> String {
        let options = &self.options;
        let fields = [
            ("case", if options.lowercase { "lc" } else { "mixed" }.to_string()),
            ("eff", yes_no(options.effective_order)),
            ("tok", options.tokenizer.to_string()),
            ("smooth", options.smoothing.to_string()),
        ];
        signature(n_references, &fields)
    }

    /// The metric's name.
    pub fn name(&self) -> String {
        "BLEU".to_string()
    }

    fn tokenize(&self, line: &str) -> String {
        let tokenizer = self.options.tokenizer;
        match self.options.lowercase {
            true => tokenizer.tokenize(text::trim_end(&line.to_lowercase())),
            false => tokenizer.tokenize(text::trim_end(line)),
        }
    }

    /// The score of a summed row, as [`BleuStatistics::to_row`] lays it out.
    pub(crate) fn score_of_row<R: Real>(&self, row: &[R]) -> f64 {
        let (lengths, counts) = row.split_at(2);
        let (counts, totals) = counts.split_at(self.options.max_order);
        let penalty = brevity_penalty(lengths[0].double(), lengths[1].double());
        penalty * self.geometric_mean(&self.precisions(counts, totals))
    }

    /// Precisions in percent up to the first order for which there is no n-gram; none without a single match, which
    /// smoothing must not lift above zero.
    fn precisions<R: Real>(&self, counts: &[R], totals: &[R]) -> Vec<R> {
        if counts.iter().all(|count| count.double() == 0.0) {
            return Vec::new();
        }
        self.options.smoothing.precisions(counts, totals)
    }

    /// `exp(Σ 1/N · log p_n)`, where an order without a precision counts as one of zero unless the order is effective.
    fn geometric_mean<R: Real>(&self, precisions: &[R]) -> f64 {
        let order = if self.options.effective_order {
            precisions.len()
        } else {
            self.options.max_order
        };
        if precisions.is_empty() || precisions.len() < order {
            return 0.0;
        }
        // A precision of zero makes the sum minus infinity and the score zero.
        let logarithms = precisions.iter().map(|precision| precision.double().ln());
        (logarithms.sum::<f64>() / order as f64).exp()
    }
}

/// `min(1, exp(1 - r/c))`, and 0 for an empty hypothesis.
fn brevity_penalty(hypothesis: f64, reference: f64) -> f64 {
    if hypothesis >= reference {
        1.0
    } else if hypothesis > 0.0 {
        (1.0 - reference / hypothesis).exp()
    } else {
        0.0
    }
}

/// Matches of one order, each clipped by the reference that has most of it.
fn matches(hypothesis: &[&str], references: &[Vec<&str>], order: usize) -> u64 {
    let mut references = references.iter().map(|reference| NgramCounts::of(reference, order));
    let Some(mut union) = references.next() else { return 0 };
    for reference in references {
        union.raise_to(reference);
    }
    NgramCounts::of(hypothesis, order).overlap(&union)
}

/// The reference length closest to the hypothesis, the shorter of two equally close, 0 without references.
fn closest_length(hypothesis: usize, references: impl Iterator<Item = usize>) -> usize {
    references
        .min_by_key(|length| (length.abs_diff(hypothesis), *length))
        .unwrap_or(0)
}

impl BleuStatistics {
    /// Hypothesis length, reference length, counts and totals as one row of numbers.
    pub fn to_row(&self) -> Vec<f64> {
        let lengths = [self.hypothesis_length, self.reference_length];
        let numbers = lengths.iter().chain(&self.counts).chain(&self.totals);
        numbers.map(|number| *number as f64).collect()
    }

    /// The statistics that a row, or a sum of rows, stands for.
    ///
    /// # Panics
    ///
    /// If the row has fewer than two numbers.
    pub fn from_row(row: &[f64]) -> Self {
        let numbers: Vec<u64> = row.iter().map(|number| *number as u64).collect();
        let (lengths, counts) = numbers.split_at(2);
        let (counts, totals) = counts.split_at(counts.len() / 2);
        Self {
            hypothesis_length: lengths[0],
            reference_length: lengths[1],
            counts: counts.to_vec(),
            totals: totals.to_vec(),
        }
    }
}

impl AddAssign<&Self> for BleuStatistics {
    fn add_assign(&mut self, other: &Self) {
        self.hypothesis_length += other.hypothesis_length;
        self.reference_length += other.reference_length;
        add_counts(&mut self.counts, &other.counts);
        add_counts(&mut self.totals, &other.totals);
    }
}
sum_by_add_assign!(BleuStatistics);

impl fmt::Display for BleuScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precisions: Vec<String> = self
            .precisions
            .iter()
            .map(|precision| format!("{precision:.1}"))
            .collect();
        let ratio = match self.reference_length {
            0 => 0.0,
            length => self.hypothesis_length as f64 / length as f64,
        };
        write!(
            f,
            "{:.2} {} (BP = {:.3} ratio = {ratio:.3} hyp_len = {} ref_len = {})",
            self.score,
            precisions.join("/"),
            self.brevity_penalty,
            self.hypothesis_length,
            self.reference_length
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bleu(options: BleuOptions) -> Bleu {
        Bleu::new(options)
    }

    #[test]
    fn counts_the_example_of_the_paper() {
        let statistics = bleu(BleuOptions::default()).statistics(
            "the the the the the the the",
            &["The cat is on the mat", "There is a cat on the mat"],
        );
        assert_eq!(statistics.counts, [1, 0, 0, 0]);
        assert_eq!(statistics.totals, [7, 6, 5, 4]);
        assert_eq!((statistics.hypothesis_length, statistics.reference_length), (7, 7));
        let lowercase = bleu(BleuOptions {
            lowercase: true,
            ..BleuOptions::default()
        });
        assert_eq!(
            lowercase
                .statistics("the the the the the the the", &["The cat is on the mat"])
                .counts[0],
            2
        );
    }

    #[test]
    fn the_closest_reference_sets_the_length() {
        assert_eq!(closest_length(5, [9, 7, 3].into_iter()), 3);
        assert_eq!(closest_length(5, [6, 9].into_iter()), 6);
        assert_eq!(closest_length(5, std::iter::empty()), 0);
    }

    #[test]
    fn brevity_is_punished() {
        let score = bleu(BleuOptions::default()).sentence("a b c d", &["a b c d e f g h"]);
        assert!((score.score - 100.0 * (-1f64).exp()).abs() < 1e-9);
        assert_eq!(score.precisions, [100.0; 4]);
    }

    #[test]
    fn short_sentences_need_the_effective_order() {
        let bleu = bleu(BleuOptions::default());
        assert_eq!(bleu.score(&bleu.statistics("a b", &["a b"])).score, 0.0);
        assert!((bleu.sentence("a b", &["a b"]).score - 100.0).abs() < 1e-9);
    }

    #[test]
    fn prints_like_sacrebleu() {
        let bleu = bleu(BleuOptions::default());
        // 7 tokens against 8, with 6, 3, 2 and 1 matches.
        let score = bleu.sentence("The cat sat on the mat.", &["The cat sat on a mat today."]);
        let expected = "39.44 85.7/50.0/40.0/25.0 (BP = 0.867 ratio = 0.875 hyp_len = 7 ref_len = 8)";
        assert_eq!(score.to_string(), expected);
        assert_eq!(
            BleuScore::default().to_string(),
            "0.00  (BP = 0.000 ratio = 0.000 hyp_len = 0 ref_len = 0)"
        );
    }

    #[test]
    fn signatures_name_every_choice() {
        let options = BleuOptions {
            tokenizer: BleuTokenizer::Intl,
            smoothing: Smoothing::Floor(None),
            lowercase: true,
            effective_order: true,
            ..BleuOptions::default()
        };
        let expected = "nrefs:2|case:lc|eff:yes|tok:intl|smooth:floor[0.10]|version:2.6.0";
        assert_eq!(bleu(options).signature(2), expected);
    }

    #[test]
    fn nothing_at_all_scores_zero() {
        let bleu = bleu(BleuOptions::default());
        assert_eq!(bleu.sentence("", &[""]).score, 0.0);
        assert_eq!(bleu.sentence("a", &[]).score, 0.0);
        assert_eq!(bleu.score(&BleuStatistics::default()).score, 0.0);
    }
}
