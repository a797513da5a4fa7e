//! From corpora to tokens: what training needs before the first update, made where it is missing.

use std::path::Path;
use std::sync::Arc;

use ember_data::batch::{BatchOptions, Resegment};
use ember_data::config::{CorpusConfig, DataConfig};
use ember_data::corpus::{read_pairs, read_sides};
use ember_data::progress::Step;
use ember_data::store::{DataReport, StorePlan, StoreSettings, TokenStore, TrainingCorpus};
use ember_data::tokenizer::Tokenizer;
use ember_data::{DataError, Progress, TokenizerKind};

use crate::checkpoint::whole::write_whole;
use crate::config::Config;
use crate::console::Console;
use crate::error::{Result, TrainerError};
use crate::run::RunFolder;

/// A parallel text in memory: for validation and tests.
#[derive(Debug, Clone)]
pub struct ParallelText {
    /// Source lines.
    pub source: Vec<String>,
    /// Reference lines.
    pub reference: Vec<String>,
    /// The tag that each source line begins with, where it has one.
    pub tags: Vec<Option<String>>,
}

/// What training reads.
pub struct Prepared {
    /// Learnt now, or in an earlier start of the run.
    pub tokenizer: Arc<Tokenizer>,
    /// The training pairs.
    pub store: Arc<TokenStore>,
    /// What was read, and what was left out.
    pub report: DataReport,
    /// The validation text.
    pub valid: ParallelText,
    /// The test texts by name.
    pub tests: Vec<(String, ParallelText)>,
}

/// The corpora that a config names: training text found, validation and test text read.
pub struct Corpora {
    train: Vec<TrainingCorpus>,
    valid: ParallelText,
    tests: Vec<(String, ParallelText)>,
}

impl Corpora {
    /// Finds all of them. Nothing is written.
    ///
    /// # Errors
    /// A corpus that is not there; validation or test text that is damaged.
    pub fn find(config: &Config) -> Result<Self> {
        let data = &config.data;
        let train = data.train.as_slice().iter().map(|corpus| training_corpus(data, corpus));
        let train = train.collect::<Result<Vec<_>, _>>()?;
        let valid = ParallelText::read(data, data.valid.as_slice())?;
        let tests = data.test.iter();
        let tests = tests.map(|(name, corpus)| Ok((name.clone(), ParallelText::read(data, [corpus])?)));
        Ok(Self {
            train,
            valid,
            tests: tests.collect::<Result<Vec<_>>>()?,
        })
    }

    /// Reads the training text once, to find the faults that [`prepare`] would find. Nothing is written.
    ///
    /// # Errors
    /// The first damage in a corpus, a given tokenizer model that cannot be read, or the user's wish to stop.
    pub fn check(&self, config: &Config, progress: &dyn Progress) -> Result<()> {
        if config.tokenizer.kind == TokenizerKind::Sentencepiece {
            Tokenizer::train(&config.tokenizer, [], progress)?;
        }
        let step = Step::begin(progress, "checking", None);
        for corpus in &self.train {
            for pair in read_pairs(&corpus.files)? {
                pair?;
                step.advance(1)?;
            }
        }
        Ok(())
    }
}

/// Learns or loads the tokenizer, builds or opens the token store, and writes data.json.
///
/// # Errors
/// The first fault in a corpus or a setting, or the user's wish to stop; nothing that was on disk before is lost then,
/// and nothing is half there. A run that goes on (`resuming`) refuses training data that changed.
pub fn prepare(
    config: &Config,
    corpora: Corpora,
    run: &RunFolder,
    resuming: bool,
    console: &dyn Console,
) -> Result<Prepared> {
    let Corpora { train, valid, tests } = corpora;
    // Before the first checkpoint nothing depends on the tokenizer, and the config may have changed since it was learnt.
    let tokenizer = if resuming {
        Tokenizer::load(&run.tokenizer())?
    } else {
        let tokenizer = learn(config, &train, console)?;
        tokenizer.save(&run.tokenizer())?;
        tokenizer
    };
    let tokenizer = Arc::new(tokenizer);
    let settings = store_settings(config);
    let plan = TokenStore::plan(&run.store(), &train, &tokenizer, &settings, console)?;
    if resuming {
        refuse_changed_data(&run.data(), &plan, console)?;
    }
    let (store, report) = plan.build_or_open(console)?;
    refuse_empty_epochs(&report)?;
    let json = serde_json::to_vec_pretty(&report).expect("a report has a form in JSON");
    write_whole(&run.data(), &json)?;
    Ok(Prepared {
        tokenizer,
        store: Arc::new(store),
        report,
        valid,
        tests,
    })
}

