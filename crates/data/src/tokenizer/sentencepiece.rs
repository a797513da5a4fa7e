//! A SentencePiece model that the user brings, BPE or Unigram (Kudo and Richardson 2018, arXiv:1808.06226).
//!
//! The model's ordinary pieces follow our special tokens in the model's order, and its own special tokens have no id
//! here: [`UNK`] stands for whatever the model does not know. The model's file is kept whole inside `tokenizer.json`.
//!
//! The pieces are those of SentencePiece itself, except for symbols that the user defined when training the model:
//! those of a BPE model are not kept whole, and around those of a unigram model that hold a space, written `▁`, a line
//! may be cut otherwise. Reading such a model gives a warning.

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
        if let Some(fault) = model.differs() {
            tracing::warn!("{}: {fault}", path.display());
        }
        Ok(model)
    }

    /// Where the pieces may be others than SentencePiece's own, in words.
    fn differs(&self) -> Option<String> {
        let vocab = self.processor.vocab();
        let user_defined = self
            .entries
            .iter()
            .filter(|&&entry| vocab.kind(entry) == Some(PieceType::UserDefined));
        let symbols: Vec<&str> = user_defined.filter_map(|&entry| vocab.id_to_piece(entry)).collect();
        let spaced = symbols.iter().filter(|symbol| symbol.contains('▁')).count();
        match (self.processor.model_type(), symbols.len()) {
            (ModelType::Bpe, 1..) => Some(format!(
                "the {} user-defined symbols of a bpe model are read as ordinary text",
                symbols.len()
            )),
            (ModelType::Unigram, 1..) if spaced > 0 => Some(format!(
                "lines with one of the {spaced} user-defined symbols that hold a space (▁) may be cut otherwise than \
                 SentencePiece cuts them"
            )),
            _ => None,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A model of that type (1 unigram, 2 bpe) with user-defined symbols; protocol buffers written by hand.
    fn model(kind: u8, symbols: &[&str]) -> SentencePiece {
        const NORMAL: u8 = 1;
        const USER_DEFINED: u8 = 4;
        let ordinary = [
            ("<unk>", 2),
            ("<s>", 3),
            ("</s>", 3),
            ("▁a", NORMAL),
            ("a", NORMAL),
            ("▁", NORMAL),
        ];
        let mut bytes = Vec::new();
        for (piece, kind) in ordinary
            .into_iter()
            .chain(symbols.iter().map(|symbol| (*symbol, USER_DEFINED)))
        {
            let mut message = vec![0x0a, piece.len() as u8];
            message.extend(piece.as_bytes());
            message.push(0x15);
            message.extend((-1f32).to_le_bytes());
            message.extend([0x18, kind]);
            bytes.extend([0x0a, message.len() as u8]);
            bytes.extend(message);
        }
        // trainer_spec.model_type
        bytes.extend([0x12, 2, 0x18, kind]);
        SentencePiece::new(bytes).unwrap()
    }

    #[test]
    fn symbols_that_are_cut_otherwise_are_told() {
        const UNIGRAM: u8 = 1;
        const BPE: u8 = 2;
        assert_eq!(model(UNIGRAM, &[]).differs(), None);
        assert_eq!(model(UNIGRAM, &["<x>"]).differs(), None);
        let fault = model(UNIGRAM, &["<x>", "▁▁", "a▁b"]).differs().unwrap();
        assert!(
            fault.contains("the 2 user-defined symbols that hold a space"),
            "{fault}"
        );
        assert_eq!(model(BPE, &[]).differs(), None);
        let fault = model(BPE, &["<x>"]).differs().unwrap();
        assert!(fault.contains("the 1 user-defined symbols of a bpe model"), "{fault}");
    }
}
