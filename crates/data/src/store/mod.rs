//! The token store: every pair of the training corpus as ids, in files that are mapped into memory.
//!
//! A store lies in a folder named by the fingerprint of all that decides its content (the files' bytes, the tokenizer,
//! the settings), so a changed corpus gets a new store and an unchanged one is opened at once. The pages of the mapping
//! belong to the system's file cache, so the program's own memory does not grow with the corpus.
//!
//! ```text
//! store        build or open, read a pair
//! report       what data.json says: files, counts, what was left out and why
//! fingerprint  hashes of files, remembered by size and times of change
//! format       the files of a store: written in a stream, checked when opened
//! ```

mod fingerprint;
mod format;
mod report;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use fingerprint::{HashedFile, fingerprint_files};
pub use report::{CorpusReport, DataReport, FileEntry, LeftOut};

use crate::corpus::{CorpusFiles, Pair, is_blank, read_pairs};
use crate::error::{DataError, Result};
use crate::progress::{Progress, Step};
use crate::tokenizer::{Side, Tokenizer, tagged};
use format::{Manifest, Reader, Writer};

/// Pairs tokenised at a time: enough for all cores, little enough to stay small.
const CHUNK_PAIRS: usize = 4096;
const CHUNK_BYTES: usize = 4 << 20;

/// What decides which pairs are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreSettings {
    /// Longest side in tokens, tag and end-of-sentence token not counted.
    pub max_length: usize,
    /// Leave out a pair whose two sides were seen before, in any of the corpora with the same tag. Costs memory: a hash
    /// of 16 bytes for each pair, while the store is built.
    pub deduplicate: bool,
}

/// A corpus to train on.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingCorpus {
    /// Its files.
    pub files: CorpusFiles,
    /// The tag that every source begins with, one of the tokenizer's.
    pub tag: Option<String>,
    /// How often each pair is seen an epoch, on average. The store holds it once all the same.
    pub weight: f64,
}

impl From<CorpusFiles> for TrainingCorpus {
    /// Seen once an epoch, without a tag.
    fn from(files: CorpusFiles) -> Self {
        Self {
            files,
            tag: None,
            weight: 1.0,
        }
    }
}

/// Tokenised pairs, mapped into memory.
pub struct TokenStore {
    reader: Reader,
}

impl TokenStore {
    /// Hashes the corpora, which names their store below `folder`; the store itself is neither opened nor built.
    ///
    /// # Errors
    ///
    /// A file cannot be read or written, or the user wants to stop.
    pub fn plan<'a>(
        folder: &Path,
        corpora: &'a [TrainingCorpus],
        tokenizer: &'a Tokenizer,
        settings: &'a StoreSettings,
        progress: &dyn Progress,
    ) -> Result<StorePlan<'a>> {
        std::fs::create_dir_all(folder).map_err(|error| DataError::io("create", folder, error))?;
        let files = fingerprint_files(corpora, Some(folder), progress)?;
        let fingerprint = fingerprint::store_key(corpora, &files, &tokenizer.fingerprint(), settings);
        Ok(StorePlan {
            folder: folder.to_owned(),
            corpora,
            files,
            tokenizer,
            settings,
            fingerprint,
        })
    }

    /// [`plan`](Self::plan) and [`StorePlan::build_or_open`] in a row.
    ///
    /// # Errors
    ///
    /// As these two.
    pub fn build_or_open(
        folder: &Path,
        corpora: &[TrainingCorpus],
        tokenizer: &Tokenizer,
        settings: &StoreSettings,
        progress: &dyn Progress,
    ) -> Result<(Self, DataReport)> {
        Self::plan(folder, corpora, tokenizer, settings, progress)?.build_or_open(progress)
    }

    /// Number of pairs, at least 1.
    pub fn len(&self) -> usize {
        self.reader.len()
    }

    /// Never true: a store without pairs is not built.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Tokens of the source and target side of pair `index`, without begin and end of sentence.
    ///
    /// # Panics
    ///
    /// `index` is not below [`len`](Self::len).
    pub fn lengths(&self, index: usize) -> (usize, usize) {
        self.reader.lengths(index)
    }

    /// The source ids of pair `index`, without begin and end of sentence.
    pub fn source(&self, index: usize) -> Vec<u32> {
        self.reader.source(index).collect()
    }

    /// The target ids of pair `index`, without begin and end of sentence.
    pub fn target(&self, index: usize) -> Vec<u32> {
        self.reader.target(index).collect()
    }

    /// Appends the source ids of pair `index` to `ids`.
    pub fn extend_source(&self, index: usize, ids: &mut Vec<u32>) {
        ids.extend(self.reader.source(index));
    }

    /// Appends the target ids of pair `index` to `ids`.
    pub fn extend_target(&self, index: usize, ids: &mut Vec<u32>) {
        ids.extend(self.reader.target(index));
    }

    /// A store of given pairs in `folder`, which must not exist.
    #[cfg(test)]
    pub(crate) fn from_ids(folder: &Path, pairs: impl IntoIterator<Item = (Vec<u32>, Vec<u32>)>) -> Result<Self> {
        let mut writer = Writer::create(folder, u32::MAX as usize)?;
        for (source, target) in pairs {
            writer.push(&source, &target)?;
        }
        writer.finish(DataReport::default())?;
        Ok(Self {
            reader: Reader::open(folder)?.ok_or_else(|| vanished(folder))?.0,
        })
    }
}

