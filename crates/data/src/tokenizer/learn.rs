//! Learning byte-pair merges (Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units").
//!
//! The most frequent pair of neighbours is merged everywhere, again and again. Of equally frequent pairs the larger
//! one is taken, the left halves compared first by code point, then the right ones: this is subword-nmt's order, and
//! on the same words the merges are the same, line by line. A pair seen once is not worth an entry.
//!
//! Only the words around a merge are counted again, and a pair whose count fell is found out when it comes to the top
//! of the heap.

use std::collections::BinaryHeap;
use std::sync::Arc;

use super::SPECIALS;
use super::bpe::Bpe;
use super::count::characters;
use super::hash::Map;
use crate::progress::Step;
use crate::{Progress, Result, TokenizerConfig};

/// Share of a corpus that the alphabet of raw text must spell; what is left is written in bytes. Korean needs some 900
/// characters for it, where all that occur would be half as many again, most of them seen too seldom to be learnt.
const COVERAGE: f64 = 0.9999;
/// Rarest pair that is merged.
const MIN_FREQUENCY: i64 = 2;
/// Longer words, in characters, teach nothing: a line without spaces would take hours.
const LONGEST_WORD: usize = 1000;

/// Learns a vocabulary from counted words, the most frequent first. An error is the user's wish to stop.
pub(super) fn learn(config: &TokenizerConfig, words: &[(Box<str>, u64)], progress: &dyn Progress) -> Result<Bpe> {
    let mut bpe = Bpe::new(config.pretokenized, alphabet(config, words));
    let merges = config.merges.filter(|_| config.pretokenized);
    let room = config.vocabulary.saturating_sub(SPECIALS.len() + bpe.len());
    let step = Step::begin(progress, "learning merges", Some(merges.unwrap_or(room) as u64));
    let mut learner = Learner::new(&bpe, words, &step)?;
    loop {
        let is_full = match merges {
            Some(merges) => bpe.merges().len() >= merges,
            None => SPECIALS.len() + bpe.len() >= config.vocabulary,
        };
        if is_full {
            break;
        }
        let Some((left, right)) = learner.most_frequent() else {
            break;
        };
        let merged = bpe.add_merge(left, right);
        learner.merge((left, right), merged, &bpe);
        step.advance(1)?;
    }
    Ok(bpe)
}

/// The characters that get an entry of their own, the most frequent first.
fn alphabet(config: &TokenizerConfig, words: &[(Box<str>, u64)]) -> Vec<char> {
    let counts = characters(words);
    let room = config.vocabulary.saturating_sub(SPECIALS.len());
    let fits = |characters: usize| config.merges.is_some() || Bpe::base_size(config.pretokenized, characters) <= room;
    // subword-nmt keeps every character, and so must we where the merges are to be the same.
    let coverage = if config.pretokenized { 1.0 } else { COVERAGE };
    let enough = counts.iter().map(|(_, count)| *count as f64).sum::<f64>() * coverage;
    let mut covered = 0.0;
    let mut alphabet = Vec::new();
    for (character, count) in counts {
        if covered >= enough || !fits(alphabet.len() + 1) {
            break;
        }
        covered += count as f64;
        alphabet.push(character);
    }
    alphabet
}

/// A pair and how often it was seen when it was put on the heap. The greatest is merged next.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    count: i64,
    left: Arc<str>,
    right: Arc<str>,
    pair: (u32, u32),
}

/// A pair's count, and the words that held it at some time.
#[derive(Default)]
struct Pair {
    count: i64,
    words: Vec<u32>,
}

struct Learner {
    words: Vec<(Vec<u32>, i64)>,
    pairs: Map<(u32, u32), Pair>,
    heap: BinaryHeap<Candidate>,
    /// What pieces are compared by, by id.
    keys: Map<u32, Arc<str>>,
}

impl Learner {
    fn new(bpe: &Bpe, words: &[(Box<str>, u64)], step: &Step) -> Result<Self> {
        let mut learner = Self {
            words: Vec::with_capacity(words.len()),
            pairs: Map::default(),
            heap: BinaryHeap::new(),
            keys: Map::default(),
        };
        for (word, count) in words {
            step.advance(0)?;
            let mut symbols = Vec::new();
            bpe.spell(word, &mut symbols);
            if symbols.len() > 1 && symbols.len() <= LONGEST_WORD {
                let index = learner.words.len() as u32;
                let count = *count as i64;
                for pair in neighbours(&symbols).filter(|pair| can_merge(bpe, *pair)) {
                    let entry = learner.pairs.entry(pair).or_default();
                    entry.count += count;
                    if entry.words.last() != Some(&index) {
                        entry.words.push(index);
                    }
                }
                learner.words.push((symbols, count));
            }
        }
        let pairs: Vec<_> = learner.pairs.keys().copied().collect();
        for pair in pairs {
            learner.offer(pair, bpe);
        }
        Ok(learner)
    }

