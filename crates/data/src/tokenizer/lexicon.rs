//! Vocabularies without sub-words: the most frequent words or characters, and [`UNK`] for the rest.

use super::count::{Counts, characters};
use super::hash::Map;
use super::{BOS, EOS, FIRST, PAD, SPECIALS, UNK};

/// The words of a line: what stands between ASCII white space.
pub(super) fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split_ascii_whitespace()
}

/// Whole words.
pub(super) struct Words {
    entries: Vec<Box<str>>,
    ids: Map<Box<str>, u32>,
}

impl Words {
    /// The most frequent words, `vocabulary` ids with the special tokens.
    pub(super) fn learn(vocabulary: usize, words: Counts<Box<str>>) -> Self {
        let room = vocabulary.saturating_sub(SPECIALS.len());
        Self::new(words.into_iter().take(room).map(|(word, _)| word).collect())
    }

    pub(super) fn new(entries: Vec<Box<str>>) -> Self {
        let ids = entries.iter().cloned().zip(FIRST..).collect();
        Self { entries, ids }
    }

    pub(super) fn entries(&self) -> &[Box<str>] {
        &self.entries
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn piece(&self, index: usize) -> Option<&str> {
        self.entries.get(index).map(|word| &**word)
    }

    pub(super) fn encode(&self, text: &str) -> Vec<u32> {
        words(text)
            .map(|word| self.ids.get(word).copied().unwrap_or(UNK))
            .collect()
    }

    pub(super) fn decode(&self, ids: &[u32]) -> String {
        let words: Vec<_> = ids
            .iter()
            .filter_map(|&id| visible(id, |index| self.piece(index)))
            .collect();
        words.join(" ")
    }
}

/// Unicode scalar values.
pub(super) struct Chars {
    entries: Vec<char>,
    ids: Map<char, u32>,
    /// The entries as text, a space as `▁`.
    pieces: Vec<Box<str>>,
}

impl Chars {
    /// The most frequent characters, `vocabulary` ids with the special tokens.
    pub(super) fn learn(vocabulary: usize, counts: &[(Box<str>, u64)]) -> Self {
        let room = vocabulary.saturating_sub(SPECIALS.len());
        Self::new(
            characters(counts)
                .into_iter()
                .take(room)
                .map(|(character, _)| character)
                .collect(),
        )
    }

    pub(super) fn new(entries: Vec<char>) -> Self {
        let ids = entries.iter().copied().zip(FIRST..).collect();
        let pieces = entries.iter().map(|&entry| {
            if entry == ' ' {
                "▁".into()
            } else {
                entry.to_string().into()
            }
        });
        Self {
            pieces: pieces.collect(),
            entries,
            ids,
        }
    }

    pub(super) fn entries(&self) -> &[char] {
        &self.entries
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn piece(&self, index: usize) -> Option<&str> {
        self.pieces.get(index).map(|piece| &**piece)
    }

    pub(super) fn encode(&self, text: &str) -> Vec<u32> {
        text.chars()
            .map(|character| self.ids.get(&character).copied().unwrap_or(UNK))
            .collect()
    }

    pub(super) fn decode(&self, ids: &[u32]) -> String {
        let mut text = String::new();
        for &id in ids {
            match id.checked_sub(FIRST).and_then(|index| self.entries.get(index as usize)) {
                Some(&character) => text.push(character),
                None => text.push_str(visible(id, |_| None).unwrap_or_default()),
            }
        }
        text
    }
}

/// The text of an id: nothing for padding and the sentence's ends, `<unk>` where there is no entry.
pub(super) fn visible<'a>(id: u32, entry: impl FnOnce(usize) -> Option<&'a str>) -> Option<&'a str> {
    match id {
        PAD | BOS | EOS => None,
        UNK => Some(SPECIALS[UNK as usize]),
        _ => Some(entry((id - FIRST) as usize).unwrap_or(SPECIALS[UNK as usize])),
    }
}
