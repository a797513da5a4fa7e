//! chrF: the F-score of character n-grams; chrF++ takes in word n-grams too.
//!
//! Maja Popović, "chrF: character n-gram F-score for automatic MT evaluation", WMT 2015, and "chrF++: words helping
//! character n-grams", WMT 2017.

use std::fmt;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use crate::corpus::{Reference, line_statistics, sum_by_add_assign};
use crate::ngram::{NgramCounts, total};
use crate::real::Real;
use crate::signature::{signature, yes_no};
use crate::{MetricError, text};

/// The precision or recall of an order that has no n-grams, under epsilon smoothing.
const EPSILON: f64 = 1e-16;

/// How chrF is computed; the default is that of sacreBLEU, chrF2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChrfOptions {
    /// The longest character n-gram.
    pub char_order: usize,
    /// The longest word n-gram: 0 for chrF, 2 for chrF++.
    pub word_order: usize,
    /// How many times recall counts as much as precision, β in the paper.
    pub beta: u32,
    /// Whether both sides are lower-cased first.
    pub lowercase: bool,
    /// Whether character n-grams run over white space; otherwise it is taken out.
    pub whitespace: bool,
    /// Whether orders without n-grams take part with a tiny value, as in the paper's own script; otherwise the mean is
    /// over the orders that both sides have.
    pub eps_smoothing: bool,
}

impl Default for ChrfOptions {
    fn default() -> Self {
        Self {
            char_order: 6,
            word_order: 0,
            beta: 2,
            lowercase: false,
            whitespace: false,
            eps_smoothing: false,
        }
    }
}

impl ChrfOptions {
    /// chrF++, that is with words and pairs of words.
    pub fn plus_plus() -> Self {
        Self {
            word_order: 2,
            ..Self::default()
        }
    }
}

/// The metric with its options.
#[derive(Debug, Clone)]
pub struct Chrf {
    options: ChrfOptions,
}

/// n-grams of one order: how many on either side, and how many match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OrderCounts {
    /// n-grams of the hypothesis; 0 where the reference has none.
    pub hypothesis: u64,
    /// n-grams of the reference.
    pub reference: u64,
    /// Clipped matches.
    pub matches: u64,
}

/// What chrF needs to know of a text: counts by order, characters first. The sum over sentences is that of the corpus.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ChrfStatistics {
    /// Character orders from one, then word orders from one.
    pub orders: Vec<OrderCounts>,
}

/// chrF; prints with two decimals.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ChrfScore {
    /// chrF, from 0 to 100.
    pub score: f64,
}

impl Chrf {
    /// Prepares the metric.
    pub fn new(options: ChrfOptions) -> Self {
        Self { options }
    }

    /// The options in force.
    pub fn options(&self) -> &ChrfOptions {
        &self.options
    }

    /// Counts a sentence against the reference with the best score, the first of equals. Without a reference all counts
    /// are zero.
    pub fn statistics(&self, hypothesis: &str, references: &[&str]) -> ChrfStatistics {
        let hypothesis = self.cased(hypothesis);
        let hypothesis = self.units(&hypothesis);
        let mut best: Option<(f64, ChrfStatistics)> = None;
        for reference in references {
            let reference = self.cased(reference);
            let counts = self.count(&hypothesis, &self.units(&reference));
            let score = self.score_of_row(&counts.to_row());
            if best.as_ref().is_none_or(|(best, _)| score > *best) {
                best = Some((score, counts));
            }
        }
        best.map(|(_, counts)| counts).unwrap_or_default()
    }

    /// The score of summed statistics.
    pub fn score(&self, statistics: &ChrfStatistics) -> ChrfScore {
        ChrfScore {
            score: self.score_of_row(&statistics.to_row()),
        }
    }

    /// Scores a corpus; `references[r][line]`. A reference may be missing on a line, see [`Reference`].
    ///
    /// # Errors
    ///
    /// Without lines or references, with unequal line counts, or with a line that has no reference.
    pub fn corpus<R: Reference>(&self, hypotheses: &[String], references: &[Vec<R>]) -> Result<ChrfScore, MetricError> {
        let lines = line_statistics(hypotheses, references, |line, references| {
            self.statistics(line, references)
        })?;
        Ok(self.score(&lines.iter().sum()))
    }

