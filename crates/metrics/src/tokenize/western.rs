//! `13a`: NIST's `mteval-v13a`, the tokenization behind the scores of WMT.

use std::sync::LazyLock;

use super::rules::{Rule, Spacing, apply_all};

/// ASCII punctuation and the space, without `'`, `,`, `-` and `.`.
static SYMBOL: LazyLock<Rule> = LazyLock::new(|| Rule::new(r"[ -&(-+/:-@\[-`{-~]", Spacing::Around));

static NUMBERS_KEEP_THEIR_POINT: LazyLock<[Rule; 3]> = LazyLock::new(|| {
    [
        Rule::new(r"[^0-9][.,]", Spacing::AfterEach),
        Rule::new(r"[.,][^0-9]", Spacing::BeforeEach),
        Rule::new(r"[0-9]-", Spacing::AfterEach),
    ]
});

/// The whole of `13a`: markup of the NIST files, then the Western rules on the line with a space at either end, so that
/// a full stop at the end is cut off even after a digit.
pub(super) fn tokenize(line: &str) -> String {
    let mut line = line.replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    if line.contains('&') {
        line = unescape(&line);
    }
    separate(&format!(" {line} "))
}

/// Undoes the four XML escapes in this order: `&amp;lt;` becomes `<`.
pub(super) fn unescape(line: &str) -> String {
    line.replace("&quot;", "\"")
        .replace("&amp;", "&")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
}

/// The rules for Western languages.
pub(super) fn separate(line: &str) -> String {
    separate_numbers(&separate_symbols(line))
}

/// Spaces around ASCII punctuation that is never part of a number or word.
pub(super) fn separate_symbols(line: &str) -> String {
    SYMBOL.apply(line)
}

/// Spaces around full stops and commas unless between digits, and around a hyphen after a digit.
pub(super) fn separate_numbers(line: &str) -> String {
    apply_all(&*NUMBERS_KEEP_THEIR_POINT, line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;

    fn tokens(line: &str) -> String {
        text::words(&tokenize(line)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn numbers_keep_their_point() {
        assert_eq!(tokens("In 1984, 3.5% of 1,000."), "In 1984 , 3.5 % of 1,000 .");
        assert_eq!(tokens("10-20 x-y .5 5."), "10 - 20 x-y . 5 5 .");
    }

    #[test]
    fn words_keep_apostrophes_and_hyphens() {
        assert_eq!(tokens("It's a \"well-known\" fact!"), "It's a \" well-known \" fact !");
    }

    #[test]
    fn markup_is_undone_first() {
        assert_eq!(tokens("a &amp;lt; b&quot;<skipped>c"), "a < b \" c");
        assert_eq!(tokens("well-\nknown\nfact"), "wellknown fact");
    }

    #[test]
    fn other_scripts_are_left_alone() {
        assert_eq!(tokens("„Größe“ — ja…"), "„Größe“ — ja…");
        assert_eq!(tokens("수도이다. 。"), "수도이다 . 。");
    }
}