/// How training text becomes a token store.
pub(crate) fn store_settings(config: &Config) -> StoreSettings {
    StoreSettings {
        max_length: config.data.max_length,
        deduplicate: config.data.deduplicate,
    }
}

/// How a token store becomes batches; `report` is the store's.
pub(crate) fn batch_options(config: &Config, report: &DataReport, tokenizer: &Arc<Tokenizer>) -> BatchOptions {
    let mut options = BatchOptions::new(config.training.micro_batch_tokens(), config.seed);
    if config.tokenizer.dropout > 0.0 {
        options = options.with_dropout(Resegment {
            tokenizer: tokenizer.clone(),
            dropout: config.tokenizer.dropout,
            max_length: config.data.max_length,
        });
    }
    BatchOptions {
        window: config.training.window.unwrap_or(options.window),
        mixture: report.mixture(),
        ..options
    }
}

impl ParallelText {
    /// Reads both sides of corpora, one after another.
    ///
    /// # Errors
    /// When a file is missing or damaged, or the two of a corpus have different length.
    pub fn read<'a>(data: &DataConfig, corpora: impl IntoIterator<Item = &'a CorpusConfig>) -> Result<Self> {
        let mut text = Self {
            source: vec![],
            reference: vec![],
            tags: vec![],
        };
        for corpus in corpora {
            let (source, reference) = read_sides(&data.files(corpus)?)?;
            text.tags.extend(vec![corpus.tag.clone(); source.len()]);
            text.source.extend(source);
            text.reference.extend(reference);
        }
        Ok(text)
    }
}

/// Finds a corpus to train on.
///
/// # Errors
/// A file that is not there.
pub(crate) fn training_corpus(data: &DataConfig, corpus: &CorpusConfig) -> Result<TrainingCorpus, DataError> {
    Ok(TrainingCorpus {
        files: data.files(corpus)?,
        tag: corpus.tag.clone(),
        weight: corpus.weight,
    })
}

/// Learns the tokenizer from the training text, every line of it once: weights belong to the order of batches, so that
/// text whose weights change keeps its vocabulary and its token store.
pub(crate) fn learn(config: &Config, train: &[TrainingCorpus], progress: &dyn Progress) -> Result<Tokenizer> {
    let readers = train.iter().map(|corpus| read_pairs(&corpus.files));
    let readers = readers.collect::<Result<Vec<_>, _>>()?;
    let pairs = readers
        .into_iter()
        .flatten()
        .map(|pair| pair.map(|pair| (pair.source, pair.target)));
    let tokenizer = Tokenizer::train(&config.tokenizer, pairs, progress)?;
    Ok(tokenizer.with_tags(config.data.train.tags()))
}

/// Weights that leave no pair an epoch would let training wait for a batch without end.
fn refuse_empty_epochs(report: &DataReport) -> Result<()> {
    if report.mixture().pairs_an_epoch(report.kept) > 0 {
        return Ok(());
    }
    Err(TrainerError::from(DataError::Setting {
        key: "data.train".into(),
        message: format!("the weights leave less than one pair an epoch of {}", report.kept),
        hint: "raise a weight; 1 shows every pair once".into(),
    }))
}

/// Compares the training data with what data.json tells of it; where that cannot be read, a warning is all.
fn refuse_changed_data(path: &Path, plan: &StorePlan, console: &dyn Console) -> Result<()> {
    let old = std::fs::read(path).map_err(|error| error.to_string());
    let old = old.and_then(|bytes| serde_json::from_slice::<DataReport>(&bytes).map_err(|error| error.to_string()));
    let old = match old {
        Ok(old) => old,
        Err(fault) => {
            console.message(&format!(
                "warning: {} cannot be read ({fault}): whether the training data is still that of the run is not known",
                path.display()
            ));
            return Ok(());
        }
    };
    if old.fingerprint == plan.fingerprint() {
        return Ok(());
    }
    Err(TrainerError::Run {
        folder: path.to_path_buf(),
        message: format!(
            "tells of {} pairs with fingerprint {}, but the training data now has {}: {}",
            old.kept,
            old.fingerprint,
            plan.fingerprint(),
            what_changed(&plan.changed_files(&old))
        ),
        hint: "bring the files back as they were, or start over with --fresh or another --run-dir".into(),
    })
}

/// The first few of the files, in words.
fn what_changed(files: &[&Path]) -> String {
    const NAMED: usize = 4;
    let mut names: Vec<String> = files
        .iter()
        .take(NAMED)
        .map(|file| file.display().to_string())
        .collect();
    if files.len() > NAMED {
        names.push(format!("{} more", files.len() - NAMED));
    }
    match names.is_empty() {
        true => "its files are as they were, but not how they are read, or there are fewer of them".into(),
        false => format!("changed or new are {}", names.join(", ")),
    }
}