    /// Scores a single sentence.
    pub fn sentence(&self, hypothesis: &str, references: &[&str]) -> ChrfScore {
        self.score(&self.statistics(hypothesis, references))
    }

    /// What to state beside a score, such as `nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0`.
    pub fn signature(&self, n_references: usize) -> String {
        let options = &self.options;
        let fields = [
            ("case", if options.lowercase { "lc" } else { "mixed" }.to_string()),
            ("eff", yes_no(!options.eps_smoothing)),
            ("nc", options.char_order.to_string()),
            ("nw", options.word_order.to_string()),
            ("space", yes_no(options.whitespace)),
        ];
        signature(n_references, &fields)
    }

    /// The metric's name: `chrF2`, `chrF2++`.
    pub fn name(&self) -> String {
        format!("chrF{}{}", self.options.beta, "+".repeat(self.options.word_order))
    }

    fn cased(&self, line: &str) -> String {
        if self.options.lowercase {
            line.to_lowercase()
        } else {
            line.to_string()
        }
    }

    fn units<'a>(&self, line: &'a str) -> Units<'a> {
        let keep = |c: &char| self.options.whitespace || !text::is_space(*c);
        Units {
            characters: line.chars().filter(keep).map(u32::from).collect(),
            words: if self.options.word_order > 0 {
                words_and_punctuation(line)
            } else {
                Vec::new()
            },
        }
    }

    fn count(&self, hypothesis: &Units<'_>, reference: &Units<'_>) -> ChrfStatistics {
        let characters = (1..=self.options.char_order).map(|n| count(&hypothesis.characters, &reference.characters, n));
        let words = (1..=self.options.word_order).map(|n| count(&hypothesis.words, &reference.words, n));
        ChrfStatistics {
            orders: characters.chain(words).collect(),
        }
    }

    /// The score of a summed row, as [`ChrfStatistics::to_row`] lays it out: chrFβ (Popović 2015, equation 1) from the
    /// arithmetic means of precision and recall over the orders.
    ///
    /// ```text
    /// chrFβ = (1 + β²) · chrP · chrR / (β² · chrP + chrR)
    /// ```
    pub(crate) fn score_of_row<R: Real>(&self, row: &[R]) -> R {
        if self.options.eps_smoothing {
            return self.mean_of_f_scores(row);
        }
        let zero = R::of(0.0);
        let (mut precision, mut recall, mut orders) = (zero, zero, zero);
        for &[hypothesis, reference, matches] in row.as_chunks::<3>().0 {
            if hypothesis > zero && reference > zero {
                precision = precision + matches / hypothesis;
                recall = recall + matches / reference;
                orders = orders + R::of(1.0);
            }
        }
        if precision + recall == zero {
            return zero;
        }
        R::of(100.0) * self.f_beta(precision / orders, recall / orders)
    }

    /// The mean over all orders of their F-scores, as chrF++'s own script, Moses and NLTK have it.
    fn mean_of_f_scores<R: Real>(&self, row: &[R]) -> R {
        let (zero, epsilon) = (R::of(0.0), R::of(EPSILON));
        let share = |matches: R, of: R| if of > zero { matches / of } else { epsilon };
        let mut sum = zero;
        for &[hypothesis, reference, matches] in row.as_chunks::<3>().0 {
            let (precision, recall) = (share(matches, hypothesis), share(matches, reference));
            let some = precision > zero || recall > zero;
            sum = sum + if some { self.f_beta(precision, recall) } else { epsilon };
        }
        R::of(100.0) * sum / R::of((self.options.char_order + self.options.word_order).max(1) as f64)
    }

    fn f_beta<R: Real>(&self, precision: R, recall: R) -> R {
        let square = f64::from(self.options.beta).powi(2);
        let (factor, weight) = (R::of(square), R::of(1.0 + square));
        weight * precision * recall / (factor * precision + recall)
    }
}

/// A line as the two sequences that n-grams are taken from.
struct Units<'a> {
    characters: Vec<u32>,
    words: Vec<&'a str>,
}

fn count<T: Eq + std::hash::Hash>(hypothesis: &[T], reference: &[T], order: usize) -> OrderCounts {
    let in_reference = total(reference.len(), order);
    OrderCounts {
        // Without n-grams in the reference those of the hypothesis are not held against it.
        hypothesis: if in_reference > 0 {
            total(hypothesis.len(), order)
        } else {
            0
        },
        reference: in_reference,
        matches: NgramCounts::of(hypothesis, order).overlap(&NgramCounts::of(reference, order)),
    }
}

