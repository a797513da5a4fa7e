//! What BLEU does with a precision of zero, whose logarithm would make the whole score zero.
//!
//! Boxing Chen and Colin Cherry, "A Systematic Comparison of Smoothing Techniques for Sentence-Level BLEU", WMT 2014.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::MetricError;
use crate::real::Real;

/// The smoothing of BLEU's precisions. Written and read as in signatures: `exp`, `floor[0.10]`, `add-k[1.00]`, `none`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Smoothing {
    /// The i-th order without a match counts as `1 / 2^i` matches (Chen and Cherry, method 3; NIST's script).
    #[default]
    Exp,
    /// An order without a match counts as this many matches, 0.1 if not given (method 1).
    Floor(Option<f64>),
    /// This much is added to matches and totals of every order above one, 1 if not given (method 2).
    AddK(Option<f64>),
    /// A precision of zero stays zero.
    None,
}

impl Smoothing {
    /// The value in force, for the two kinds that have one.
    pub fn value(self) -> Option<f64> {
        match self {
            Self::Floor(value) => Some(value.unwrap_or(0.1)),
            Self::AddK(value) => Some(value.unwrap_or(1.0)),
            Self::Exp | Self::None => None,
        }
    }

    /// Precisions in percent, up to the first order for which there is no n-gram.
    pub(crate) fn precisions<R: Real>(self, counts: &[R], totals: &[R]) -> Vec<R> {
        let (zero, percent) = (R::of(0.0), R::of(100.0));
        let mut precisions = Vec::with_capacity(counts.len());
        let mut halvings = 1.0;
        for (index, (&count, &total)) in counts.iter().zip(totals).enumerate() {
            let (mut count, mut total) = (count, total);
            if let (Self::AddK(_), Some(k), true) = (self, self.value(), index > 0) {
                count = count + R::of(k);
                total = total + R::of(k);
            }
            if total == zero {
                break;
            }
            precisions.push(match self {
                _ if count > zero => percent * count / total,
                Self::Exp => {
                    halvings *= 2.0;
                    percent / (R::of(halvings) * total)
                }
                Self::Floor(_) => R::of(100.0 * self.value().unwrap_or(0.0)) / total,
                Self::AddK(_) | Self::None => zero,
            });
        }
        precisions
    }
}

impl fmt::Display for Smoothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Exp => "exp",
            Self::Floor(_) => "floor",
            Self::AddK(_) => "add-k",
            Self::None => "none",
        };
        match self.value() {
            Some(value) => write!(f, "{name}[{value:.2}]"),
            None => f.write_str(name),
        }
    }
}

impl FromStr for Smoothing {
    type Err = MetricError;

    fn from_str(text: &str) -> Result<Self, MetricError> {
        let unknown = || MetricError::UnknownSmoothing { text: text.to_string() };
        let (name, value) = match text.strip_suffix(']').and_then(|text| text.split_once('[')) {
            Some((name, value)) => (name, Some(value.parse::<f64>().map_err(|_| unknown())?)),
            None => (text, None),
        };
        match (name, value) {
            (_, Some(value)) if !value.is_finite() || value < 0.0 => Err(unknown()),
            ("exp", None) => Ok(Self::Exp),
            ("none", None) => Ok(Self::None),
            ("floor", value) => Ok(Self::Floor(value)),
            ("add-k", value) => Ok(Self::AddK(value)),
            _ => Err(unknown()),
        }
    }
}

impl From<Smoothing> for String {
    fn from(smoothing: Smoothing) -> Self {
        match smoothing {
            // The signature rounds to two decimals; a saved configuration must not.
            Smoothing::Floor(None) => "floor".to_string(),
            Smoothing::AddK(None) => "add-k".to_string(),
            Smoothing::Floor(Some(value)) => format!("floor[{value}]"),
            Smoothing::AddK(Some(value)) => format!("add-k[{value}]"),
            Smoothing::Exp | Smoothing::None => smoothing.to_string(),
        }
    }
}

impl TryFrom<String> for Smoothing {
    type Error = MetricError;

    fn try_from(text: String) -> Result<Self, MetricError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_follows_the_paper() {
        let (counts, totals) = ([2.0, 1.0, 0.0, 0.0], [4.0, 3.0, 2.0, 1.0]);
        let exp = Smoothing::Exp.precisions(&counts, &totals);
        assert_eq!(exp, [50.0, 100.0 / 3.0, 25.0, 25.0]);
        let floor = Smoothing::Floor(None).precisions(&counts, &totals);
        assert_eq!(floor, [50.0, 100.0 / 3.0, 5.0, 10.0]);
        let add_k = Smoothing::AddK(None).precisions(&counts, &totals);
        assert_eq!(add_k, [50.0, 50.0, 100.0 / 3.0, 50.0]);
        let none = Smoothing::None.precisions(&counts, &totals);
        assert_eq!(none, [50.0, 100.0 / 3.0, 0.0, 0.0]);
    }

    #[test]
    fn is_written_as_in_signatures() {
        assert_eq!(Smoothing::Exp.to_string(), "exp");
        assert_eq!(Smoothing::Floor(None).to_string(), "floor[0.10]");
        assert_eq!(Smoothing::AddK(Some(2.0)).to_string(), "add-k[2.00]");
        // As Python: halves go to the even digit.
        assert_eq!(Smoothing::Floor(Some(0.125)).to_string(), "floor[0.12]");
        assert_eq!(Smoothing::Floor(Some(0.375)).to_string(), "floor[0.38]");
    }

    #[test]
    fn is_read_back() {
        for smoothing in [
            Smoothing::Exp,
            Smoothing::None,
            Smoothing::Floor(None),
            Smoothing::AddK(Some(0.125)),
        ] {
            assert_eq!(String::from(smoothing).parse(), Ok(smoothing));
        }
        for text in ["", "laplace", "exp[1]", "floor[x]", "floor[-1]", "add-k[inf]", "add-k["] {
            assert!(text.parse::<Smoothing>().is_err(), "{text}");
        }
    }
}
