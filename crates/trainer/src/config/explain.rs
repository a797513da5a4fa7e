//! Faults in the user's terms, with their place in the file.

use ember_data::config::{DataConfig, TokenizerConfig};
use ember_model::config::{DecodingConfig, ModelConfig};

use super::error::{ConfigError, nearest};
use super::reader::{Fault, Kind, keys_of};
use super::tree::{Node, Origin, Tree, Value};
use super::{TrainingConfig, ValidationConfig};

impl Tree<'_> {
    /// Adds file and line, or the override, to a fault of a value. A key that is not in the file has the line of its
    /// section.
    pub(super) fn locate(&self, error: ConfigError) -> ConfigError {
        let path = keys(&error.key);
        let found = self.find(&path);
        let (place, excerpt) = self.place(found.or_else(|| self.find(&path[..1])), found.is_none());
        ConfigError {
            place,
            excerpt,
            ..error
        }
    }

    /// A fault that serde found, in the user's terms.
    pub(super) fn explain(&self, fault: Fault) -> ConfigError {
        let Fault { mut path, kind } = fault;
        let (message, hint, mark_key) = match kind {
            Kind::UnknownKey { key, known } => {
                let told = unknown_key(&path, &key, known);
                path.push(key);
                told
            }
            Kind::UnknownValue { value, known } => {
                let message = format!("unknown value `{value}` for {}", dotted(&path));
                (message, suggestion(&value, known, "known are"), false)
            }
            Kind::Missing { key } => missing(&path, key),
            Kind::Mismatch { found, expected } => {
                let culprit = self.culprit(&path, &found);
                let unknown = culprit.is_none() && self.is_table(&path) && found != "map";
                path.extend(culprit);
                let subject = if unknown { "a value of " } else { "" };
                let hint = match found.starts_with("string") && !expected.contains("string") {
                    true => "numbers, true and false stand without quotes",
                    false => "docs/CONFIG.md has the form of every key",
                };
                let (found, expected) = (in_words(&found), in_words(&expected));
                (
                    format!("{subject}{} is {found}, not {expected}", dotted(&path)),
                    hint.into(),
                    false,
                )
            }
            Kind::Other(message) => {
                let (message, hint) = message.split_once("\nhint: ").unwrap_or((&message, ""));
                (format!("{}: {message}", dotted(&path)), hint.to_string(), false)
            }
        };
        let (place, excerpt) = self.place(self.find(&path).filter(|_| !path.is_empty()), mark_key);
        ConfigError {
            place,
            key: dotted(&path),
            message,
            excerpt,
            hint,
        }
    }

    fn is_table(&self, path: &[String]) -> bool {
        self.find(path)
            .is_some_and(|node| matches!(node.value, Value::Table(_)))
    }

    /// The entry of a tagged table that has the value serde complains of: it has forgotten by then which key it was.
    /// None if two have it.
    fn culprit(&self, path: &[String], found: &str) -> Option<String> {
        let Value::Table(entries) = &self.find(path)?.value else {
            return None;
        };
        let mut same = entries
            .iter()
            .filter(|(_, node)| node.unexpected().to_string() == found);
        match (same.next(), same.next()) {
            (Some((key, _)), None) => Some(key.clone()),
            _ => None,
        }
    }
}

impl Node {
    /// Bytes of the file to underline: the key, or the value where it has any.
    pub(super) fn span(&self, mark_key: bool) -> Option<std::ops::Range<usize>> {
        match &self.origin {
            Origin::File { key, value } => Some(if mark_key || value.is_empty() { key } else { value }.clone()),
            Origin::Set(_) => None,
        }
    }
}

/// Message, hint, and whether the key is to be underlined.
type Told = (String, String, bool);

fn unknown_key(section: &[String], key: &str, known: &'static [&'static str]) -> Told {
    let (place, of) = match section {
        [] => ("at the top level".into(), "at the top level".into()),
        _ => (format!("in [{}]", dotted(section)), format!("of [{}]", dotted(section))),
    };
    let hint = match home_of(key) {
        Some(home) if nearest(key, known.iter().copied()).is_none() => format!("`{key}` belongs in [{home}]"),
        _ => suggestion(key, known, &format!("the keys {of} are")),
    };
    (format!("unknown key `{key}` {place}"), hint, true)
}

/// The one section that knows a key.
fn home_of(key: &str) -> Option<&'static str> {
    let sections = [
        ("data", keys_of::<DataConfig>()),
        ("tokenizer", keys_of::<TokenizerConfig>()),
        ("model", keys_of::<ModelConfig>()),
        ("training", keys_of::<TrainingConfig>()),
        ("validation", keys_of::<ValidationConfig>()),
        ("decoding", keys_of::<DecodingConfig>()),
    ];
    let mut homes = sections.iter().filter(|(_, keys)| keys.contains(&key));
    match (homes.next(), homes.next()) {
        (Some((home, _)), None) => Some(home),
        _ => None,
    }
}

fn missing(section: &[String], key: &str) -> Told {
    let hint = match (section, key) {
        ([], "data" | "tokenizer" | "training") => {
            return (
                format!("the section [{key}] is missing"),
                format!("add it: [{key}]"),
                true,
            );
        }
        ([], "name") => "add name = \"…\", it names the run folder".into(),
        (_, "stop_after") => "add stop_after = \"8000u\" (updates), \"5e\" (epochs) or \"10Mt\" (target tokens)".into(),
        (_, "kind") => "add kind = \"…\"".into(),
        _ => format!("add {key} = …"),
    };
    let place = if section.is_empty() {
        "at the top level".into()
    } else {
        format!("in [{}]", dotted(section))
    };
    (format!("`{key}` is missing {place}"), hint, true)
}

fn suggestion(written: &str, known: &[&str], lead: &str) -> String {
    let all = known.join(", ");
    match nearest(written, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`? {lead} {all}"),
        None => format!("{lead} {all}"),
    }
}

/// serde's names of what it found and expected, in words.
fn in_words(name: &str) -> &str {
    match name {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "map" | "a map" => "a table",
        "sequence" => "a list",
        "path string" => "a path in quotes",
        "variant identifier" => "a string",
        other if other.starts_with("struct ") => "a table",
        other if other.starts_with("internally tagged enum ") => "a table such as { kind = \"…\" }",
        other => ["integer ", "floating point ", "boolean ", "string "]
            .iter()
            .find_map(|kind| other.strip_prefix(kind))
            .unwrap_or(other),
    }
}

/// The keys data, train, 1 of `data.train[1]`.
fn keys(dotted: &str) -> Vec<String> {
    let names = dotted.split(['.', '[']);
    names
        .map(|name| name.strip_suffix(']').unwrap_or(name).to_owned())
        .collect()
}

/// `data.train[1]` for the keys data, train, 1.
fn dotted(path: &[String]) -> String {
    let mut text = String::new();
    for key in path {
        match key.parse::<usize>() {
            Ok(index) => text += &format!("[{index}]"),
            Err(_) if text.is_empty() => text += key,
            Err(_) => text += &format!(".{key}"),
        }
    }
    text
}
