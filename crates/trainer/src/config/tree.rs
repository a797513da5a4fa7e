//! TOML as a tree in which every value remembers where it came from: a stretch of the file, or a `--set`.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Excerpt, nearest};
use super::reader::{Fault, Kind};

/// A value and where it came from.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub origin: Origin,
    pub value: Value,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    String(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    /// No key takes one.
    Datetime,
    Array(Vec<Node>),
    Table(Vec<(String, Node)>),
}

#[derive(Debug, Clone)]
pub(super) enum Origin {
    /// Bytes of the file.
    File { key: Range<usize>, value: Range<usize> },
    /// The override as it was given.
    Set(String),
}

/// A config file and its overrides.
pub(super) struct Tree<'a> {
    pub root: Node,
    text: &'a str,
    path: &'a Path,
}

impl<'a> Tree<'a> {
    pub(super) fn parse(text: &'a str, path: &'a Path) -> Result<Self, ConfigError> {
        let table = DeTable::parse(text).map_err(|error| {
            let excerpt = error.span().map(|span| Excerpt::of(text, span));
            let hint = "a config is TOML: `[section]` lines, `key = value` lines, strings in quotes";
            failure(
                &file_place(path, excerpt.as_ref()),
                "",
                error.message().to_lowercase(),
                excerpt,
                hint,
            )
        })?;
        let span = table.span();
        let root = convert(
            &DeValue::Table(table.into_inner()),
            &Origin::File { key: 0..0, value: span },
        );
        let root = root.map_err(|(span, message)| {
            let excerpt = Some(Excerpt::of(text, span));
            failure(&file_place(path, excerpt.as_ref()), "", message, excerpt, "")
        })?;
        Ok(Self { root, text, path })
    }

    /// Applies `section.key=value`. The value is TOML; what is no TOML and does not look like it is a string.
    pub(super) fn set(&mut self, assignment: &str) -> Result<(), ConfigError> {
        let place = format!("--set {assignment}");
        let hint = "write --set section.key=value, such as --set training.stop_after=120u";
        let fail = |message: &str| Err(failure(&place, "", message.into(), None, hint));
        let Some((key, text)) = assignment.split_once('=') else {
            return fail("the `=` is missing");
        };
        let keys: Vec<&str> = key.split('.').map(str::trim).collect();
        if keys.iter().any(|key| key.is_empty()) {
            return fail("the key is incomplete");
        }
        let origin = Origin::Set(assignment.into());
        let value = match override_value(text.trim(), &origin) {
            Ok(value) => value,
            Err(message) => return fail(&message),
        };
        let mut node = &mut self.root;
        for (depth, key) in keys.iter().enumerate() {
            let Value::Table(entries) = &mut node.value else {
                return fail(&format!("{} is not a section", keys[..depth].join(".")));
            };
            let at = entries.iter().position(|(name, _)| name == key).unwrap_or_else(|| {
                entries.push((
                    key.to_string(),
                    Node {
                        origin: origin.clone(),
                        value: Value::Table(vec![]),
                    },
                ));
                entries.len() - 1
            });
            node = &mut entries[at].1;
        }
        *node = Node { origin, value };
        Ok(())
    }

    /// Adds file and line, or the override, to a fault of a value.
    pub(super) fn locate(&self, error: ConfigError) -> ConfigError {
        let path: Vec<String> = error.key.split('.').map(Into::into).collect();
        let found = self.find(&path).or_else(|| self.find(&path[..1]));
        let (place, excerpt) = self.place(found, |origin| match origin {
            Origin::File { key, value } if self.find(&path).is_none() || value.is_empty() => key.clone(),
            Origin::File { value, .. } => value.clone(),
            Origin::Set(_) => 0..0,
        });
        ConfigError {
            place,
            excerpt,
            ..error
        }
    }

    /// A fault that serde found, in the user's terms.
    pub(super) fn explain(&self, fault: Fault) -> ConfigError {
        let Fault { mut path, kind } = fault;
        let section = |path: &[String]| match path {
            [] => "at the top level".to_string(),
            path => format!("in [{}]", dotted(path)),
        };
        let (message, hint, mark_key) = match kind {
            Kind::UnknownKey { key, known } => {
                let message = format!("unknown key `{key}` {}", section(&path));
                let hint = suggestion(
                    &key,
                    known,
                    &format!("the keys {} are", section(&path).replacen("in", "of", 1)),
                );
                path.push(key);
                (message, hint, true)
            }
            Kind::UnknownValue { value, known } => (
                format!("unknown value `{value}` for {}", dotted(&path)),
                suggestion(&value, known, "known are"),
                false,
            ),
            Kind::Missing { key } => {
                let message = format!("`{key}` is missing {}", section(&path));
                (message, missing_hint(&path, key), true)
            }
            Kind::Mismatch { found, expected } => {
                path.extend(self.culprit(&path, &found));
                let expected = plain(&expected);
                (
                    format!("{} is {}, not {expected}", dotted(&path), found),
                    String::new(),
                    false,
                )
            }
            Kind::Other(message) if message.contains("untagged enum Paths") => (
                format!("{} is not a path or a list of paths", dotted(&path)),
                String::new(),
                false,
            ),
            Kind::Other(message) => {
                let (message, hint) = message.split_once("\nhint: ").unwrap_or((&message, ""));
                (format!("{}: {message}", dotted(&path)), hint.to_string(), false)
            }
        };
        let node = self.find(&path).filter(|_| !path.is_empty());
        let (place, excerpt) = self.place(node, |origin| match origin {
            Origin::File { key, value } => if mark_key || value.is_empty() { key } else { value }.clone(),
            Origin::Set(_) => 0..0,
        });
        ConfigError {
            place,
            key: dotted(&path),
            message,
            excerpt,
            hint,
        }
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

    fn find(&self, path: &[String]) -> Option<&Node> {
        path.iter().try_fold(&self.root, |node, key| match &node.value {
            Value::Table(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, node)| node),
            Value::Array(items) => items.get(key.parse::<usize>().ok()?),
            _ => None,
        })
    }

