//! TER: how many edits turn the hypothesis into the reference, per word of the reference.
//!
//! Matthew Snover, Bonnie Dorr, Richard Schwartz, Linnea Micciulla and John Makhoul, "A Study of Translation Edit Rate
//! with Targeted Human Annotation", AMTA 2006. An edit is an insertion, a deletion, a substitution or the shift of a
//! run of words. The search for shifts is greedy and has the limits of Tercom as sacreBLEU took them over; the numbers
//! depend on every one of them.
//!
//! | module | job |
//! |---|---|
//! | `edit_distance` | word edit distance near the diagonal, and its alignment |
//! | `shift` | the shift that helps most, until none does |

mod edit_distance;
mod shift;

use std::collections::HashMap;
use std::fmt;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use crate::corpus::{Reference, line_statistics, sum_by_add_assign};
use crate::real::Real;
use crate::signature::{signature, yes_no};
use crate::tokenize::tercom;
use crate::{MetricError, text};

/// How TER is computed; the default is that of sacreBLEU: lower-cased, split at white space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TerOptions {
    /// Whether punctuation and possessives become words of their own.
    pub normalized: bool,
    /// Whether punctuation is left out.
    pub no_punct: bool,
    /// Whether the two above also treat ideographs and Asian punctuation.
    pub asian_support: bool,
    /// Whether upper and lower case differ.
    pub case_sensitive: bool,
}

/// The metric with its options.
#[derive(Debug, Clone)]
pub struct Ter {
    options: TerOptions,
}

/// What TER needs to know of a text; the sum over sentences is that of the corpus.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct TerStatistics {
    /// Edits to the reference that needs fewest.
    pub edits: u64,
    /// Words of the references, averaged over the references.
    pub reference_length: f64,
}

/// TER; prints with two decimals.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct TerScore {
    /// TER in percent: 0 for equal texts, beyond 100 where more edits are needed than the reference has words.
    pub score: f64,
    /// Edits.
    pub edits: u64,
    /// Words of the references, averaged over the references.
    pub reference_length: f64,
}

impl Ter {
    /// Prepares the metric.
    pub fn new(options: TerOptions) -> Self {
        Self { options }
    }

    /// The options in force.
    pub fn options(&self) -> &TerOptions {
        &self.options
    }

    /// Counts the edits of a sentence. Without a reference there is nothing to edit.
    pub fn statistics(&self, hypothesis: &str, references: &[&str]) -> TerStatistics {
        let mut ids = WordIds::default();
        let hypothesis = ids.of(&self.tokenize(hypothesis));
        let references: Vec<Vec<u32>> = references
            .iter()
            .map(|line| ids.of(&self.tokenize_reference(line)))
            .collect();
        let edits = references
            .iter()
            .map(|reference| shift::edits(&hypothesis, reference))
            .min();
        let words: usize = references.iter().map(Vec::len).sum();
        TerStatistics {
            edits: edits.unwrap_or(0) as u64,
            reference_length: words as f64 / references.len().max(1) as f64,
        }
    }

    /// The score of summed statistics: edits by words of the reference (Snover et al., equation 1).
    pub fn score(&self, statistics: &TerStatistics) -> TerScore {
        TerScore {
            score: self.score_of_row(&statistics.to_row()),
            edits: statistics.edits,
            reference_length: statistics.reference_length,
        }
    }

    /// The score of a summed row, as [`TerStatistics::to_row`] lays it out.
    pub(crate) fn score_of_row<R: Real>(&self, row: &[R]) -> R {
        let (edits, reference_length) = (row[0], row[1]);
        let zero = R::of(0.0);
        let rate = if reference_length > zero {
            edits / reference_length
        } else {
            // All references are empty: right is only an empty hypothesis.
            R::of(if edits > zero { 1.0 } else { 0.0 })
        };
        R::of(100.0) * rate
    }

    /// Scores a corpus; `references[r][line]`. A reference may be missing on a line, see [`Reference`].
    ///
    /// # Errors
    ///
    /// Without lines or references, with unequal line counts, or with a line that has no reference.
    pub fn corpus<R: Reference>(&self, hypotheses: &[String], references: &[Vec<R>]) -> Result<TerScore, MetricError> {
        let lines = line_statistics(hypotheses, references, |line, references| {
            self.statistics(line, references)
        })?;
        Ok(self.score(&lines.iter().sum()))
    }

    /// Scores a single sentence.
    pub fn sentence(&self, hypothesis: &str, references: &[&str]) -> TerScore {
        self.score(&self.statistics(hypothesis, references))
    }

