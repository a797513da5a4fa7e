//! Hashes of corpus files, and the name of a store.
//!
//! A file is hashed once; the hash is remembered under its path with what the system tells of the file, so that a
//! second start need not read a large corpus again. The same is looked at once more when the file has been read to
//! make a store, since a store of half an old and half a new file must not bear the old one's name.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
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
    state: FileState,
    blake3: String,
}

/// What the system tells of a file: where it is the same twice, so is the content. Times are nanoseconds since 1970,
/// `None` where the system has none or an odd one.
#[derive(Debug, Serialize, Deserialize, Clone, Copy, PartialEq, Eq)]
struct FileState {
    bytes: u64,
    modified_ns: Option<u64>,
    /// Unlike the time of modification, no program can set this one back, as `cp -p` does.
    changed_ns: Option<u64>,
    inode: Option<u64>,
}

/// A corpus file as it was when it was hashed.
#[derive(Debug, Clone)]
pub(super) struct HashedFile {
    pub(super) path: PathBuf,
    /// BLAKE3 hash of the file's bytes.
    pub(super) hash: String,
    state: FileState,
}

/// The files of each corpus with their hashes, in order. With a `cache` folder, hashes of unchanged files are taken
/// from there.
///
/// # Errors
///
/// A file cannot be read, or the user wants to stop.
pub(super) fn fingerprint_files(
    corpora: &[TrainingCorpus],
    cache: Option<&Path>,
    progress: &dyn Progress,
) -> Result<Vec<Vec<HashedFile>>> {
    let place = cache.map(|folder| folder.join(CACHE_NAME));
    // A cache that is not there or not readable is an empty one.
    let stored = place.as_ref().and_then(|place| std::fs::read(place).ok());
    let mut known: Cache = stored
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let mut learnt = false;

    let mut files = Vec::with_capacity(corpora.len());
    for corpus in corpora {
        let mut of_corpus = Vec::new();
        for path in corpus.files.paths() {
            let name = std::fs::canonicalize(path).map_err(|error| DataError::io("read", path, error))?;
            let name = name.to_string_lossy().into_owned();
            let state = FileState::of(path)?;
            let hash = match known.files.get(&name) {
                Some(file) if file.state == state => file.blake3.clone(),
                _ => {
                    let settled = state.is_settled();
                    let blake3 = hash_file(path, state.bytes, progress)?;
                    if settled && FileState::of(path)? == state {
                        let hash = blake3.clone();
                        known.files.insert(name, Known { state, blake3: hash });
                        learnt = true;
                    }
                    blake3
                }
            };
            let path = path.to_owned();
            of_corpus.push(HashedFile { path, hash, state });
        }
        files.push(of_corpus);
    }
    if let Some(place) = place.filter(|_| learnt) {
        let text = serde_json::to_vec_pretty(&known).map_err(|error| DataError::io("write", &place, error.into()))?;
        write_whole(&place, &text)?;
    }
    Ok(files)
}

impl HashedFile {
    /// The file's length in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.state.bytes
    }

    /// Makes sure that what was read since the hash was taken is what was hashed.
    ///
    /// # Errors
    ///
    /// The file changed or cannot be read, or the user wants to stop.
    pub(super) fn check_unchanged(&self, progress: &dyn Progress) -> Result<()> {
        let now = FileState::of(&self.path)?;
        if now == self.state {
            return Ok(());
        }
        // A new name, link or mode changes the rest too, and some network file systems have no lasting inodes.
        let written = (now.bytes, now.modified_ns) != (self.state.bytes, self.state.modified_ns);
        if !written && hash_file(&self.path, now.bytes, progress)? == self.hash {
            return Ok(());
        }
        Err(DataError::Content {
            path: self.path.clone(),
            line: None,
            message: "the file changed while it was read".into(),
            hint: "is it still being written or downloaded? start again when it is whole".into(),
        })
    }
}

impl FileState {
    fn of(path: &Path) -> Result<Self> {
        let metadata = std::fs::metadata(path).map_err(|error| DataError::io("read", path, error))?;
        let modified = metadata.modified().ok();
        let since = modified.and_then(|modified| modified.duration_since(UNIX_EPOCH).ok());
        let (changed_ns, inode) = changed_and_inode(&metadata);
        Ok(Self {
            bytes: metadata.len(),
            modified_ns: since.and_then(|since| u64::try_from(since.as_nanos()).ok()),
            changed_ns,
            inode,
        })
    }

    /// Whether the time of modification is long enough ago to rely on.
    fn is_settled(&self) -> bool {
        let modified = self.modified_ns.map(|since| UNIX_EPOCH + Duration::from_nanos(since));
        modified
            .and_then(|modified| SystemTime::now().duration_since(modified).ok())
            .is_some_and(|age| age >= SETTLED)
    }
}

#[cfg(unix)]
fn changed_and_inode(metadata: &std::fs::Metadata) -> (Option<u64>, Option<u64>) {
    use std::os::unix::fs::MetadataExt;
    let nanoseconds = i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec());
    (u64::try_from(nanoseconds).ok(), Some(metadata.ino()))
}

#[cfg(not(unix))]
fn changed_and_inode(_metadata: &std::fs::Metadata) -> (Option<u64>, Option<u64>) {
    (None, None)
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
    files: &[Vec<HashedFile>],
    tokenizer: &str,
    settings: &StoreSettings,
) -> String {
    let mut text = format!(
        "store {FORMAT_VERSION}\ntokenizer {tokenizer}\nmax_length {}\ndeduplicate {}\n",
        settings.max_length, settings.deduplicate
    );
    for (corpus, files) in corpora.iter().zip(files) {
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
        for file in files {
            text.push_str(&format!(" {}:{}", ending(&file.path), file.hash));
        }
        if let Some(tag) = &corpus.tag {
            text.push_str(&format!(" tag {tag}"));
        }
        text.push('\n');
    }
    blake3::hash(text.as_bytes()).to_hex()[..32].to_owned()
}
