//! Notices text that was tokenised or lower-cased before scoring.
//!
//! Such a score cannot be compared with others, because the tokenizer belongs to the metric (Post 2018).

/// From this many lines that end in a tokenised full stop sacreBLEU warns.
const MANY_LINES: usize = 100;
/// Fewer lines say nothing about a whole text.
const FEW_LINES: usize = 10;

/// A warning, if these lines look tokenised, split into sub-words, or lower-cased; for scores with `13a` and the like.
/// Under [`BleuTokenizer::None`](crate::BleuTokenizer) tokenised text is what is wanted.
pub fn looks_processed<S: AsRef<str>>(lines: &[S]) -> Option<String> {
    let of = lines.len();
    let sub_words = lines.iter().filter(|line| has_sub_word_marks(line.as_ref())).count();
    if is_many(sub_words, of) {
        return Some(format!(
            "{sub_words} of {of} lines hold sub-word marks (`@@ ` or `▁`)\nhint: join the sub-words before scoring"
        ));
    }
    let tokenised = lines.iter().filter(|line| looks_tokenised(line.as_ref())).count();
    if is_many(tokenised, of) {
        return Some(format!(
            "{tokenised} of {of} lines look tokenised (such as ` .` at the end), which changes the score\n\
             hint: score detokenised text, or say `--tokenize none` if the tokens are meant, `--force` if the text is natural"
        ));
    }
    if of >= FEW_LINES && is_lower_cased(lines) {
        return Some(format!(
            "none of {of} lines has an upper-case letter, so the score is not that of natural text\n\
             hint: score text in its natural case, or say `--lowercase` if the case is not meant to count"
        ));
    }
    None
}

/// As many as make sacreBLEU warn, or a fifth of a smaller text.
fn is_many(count: usize, of: usize) -> bool {
    count >= MANY_LINES || (of >= FEW_LINES && count * 5 >= of)
}

fn looks_tokenised(line: &str) -> bool {
    line.ends_with(" .")
        || ["&apos;", "&quot;", " @-@ ", "&#91;"]
            .iter()
            .any(|mark| line.contains(mark))
}

fn has_sub_word_marks(line: &str) -> bool {
    line.contains("@@ ") || line.contains('▁')
}

/// Whether there are lower-case letters and no others; scripts without case do not count.
fn is_lower_cased<S: AsRef<str>>(lines: &[S]) -> bool {
    let mut letters = lines.iter().flat_map(|line| line.as_ref().chars());
    let with_lower = lines
        .iter()
        .filter(|line| line.as_ref().chars().any(char::is_lowercase))
        .count();
    with_lower * 2 >= lines.len() && !letters.any(char::is_uppercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(line: &str, count: usize) -> Option<String> {
        looks_processed(&vec![line.to_string(); count])
    }

    #[test]
    fn natural_text_passes() {
        assert_eq!(warning("Ein Mann schläft.", 1000), None);
        assert_eq!(warning("서울은 수도이다.", 1000), None);
        assert_eq!(looks_processed::<&str>(&[]), None);
        let mut lines = vec!["A man sleeps.".to_string(); 1000];
        lines[7] = "A man .".to_string();
        assert_eq!(looks_processed(&lines), None);
    }

    #[test]
    fn tokenised_text_is_noticed() {
        assert!(warning("A man sleeps .", 20).is_some_and(|text| text.contains("20 of 20 lines look tokenised")));
        assert!(warning("It &apos;s a man", 20).is_some());
        assert!(warning("A m@@ an sleeps.", 20).is_some_and(|text| text.contains("sub-word")));
        assert!(warning("▁A ▁man", 20).is_some());
    }

    #[test]
    fn lower_cased_text_is_noticed() {
        assert!(warning("ein mann schläft.", 20).is_some_and(|text| text.contains("upper-case")));
        assert_eq!(warning("ein mann schläft.", 3), None);
    }
}
