//! Translations of test corpora that a run folder keeps, and how they were made, so that none is made twice.
//!
//! Beside `translations/<split>.<checkpoint>.txt` lies a `.json` of the same name: sums of the models, the source and the
//! text, and the search's options. Only where all of them are as they would be now, the text is taken again.

use std::path::PathBuf;

use ember_model::config::DecodingConfig;
use serde::{Deserialize, Serialize};

use crate::checkpoint::manifest::Manifest;
use crate::checkpoint::whole::write_whole;
use crate::config::Config;
use crate::error::Result;
use crate::member::{self, Place, model_blake3};
use crate::run::RunFolder;
use crate::tag::TaggedLines;
use crate::trained::TrainedModel;

/// Everything that a translation depends on, and what came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Origin {
    /// BLAKE3 sum of each model's file.
    models_blake3: Vec<String>,
    /// BLAKE3 sum of the source, line by line, and of its tags.
    source_blake3: String,
    /// BLAKE3 sum of the translation's file.
    text_blake3: String,
    /// Longer sentences are split.
    max_length: usize,
    /// The search.
    decoding: DecodingConfig,
}

/// Keeps a split's translation by a model.
///
/// # Errors
/// What the system refuses.
pub fn keep(
    run: &RunFolder,
    split: &str,
    trained: &TrainedModel,
    source: TaggedLines<'_>,
    decoding: &DecodingConfig,
    lines: &[String],
) -> Result<()> {
    let checkpoint = trained.checkpoint();
    run.write_translation(split, &checkpoint, lines)?;
    let text = std::fs::read(text_file(run, split, &checkpoint)).unwrap_or_default();
    let origin = Origin {
        models_blake3: trained.models_blake3.clone(),
        source_blake3: sum_of(source),
        text_blake3: blake3::hash(&text).to_hex().to_string(),
        max_length: trained.config.data.max_length,
        decoding: decoding.clone(),
    };
    let json = serde_json::to_vec(&origin).expect("numbers and strings are JSON");
    Ok(write_whole(&origin_file(run, split, &checkpoint), &json)?)
}

/// The translation of a split by a checkpoint, or by several with commas between them, if it is there and was made as the
/// config would have it made now.
///
/// # Errors
/// A checkpoint that does not exist.
pub fn kept(
    run: &RunFolder,
    split: &str,
    checkpoint: &str,
    config: &Config,
    source: TaggedLines<'_>,
) -> Result<Option<Vec<String>>> {
    let (mut names, mut models_blake3) = (Vec::new(), Vec::new());
    for checkpoint in member::names(checkpoint) {
        let place = Place::find(run, checkpoint)?;
        models_blake3.push(model_blake3(&Manifest::read(&place.folder)?));
        names.push(place.name);
    }
    let name = names.join("+");
    let read = || {
        let text = std::fs::read(text_file(run, split, &name)).ok()?;
        let found: Origin = serde_json::from_slice(&std::fs::read(origin_file(run, split, &name)).ok()?).ok()?;
        let expected = Origin {
            models_blake3: models_blake3.clone(),
            source_blake3: sum_of(source),
            text_blake3: blake3::hash(&text).to_hex().to_string(),
            max_length: config.data.max_length,
            decoding: config.decoding.clone(),
        };
        let text = String::from_utf8(text).ok()?;
        // Only a line feed ends a line, as in `write_translation`.
        let lines = text.strip_suffix('\n').unwrap_or(&text).split('\n');
        (found == expected).then(|| lines.map(str::to_owned).collect())
    };
    Ok(read())
}

/// Whether a text that the run keeps is what its config would have made now of `source`, by the checkpoint that its
/// name tells. Weights that are no longer there are taken to be those that translated.
///
/// # Errors
/// Why it is not, as the end of a sentence about the text.
pub fn check(
    run: &RunFolder,
    split: &str,
    checkpoint: &str,
    config: &Config,
    source: TaggedLines<'_>,
) -> Result<(), String> {
    let origin = std::fs::read(origin_file(run, split, checkpoint)).ok();
    let origin = origin.and_then(|json| serde_json::from_slice::<Origin>(&json).ok());
    let Some(origin) = origin else {
        return Err("nothing tells how it was made".into());
    };
    let text = std::fs::read(text_file(run, split, checkpoint)).unwrap_or_default();
    if origin.text_blake3 != blake3::hash(&text).to_hex().as_str() {
        return Err("it was changed since it was made".into());
    }
    if (&origin.decoding, origin.max_length) != (&config.decoding, config.data.max_length) {
        return Err("it was made with other options than the config's".into());
    }
    if origin.source_blake3 != sum_of(source) {
        return Err("the source was another one".into());
    }
    let names: Vec<&str> = checkpoint.split('+').collect();
    let is_other = |(name, translated): (&&str, &String)| {
        let manifest = Manifest::read(&run.checkpoints().join(name));
        manifest.is_ok_and(|manifest| model_blake3(&manifest) != *translated)
    };
    if names.len() == origin.models_blake3.len() && names.iter().zip(&origin.models_blake3).any(is_other) {
        return Err("the checkpoint had other weights".into());
    }
    Ok(())
}

fn text_file(run: &RunFolder, split: &str, checkpoint: &str) -> PathBuf {
    run.translations().join(format!("{split}.{checkpoint}.txt"))
}

fn origin_file(run: &RunFolder, split: &str, checkpoint: &str) -> PathBuf {
    run.translations().join(format!("{split}.{checkpoint}.json"))
}

fn sum_of(source: TaggedLines<'_>) -> String {
    let mut hasher = blake3::Hasher::new();
    for (line, tag) in source.iter() {
        if let Some(tag) = tag {
            hasher.update(&tag.to_le_bytes());
        }
        hasher.update(line.as_bytes()).update(b"\n");
    }
    hasher.finalize().to_hex().to_string()
}
