//! What `--split` names: a test corpus of a config, or its validation corpora.

use ember_data::config::{CorpusConfig, DataConfig};

/// The corpora of a split; `of` is what an error calls the config.
///
/// # Errors
/// A name that the config does not have, with those that it has.
pub fn corpora_of<'a>(data: &'a DataConfig, split: &str, of: &str) -> anyhow::Result<&'a [CorpusConfig]> {
    match data.test.get(split) {
        Some(corpus) => Ok(std::slice::from_ref(corpus)),
        None if split == "valid" => Ok(data.valid.as_slice()),
        None => {
            let names: Vec<&str> = data.test.keys().map(String::as_str).chain(["valid"]).collect();
            anyhow::bail!(
                "{of} has no test corpus {split:?}\nhint: --split names one of {}",
                names.join(", ")
            )
        }
    }
}
