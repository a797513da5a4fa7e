//! BLEU, chrF/chrF++ and TER, equal to sacreBLEU 2.6.0 down to the counts and the signature.
//!
//! # Layout
//!
//! | module | job |
//! |---|---|
//! | [`bleu`] | BLEU (Papineni et al. 2002): n-gram precisions and the brevity penalty |
//! | [`smoothing`] | what BLEU does with a precision of zero (Chen and Cherry 2014) |
//! | [`chrf`] | chrF and chrF++ (Popović 2015, 2017): character and word n-gram F-score |
//! | [`ter`] | TER (Snover et al. 2006): edits and block shifts per reference word |
//! | [`metric`] | any of the three, for reports and tests that treat them alike |
//! | [`rows`] | the counts of every line as numbers, so that any choice of lines is scored by adding |
//! | [`significance`] | how sure a score is, and whether one is better than another: bootstrap and approximate randomisation |
//! | `real` | the two precisions that scores are computed in |
//! | [`tokenize`] | the tokenizers that BLEU and TER share out of mteval and Tercom |
//! | [`corpus`] | lines beside their references, and the walk over them on all cores |
//! | [`ngram`] | counted n-grams and their clipped overlap |
//! | [`signature`] | the `key:value|…` line that makes a score comparable |
//! | [`warn`] | notices text that was tokenised or lower-cased before scoring |
//! | [`text`] | Python's idea of white space, on which every count rests |
//! | [`error`] | what can go wrong, in words |
//!
//! Every metric has the same shape: `statistics` of a sentence are plain counts that add up, `score` turns a sum of
//! them into a number, and `corpus` and `sentence` are these two in a row. A resampling test therefore needs the text
//! only once.
//!
//! ```
//! use ember_metrics::{Bleu, BleuOptions};
//!
//! let bleu = Bleu::new(BleuOptions::default());
//! let hypotheses = ["The cat sat on the mat.".to_string()];
//! let references = [vec!["The cat sat on a mat.".to_string()]];
//! let score = bleu.corpus(&hypotheses, &references)?;
//! assert_eq!(format!("{:.2}", score.score), "48.89");
//! assert_eq!(bleu.signature(1), "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0");
//! # Ok::<(), ember_metrics::MetricError>(())
//! ```
//!
//! # Known limits
//!
//! The Unicode tables are those of the Rust toolchain and of the `regex` crate. All characters up to Unicode 14 were
//! compared; one that entered later, such as U+20C1 of Unicode 17, may be classified differently by another version of
//! Python or of its `regex` package.
//!
//! Lines are scored as they are given. Readers of files commonly leave out a byte order mark at the start, as
//! `ember evaluate` does with a warning; sacreBLEU's command keeps it, as a part of the first word, and so comes to
//! another score.

pub mod bleu;
pub mod chrf;
pub mod corpus;
pub mod error;
pub mod metric;
pub mod ngram;
mod real;
pub mod rows;
pub mod signature;
pub mod significance;
pub mod smoothing;
pub mod ter;
pub mod text;
pub mod tokenize;
pub mod warn;

pub use bleu::{Bleu, BleuOptions, BleuScore, BleuStatistics};
pub use chrf::{Chrf, ChrfOptions, ChrfScore, ChrfStatistics};
pub use corpus::Reference;
pub use error::MetricError;
pub use metric::Metric;
pub use rows::Rows;
pub use signature::{SACREBLEU_VERSION, VARIABLE_REFERENCES};
pub use significance::{Confidence, Interval, PairedTest, SystemResult, TestKind};
pub use smoothing::Smoothing;
pub use ter::{Ter, TerOptions, TerScore, TerStatistics};
pub use tokenize::BleuTokenizer;
pub use warn::looks_processed;
