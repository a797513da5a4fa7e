//! Hashes of corpus files, and the name of a store.
//!
//! A file is hashed once; the hash is remembered under its path with size and time of change, so that a second start
//! need not read a large corpus again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::format::{FORMAT_VERSION, write_whole};
use super::{StoreSettings, TrainingCorpus};
use crate::corpus::CorpusFiles;
use crate::error::{DataError, Result};
use crate::progress::{Progress, Step};

const CACHE_NAME: &str = "hashes.json";

/// A file changed less than this ago may change again without a new time stamp; its hash is not remembered.
const SETTLED: Duration = Duration::from_secs(2);

#[derive(Serialize, Deserialize, Default)]
struct Cache {
    files: BTreeMap<String, Known>,
}

#[derive(Serialize, Deserialize, Clone)]
struct Known {
    bytes: u64,
    modified_ns: u64,
    blake3: String,
}

/// BLAKE3 hashes of the bytes of each corpus' files, in order. With a `cache` folder, hashes of unchanged files are
/// taken from there.
///
/// # Errors
///
/// A file cannot be read, or the user wants to stop.
pub(super) fn fingerprint_files(
    corpora: &[TrainingCorpus],
    cache: Option<&Path>,
    progress: &dyn Progress,
) -> Result<Vec<Vec<String>>> {
    let place = cache.map(|folder| folder.join(CACHE_NAME));
    // A cache that is not there or not readable is an empty one.
    let stored = place.as_ref().and_then(|place| std::fs::read(place).ok());
    let mut known: Cache = stored
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let mut learnt = false;

    let mut hashes = Vec::with_capacity(corpora.len());
    for corpus in corpora {
        let mut of_corpus = Vec::new();
        for path in corpus.files.paths() {
            let name = std::fs::canonicalize(path).map_err(|error| DataError::io("read", path, error))?;
            let name = name.to_string_lossy().into_owned();
            let before = state(path)?;
            let hash = match known.files.get(&name) {
                Some(file) if (file.bytes, Some(file.modified_ns)) == (before.0, before.1) => file.blake3.clone(),
                _ => {
                    let hash = hash_file(path, before.0, progress)?;
                    if let (bytes, Some(modified_ns)) = before
                        && state(path)? == before
                    {
                        known.files.insert(
                            name,
                            Known {
                                bytes,
                                modified_ns,
                                blake3: hash.clone(),
                            },
                        );
                        learnt = true;
                    }
                    hash
                }
            };
            of_corpus.push(hash);
        }
        hashes.push(of_corpus);
    }
    if let Some(place) = place.filter(|_| learnt) {
        let text = serde_json::to_vec_pretty(&known).map_err(|error| DataError::io("write", &place, error.into()))?;
        write_whole(&place, &text)?;
    }
    Ok(hashes)
}

/// Size, and time of change in nanoseconds since 1970 unless it is too fresh or too odd to rely on.
fn state(path: &Path) -> Result<(u64, Option<u64>)> {
    let metadata = std::fs::metadata(path).map_err(|error| DataError::io("read", path, error))?;
    let modified = metadata.modified().ok().filter(|modified| {
        SystemTime::now()
            .duration_since(*modified)
            .is_ok_and(|age| age >= SETTLED)
    });
    let nanoseconds = modified
        .and_then(|modified| modified.duration_since(UNIX_EPOCH).ok())
        .and_then(|since| u64::try_from(since.as_nanos()).ok());
    Ok((metadata.len(), nanoseconds))
}

fn hash_file(path: &Path, bytes: u64, progress: &dyn Progress) -> Result<String> {
    let failed = |error| DataError::io("read", path, error);
    let mut file = File::open(path).map_err(failed)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    let step = Step::begin(progress, "hashing", Some(bytes));
    loop {
        let read = file.read(&mut buffer).map_err(failed)?;
        if read == 0 {
            return Ok(hasher.finalize().to_hex().to_string());
        }
        hasher.update(&buffer[..read]);
        step.advance(read as u64)?;
    }
}

/// The name of the store of these corpora: 32 hexadecimal digits. Weights are no part of it: they change the order of
/// batches, not the store.
pub(super) fn store_key(
    corpora: &[TrainingCorpus],
    hashes: &[Vec<String>],
    tokenizer: &str,
    settings: &StoreSettings,
) -> String {
    let mut text = format!(
        "store {FORMAT_VERSION}\ntokenizer {tokenizer}\nmax_length {}\ndeduplicate {}\n",
        settings.max_length, settings.deduplicate
    );
    for (corpus, hashes) in corpora.iter().zip(hashes) {
        // The ending decides how a file is read.
        let ending = |path: &Path| {
            let ending = path.extension().unwrap_or_default().to_string_lossy().into_owned();
            if ["gz", "zst"].contains(&ending.as_str()) {
                ending
            } else {
                "plain".into()
            }
        };
        text.push_str(match corpus.files {
            CorpusFiles::Aligned { .. } => "aligned",
            CorpusFiles::Tsv(_) => "tsv",
        });
        for (path, hash) in corpus.files.paths().into_iter().zip(hashes) {
            text.push_str(&format!(" {}:{hash}", ending(path)));
        }
        if let Some(tag) = &corpus.tag {
            text.push_str(&format!(" tag {tag}"));
        }
        text.push('\n');
    }
    blake3::hash(text.as_bytes()).to_hex()[..32].to_owned()
}
