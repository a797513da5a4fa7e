//! Something for each metric that a validation can be judged by.

use serde::{Deserialize, Serialize};

use crate::config::Metric;

/// One value a metric: what a validation measured, or by what it measures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByMetric<T> {
    /// Of [`Metric::Bleu`].
    pub bleu: T,
    /// Of [`Metric::Chrf`].
    pub chrf: T,
    /// Of [`Metric::Loss`], which judges by the plain cross-entropy.
    pub nll: T,
}

impl<T> ByMetric<T> {
    /// The one of a metric.
    pub fn of(&self, metric: Metric) -> &T {
        match metric {
            Metric::Bleu => &self.bleu,
            Metric::Chrf => &self.chrf,
            Metric::Loss => &self.nll,
        }
    }
}

/// What a validation measured; `None` for what is no finite number, or was measured otherwise than it would be now.
pub type Values = ByMetric<Option<f64>>;

/// Fingerprints of all that a metric's value depends on beside the model: text, search, options of the metric.
pub type Yardsticks = ByMetric<String>;

impl Values {
    /// Of numbers that need not be finite.
    pub fn new(bleu: f64, chrf: f64, nll: f64) -> Self {
        let finite = |value: f64| value.is_finite().then_some(value);
        Self {
            bleu: finite(bleu),
            chrf: finite(chrf),
            nll: finite(nll),
        }
    }

    /// Those that both yardsticks measure alike.
    pub(super) fn comparable(self, one: &Yardsticks, other: &Yardsticks) -> Self {
        Self {
            bleu: self.bleu.filter(|_| one.bleu == other.bleu),
            chrf: self.chrf.filter(|_| one.chrf == other.chrf),
            nll: self.nll.filter(|_| one.nll == other.nll),
        }
    }
}
