//! Lines of text as they are in the world: plain or compressed, with byte order marks and carriage returns.
//!
//! A line ends at a line feed and nowhere else. U+2028, U+0085, form feeds and a carriage return in the middle of a
//! line belong to the line; splitting there would set the two sides of a corpus against each other from that line on.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};

use crate::error::{DataError, Result};

/// Longest line that is read, in bytes. Beyond it the file is no text of lines, and reading on would fill the memory.
const MAX_LINE_BYTES: u64 = 64 << 20;

const BUFFER_BYTES: usize = 256 << 10;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// What one file's lines were like. Nothing that depends on the clock is in here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineReport {
    /// Lines read, blank ones among them.
    pub lines: u64,
    /// A UTF-8 byte order mark stood at the start; it was removed.
    pub bom: bool,
    /// Lines that ended in CR LF; the CR was removed.
    pub crlf: u64,
    /// Lines with a carriage return elsewhere; it was kept.
    pub inner_cr: u64,
    /// Lines with a NUL character; it was kept.
    pub nul: u64,
    /// The last line had no line feed; it counts as a line all the same.
    pub no_final_newline: bool,
}

impl LineReport {
    /// What was mended or is unusual, in words; `None` for a file without any of it.
    pub fn oddities(&self) -> Option<String> {
        let counted = [
            (self.crlf, "lines ended in CR LF, the CR was removed"),
            (self.inner_cr, "lines hold a carriage return, which was kept"),
            (self.nul, "lines hold a NUL character, which was kept"),
        ];
        let said = counted
            .iter()
            .filter(|(lines, _)| *lines > 0)
            .map(|(lines, what)| format!("{lines} {what}"));
        let bom = self.bom.then(|| "a byte order mark was removed".to_owned());
        let said: Vec<String> = bom.into_iter().chain(said).collect();
        (!said.is_empty()).then(|| said.join("; "))
    }
}

/// Yields the lines of one file, without their ends, and reports what it found.
pub struct LineReader {
    path: PathBuf,
    reader: Box<dyn BufRead + Send>,
    buffer: Vec<u8>,
    text_bytes: u64,
    file_bytes: Arc<AtomicU64>,
    report: LineReport,
}