    /// The pair to merge next, if there is one worth it.
    fn most_frequent(&mut self) -> Option<(u32, u32)> {
        while let Some(mut candidate) = self.heap.pop() {
            let count = self.pairs.get(&candidate.pair).map_or(0, |pair| pair.count);
            if count == candidate.count {
                return (count >= MIN_FREQUENCY).then_some(candidate.pair);
            }
            // A pair that became more frequent was offered again at that time.
            if count < candidate.count && count >= MIN_FREQUENCY {
                candidate.count = count;
                self.heap.push(candidate);
            }
        }
        None
    }

    /// Replaces a pair by its merged piece in all words.
    fn merge(&mut self, pair: (u32, u32), merged: u32, bpe: &Bpe) {
        let mut indices = self.pairs.remove(&pair).map(|pair| pair.words).unwrap_or_default();
        indices.sort_unstable();
        indices.dedup();
        let mut grown = Vec::new();
        for index in indices {
            let (symbols, count) = &mut self.words[index as usize];
            if !neighbours(symbols).any(|neighbours| neighbours == pair) {
                continue;
            }
            for old in neighbours(symbols) {
                if let Some(entry) = self.pairs.get_mut(&old) {
                    entry.count -= *count;
                }
            }
            replace(symbols, pair, merged);
            for new in neighbours(symbols).filter(|new| can_merge(bpe, *new)) {
                let entry = self.pairs.entry(new).or_default();
                entry.count += *count;
                if new.0 == merged || new.1 == merged {
                    if entry.words.last() != Some(&index) {
                        entry.words.push(index);
                    }
                    grown.push(new);
                }
            }
        }
        grown.sort_unstable();
        grown.dedup();
        for pair in grown {
            self.offer(pair, bpe);
        }
    }

    fn offer(&mut self, pair: (u32, u32), bpe: &Bpe) {
        let count = self.pairs.get(&pair).map_or(0, |pair| pair.count);
        if count >= MIN_FREQUENCY {
            let mut key = |id| Arc::clone(self.keys.entry(id).or_insert_with(|| bpe.order_key(id).into()));
            let (left, right) = (key(pair.0), key(pair.1));
            self.heap.push(Candidate {
                count,
                left,
                right,
                pair,
            });
        }
    }
}

fn neighbours(symbols: &[u32]) -> impl Iterator<Item = (u32, u32)> {
    symbols.windows(2).map(|pair| (pair[0], pair[1]))
}

/// Bytes stay bytes.
fn can_merge(bpe: &Bpe, (left, right): (u32, u32)) -> bool {
    bpe.is_text(left) && bpe.is_text(right)
}

/// Replaces every occurrence of a pair, from left to right.
fn replace(symbols: &mut Vec<u32>, pair: (u32, u32), merged: u32) {
    let mut read = 0;
    let mut write = 0;
    while read < symbols.len() {
        if read + 1 < symbols.len() && (symbols[read], symbols[read + 1]) == pair {
            symbols[write] = merged;
            read += 2;
        } else {
            symbols[write] = symbols[read];
            read += 1;
        }
        write += 1;
    }
    symbols.truncate(write);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NoProgress, TokenizerKind};

    /// The merges learnt from words and their counts, as subword-nmt writes them.
    fn merges(words: &[(&str, u64)]) -> Vec<String> {
        let config = TokenizerConfig {
            kind: TokenizerKind::Bpe,
            vocabulary: 8000,
            shared: true,
            pretokenized: true,
            merges: Some(100),
            dropout: 0.0,
            model: None,
            target_model: None,
        };
        let words: Vec<_> = words.iter().map(|&(word, count)| (word.into(), count)).collect();
        let bpe = learn(&config, &words, &NoProgress).unwrap();
        bpe.merges().map(|(left, right)| format!("{left}+{right}")).collect()
    }

    #[test]
    fn the_most_frequent_pair_comes_first_and_the_larger_of_equals() {
        assert_eq!(merges(&[("ab", 3), ("cd", 5)]), ["c+d ", "a+b "]);
        assert_eq!(merges(&[("ab", 3), ("cd", 3)]), ["c+d ", "a+b "]);
        assert_eq!(merges(&[("az", 3), ("aé", 3)]), ["a+é ", "a+z "]);
        // subword-nmt compares the end of a word by the spelling of its marker: "b</w>" is less than "bb".
        assert_eq!(merges(&[("ab", 3), ("abb", 3)]), ["b+b ", "a+bb ", "a+b "]);
    }

    #[test]
    fn a_pair_seen_once_is_not_merged() {
        assert_eq!(merges(&[("ab", 1)]), [""; 0]);
    }

    #[test]
    fn runs_of_one_character_are_merged_from_the_left() {
        assert_eq!(merges(&[("aaaaa", 2)]), ["a+a", "aa+aa", "aaaa+a "]);
    }

    #[test]
    fn words_without_end_do_not_slow_learning() {
        let word = "ab".repeat(100_000);
        assert_eq!(merges(&[(&word, 5)]), [""; 0]);
    }
}
