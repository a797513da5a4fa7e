//! What can go wrong, with the value, the limit and a hint.

/// Why text could not be scored, or an option not be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetricError {
    /// The hypotheses are empty, so there is nothing to average over.
    #[error("there is no hypothesis to score: 0 lines")]
    NoHypotheses,
    /// Not a single reference was handed in.
    #[error("there is no reference to score against\nhint: give at least one reference with a line per hypothesis")]
    NoReferences,
    /// A reference is shorter or longer than the hypotheses.
    #[error(
        "reference {reference} has {found} lines, the hypotheses have {expected}\n\
         hint: line i of a reference must translate the same sentence as line i of the hypotheses; \
         look for a line that is missing or broken in two"
    )]
    LineCount {
        /// Which reference, counted from 1.
        reference: usize,
        /// Lines of the hypotheses.
        expected: usize,
        /// Lines of this reference.
        found: usize,
    },
    /// All references of one line are missing.
    #[error("line {line} has no reference at all\nhint: an empty reference is a reference, a missing one is not")]
    LineWithoutReference {
        /// The line, counted from 1.
        line: usize,
    },
    /// A tokenizer nobody knows.
    #[error("tokenizer `{name}` is unknown\nhint: one of {}", crate::tokenize::NAMES.join(", "))]
    UnknownTokenizer {
        /// What was asked for.
        name: String,
    },
    /// A tokenizer of sacreBLEU that needs a dictionary or a model.
    #[error(
        "tokenizer `{name}` needs {needs}, which is not built in\nhint: {instead}; or score text that was cut into \
         these tokens beforehand with `none`"
    )]
    UnsupportedTokenizer {
        /// What was asked for.
        name: String,
        /// What it would take.
        needs: &'static str,
        /// What comes nearest.
        instead: &'static str,
    },
    /// A significance test nobody knows.
    #[error("test `{name}` is unknown\nhint: one of bootstrap, randomisation")]
    UnknownTest {
        /// What was asked for.
        name: String,
    },
    /// A smoothing nobody knows.
    #[error("smoothing `{text}` is unknown\nhint: one of exp, none, floor, floor[0.1], add-k, add-k[1]")]
    UnknownSmoothing {
        /// What was asked for.
        text: String,
    },
}
