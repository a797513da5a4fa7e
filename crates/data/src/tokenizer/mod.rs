//! Text to token ids and back, one tokenizer for both sides of a corpus.
//!
//! ```text
//! split        a raw line into words to learn from         (string -> words, nothing lost)
//! count        how often each word was seen, in bounded memory
//! learn        byte-pair merges from counted words         (Sennrich et al. 2016, arXiv:1508.07909)
//! bpe          words to sub-words and back, BPE-dropout    (Provilkov et al. 2020, arXiv:1910.13267)
//! lexicon      whole words or single characters
//! sentencepiece  a model that the user brings
//! tags         tokens in front of a source that no text becomes
//! saved        tokenizer.json
//! ```
//!
//! Ids 0 to 3 are the special tokens of every kind, and no text ever becomes 0, 2 or 3: the spellings `<pad>`, `<s>`
//! and `</s>` in a corpus are ordinary text. Only `words`, `chars` and `sentencepiece` can give [`UNK`]; `bpe` falls
//! back to bytes instead.
//!
//! Tags have ids of their own behind all others of the source side. No text becomes one, so that `<2de>` in a corpus is
//! ordinary text too.

mod bpe;
mod cache;
mod count;
mod hash;
mod learn;
mod lexicon;
mod saved;
mod sentencepiece;
mod split;
mod tags;

pub use tags::tagged;

use std::fmt;
use std::path::Path;

use crate::{DataError, Progress, Result, TokenizerConfig, TokenizerKind};

use bpe::Bpe;
use count::count;
use lexicon::{Chars, Words};
use sentencepiece::SentencePiece;

/// Padding, masked everywhere.
pub const PAD: u32 = 0;
/// What the vocabulary does not hold.
pub const UNK: u32 = 1;
/// Beginning of sentence.
pub const BOS: u32 = 2;
/// End of sentence.
pub const EOS: u32 = 3;

/// How the special tokens are written in pictures and logs, by id.
pub(crate) const SPECIALS: [&str; 4] = ["<pad>", "<unk>", "<s>", "</s>"];
/// Number of special tokens: the first id that text can have.
const FIRST: u32 = SPECIALS.len() as u32;

/// One side of a parallel corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// What is translated.
    Source,
    /// What it is translated into.
    Target,
}

/// A trained tokenizer for both sides. Share it by reference: it may be used from many threads at once.
pub struct Tokenizer {
    /// One model where both sides share it, else the source side's and the target side's.
    models: Vec<Model>,
    /// In the order of their ids.
    tags: Vec<String>,
}

/// What turns the text of a side into ids.
enum Model {
    Bpe(Bpe),
    Words(Words),
    Chars(Chars),
    SentencePiece(Box<SentencePiece>),
}

impl Tokenizer {
    /// Learns a tokenizer from pairs of source and target lines, read once and in order.
    ///
    /// The result depends on the settings and the lines alone. `sentencepiece` reads its model and no line.
    ///
    /// # Errors
    ///
    /// A setting that cannot work, a SentencePiece model that cannot be read, the first error among `pairs`, or the
    /// user's wish to stop.
    pub fn train(
        config: &TokenizerConfig,
        pairs: impl IntoIterator<Item = Result<(String, String)>>,
        progress: &dyn Progress,
    ) -> Result<Self> {
        config.validate()?;
        let models = match config.kind {
            TokenizerKind::Bpe => {
                let counts = count(config, pairs, progress, |line, visit| {
                    if config.pretokenized {
                        line.split(' ').filter(|word| !word.is_empty()).for_each(visit);
                    } else {
                        split::words(&split::with_leading_space(line)).for_each(visit);
                    }
                })?;
                counts
                    .into_iter()
                    .map(|words| Ok(Model::Bpe(learn::learn(config, &words, progress)?)))
                    .collect()
            }
            TokenizerKind::Words => {
                let counts = count(config, pairs, progress, |line, visit| {
                    lexicon::words(line).for_each(visit)
                })?;
                Ok(counts
                    .into_iter()
                    .map(|words| Model::Words(Words::learn(config.vocabulary, words)))
                    .collect())
            }
            TokenizerKind::Chars => {
                let counts = count(config, pairs, progress, |line, visit| {
                    line.chars()
                        .for_each(|character| visit(character.encode_utf8(&mut [0; 4])));
                })?;
                Ok(counts
                    .into_iter()
                    .map(|chars| Model::Chars(Chars::learn(config.vocabulary, &chars)))
                    .collect())
            }
            TokenizerKind::Sentencepiece => [&config.model, &config.target_model]
                .into_iter()
                .flatten()
                .map(|path| Ok(Model::SentencePiece(Box::new(SentencePiece::read(path)?))))
                .collect::<Result<Vec<_>>>(),
        }?;
        let tokenizer = Self { models, tags: vec![] };
        tracing::debug!(?tokenizer, "tokenizer is ready");
        Ok(tokenizer)
    }

    /// Writes the tokenizer as one JSON file. It appears whole or not at all, and equal tokenizers give equal bytes.
    ///
    /// # Errors
    ///
    /// The folder cannot be written to.
    pub fn save(&self, path: &Path) -> Result<()> {
        saved::write(&self.to_bytes(), path)
    }

