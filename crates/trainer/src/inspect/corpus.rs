//! What the training text tells: its tokenizer, its batches, how well the tokenizer covers it.
//!
//! All of it is made as `ember train` makes it, but in a temporary folder that is gone when the text was read.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ember_data::batch::{BatchOptions, Padding, batch_shapes, measure_padding};
use ember_data::corpus::{Pair, read_pairs};
use ember_data::progress::Step;
use ember_data::store::{TokenStore, TrainingCorpus};
use ember_data::tokenizer::{Side, Tokenizer, UNK};
use ember_data::{DataError, Progress, TokenizerKind};
use rayon::prelude::*;
use tempfile::TempDir;

use super::memory::BatchShape;
use super::schedule::Averages;
use crate::config::Config;
use crate::error::{Result, TrainerError};
use crate::prepare::{ParallelText, batch_options, learn, store_settings, training_corpus};
use crate::run::RunFolder;

/// Both sides, in the order of what is kept of them.
const SIDES: [Side; 2] = [Side::Source, Side::Target];

/// Lines tokenised at a time.
const CHUNK: usize = 4096;

/// What was found; much of it is empty where the text is not there.
#[derive(Default)]
pub struct Corpus {
    /// The run's, or learnt from the text; absent without either.
    pub tokenizer: Option<Arc<Tokenizer>>,
    /// The batches of the first epoch.
    pub batches: Vec<BatchShape>,
    /// How full they are; absent without the text.
    pub padding: Option<Padding>,
    /// Of the source side and the target side; absent without the text.
    pub coverage: Option<[Coverage; 2]>,
    /// Source tokens of each line of the validation text.
    pub valid_lengths: Vec<usize>,
}

/// How a side's tokenizer fits its training text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Ids that occur.
    pub used: HashSet<u32>,
    /// Tokens of all lines.
    pub tokens: u64,
    /// Those that stand for what the vocabulary does not hold.
    pub unknown: u64,
    /// What stands between white space.
    pub words: u64,
    /// Characters, white space left out.
    pub characters: u64,
    /// Those of them that are no entry of the vocabulary and no part of one: unknown, or spelt in bytes.
    pub foreign_characters: u64,
}

impl Corpus {
    /// Reads what is there.
    ///
    /// # Errors
    /// A text or tokenizer that is damaged, or the user's wish to stop. A text that is not there is none.
    pub fn open(config: &Config, run: Option<&RunFolder>, progress: &dyn Progress) -> Result<Self> {
        let train = training_files(config)?;
        let tokenizer = tokenizer(config, run, train.as_deref(), progress)?;
        let mut corpus = Self {
            tokenizer: tokenizer.clone(),
            ..Self::default()
        };
        if let (Some(tokenizer), Some(train)) = (tokenizer, train) {
            corpus.read_batches(config, &train, &tokenizer, progress)?;
            corpus.coverage = Some(cover(&train, &tokenizer, progress)?);
            corpus.valid_lengths = source_lengths(config, &tokenizer)?;
        }
        Ok(corpus)
    }

    /// What updates are like on average; `None` without the text, or where its weights leave no pair.
    pub fn averages(&self, config: &Config) -> Option<Averages> {
        let padding = self.padding.filter(|padding| padding.batches > 0)?;
        let accumulate = config.training.accumulate as f64;
        Some(Averages {
            updates_an_epoch: padding.batches as f64 / accumulate,
            target_tokens: padding.target_tokens as f64 / padding.batches as f64 * accumulate,
        })
    }

    /// Cuts the text into batches as training does, from a token store that is gone afterwards.
    fn read_batches(
        &mut self,
        config: &Config,
        train: &[TrainingCorpus],
        tokenizer: &Arc<Tokenizer>,
        progress: &dyn Progress,
    ) -> Result<()> {
        let folder = TempDir::new().map_err(|source| TrainerError::Run {
            folder: std::env::temp_dir(),
            message: format!("can hold no temporary folder: {source}"),
            hint: "is there space left, and may you write there? TMPDIR names another place".into(),
        })?;
        let settings = store_settings(config);
        let (store, report) = TokenStore::build_or_open(folder.path(), train, tokenizer, &settings, progress)?;
        // From the lengths in the store: BPE-dropout's cuts are not made for this.
        let options = BatchOptions {
            resegment: None,
            ..batch_options(config, &report, tokenizer)
        };
        self.padding = Some(measure_padding(&store, &options, 0));
        let shapes = batch_shapes(&store, &options, 0);
        self.batches = shapes.into_iter().map(BatchShape::from).collect();
        Ok(())
    }
}

