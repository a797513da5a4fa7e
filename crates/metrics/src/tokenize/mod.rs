//! The tokenizers that BLEU and TER bring along, so that scores do not depend on how a system cuts its words.
//!
//! | module | tokenizer |
//! |---|---|
//! | `rules` | patterns that put spaces around what they match, the mechanism of all others |
//! | `western` | `13a`, the language-independent and Western part of NIST's `mteval-v13a` |
//! | `international` | `intl`, the Unicode classes of `mteval-v14` |
//! | `chinese` | `zh`, a space around each Chinese character, then as `13a` |
//! | `tercom` | what TER does before it counts edits |

mod chinese;
mod international;
mod rules;
pub(crate) mod tercom;
mod western;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::MetricError;
use crate::text;

/// The names that can be asked for.
pub(crate) const NAMES: [&str; 5] = ["13a", "intl", "char", "none", "zh"];

/// The tokenizer of BLEU, under its name in sacreBLEU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum BleuTokenizer {
    /// `13a`: as NIST's `mteval-v13a`, the default of WMT.
    #[default]
    Thirteen,
    /// `intl`: by Unicode punctuation and symbols, as `mteval-v14`.
    Intl,
    /// `char`: every character is a token.
    Char,
    /// `none`: the text is tokenised already.
    None,
    /// `zh`: every Chinese character is a token, the rest as `13a`.
    Zh,
}

impl BleuTokenizer {
    /// Puts white space between the tokens; [`text::words`] then yields them.
    pub fn tokenize(self, line: &str) -> String {
        match self {
            Self::Thirteen => western::tokenize(line),
            Self::Intl => international::tokenize(line),
            Self::Char => line.chars().flat_map(|c| [c, ' ']).collect(),
            Self::None => line.to_string(),
            Self::Zh => chinese::tokenize(text::trim(line)),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Thirteen => "13a",
            Self::Intl => "intl",
            Self::Char => "char",
            Self::None => "none",
            Self::Zh => "zh",
        }
    }
}

impl fmt::Display for BleuTokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for BleuTokenizer {
    type Err = MetricError;

    fn from_str(name: &str) -> Result<Self, MetricError> {
        let (needs, instead) = match name {
            "13a" => return Ok(Self::Thirteen),
            "intl" => return Ok(Self::Intl),
            "char" => return Ok(Self::Char),
            "none" => return Ok(Self::None),
            "zh" => return Ok(Self::Zh),
            "ja-mecab" => ("MeCab and a Japanese dictionary", "use `char` for Japanese"),
            "ko-mecab" => (
                "MeCab and a Korean dictionary",
                "use `char` for Korean, or `13a`, which cuts at its spaces",
            ),
            "spm" | "flores101" | "flores200" | "spBLEU-1K" => (
                "a SentencePiece model from the network",
                "use `char` for languages that are written without spaces, `13a` or `intl` for others",
            ),
            _ => return Err(MetricError::UnknownTokenizer { name: name.to_string() }),
        };
        Err(MetricError::UnsupportedTokenizer {
            name: name.to_string(),
            needs,
            instead,
        })
    }
}

impl From<BleuTokenizer> for String {
    fn from(tokenizer: BleuTokenizer) -> Self {
        tokenizer.name().to_string()
    }
}

impl TryFrom<String> for BleuTokenizer {
    type Error = MetricError;

    fn try_from(name: String) -> Result<Self, MetricError> {
        name.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for name in NAMES {
            assert_eq!(name.parse::<BleuTokenizer>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn refusals_say_what_is_there() {
        let error = "13b".parse::<BleuTokenizer>().unwrap_err().to_string();
        assert_eq!(
            error,
            "tokenizer `13b` is unknown\nhint: one of 13a, intl, char, none, zh"
        );
        for (name, needs) in [
            ("ja-mecab", "MeCab and a Japanese dictionary"),
            ("ko-mecab", "MeCab and a Korean dictionary"),
            ("spm", "a SentencePiece model"),
            ("flores101", "a SentencePiece model"),
            ("flores200", "a SentencePiece model"),
            ("spBLEU-1K", "a SentencePiece model"),
        ] {
            let error = name.parse::<BleuTokenizer>().unwrap_err().to_string();
            let start = format!("tokenizer `{name}` needs {needs}");
            assert!(error.starts_with(&start) && error.contains("not built in"), "{error}");
            assert!(
                error.contains("\nhint: use `char`") && error.contains("`none`"),
                "{error}"
            );
        }
    }

    #[test]
    fn serde_uses_the_name() {
        assert_eq!(serde_json::to_string(&BleuTokenizer::Thirteen).unwrap(), "\"13a\"");
        assert_eq!(
            serde_json::from_str::<BleuTokenizer>("\"zh\"").unwrap(),
            BleuTokenizer::Zh
        );
        assert!(serde_json::from_str::<BleuTokenizer>("\"moses\"").is_err());
    }

    #[test]
    fn characters_are_tokens() {
        let line = BleuTokenizer::Char.tokenize("a b\u{3000}ü");
        assert_eq!(text::words(&line).collect::<Vec<_>>(), ["a", "b", "ü"]);
    }
}
