//! Lines that are longer than a model has seen are cut at sentence ends, else clause ends, else spaces, else anywhere.

/// Where a text may be cut, best kind first.
const CUTS: [fn(&str) -> Vec<&str>; 4] = [sentences, clauses, words, characters];

/// Cuts `text` into parts that `fits` accepts, in order and without loss: joined they are `text` again. Neighbours stay
/// together as long as they fit.
///
/// A part that cannot be cut further (a single character) is kept even if it does not fit.
pub fn split_to_fit<'a>(text: &'a str, fits: &dyn Fn(&str) -> bool) -> Vec<&'a str> {
    split_with(text, &CUTS, fits)
}

fn split_with<'a>(text: &'a str, cuts: &[fn(&str) -> Vec<&str>], fits: &dyn Fn(&str) -> bool) -> Vec<&'a str> {
    let Some((cut, finer)) = cuts.split_first().filter(|_| !fits(text)) else {
        return vec![text];
    };
    let mut parts = Vec::new();
    let mut start = 0;
    let mut end = 0;
    for piece in cut(text) {
        let longer = end + piece.len();
        if !fits(&text[start..longer]) {
            if start < end {
                parts.extend(split_with(&text[start..end], finer, fits));
            }
            start = end;
        }
        end = longer;
    }
    if start < end {
        parts.extend(split_with(&text[start..end], finer, fits));
    }
    parts
}

fn sentences(text: &str) -> Vec<&str> {
    cut_behind(text, |mark, next| match mark {
        '。' | '！' | '？' | '…' => true,
        '.' | '!' | '?' => next.is_none_or(char::is_whitespace),
        _ => false,
    })
}

fn clauses(text: &str) -> Vec<&str> {
    cut_behind(text, |mark, next| match mark {
        '、' | '，' | '；' | '：' => true,
        ',' | ';' | ':' | '–' | '—' => next.is_none_or(char::is_whitespace),
        _ => false,
    })
}

fn words(text: &str) -> Vec<&str> {
    text.split_inclusive(char::is_whitespace).collect()
}

fn characters(text: &str) -> Vec<&str> {
    text.char_indices()
        .map(|(place, character)| &text[place..place + character.len_utf8()])
        .collect()
}

/// Cuts behind each mark that `ends` accepts (given the character that follows) and the white space behind it.
fn cut_behind(text: &str, ends: impl Fn(char, Option<char>) -> bool) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut ended = false;
    let mut characters = text.char_indices().peekable();
    while let Some((place, character)) = characters.next() {
        if ended && !character.is_whitespace() {
            parts.push(&text[start..place]);
            start = place;
            ended = false;
        }
        ended |= ends(character, characters.peek().map(|(_, next)| *next));
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(text: &str, limit: usize) -> Vec<&str> {
        split_to_fit(text, &|part| part.chars().count() <= limit)
    }

    #[test]
    fn what_fits_is_left_alone() {
        assert_eq!(split("One. Two.", 100), ["One. Two."]);
    }

    #[test]
    fn sentences_come_before_clauses_before_words() {
        assert_eq!(
            split("One is 1. Two is 2. Three.", 20),
            ["One is 1. Two is 2. ", "Three."]
        );
        assert_eq!(
            split("As one, as two, as three", 12),
            ["As one, ", "as two, ", "as three"]
        );
        assert_eq!(split("one two three", 8), ["one two ", "three"]);
        assert_eq!(split("abcdefg", 3), ["abc", "def", "g"]);
        assert_eq!(
            split("Version 1.25 is out. Yes.", 21),
            ["Version 1.25 is out. ", "Yes."]
        );
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_everything_fits(text in "[a-c.,。 é]{0,60}", limit in 1usize..20) {
            let parts = split(&text, limit);
            prop_assert_eq!(parts.concat(), &*text);
            prop_assert!(parts.iter().all(|part| part.chars().count() <= limit));
        }
    }
}
