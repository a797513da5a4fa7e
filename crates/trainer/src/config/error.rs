//! Where in a config the fault is, what it is, and what to do about it.

use std::fmt;
use std::path::Path;

/// A fault in a config file or in a `--set`. `Display` gives the place, the line with a caret, and a hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// `configs/x.toml:12`, `--set seed=x`, or empty for a config that did not come from a file.
    pub place: String,
    /// Dotted key, such as `training.label_smoothing`; empty for a fault that belongs to none.
    pub key: String,
    /// What is wrong, with value and limit.
    pub message: String,
    /// The line of the file.
    pub excerpt: Option<Box<Excerpt>>,
    /// What to do about it.
    pub hint: String,
}

/// A line of a file with a part of it underlined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// Number of the line, from 1.
    pub line: usize,
    /// The line's text.
    pub text: String,
    /// First underlined character, from 0.
    pub column: usize,
    /// Underlined characters.
    pub width: usize,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.message)?;
        if let Some(Excerpt {
            line,
            text,
            column,
            width,
        }) = self.excerpt.as_deref()
        {
            let margin = line.to_string().len();
            write!(
                f,
                "\n  {line} | {text}\n  {:margin$} | {:column$}{:^<width$}",
                "", "", ""
            )?;
        }
        if !self.hint.is_empty() {
            write!(f, "\nhint: {}", self.hint)?;
        }
        Ok(())
    }
}

impl ConfigError {
    /// A value that its key cannot have; the place is added when the file is known.
    pub(crate) fn invalid(key: &str, message: impl fmt::Display, hint: &str) -> Self {
        Self {
            place: String::new(),
            key: key.into(),
            message: format!("{key}: {message}"),
            excerpt: None,
            hint: hint.into(),
        }
    }

    pub(super) fn unreadable(path: &Path, source: &std::io::Error) -> Self {
        let hint = match source.kind() {
            std::io::ErrorKind::InvalidData => "save it as UTF-8 text",
            _ => "give the path of a config file, such as configs/quickstart.toml",
        };
        Self {
            place: String::new(),
            key: String::new(),
            message: format!("cannot read the config {}: {source}", path.display()),
            excerpt: None,
            hint: hint.into(),
        }
    }
}

impl From<ember_model::config::ModelConfigError> for ConfigError {
    fn from(error: ember_model::config::ModelConfigError) -> Self {
        Self::invalid(error.key, error.message, &error.hint)
    }
}

impl From<ember_data::DataError> for ConfigError {
    fn from(error: ember_data::DataError) -> Self {
        match error {
            ember_data::DataError::Setting { key, message, hint } => Self::invalid(&key, message, &hint),
            other => {
                let text = other.to_string();
                let (message, hint) = text.split_once("\nhint: ").unwrap_or((&text, ""));
                let (key, place, excerpt) = (String::new(), String::new(), None);
                Self {
                    place,
                    key,
                    message: message.into(),
                    excerpt,
                    hint: hint.into(),
                }
            }
        }
    }
}

impl Excerpt {
    /// The line of `text` on which the byte range `span` begins.
    pub(super) fn of(text: &str, span: std::ops::Range<usize>) -> Box<Self> {
        let start = text.floor_char_boundary(span.start);
        let begin = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let characters = |range: std::ops::Range<usize>| text[range].chars().count();
        Box::new(Self {
            line: text[..start].matches('\n').count() + 1,
            text: text[begin..end].trim_end().replace('\t', " "),
            column: characters(begin..start),
            width: characters(start..text.floor_char_boundary(span.end.clamp(start, end))).max(1),
        })
    }
}

/// The name nearest to what was written, if any is near.
pub(super) fn nearest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    names
        .into_iter()
        .map(|name| {
            (
                strsim::damerau_levenshtein(&written.to_lowercase().replace('-', "_"), &name.replace('-', "_")),
                name,
            )
        })
        .min()
        .filter(|(distance, name)| *distance <= 1 + name.chars().count() / 4)
        .map(|(_, name)| name)
}