    fn place(&self, node: Option<&Node>, span: impl Fn(&Origin) -> Range<usize>) -> (String, Option<Excerpt>) {
        match node.map(|node| &node.origin) {
            Some(Origin::Set(assignment)) => (format!("--set {assignment}"), None),
            Some(origin) => {
                let excerpt = Excerpt::of(self.text, span(origin));
                (file_place(self.path, Some(&excerpt)), Some(excerpt))
            }
            None => (file_place(self.path, None), None),
        }
    }
}

/// The value of an override: TOML, or a bare word that becomes a string.
fn override_value(text: &str, origin: &Origin) -> Result<Value, String> {
    match DeValue::parse(text) {
        // A bare 2026-11-21 is more likely a name than a date, and no key takes a date.
        Ok(value) if value.get_ref().is_datetime() => Ok(Value::String(text.into())),
        Ok(value) => convert(value.get_ref(), origin)
            .map(|node| node.value)
            .map_err(|(_, message)| message),
        Err(error) if text.starts_with(['"', '\'', '[', '{']) => Err(error.message().to_lowercase()),
        Err(_) => Ok(Value::String(text.into())),
    }
}

/// toml's tree to ours; a number that does not fit is told with its place.
fn convert(value: &DeValue<'_>, origin: &Origin) -> Result<Node, (Range<usize>, String)> {
    let span = match origin {
        Origin::File { value, .. } => value.clone(),
        Origin::Set(_) => 0..0,
    };
    let child = |key: Range<usize>, value: &Spanned<DeValue<'_>>| {
        let origin = match origin {
            Origin::File { .. } => Origin::File {
                key,
                value: value.span(),
            },
            set => set.clone(),
        };
        convert(value.get_ref(), &origin)
    };
    let value = match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => {
            Value::Integer(i64::from_str_radix(number.as_str(), number.radix()).map_err(|_| {
                (
                    span,
                    format!("{} is beyond the greatest integer {}", number.as_str(), i64::MAX),
                )
            })?)
        }
        DeValue::Float(number) => Value::Float(
            number
                .as_str()
                .parse()
                .map_err(|_| (span, format!("`{}` is not a number", number.as_str())))?,
        ),
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Datetime(_) => Value::Datetime,
        DeValue::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| child(item.span(), item))
                .collect::<Result<_, _>>()?,
        ),
        DeValue::Table(entries) => Value::Table(
            entries
                .iter()
                .map(|(key, value)| Ok((key.get_ref().to_string(), child(key.span(), value)?)))
                .collect::<Result<_, _>>()?,
        ),
    };
    Ok(Node {
        origin: origin.clone(),
        value,
    })
}

fn failure(place: &str, key: &str, message: String, excerpt: Option<Excerpt>, hint: &str) -> ConfigError {
    ConfigError {
        place: place.into(),
        key: key.into(),
        message,
        excerpt,
        hint: hint.into(),
    }
}

fn file_place(path: &Path, excerpt: Option<&Excerpt>) -> String {
    match excerpt {
        Some(excerpt) => format!("{}:{}", path.display(), excerpt.line),
        None => path.display().to_string(),
    }
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

/// serde's names of what it expected, in words.
fn plain(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a map" => "a section",
        "path string" => "a path in quotes",
        other if other.starts_with("struct ") => "a section",
        other if other.starts_with("internally tagged enum ") => "a table such as { kind = \"…\" }",
        other => other,
    }
}

fn suggestion(written: &str, known: &[&str], lead: &str) -> String {
    let all = known.join(", ");
    match nearest(written, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`? {lead} {all}"),
        None => format!("{lead} {all}"),
    }
}

fn missing_hint(path: &[String], key: &str) -> String {
    match (path, key) {
        ([], "data" | "tokenizer" | "training") => format!("add the section [{key}]"),
        ([], "name") => "add name = \"…\", it names the run folder".into(),
        (_, "stop_after") => "add stop_after = \"8000u\" (updates), \"5e\" (epochs) or \"10Mt\" (target tokens)".into(),
        (_, "kind") => "add kind = \"…\"".into(),
        _ => format!("add {key} = …"),
    }
}
