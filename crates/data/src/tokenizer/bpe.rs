//! Byte-pair encoding: the vocabulary, and the merges applied to a word, with and without dropout.
//!
//! Ids in order: the special tokens, the 256 bytes, the alphabet, the merged pieces. A character outside the alphabet
//! becomes its UTF-8 bytes, so every text can be written and read back.
//!
//! A piece is the text it stands for, spaces included: there is no marker in it that text could hold as well. In raw
//! text a word begins with its space (` the`). In pre-tokenised text it ends with one (`the `), which is the
//! end-of-word marker `</w>` of subword-nmt.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::cache::WordCache;
use super::hash::Map;
use super::lexicon::visible;
use super::{FIRST, UNK, split};

/// Number of byte entries.
pub(super) const BYTES: usize = 256;
/// The first id whose piece is text.
const FIRST_TEXT: u32 = FIRST + BYTES as u32;
/// What ends a word of pre-tokenised text, within a piece.
const END_OF_WORD: char = ' ';

/// A vocabulary and its merges.
pub(super) struct Bpe {
    pretokenized: bool,
    alphabet: Vec<char>,
    /// The text of an id, from [`FIRST_TEXT`] on.
    texts: Vec<Box<str>>,
    /// How an id is written for a reader, from [`FIRST`] on.
    pieces: Vec<Box<str>>,
    ids: Map<Box<str>, u32>,
    /// A character within a word, and where pre-tokenised at its end.
    inner: Map<char, u32>,
    last: Map<char, u32>,
    /// The merges in the order they were learnt in, which is the order they apply in.
    merges: Vec<(u32, u32)>,
    /// A merge's place in that order, and its result.
    ranks: Map<(u32, u32), (u32, u32)>,
    cache: WordCache,
}

impl Bpe {
    /// A vocabulary of bytes and characters, without merges.
    pub(super) fn new(pretokenized: bool, alphabet: Vec<char>) -> Self {
        let mut bpe = Self {
            pretokenized,
            texts: Vec::new(),
            pieces: (0..BYTES).map(|byte| format!("<0x{byte:02X}>").into()).collect(),
            ids: Map::default(),
            inner: Map::default(),
            last: Map::default(),
            merges: Vec::new(),
            ranks: Map::default(),
            cache: WordCache::new(),
            alphabet,
        };
        for character in bpe.alphabet.clone() {
            let id = bpe.add(character.to_string());
            bpe.inner.insert(character, id);
        }
        if pretokenized {
            bpe.add(END_OF_WORD.to_string());
            for character in bpe.alphabet.clone() {
                let id = bpe.add(format!("{character}{END_OF_WORD}"));
                bpe.last.insert(character, id);
            }
        }
        bpe
    }

    /// Number of entries that an alphabet of `characters` takes, bytes included.
    pub(super) fn base_size(pretokenized: bool, characters: usize) -> usize {
        if pretokenized {
            BYTES + 1 + 2 * characters
        } else {
            BYTES + characters
        }
    }

    /// Learns the next merge and returns the id of its result. Two merges can have one result: `a bc` and `ab c`.
    pub(super) fn add_merge(&mut self, left: u32, right: u32) -> u32 {
        let merged = [self.text(left), self.text(right)].concat();
        let id = self.add(merged);
        let rank = self.merges.len() as u32;
        self.merges.push((left, right));
        // subword-nmt can learn a merge twice, and goes by the first.
        self.ranks.entry((left, right)).or_insert((rank, id));
        id
    }

    fn add(&mut self, text: String) -> u32 {
        if let Some(&known) = self.ids.get(text.as_str()) {
            return known;
        }
        let id = FIRST_TEXT + self.texts.len() as u32;
        self.pieces.push(self.readable(&text).into());
        self.ids.insert(text.as_str().into(), id);
        self.texts.push(text.into());
        id
    }

