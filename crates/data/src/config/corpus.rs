//! Corpora as a config names them: a path, or a table that says more.
//!
//! A tag stands in front of the source and asks for a language (Johnson et al. 2017, "Google's Multilingual Neural
//! Machine Translation System") or says where a pair came from, such as back-translation (Caswell et al. 2019, "Tagged
//! Back-Translation").

use std::fmt;
use std::path::PathBuf;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::setting;
use crate::Result;
use crate::tokenizer::SPECIALS;

/// A larger weight is a typing error: an epoch would see little else.
const LARGEST_WEIGHT: f64 = 1000.0;

/// Longest tag, in characters.
const LONGEST_TAG: usize = 64;

/// One corpus or several: `train = "a"`, `train = { path = "a", tag = "<t>" }` and lists of these.
#[derive(Debug, Clone, PartialEq)]
pub enum Corpora {
    /// A single one.
    One(CorpusConfig),
    /// Several, joined in this order.
    Many(Vec<CorpusConfig>),
}

/// A corpus, and what sets it apart from the others.
// With `remote`, serde derives functions for the table instead of the traits, which know the path alone as well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct CorpusConfig {
    /// What the names of its two files begin with, or its one TSV file.
    pub path: PathBuf,
    /// File extension of the source side, where it is not `data.source`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// File extension of the target side, where it is not `data.target`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// A token of its own that every source line begins with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// How often each pair is seen an epoch, on average. For training corpora alone.
    #[serde(default = "default_weight", skip_serializing_if = "is_default_weight")]
    pub weight: f64,
}

impl Corpora {
    /// The corpora in order.
    pub fn as_slice(&self) -> &[CorpusConfig] {
        match self {
            Corpora::One(corpus) => std::slice::from_ref(corpus),
            Corpora::Many(corpora) => corpora,
        }
    }

    /// The corpora in order, to change in place (to resolve paths against the config file's folder).
    pub fn as_mut_slice(&mut self) -> &mut [CorpusConfig] {
        match self {
            Corpora::One(corpus) => std::slice::from_mut(corpus),
            Corpora::Many(corpora) => corpora,
        }
    }

    /// The corpora with the key of each, such as `data.train[1]` below `data.train`.
    pub fn with_keys(&self, key: &str) -> Vec<(String, &CorpusConfig)> {
        match self {
            Corpora::One(corpus) => vec![(key.to_owned(), corpus)],
            Corpora::Many(corpora) => {
                let corpora = corpora.iter().enumerate();
                corpora
                    .map(|(index, corpus)| (format!("{key}[{index}]"), corpus))
                    .collect()
            }
        }
    }

    /// Every tag, once, in the order in which they come.
    pub fn tags(&self) -> Vec<String> {
        let mut tags = Vec::new();
        for tag in self.as_slice().iter().filter_map(|corpus| corpus.tag.as_ref()) {
            if !tags.contains(tag) {
                tags.push(tag.clone());
            }
        }
        tags
    }

    /// Whether no corpus is without a tag.
    pub fn all_have_tags(&self) -> bool {
        self.as_slice().iter().all(|corpus| corpus.tag.is_some())
    }
}

impl CorpusConfig {
    /// What a path alone means.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            source: None,
            target: None,
            tag: None,
            weight: default_weight(),
        }
    }

    /// Checks the weight and the tag.
    ///
    /// # Errors
    ///
    /// A setting below `key` that cannot work.
    pub(super) fn validate(&self, key: &str) -> Result<()> {
        if !(self.weight > 0.0 && self.weight <= LARGEST_WEIGHT) {
            return setting(
                &format!("{key}.weight"),
                format!("{} is not above 0 and at most {LARGEST_WEIGHT}", self.weight),
                "2 shows every pair twice an epoch, 0.5 in every second epoch on average; 1 is the default",
            );
        }
        match self.tag.as_deref().and_then(fault_of_tag) {
            Some(fault) => setting(
                &format!("{key}.tag"),
                fault,
                "a tag is a word in angle brackets that is no special token, such as \"<2de>\" or \"<bt>\"",
            ),
            None => Ok(()),
        }
    }
}

/// What is wrong with a tag.
fn fault_of_tag(tag: &str) -> Option<String> {
    let Some(word) = tag.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) else {
        return Some(format!("{tag:?} does not begin with < and end with >"));
    };
    let length = tag.chars().count();
    if word.is_empty() {
        Some(format!("{tag:?} has nothing between < and >"))
    } else if let Some(character) = word
        .chars()
        .find(|c| c.is_whitespace() || c.is_control() || "<>".contains(*c))
    {
        Some(format!("{tag:?} holds {character:?}"))
    } else if length > LONGEST_TAG {
        Some(format!("{tag:?} has {length} characters, more than {LONGEST_TAG}"))
    } else {
        SPECIALS.contains(&tag).then(|| format!("{tag:?} is a special token"))
    }
}

