//! Whether one system is better than another: their scores on the same lines, and what chance makes of the difference.

use std::time::Instant;

use ember_metrics::corpus::n_references;
use ember_metrics::{Metric, MetricError, PairedTest, Reference, Rows, SystemResult, TestKind};
use serde::Serialize;

use crate::evaluate::{ScoreOptions, warnings};

/// From this p value on a difference may well be chance.
pub const SIGNIFICANCE_LEVEL: f64 = 0.05;

/// A system's name and its translations.
pub type System = (String, Vec<String>);

/// What a test says of some systems.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// Lines compared.
    pub lines: usize,
    /// Seconds for scoring and resampling.
    pub seconds: f64,
    /// How chance was imitated.
    pub test: TestKind,
    /// Resamples, or trials.
    pub samples: usize,
    /// Where the random numbers started.
    pub seed: u64,
    /// The first system, to which the others are compared.
    pub baseline: String,
    /// In the order that was asked for.
    pub metrics: Vec<MetricComparison>,
    /// Signs that a text was tokenised or lower-cased before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// One metric of all systems.
#[derive(Debug, Clone, Serialize)]
pub struct MetricComparison {
    /// As sacreBLEU names it.
    pub name: String,
    /// sacreBLEU's signature, the test included.
    pub signature: String,
    /// False for TER, which counts errors.
    pub higher_is_better: bool,
    /// The baseline first.
    pub systems: Vec<SystemComparison>,
}

/// A system's score and how it stands to the baseline.
#[derive(Debug, Clone, Serialize)]
pub struct SystemComparison {
    /// The system.
    pub name: String,
    /// Of the text itself.
    pub score: f64,
    /// Mean score of the resamples; of the bootstrap only, like the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// Half the width of the interval that holds 95 % of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// What the baseline does not have.
    #[serde(flatten)]
    pub against_baseline: Option<AgainstBaseline>,
}

/// How a system stands to the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AgainstBaseline {
    /// Its score less the baseline's.
    pub difference: f64,
    /// How often chance makes a larger difference between systems that are equally good.
    pub p_value: f64,
    /// Whether that is below [`SIGNIFICANCE_LEVEL`].
    pub significant: bool,
    /// Whether its score is the better one, by chance or not.
    pub better: bool,
}

/// Compares systems with the first one; `references[r][line]`.
///
/// # Errors
/// When the numbers of lines differ, or a line has no reference.
///
/// # Panics
/// Without a system or a sample.
pub fn compare<R: Reference>(
    systems: &[System],
    references: &[Vec<R>],
    options: &ScoreOptions,
    test: &PairedTest,
) -> Result<Comparison, MetricError> {
    let started = Instant::now();
    let metrics = options.metrics().map(|metric| {
        let rows = systems.iter().map(|(_, text)| metric.rows(text, references));
        let rows = rows.collect::<Result<Vec<Rows>, _>>()?;
        Ok(MetricComparison {
            name: metric.name(),
            signature: test.signature(&metric, n_references(references)),
            higher_is_better: metric.higher_is_better(),
            systems: stand(&metric, systems, &test.run(&metric, &rows)),
        })
    });
    let metrics = metrics.collect::<Result<Vec<_>, MetricError>>()?;
    let mut suspicious = systems.iter().map(|(_, text)| warnings(text, references, options));
    Ok(Comparison {
        lines: systems[0].1.len(),
        seconds: started.elapsed().as_secs_f64(),
        test: test.kind,
        samples: test.samples,
        seed: test.seed,
        baseline: systems[0].0.clone(),
        metrics,
        warnings: suspicious.find(|all| !all.is_empty()).unwrap_or_default(),
    })
}

/// How every system stands to the first one.
fn stand(metric: &Metric, systems: &[System], results: &[SystemResult]) -> Vec<SystemComparison> {
    let baseline = results[0].score;
    let against_baseline = |score: f64, p_value: f64| AgainstBaseline {
        difference: score - baseline,
        p_value,
        significant: p_value < SIGNIFICANCE_LEVEL && score != baseline,
        better: (score > baseline) == metric.higher_is_better() && score != baseline,
    };
    let system = |(result, (name, _)): (&SystemResult, &System)| SystemComparison {
        name: name.clone(),
        score: result.score,
        mean: result.interval.map(|interval| interval.mean),
        confidence: result.interval.map(|interval| interval.half_width),
        against_baseline: result.p_value.map(|p_value| against_baseline(result.score, p_value)),
    };
    results.iter().zip(systems).map(system).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(name: &str, line: impl Fn(usize) -> String) -> System {
        (name.to_owned(), (0..40).map(line).collect())
    }

    #[test]
    fn better_means_less_where_errors_are_counted() {
        let (_, reference) = system("reference", |i| format!("word{i} and some more text here"));
        let systems = [
            system("bad", |i| format!("word{i} no other words there")),
            system("good", |i| format!("word{i} and some more words here")),
        ];
        let test = PairedTest {
            kind: TestKind::Bootstrap,
            samples: 100,
            seed: 1,
        };
        let comparison = compare(&systems, &[reference], &ScoreOptions::default(), &test).unwrap();
        assert_eq!((comparison.lines, comparison.baseline.as_str()), (40, "bad"));
        for metric in &comparison.metrics {
            assert_eq!(metric.systems[0].against_baseline, None);
            let good = metric.systems[1].against_baseline.unwrap();
            assert!(good.better && good.significant, "{metric:?}");
            assert_eq!(good.difference > 0.0, metric.higher_is_better);
        }
        let json = serde_json::to_value(&comparison).unwrap();
        assert_eq!(json["test"], "bootstrap");
        assert_eq!(json["metrics"][0]["systems"][1]["p_value"], 1.0 / 101.0);
        assert!(json["metrics"][0]["systems"][0].get("p_value").is_none());
    }

    #[test]
    fn equal_texts_are_neither_better_nor_significant() {
        let (_, reference) = system("reference", |i| format!("word{i} and some more text here"));
        let systems = ["one", "other"].map(|name| system(name, |i| format!("word{i} and text")));
        let test = PairedTest {
            kind: TestKind::Randomisation,
            samples: 100,
            seed: 1,
        };
        let comparison = compare(&systems, &[reference], &ScoreOptions::default(), &test).unwrap();
        for metric in &comparison.metrics {
            let other = metric.systems[1].against_baseline.unwrap();
            assert_eq!((other.difference, other.significant, other.better), (0.0, false, false));
            assert_eq!(metric.systems[1].mean, None);
        }
    }
}