    /// The text as subword-nmt and SentencePiece would write it.
    fn readable(&self, text: &str) -> String {
        match text.strip_suffix(END_OF_WORD) {
            Some(word) if self.pretokenized => format!("{word}</w>"),
            _ => text.replace(' ', "▁"),
        }
    }

    /// What subword-nmt compares a piece by.
    pub(super) fn order_key(&self, id: u32) -> String {
        match self.text(id).strip_suffix(END_OF_WORD) {
            Some(word) if self.pretokenized => format!("{word}</w>"),
            _ => self.text(id).to_owned(),
        }
    }

    pub(super) fn is_pretokenized(&self) -> bool {
        self.pretokenized
    }

    pub(super) fn alphabet(&self) -> &[char] {
        &self.alphabet
    }

    /// The texts of each merge's two pieces, in order.
    pub(super) fn merges(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.merges
            .iter()
            .map(|&(left, right)| (self.text(left), self.text(right)))
    }

    /// Number of entries, without the special tokens.
    pub(super) fn len(&self) -> usize {
        self.pieces.len()
    }

    pub(super) fn piece(&self, index: usize) -> Option<&str> {
        self.pieces.get(index).map(|piece| &**piece)
    }

    /// The id of a text, where it is an entry.
    pub(super) fn id(&self, text: &str) -> Option<u32> {
        self.ids.get(text).copied()
    }

    /// The text of an id that stands for text; see [`Bpe::is_text`].
    pub(super) fn text(&self, id: u32) -> &str {
        &self.texts[(id - FIRST_TEXT) as usize]
    }

    /// Whether an id stands for text rather than for a byte or a special token.
    pub(super) fn is_text(&self, id: u32) -> bool {
        id >= FIRST_TEXT
    }

    /// Appends the characters and bytes that a word is merged from.
    pub(super) fn spell(&self, word: &str, symbols: &mut Vec<u32>) {
        let mut characters = word.chars().peekable();
        while let Some(character) = characters.next() {
            let ends_word = self.pretokenized && characters.peek().is_none();
            let known = if ends_word { &self.last } else { &self.inner };
            match known.get(&character) {
                Some(&id) => symbols.push(id),
                None => {
                    let mut utf8 = [0; 4];
                    symbols.extend(
                        character
                            .encode_utf8(&mut utf8)
                            .bytes()
                            .map(|byte| FIRST + u32::from(byte)),
                    );
                    // Bytes do not tell that the word ends here.
                    symbols.extend(ends_word.then(|| self.id(" ")).flatten());
                }
            }
        }
    }

    pub(super) fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::with_capacity(text.len() / 3 + 1);
        let mut merger = Merger::default();
        self.for_each_word(text, |word| {
            self.cache
                .extend(&mut ids, word, |ids| merger.segment(self, word, || false, ids));
        });
        ids
    }

    pub(super) fn encode_with_dropout(&self, text: &str, probability: f32, seed: u64) -> Vec<u32> {
        let mut ids = Vec::with_capacity(text.len() / 2 + 1);
        let mut merger = Merger::default();
        let mut random = SplitMix64(seed);
        self.for_each_word(text, |word| {
            merger.segment(self, word, || random.next_f32() < probability, &mut ids);
        });
        ids
    }

    fn for_each_word(&self, text: &str, visit: impl FnMut(&str)) {
        if self.pretokenized {
            text.split(' ').filter(|word| !word.is_empty()).for_each(visit);
        } else {
            split::words(&split::with_leading_space(text)).for_each(visit);
        }
    }

    pub(super) fn decode(&self, ids: &[u32]) -> String {
        let mut bytes = Vec::with_capacity(ids.len() * 4);
        for &id in ids {
            match id.checked_sub(FIRST).map(|index| index as usize) {
                Some(byte) if byte < BYTES => bytes.push(byte as u8),
                Some(index) if index < self.len() => bytes.extend_from_slice(self.text(id).as_bytes()),
                _ => {
                    let unknown = visible(id, |_| None).unwrap_or_default();
                    bytes.extend_from_slice(unknown.as_bytes());
                    if id == UNK && self.pretokenized {
                        bytes.push(END_OF_WORD as u8);
                    }
                }
            }
        }
        // A model may well write bytes that are no UTF-8.
        let text = String::from_utf8_lossy(&bytes);
        if self.pretokenized {
            text.strip_suffix(END_OF_WORD).unwrap_or(&text).to_owned()
        } else {
            split::without_leading_space(&text).to_owned()
        }
    }
}