/// The files of the training text; `None` where one is not there.
fn training_files(config: &Config) -> Result<Option<Vec<TrainingCorpus>>> {
    let corpora = config.data.train.as_slice().iter();
    let found = corpora.map(|corpus| Ok(training_corpus(&config.data, corpus)?));
    unless_missing(found.collect())
}

/// What was found; `None` where a file is not there.
fn unless_missing<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(TrainerError::Data(DataError::Missing { .. })) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// The run's tokenizer, a given one, or the one that the text teaches.
fn tokenizer(
    config: &Config,
    run: Option<&RunFolder>,
    train: Option<&[TrainingCorpus]>,
    progress: &dyn Progress,
) -> Result<Option<Arc<Tokenizer>>> {
    let is_given = config.tokenizer.kind == TokenizerKind::Sentencepiece;
    let tokenizer = match (run, train) {
        (Some(run), _) => Tokenizer::load(&run.tokenizer())?,
        (None, _) if is_given => learn(config, &[], progress)?,
        (None, Some(train)) => learn(config, train, progress)?,
        (None, None) => return Ok(None),
    };
    Ok(Some(Arc::new(tokenizer)))
}

/// Source tokens of each line of the validation text, its tag counted; none where it is not there.
fn source_lengths(config: &Config, tokenizer: &Tokenizer) -> Result<Vec<usize>> {
    let text = ParallelText::read(&config.data, config.data.valid.as_slice());
    let Some(text) = unless_missing(text)? else {
        return Ok(Vec::new());
    };
    let length = |line: usize| {
        let tokens = tokenizer.encode(Side::Source, &text.source[line]).len();
        tokens.min(config.data.max_length) + usize::from(text.tags[line].is_some())
    };
    Ok((0..text.source.len()).into_par_iter().map(length).collect())
}

/// Goes through the text once, chunk by chunk, on all threads.
fn cover(train: &[TrainingCorpus], tokenizer: &Tokenizer, progress: &dyn Progress) -> Result<[Coverage; 2]> {
    let mut coverage = [Coverage::default(), Coverage::default()];
    let mut characters = [HashMap::new(), HashMap::new()];
    let step = Step::begin(progress, "counting pieces", None);
    for corpus in train {
        let mut pairs = read_pairs(&corpus.files)?;
        loop {
            let chunk = pairs.by_ref().take(CHUNK).collect::<Result<Vec<_>, _>>()?;
            if chunk.is_empty() {
                break;
            }
            step.advance(chunk.len() as u64)?;
            for (side, (coverage, characters)) in SIDES.into_iter().zip(coverage.iter_mut().zip(&mut characters)) {
                let ids: Vec<Vec<u32>> = chunk
                    .par_iter()
                    .map(|pair| tokenizer.encode(side, text(pair, side)))
                    .collect();
                coverage.count(&ids);
                for pair in &chunk {
                    coverage.count_words(text(pair, side), characters);
                }
            }
        }
    }
    for (side, (coverage, characters)) in SIDES.into_iter().zip(coverage.iter_mut().zip(characters)) {
        coverage.judge(tokenizer, side, &characters);
    }
    let tags = tokenizer.tags().iter();
    coverage[0].used.extend(tags.filter_map(|tag| tokenizer.tag(tag)));
    Ok(coverage)
}

fn text(pair: &Pair, side: Side) -> &str {
    match side {
        Side::Source => &pair.source,
        Side::Target => &pair.target,
    }
}

impl Coverage {
    fn count(&mut self, lines: &[Vec<u32>]) {
        for ids in lines {
            self.tokens += ids.len() as u64;
            self.unknown += ids.iter().filter(|id| **id == UNK).count() as u64;
            self.used.extend(ids);
        }
    }

    fn count_words(&mut self, line: &str, characters: &mut HashMap<char, u64>) {
        self.words += line.split_whitespace().count() as u64;
        for character in line.chars().filter(|character| !character.is_whitespace()) {
            *characters.entry(character).or_default() += 1;
        }
    }

    /// Sums up the characters, each tokenised by itself: what becomes unknown or bytes has no entry.
    fn judge(&mut self, tokenizer: &Tokenizer, side: Side, characters: &HashMap<char, u64>) {
        for (character, count) in characters {
            let ids = tokenizer.encode(side, character.encode_utf8(&mut [0; 4]));
            self.characters += count;
            if ids.contains(&UNK) || tokenizer.pieces(side, &ids).iter().any(|piece| is_byte(piece)) {
                self.foreign_characters += count;
            }
        }
    }
}

/// Whether a piece is how a byte is written, such as `<0xE2>`.
pub(super) fn is_byte(piece: &str) -> bool {
    piece.len() == "<0xE2>".len() && piece.starts_with("<0x") && piece.ends_with('>')
}

#[cfg(test)]
mod tests;
