//! Any of the metrics, for code that treats them alike: reports and significance tests.

use crate::corpus::{Reference, line_statistics};
use crate::{Bleu, Chrf, MetricError, Rows, Ter};

/// One of the metrics with its options.
#[derive(Debug, Clone)]
pub enum Metric {
    /// Papineni et al. 2002.
    Bleu(Bleu),
    /// Popović 2015, 2017.
    Chrf(Chrf),
    /// Snover et al. 2006.
    Ter(Ter),
}

impl Metric {
    /// As sacreBLEU names it: `BLEU`, `chrF2`, `chrF2++`, `TER`.
    pub fn name(&self) -> String {
        match self {
            Self::Bleu(bleu) => bleu.name(),
            Self::Chrf(chrf) => chrf.name(),
            Self::Ter(ter) => ter.name(),
        }
    }

    /// sacreBLEU's signature; see [`n_references`](crate::corpus::n_references).
    pub fn signature(&self, n_references: usize) -> String {
        match self {
            Self::Bleu(bleu) => bleu.signature(n_references),
            Self::Chrf(chrf) => chrf.signature(n_references),
            Self::Ter(ter) => ter.signature(n_references),
        }
    }

    /// The signature of [`sentence_score`](Self::sentence_score): BLEU of a sentence has the effective order.
    pub fn sentence_signature(&self, n_references: usize) -> String {
        match self {
            Self::Bleu(bleu) => bleu.for_sentences().signature(n_references),
            other => other.signature(n_references),
        }
    }

    /// Whether a larger score is a better one; TER counts errors.
    pub fn higher_is_better(&self) -> bool {
        !matches!(self, Self::Ter(_))
    }

    /// The statistics of every line; `references[r][line]`.
    ///
    /// | metric | columns |
    /// |---|---|
    /// | BLEU | tokens of the hypothesis, of the reference; matches by order; n-grams of the hypothesis by order |
    /// | chrF | by order, characters first: n-grams of the hypothesis, of the reference, matches |
    /// | TER | edits, words of the reference |
    ///
    /// # Errors
    ///
    /// Without lines or references, with unequal line counts, or with a line that has no reference.
    pub fn rows<R: Reference>(&self, hypotheses: &[String], references: &[Vec<R>]) -> Result<Rows, MetricError> {
        let rows = line_statistics(hypotheses, references, |hypothesis, references| match self {
            Self::Bleu(bleu) => bleu.statistics(hypothesis, references).to_row(),
            Self::Chrf(chrf) => chrf.statistics(hypothesis, references).to_row(),
            Self::Ter(ter) => ter.statistics(hypothesis, references).to_row(),
        })?;
        Ok(Rows::new(self.width(), rows))
    }

    /// The score of summed rows.
    pub fn score(&self, sums: &[f64]) -> f64 {
        match self {
            Self::Bleu(bleu) => bleu.score_of_row(sums),
            Self::Chrf(chrf) => chrf.score_of_row(sums),
            Self::Ter(ter) => ter.score_of_row(sums),
        }
    }

    /// The score of one line's row.
    pub fn sentence_score(&self, row: &[f64]) -> f64 {
        match self {
            Self::Bleu(bleu) => bleu.for_sentences().score_of_row(row),
            other => other.score(row),
        }
    }

    /// The score and what it is made of: `41.02 71.0/47.5/34.3/24.5 (BP = …)` of BLEU, edits and words of TER.
    pub fn details(&self, sums: &[f64]) -> Option<String> {
        match self {
            Self::Bleu(bleu) => Some(bleu.score(&crate::BleuStatistics::from_row(sums)).to_string()),
            Self::Chrf(_) => None,
            Self::Ter(_) => Some(format!(
                "{:.2} ({} edits, {:.1} reference words)",
                self.score(sums),
                sums[0],
                sums[1]
            )),
        }
    }

    /// The score of rows that were added in single precision, in the precision that sacreBLEU gives it.
    pub(crate) fn resampled_score(&self, sums: &[f32]) -> f64 {
        match self {
            Self::Bleu(bleu) => bleu.score_of_row(sums),
            Self::Chrf(chrf) => chrf.score_of_row(sums).into(),
            Self::Ter(ter) => ter.score_of_row(sums).into(),
        }
    }

