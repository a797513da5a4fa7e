//! The `[data]` and `[tokenizer]` sections of a config file, with every default in one place.

mod corpus;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use corpus::{Corpora, CorpusConfig};
use serde::{Deserialize, Serialize};

use crate::corpus::CorpusFiles;
use crate::{DataError, Result};

/// The `[data]` section: which text to read, and which pairs to leave out.
///
/// A corpus is named by the path its two files share: with `source = "en"` and `target = "de"`, `train` means
/// `train.en` and `train.de`, each as it is or with `.gz` or `.zst` behind it. A name that ends in `.tsv`, `.tsv.gz` or
/// `.tsv.zst` is one file with `source TAB target` on every line. A table names more than the path, see [`CorpusConfig`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// File extension of the source side, by custom its language code.
    pub source: String,
    /// File extension of the target side.
    pub target: String,
    /// Training corpora; several are joined.
    pub train: Corpora,
    /// Validation corpora; several are joined.
    pub valid: Corpora,
    /// Test corpora by name.
    #[serde(default)]
    pub test: BTreeMap<String, CorpusConfig>,
    /// Longest sentence in sub-word tokens, tag and end-of-sentence token not counted; longer training pairs are left out.
    #[serde(default = "default_max_length")]
    pub max_length: usize,
    /// Leave out a training pair that was seen before, word for word on both sides.
    #[serde(default)]
    pub deduplicate: bool,
}

fn default_max_length() -> usize {
    128
}

/// Longest `max_length`: attention over more would not fit into any machine's memory.
const LONGEST: usize = 65_536;

impl DataConfig {
    /// Finds the files of a corpus, its extensions or else the section's.
    ///
    /// # Errors
    ///
    /// As [`CorpusFiles::resolve`].
    pub fn files(&self, corpus: &CorpusConfig) -> Result<CorpusFiles> {
        let [source, target] = self.extensions(corpus);
        CorpusFiles::resolve(&corpus.path, source, target)
    }

    /// Checks what can be checked without looking at files.
    ///
    /// # Errors
    ///
    /// A [`DataError::Setting`] that names the key.
    pub fn validate(&self) -> Result<()> {
        validate_extensions("data", [&self.source, &self.target])?;
        for (key, corpora) in [("data.train", &self.train), ("data.valid", &self.valid)] {
            if corpora.as_slice().is_empty() {
                let hint = "name one path, or several in a list";
                return setting(key, "no corpus is named".into(), hint);
            }
        }
        if !(1..=LONGEST).contains(&self.max_length) {
            let message = format!("{} is not between 1 and {LONGEST}", self.max_length);
            return setting("data.max_length", message, "128 sub-words hold nearly every sentence");
        }
        for name in self.test.keys() {
            let plain = name
                .chars()
                .all(|character| character.is_alphanumeric() || "-_.".contains(character));
            if !plain || name.is_empty() || name.starts_with('.') || ["train", "valid"].contains(&name.as_str()) {
                let hint = "use letters, digits, -, _ and dots: files in the run folder are named after it; \
                            \"train\" and \"valid\" are taken";
                return setting("data.test", format!("{name:?} cannot be the name of a test set"), hint);
            }
        }
        self.validate_corpora()
    }

    /// Every corpus with its key, such as `data.train[1]`: training, validation, test.
    pub fn corpora(&self) -> Vec<(String, &CorpusConfig)> {
        let mut corpora = self.train.with_keys("data.train");
        corpora.extend(self.held_out());
        corpora
    }

    /// The same without training.
    fn held_out(&self) -> Vec<(String, &CorpusConfig)> {
        let test = self.test.iter();
        let test = test.map(|(name, corpus)| (format!("data.test.{name}"), corpus));
        self.valid.with_keys("data.valid").into_iter().chain(test).collect()
    }

