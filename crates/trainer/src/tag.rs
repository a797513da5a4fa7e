//! Tags of source lines: which there are, and which each line begins with.
//!
//! A tag is a token of its own in front of a source; `ember_data::config::CorpusConfig` tells what it is for. A model
//! knows the tags of its training corpora and no others.

use ember_data::config::Corpora;
use ember_data::tokenizer::Tokenizer;

use crate::error::{Result, TrainerError};

/// Source lines, each with its tag.
#[derive(Debug, Clone, Copy)]
pub struct TaggedLines<'a> {
    /// The text.
    pub lines: &'a [String],
    /// The id of each line's tag, `None` for a line without; as many as lines.
    pub tags: &'a [Option<u32>],
}

impl<'a> TaggedLines<'a> {
    /// Pairs lines and tags.
    ///
    /// # Panics
    /// When there are more of the one than of the other.
    pub fn new(lines: &'a [String], tags: &'a [Option<u32>]) -> Self {
        assert_eq!(lines.len(), tags.len(), "every line has a tag or none");
        Self { lines, tags }
    }

    /// Every line with its tag.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'a String, Option<u32>)> + use<'a> {
        self.lines.iter().zip(self.tags.iter().copied())
    }
}

/// The id of each line's tag.
///
/// # Errors
/// A tag that the tokenizer does not know.
pub fn ids(tokenizer: &Tokenizer, tags: &[Option<String>]) -> Result<Vec<Option<u32>>> {
    let id = |tag: &Option<String>| tag.as_deref().map(|tag| known(tokenizer, tag)).transpose();
    tags.iter().map(id).collect()
}

/// The id of the tag that a user asks for, of a model trained on these corpora. Without one, lines have none, as some
/// line of its training had none.
///
/// # Errors
/// A tag that the model does not know; none where all of its corpora have one.
pub fn chosen(tokenizer: &Tokenizer, train: &Corpora, wanted: Option<&str>) -> Result<Option<u32>> {
    match wanted {
        Some(tag) => known(tokenizer, tag).map(Some),
        None if train.all_have_tags() => Err(TrainerError::Tag {
            message: "the model needs a tag: every corpus that it was trained on has one".into(),
            hint: format!("give --tag with one of {}", listed(tokenizer)),
        }),
        None => Ok(None),
    }
}

fn known(tokenizer: &Tokenizer, tag: &str) -> Result<u32> {
    tokenizer.tag(tag).ok_or_else(|| TrainerError::Tag {
        message: format!("the model does not know the tag {tag:?}"),
        hint: match tokenizer.tags().len() {
            0 => "it was trained without tags".into(),
            _ => format!("its tags are {}", listed(tokenizer)),
        },
    })
}

fn listed(tokenizer: &Tokenizer) -> String {
    tokenizer.tags().join(", ")
}

#[cfg(test)]
mod tests {
    use ember_data::config::{CorpusConfig, TokenizerConfig, TokenizerKind};
    use ember_data::progress::NoProgress;

    use super::*;

    fn tokenizer(tags: &[&str]) -> Tokenizer {
        let config = TokenizerConfig {
            vocabulary: 10,
            ..TokenizerConfig::new(TokenizerKind::Chars)
        };
        let text = Ok(("ab".to_owned(), "b".to_owned()));
        let tokenizer = Tokenizer::train(&config, [text], &NoProgress).expect("a tokenizer");
        tokenizer.with_tags(tags.iter().map(ToString::to_string).collect())
    }

    fn corpora(tags: &[Option<&str>]) -> Corpora {
        let corpus = |tag: &Option<&str>| CorpusConfig {
            tag: tag.map(str::to_owned),
            ..CorpusConfig::new("a")
        };
        Corpora::Many(tags.iter().map(corpus).collect())
    }

    #[test]
    fn a_tag_is_asked_for_where_every_corpus_has_one() {
        let two = tokenizer(&["<x>", "<y>"]);
        let all = corpora(&[Some("<x>"), Some("<y>")]);
        assert_eq!(chosen(&two, &all, Some("<y>")).unwrap(), two.tag("<y>"));
        let message = chosen(&two, &all, None).unwrap_err().to_string();
        assert!(
            message.contains("needs a tag") && message.contains("one of <x>, <y>"),
            "{message}"
        );
        let some = corpora(&[Some("<x>"), Some("<y>"), None]);
        assert_eq!(chosen(&two, &some, None).unwrap(), None);
        assert_eq!(chosen(&tokenizer(&[]), &corpora(&[None]), None).unwrap(), None);
    }

    #[test]
    fn a_tag_that_is_not_known_is_refused_with_those_that_are() {
        let two = tokenizer(&["<x>", "<y>"]);
        let message = chosen(&two, &corpora(&[None]), Some("x")).unwrap_err().to_string();
        assert_eq!(
            message,
            "the model does not know the tag \"x\"\nhint: its tags are <x>, <y>"
        );
        let message = chosen(&tokenizer(&[]), &corpora(&[None]), Some("<x>"))
            .unwrap_err()
            .to_string();
        assert!(message.ends_with("hint: it was trained without tags"), "{message}");
        assert!(ids(&two, &[None, Some("<z>".into())]).is_err());
        assert_eq!(ids(&two, &[None, Some("<y>".into())]).unwrap(), [None, two.tag("<y>")]);
    }
}
