//! TensorBoard event files.
//!
//! A file is a row of TFRecords, each one protocol buffer message `Event`
//! (<https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto>):
//!
//! ```text
//! record   length u64, masked CRC-32C of the length, message, masked CRC-32C of the message; little-endian
//! Event    1 wall_time double, 2 step int64, 3 file_version string, 5 summary Summary, 7 session_log SessionLog
//! Summary  1 value repeated { 1 tag string, 2 simple_value float }
//! ```
//!
//! A session that starts at a step makes TensorBoard forget what older files of the run say from that step on. So a
//! resumed run draws one line.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::crc32c::masked_crc32c;
use super::{Result, failed};

/// An event file that is being written.
#[derive(Debug)]
pub struct EventWriter {
    file: File,
    path: PathBuf,
}

impl EventWriter {
    /// Creates `events.out.tfevents.<seconds>.<host>` in the folder, for what happens from step `first` on.
    ///
    /// # Errors
    /// A file that cannot be created.
    pub fn create(folder: &Path, first: u64) -> Result<Self> {
        let mut seconds = now() as u64;
        let host = host();
        let (file, path) = loop {
            // TensorBoard reads a run's files in the order of their names.
            let path = folder.join(format!("events.out.tfevents.{seconds}.{host}"));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => seconds += 1,
                file => break (file.map_err(failed(&path))?, path),
            }
        };
        let mut writer = Self { file, path };
        let mut version = event(now(), 0);
        bytes(&mut version, 3, b"brain.Event:2");
        writer.record(&version)?;
        let mut start = event(now(), first);
        let mut session = vec![];
        tag(&mut session, 1, VARINT);
        varint(&mut session, 1); // SessionLog.START
        bytes(&mut start, 7, &session);
        writer.record(&start)?;
        Ok(writer)
    }

    /// Adds the values of a step.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn scalars(&mut self, step: u64, scalars: &[(&str, f64)]) -> Result<()> {
        let mut event = event(now(), step);
        bytes(&mut event, 5, &summary(scalars));
        self.record(&event)
    }

    /// Forces everything to disk.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn sync(&mut self) -> Result<()> {
        self.file.sync_data().map_err(failed(&self.path))
    }

    fn record(&mut self, message: &[u8]) -> Result<()> {
        self.file.write_all(&framed(message)).map_err(failed(&self.path))
    }
}

/// A TFRecord.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(message.len() + 16);
    record.extend(length);
    record.extend(masked_crc32c(&length).to_le_bytes());
    record.extend(message);
    record.extend(masked_crc32c(message).to_le_bytes());
    record
}

const VARINT: u8 = 0;
const EIGHT_BYTES: u8 = 1;
const LENGTH: u8 = 2;
const FOUR_BYTES: u8 = 5;

/// The beginning of an `Event`.
fn event(wall_time: f64, step: u64) -> Vec<u8> {
    let mut event = vec![];
    tag(&mut event, 1, EIGHT_BYTES);
    event.extend(wall_time.to_le_bytes());
    tag(&mut event, 2, VARINT);
    varint(&mut event, step);
    event
}

fn summary(scalars: &[(&str, f64)]) -> Vec<u8> {
    let mut summary = vec![];
    for (name, value) in scalars {
        let mut entry = vec![];
        bytes(&mut entry, 1, name.as_bytes());
        tag(&mut entry, 2, FOUR_BYTES);
        entry.extend((*value as f32).to_le_bytes());
        bytes(&mut summary, 1, &entry);
    }
    summary
}

fn tag(message: &mut Vec<u8>, field: u8, kind: u8) {
    message.push(field << 3 | kind);
}

fn bytes(message: &mut Vec<u8>, field: u8, content: &[u8]) {
    tag(message, field, LENGTH);
    varint(message, content.len() as u64);
    message.extend(content);
}

