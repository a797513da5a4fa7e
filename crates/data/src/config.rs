//! The `[data]` and `[tokenizer]` sections of a config file, with every default in one place.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One path or several: `train = "a"` and `train = ["a", "b"]` mean what they look like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Paths {
    /// A single path.
    One(PathBuf),
    /// Several, joined in this order.
    Many(Vec<PathBuf>),
}

impl Paths {
    /// The paths in order.
    pub fn as_slice(&self) -> &[PathBuf] {
        match self {
            Paths::One(path) => std::slice::from_ref(path),
            Paths::Many(paths) => paths,
        }
    }

    /// The paths in order, to change in place (to resolve them against the config file's folder).
    pub fn as_mut_slice(&mut self) -> &mut [PathBuf] {
        match self {
            Paths::One(path) => std::slice::from_mut(path),
            Paths::Many(paths) => paths,
        }
    }
}

/// The `[data]` section: which text to read, and which pairs to leave out.
///
/// A corpus is named by the path its two files share: with `source = "en"` and `target = "de"`, `train` means
/// `train.en` and `train.de`, each as it is or with `.gz` or `.zst` behind it. A name that ends in `.tsv`, `.tsv.gz` or
/// `.tsv.zst` is one file with `source TAB target` on every line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// File extension of the source side, by custom its language code.
    pub source: String,
    /// File extension of the target side.
    pub target: String,
    /// Training corpora; several are joined.
    pub train: Paths,
    /// Validation corpus.
    pub valid: PathBuf,
    /// Test corpora by name.
    #[serde(default)]
    pub test: BTreeMap<String, PathBuf>,
    /// Longest sentence in sub-word tokens, end-of-sentence token not counted; longer training pairs are left out.
    #[serde(default = "default_max_length")]
    pub max_length: usize,
    /// Leave out a training pair that was seen before, word for word on both sides.
    #[serde(default)]
    pub deduplicate: bool,
}

fn default_max_length() -> usize {
    128
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
    /// Largest number of entries, special tokens included (per side unless `shared`). Words and chars: the most frequent.
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
    /// BPE-dropout: probability of leaving out a merge while training (Provilkov et al. 2020). 0 is off.
    #[serde(default)]
    pub dropout: f32,
    /// `sentencepiece`: the model, or the source side's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<PathBuf>,
    /// `sentencepiece` with `shared = false`: the target side's model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_model: Option<PathBuf>,
}

fn default_vocabulary() -> usize {
    8000
}

fn default_true() -> bool {
    true
}