    /// Reads what [`Tokenizer::save`] wrote.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is not a tokenizer, comes from a newer version, or was changed since it was written.
    pub fn load(path: &Path) -> Result<Self> {
        saved::read(path)
    }

    /// The blake3 hash of the saved form, in hexadecimal: equal where the tokenizers are.
    pub fn fingerprint(&self) -> String {
        blake3::hash(&self.to_bytes()).to_hex().to_string()
    }

    /// Number of ids of a side, special tokens and tags included: every id of that side is below it.
    pub fn vocabulary_size(&self, side: Side) -> usize {
        self.model(side).size() + self.tags_of(side).len()
    }

    /// Whether both sides have one vocabulary, so that equal ids mean equal pieces.
    pub fn is_shared(&self) -> bool {
        self.models.len() == 1
    }

    /// The ids of a line, without [`BOS`] and [`EOS`].
    pub fn encode(&self, side: Side, text: &str) -> Vec<u32> {
        match self.model(side) {
            Model::Bpe(bpe) => bpe.encode(text),
            Model::Words(words) => words.encode(text),
            Model::Chars(chars) => chars.encode(text),
            Model::SentencePiece(model) => model.encode(text),
        }
    }

    /// The ids of a line with every merge left out at `probability`, drawn anew before each merge (BPE-dropout).
    ///
    /// A function of its arguments alone; for a line's draw to differ between epochs, derive `seed` from the run's
    /// seed, the step and the line's number. Kinds other than `bpe` give what [`Tokenizer::encode`] gives.
    pub fn encode_with_dropout(&self, side: Side, text: &str, probability: f32, seed: u64) -> Vec<u32> {
        match self.model(side) {
            Model::Bpe(bpe) if probability > 0.0 => bpe.encode_with_dropout(text, probability, seed),
            _ => self.encode(side, text),
        }
    }

    /// The text of ids. Special tokens and tags are left out, except [`UNK`] and ids that do not exist, which become
    /// `<unk>`.
    pub fn decode(&self, side: Side, ids: &[u32]) -> String {
        let ids = &self.without_tags(side, ids);
        match self.model(side) {
            Model::Bpe(bpe) => bpe.decode(ids),
            Model::Words(words) => words.decode(ids),
            Model::Chars(chars) => chars.decode(ids),
            Model::SentencePiece(model) => model.decode(ids),
        }
    }

    /// The ids as a reader wants to see them, special tokens included. See [`Tokenizer::piece`].
    pub fn pieces(&self, side: Side, ids: &[u32]) -> Vec<String> {
        ids.iter()
            .map(|&id| self.piece(side, id).unwrap_or(SPECIALS[UNK as usize]).to_owned())
            .collect()
    }

    /// How an id is written in pictures and logs: a space as `▁`, the end of a word of pre-tokenised text as `</w>`,
    /// a byte as `<0xE2>`. `None` where the side has no such id.
    ///
    /// For the eye only: two ids can look alike where the text itself holds such spellings.
    pub fn piece(&self, side: Side, id: u32) -> Option<&str> {
        if let Some(special) = SPECIALS.get(id as usize) {
            return Some(special);
        }
        if let Some(tag) = self.tag_of(side, id) {
            return Some(tag);
        }
        let index = (id - FIRST) as usize;
        match self.model(side) {
            Model::Bpe(bpe) => bpe.piece(index),
            Model::Words(words) => words.piece(index),
            Model::Chars(chars) => chars.piece(index),
            Model::SentencePiece(model) => model.piece(index),
        }
    }

    fn model(&self, side: Side) -> &Model {
        match side {
            Side::Source => &self.models[0],
            Side::Target => &self.models[self.models.len() - 1],
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        saved::to_bytes(&self.models, &self.tags)
    }
}

impl Model {
    fn kind(&self) -> &'static str {
        match self {
            Model::Bpe(bpe) if bpe.is_pretokenized() => "bpe (pretokenized)",
            Model::Bpe(_) => "bpe",
            Model::Words(_) => "words",
            Model::Chars(_) => "chars",
            Model::SentencePiece(_) => "sentencepiece",
        }
    }

    fn size(&self) -> usize {
        let entries = match self {
            Model::Bpe(bpe) => bpe.len(),
            Model::Words(words) => words.len(),
            Model::Chars(chars) => chars.len(),
            Model::SentencePiece(model) => model.len(),
        };
        SPECIALS.len() + entries
    }
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokenizer")
            .field("kind", &self.models[0].kind())
            .field("shared", &self.is_shared())
            .field("source", &self.vocabulary_size(Side::Source))
            .field("target", &self.vocabulary_size(Side::Target))
            .field("tags", &self.tags)
            .finish()
    }
}

/// A fault of a file's content that is not bound to a line.
fn damaged(path: &Path, message: impl Into<String>, hint: &str) -> DataError {
    DataError::Content {
        path: path.to_owned(),
        line: None,
        message: message.into(),
        hint: hint.to_owned(),
    }
}

#[cfg(test)]
mod tests;
