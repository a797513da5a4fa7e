//! TOML as a tree in which every value remembers where it came from: a stretch of the file, or a `--set`.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Excerpt};

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

/// Most names in the key of an override; more would be built up only to be refused.
const DEEPEST: usize = 8;

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
                &file_place(path, excerpt.as_deref()),
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
            failure(&file_place(path, excerpt.as_deref()), "", message, excerpt, "")
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
        if keys.len() > DEEPEST {
            return fail(&format!("{} names in one key, {DEEPEST} are the most", keys.len()));
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

    pub(super) fn find(&self, path: &[String]) -> Option<&Node> {
        path.iter().try_fold(&self.root, |node, key| match &node.value {
            Value::Table(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, node)| node),
            Value::Array(items) => items.get(key.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// Where a value came from: the file, its line if there is one, or the override.
    pub(super) fn place(&self, node: Option<&Node>, mark_key: bool) -> (String, Option<Box<Excerpt>>) {
        if let Some(Origin::Set(assignment)) = node.map(|node| &node.origin) {
            return (format!("--set {assignment}"), None);
        }
        let span = node.and_then(|node| node.span(mark_key));
        let excerpt = span.map(|span| Excerpt::of(self.text, span));
        (file_place(self.path, excerpt.as_deref()), excerpt)
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

fn failure(place: &str, key: &str, message: String, excerpt: Option<Box<Excerpt>>, hint: &str) -> ConfigError {
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
