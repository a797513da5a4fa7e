//! A SentencePiece model that the user brings, BPE or Unigram (Kudo and Richardson 2018, arXiv:1808.06226).
//!
//! The model's ordinary pieces follow our special tokens in the model's order, and its own special tokens have no id
//! here: [`UNK`] stands for whatever the model does not know. The model's file is kept whole inside `tokenizer.json`.
//!
//! The pieces are those of SentencePiece itself, with one exception: symbols that the user defined when training a BPE
//! model are not kept whole.

use std::path::Path;

use sentencepiece_rust::{ModelType, PieceType, SentencePieceProcessor};

use super::lexicon::visible;
use super::{FIRST, UNK, damaged};
use crate::{DataError, Result};

pub(super) struct SentencePiece {
    processor: SentencePieceProcessor,
    /// The model's file.
    bytes: Vec<u8>,
    /// Our id of each of the model's.
    ids: Vec<u32>,
    /// The model's id of each of ours, from [`FIRST`] on.
    entries: Vec<i32>,
    /// Whether the model reads a line as though a space stood before it.
    adds_space: bool,
}

impl SentencePiece {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|source| DataError::Io {
            action: "read",
            path: path.to_owned(),
            source,
            hint: "\nhint: tokenizer.model names a SentencePiece model, a file that often ends in .model".to_owned(),
        })?;
        let model = Self::new(bytes)
            .map_err(|message| damaged(path, message, "give a SentencePiece model of type bpe or unigram"))?;
        let vocab = model.processor.vocab();
        let is_user_defined = |&&entry: &&i32| vocab.kind(entry) == Some(PieceType::UserDefined);
        let user_defined = model.entries.iter().filter(is_user_defined).count();
        if user_defined > 0 && model.processor.model_type() == ModelType::Bpe {
            let path = path.display();
            tracing::warn!("{path}: the {user_defined} user-defined symbols of a bpe model are read as ordinary text");
        }
        Ok(model)
    }

    /// # Errors
    ///
    /// What is wrong with the model, in words.
    pub(super) fn new(bytes: Vec<u8>) -> Result<Self, String> {
        let fault = |error| format!("is not a SentencePiece model that can be used ({error})");
        let processor = SentencePieceProcessor::from_bytes(&bytes).map_err(fault)?;
        // Models of other types are refused when they first segment, so let that be now.
        processor.encode("a").map_err(fault)?;
        let vocab = processor.vocab();
        let mut ids = vec![UNK; vocab.len()];
        let mut entries = Vec::with_capacity(vocab.len());
        for (index, id) in ids.iter_mut().enumerate() {
            let entry = index as i32;
            if !matches!(vocab.kind(entry), None | Some(PieceType::Control | PieceType::Unknown)) {
                *id = FIRST + entries.len() as u32;
                entries.push(entry);
            }
        }
        if entries.is_empty() {
            return Err("is not a SentencePiece model: there are no pieces in it".to_owned());
        }
        let is_word = |entry: &&i32| {
            vocab
                .id_to_piece(**entry)
                .is_some_and(|p| p.starts_with('▁') && p.len() > 3)
        };
        let adds_space = entries
            .iter()
            .find(is_word)
            .and_then(|&entry| processor.decode(&[entry]).ok())
            .is_none_or(|text| !text.starts_with(' '));
        Ok(Self {
            processor,
            bytes,
            ids,
            entries,
            adds_space,
        })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn piece(&self, index: usize) -> Option<&str> {
        self.processor.id_to_piece(*self.entries.get(index)?)
    }

    pub(super) fn encode(&self, text: &str) -> Vec<u32> {
        // SentencePiece gives nothing for nothing, and never the space alone that it reads before a line.
        if text.is_empty() {
            return Vec::new();
        }
        // Only models of a type that `new` refuses fail here.
        let entries = self.processor.encode(text).unwrap_or_default();
        entries
            .into_iter()
            .map(|entry| self.ids.get(entry as usize).copied().unwrap_or(UNK))
            .collect()
    }

    pub(super) fn decode(&self, ids: &[u32]) -> String {
        let mut bytes = Vec::with_capacity(ids.len() * 4);
        for &id in ids {
            match id.checked_sub(FIRST).and_then(|index| self.byte(index as usize)) {
                Some(byte) => bytes.push(byte),
                None => {
                    let piece = visible(id, |index| self.piece(index)).unwrap_or_default();
                    bytes.extend_from_slice(piece.replace('▁', " ").as_bytes());
                }
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        let text = if self.adds_space {
            text.strip_prefix(' ').unwrap_or(&text)
        } else {
            &text
        };
        text.to_owned()
    }

    /// The byte that an entry such as `<0xE2>` stands for.
    fn byte(&self, index: usize) -> Option<u8> {
        let entry = *self.entries.get(index)?;
        let vocab = self.processor.vocab();
        if vocab.kind(entry) != Some(PieceType::Byte) {
            return None;
        }
        let digits = vocab.id_to_piece(entry)?.strip_prefix("<0x")?.strip_suffix('>')?;
        u8::from_str_radix(digits, 16).ok()
    }
}
