//! What may change between a run and its resumption.
//!
//! Weights and optimizer go on only in the same model, over the same tokens, in the same order of batches. All else may
//! change, and the log says so.

use serde_json::{Map, Value};

use super::Config;

/// Keys, and all below them, that a resumed run must share with its beginning, and why; `[]` is any number in brackets.
/// The training text itself is held to its fingerprint, wherever it lies.
const FIXED: [(&str, &str); 19] = [
    ("model", MODEL),
    // All but the paths of given models: a run has its tokenizer in its folder, wherever the models lie now.
    ("tokenizer.kind", TOKENS),
    ("tokenizer.vocabulary", TOKENS),
    ("tokenizer.shared", TOKENS),
    ("tokenizer.pretokenized", TOKENS),
    ("tokenizer.merges", TOKENS),
    ("tokenizer.dropout", TOKENS),
    ("data.source", TOKENS),
    ("data.target", TOKENS),
    ("data.train[].tag", TOKENS),
    ("data.train[].weight", ORDER),
    ("data.max_length", ORDER),
    ("data.deduplicate", ORDER),
    ("seed", ORDER),
    ("training.batch_tokens", ORDER),
    ("training.accumulate", ORDER),
    ("training.window", ORDER),
    (
        "training.optimizer.kind",
        "the checkpoint's optimizer state belongs to another optimizer",
    ),
    (
        "training.ema",
        "the checkpoint's average of weights was taken with another decay",
    ),
];

const MODEL: &str = "the checkpoint's weights belong to another model";
const TOKENS: &str = "the checkpoint's embeddings belong to other tokens";
const ORDER: &str = "the order of batches would be another";

/// A changed config with which the run cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the config differs from the one this run began with:{lines}\nhint: {HINT}", lines = lines(differences))]
pub struct ResumeError {
    /// The keys that differ.
    pub differences: Vec<Difference>,
}

const HINT: &str = "start over with --fresh, or beside it with another name or --run-dir; or undo the change";

/// A key with two values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Dotted key.
    pub key: String,
    /// Value of the run so far; None where the key was absent.
    pub old: Option<String>,
    /// Value of the config as it is now.
    pub new: Option<String>,
    /// Why that cannot go on; empty for what may change.
    pub reason: &'static str,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |value: &Option<String>| value.clone().unwrap_or("(absent)".into());
        write!(f, "{} was {}, now {}", self.key, text(&self.old), text(&self.new))
    }
}

fn lines(differences: &[Difference]) -> String {
    differences
        .iter()
        .map(|difference| format!("\n  {difference} ({})", difference.reason))
        .collect()
}

/// Compares the config of a run with the one it shall go on with. Gives a line for every change that is allowed.
///
/// # Errors
/// A change with which the run would not be the same run: see the module's beginning.
pub fn compare_for_resume(old: &Config, new: &Config) -> Result<Vec<String>, ResumeError> {
    let mut differences = vec![];
    compare(
        String::new(),
        Some(&to_json(old)),
        Some(&to_json(new)),
        &mut differences,
    );
    let (refused, allowed): (Vec<_>, Vec<_>) = differences.into_iter().partition(|found| !found.reason.is_empty());
    if refused.is_empty() {
        Ok(allowed.iter().map(Difference::to_string).collect())
    } else {
        Err(ResumeError { differences: refused })
    }
}

/// The config with each training corpus in full, its weight among it, in whatever form it is written.
fn to_json(config: &Config) -> Value {
    let mut value = serde_json::to_value(config).expect("a config has a form in JSON");
    let corpora = config.data.train.as_slice().iter().map(|corpus| {
        let mut table = match serde_json::to_value(corpus) {
            Ok(Value::Object(table)) => table,
            _ => Map::from_iter([("path".into(), corpus.path.to_string_lossy().into())]),
        };
        table.insert("weight".into(), corpus.weight.into());
        Value::Object(table)
    });
    value["data"]["train"] = corpora.collect();
    value
}

fn compare(key: String, old: Option<&Value>, new: Option<&Value>, differences: &mut Vec<Difference>) {
    if old == new {
        return;
    }
    if let (Some(Value::Object(old)), Some(Value::Object(new))) = (old, new) {
        let added = new.keys().filter(|key| !old.contains_key(*key));
        for name in old.keys().chain(added) {
            let below = if key.is_empty() {
                name.clone()
            } else {
                format!("{key}.{name}")
            };
            compare(below, old.get(name), new.get(name), differences);
        }
        return;
    }
    if let (Some(Value::Array(old)), Some(Value::Array(new))) = (old, new) {
        for index in 0..old.len().max(new.len()) {
            compare(format!("{key}[{index}]"), old.get(index), new.get(index), differences);
        }
        return;
    }
    let text = |value: Option<&Value>| value.map(Value::to_string);
    let general = without_numbers(&key);
    let reason = FIXED
        .iter()
        .find(|(fixed, _)| {
            general
                .strip_prefix(fixed)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
        .map_or("", |(_, reason)| reason);
    differences.push(Difference {
        old: text(old),
        new: text(new),
        key,
        reason,
    });
}

/// `data.train[].tag` for `data.train[12].tag`.
fn without_numbers(key: &str) -> String {
    let mut inside = false;
    key.chars()
        .filter(|character| {
            inside = *character != ']' && (inside || *character == '[');
            !inside || *character == '['
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use ember_data::TokenizerKind;
    use ember_data::config::TokenizerConfig;

    use super::*;

    #[test]
    fn all_of_the_tokenizer_is_fixed_but_where_a_model_lies() {
        let all = TokenizerConfig {
            merges: Some(1),
            model: Some("a".into()),
            target_model: Some("b".into()),
            ..TokenizerConfig::new(TokenizerKind::Sentencepiece)
        };
        let Ok(Value::Object(keys)) = serde_json::to_value(all) else {
            panic!("a section is a table")
        };
        let is_fixed = |key: &&String| FIXED.iter().any(|(fixed, _)| *fixed == format!("tokenizer.{key}"));
        let free: Vec<&String> = keys.keys().filter(|key| !is_fixed(key)).collect();
        assert_eq!(free, ["model", "target_model"]);
    }
}