/// Where a merge could take place: its rank, and the position of its left half. The smallest comes first.
type Site = Reverse<(u32, u32)>;

/// A symbol that was merged into the one before it.
const GONE: u32 = u32::MAX;

/// The memory that merging works in, kept from word to word.
#[derive(Default)]
struct Merger {
    symbols: Vec<u32>,
    /// Position of the symbol before and behind each one that is left.
    before: Vec<u32>,
    behind: Vec<u32>,
    queue: BinaryHeap<Site>,
    /// What the merge at hand made possible, and what dropout left out of it.
    later: Vec<Site>,
}

impl Merger {
    /// Appends the ids of a word. `is_dropped` says of each possible merge whether to pass over it for now.
    ///
    /// As in subword-nmt, every occurrence of the earliest merge is merged, from left to right, before another merge
    /// is looked for; then the ones passed over can be had again.
    fn segment(&mut self, bpe: &Bpe, word: &str, mut is_dropped: impl FnMut() -> bool, ids: &mut Vec<u32>) {
        self.symbols.clear();
        bpe.spell(word, &mut self.symbols);
        let length = self.symbols.len() as u32;
        self.before.clear();
        self.before.extend((0..length).map(|position| position.wrapping_sub(1)));
        self.behind.clear();
        self.behind.extend(1..=length);
        self.queue.clear();
        self.later.clear();
        for position in 0..length {
            self.queue.extend(self.site(bpe, position));
        }
        let mut merging = None;
        loop {
            let first = self.queue.peek().map(|Reverse((rank, _))| *rank);
            if merging.is_some() && merging != first {
                merging = None;
                self.queue.extend(self.later.drain(..));
                continue;
            }
            let Some(site @ Reverse((rank, position))) = self.queue.pop() else {
                break;
            };
            if self.site(bpe, position) != Some(site) {
                continue;
            }
            if is_dropped() {
                self.later.push(site);
            } else {
                merging = Some(rank);
                self.merge(bpe, position);
            }
        }
        ids.extend(self.symbols.iter().filter(|&&symbol| symbol != GONE));
    }

    /// The merge that is possible at a position now.
    fn site(&self, bpe: &Bpe, position: u32) -> Option<Site> {
        let left = self.symbols[position as usize];
        let right = *self.symbols.get(self.behind[position as usize] as usize)?;
        let &(rank, _) = bpe.ranks.get(&(left, right))?;
        Some(Reverse((rank, position)))
    }

    /// Merges the symbol at a position with the one behind it.
    fn merge(&mut self, bpe: &Bpe, position: u32) {
        let left = position as usize;
        let right = self.behind[left] as usize;
        let (_, merged) = bpe.ranks[&(self.symbols[left], self.symbols[right])];
        self.symbols[left] = merged;
        self.symbols[right] = GONE;
        self.behind[left] = self.behind[right];
        if let Some(before) = self.before.get_mut(self.behind[left] as usize) {
            *before = position;
        }
        self.later.extend(self.site(bpe, position));
        if self.before[left] < position {
            self.later.extend(self.site(bpe, self.before[left]));
        }
    }
}

/// Steele et al. 2014: enough randomness for dropout, with a state that any seed makes.
struct SplitMix64(u64);

impl SplitMix64 {
    /// Uniform in [0, 1).
    fn next_f32(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        (bits >> 40) as f32 / (1u64 << 24) as f32
    }
}