/// A store that is named, and perhaps not built yet.
pub struct StorePlan<'a> {
    folder: PathBuf,
    corpora: &'a [TrainingCorpus],
    /// The files of each corpus.
    files: Vec<Vec<HashedFile>>,
    tokenizer: &'a Tokenizer,
    settings: &'a StoreSettings,
    fingerprint: String,
}

impl StorePlan<'_> {
    /// Names the content: files, tokenizer, settings.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The files whose content is not what stood at their place when `report` was written.
    pub fn changed_files(&self, report: &DataReport) -> Vec<&Path> {
        let places = self.files.iter().enumerate();
        let files =
            places.flat_map(|(corpus, files)| files.iter().enumerate().map(move |(at, file)| (corpus, at, file)));
        files
            .filter(|(corpus, at, file)| {
                let entry = report.corpora.get(*corpus).and_then(|corpus| corpus.files.get(*at));
                entry.is_none_or(|entry| entry.fingerprint != file.hash)
            })
            .map(|(_, _, file)| file.path.as_path())
            .collect()
    }

    /// Opens the store, and builds it first if it is not there or is damaged.
    ///
    /// A store is built in a temporary folder and then renamed, so another process sees a whole store or none; if two
    /// build the same one, the first to finish is kept.
    ///
    /// # Errors
    ///
    /// A corpus is damaged (see [`read_pairs`]) or changed since it was hashed, no pair is left, a file cannot be read
    /// or written, or the user wants to stop; an unfinished store is removed.
    pub fn build_or_open(&self, progress: &dyn Progress) -> Result<(TokenStore, DataReport)> {
        let place = self.folder.join(&self.fingerprint);
        match Reader::open(&place) {
            Ok(Some((reader, mut manifest))) => {
                // The fingerprint knows neither names nor weights: the same text may have moved, or count for more.
                manifest.report.describe(self.corpora);
                return Ok((TokenStore { reader }, manifest.report));
            }
            Ok(None) => {}
            Err(fault) => tracing::warn!("the token store {} is built anew: {fault}", place.display()),
        }
        let (reader, manifest) = self.build(&place, progress)?;
        Ok((TokenStore { reader }, manifest.report))
    }

    fn build(&self, place: &Path, progress: &dyn Progress) -> Result<(Reader, Manifest)> {
        let temporary = format::temporary_folder(&self.folder)?;
        let vocabulary = self
            .tokenizer
            .vocabulary_size(Side::Source)
            .max(self.tokenizer.vocabulary_size(Side::Target));
        let mut writer = Writer::create(&temporary.path().join("store"), vocabulary)?;
        let mut report = DataReport {
            fingerprint: self.fingerprint.clone(),
            ..DataReport::default()
        };
        let mut seen = self.settings.deduplicate.then(HashSet::new);

        let bytes = self.files.iter().flatten().map(HashedFile::bytes).sum();
        let step = Step::begin(progress, "tokenising", Some(bytes));
        for (corpus, files) in self.corpora.iter().zip(&self.files) {
            let corpus = self.corpus(corpus, files, &mut writer, seen.as_mut(), &step)?;
            report.add(corpus);
        }
        drop(step);
        for file in self.files.iter().flatten() {
            file.check_unchanged(progress)?;
        }

        (report.source_tokens, report.target_tokens) = writer.tokens();
        report.check_kept(self.corpora)?;
        let built = writer.finish(report)?;
        format::publish(&built, place)?;
        Reader::open(place)?.ok_or_else(|| vanished(place))
    }

    fn corpus(
        &self,
        corpus: &TrainingCorpus,
        files: &[HashedFile],
        writer: &mut Writer,
        mut seen: Option<&mut HashSet<u128>>,
        step: &Step,
    ) -> Result<CorpusReport> {
        let tag = corpus
            .tag
            .as_deref()
            .map(|tag| tag_id(self.tokenizer, tag))
            .transpose()?;
        let mut pairs = read_pairs(&corpus.files)?;
        let mut left_out = LeftOut::default();
        let (mut lines, mut kept, mut bytes_told) = (0, 0, 0);
        loop {
            let chunk = next_chunk(&mut pairs)?;
            if chunk.is_empty() {
                break;
            }
            lines += chunk.len() as u64;
            let wanted: Vec<Pair> = chunk
                .into_iter()
                .filter(|pair| left_out.admits(pair, tag, seen.as_deref_mut()))
                .collect();
            // Tokenised on all cores, written in the order of the corpus.
            let tokenised: Vec<(Vec<u32>, Vec<u32>)> = wanted
                .par_iter()
                .with_min_len(16)
                .map(|pair| self.encode(pair))
                .collect();
            for (source, target) in tokenised {
                if left_out.admits_tokens(source.len(), target.len(), self.settings.max_length) {
                    writer.push(&tagged(tag, source), &target)?;
                    kept += 1;
                }
            }
            let bytes = pairs.file_bytes();
            step.advance(bytes - bytes_told)?;
            bytes_told = bytes;
        }
        let entries = pairs.reports().into_iter().zip(files);
        let files = entries
            .map(|(report, file)| FileEntry::new(report, file.hash.clone()))
            .collect();
        Ok(CorpusReport {
            files,
            tag: corpus.tag.clone(),
            weight: corpus.weight,
            lines,
            kept,
            left_out,
        })
    }

    fn encode(&self, pair: &Pair) -> (Vec<u32>, Vec<u32>) {
        (
            self.tokenizer.encode(Side::Source, &pair.source),
            self.tokenizer.encode(Side::Target, &pair.target),
        )
    }
}

