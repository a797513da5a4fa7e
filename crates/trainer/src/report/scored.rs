//! Scores of the translations that a run folder holds of its test corpora.

use std::path::Path;

use ember_data::config::CorpusConfig;
use ember_data::corpus::read_lines;
use ember_data::tokenizer::Tokenizer;

use super::Found;
use crate::checkpoint::pointers::Pointer;
use crate::config::Config;
use crate::error::{Result, TrainerError};
use crate::evaluate::{ScoreOptions, Scores, score};
use crate::prepare::ParallelText;
use crate::run::RunFolder;
use crate::tag::{self, TaggedLines};
use crate::translations;

/// A test corpus as a checkpoint translated it.
#[derive(Debug, Clone)]
pub struct SplitScores {
    /// The corpus' name in the config.
    pub split: String,
    /// The checkpoint: an update's number or a name; none where the corpus was not translated.
    pub checkpoint: Option<String>,
    /// Whether that is what `checkpoints/best` names.
    pub best: bool,
    /// With BLEU by source length.
    pub scores: Found<Scores>,
}

/// Scores every translation of every test corpus that was made as the config would have it made now.
pub fn score_all(run: &RunFolder, config: &Config) -> Vec<SplitScores> {
    let best = Pointer::Best.read(&run.checkpoints()).ok().flatten();
    let best = best.map(|update| update.to_string());
    let mut all = Vec::new();
    for (split, corpus) in &config.data.test {
        let checkpoints = translated_by(&run.translations(), split);
        if checkpoints.is_empty() {
            all.push(SplitScores {
                split: split.clone(),
                checkpoint: None,
                best: false,
                scores: Err("not translated yet: training does so at its end, and so does `ember evaluate`".into()),
            });
        }
        all.extend(checkpoints.into_iter().map(|checkpoint| SplitScores {
            split: split.clone(),
            best: best.as_deref() == Some(&checkpoint),
            scores: score_one(run, config, (split, corpus), &checkpoint),
            checkpoint: Some(checkpoint),
        }));
    }
    all
}

/// The checkpoints that translated a corpus: updates in order, then names.
fn translated_by(translations: &Path, split: &str) -> Vec<String> {
    let entries = std::fs::read_dir(translations).into_iter().flatten().flatten();
    let mut checkpoints: Vec<String> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let checkpoint = name.strip_prefix(split)?.strip_prefix('.')?.strip_suffix(".txt")?;
            // `test` is no name for the translations of a corpus `test.old`, nor is a temporary file one.
            (!checkpoint.contains('.') && !checkpoint.is_empty()).then(|| checkpoint.to_owned())
        })
        .collect();
    checkpoints.sort_by_key(|checkpoint| (checkpoint.parse().unwrap_or(u64::MAX), checkpoint.clone()));
    checkpoints
}

/// Scores a text that is still what the checkpoint makes of the corpus.
fn score_one(
    run: &RunFolder,
    config: &Config,
    (split, corpus): (&str, &CorpusConfig),
    checkpoint: &str,
) -> Found<Scores> {
    let told = |error: TrainerError| error.to_string();
    let text = ParallelText::read(&config.data, [corpus]).map_err(told)?;
    let tags = tags(run, &text).map_err(told)?;
    let source = TaggedLines::new(&text.source, &tags);
    translations::check(run, split, checkpoint, config, source).map_err(|reason| {
        format!("the translation that is kept is left out: {reason}; `ember evaluate` makes a new one")
    })?;
    let file = run.translations().join(format!("{split}.{checkpoint}.txt"));
    let hypotheses = read_lines(&file).map_err(|error| error.to_string())?;
    let options = ScoreOptions::of_run(&config.validation);
    score(&hypotheses, &[text.reference], Some(&text.source), &options).map_err(|error| error.to_string())
}

/// The ids of a text's tags. Without a tag the tokenizer is not read.
fn tags(run: &RunFolder, text: &ParallelText) -> Result<Vec<Option<u32>>> {
    if text.tags.iter().all(Option::is_none) {
        return Ok(vec![None; text.tags.len()]);
    }
    tag::ids(&Tokenizer::load(&run.tokenizer())?, &text.tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn translations_are_found_by_corpus_and_checkpoint() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in [
            "test.900.txt",
            "test.1000.txt",
            "test.average.txt",
            "test.old.5.txt",
            "valid.7.txt",
            "test..txt",
        ] {
            std::fs::write(folder.path().join(name), "").expect("a file");
        }
        assert_eq!(translated_by(folder.path(), "test"), ["900", "1000", "average"]);
        assert_eq!(translated_by(folder.path(), "test.old"), ["5"]);
        assert_eq!(translated_by(&folder.path().join("nowhere"), "test"), [""; 0]);
    }
}
