//! Draws sentences at random: first what is said, then both languages from it.

mod acts;
mod phrases;
mod states;

use crate::clause::{Clause, Ending, Mode, Question};
use crate::english::capitalized;
use crate::korean::Style;
use crate::lexicon::{ADDRESSES, Address};
use crate::random::Random;

/// Two words that stand in a relation: verb and object, adjective and noun, or subject and verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Combination(pub &'static str, pub &'static str);

/// A sentence in both languages and the combinations in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    pub english: String,
    pub korean: String,
    pub combinations: Vec<Combination>,
}

/// A stream of sentences.
#[derive(Debug)]
pub struct Grammar {
    random: Random,
    /// The nouns, names and places of the sentence so far: none comes twice.
    used: Vec<&'static str>,
    /// A sentence has one relative clause at most.
    has_relative: bool,
    combinations: Vec<Combination>,
}

/// A sentence of more than one clause.
#[derive(Debug, Clone, Copy)]
enum Joined {
    And,
    But,
    Because,
    When,
    If,
}

impl Iterator for Grammar {
    type Item = Pair;

    fn next(&mut self) -> Option<Pair> {
        Some(self.pair())
    }
}

impl Grammar {
    /// The stream of one seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            used: Vec::new(),
            has_relative: false,
            combinations: Vec::new(),
        }
    }

    /// The next sentence; sentences may come again.
    pub fn pair(&mut self) -> Pair {
        loop {
            self.used.clear();
            self.combinations.clear();
            self.has_relative = false;
            let address = if self.random.chance(50) {
                Some(self.random.pick(&ADDRESSES))
            } else {
                None
            };
            let style = address.map_or(Style::Plain, |address| address.style);
            if address.is_some_and(|address| address.korean == "선생님") {
                // 선생님 is the address already, so nobody else is called that.
                self.used.push("teacher");
            }
            let (english, korean) = self.sentence(address, style);
            if !(4..=18).contains(&english.split(' ').count()) {
                continue;
            }
            let (english, korean) = match address {
                Some(address) => (
                    format!("{}, {english}", address.english),
                    format!("{}, {korean}", address.korean),
                ),
                None => (capitalized(&english), korean),
            };
            return Pair {
                english,
                korean,
                combinations: self.combinations.clone(),
            };
        }
    }

    fn sentence(&mut self, address: Option<&Address>, style: Style) -> (String, String) {
        if self.random.chance(13) {
            return self.joined(style);
        }
        if address.is_some_and(|address| address.asked) && self.random.chance(30) {
            let (clause, question) = self.question();
            return (
                format!("{}?", clause.english_question(question)),
                format!("{}?", clause.korean(style, Ending::Question(question))),
            );
        }
        let clause = self.simple();
        (
            format!("{}.", clause.english()),
            format!("{}.", clause.korean(style, Ending::Statement)),
        )
    }

    fn simple(&mut self) -> Clause {
        match self
            .random
            .weighted(&[(62, 0), (15, 1), (6, 2), (5, 3), (10, 4), (2, 5)])
        {
            0 => self.act(),
            1 => self.quality(),
            2 => self.identity(),
            3 => self.location(),
            4 => self.existence(),
            _ => self.weather(None),
        }
    }

    fn question(&mut self) -> (Clause, Question) {
        match self.random.weighted(&[(55, 0), (18, 1), (15, 2), (12, 3)]) {
            0 => loop {
                let mut clause = self.simple();
                clause.negative = false;
                clause.circumstances.front = None;
                // "Do I ...?" and "Must she ...?" are nothing that one asks.
                if !clause.subject.is_speaker() && clause.mode != Mode::Must {
                    return (clause, Question::YesNo);
                }
                self.forget();
            },
            1 => (self.asks_what(), Question::What),
            2 => (self.asks_where(), Question::Where),
            _ => (self.asks_who(), Question::Who),
        }
    }

    /// Starts the sentence again.
    fn forget(&mut self) {
        self.used.retain(|word| *word == "teacher");
        self.combinations.clear();
        self.has_relative = false;
    }

    fn joined(&mut self, style: Style) -> (String, String) {
        // The clauses are short enough as they are.
        self.has_relative = true;
        let kind = self.random.weighted(&[
            (30, Joined::And),
            (20, Joined::But),
            (20, Joined::Because),
            (15, Joined::When),
            (15, Joined::If),
        ]);
        let (first, second, word, ending) = match kind {
            Joined::And => {
                let mode = self.shared_mode();
                (
                    self.short_act(mode, false),
                    self.short_act(mode, false),
                    "and",
                    Ending::And,
                )
            }
            Joined::But => {
                let mode = self.random.weighted(&[(1, Mode::Present), (1, Mode::Past)]);
                let negative = self.random.chance(50);
                (
                    self.short_act(mode, negative),
                    self.short_act(mode, !negative),
                    "but",
                    Ending::But,
                )
            }
            Joined::Because => {
                let past = self.random.chance(50);
                let (reason, effects) = self.reason(past);
                let mode = if past {
                    self.random.weighted(&[(6, Mode::Past), (2, Mode::Wanted)])
                } else {
                    self.random.weighted(&[
                        (3, Mode::Progressive),
                        (3, Mode::Want),
                        (2, Mode::Must),
                        (2, Mode::Future),
                    ])
                };
                (
                    reason,
                    self.short_act_among(effects, mode, false),
                    "because",
                    Ending::Because,
                )
            }
            Joined::When => {
                let mode = self.random.weighted(&[(2, Mode::PastProgressive), (1, Mode::Past)]);
                (
                    self.event(Mode::Past),
                    self.short_act(mode, false),
                    "when",
                    Ending::When,
                )
            }
            Joined::If => {
                let condition = if self.random.chance(40) {
                    self.weather(Some(Mode::Present))
                } else {
                    self.event(Mode::Present)
                };
                let mode = self
                    .random
                    .weighted(&[(3, Mode::Future), (1, Mode::Can), (1, Mode::Must)]);
                (condition, self.short_act(mode, false), "if", Ending::If)
            }
        };
        let english = match kind {
            Joined::And | Joined::But => format!("{}, {word} {}.", first.english(), second.english()),
            _ => format!("{word} {}, {}.", first.english(), second.english()),
        };
        (
            english,
            format!(
                "{} {}.",
                first.korean(style, ending),
                second.korean(style, Ending::Statement)
            ),
        )
    }

    fn shared_mode(&mut self) -> Mode {
        self.random.weighted(&[
            (4, Mode::Past),
            (2, Mode::Present),
            (3, Mode::Progressive),
            (2, Mode::Future),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn the_same_seed_draws_the_same_sentences() {
        assert!(Grammar::new(3).take(200).eq(Grammar::new(3).take(200)));
        assert!(!Grammar::new(3).take(200).eq(Grammar::new(4).take(200)));
    }

    #[test]
    fn korean_is_a_function_of_english() {
        let mut seen: HashMap<String, String> = HashMap::new();
        for pair in Grammar::new(5).take(150_000) {
            if let Some(korean) = seen.get(&pair.english) {
                assert_eq!(*korean, pair.korean, "{} has two translations", pair.english);
            }
            seen.insert(pair.english, pair.korean);
        }
    }

    #[test]
    fn sentences_are_of_moderate_length() {
        let longest = Grammar::new(6)
            .take(5_000)
            .map(|pair| pair.english.split(' ').count())
            .max();
        assert!(longest <= Some(21), "{longest:?} words");
    }
}