impl LeftOut {
    /// Whether a pair goes on to the tokenizer; counts the reason if not.
    fn admits(&mut self, pair: &Pair, tag: Option<u32>, seen: Option<&mut HashSet<u128>>) -> bool {
        let reason = match (is_blank(&pair.source), is_blank(&pair.target)) {
            (true, true) => &mut self.empty_both,
            (true, false) => &mut self.empty_source,
            (false, true) => &mut self.empty_target,
            (false, false) if seen.is_some_and(|seen| !seen.insert(pair_hash(pair, tag))) => &mut self.duplicate,
            (false, false) => return true,
        };
        *reason += 1;
        false
    }

    /// Whether a tokenised pair is kept; counts the reason if not. A side that is only characters which the tokenizer
    /// drops has become empty.
    fn admits_tokens(&mut self, source: usize, target: usize, max_length: usize) -> bool {
        let reason = match (source, target) {
            (0, 0) => &mut self.empty_both,
            (0, _) => &mut self.empty_source,
            (_, 0) => &mut self.empty_target,
            _ if source > max_length || target > max_length => &mut self.too_long,
            _ => return true,
        };
        *reason += 1;
        false
    }
}

/// Tag and two sides with their border, in 16 bytes: among 10^9 pairs, a chance of 10^-21 that two different ones agree.
fn pair_hash(pair: &Pair, tag: Option<u32>) -> u128 {
    let mut hasher = blake3::Hasher::new();
    // No tag has the id 0.
    hasher.update(&tag.unwrap_or(0).to_le_bytes());
    hasher.update(&(pair.source.len() as u64).to_le_bytes());
    hasher.update(pair.source.as_bytes());
    hasher.update(pair.target.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    u128::from_le_bytes(bytes)
}

fn tag_id(tokenizer: &Tokenizer, tag: &str) -> Result<u32> {
    tokenizer.tag(tag).ok_or_else(|| DataError::Setting {
        key: "data.train".into(),
        message: format!(
            "the tag {tag} is not in the tokenizer, which knows {:?}",
            tokenizer.tags()
        ),
        hint: "start over with --fresh: another tag needs another vocabulary".into(),
    })
}

fn next_chunk(pairs: &mut impl Iterator<Item = Result<Pair>>) -> Result<Vec<Pair>> {
    let (mut chunk, mut bytes) = (Vec::new(), 0);
    while chunk.len() < CHUNK_PAIRS && bytes < CHUNK_BYTES {
        let Some(pair) = pairs.next().transpose()? else { break };
        bytes += pair.source.len() + pair.target.len();
        chunk.push(pair);
    }
    Ok(chunk)
}

fn vanished(folder: &Path) -> DataError {
    DataError::Content {
        path: folder.to_owned(),
        line: None,
        message: "the token store vanished while it was being opened".into(),
        hint: "does another program clean this folder? start again".into(),
    }
}

#[cfg(test)]
mod tests;
