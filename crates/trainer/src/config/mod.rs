//! What the user wrote in the config file: read, overridden, checked.
//!
//! ```text
//! mod         Config: the sections together
//! sections    [training] and [validation], their defaults
//! validate    limits of every value
//! tree        TOML as a tree that knows where each value came from
//! reader      the tree -> Config, by serde
//! explain     faults in the user's terms
//! error       where, what, hint
//! changes     what may change between a run and its resumption
//! ```
//!
//! `[data]` and `[tokenizer]` stand in `ember_data::config`, `[model]` and `[decoding]` in `ember_model::config`.

mod changes;
mod error;
mod explain;
mod reader;
mod sections;
mod tree;
mod validate;

use std::path::{Component, Path, PathBuf};

use ember_data::config::{DataConfig, TokenizerConfig};
use ember_model::config::{DecodingConfig, ModelConfig};
use serde::{Deserialize, Serialize};

pub use crate::schedule::Schedule;
pub use changes::{ResumeError, compare_for_resume};
pub use error::{ConfigError, Excerpt};
pub use sections::{Metric, Optimizer, Precision, TrainingConfig, ValidationConfig};

use tree::Tree;

/// A config file, every default filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Names the run folder, `runs/<name>`.
    pub name: String,
    /// Seeds initial weights, batch order and dropout.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Which text.
    pub data: DataConfig,
    /// How text becomes tokens.
    pub tokenizer: TokenizerConfig,
    /// Architecture and sizes.
    #[serde(default)]
    pub model: ModelConfig,
    /// How to train, and how long.
    pub training: TrainingConfig,
    /// How often to validate, and what for.
    #[serde(default)]
    pub validation: ValidationConfig,
    /// Search.
    #[serde(default)]
    pub decoding: DecodingConfig,
}

fn default_seed() -> u64 {
    1
}

impl Config {
    /// Reads a config file, applies `--set key=value` overrides and checks every value.
    ///
    /// Relative paths, those of overrides too, are taken from the folder of the file and come out absolute.
    ///
    /// # Errors
    /// A file that cannot be read, text that is no TOML, unknown keys, values out of their limits.
    pub fn load(path: &Path, overrides: &[String]) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::unreadable(path, &source))?;
        Self::from_toml(&text, path, overrides)
    }

    /// [`Config::load`] for text that is already in memory; `path` is told in errors and relative paths start from its
    /// folder.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_toml(text: &str, path: &Path, overrides: &[String]) -> Result<Self, ConfigError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut tree = Tree::parse(text, path)?;
        for assignment in overrides {
            tree.set(assignment)?;
        }
        let mut config: Self = reader::read(&tree.root).map_err(|fault| tree.explain(fault))?;
        config.resolve_paths(path);
        config.validate().map_err(|error| tree.locate(error))?;
        Ok(config)
    }

    /// The config as TOML, defaults and overrides filled in; reads back as the same config.
    ///
    /// # Panics
    /// On a config that [`Config::validate`] refuses, such as one with a path that is not UTF-8.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every part of a checked config has a form in TOML")
    }

    fn resolve_paths(&mut self, file: &Path) {
        let folder = file.parent().unwrap_or(Path::new(""));
        let resolve = |path: &mut PathBuf| *path = clean(&folder.join(&*path));
        let data = &mut self.data;
        let corpora = data.train.as_mut_slice().iter_mut().chain(data.valid.as_mut_slice());
        let corpora = corpora.chain(data.test.values_mut());
        corpora.for_each(|corpus| resolve(&mut corpus.path));
        self.tokenizer.model.iter_mut().for_each(resolve);
        self.tokenizer.target_model.iter_mut().for_each(resolve);
    }
}

/// The path from the root, without `.` and `..`; nothing needs to exist.
fn clean(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.into());
    let mut cleaned = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                cleaned.pop();
            }
            other => cleaned.push(other),
        }
    }
    cleaned
}

#[cfg(test)]
mod tests;
