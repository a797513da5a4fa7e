//! What TER does to a line before it counts edits: lower-casing, and on request the normalisation of Tercom.

use std::sync::LazyLock;

use super::rules::{Rule, Spacing, apply_all};
use super::western;
use crate::ter::TerOptions;

static POSSESSIVE: LazyLock<Rule> = LazyLock::new(|| Rule::new("'s ", Spacing::Around));

/// Ideographs and strokes, radicals, compatibility forms, enclosed letters, then Asian and full-width punctuation.
///
/// sacreBLEU has three more patterns, for Hiragana and Katakana. They are anchored at the start of the line, where the
/// Western rules always leave a space, and so never apply.
static ASIAN: LazyLock<[Rule; 6]> = LazyLock::new(|| {
    [
        Rule::new(r"[\u{4e00}-\u{9fff}\u{3400}-\u{4dbf}]", Spacing::Around),
        Rule::new(r"[\u{31c0}-\u{31ef}\u{2e80}-\u{2eff}]", Spacing::Around),
        Rule::new(
            r"[\u{3300}-\u{33ff}\u{f900}-\u{faff}\u{fe30}-\u{fe4f}]",
            Spacing::Around,
        ),
        Rule::new(r"[\u{3200}-\u{3f22}]", Spacing::Around),
        Rule::new(
            r"[\u{3001}\u{3002}\u{3008}-\u{3011}\u{3014}-\u{301f}\u{ff61}-\u{ff65}\u{30fb}]",
            Spacing::Around,
        ),
        Rule::new(
            r"[\u{ff0e}\u{ff0c}\u{ff1f}\u{ff1a}\u{ff1b}\u{ff01}\u{ff02}\u{ff08}\u{ff09}]",
            Spacing::Around,
        ),
    ]
});

/// Puts white space between the words that TER compares.
pub(crate) fn tokenize(line: &str, options: &TerOptions) -> String {
    let mut line = if options.case_sensitive {
        line.to_string()
    } else {
        line.to_lowercase()
    };
    if options.normalized {
        line = normalize(&line);
        if options.asian_support {
            line = apply_all(&*ASIAN, &line);
        }
    }
    if options.no_punct {
        line.retain(|c| !is_punctuation(c));
        if options.asian_support {
            line.retain(|c| !is_asian_punctuation(c));
        }
    }
    line
}

/// The general and Western part. Unlike `13a` it joins lines at a hyphen that *follows* the line break, and cuts off
/// the possessive.
fn normalize(line: &str) -> String {
    let line = western::unescape(&line.replace("\n-", "").replace('\n', " "));
    let line = western::separate_symbols(&format!(" {line} "));
    western::separate_numbers(&POSSESSIVE.apply(&line))
}

fn is_punctuation(c: char) -> bool {
    matches!(c, '.' | ',' | '?' | ':' | ';' | '!' | '"' | '(' | ')')
}

fn is_asian_punctuation(c: char) -> bool {
    let asian =
        matches!(c, '、' | '。' | '\u{3008}'..='\u{3011}' | '\u{3014}'..='\u{301f}' | '\u{ff61}'..='\u{ff65}' | '・');
    let full_width = matches!(c, '．' | '，' | '？' | '：' | '；' | '！' | '＂' | '（' | '）');
    asian || full_width
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;

    fn tokens(line: &str, options: TerOptions) -> String {
        text::words(&tokenize(line, &options)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn by_default_only_the_case_changes() {
        assert_eq!(tokens("The MAN's  (hat).", TerOptions::default()), "the man's (hat).");
        let options = TerOptions {
            case_sensitive: true,
            ..TerOptions::default()
        };
        assert_eq!(tokens("The MAN", options), "The MAN");
    }

    #[test]
    fn normalisation_cuts_punctuation_and_possessives() {
        let options = TerOptions {
            normalized: true,
            ..TerOptions::default()
        };
        assert_eq!(tokens("The man's (hat), 3.5.", options), "the man 's ( hat ) , 3.5 .");
        assert_eq!(tokens("ab\n-cd &amp;", options), "abcd &");
    }

    #[test]
    fn punctuation_can_be_left_out() {
        let options = TerOptions {
            no_punct: true,
            ..TerOptions::default()
        };
        assert_eq!(tokens("Wait... (now) -- 3.5!", options), "wait now -- 35");
        let options = TerOptions {
            asian_support: true,
            ..options
        };
        assert_eq!(tokens("「はい」。，", options), "はい");
    }

    #[test]
    fn ideographs_are_split_on_request() {
        let options = TerOptions {
            normalized: true,
            asian_support: true,
            ..TerOptions::default()
        };
        assert_eq!(tokens("我喜欢。あい", options), "我 喜 欢 。 あい");
    }
}
