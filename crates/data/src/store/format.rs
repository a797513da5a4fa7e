//! The files of a token store.
//!
//! ```text
//! tokens.bin     ids of pair 0's source, pair 0's target, pair 1's source …; u16 or u32, little endian
//! index.bin      for each pair: where its ids begin in tokens.bin (u64), source length (u32), target length (u32)
//! manifest.json  version, sizes and checksums of the two, and the report on the corpora; written last
//! ```
//!
//! Both files are written front to back while the corpus is read, and read through memory mappings.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use memmap2::Mmap;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::report::DataReport;
use crate::error::{DataError, Result};
use crate::whole::{self, sync_folder};

/// Raised with every change of the files or of what is written into them.
pub(super) const FORMAT_VERSION: u32 = 1;

const TOKENS: &str = "tokens.bin";
const INDEX: &str = "index.bin";
const MANIFEST: &str = "manifest.json";
const RECORD_BYTES: usize = 16;

/// The ids are checked against their checksum when a store is opened, as long as that takes no noticeable time.
const CHECKED_BYTES: u64 = 64 << 20;

const TEMPORARY_PREFIX: &str = ".building-";
/// What a killed process left is removed after this.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// `manifest.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    version: u32,
    pairs: u64,
    /// Bytes of one id: 2 or 4.
    id_bytes: usize,
    ids: u64,
    tokens_blake3: String,
    index_blake3: String,
    pub(super) report: DataReport,
    /// Checksum of this file without this line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    manifest_blake3: String,
}

impl Manifest {
    /// The hash of the manifest with its own hash left out.
    fn hash(&mut self) -> serde_json::Result<String> {
        let claimed = std::mem::take(&mut self.manifest_blake3);
        let text = serde_json::to_vec(self);
        self.manifest_blake3 = claimed;
        Ok(blake3::hash(&text?).to_hex().to_string())
    }
}

/// Writes a store front to back.
pub(super) struct Writer {
    folder: PathBuf,
    tokens: Hashed,
    index: Hashed,
    id_bytes: usize,
    ids: u64,
    pairs: u64,
    source_tokens: u64,
    scratch: Vec<u8>,
}

impl Writer {
    /// Begins a store in `folder`, which is created; `vocabulary` is larger than any id.
    pub(super) fn create(folder: &Path, vocabulary: usize) -> Result<Self> {
        fs::create_dir(folder).map_err(|error| DataError::io("create", folder, error))?;
        Ok(Self {
            tokens: Hashed::create(folder.join(TOKENS))?,
            index: Hashed::create(folder.join(INDEX))?,
            folder: folder.to_owned(),
            id_bytes: if vocabulary <= 1 << 16 { 2 } else { 4 },
            ids: 0,
            pairs: 0,
            source_tokens: 0,
            scratch: Vec::new(),
        })
    }

    pub(super) fn push(&mut self, source: &[u32], target: &[u32]) -> Result<()> {
        self.scratch.clear();
        self.scratch.extend(self.ids.to_le_bytes());
        self.scratch.extend((source.len() as u32).to_le_bytes());
        self.scratch.extend((target.len() as u32).to_le_bytes());
        self.index.write(&self.scratch)?;

        self.scratch.clear();
        for &id in source.iter().chain(target) {
            match self.id_bytes {
                2 => {
                    debug_assert!(id <= u32::from(u16::MAX), "id {id} outside the vocabulary");
                    self.scratch.extend((id as u16).to_le_bytes());
                }
                _ => self.scratch.extend(id.to_le_bytes()),
            }
        }
        self.tokens.write(&self.scratch)?;

        self.ids += (source.len() + target.len()) as u64;
        self.source_tokens += source.len() as u64;
        self.pairs += 1;
        Ok(())
    }

    /// Source and target tokens so far.
    pub(super) fn tokens(&self) -> (u64, u64) {
        (self.source_tokens, self.ids - self.source_tokens)
    }