    /// Whether [`resampled_score`](Self::resampled_score) stays in single precision: BLEU's logarithms do not.
    pub(crate) fn resamples_in_single_precision(&self) -> bool {
        !matches!(self, Self::Bleu(_))
    }

    fn width(&self) -> usize {
        match self {
            Self::Bleu(bleu) => 2 + 2 * bleu.options().max_order,
            Self::Chrf(chrf) => 3 * (chrf.options().char_order + chrf.options().word_order),
            Self::Ter(_) => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BleuOptions, ChrfOptions, TerOptions};

    fn all() -> [Metric; 4] {
        [
            Metric::Bleu(Bleu::new(BleuOptions::default())),
            Metric::Chrf(Chrf::new(ChrfOptions::default())),
            Metric::Chrf(Chrf::new(ChrfOptions::plus_plus())),
            Metric::Ter(Ter::new(TerOptions::default())),
        ]
    }

    fn text() -> (Vec<String>, [Vec<&'static str>; 2]) {
        let hypotheses = ["The cat sat on the mat.", "", "A dog"].map(String::from).to_vec();
        let references = [
            vec!["The cat sat on a mat.", "x", "A dog ran."],
            vec!["A cat sat.", "", "Dogs"],
        ];
        (hypotheses, references)
    }

    #[test]
    fn summed_rows_give_the_score_of_the_text() {
        let (hypotheses, references) = text();
        for metric in all() {
            let found = metric.score(&metric.rows(&hypotheses, &references).unwrap().sum());
            let expected = match &metric {
                Metric::Bleu(bleu) => bleu.corpus(&hypotheses, &references).unwrap().score,
                Metric::Chrf(chrf) => chrf.corpus(&hypotheses, &references).unwrap().score,
                Metric::Ter(ter) => ter.corpus(&hypotheses, &references).unwrap().score,
            };
            assert_eq!(found, expected, "{}", metric.name());
        }
    }

    #[test]
    fn rows_give_the_scores_of_sentences() {
        let (hypotheses, references) = text();
        for metric in all() {
            let rows = metric.rows(&hypotheses, &references).unwrap();
            for (line, row) in rows.iter().enumerate() {
                let texts = [references[0][line], references[1][line]];
                let expected = match &metric {
                    Metric::Bleu(bleu) => bleu.sentence(&hypotheses[line], &texts).score,
                    Metric::Chrf(chrf) => chrf.sentence(&hypotheses[line], &texts).score,
                    Metric::Ter(ter) => ter.sentence(&hypotheses[line], &texts).score,
                };
                assert_eq!(metric.sentence_score(row), expected, "{} {line}", metric.name());
            }
        }
    }

    #[test]
    fn a_part_of_the_text_is_a_sum_of_rows() {
        let (hypotheses, references) = text();
        for metric in all() {
            let rows = metric.rows(&hypotheses, &references).unwrap();
            let part = metric
                .rows(&hypotheses[..1], &[vec![references[0][0]], vec![references[1][0]]])
                .unwrap();
            assert_eq!(metric.score(&rows.sum_of([0])), metric.score(&part.sum()));
        }
    }

    #[test]
    fn details_tell_what_a_score_is_made_of() {
        let [bleu, chrf, _, ter] = all();
        let details = bleu
            .details(&[7.0, 8.0, 6.0, 3.0, 2.0, 1.0, 7.0, 6.0, 5.0, 4.0])
            .unwrap();
        let expected = "39.44 85.7/50.0/40.0/25.0 (BP = 0.867 ratio = 0.875 hyp_len = 7 ref_len = 8)";
        assert_eq!(details, expected);
        assert_eq!(
            ter.details(&[3.0, 12.5]).unwrap(),
            "24.00 (3 edits, 12.5 reference words)"
        );
        assert_eq!(chrf.details(&[1.0; 18]), None);
    }

    #[test]
    fn sentences_have_signatures_of_their_own() {
        let [bleu, chrf, ..] = all();
        assert!(bleu.signature(1).contains("|eff:no|") && bleu.sentence_signature(1).contains("|eff:yes|"));
        assert_eq!(chrf.signature(1), chrf.sentence_signature(1));
        assert!(all().map(|metric| metric.higher_is_better()) == [true, true, true, false]);
    }
}