impl LineReader {
    /// Opens a text file; a name that ends in `.gz` or `.zst` is decompressed while reading.
    ///
    /// # Errors
    ///
    /// The file cannot be opened.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| DataError::io("read", path, error))?;
        let file_bytes = Arc::new(AtomicU64::new(0));
        let counted = Counted {
            inner: file,
            bytes: Arc::clone(&file_bytes),
        };
        let buffered = |reader: Box<dyn Read + Send>| Box::new(BufReader::with_capacity(BUFFER_BYTES, reader));
        let reader = match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => buffered(Box::new(MultiGzDecoder::new(BufReader::with_capacity(
                BUFFER_BYTES,
                counted,
            )))),
            Some("zst") => {
                let decoder = zstd::Decoder::new(counted).map_err(|error| DataError::io("read", path, error))?;
                buffered(Box::new(decoder))
            }
            _ => buffered(Box::new(counted)),
        };
        Ok(Self {
            file_bytes,
            ..Self::from_reader(path, reader)
        })
    }

    /// Reads lines from anything, standard input for one; `name` is what error messages call it.
    pub fn from_reader(name: &Path, reader: Box<dyn BufRead + Send>) -> Self {
        Self {
            path: name.to_owned(),
            reader,
            buffer: Vec::new(),
            text_bytes: 0,
            file_bytes: Arc::default(),
            report: LineReport::default(),
        }
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was found so far; complete once the last line was read.
    pub fn report(&self) -> &LineReport {
        &self.report
    }

    /// Bytes of the file read so far, before decompression.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes.load(Ordering::Relaxed)
    }

    /// The next line without its end, or `None` at the end of the file.
    ///
    /// # Errors
    ///
    /// Reading fails, the line is not UTF-8, or it is longer than 64 MiB.
    pub fn next_line(&mut self) -> Result<Option<String>> {
        let start = self.text_bytes;
        if !self.fill()? {
            return Ok(None);
        }
        self.report.lines += 1;

        let mut line = self.buffer.as_slice();
        match line.strip_suffix(b"\n") {
            Some(rest) => {
                line = rest;
                if let Some(rest) = line.strip_suffix(b"\r") {
                    line = rest;
                    self.report.crlf += 1;
                }
            }
            None => self.report.no_final_newline = true,
        }
        let mut bom_bytes = 0;
        if start == 0
            && let Some(rest) = line.strip_prefix(BYTE_ORDER_MARK)
        {
            line = rest;
            bom_bytes = BYTE_ORDER_MARK.len() as u64;
            self.report.bom = true;
        }
        self.report.inner_cr += u64::from(line.contains(&b'\r'));
        self.report.nul += u64::from(line.contains(&0));

        match std::str::from_utf8(line) {
            Ok(text) => Ok(Some(text.to_owned())),
            Err(error) => Err(self.not_utf8(line, start + bom_bytes, error.valid_up_to())),
        }
    }

    /// Reads to the end and counts: how many lines were left, and whether all of them were blank. Does not check the
    /// encoding, so that a count can be given for a file that is wrong in more than one way.
    pub fn count_rest(&mut self) -> Result<(u64, bool)> {
        let (mut lines, mut blank) = (0, true);
        while self.fill()? {
            lines += 1;
            blank &= std::str::from_utf8(&self.buffer).is_ok_and(is_blank);
        }
        Ok((lines, blank))
    }

    /// Fills the buffer with the next line, its end included; false at the end of the file.
    fn fill(&mut self) -> Result<bool> {
        self.buffer.clear();
        // A buffer that had to hold one very long line is not kept for the millions of short ones after it.
        self.buffer.shrink_to(BUFFER_BYTES);
        let mut limited = (&mut self.reader).take(MAX_LINE_BYTES + 1);
        let read = limited.read_until(b'\n', &mut self.buffer);
        let bytes = read.map_err(|error| self.unreadable(error))?;
        if bytes as u64 > MAX_LINE_BYTES {
            return Err(DataError::Content {
                path: self.path.clone(),
                line: Some(self.report.lines + 1),
                message: format!("the line is longer than {} MiB", MAX_LINE_BYTES >> 20),
                hint: "is this a text file with one sentence a line, ended by line feeds?".into(),
            });
        }
        self.text_bytes += bytes as u64;
        Ok(bytes > 0)
    }

    fn unreadable(&self, error: std::io::Error) -> DataError {
        let hint = match self.path.extension().and_then(|extension| extension.to_str()) {
            Some(kind @ ("gz" | "zst")) => format!(
                "\nhint: the file is cut off or damaged after line {}, or no .{kind} file in spite of its name; \
                 fetch it again",
                self.report.lines
            ),
            _ => return DataError::io("read", &self.path, error),
        };
        DataError::Io {
            action: "read",
            path: self.path.clone(),
            source: error,
            hint,
        }
    }

    /// `line` begins at byte `start` of the (decompressed) text and is valid up to `valid`.
    fn not_utf8(&self, line: &[u8], start: u64, valid: usize) -> DataError {
        let bytes: Vec<String> = line[valid..].iter().take(4).map(|byte| format!("{byte:02X}")).collect();
        let path = self.path.display();
        let hint = match line {
            _ if self.report.lines > 1 => None,
            [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => Some(format!(
                "the file looks like UTF-16: iconv -f UTF-16 -t UTF-8 {path} > fixed"
            )),
            [0x1F, 0x8B, ..] => Some("the file is compressed with gzip: let its name end in .gz".into()),
            [0x28, 0xB5, 0x2F, 0xFD, ..] => {
                Some("the file is compressed with Zstandard: let its name end in .zst".into())
            }
            _ => None,
        };
        DataError::Content {
            path: self.path.clone(),
            line: Some(self.report.lines),
            message: format!(
                "not valid UTF-8: bytes {} at byte {} of the line, byte {} of the text",
                bytes.join(" "),
                valid + 1,
                start + valid as u64 + 1
            ),
            hint: hint.unwrap_or_else(|| {
                "repair the line on both sides or remove it on both; if the whole file has another encoding, convert \
                 it, for example with iconv -f LATIN1 -t UTF-8"
                    .into()
            }),
        }
    }
}