fn varint(message: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        message.push(number as u8 | 0x80);
        number >>= 7;
    }
    message.push(number as u8);
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |elapsed| elapsed.as_secs_f64())
}

/// The name of this machine, for the name of the file alone.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::env::var("HOSTNAME").or_else(|_| std::env::var("COMPUTERNAME")))
        .unwrap_or_default();
    let plain: String = name
        .trim()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "-._".contains(*c))
        .collect();
    if plain.is_empty() { "localhost".into() } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message's fields: number, kind, and the content as bytes.
    fn fields(mut message: &[u8]) -> Vec<(u8, u8, Vec<u8>)> {
        fn read_varint(message: &mut &[u8]) -> u64 {
            let mut number = 0;
            for shift in (0..).step_by(7) {
                let byte = message[0];
                *message = &message[1..];
                number |= u64::from(byte & 0x7f) << shift;
                if byte < 0x80 {
                    break;
                }
            }
            number
        }
        let mut fields = vec![];
        while !message.is_empty() {
            let tag = read_varint(&mut message) as u8;
            let content = match tag & 7 {
                VARINT => read_varint(&mut message).to_le_bytes().to_vec(),
                kind => {
                    let length = match kind {
                        EIGHT_BYTES => 8,
                        FOUR_BYTES => 4,
                        _ => read_varint(&mut message) as usize,
                    };
                    let (content, rest) = message.split_at(length);
                    message = rest;
                    content.to_vec()
                }
            };
            fields.push((tag >> 3, tag & 7, content));
        }
        fields
    }

    /// The messages of a file, every sum checked.
    fn records(mut file: &[u8]) -> Vec<Vec<u8>> {
        let mut records = vec![];
        while !file.is_empty() {
            let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
            assert_eq!(masked_crc32c(&file[..8]).to_le_bytes(), file[8..12]);
            let message = &file[12..12 + length];
            assert_eq!(masked_crc32c(message).to_le_bytes(), file[12 + length..16 + length]);
            records.push(message.to_vec());
            file = &file[16 + length..];
        }
        records
    }

    #[test]
    fn a_file_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = EventWriter::create(folder.path(), 301).unwrap();
        writer
            .scalars(301, &[("train/loss", 4.25), ("train/perplexity", 70.0)])
            .unwrap();
        writer.sync().unwrap();
        let records = records(&std::fs::read(&writer.path).unwrap());
        assert_eq!(records.len(), 3);
        assert_eq!(fields(&records[0])[2], (3, LENGTH, b"brain.Event:2".to_vec()));
        let start = fields(&records[1]);
        assert_eq!(start[1], (2, VARINT, 301u64.to_le_bytes().to_vec()));
        assert_eq!(start[2], (7, LENGTH, vec![8, 1]));
        let event = fields(&records[2]);
        assert_eq!(event[1].2, 301u64.to_le_bytes());
        let values = fields(&event[2].2);
        assert_eq!(values.len(), 2);
        let loss = fields(&values[0].2);
        assert_eq!(
            loss,
            [
                (1, LENGTH, b"train/loss".to_vec()),
                (2, FOUR_BYTES, 4.25f32.to_le_bytes().to_vec())
            ]
        );
    }

    /// The record of an event that holds the file version alone; its sums were computed bit by bit in Python.
    #[test]
    fn a_record_is_what_tensorboard_expects() {
        let mut message = vec![];
        bytes(&mut message, 3, b"brain.Event:2");
        let expected = b"\x0f\x00\x00\x00\x00\x00\x00\x00mS+\x09\x1a\x0dbrain.Event:2\xfc\x98Q)";
        assert_eq!(framed(&message), expected);
    }

    #[test]
    fn two_files_of_one_second_have_two_names() {
        let folder = tempfile::tempdir().unwrap();
        let first = EventWriter::create(folder.path(), 1).unwrap();
        let second = EventWriter::create(folder.path(), 1).unwrap();
        assert!(first.path < second.path);
    }
}