    /// Writes the manifest and brings everything to the disk; gives the folder.
    pub(super) fn finish(self, report: DataReport) -> Result<PathBuf> {
        let mut manifest = Manifest {
            version: FORMAT_VERSION,
            pairs: self.pairs,
            id_bytes: self.id_bytes,
            ids: self.ids,
            tokens_blake3: self.tokens.finish()?,
            index_blake3: self.index.finish()?,
            report,
            manifest_blake3: String::new(),
        };
        let place = self.folder.join(MANIFEST);
        let failed = |error: serde_json::Error| DataError::io("write", &place, error.into());
        manifest.manifest_blake3 = manifest.hash().map_err(failed)?;
        let mut file = Hashed::create(place.clone())?;
        file.write(&serde_json::to_vec_pretty(&manifest).map_err(failed)?)?;
        file.finish()?;
        sync_folder(Some(&self.folder));
        Ok(self.folder)
    }
}

/// A file that is hashed as it is written.
struct Hashed {
    path: PathBuf,
    file: BufWriter<File>,
    hasher: blake3::Hasher,
}

impl Hashed {
    fn create(path: PathBuf) -> Result<Self> {
        let file = File::create(&path).map_err(|error| DataError::io("create", &path, error))?;
        Ok(Self {
            file: BufWriter::with_capacity(1 << 18, file),
            path,
            hasher: blake3::Hasher::new(),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        self.file
            .write_all(bytes)
            .map_err(|error| DataError::io("write", &self.path, error))
    }

    fn finish(self) -> Result<String> {
        let written = self
            .file
            .into_inner()
            .map_err(|error| error.into_error())
            .and_then(|file| file.sync_all());
        written.map_err(|error| DataError::io("write", &self.path, error))?;
        Ok(self.hasher.finalize().to_hex().to_string())
    }
}

/// An open store.
#[derive(Debug)]
pub(super) struct Reader {
    tokens: Mmap,
    index: Mmap,
    id_bytes: usize,
}

impl Reader {
    /// Opens the store in `folder` with its manifest, or `None` if there is none.
    ///
    /// # Errors
    ///
    /// The store cannot be read or is not what its manifest says.
    pub(super) fn open(folder: &Path) -> Result<Option<(Self, Manifest)>> {
        let place = folder.join(MANIFEST);
        let text = match fs::read(&place) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !folder.exists() => return Ok(None),
            Err(error) => return Err(DataError::io("read", &place, error)),
        };
        let mut manifest: Manifest =
            serde_json::from_slice(&text).map_err(|error| damaged(&place, &format!("not a manifest: {error}")))?;
        let hash = manifest.hash().map_err(|error| damaged(&place, &error.to_string()))?;
        if manifest.version != FORMAT_VERSION || hash != manifest.manifest_blake3 {
            return Err(damaged(&place, "its checksum or version is wrong"));
        }
        let (tokens, index) = (map(&folder.join(TOKENS))?, map(&folder.join(INDEX))?);
        check(
            folder,
            TOKENS,
            &tokens,
            manifest.ids * manifest.id_bytes as u64,
            &manifest.tokens_blake3,
        )?;
        check(
            folder,
            INDEX,
            &index,
            manifest.pairs * RECORD_BYTES as u64,
            &manifest.index_blake3,
        )?;
        Ok(Some((
            Self {
                tokens,
                index,
                id_bytes: manifest.id_bytes,
            },
            manifest,
        )))
    }

    pub(super) fn len(&self) -> usize {
        self.index.len() / RECORD_BYTES
    }

    pub(super) fn lengths(&self, pair: usize) -> (usize, usize) {
        let (_, source, target) = self.record(pair);
        (source, target)
    }

    pub(super) fn source(&self, pair: usize) -> impl Iterator<Item = u32> + '_ {
        let (begin, source, _) = self.record(pair);
        self.ids(begin, source)
    }

