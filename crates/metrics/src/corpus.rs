//! Lines beside their references, and the walk over them on all cores.

use rayon::prelude::*;

use crate::{MetricError, VARIABLE_REFERENCES};

/// A line of a reference, which may be missing: not every line needs the same number of references.
pub trait Reference: Sync {
    /// The text, or nothing where this reference is missing. An empty text is a reference.
    fn text(&self) -> Option<&str>;
}

impl Reference for String {
    fn text(&self) -> Option<&str> {
        Some(self)
    }
}

impl Reference for &str {
    fn text(&self) -> Option<&str> {
        Some(self)
    }
}

impl<R: Reference> Reference for Option<R> {
    fn text(&self) -> Option<&str> {
        self.as_ref().and_then(R::text)
    }
}

/// The statistics of every line, in the order of the lines; `references[r][line]`.
///
/// # Errors
///
/// Without hypotheses, without references, where a reference has another number of lines than the hypotheses, or where
/// all references of a line are missing.
pub fn line_statistics<R, S, F>(
    hypotheses: &[String],
    references: &[Vec<R>],
    statistics: F,
) -> Result<Vec<S>, MetricError>
where
    R: Reference,
    S: Send,
    F: Fn(&str, &[&str]) -> S + Sync,
{
    check(hypotheses.len(), references)?;
    let one_line = |(line, hypothesis): (usize, &String)| {
        let texts: Vec<&str> = references
            .iter()
            .filter_map(|reference| reference[line].text())
            .collect();
        match texts.is_empty() {
            true => Err(MetricError::LineWithoutReference { line: line + 1 }),
            false => Ok(statistics(hypothesis, &texts)),
        }
    };
    hypotheses.par_iter().enumerate().map(one_line).collect()
}

/// The number of references as signatures state it: [`VARIABLE_REFERENCES`] where it differs from line to line.
pub fn n_references<R: Reference>(references: &[Vec<R>]) -> usize {
    let lines = references.iter().map(Vec::len).min().unwrap_or(0);
    let of_line = |line: usize| {
        references
            .iter()
            .filter(|reference| reference[line].text().is_some())
            .count()
    };
    let first = if lines > 0 { of_line(0) } else { references.len() };
    match (1..lines).all(|line| of_line(line) == first) {
        true => first,
        false => VARIABLE_REFERENCES,
    }
}

fn check<R>(expected: usize, references: &[Vec<R>]) -> Result<(), MetricError> {
    if references.is_empty() {
        return Err(MetricError::NoReferences);
    }
    for (index, reference) in references.iter().enumerate() {
        if reference.len() != expected {
            return Err(MetricError::LineCount {
                reference: index + 1,
                expected,
                found: reference.len(),
            });
        }
    }
    if expected == 0 {
        return Err(MetricError::NoHypotheses);
    }
    Ok(())
}

/// Lets statistics be added up, by value or by reference, from `AddAssign<&Self>`.
macro_rules! sum_by_add_assign {
    ($statistics:ty) => {
        impl std::ops::Add for $statistics {
            type Output = Self;

            fn add(mut self, other: Self) -> Self {
                self += &other;
                self
            }
        }

        impl std::iter::Sum for $statistics {
            fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
                all.fold(Self::default(), |sum, one| sum + one)
            }
        }

        impl<'a> std::iter::Sum<&'a $statistics> for $statistics {
            fn sum<I: Iterator<Item = &'a $statistics>>(all: I) -> Self {
                all.fold(Self::default(), |mut sum, one| {
                    sum += one;
                    sum
                })
            }
        }
    };
}
pub(crate) use sum_by_add_assign;

/// `left[i] += right[i]`, where a shorter side counts as zeros.
pub(crate) fn add_counts(left: &mut Vec<u64>, right: &[u64]) {
    if left.len() < right.len() {
        left.resize(right.len(), 0);
    }
    for (sum, count) in left.iter_mut().zip(right) {
        *sum += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(_: &str, references: &[&str]) -> usize {
        references.len()
    }

    #[test]
    fn missing_references_are_left_out() {
        let hypotheses = ["a".to_string(), "b".to_string()];
        let references = [vec![Some("a"), Some("")], vec![None, Some("b")]];
        assert_eq!(line_statistics(&hypotheses, &references, count), Ok(vec![1, 2]));
        assert_eq!(n_references(&references), VARIABLE_REFERENCES);
        assert_eq!(n_references(&references[..1]), 1);
        assert_eq!(n_references(&[vec!["a", "b"], vec!["c", ""]]), 2);
        let references = [vec![Some("a"), None]];
        let error = line_statistics(&hypotheses, &references, count);
        assert_eq!(error, Err(MetricError::LineWithoutReference { line: 2 }));
    }

    #[test]
    fn unequal_line_counts_are_refused() {
        let hypotheses = ["a".to_string()];
        let error = line_statistics(&hypotheses, &[vec!["a"], vec![]], count);
        assert_eq!(
            error,
            Err(MetricError::LineCount {
                reference: 2,
                expected: 1,
                found: 0
            })
        );
        assert_eq!(
            line_statistics::<&str, _, _>(&hypotheses, &[], count),
            Err(MetricError::NoReferences)
        );
        assert_eq!(
            line_statistics::<&str, _, _>(&[], &[vec![]], count),
            Err(MetricError::NoHypotheses)
        );
    }
}
