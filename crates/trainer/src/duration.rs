//! Lengths of training with their unit: `8000u` updates, `5e` epochs, `10Mt` target tokens.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What a [`Duration`] counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Changes of the weights, written `u`.
    Updates,
    /// Passes over the training corpus, written `e`.
    Epochs,
    /// Target tokens trained on, written `t`.
    TargetTokens,
}

impl Unit {
    fn letter(self) -> char {
        match self {
            Unit::Updates => 'u',
            Unit::Epochs => 'e',
            Unit::TargetTokens => 't',
        }
    }
}

/// A length of training, at least 1 of its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Duration {
    /// How many.
    pub value: u64,
    /// Of what.
    pub unit: Unit,
}

/// How far a run has come, counted over all resumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Updates made.
    pub updates: u64,
    /// Epochs completed.
    pub epochs: u64,
    /// Target tokens trained on.
    pub target_tokens: u64,
}

impl Duration {
    /// `value` updates.
    pub const fn updates(value: u64) -> Self {
        Self {
            value,
            unit: Unit::Updates,
        }
    }

    /// The counter of `progress` that this duration is measured in.
    pub fn count(&self, progress: &Progress) -> u64 {
        match self.unit {
            Unit::Updates => progress.updates,
            Unit::Epochs => progress.epochs,
            Unit::TargetTokens => progress.target_tokens,
        }
    }

    /// Whether a run that has come this far has lasted for the duration.
    pub fn is_reached(&self, progress: &Progress) -> bool {
        self.count(progress) >= self.value
    }

    /// Whether a multiple of the duration lies behind `before` and not behind `now`.
    ///
    /// For things done every so often. It depends on the counters alone, so a resumed run does them when an
    /// uninterrupted one would.
    pub fn is_due(&self, before: &Progress, now: &Progress) -> bool {
        self.count(now) / self.value > self.count(before) / self.value
    }
}

/// Text that is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a duration: {message}\nhint: {HINT}")]
pub struct DurationError {
    text: String,
    message: String,
}

const HINT: &str = "write a number and its unit: \"8000u\" updates, \"5e\" epochs, \"10Mt\" or \"500kt\" target tokens";

impl FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let fail = |message: String| DurationError {
            text: text.into(),
            message,
        };
        let (number, unit) = match text.char_indices().next_back() {
            Some((at, 'u')) => (&text[..at], Unit::Updates),
            Some((at, 'e')) => (&text[..at], Unit::Epochs),
            Some((at, 't')) => (&text[..at], Unit::TargetTokens),
            Some((_, last)) if last.is_ascii_digit() => return Err(fail("the unit is missing".into())),
            Some((_, last)) => return Err(fail(format!("unknown unit `{last}`, not one of `u`, `e`, `t`"))),
            None => return Err(fail("it is empty".into())),
        };
        let (number, zeros) = match number.char_indices().next_back() {
            Some((at, 'k')) => (&number[..at], 3),
            Some((at, 'M')) => (&number[..at], 6),
            Some((at, 'G')) => (&number[..at], 9),
            _ => (number, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || number.ends_with('.') || !digits(whole) || !digits(fraction) {
            return Err(fail(format!("`{number}` is not a number")));
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > zeros {
            return Err(fail("it is not a whole number of its unit".into()));
        }
        // Decimal digits are moved, not floats multiplied: 2.5M is exactly 2500000.
        let value = format!("{whole}{fraction:0<zeros$}")
            .parse()
            .map_err(|_| fail(format!("it is above the greatest value {}", u64::MAX)))?;
        if value == 0 {
            return Err(fail("0 is below the least value 1".into()));
        }
        Ok(Self { value, unit })
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = self.unit.letter();
        match self.value {
            value if self.unit != Unit::TargetTokens => write!(f, "{value}{letter}"),
            value if value.is_multiple_of(1_000_000) => write!(f, "{}M{letter}", value / 1_000_000),
            value if value.is_multiple_of(1_000) => write!(f, "{}k{letter}", value / 1_000),
            value => write!(f, "{value}{letter}"),
        }
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Duration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration in quotes, such as \"8000u\", \"5e\" or \"10Mt\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_unit_and_multiplier() {
        for (text, value, unit) in [
            ("8000u", 8000, Unit::Updates),
            ("5e", 5, Unit::Epochs),
            ("10Mt", 10_000_000, Unit::TargetTokens),
            ("500kt", 500_000, Unit::TargetTokens),
            ("2.5Mt", 2_500_000, Unit::TargetTokens),
            ("0.001kt", 1, Unit::TargetTokens),
            ("1.0u", 1, Unit::Updates),
            ("1Gt", 1_000_000_000, Unit::TargetTokens),
        ] {
            assert_eq!(text.parse(), Ok(Duration { value, unit }), "{text}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for text in ["8000u", "5e", "10Mt", "2500kt", "1234567t"] {
            assert_eq!(text.parse::<Duration>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn refuses_what_is_no_duration() {
        for (text, part) in [
            ("", "it is empty"),
            ("8000", "the unit is missing"),
            ("8000s", "unknown unit `s`"),
            ("80é", "unknown unit `é`"),
            ("u", "`` is not a number"),
            ("-1u", "`-1` is not a number"),
            ("1 u", "`1 ` is not a number"),
            ("1.u", "`1.` is not a number"),
            ("1_000u", "`1_000` is not a number"),
            ("0u", "below the least value 1"),
            ("2.5u", "not a whole number"),
            ("1.0005kt", "not a whole number"),
            ("99999999999999999999u", "above the greatest value"),
        ] {
            let error = text.parse::<Duration>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn multiples_fall_due_once_each() {
        let every = Duration::updates(500);
        let at = |updates| Progress {
            updates,
            ..Progress::default()
        };
        assert!(!every.is_due(&at(498), &at(499)));
        assert!(every.is_due(&at(499), &at(500)));
        assert!(!every.is_due(&at(500), &at(501)));
        let tokens: Duration = "1kt".parse().unwrap();
        let at = |target_tokens| Progress {
            target_tokens,
            ..Progress::default()
        };
        assert!(tokens.is_due(&at(900), &at(4100)));
        assert!(!tokens.is_due(&at(4100), &at(4999)));
    }
}