/// Words with one punctuation mark cut off: the last character if it is one, else the first.
fn words_and_punctuation(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for word in text::words(line) {
        let mut characters = word.chars();
        let (first, last) = (characters.next(), characters.next_back());
        match (first, last) {
            (_, Some(last)) if last.is_ascii_punctuation() => {
                words.extend([&word[..word.len() - 1], &word[word.len() - 1..]])
            }
            (Some(first), Some(_)) if first.is_ascii_punctuation() => words.extend([&word[..1], &word[1..]]),
            _ => words.push(word),
        }
    }
    words
}

impl ChrfStatistics {
    /// The three counts of every order, one after the other, as one row of numbers.
    pub fn to_row(&self) -> Vec<f64> {
        let numbers = |counts: &OrderCounts| [counts.hypothesis, counts.reference, counts.matches];
        self.orders
            .iter()
            .flat_map(numbers)
            .map(|number| number as f64)
            .collect()
    }
}

impl AddAssign<&Self> for ChrfStatistics {
    fn add_assign(&mut self, other: &Self) {
        if self.orders.len() < other.orders.len() {
            self.orders.resize(other.orders.len(), OrderCounts::default());
        }
        for (sum, counts) in self.orders.iter_mut().zip(&other.orders) {
            sum.hypothesis += counts.hypothesis;
            sum.reference += counts.reference;
            sum.matches += counts.matches;
        }
    }
}
sum_by_add_assign!(ChrfStatistics);

impl fmt::Display for ChrfScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}", self.score)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_order() {
        let chrf = Chrf::new(ChrfOptions {
            char_order: 2,
            word_order: 1,
            ..ChrfOptions::default()
        });
        let statistics = chrf.statistics("ab a", &["ab b"]);
        let counts = |hypothesis, reference, matches| OrderCounts {
            hypothesis,
            reference,
            matches,
        };
        // Characters a b a / a b b, pairs ab ba / ab bb, words ab a / ab b.
        assert_eq!(statistics.orders, [counts(3, 3, 2), counts(2, 2, 1), counts(2, 2, 1)]);
        assert!((chrf.score(&statistics).score - 100.0 * (2.0 / 3.0 + 0.5 + 0.5) / 3.0).abs() < 1e-9);
    }

    #[test]
    fn recall_counts_beta_times() {
        let chrf = Chrf::new(ChrfOptions {
            char_order: 1,
            ..ChrfOptions::default()
        });
        // Precision 1, recall 1/2: 5 · 1 · 0.5 / (4 · 1 + 0.5).
        assert!((chrf.sentence("a", &["ab"]).score - 100.0 * 2.5 / 4.5).abs() < 1e-9);
        assert_eq!(chrf.name(), "chrF2");
        assert_eq!(Chrf::new(ChrfOptions::plus_plus()).name(), "chrF2++");
    }

    #[test]
    fn punctuation_is_cut_off_once() {
        assert_eq!(
            words_and_punctuation("(hi) \"ok end. ! a, …x"),
            ["(hi", ")", "\"", "ok", "end", ".", "!", "a", ",", "…x"]
        );
        assert_eq!(words_and_punctuation("ü. .ü"), ["ü", ".", ".", "ü"]);
    }

    #[test]
    fn empty_lines_score_zero() {
        let chrf = Chrf::new(ChrfOptions::default());
        for (hypothesis, reference) in [("", "a"), ("a", ""), ("", "")] {
            assert_eq!(chrf.sentence(hypothesis, &[reference]).score, 0.0);
        }
        assert_eq!(chrf.sentence("a", &[]).score, 0.0);
    }

    #[test]
    fn the_best_reference_counts() {
        let chrf = Chrf::new(ChrfOptions::default());
        assert_eq!(
            chrf.statistics("abc", &["xyz", "abc"]),
            chrf.statistics("abc", &["abc"])
        );
    }

    #[test]
    fn signatures_name_every_choice() {
        let expected = "nrefs:1|case:mixed|eff:yes|nc:6|nw:2|space:no|version:2.6.0";
        assert_eq!(Chrf::new(ChrfOptions::plus_plus()).signature(1), expected);
    }
}