    pub(super) fn target(&self, pair: usize) -> impl Iterator<Item = u32> + '_ {
        let (begin, source, target) = self.record(pair);
        self.ids(begin + source, target)
    }

    fn record(&self, pair: usize) -> (usize, usize, usize) {
        let record = &self.index[pair * RECORD_BYTES..][..RECORD_BYTES];
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .rev()
                .fold(0u64, |number, &byte| number << 8 | u64::from(byte))
        };
        (
            number(&record[..8]) as usize,
            number(&record[8..12]) as usize,
            number(&record[12..]) as usize,
        )
    }

    fn ids(&self, begin: usize, length: usize) -> impl Iterator<Item = u32> + '_ {
        let bytes = &self.tokens[begin * self.id_bytes..][..length * self.id_bytes];
        bytes.chunks_exact(self.id_bytes).map(|id| match *id {
            [a, b] => u32::from(u16::from_le_bytes([a, b])),
            [a, b, c, d] => u32::from_le_bytes([a, b, c, d]),
            _ => unreachable!("an id has 2 or 4 bytes"),
        })
    }
}

fn map(path: &Path) -> Result<Mmap> {
    let file = File::open(path).map_err(|error| DataError::io("read", path, error))?;
    // SAFETY: a store's files are never changed once they are renamed into place, only removed, which leaves the
    // mapping whole. Another program that cuts them short under our hands would end this one with a bus error.
    unsafe { Mmap::map(&file) }.map_err(|error| DataError::io("read", path, error))
}

fn check(folder: &Path, name: &str, bytes: &Mmap, expected: u64, hash: &str) -> Result<()> {
    let path = folder.join(name);
    if bytes.len() as u64 != expected {
        return Err(damaged(
            &path,
            &format!("{} bytes where the manifest says {expected}", bytes.len()),
        ));
    }
    // The index is always checked: it is what keeps every access inside the mapping.
    let checked = name == INDEX || expected <= CHECKED_BYTES;
    if checked && blake3::hash(bytes).to_hex().as_str() != hash {
        return Err(damaged(&path, "the checksum is wrong"));
    }
    Ok(())
}

fn damaged(path: &Path, message: &str) -> DataError {
    DataError::Content {
        path: path.to_owned(),
        line: None,
        message: message.to_owned(),
        hint: "the token store is a cache and can be deleted at any time".into(),
    }
}

/// A fresh folder below `folder`, removed when dropped; removes what killed processes left there long ago.
pub(super) fn temporary_folder(folder: &Path) -> Result<TempDir> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX);
        let modified = |path: PathBuf| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        // Written to for as long as the build goes on, unlike the folder itself.
        let newest = modified(entry.path().join("store").join(TOKENS)).or_else(|| modified(entry.path()));
        let age = newest.and_then(|newest| SystemTime::now().duration_since(newest).ok());
        if ours && age.is_some_and(|age| age > ABANDONED) {
            let _ = fs::remove_dir_all(entry.path()).or_else(|_| fs::remove_file(entry.path()));
        }
    }
    let temporary = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempdir_in(folder);
    temporary.map_err(|error| DataError::io("create", folder, error))
}

/// Renames the finished store `built` to `place`. If a whole store is there by now, that one is kept; a damaged one is
/// replaced.
pub(super) fn publish(built: &Path, place: &Path) -> Result<()> {
    let failed = |error| DataError::io("write", place, error);
    let mut outcome = fs::rename(built, place);
    if outcome.is_err() && place.exists() {
        if matches!(Reader::open(place), Ok(Some(_))) {
            return Ok(());
        }
        // Moved beside `built`, into the temporary folder, and removed with it.
        fs::rename(place, built.with_extension("damaged")).map_err(failed)?;
        outcome = fs::rename(built, place);
        if outcome.is_err() && matches!(Reader::open(place), Ok(Some(_))) {
            return Ok(());
        }
    }
    outcome.map_err(failed)?;
    sync_folder(place.parent());
    Ok(())
}

/// Writes a small file whole or not at all. What a killed process leaves is removed as an unfinished store is.
pub(super) fn write_whole(place: &Path, bytes: &[u8]) -> Result<()> {
    whole::write_whole(place, TEMPORARY_PREFIX, bytes).map_err(|error| DataError::io("write", place, error))
}