fn default_weight() -> f64 {
    1.0
}

fn is_default_weight(weight: &f64) -> bool {
    *weight == default_weight()
}

impl Serialize for CorpusConfig {
    /// As a path where that says it all.
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        if *self == Self::new(&self.path) {
            return self.path.serialize(serializer);
        }
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for CorpusConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct PathOrTable;

        impl<'de> Visitor<'de> for PathOrTable {
            type Value = CorpusConfig;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a path in quotes or a table with one")
            }

            fn visit_str<E: Error>(self, path: &str) -> std::result::Result<CorpusConfig, E> {
                Ok(CorpusConfig::new(path))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<CorpusConfig, A::Error> {
                CorpusConfig::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_any(PathOrTable)
    }
}

impl Serialize for Corpora {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Corpora::One(corpus) => corpus.serialize(serializer),
            Corpora::Many(corpora) => corpora.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Corpora {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct OneOrMany;

        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Corpora;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a path in quotes, a table with one, or a list of these")
            }

            fn visit_str<E: Error>(self, path: &str) -> std::result::Result<Corpora, E> {
                Ok(Corpora::One(CorpusConfig::new(path)))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<Corpora, A::Error> {
                CorpusConfig::deserialize(MapAccessDeserializer::new(map)).map(Corpora::One)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> std::result::Result<Corpora, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(sequence)).map(Corpora::Many)
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Corpora {
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
    }

    #[test]
    fn what_says_no_more_than_a_path_is_written_as_one() {
        for (json, expected) in [
            (r#""a""#, r#""a""#),
            (r#"{"path": "a", "weight": 1}"#, r#""a""#),
            (r#"["a", {"path": "b"}]"#, r#"["a","b"]"#),
            (
                r#"["a", {"weight": 2, "tag": "<t>", "target": "ko", "path": "b"}]"#,
                r#"["a",{"path":"b","target":"ko","tag":"<t>","weight":2.0}]"#,
            ),
        ] {
            let written = serde_json::to_string(&read(json)).unwrap();
            assert_eq!(written, expected);
            assert_eq!(read(&written), read(json));
        }
    }

    #[test]
    fn tags_are_told_once() {
        let corpora =
            read(r#"[{"path": "a", "tag": "<y>"}, {"path": "b", "tag": "<x>"}, {"path": "c", "tag": "<y>"}]"#);
        assert_eq!(corpora.tags(), ["<y>", "<x>"]);
        assert!(corpora.all_have_tags() && !read(r#"[{"path": "a", "tag": "<y>"}, "b"]"#).all_have_tags());
        let keys: Vec<String> = corpora
            .with_keys("data.train")
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        assert_eq!(keys, ["data.train[0]", "data.train[1]", "data.train[2]"]);
        assert_eq!(read(r#""a""#).with_keys("data.train")[0].0, "data.train");
    }

    #[test]
    fn weights_and_tags_that_cannot_work_are_refused() {
        let fault = |change: &dyn Fn(&mut CorpusConfig)| {
            let mut corpus = CorpusConfig::new("a");
            change(&mut corpus);
            corpus.validate("data.train[2]").map_err(|error| error.to_string())
        };
        for weight in [1e-6, 0.5, 1.0, 1000.0] {
            assert_eq!(fault(&|corpus| corpus.weight = weight), Ok(()));
        }
        for weight in [0.0, -1.0, 1000.5, f64::NAN, f64::INFINITY] {
            let message = fault(&|corpus| corpus.weight = weight).unwrap_err();
            let start = format!("data.train[2].weight: {weight} is not above 0 and at most 1000\nhint: ");
            assert!(message.starts_with(&start), "{message}");
        }
        for tag in ["<2de>", "<bt>", "<번역>", "<zh-Hans>"] {
            assert_eq!(fault(&|corpus| corpus.tag = Some(tag.into())), Ok(()));
        }
        let long = format!("<{}>", "x".repeat(63));
        for tag in [
            "",
            "2de",
            "<2de",
            "2de>",
            "<>",
            "<2 de>",
            "<2\u{a0}de>",
            "<a><b>",
            "<s>",
            "<pad>",
            &long,
        ] {
            let message = fault(&|corpus| corpus.tag = Some(tag.into())).unwrap_err();
            assert!(
                message.starts_with("data.train[2].tag: \"") && message.contains("\nhint: "),
                "{message}"
            );
        }
    }
}
