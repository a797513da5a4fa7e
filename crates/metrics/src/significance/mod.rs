//! How sure is a score, and is one system really better than another? Two tests over the same lines.
//!
//! | module | job |
//! |---|---|
//! | `bootstrap` | bootstrap resampling (Koehn 2004), of one system or paired: lines drawn with replacement |
//! | `randomisation` | paired approximate randomisation (Riezler and Maxwell 2005): lines swapped between two systems |
//! | `random` | the random numbers that NumPy draws, so that sacreBLEU's results come out |
//!
//! Philipp Koehn, "Statistical Significance Tests for Machine Translation Evaluation", EMNLP 2004. Stefan Riezler and
//! John T. Maxwell III, "On Some Pitfalls in Automatic Evaluation and Significance Testing for MT", ACL 2005 Workshop.
//!
//! Scores, means, intervals and p values equal those of sacreBLEU 2.6.0 with NumPy 2. All systems see the same resamples.
//! The text is counted once; each resample is a sum of rows, on all cores, with the same bits on any number of them.
//!
//! # Known differences
//!
//! Where sacreBLEU's randomisation adds a `k` below one to integers, the `k` is lost; here it counts. With three or more
//! references TER's mean lengths are no whole numbers: in randomisation, sums that ought to be equal are so here, and
//! nearly so there, where a trial that repeats the real difference may count as a larger one.

mod bootstrap;
mod random;
mod randomisation;

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Metric, MetricError, Rows};

/// How chance is imitated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TestKind {
    /// Test sets of the same size are drawn from the lines, with replacement.
    Bootstrap,
    /// Each line's two translations change places or do not.
    Randomisation,
}

/// A test of systems against a baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairedTest {
    /// How chance is imitated.
    pub kind: TestKind,
    /// Resamples, or trials.
    pub samples: usize,
    /// Where the random numbers start.
    pub seed: u64,
}

/// How sure the score of one system is: what it has on test sets of the same size, drawn from its lines with
/// replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confidence {
    /// Resamples.
    pub samples: usize,
    /// Where the random numbers start.
    pub seed: u64,
}

/// What a test says of a system.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SystemResult {
    /// The score of the text itself.
    pub score: f64,
    /// Mean score and half the width of its 95 % confidence interval over the resamples; of the bootstrap only.
    pub interval: Option<Interval>,
    /// How often chance makes a difference larger than the one to the baseline; none for the baseline.
    pub p_value: Option<f64>,
}

/// Where the score would lie on other lines of the same kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Mean over the resamples.
    pub mean: f64,
    /// Half the width of the interval that holds 95 % of them.
    pub half_width: f64,
}

impl TestKind {
    /// sacreBLEU's number of samples: 1000 for the bootstrap, 10000 for randomisation.
    pub fn default_samples(self) -> usize {
        match self {
            Self::Bootstrap => 1000,
            Self::Randomisation => 10_000,
        }
    }
}

impl FromStr for TestKind {
    type Err = MetricError;

    fn from_str(name: &str) -> Result<Self, MetricError> {
        match name {
            "bootstrap" | "bs" => Ok(Self::Bootstrap),
            "randomisation" | "randomization" | "ar" => Ok(Self::Randomisation),
            _ => Err(MetricError::UnknownTest { name: name.to_string() }),
        }
    }
}

impl Confidence {
    /// The interval that holds 95 % of the scores of resampled lines.
    ///
    /// # Panics
    ///
    /// Without a sample or a line.
    pub fn interval(&self, metric: &Metric, rows: &Rows) -> Interval {
        assert!(
            self.samples > 0 && !rows.is_empty(),
            "an interval needs samples and lines"
        );
        bootstrap::of_one(self, metric, rows)
    }

    /// The metric's signature with the samples and the seed: `nrefs:1|bs:1000|seed:12345|case:mixed|…`.
    pub fn signature(&self, metric: &Metric, n_references: usize) -> String {
        signature(metric, n_references, TestKind::Bootstrap, self.samples, self.seed)
    }
}

impl PairedTest {
    /// sacreBLEU's seed.
    pub const DEFAULT_SEED: u64 = 12345;

    /// Tests every system against the first one. All rows are of the metric and of the same lines.
    ///
    /// # Panics
    ///
    /// Without samples, systems or lines, or where the systems differ in their numbers of lines.
    pub fn run(&self, metric: &Metric, systems: &[Rows]) -> Vec<SystemResult> {
        assert!(self.samples > 0, "a test needs a sample");
        let baseline = systems.first().expect("a test needs a baseline");
        assert!(!baseline.is_empty(), "a test needs a line");
        assert!(
            systems.iter().all(|rows| rows.len() == baseline.len()),
            "the systems translate the same lines"
        );
        match self.kind {
            TestKind::Bootstrap => bootstrap::run(self, metric, systems),
            TestKind::Randomisation => randomisation::run(self, metric, systems),
        }
    }

    /// The metric's signature with the samples and the seed, where sacreBLEU puts them:
    /// `nrefs:1|bs:1000|seed:12345|case:mixed|…`.
    pub fn signature(&self, metric: &Metric, n_references: usize) -> String {
        signature(metric, n_references, self.kind, self.samples, self.seed)
    }
}

