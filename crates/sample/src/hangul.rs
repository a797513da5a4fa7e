//! Hangul syllables taken apart and put together (The Unicode Standard, section 3.12).
//!
//! A precomposed syllable is `0xAC00 + (lead * 21 + vowel) * 28 + tail`; a tail of 0 is none. Everything here works on
//! precomposed syllables (NFC), so the corpus is NFC as well.

const FIRST: u32 = 0xac00;
const LAST: u32 = 0xd7a3;
const VOWELS: u32 = 21;
const TAILS: u32 = 28;

/// No final consonant.
pub const NONE: u32 = 0;
/// ㄴ as a final consonant.
pub const NIEUN: u32 = 4;
/// ㄷ as a final consonant.
pub const DIEUT: u32 = 7;
/// ㄹ as a final consonant.
pub const RIEUL: u32 = 8;
/// ㅂ as a final consonant.
pub const BIEUP: u32 = 17;
/// ㅆ as a final consonant.
pub const SSANG_SIOT: u32 = 20;

/// ㅏ.
pub const A: u32 = 0;
/// ㅐ.
pub const AE: u32 = 1;
/// ㅑ.
pub const YA: u32 = 2;
/// ㅒ.
pub const YAE: u32 = 3;
/// ㅓ.
pub const EO: u32 = 4;
/// ㅔ.
pub const E: u32 = 5;
/// ㅕ.
pub const YEO: u32 = 6;
/// ㅗ.
pub const O: u32 = 8;
/// ㅘ.
pub const WA: u32 = 9;
/// ㅜ.
pub const U: u32 = 13;
/// ㅝ.
pub const WO: u32 = 14;
/// ㅡ.
pub const EU: u32 = 18;
/// ㅣ.
pub const I: u32 = 20;

/// One syllable: its initial consonant, its vowel and its final consonant, as Unicode counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Syllable {
    pub lead: u32,
    pub vowel: u32,
    pub tail: u32,
}

impl Syllable {
    /// Takes a precomposed syllable apart; any other character has no parts.
    #[must_use]
    pub fn of(character: char) -> Option<Self> {
        let code = u32::from(character);
        if !(FIRST..=LAST).contains(&code) {
            return None;
        }
        let index = code - FIRST;
        Some(Self {
            lead: index / (VOWELS * TAILS),
            vowel: index / TAILS % VOWELS,
            tail: index % TAILS,
        })
    }

    /// The precomposed character.
    #[must_use]
    pub fn compose(self) -> char {
        char::from_u32(FIRST + (self.lead * VOWELS + self.vowel) * TAILS + self.tail)
            .unwrap_or(char::REPLACEMENT_CHARACTER)
    }
}

/// The last syllable of a word, where it ends in one.
#[must_use]
pub fn last(word: &str) -> Option<Syllable> {
    word.chars().next_back().and_then(Syllable::of)
}

/// The final consonant of a word; [`NONE`] where it ends in a vowel.
#[must_use]
pub fn tail(word: &str) -> u32 {
    last(word).map_or(NONE, |syllable| syllable.tail)
}

/// The word without its last character.
#[must_use]
pub fn without_last(word: &str) -> &str {
    word.char_indices().next_back().map_or("", |(start, _)| &word[..start])
}

/// The word with its last syllable changed; a word that ends in anything else stays as it is.
#[must_use]
pub fn map_last(word: &str, change: impl FnOnce(Syllable) -> Syllable) -> String {
    match last(word) {
        Some(syllable) => format!("{}{}", without_last(word), change(syllable).compose()),
        None => word.to_owned(),
    }
}

/// The word with another final consonant.
#[must_use]
pub fn with_tail(word: &str, tail: u32) -> String {
    map_last(word, |syllable| Syllable { tail, ..syllable })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syllable_has_three_parts() {
        assert_eq!(
            Syllable::of('한'),
            Some(Syllable {
                lead: 18,
                vowel: A,
                tail: NIEUN
            })
        );
        assert_eq!(
            Syllable::of('가'),
            Some(Syllable {
                lead: 0,
                vowel: A,
                tail: NONE
            })
        );
        assert_eq!(Syllable::of('a'), None);
        assert_eq!(Syllable::of('ㄱ'), None);
    }

    #[test]
    fn every_syllable_composes_to_itself() {
        for character in '가'..='힣' {
            assert_eq!(Syllable::of(character).map(Syllable::compose), Some(character));
        }
    }

    #[test]
    fn finals_are_exchanged() {
        assert_eq!(with_tail("가", SSANG_SIOT), "갔");
        assert_eq!(with_tail("듣", RIEUL), "들");
        assert_eq!(with_tail("돕", NONE), "도");
        assert_eq!(tail("연필"), RIEUL);
        assert_eq!(without_last("연필"), "연");
    }
}
