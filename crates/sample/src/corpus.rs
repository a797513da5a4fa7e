//! Divides the sentences into train, valid and test.

use crate::grammar::{Combination, Grammar, Pair};
use crate::random::Random;
use std::collections::{HashMap, HashSet};

/// The seed of the committed files.
pub const SEED: u64 = 2017;
/// Pairs in train.
pub const TRAIN: usize = 20_000;
/// Pairs in valid.
pub const VALID: usize = 1_000;
/// Pairs in test.
pub const TEST: usize = 1_000;
/// Pairs in test with a combination that train doesn't have.
pub const TEST_HELD_OUT: usize = 250;
/// How often train has every English word of valid and test, at least.
pub const COMMON: usize = 20;

/// Combinations that come in test only. Each of their words comes in train, with other words.
pub const HELD_OUT: [Combination; 60] = [
    // Verb and object.
    Combination("read", "newspaper"),
    Combination("read", "novel"),
    Combination("write", "poem"),
    Combination("buy", "umbrella"),
    Combination("buy", "potato"),
    Combination("buy", "pencil"),
    Combination("sell", "clock"),
    Combination("sell", "book"),
    Combination("drink", "juice"),
    Combination("eat", "banana"),
    Combination("eat", "soup"),
    Combination("make", "bag"),
    Combination("make", "chair"),
    Combination("make", "cake"),
    Combination("watch", "bird"),
    Combination("see", "horse"),
    Combination("meet", "painter"),
    Combination("meet", "nurse"),
    Combination("help", "farmer"),
    Combination("help", "singer"),
    Combination("wait for", "train"),
    Combination("listen to", "song"),
    Combination("like", "history"),
    Combination("like", "coffee"),
    Combination("look for", "ticket"),
    Combination("look for", "key"),
    Combination("draw", "flower"),
    Combination("carry", "chair"),
    Combination("open", "box"),
    Combination("close", "window"),
    Combination("wear", "coat"),
    Combination("learn", "math"),
    Combination("study", "English"),
    Combination("borrow", "bicycle"),
    Combination("lose", "letter"),
    Combination("fix", "computer"),
    Combination("pick up", "ball"),
    Combination("give", "flower"),
    Combination("send", "picture"),
    Combination("show", "letter"),
    // Adjective and noun.
    Combination("big", "dog"),
    Combination("small", "box"),
    Combination("new", "car"),
    Combination("old", "desk"),
    Combination("expensive", "pen"),
    Combination("heavy", "door"),
    Combination("red", "hat"),
    Combination("blue", "bus"),
    Combination("white", "cat"),
    Combination("pretty", "dress"),
    Combination("long", "movie"),
    Combination("interesting", "letter"),
    Combination("kind", "chef"),
    Combination("tired", "doctor"),
    // Subject and verb.
    Combination("nurse", "go"),
    Combination("farmer", "read"),
    Combination("Sujin", "drink"),
    Combination("Tom", "eat"),
    Combination("child", "walk"),
    Combination("chef", "buy"),
];

/// The three parts, none of which shares an English sentence with another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corpus {
    pub train: Vec<Pair>,
    pub valid: Vec<Pair>,
    pub test: Vec<Pair>,
}

impl Corpus {
    /// The names and the lines of the six files.
    #[must_use]
    pub fn files(&self) -> Vec<(String, String)> {
        [("train", &self.train), ("valid", &self.valid), ("test", &self.test)]
            .into_iter()
            .flat_map(|(name, pairs)| {
                [
                    (format!("{name}.en"), lines(pairs, |pair| &pair.english)),
                    (format!("{name}.ko"), lines(pairs, |pair| &pair.korean)),
                ]
            })
            .collect()
    }
}

/// Whether a pair belongs to test for what it combines.
#[must_use]
pub fn is_held_out(pair: &Pair) -> bool {
    pair.combinations
        .iter()
        .any(|combination| HELD_OUT.contains(combination))
}

/// Draws the corpus of a seed. Train is filled first; valid and test take later sentences whose words are all common in
/// train, so they ask for no rare word but for new sentences, and test for new combinations too.
#[must_use]
pub fn generate(seed: u64) -> Corpus {
    let mut seen = HashSet::new();
    let mut sentences = Grammar::new(seed).filter(|pair| seen.insert(pair.english.clone()));
    let train: Vec<Pair> = sentences
        .by_ref()
        .filter(|pair| !is_held_out(pair))
        .take(TRAIN)
        .collect();
    let counts = count_words(&train);
    let mut common = sentences.filter(|pair| words(&pair.english).all(|word| counts.get(word) >= Some(&COMMON)));
    let valid: Vec<Pair> = common.by_ref().filter(|pair| !is_held_out(pair)).take(VALID).collect();
    let mut test: Vec<Pair> = common
        .by_ref()
        .filter(|pair| !is_held_out(pair))
        .take(TEST - TEST_HELD_OUT)
        .collect();
    test.append(&mut take_held_out(common));
    Random::new(seed).shuffle(&mut test);
    Corpus { train, valid, test }
}

/// The first sentence with each held-out combination, and as many others as test takes.
fn take_held_out(sentences: impl Iterator<Item = Pair>) -> Vec<Pair> {
    let mut missing: HashSet<Combination> = HELD_OUT.into_iter().collect();
    let mut taken: Vec<Pair> = Vec::new();
    for pair in sentences.filter(is_held_out) {
        let is_first = pair.combinations.iter().any(|combination| missing.remove(combination));
        if is_first || taken.len() + missing.len() < TEST_HELD_OUT {
            taken.push(pair);
        }
        if taken.len() == TEST_HELD_OUT && missing.is_empty() {
            break;
        }
    }
    taken
}

/// How often each English word comes.
#[must_use]
pub fn count_words(pairs: &[Pair]) -> HashMap<&str, usize> {
    let mut counts = HashMap::new();
    for word in pairs.iter().flat_map(|pair| words(&pair.english)) {
        *counts.entry(word).or_default() += 1;
    }
    counts
}

/// The words of a sentence, without the punctuation after them.
pub fn words(sentence: &str) -> impl Iterator<Item = &str> {
    sentence.split(' ').map(|word| word.trim_end_matches([',', '.', '?']))
}

fn lines(pairs: &[Pair], side: impl Fn(&Pair) -> &String) -> String {
    pairs.iter().fold(String::new(), |text, pair| text + side(pair) + "\n")
}
