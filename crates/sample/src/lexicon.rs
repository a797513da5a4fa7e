//! The words: each English word with its Korean one, and what goes with what.
//!
//! Lists of words are strings with spaces between them ("book letter"), which read better than lists of references; a
//! test checks that each word of each list has an entry.

mod adjectives;
mod circumstances;
mod nouns;
mod verbs;

pub use adjectives::{ADJECTIVES, Adjective, OF_NAMES};
pub use circumstances::{
    ADDRESSES, Address, FREQUENCIES, Instrument, MANNERS, MEANS, PLACES, Place, RELATIONS, TIMES, TIMES_OF_CALENDAR,
    Time,
};
pub use nouns::{FALLING, MEASURES, Measure, NAMES, NOUNS, Noun, Role};
pub use verbs::{Flow, VERBS, Verb, WEATHER};

/// A pair of words that translate each other and never change.
#[derive(Debug)]
pub struct Fixed {
    pub english: &'static str,
    pub korean: &'static str,
}

/// Everybody who can do or be something.
pub const PEOPLE: &str =
    "student doctor nurse child woman man friend farmer singer writer chef painter girl boy teacher";

/// The words of a list.
pub fn words(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.split(' ').filter(|word| !word.is_empty())
}

/// The noun of an English word.
#[must_use]
pub fn noun(english: &str) -> Option<&'static Noun> {
    NOUNS.iter().find(|noun| noun.english == english)
}

/// The place of an English word.
#[must_use]
pub fn place(english: &str) -> Option<&'static Place> {
    PLACES.iter().find(|place| place.english == english)
}

/// The native Korean numerals as they stand before a counter; "one" to "ten", and "twenty".
pub static NUMERALS: [Fixed; 11] = [
    fixed("one", "한"),
    fixed("two", "두"),
    fixed("three", "세"),
    fixed("four", "네"),
    fixed("five", "다섯"),
    fixed("six", "여섯"),
    fixed("seven", "일곱"),
    fixed("eight", "여덟"),
    fixed("nine", "아홉"),
    fixed("ten", "열"),
    fixed("twenty", "스무"),
];

const fn fixed(english: &'static str, korean: &'static str) -> Fixed {
    Fixed { english, korean }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_listed_noun_has_an_entry() {
        let lists = VERBS
            .iter()
            .flat_map(|verb| [verb.subjects, verb.objects, verb.animals]);
        let lists = lists.chain(
            ADJECTIVES
                .iter()
                .flat_map(|adjective| [adjective.nouns, adjective.predicate_nouns]),
        );
        let lists = lists
            .chain(MEASURES.iter().map(|measure| measure.nouns))
            .chain(MEANS.iter().map(|means| means.verbs));
        let known: HashSet<&str> = NOUNS
            .iter()
            .map(|noun| noun.english)
            .chain(VERBS.iter().map(|verb| verb.english))
            .collect();
        let unknown: Vec<&str> = lists
            .flat_map(words)
            .filter(|word| *word != "-" && !known.contains(word))
            .collect();
        assert!(unknown.is_empty(), "no entry for {unknown:?}");
    }

    #[test]
    fn every_listed_place_has_an_entry() {
        let lists = VERBS.iter().flat_map(|verb| [verb.places, verb.goals]);
        let unknown: Vec<&str> = lists.flat_map(words).filter(|word| place(word).is_none()).collect();
        assert!(unknown.is_empty(), "no entry for {unknown:?}");
    }

    #[test]
    fn no_noun_is_listed_twice() {
        let mut seen = HashSet::new();
        assert!(NOUNS.iter().all(|noun| seen.insert(noun.english)));
    }
}