fn signature(metric: &Metric, n_references: usize, kind: TestKind, samples: usize, seed: u64) -> String {
    let kind = match kind {
        TestKind::Bootstrap => "bs",
        TestKind::Randomisation => "ar",
    };
    let own = metric.signature(n_references);
    let (references, options) = own.split_once('|').unwrap_or((&own, ""));
    format!("{references}|{kind}:{samples}|seed:{seed}|{options}")
}

/// The share of samples beyond the real difference, where the real one counts as a sample too, so that p is never zero
/// (William Morgan's correction, as in MultEval).
fn p_value(beyond: usize, samples: usize) -> f64 {
    (beyond + 1) as f64 / (samples + 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bleu, BleuOptions, Ter, TerOptions};

    const KINDS: [TestKind; 2] = [TestKind::Bootstrap, TestKind::Randomisation];

    fn test(kind: TestKind) -> PairedTest {
        PairedTest {
            kind,
            samples: 200,
            seed: PairedTest::DEFAULT_SEED,
        }
    }

    /// TER rows: `wrong(line)` edits in ten words.
    fn rows(wrong: impl Fn(usize) -> usize) -> Rows {
        Rows::new(2, (0..50).map(|line| vec![wrong(line) as f64, 10.0]))
    }

    #[test]
    fn a_clear_difference_is_no_chance_and_a_small_one_may_be() {
        let ter = Metric::Ter(Ter::new(TerOptions::default()));
        let systems = [
            rows(|line| 4 + line % 3),
            rows(|line| 1 + line % 2),
            rows(|line| 4 + (line + 1) % 3),
        ];
        for kind in KINDS {
            let results = test(kind).run(&ter, &systems);
            assert_eq!(results[0].p_value, None);
            assert_eq!(results[1].p_value, Some(1.0 / 201.0), "{kind:?}");
            assert!(results[2].p_value.is_some_and(|p| p > 0.3), "{kind:?} {results:?}");
            assert_eq!(results[1].score, 15.0);
        }
    }

    #[test]
    fn a_system_does_not_differ_from_itself() {
        let ter = Metric::Ter(Ter::new(TerOptions::default()));
        let same = rows(|line| line % 5);
        for kind in KINDS {
            let results = test(kind).run(&ter, &[same.clone(), same.clone()]);
            assert_eq!(results[0].interval, results[1].interval);
            // No resample differs by more than nothing, and only the real difference is counted.
            assert_eq!(results[1].p_value, Some(1.0 / 201.0));
        }
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let ter = Metric::Ter(Ter::new(TerOptions::default()));
        let systems = [rows(|line| line % 7), rows(|line| line % 6), rows(|line| line % 5)];
        for kind in KINDS {
            let in_pool = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| test(kind).run(&ter, &systems))
            };
            assert_eq!(in_pool(1), in_pool(3));
        }
    }

    #[test]
    fn one_system_has_the_interval_that_it_has_among_others() {
        let ter = Metric::Ter(Ter::new(TerOptions::default()));
        let systems = [rows(|line| line % 7), rows(|line| line % 6)];
        let paired = test(TestKind::Bootstrap).run(&ter, &systems)[1].interval.unwrap();
        let confidence = Confidence {
            samples: 200,
            seed: PairedTest::DEFAULT_SEED,
        };
        let alone = confidence.interval(&ter, &systems[1]);
        // The means are summed in other ways.
        assert_eq!(alone.half_width, paired.half_width);
        assert!((alone.mean - paired.mean).abs() < 1e-5, "{alone:?} {paired:?}");
        assert_eq!(
            confidence.signature(&ter, 1),
            test(TestKind::Bootstrap).signature(&ter, 1)
        );
    }

    #[test]
    fn another_seed_is_another_sample() {
        let ter = Metric::Ter(Ter::new(TerOptions::default()));
        let systems = [rows(|line| line % 7), rows(|line| line % 6)];
        let interval = |seed: u64| {
            let test = PairedTest {
                seed,
                ..test(TestKind::Bootstrap)
            };
            test.run(&ter, &systems)[1].interval.unwrap()
        };
        assert_eq!(interval(3), interval(3));
        assert_ne!(interval(3), interval(4));
    }

    #[test]
    fn signatures_state_the_test() {
        let bleu = Metric::Bleu(Bleu::new(BleuOptions::default()));
        let expected = "nrefs:2|bs:200|seed:12345|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0";
        assert_eq!(test(TestKind::Bootstrap).signature(&bleu, 2), expected);
        assert!(
            test(TestKind::Randomisation)
                .signature(&bleu, 1)
                .starts_with("nrefs:1|ar:200|seed:12345|case:")
        );
    }

    #[test]
    fn tests_have_names() {
        assert_eq!("bootstrap".parse(), Ok(TestKind::Bootstrap));
        assert_eq!("randomization".parse(), Ok(TestKind::Randomisation));
        let error = "t-test".parse::<TestKind>().unwrap_err().to_string();
        assert_eq!(error, "test `t-test` is unknown\nhint: one of bootstrap, randomisation");
    }
}
