//! Files of lines that grow at their end, and are cut off where a run goes on.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Result, failed};

/// A file of lines, each about an update.
#[derive(Debug)]
pub(super) struct Table {
    file: File,
    path: PathBuf,
    empty: bool,
}

/// Which update a line is about: the header of a table is about none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    Header,
    Update(u64),
    /// A line that was not finished, or damaged.
    Nothing,
}

impl Table {
    /// Opens or creates the file and cuts it off before the first line that is about a later update than `at`, or about
    /// nothing.
    ///
    /// Shortening a file is one step for the file system, so a crash leaves either length.
    pub(super) fn open(path: &Path, at: u64, about: fn(&str) -> About) -> Result<Self> {
        let open = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        let mut file = open.map_err(failed(path))?;
        let length = file.metadata().map_err(failed(path))?.len();
        let mut reader = BufReader::new(&file);
        let mut keep = 0;
        let mut line = vec![];
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line).map_err(failed(path))? as u64;
            let text = line.strip_suffix(b"\n").and_then(|line| std::str::from_utf8(line).ok());
            match text.map_or(About::Nothing, about) {
                About::Header if keep == 0 => {}
                About::Update(update) if update <= at => {}
                _ => break,
            }
            keep += read;
        }
        if keep < length {
            file.set_len(keep)
                .and_then(|()| file.sync_all())
                .map_err(failed(path))?;
        }
        file.seek(SeekFrom::Start(keep)).map_err(failed(path))?;
        Ok(Self {
            file,
            path: path.into(),
            empty: keep == 0,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.empty
    }

    /// Adds a line in one piece.
    pub(super) fn append(&mut self, line: &str) -> Result<()> {
        self.empty = false;
        self.file
            .write_all(format!("{line}\n").as_bytes())
            .map_err(failed(&self.path))
    }

    pub(super) fn sync(&mut self) -> Result<()> {
        self.file.sync_data().map_err(failed(&self.path))
    }
}

/// Reads a line of `metrics.jsonl`.
pub(super) fn json_update(line: &str) -> About {
    #[derive(Deserialize)]
    struct Line {
        update: u64,
    }
    serde_json::from_str(line).map_or(About::Nothing, |Line { update }| About::Update(update))
}

/// Reads a line of `validations.tsv`.
pub(super) fn tsv_update(line: &str) -> About {
    match line.split('\t').next() {
        Some("update") => About::Header,
        Some(update) => update.parse().map_or(About::Nothing, About::Update),
        None => About::Nothing,
    }
}
