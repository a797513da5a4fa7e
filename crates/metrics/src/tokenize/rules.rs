//! Patterns that put spaces around what they match.

use regex::Regex;

/// Where the spaces go.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Spacing {
    /// `x` becomes ` x `.
    Around,
    /// The two characters `ab` become `a b `.
    AfterEach,
    /// The two characters `ab` become ` a b`.
    BeforeEach,
}

/// A pattern and what it does with a match.
#[derive(Debug)]
pub(crate) struct Rule {
    pattern: Regex,
    spacing: Spacing,
}

impl Rule {
    /// # Panics
    ///
    /// If the pattern is not a regular expression; patterns are constants of this crate.
    pub(crate) fn new(pattern: &str, spacing: Spacing) -> Self {
        let pattern = Regex::new(pattern).expect("the pattern is a constant");
        Self { pattern, spacing }
    }

    /// Treats all matches from left to right; a character belongs to one match only, as in `re.sub`.
    pub(crate) fn apply(&self, line: &str) -> String {
        let mut spaced = String::with_capacity(line.len() * 2);
        let mut rest = 0;
        for found in self.pattern.find_iter(line) {
            spaced.push_str(&line[rest..found.start()]);
            rest = found.end();
            let text = found.as_str();
            let second = text.char_indices().nth(1).map_or(text.len(), |(at, _)| at);
            let parts = match self.spacing {
                Spacing::Around => [" ", text, " ", ""],
                Spacing::AfterEach => [&text[..second], " ", &text[second..], " "],
                Spacing::BeforeEach => [" ", &text[..second], " ", &text[second..]],
            };
            spaced.extend(parts);
        }
        spaced.push_str(&line[rest..]);
        spaced
    }
}

/// Applies rules one after the other.
pub(crate) fn apply_all(rules: &[Rule], line: &str) -> String {
    rules.iter().fold(line.to_string(), |line, rule| rule.apply(&line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_go_where_they_should() {
        assert_eq!(Rule::new("x+", Spacing::Around).apply("axxb"), "a xx b");
        assert_eq!(Rule::new("[äb]x", Spacing::AfterEach).apply("äxbx"), "ä x b x ");
        assert_eq!(Rule::new("[äb]x", Spacing::BeforeEach).apply("äxbxc"), " ä x b xc");
    }

    #[test]
    fn matches_do_not_overlap() {
        assert_eq!(Rule::new("[^0-9][.]", Spacing::AfterEach).apply("a..."), "a . . . ");
        assert_eq!(Rule::new("[^0-9][.]", Spacing::AfterEach).apply("a.."), "a . .");
    }
}
