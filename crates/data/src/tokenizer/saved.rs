//! `tokenizer.json`: one line of JSON that holds all that a tokenizer is.
//!
//! The pieces stand in it as the text they mean, so a space is a space and nothing needs a marker; the ids follow from
//! their order. A checksum tells a file that was damaged or edited from one that was not, because ids that shift by
//! one place would otherwise turn a good model's output into noise.
//!
//! Tags make it version 2, which programs that know none refuse; without tags it is version 1, as it always was.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::bpe::Bpe;
use super::lexicon::{Chars, Words};
use super::sentencepiece::SentencePiece;
use super::{Model, Tokenizer, damaged};
use crate::whole::write_whole;
use crate::{DataError, Result};

const FORMAT: &str = "EmberNMT tokenizer";
const VERSION: u32 = 1;
const VERSION_WITH_TAGS: u32 = 2;
const HINT: &str = "copy tokenizer.json anew from where the model was trained; its weights are of no use without it, and \
                    --fresh trains others";

/// What every version has.
#[derive(Deserialize)]
struct Header {
    format: String,
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct File {
    format: String,
    version: u32,
    /// blake3 of `sides` as JSON, and of `tags` where there are some.
    checksum: String,
    /// One model for both sides, or the source side's and the target side's.
    sides: Vec<Saved>,
    /// In the order of their ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum Saved {
    Bpe {
        pretokenized: bool,
        alphabet: String,
        merges: Vec<(String, String)>,
    },
    Words {
        entries: Vec<Box<str>>,
    },
    Chars {
        entries: String,
    },
    Sentencepiece {
        /// The model's file in hexadecimal.
        model: String,
    },
}

pub(super) fn to_bytes(models: &[Model], tags: &[String]) -> Vec<u8> {
    let sides: Vec<_> = models.iter().map(Saved::of).collect();
    let file = File {
        format: FORMAT.to_owned(),
        version: version(tags),
        checksum: checksum(&sides, tags),
        sides,
        tags: tags.to_vec(),
    };
    let mut bytes = json(&file);
    bytes.push(b'\n');
    bytes
}

/// Writes beside `path` and renames, so that nobody ever reads half a file. What a killed process leaves has a name
/// that the next start of a run removes.
pub(super) fn write(bytes: &[u8], path: &Path) -> Result<()> {
    write_whole(path, ".tmp-tokenizer-", bytes).map_err(|error| DataError::io("write", path, error))
}

pub(super) fn read(path: &Path) -> Result<Tokenizer> {
    let bytes = fs::read(path).map_err(|source| DataError::Io {
        action: "read",
        path: path.to_owned(),
        source,
        hint: "\nhint: a run's folder holds it from the beginning of its training; without it, only --fresh trains on"
            .to_owned(),
    })?;
    parse(&bytes).map_err(|message| damaged(path, message, HINT))
}

fn parse(bytes: &[u8]) -> Result<Tokenizer, String> {
    let foreign = |error| format!("is not a tokenizer file, or was cut off ({error})");
    let header: Header = serde_json::from_slice(bytes).map_err(foreign)?;
    if header.format != FORMAT {
        return Err(format!("format {:?} is not {FORMAT:?}", header.format));
    }
    if ![VERSION, VERSION_WITH_TAGS].contains(&header.version) {
        return Err(format!(
            "format version {} is none of {VERSION} and {VERSION_WITH_TAGS}, which this program reads",
            header.version
        ));
    }
    let file: File = serde_json::from_slice(bytes).map_err(|error| format!("is damaged ({error})"))?;
    if file.checksum != checksum(&file.sides, &file.tags) || file.version != version(&file.tags) {
        return Err("was changed after it was written: its content does not match its checksum".to_owned());
    }
    if !matches!(file.sides.len(), 1 | 2) {
        return Err(format!(
            "is damaged: a tokenizer has 1 or 2 sides, not {}",
            file.sides.len()
        ));
    }
    let models = file
        .sides
        .into_iter()
        .map(Saved::into_model)
        .collect::<Result<_, _>>()?;
    let tags = file.tags;
    Ok(Tokenizer { models, tags })
}

fn version(tags: &[String]) -> u32 {
    if tags.is_empty() { VERSION } else { VERSION_WITH_TAGS }
}

fn checksum(sides: &[Saved], tags: &[String]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&json(&sides));
    if !tags.is_empty() {
        hasher.update(&json(&tags));
    }
    hasher.finalize().to_hex().to_string()
}

/// These types hold strings, lists and flags alone, which JSON can always express.
fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("strings and lists become JSON")
}

impl Saved {
    fn of(model: &Model) -> Self {
        match model {
            Model::Bpe(bpe) => Saved::Bpe {
                pretokenized: bpe.is_pretokenized(),
                alphabet: bpe.alphabet().iter().collect(),
                merges: bpe
                    .merges()
                    .map(|(left, right)| (left.to_owned(), right.to_owned()))
                    .collect(),
            },
            Model::Words(words) => Saved::Words {
                entries: words.entries().to_vec(),
            },
            Model::Chars(chars) => Saved::Chars {
                entries: chars.entries().iter().collect(),
            },
            Model::SentencePiece(model) => Saved::Sentencepiece {
                model: to_hex(model.bytes()),
            },
        }
    }

    fn into_model(self) -> Result<Model, String> {
        match self {
            Saved::Bpe {
                pretokenized,
                alphabet,
                merges,
            } => {
                let mut bpe = Bpe::new(pretokenized, alphabet.chars().collect());
                for (left, right) in merges {
                    match (bpe.id(&left), bpe.id(&right)) {
                        (Some(left), Some(right)) => bpe.add_merge(left, right),
                        _ => {
                            return Err(format!(
                                "is damaged: the merge of {left:?} and {right:?} has no such pieces"
                            ));
                        }
                    };
                }
                Ok(Model::Bpe(bpe))
            }
            Saved::Words { entries } => Ok(Model::Words(Words::new(entries))),
            Saved::Chars { entries } => Ok(Model::Chars(Chars::new(entries.chars().collect()))),
            Saved::Sentencepiece { model } => {
                let bytes = from_hex(&model).ok_or("is damaged: its SentencePiece model is not in hexadecimal")?;
                Ok(Model::SentencePiece(Box::new(SentencePiece::new(bytes)?)))
            }
        }
    }
}

fn to_hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let value = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs
        .iter()
        .map(|&[high, low]| Some(value(high)? << 4 | value(low)?))
        .collect::<Option<_>>()?;
    rest.is_empty().then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_there_and_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(from_hex(&to_hex(&bytes)), Some(bytes));
        assert_eq!(from_hex("abc"), None);
        assert_eq!(from_hex("zz"), None);
    }
}