    fn extensions<'a>(&'a self, corpus: &'a CorpusConfig) -> [&'a str; 2] {
        [
            corpus.source.as_deref().unwrap_or(&self.source),
            corpus.target.as_deref().unwrap_or(&self.target),
        ]
    }

    fn validate_corpora(&self) -> Result<()> {
        for (key, corpus) in self.corpora() {
            corpus.validate(&key)?;
            if corpus.source.is_some() || corpus.target.is_some() {
                validate_extensions(&key, self.extensions(corpus))?;
            }
        }
        let (known, all_have_tags) = (self.train.tags(), self.train.all_have_tags());
        for (key, corpus) in self.held_out() {
            if corpus.weight != 1.0 {
                let message = format!("{} has no meaning: every line is translated once", corpus.weight);
                return setting(
                    &format!("{key}.weight"),
                    message,
                    "leave it out: training corpora have weights",
                );
            }
            match &corpus.tag {
                Some(tag) if !known.contains(tag) => {
                    let hint = match known.len() {
                        0 => "leave it out, or give training corpora tags".to_owned(),
                        _ => format!("the tags of training corpora are {}", known.join(", ")),
                    };
                    let message = format!("{tag} is the tag of no training corpus");
                    return setting(&format!("{key}.tag"), message, &hint);
                }
                None if all_have_tags => {
                    let hint = format!("write {{ path = \"…\", tag = \"…\" }} with one of {}", known.join(", "));
                    return setting(&key, "has no tag, and every training corpus has one".into(), &hint);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Checks the file extensions of source and target that stand below a key.
fn validate_extensions(key: &str, [source, target]: [&str; 2]) -> Result<()> {
    for (side, extension) in [("source", source), ("target", target)] {
        if extension.is_empty() || extension.starts_with('.') || extension.contains(['/', '\\']) {
            let hint = "give the ending of the file names without its dot, such as \"en\"";
            return setting(
                &format!("{key}.{side}"),
                format!("{extension:?} is no file extension"),
                hint,
            );
        }
    }
    if source == target {
        let hint = "the sides are two files whose names differ in their ending, such as train.en and train.de";
        let message = format!("{target:?} is the source side's extension too");
        return setting(&format!("{key}.target"), message, hint);
    }
    Ok(())
}

/// A fault of the value that stands under a key.
fn setting(key: &str, message: String, hint: &str) -> Result<()> {
    Err(DataError::Setting {
        key: key.into(),
        message,
        hint: hint.into(),
    })
}

/// How text becomes tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenizerKind {
    /// Byte-pair encoding, learnt here from the training corpus.
    Bpe,
    /// Words split at spaces; rare words become `<unk>`.
    Words,
    /// Unicode characters.
    Chars,
    /// A SentencePiece model that the user brings.
    Sentencepiece,
}

/// The `[tokenizer]` section.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenizerConfig {
    /// How text becomes tokens.
    pub kind: TokenizerKind,
    /// Largest number of entries, the 4 special tokens and for `bpe` the 256 bytes included (per side unless `shared`).
    /// Words and chars: the most frequent. `sentencepiece` has its model's.
    #[serde(default = "default_vocabulary")]
    pub vocabulary: usize,
    /// One vocabulary for both sides.
    #[serde(default = "default_true")]
    pub shared: bool,
    /// `bpe` for text that is already tokenised: words are what stands between spaces, learnt and written as
    /// subword-nmt does with the end-of-word marker `</w>`.
    #[serde(default)]
    pub pretokenized: bool,
    /// `bpe` with `pretokenized`: number of merges to learn; replaces `vocabulary`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merges: Option<usize>,
    /// `bpe`: probability of leaving out a merge while training (BPE-dropout, Provilkov et al. 2020). 0 is off.
    #[serde(default)]
    pub dropout: f32,
    /// `sentencepiece`: the model, or the source side's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<PathBuf>,
    /// `sentencepiece` with `shared = false`: the target side's model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_model: Option<PathBuf>,
}

impl TokenizerConfig {
    /// A section that names nothing but the kind: all else has its default.
    pub fn new(kind: TokenizerKind) -> Self {
        Self {
            kind,
            vocabulary: default_vocabulary(),
            shared: default_true(),
            pretokenized: false,
            merges: None,
            dropout: 0.0,
            model: None,
            target_model: None,
        }
    }

    /// Checks the section on its own, without a look at any file.
    ///
    /// # Errors
    ///
    /// A value outside its limits, or a setting that the kind of tokenizer has no use for.
    pub fn validate(&self) -> Result<()> {
        let is_bpe = self.kind == TokenizerKind::Bpe;
        let is_sentencepiece = self.kind == TokenizerKind::Sentencepiece;

        let smallest = if is_bpe {
            SMALLEST_BPE_VOCABULARY
        } else {
            SMALLEST_VOCABULARY
        };
        let counts = !is_sentencepiece && self.merges.is_none();
        if counts && !(smallest..=LARGEST_VOCABULARY).contains(&self.vocabulary) {
            let message = format!("{} is not between {smallest} and {LARGEST_VOCABULARY}", self.vocabulary);
            return setting("tokenizer.vocabulary", message, "4000 to 32000 suits most corpora");
        }
        if self.pretokenized && !is_bpe {
            let message = "true has a meaning for kind = \"bpe\" only".to_owned();
            return setting("tokenizer.pretokenized", message, "leave it out, or set kind = \"bpe\"");
        }
        if let Some(merges) = self.merges {
            if !(is_bpe && self.pretokenized) {
                let message = format!("{merges} merges are learnt for pre-tokenised bpe only");
                return setting(
                    "tokenizer.merges",
                    message,
                    "give vocabulary instead, or set pretokenized = true",
                );
            }
            if merges > LARGEST_VOCABULARY {
                let message = format!("{merges} is above {LARGEST_VOCABULARY}");
                return setting("tokenizer.merges", message, "4000 to 32000 suits most corpora");
            }
        }
        if !(0.0..=1.0).contains(&self.dropout) {
            let message = format!("{} is not between 0 and 1", self.dropout);
            return setting(
                "tokenizer.dropout",
                message,
                "0.1 is the usual value; 0 turns BPE-dropout off",
            );
        }
        if self.dropout > 0.0 && !is_bpe {
            let message = format!("{} has a meaning for kind = \"bpe\" only", self.dropout);
            return setting("tokenizer.dropout", message, "leave it out, or set kind = \"bpe\"");
        }
        match (&self.model, &self.target_model) {
            (Some(_), _) if !is_sentencepiece => {
                let message = "a model is read for kind = \"sentencepiece\" only".to_owned();
                setting(
                    "tokenizer.model",
                    message,
                    "leave it out, or set kind = \"sentencepiece\"",
                )
            }
            (None, _) if is_sentencepiece => {
                let message = "is missing, and kind = \"sentencepiece\" reads one".to_owned();
                setting(
                    "tokenizer.model",
                    message,
                    "name the .model file that SentencePiece wrote",
                )
            }
            (_, Some(_)) if self.shared || !is_sentencepiece => {
                let message = "is read for kind = \"sentencepiece\" with shared = false only".to_owned();
                setting("tokenizer.target_model", message, "leave it out, or set shared = false")
            }
            (_, None) if is_sentencepiece && !self.shared => {
                let message = "is missing, and shared = false reads a model for each side".to_owned();
                setting(
                    "tokenizer.target_model",
                    message,
                    "name the target side's model, or set shared = true",
                )
            }
            _ => Ok(()),
        }
    }
}

/// The 4 special tokens and one entry.
const SMALLEST_VOCABULARY: usize = 5;
/// The 4 special tokens, the 256 bytes and one entry.
const SMALLEST_BPE_VOCABULARY: usize = 261;
/// More is a typing error; an embedding table of this height would not fit any accelerator.
const LARGEST_VOCABULARY: usize = 10_000_000;

fn default_vocabulary() -> usize {
    8000
}

fn default_true() -> bool {
    true
}

#[cfg(test)]
mod data_tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_named() {
        let good = DataConfig {
            source: "en".into(),
            target: "de".into(),
            train: Corpora::One(CorpusConfig::new("train")),
            valid: Corpora::One(CorpusConfig::new("valid")),
            test: BTreeMap::from([("test2016".into(), CorpusConfig::new("test2016"))]),
            max_length: 128,
            deduplicate: false,
        };
        good.validate().unwrap();
        let error = |change: &dyn Fn(&mut DataConfig)| {
            let mut config = good.clone();
            change(&mut config);
            config.validate().unwrap_err().to_string()
        };
        assert!(
            error(&|config| config.source = ".en".into())
                .starts_with("data.source: \".en\" is no file extension\nhint: ")
        );
        assert!(error(&|config| config.target = "en".into()).starts_with("data.target: "));
        assert!(error(&|config| config.train = Corpora::Many(vec![])).starts_with("data.train: "));
        assert!(error(&|config| config.max_length = 0).starts_with("data.max_length: 0 is not between 1 and 65536\n"));
        let test = |name: &str| BTreeMap::from([(name.to_owned(), CorpusConfig::new(""))]);
        for name in ["", "a/b", "valid", ".."] {
            assert!(
                error(&|config| config.test = test(name)).starts_with("data.test: "),
                "{name}"
            );
        }
    }
}
