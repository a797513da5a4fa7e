//! Python's idea of white space.
//!
//! sacreBLEU splits with `str.split()`. Its white space is Unicode's, as in Rust, and in addition the four information
//! separators U+001C to U+001F.

/// Whether Python's `str.isspace` holds for this character.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// The words between runs of white space, as `str.split()` yields them.
pub fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(is_space).filter(|word| !word.is_empty())
}

/// `str.rstrip()`.
pub fn trim_end(line: &str) -> &str {
    line.trim_end_matches(is_space)
}

/// `str.strip()`.
pub fn trim(line: &str) -> &str {
    line.trim_matches(is_space)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_where_python_splits() {
        let line = "\u{1c}a\u{1d}b\u{a0}c\u{2028}\u{3000}d\u{85}e\u{200b}f\u{feff}\u{1f}";
        assert_eq!(
            words(line).collect::<Vec<_>>(),
            ["a", "b", "c", "d", "e\u{200b}f\u{feff}"]
        );
        assert_eq!(words(" \t ").count(), 0);
    }

    #[test]
    fn trims_the_information_separators() {
        assert_eq!(trim_end(" a \u{1e}\n"), " a");
        assert_eq!(trim("\u{1c} a \u{85}"), "a");
    }
}
