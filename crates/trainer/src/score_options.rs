//! Which metrics, and with which options.

use std::str::FromStr;

use ember_metrics::{Bleu, BleuOptions, Chrf, ChrfOptions, Confidence, Metric, Ter, TerOptions};

use crate::config::ValidationConfig;

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
    /// Of BLEU.
    pub bleu: BleuOptions,
    /// Of chrF; chrF++ has the same but for its word order of two.
    pub chrf: ChrfOptions,
    /// Of TER.
    pub ter: TerOptions,
    /// Whether every line is scored as well.
    pub sentence_level: bool,
    /// Whether the scores get intervals, and from how many resamples.
    pub confidence: Option<Confidence>,
    /// Whether text that looks tokenised is what is meant.
    pub force: bool,
}

impl Default for ScoreOptions {
    fn default() -> Self {
        Self {
            metrics: vec![MetricName::Bleu, MetricName::Chrf, MetricName::Ter],
            bleu: BleuOptions::default(),
            chrf: ChrfOptions::default(),
            ter: TerOptions::default(),
            sentence_level: false,
            confidence: None,
            force: false,
        }
    }
}

impl ScoreOptions {
    /// How a run's texts are scored: as at its validations.
    pub fn of_run(validation: &ValidationConfig) -> Self {
        let mut options = Self::default();
        options.bleu.tokenizer = validation.tokenize;
        options.bleu.lowercase = validation.lowercase;
        options.chrf.lowercase = validation.lowercase;
        options
    }

    /// The metrics with their options, in order.
    pub fn metrics(&self) -> impl Iterator<Item = Metric> {
        self.metrics.iter().map(|name| match name {
            MetricName::Bleu => Metric::Bleu(Bleu::new(self.bleu)),
            MetricName::Chrf => Metric::Chrf(Chrf::new(self.chrf)),
            MetricName::ChrfPlusPlus => Metric::Chrf(Chrf::new(ChrfOptions {
                word_order: ChrfOptions::plus_plus().word_order,
                ..self.chrf
            })),
            MetricName::Ter => Metric::Ter(Ter::new(self.ter)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chrf_plus_plus_keeps_the_options_of_chrf() {
        let mut options = ScoreOptions {
            metrics: vec!["chrF++".parse().unwrap(), "chrf".parse().unwrap()],
            ..ScoreOptions::default()
        };
        options.chrf.beta = 3;
        let names: Vec<String> = options.metrics().map(|metric| metric.name()).collect();
        assert_eq!(names, ["chrF3++", "chrF3"]);
    }

    #[test]
    fn a_run_is_scored_as_at_its_validations() {
        let validation = ValidationConfig {
            lowercase: true,
            tokenize: ember_metrics::BleuTokenizer::Zh,
            ..ValidationConfig::default()
        };
        let options = ScoreOptions::of_run(&validation);
        let signatures: Vec<String> = options.metrics().map(|metric| metric.signature(1)).collect();
        assert!(signatures[0].contains("|case:lc|eff:no|tok:zh|"), "{signatures:?}");
        assert!(signatures[1].contains("|case:lc|"), "{signatures:?}");
    }
}