    /// What to state beside a score, such as `nrefs:1|case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:2.6.0`.
    pub fn signature(&self, n_references: usize) -> String {
        let options = &self.options;
        let fields = [
            ("case", if options.case_sensitive { "mixed" } else { "lc" }.to_string()),
            ("tok", "tercom".to_string()),
            ("norm", yes_no(options.normalized)),
            ("punct", yes_no(!options.no_punct)),
            ("asian", yes_no(options.asian_support)),
        ];
        signature(n_references, &fields)
    }

    /// The metric's name.
    pub fn name(&self) -> String {
        "TER".to_string()
    }

    fn tokenize(&self, line: &str) -> String {
        tercom::tokenize(text::trim_end(line), &self.options)
    }

    /// sacreBLEU tokenizes references twice. This matters with `normalized`: only the second round finds the possessive
    /// in `man's.`, after the first has cut off the full stop.
    fn tokenize_reference(&self, line: &str) -> String {
        let once = self.tokenize(line);
        self.tokenize(&text::words(&once).collect::<Vec<_>>().join(" "))
    }
}

/// Numbers for words, so that the search compares numbers.
#[derive(Debug, Default)]
struct WordIds {
    ids: HashMap<String, u32>,
}

impl WordIds {
    fn of(&mut self, line: &str) -> Vec<u32> {
        let mut sequence = Vec::new();
        for word in text::words(line) {
            let next = self.ids.len() as u32;
            sequence.push(*self.ids.entry(word.to_string()).or_insert(next));
        }
        sequence
    }
}

impl TerStatistics {
    /// Edits and reference length as one row of numbers.
    pub fn to_row(&self) -> Vec<f64> {
        vec![self.edits as f64, self.reference_length]
    }
}

impl AddAssign<&Self> for TerStatistics {
    fn add_assign(&mut self, other: &Self) {
        self.edits += other.edits;
        self.reference_length += other.reference_length;
    }
}
sum_by_add_assign!(TerStatistics);

impl fmt::Display for TerScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}", self.score)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edits(hypothesis: &str, reference: &str) -> u64 {
        Ter::new(TerOptions::default())
            .statistics(hypothesis, &[reference])
            .edits
    }

    #[test]
    fn counts_the_example_of_the_paper() {
        // Snover et al., section 2: one shift, two substitutions and one insertion, 4 edits by 13 words.
        let hypothesis = "THIS WEEK THE SAUDIS denied information published in the new york times";
        let reference = "SAUDI ARABIA denied THIS WEEK information published in the AMERICAN new york times";
        let score = Ter::new(TerOptions::default()).sentence(hypothesis, &[reference]);
        assert_eq!((score.edits, score.reference_length), (4, 13.0));
        assert!((score.score - 100.0 * 4.0 / 13.0).abs() < 1e-9);
    }

    #[test]
    fn a_shifted_run_is_one_edit() {
        assert_eq!(edits("d e f a b c", "a b c d e f"), 1);
        assert_eq!(edits("a b c", "a b c"), 0);
        assert_eq!(edits("A b", "a B"), 0);
    }

    #[test]
    fn empty_sides() {
        assert_eq!(edits("", "a b"), 2);
        assert_eq!(edits("a b", ""), 2);
        let ter = Ter::new(TerOptions::default());
        assert_eq!(ter.sentence("a b c", &[""]).score, 100.0);
        assert_eq!(ter.sentence("", &[""]).score, 0.0);
        assert_eq!(ter.sentence("a", &[]).edits, 0);
    }

    #[test]
    fn references_are_averaged_and_the_best_counts() {
        let statistics = Ter::new(TerOptions::default()).statistics("a b", &["a b c d", "a x b"]);
        assert_eq!(
            statistics,
            TerStatistics {
                edits: 1,
                reference_length: 3.5
            }
        );
    }

    #[test]
    fn references_are_tokenized_twice() {
        let ter = Ter::new(TerOptions {
            normalized: true,
            ..TerOptions::default()
        });
        // The hypothesis stays `man's .`, the reference becomes `man 's .`.
        assert_eq!(
            ter.statistics("man's.", &["man's."]),
            TerStatistics {
                edits: 2,
                reference_length: 3.0
            }
        );
    }

    #[test]
    fn signatures_name_every_choice() {
        let options = TerOptions {
            normalized: true,
            no_punct: true,
            asian_support: true,
            case_sensitive: true,
        };
        let expected = "nrefs:1|case:mixed|tok:tercom|norm:yes|punct:no|asian:yes|version:2.6.0";
        assert_eq!(Ter::new(options).signature(1), expected);
    }
}
