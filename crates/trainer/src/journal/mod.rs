//! What a run writes down as it goes.
//!
//! ```text
//! mod          Journal: everything below at once
//! records      what there is to say of an update, of a validation
//! lines        the same for people, as Marian prints it
//! table        files of lines that are cut off where a run goes on
//! tensorboard  event files
//! crc32c       their checksum
//! clock        the time of day for train.log
//! ```
//!
//! `metrics.jsonl` holds one object an update, `validations.tsv` one row a validation. Fields that depend on the clock
//! carry `seconds` or `per_second` in their names; all others are the same whenever a run is repeated. Every line is
//! handed to the system as soon as it is complete, so that a killed run loses none.

mod clock;
mod crc32c;
mod lines;
mod records;
mod table;
mod tensorboard;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub use lines::{grouped, update_line, validation_line};
pub use records::{UpdateRecord, ValidationRecord};

use table::Table;
use tensorboard::EventWriter;

/// A file of the journal that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {source}\nhint: is there space left, and may you write there?", path = .path.display())]
pub struct JournalError {
    path: PathBuf,
    source: io::Error,
}

type Result<T, E = JournalError> = std::result::Result<T, E>;

/// What a checkpoint covers: up to which update the journal stays. The default is a run that begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Covered {
    /// The last update.
    pub updates: u64,
    /// The last update whose validation it knows of, or one between that and the next.
    pub validations: u64,
}

/// The files `train.log`, `metrics.jsonl`, `validations.tsv` and `events.out.tfevents.*` of a run folder.
#[derive(Debug)]
pub struct Journal {
    log: File,
    log_path: PathBuf,
    metrics: Table,
    validations: Table,
    events: EventWriter,
}

impl Journal {
    /// Opens the journal of a run that goes on from a checkpoint, or that begins.
    ///
    /// What metrics and validations hold beyond the checkpoint is cut off, for it will be written again; so is a last
    /// line that was not finished.
    ///
    /// # Errors
    /// Files that cannot be written.
    pub fn open(run: &Path, covered: Covered) -> Result<Self> {
        fs::create_dir_all(run).map_err(failed(run))?;
        let log_path = run.join("train.log");
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log_path)
            .map_err(failed(&log_path))?;
        let mut validations = Table::open(&run.join("validations.tsv"), covered.validations, table::tsv_update)?;
        if validations.is_empty() {
            validations.append(&ValidationRecord::header())?;
        }
        Ok(Self {
            log,
            log_path,
            metrics: Table::open(&run.join("metrics.jsonl"), covered.updates, table::json_update)?,
            validations,
            events: EventWriter::create(run, covered.updates + 1)?,
        })
    }

    /// Takes note of an update, in `metrics.jsonl` and for TensorBoard. The log has its own line: [`update_line`].
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn update(&mut self, record: &UpdateRecord) -> Result<()> {
        self.metrics.append(&record.to_json())?;
        self.events.scalars(record.update, &record.scalars())
    }

    /// Takes note of a validation, in `validations.tsv`, the log and for TensorBoard.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn validation(&mut self, record: &ValidationRecord) -> Result<()> {
        self.validations.append(&record.to_row())?;
        self.events.scalars(record.update, &record.scalars())?;
        self.log(&validation_line(record))
    }

    /// Writes a line, or several, into `train.log`, the time before each.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn log(&mut self, message: &str) -> Result<()> {
        let now = clock::utc_now();
        let text: String = message.lines().map(|line| format!("[{now}] {line}\n")).collect();
        self.log.write_all(text.as_bytes()).map_err(failed(&self.log_path))
    }

    /// Forces everything to disk. To be called before a checkpoint gets its name: what a checkpoint covers must not be
    /// missing from the metrics.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn sync(&mut self) -> Result<()> {
        self.metrics.sync()?;
        self.validations.sync()?;
        self.events.sync()?;
        self.log.sync_data().map_err(failed(&self.log_path))
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> JournalError + '_ {
    move |source| JournalError {
        path: path.into(),
        source,
    }
}

#[cfg(test)]
mod tests;