impl Iterator for LineReader {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().transpose()
    }
}

/// All lines of a one-sided text, in order, empty ones kept: one line of output can stand for each.
///
/// # Errors
///
/// As [`LineReader::open`] and [`LineReader::next_line`].
pub fn read_lines(path: &Path) -> Result<Vec<String>> {
    LineReader::open(path)?.collect()
}

/// Nothing to see: only white space (U+00A0 and U+3000 too), control characters, and characters without width or shape
/// of their own (U+200B, joiners, direction marks).
pub fn is_blank(text: &str) -> bool {
    text.chars().all(|character| {
        character.is_whitespace()
            || character.is_control()
            || matches!(
                character,
                '\u{AD}'
                    | '\u{180E}'
                    | '\u{200B}'..='\u{200F}'
                    | '\u{202A}'..='\u{202E}'
                    | '\u{2060}'..='\u{2064}'
                    | '\u{2066}'..='\u{206F}'
                    | '\u{FE00}'..='\u{FE0F}'
                    | '\u{FEFF}'
            )
    })
}

/// Counts what passes through, so that progress is known in bytes of the file even when it is compressed.
struct Counted<R> {
    inner: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.inner.read(buffer)?;
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &'static [u8]) -> (Result<Vec<String>>, LineReport) {
        let mut reader = LineReader::from_reader(Path::new("text"), Box::new(bytes));
        let lines = reader.by_ref().collect();
        (lines, reader.report.clone())
    }

    #[test]
    fn only_a_line_feed_ends_a_line() {
        let (read, report) = lines("a\u{2028}b\u{85}c\u{b}d\u{c}e\rf\ng\u{2029}\n".as_bytes());
        assert_eq!(read.unwrap(), ["a\u{2028}b\u{85}c\u{b}d\u{c}e\rf", "g\u{2029}"]);
        assert_eq!(
            report,
            LineReport {
                lines: 2,
                inner_cr: 1,
                ..LineReport::default()
            }
        );
    }

    #[test]
    fn marks_and_carriage_returns_are_removed_and_counted() {
        let (read, report) = lines(b"\xEF\xBB\xBFone\r\n\xEF\xBB\xBFtwo\r\nthree");
        assert_eq!(read.unwrap(), ["one", "\u{FEFF}two", "three"]);
        assert_eq!(
            report,
            LineReport {
                lines: 3,
                bom: true,
                crlf: 2,
                no_final_newline: true,
                ..Default::default()
            }
        );
    }

    #[test]
    fn empty_lines_are_lines() {
        assert_eq!(lines(b"").0.unwrap().len(), 0);
        assert_eq!(lines(b"\n").0.unwrap(), [""]);
        assert_eq!(lines(b"a\n\nb\n\n").0.unwrap(), ["a", "", "b", ""]);
    }

    #[test]
    fn broken_utf8_names_line_and_byte() {
        let message = lines(b"fine\nab\xFFcd\n").0.unwrap_err().to_string();
        assert!(
            message.starts_with("text:2: not valid UTF-8: bytes FF 63 64 at byte 3 of the line, byte 8"),
            "{message}"
        );
        let message = lines(b"\xFF\xFEa\0\n\0").0.unwrap_err().to_string();
        assert!(message.contains("UTF-16"), "{message}");
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let reader = BufReader::new(std::io::repeat(b'a'));
        let mut reader = LineReader::from_reader(Path::new("text"), Box::new(reader));
        assert!(
            reader
                .next_line()
                .unwrap_err()
                .to_string()
                .contains("text:1: the line is longer than 64 MiB")
        );
    }

    #[test]
    fn blank_means_nothing_to_see() {
        for text in [
            "",
            " ",
            "\t",
            "\u{3000}\u{A0}",
            "\u{200B}",
            "\0",
            "\r",
            "\u{FEFF}\u{200D}",
        ] {
            assert!(is_blank(text), "{text:?}");
        }
        for text in [".", "\0a", "\u{301}", "👩\u{200D}🚀", "\u{10FFFF}"] {
            assert!(!is_blank(text), "{text:?}");
        }
    }
}
