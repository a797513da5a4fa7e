//! How often each word of a corpus was seen.
//!
//! Text without spaces has whole clauses for words, nearly all of them different, so a table of all would grow with
//! the corpus. A table over its bound loses its rarest words (lossy counting, Manku and Motwani 2002); among equally
//! rare ones a hash of the text decides, so that those that stay are drawn from all that was read. Millions of lines
//! of words between spaces stay below the bound, where every count is exact. What is left out depends on the lines and
//! their order alone.

use std::collections::BTreeMap;

use super::hash;
use crate::progress::Step;
use crate::{Progress, Result, TokenizerConfig};

/// How often each unit was seen, the most frequent first and equals in the order of their text.
pub(super) type Counts<T> = Vec<(T, u64)>;

/// Most that a table holds: some 3.5 million German words, or 1.9 million Chinese clauses.
const BOUND: usize = 96 << 20;
/// What a word costs beside its text, in bytes.
const ENTRY: usize = 16;

/// Counts the words of every line by `split`: one table for both sides where they share, else one a side.
pub(super) fn count(
    config: &TokenizerConfig,
    pairs: impl IntoIterator<Item = Result<(String, String)>>,
    progress: &dyn Progress,
    split: impl Fn(&str, &mut dyn FnMut(&str)),
) -> Result<Vec<Counts<Box<str>>>> {
    let mut tables: Vec<_> = (0..if config.shared { 1 } else { 2 })
        .map(|_| Table::new(BOUND))
        .collect();
    let last = tables.len() - 1;
    let step = Step::begin(progress, "counting words", None);
    for pair in pairs {
        let (source, target) = pair?;
        for (line, table) in [(source, 0), (target, last)] {
            let table = &mut tables[table];
            split(&line, &mut |word| table.add(word));
        }
        step.advance(1)?;
    }
    Ok(tables.into_iter().map(|table| ranked(table.counts)).collect())
}

/// Counted words that take no more than `bound` bytes, by [`size`].
struct Table {
    counts: hash::Map<Box<str>, u64>,
    size: usize,
    bound: usize,
}

impl Table {
    fn new(bound: usize) -> Self {
        Self {
            counts: hash::Map::default(),
            size: 0,
            bound,
        }
    }

    fn add(&mut self, word: &str) {
        if let Some(count) = self.counts.get_mut(word) {
            *count += 1;
            return;
        }
        self.counts.insert(word.into(), 1);
        self.size += size(word);
        if self.size > self.bound {
            self.thin();
        }
    }

    /// Leaves out the rarest words until half of the bound is free.
    fn thin(&mut self) {
        let words = self.counts.len();
        let room = self.bound / 2;
        let mut sizes = BTreeMap::<u64, usize>::new();
        for (word, count) in &self.counts {
            *sizes.entry(*count).or_default() += size(word);
        }
        // All words above a count fit, and of those of this count the ones with the lowest hashes.
        let (mut least, mut taken) = (u64::MAX, 0);
        for (&count, &size) in sizes.iter().rev() {
            least = count;
            if taken + size > room {
                break;
            }
            taken += size;
        }
        let tied = self.counts.iter().filter(|(_, count)| **count == least);
        let mut tied: Vec<_> = tied.map(|(word, _)| (order(word), size(word))).collect();
        tied.sort_unstable();
        let mut highest = None;
        for (hash, size) in tied {
            taken += size;
            if taken > room {
                break;
            }
            highest = Some(hash);
        }
        self.counts
            .retain(|word, count| *count > least || (*count == least && Some(order(word)) <= highest));
        self.size = self.counts.keys().map(|word| size(word)).sum();
        let left_out = words - self.counts.len();
        tracing::debug!(words, left_out, least, "the table of words is full");
    }
}

/// What a word takes of a table's bound.
fn size(word: &str) -> usize {
    word.len() + ENTRY
}

/// The fixed order of equally rare words: of their hashes, so that no beginning of a word is favoured.
fn order(word: &str) -> u64 {
    let hash = blake3::hash(word.as_bytes());
    hash.as_bytes()[..8]
        .iter()
        .fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// A table of counts in an order that does not depend on hashing.
fn ranked<T: Ord>(table: hash::Map<T, u64>) -> Counts<T> {
    let mut counts: Vec<_> = table.into_iter().collect();
    counts.sort_unstable_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then_with(|| a.cmp(b)));
    counts
}

/// How often each character was seen in counted text.
pub(super) fn characters(texts: &[(Box<str>, u64)]) -> Counts<char> {
    let mut table = hash::Map::<char, u64>::default();
    for (text, count) in texts {
        for character in text.chars() {
            *table.entry(character).or_default() += count;
        }
    }
    ranked(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts words in tables of that bound.
    fn counted(bound: usize, words: impl IntoIterator<Item = String>) -> (Counts<Box<str>>, usize) {
        let mut table = Table::new(bound);
        let mut most = 0;
        for word in words {
            table.add(&word);
            most = most.max(table.size);
        }
        assert_eq!(table.size, table.counts.keys().map(|word| size(word)).sum::<usize>());
        (ranked(table.counts), most)
    }

    /// Every third word is one of ten, the others are all different.
    fn words(count: usize) -> impl Iterator<Item = String> {
        (0..count).map(|i| match i % 3 {
            0 => format!("common{}", i % 10),
            _ => format!("rare{i:06}"),
        })
    }

    #[test]
    fn below_the_bound_every_count_is_exact() {
        let (counts, most) = counted(1 << 20, words(3000));
        assert_eq!(counts.len(), 2010);
        assert_eq!(counts[0], ("common0".into(), 100));
        assert_eq!(
            counted(most, words(3000)).0,
            counts,
            "a table that is just full is whole"
        );
        assert!(counted(most - 1, words(3000)).0.len() < counts.len());
    }

    #[test]
    fn a_full_table_keeps_the_frequent_words_and_a_sample_of_the_rare_ones() {
        const BOUND: usize = 10_000;
        let (counts, most) = counted(BOUND, words(30_000));
        assert!(most <= BOUND, "{most}");
        // Half of it stays at least, within one word.
        assert!(counts.len() > (BOUND / 2 - 30) / (10 + ENTRY), "{}", counts.len());
        assert!(
            counts[..10]
                .iter()
                .all(|(word, count)| word.starts_with("common") && *count == 1000)
        );
        let early = counts[10..].iter().filter(|(word, _)| &**word < "rare015000").count();
        assert!(early > 20 && early < counts.len() - 20, "{early} of {}", counts.len());
    }

    #[test]
    fn which_words_stay_is_a_rule() {
        // Two tables whose hash maps have grown differently hold the same words in another order.
        let expected = counted(4000, words(9000)).0;
        let mut table = Table::new(4000);
        table.counts.reserve(100_000);
        words(9000).for_each(|word| table.add(&word));
        assert_eq!(ranked(table.counts), expected);
    }

    #[test]
    fn one_word_above_the_bound_leaves_an_empty_table() {
        assert_eq!(counted(100, ["x".repeat(200)]).0, []);
    }
}
