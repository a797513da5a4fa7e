//! The two sides' pieces, and how well they cover the training text.

use ember_data::TokenizerKind;
use ember_data::tokenizer::{EOS, Side, Tokenizer};
use ember_model::arch::Vocabularies;
use serde::Serialize;

use super::corpus::{Corpus, Coverage, is_byte};
use crate::config::Config;

/// Longest pieces that are told of a side.
const LONGEST: usize = 5;

/// What text becomes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Vocabulary {
    /// How text is cut.
    pub kind: TokenizerKind,
    /// Whether both sides have one vocabulary.
    pub shared: bool,
    /// Whether there is a tokenizer; else sizes are what the config asks for, which is the most they can be.
    pub is_learnt: bool,
    /// Whether sizes lack the text's characters, which come on top of `merges` and are not known without the text.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub lacks_characters: bool,
    /// Tags, which are entries of the source side, and of a target side that shares it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The source side.
    pub source: SideFacts,
    /// The target side.
    pub target: SideFacts,
}

/// One side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SideFacts {
    /// Entries, special tokens and tags counted.
    pub size: usize,
    /// The longest pieces, longest first.
    pub longest: Vec<String>,
    /// How they cover the training text; absent where it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<CoverageFacts>,
}

/// How a side's pieces cover its training text; shares are from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CoverageFacts {
    /// Of the vocabulary, entries that occur in the text.
    pub used_share: f64,
    /// Of the text's characters, those that the vocabulary knows.
    pub known_characters_share: f64,
    /// Of the text's tokens, those that stand for something unknown.
    pub unknown_share: f64,
    /// Tokens for what stands between white space.
    pub tokens_a_word: f64,
}

impl Vocabulary {
    /// Of a config and what its corpus tells.
    pub fn describe(config: &Config, corpus: &Corpus, sizes: Vocabularies) -> Self {
        let coverage = corpus.coverage.as_ref();
        let side = |side, size, place: usize| SideFacts {
            size,
            longest: corpus
                .tokenizer
                .as_ref()
                .map_or_else(Vec::new, |tokenizer| longest_pieces(tokenizer, side)),
            coverage: coverage.map(|sides| CoverageFacts::new(&sides[place], size)),
        };
        Self {
            kind: config.tokenizer.kind,
            shared: sizes.shared,
            is_learnt: corpus.tokenizer.is_some(),
            lacks_characters: corpus.tokenizer.is_none() && config.tokenizer.merges.is_some(),
            tags: config.data.train.tags(),
            source: side(Side::Source, sizes.source, 0),
            target: side(Side::Target, sizes.target, 1),
        }
    }
}

impl CoverageFacts {
    fn new(coverage: &Coverage, size: usize) -> Self {
        let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
        Self {
            used_share: share(coverage.used.len() as u64, size as u64),
            known_characters_share: 1.0 - share(coverage.foreign_characters, coverage.characters),
            unknown_share: share(coverage.unknown, coverage.tokens),
            tokens_a_word: share(coverage.tokens, coverage.words),
        }
    }
}

/// Special tokens, tags and bytes are none of them.
fn longest_pieces(tokenizer: &Tokenizer, side: Side) -> Vec<String> {
    let ids = EOS + 1..tokenizer.vocabulary_size(side) as u32;
    let ids = ids.filter(|id| !tokenizer.is_tag(side, *id));
    let pieces = ids.filter_map(|id| tokenizer.piece(side, id));
    let mut pieces: Vec<&str> = pieces.filter(|piece| !is_byte(piece)).collect();
    // Of equals the more frequent stands first already.
    pieces.sort_by_key(|piece| std::cmp::Reverse(piece.chars().count()));
    pieces.into_iter().take(LONGEST).map(str::to_owned).collect()
}
