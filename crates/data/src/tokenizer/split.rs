//! A raw line as the words that BPE works within: no piece ever crosses their bounds.
//!
//! The rules are those of sub-word practice for text that nobody tokenised. A space belongs to the word behind it, and
//! a line is read as though a space stood before it, so that a word is the same word everywhere. Letters of one script
//! stand together, and apart from punctuation, digits and other scripts: the Python of "Python은" is that of "Python".
//! Every digit stands alone, which makes numbers easy to copy; punctuation stands in runs of one character. The words
//! of a line, joined, are the line again, byte for byte.

use unicode_normalization::char::is_combining_mark;

/// Longest word in characters. Scripts without spaces have whole clauses as words; nothing useful is longer.
const LONGEST_WORD: usize = 128;

/// The line as [`words`] wants it.
pub(super) fn with_leading_space(line: &str) -> String {
    let mut spaced = String::with_capacity(line.len() + 1);
    if !line.is_empty() {
        spaced.push(' ');
        spaced.push_str(line);
    }
    spaced
}

/// Undoes [`with_leading_space`].
pub(super) fn without_leading_space(line: &str) -> &str {
    line.strip_prefix(' ').unwrap_or(line)
}

/// The words of a line in order; joined they are the line.
pub(super) fn words(line: &str) -> Words<'_> {
    Words {
        rest: line,
        after_letter: false,
    }
}

pub(super) struct Words<'a> {
    rest: &'a str,
    /// Whether the last word ended in a letter: then an apostrophe can begin a contraction.
    after_letter: bool,
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let end = self.end_of_word()?;
        let (word, rest) = self.rest.split_at(end);
        self.after_letter = word
            .chars()
            .next_back()
            .is_some_and(|last| matches!(Class::of(last), Class::Letter(_)));
        self.rest = rest;
        Some(word)
    }
}

impl Words<'_> {
    /// Where the first word of the rest ends, in bytes; `None` at the end of the line.
    fn end_of_word(&self) -> Option<usize> {
        let first = self.rest.chars().next()?;
        if first != ' ' {
            return Some(self.contraction().unwrap_or_else(|| end_of_run(self.rest, first)));
        }
        let spaces = self.rest.bytes().take_while(|&byte| byte == b' ').count();
        match self.rest[spaces..].chars().next() {
            // The last space belongs to the word behind it; the spaces before that one are a word of their own.
            Some(next) if Class::of(next) != Class::White => {
                if spaces > 1 {
                    Some((spaces - 1).min(LONGEST_WORD))
                } else {
                    Some(1 + end_of_run(&self.rest[1..], next))
                }
            }
            _ => Some(spaces.min(LONGEST_WORD)),
        }
    }

    /// The length of an English contraction at the beginning of the rest, such as the `'s` of "it's".
    fn contraction(&self) -> Option<usize> {
        if !self.after_letter {
            return None;
        }
        let letters = self.rest.strip_prefix(['\'', '’'])?;
        let length = letters.bytes().take_while(u8::is_ascii_alphabetic).count();
        let known = ["s", "t", "d", "m", "re", "ve", "ll"]
            .iter()
            .any(|end| letters[..length].eq_ignore_ascii_case(end));
        let ends = letters[length..]
            .chars()
            .next()
            .is_none_or(|next| !matches!(Class::of(next), Class::Letter(_)));
        (known && ends).then(|| self.rest.len() - letters.len() + length)
    }
}

/// The length in bytes of the run at the beginning of `text`, which begins with `first`.
fn end_of_run(text: &str, first: char) -> usize {
    let class = Class::of(first);
    let belongs = |next: char| match class {
        Class::Letter(_) => Class::of(next) == class || joins(next),
        Class::Digit => joins(next),
        Class::White => next == first,
        Class::Other => next == first || joins(next),
    };
    text.char_indices()
        .enumerate()
        .skip(1)
        .find(|&(count, (_, next))| count == LONGEST_WORD || !belongs(next))
        .map_or(text.len(), |(_, (index, _))| index)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter(Script),
    Digit,
    White,
    Other,
}

/// As coarse as it can be: scripts that mix within a word in ordinary text are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Hangul,
    HanAndKana,
    Rest,
}

impl Class {
    fn of(character: char) -> Self {
        if character.is_ascii_alphabetic() {
            Class::Letter(Script::Rest)
        } else if character.is_whitespace() {
            Class::White
        } else if character.is_numeric() {
            Class::Digit
        } else if character.is_alphabetic() {
            Class::Letter(Script::of(character))
        } else {
            Class::Other
        }
    }
}

impl Script {
    fn of(letter: char) -> Self {
        match u32::from(letter) {
            0x1100..=0x11ff | 0x3130..=0x318f | 0xa960..=0xa97f | 0xac00..=0xd7ff | 0xffa0..=0xffdc => Script::Hangul,
            0x2e80..=0x30ff | 0x31f0..=0x31ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff => {
                Script::HanAndKana
            }
            0xff66..=0xff9f | 0x1b000..=0x1b16f | 0x20000..=0x3ffff => Script::HanAndKana,
            _ => Script::Rest,
        }
    }
}

/// Whether a character belongs to the one before it: combining marks, joiners, variation selectors, skin tones.
fn joins(character: char) -> bool {
    !character.is_ascii()
        && (is_combining_mark(character) || matches!(character, '\u{200c}' | '\u{200d}' | '\u{1f3fb}'..='\u{1f3ff}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Vec<&str> {
        words(line).collect()
    }

    #[test]
    fn a_space_belongs_to_the_word_behind_it() {
        assert_eq!(split(" Two men,  well."), [" Two", " men", ",", " ", " well", "."]);
        assert_eq!(split("a \t b  "), ["a", " ", "\t", " b", "  "]);
    }

    #[test]
    fn scripts_digits_and_punctuation_stand_apart() {
        assert_eq!(
            split(" Python은 3.12!!! ..."),
            [" Python", "은", " 3", ".", "1", "2", "!!!", " ..."]
        );
        assert_eq!(split("日本語のAPI"), ["日本語の", "API"]);
    }

    #[test]
    fn contractions_are_words() {
        assert_eq!(
            split(" it's 'so' don’t l'air"),
            [" it", "'s", " '", "so", "'", " don", "’t", " l", "'", "air"]
        );
    }

    #[test]
    fn marks_stay_with_their_letter() {
        assert_eq!(split("cafe\u{301} ❤\u{fe0f}"), ["cafe\u{301}", " ❤\u{fe0f}"]);
    }

    #[test]
    fn no_word_is_without_end() {
        let line = "x".repeat(1000);
        assert!(words(&line).all(|word| word.chars().count() <= LONGEST_WORD));
        assert_eq!(split(&line).concat(), line);
    }
}
