//! `intl`: `mteval-v14` with its Unicode classes.

use std::sync::LazyLock;

use super::rules::{Rule, Spacing, apply_all};

static RULES: LazyLock<[Rule; 3]> = LazyLock::new(|| {
    [
        Rule::new(r"\P{N}\p{P}", Spacing::AfterEach),
        Rule::new(r"\p{P}\P{N}", Spacing::BeforeEach),
        Rule::new(r"\p{S}", Spacing::Around),
    ]
});

/// Cuts off punctuation that does not stand between numbers, and every symbol.
///
/// A full stop after a number at the very end stays with it, since no character follows: `mteval-v14` has this flaw,
/// and so must everything that wants the same score.
pub(super) fn tokenize(line: &str) -> String {
    apply_all(&*RULES, line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;

    fn tokens(line: &str) -> String {
        text::words(&tokenize(line)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn punctuation_of_all_scripts_is_separated() {
        assert_eq!(tokens("„Größe“: 3,5€—gut。"), "„ Größe “ : 3,5 € — gut 。");
        assert_eq!(tokens("x-y 10-20 a+b"), "x - y 10-20 a + b");
    }

    #[test]
    fn a_number_at_the_end_keeps_its_full_stop() {
        assert_eq!(tokens("since 1984."), "since 1984.");
        assert_eq!(tokens("since then."), "since then .");
    }
}
