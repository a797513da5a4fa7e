//! Tags: tokens in front of a source that ask for a language or say where a pair came from.
//!
//! They are no part of what is learnt from text. Their ids follow those of the source side's vocabulary, whatever its
//! kind, and where both sides share it they are ids of the target side too, which no target holds.

use std::borrow::Cow;

use super::{Side, Tokenizer};

/// A source with its tag's id in front.
pub fn tagged(tag: Option<u32>, mut source: Vec<u32>) -> Vec<u32> {
    if let Some(tag) = tag {
        source.insert(0, tag);
    }
    source
}

impl Tokenizer {
    /// The same with tags, which take the ids behind all others of the source side, in this order.
    ///
    /// # Panics
    ///
    /// It has tags already, whose ids would move.
    pub fn with_tags(self, tags: Vec<String>) -> Self {
        assert!(self.tags.is_empty(), "tags are given once");
        Self { tags, ..self }
    }

    /// The tags in the order of their ids.
    pub fn tags(&self) -> &[String] {
        &self.tags
    }

    /// A tag's id on the source side.
    pub fn tag(&self, tag: &str) -> Option<u32> {
        let place = self.tags.iter().position(|known| known == tag)?;
        Some(self.first_tag() + place as u32)
    }

    /// The tag that a source begins with, and what follows it.
    pub fn split_tag<'a>(&self, source: &'a [u32]) -> (Option<u32>, &'a [u32]) {
        match source.split_first() {
            Some((&first, rest)) if self.is_tag(Side::Source, first) => (Some(first), rest),
            _ => (None, source),
        }
    }

    /// Ids without those of tags.
    pub(super) fn without_tags<'a>(&self, side: Side, ids: &'a [u32]) -> Cow<'a, [u32]> {
        if ids.iter().any(|&id| self.is_tag(side, id)) {
            ids.iter().copied().filter(|&id| !self.is_tag(side, id)).collect()
        } else {
            ids.into()
        }
    }

    /// The tag that an id of a side stands for.
    pub(super) fn tag_of(&self, side: Side, id: u32) -> Option<&str> {
        let place = id.checked_sub(self.first_tag())? as usize;
        self.tags_of(side).get(place).map(String::as_str)
    }

    /// The tags whose ids belong to a side: to the source, and to a target that shares its vocabulary.
    pub(super) fn tags_of(&self, side: Side) -> &[String] {
        if side == Side::Source || self.is_shared() {
            &self.tags
        } else {
            &[]
        }
    }

    /// Whether an id of a side is a tag's.
    pub fn is_tag(&self, side: Side, id: u32) -> bool {
        self.tag_of(side, id).is_some()
    }

    fn first_tag(&self) -> u32 {
        self.model(Side::Source).size() as u32
    }
}
