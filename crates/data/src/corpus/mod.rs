//! Parallel corpora: two files whose lines belong together, or one file with a TAB between the sides.
//!
//! ```text
//! corpus      which files, and their pairs in order
//! lines       one file's lines, and what was odd about them
//! pair_file   pairs written as such a file
//! ```

mod lines;
mod pair_file;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use lines::{LineReader, LineReport, is_blank, read_lines};
pub use pair_file::PairFile;

use crate::error::{DataError, Result};

const SUFFIXES: [&str; 3] = ["", ".gz", ".zst"];

/// The files of one corpus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorpusFiles {
    /// Line i of one file translates line i of the other.
    Aligned {
        /// The source side.
        source: PathBuf,
        /// The target side.
        target: PathBuf,
    },
    /// `source TAB target` on every line.
    Tsv(PathBuf),
}

impl CorpusFiles {
    /// Finds the files of the corpus `name`: `name.source` and `name.target`, each as it is or with `.gz` or `.zst`
    /// behind it; or `name` itself where it ends in `.tsv`, `.tsv.gz` or `.tsv.zst`.
    ///
    /// # Errors
    ///
    /// A file is not there: the error lists what was looked for.
    pub fn resolve(name: &Path, source: &str, target: &str) -> Result<Self> {
        let text = name.to_string_lossy();
        if SUFFIXES.iter().any(|suffix| text.ends_with(&format!(".tsv{suffix}"))) {
            return match name.is_file() {
                true => Ok(Self::Tsv(name.to_owned())),
                false => Err(missing(name, &[name.to_owned()], source, target)),
            };
        }
        let side = |extension: &str| {
            let tried = SUFFIXES.map(|suffix| {
                let mut path = name.as_os_str().to_owned();
                path.push(format!(".{extension}{suffix}"));
                PathBuf::from(path)
            });
            match tried.iter().find(|path| path.is_file()) {
                Some(path) => Ok(path.clone()),
                None => Err(missing(name, &tried, source, target)),
            }
        };
        Ok(Self::Aligned {
            source: side(source)?,
            target: side(target)?,
        })
    }

    /// The files in order: source and target, or the one file.
    pub fn paths(&self) -> Vec<&Path> {
        match self {
            Self::Aligned { source, target } => vec![source, target],
            Self::Tsv(path) => vec![path],
        }
    }
}

fn missing(name: &Path, tried: &[PathBuf], source: &str, target: &str) -> DataError {
    let folder = name
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let hint = if name.is_dir() {
        format!(
            "this is a folder; name the path that both files share, such as {}",
            name.join("train").display()
        )
    } else if name.is_file() {
        format!("name the path that both files share, without the ending .{source} or .{target}")
    } else if !folder.is_dir() {
        let corpus = folder
            .file_name()
            .map_or("NAME".into(), |corpus| corpus.to_string_lossy());
        format!(
            "there is no folder {}; scripts/download.sh {corpus} fills it where {corpus} is one of the public corpora; \
             relative paths count from the config file's folder",
            folder.display()
        )
    } else {
        match neighbours(folder) {
            names if names.is_empty() => format!("the folder {} is empty", folder.display()),
            names => format!(
                "the folder holds {}; data.source and data.target name the endings",
                names.join(", ")
            ),
        }
    };
    let tried: Vec<String> = tried.iter().map(|path| path.display().to_string()).collect();
    DataError::Missing {
        corpus: name.to_owned(),
        tried: tried.join(", "),
        hint,
    }
}

/// Up to eight names from a folder, sorted.
fn neighbours(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    if names.len() > 8 {
        names.truncate(8);
        names.push("…".into());
    }
    names
}

/// A line of a corpus, both sides as they are in the files; either may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The text to translate.
    pub source: String,
    /// Its translation.
    pub target: String,
    /// The line in its file or files, counted from 1.
    pub line: u64,
}

/// What was found in one file of a corpus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileReport {
    /// The file.
    pub path: PathBuf,
    /// Its lines.
    #[serde(flatten)]
    pub lines: LineReport,
}

/// The pairs of a corpus in order, read as they are asked for. After an error, nothing more comes.
pub struct PairReader {
    source: LineReader,
    /// None for TSV, where both sides come from `source`.
    target: Option<LineReader>,
    line: u64,
    ended: bool,
}

/// Opens a corpus for reading. Every line counts, blank ones too; that the counts agree is seen at the end.
///
/// # Errors
///
/// A file cannot be opened. The pairs themselves are errors where a line is not UTF-8, a TSV line has not exactly one
/// TAB, one file has more lines than the other, or there is no line at all.
pub fn read_pairs(files: &CorpusFiles) -> Result<PairReader> {
    let (source, target) = match files {
        CorpusFiles::Aligned { source, target } => (source, Some(LineReader::open(target)?)),
        CorpusFiles::Tsv(path) => (path, None),
    };
    Ok(PairReader {
        source: LineReader::open(source)?,
        target,
        line: 0,
        ended: false,
    })
}

/// Both sides of a corpus, all lines of it, for the small sets that are translated and scored.
///
/// # Errors
///
/// As [`read_pairs`] and the pairs it yields.
pub fn read_sides(files: &CorpusFiles) -> Result<(Vec<String>, Vec<String>)> {
    read_pairs(files)?
        .map(|pair| pair.map(|pair| (pair.source, pair.target)))
        .collect()
}

impl PairReader {
    /// What was found so far in each file; complete once the last pair was read.
    pub fn reports(&self) -> Vec<FileReport> {
        [Some(&self.source), self.target.as_ref()]
            .into_iter()
            .flatten()
            .map(|reader| FileReport {
                path: reader.path().to_owned(),
                lines: reader.report().clone(),
            })
            .collect()
    }

    /// Bytes of the files read so far, before decompression.
    pub fn file_bytes(&self) -> u64 {
        self.source.file_bytes() + self.target.as_ref().map_or(0, LineReader::file_bytes)
    }

    fn next_pair(&mut self) -> Result<Option<Pair>> {
        let source = self.source.next_line()?;
        let (source, target) = match &mut self.target {
            None => match source {
                None => (None, None),
                Some(line) => {
                    let (source, target) = split_tsv(&line, self.source.path(), self.line + 1)?;
                    (Some(source), Some(target))
                }
            },
            Some(reader) => (source, reader.next_line()?),
        };
        match (source, target) {
            (Some(source), Some(target)) => {
                self.line += 1;
                Ok(Some(Pair {
                    source,
                    target,
                    line: self.line,
                }))
            }
            (None, None) if self.line == 0 => Err(self.no_pairs()),
            (None, None) => Ok(None),
            (extra_source, extra_target) => Err(self.unequal(extra_source.or(extra_target))?),
        }
    }

    fn no_pairs(&self) -> DataError {
        DataError::Content {
            path: self.source.path().to_owned(),
            line: None,
            message: match &self.target {
                Some(target) => format!("no pairs: this file and {} are both empty", target.path().display()),
                None => "no pairs: the file is empty".into(),
            },
            hint: "was the file downloaded or written in full?".into(),
        }
    }

    /// The error for files of different length, of which one just gave `extra` and the other nothing.
    fn unequal(&mut self, extra: Option<String>) -> Result<DataError> {
        let Some(target) = &mut self.target else {
            return Ok(self.no_pairs());
        };
        let source_is_longer = self.source.report().lines > target.report().lines;
        let (longer, shorter) = if source_is_longer {
            (&mut self.source, &*target)
        } else {
            (target, &self.source)
        };
        let (rest, blank) = longer.count_rest()?;
        let blank = blank && extra.as_deref().is_none_or(is_blank);
        let (common, total) = (self.line, self.line + 1 + rest);
        let (long_path, short_path) = (longer.path().display(), shorter.path().display());
        let hint = match rest {
            0 if blank => format!("{long_path} has one empty line too many at its end: sed -i '$ d' removes it"),
            _ if blank => format!("the last {} lines of {long_path} are empty: remove them", rest + 1),
            _ if common == 0 => format!("{short_path} is empty: was it downloaded or written in full?"),
            _ => "the sides are paired line by line, so a missing line shifts all after it: find it, or make both \
                  files anew"
                .into(),
        };
        Ok(DataError::Content {
            path: longer.path().to_owned(),
            line: Some(common + 1),
            message: format!("no line to pair this one with: {long_path} has {total} lines, {short_path} has {common}"),
            hint,
        })
    }
}

impl Iterator for PairReader {
    type Item = Result<Pair>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let pair = self.next_pair().transpose();
        self.ended = !matches!(pair, Some(Ok(_)));
        pair
    }
}

fn split_tsv(line: &str, path: &Path, number: u64) -> Result<(String, String)> {
    let mut columns = line.split('\t');
    match (columns.next(), columns.next(), columns.next()) {
        (Some(source), Some(target), None) => Ok((source.to_owned(), target.to_owned())),
        // An empty line is a pair of empty sides, left out and counted like any other.
        (Some(blank), None, None) if is_blank(blank) => Ok((String::new(), String::new())),
        _ => Err(DataError::Content {
            path: path.to_owned(),
            line: Some(number),
            message: format!(
                "{} columns, but a pair is two: source TAB target",
                line.split('\t').count()
            ),
            hint: "cut -f1,2 keeps the first two columns".into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    fn aligned(folder: &Path, source: &[u8], target: &[u8]) -> CorpusFiles {
        fs::write(folder.join("c.a"), source).unwrap();
        fs::write(folder.join("c.b"), target).unwrap();
        CorpusFiles::resolve(&folder.join("c"), "a", "b").unwrap()
    }

    fn error(source: &[u8], target: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let files = aligned(folder.path(), source, target);
        let error = read_pairs(&files).unwrap().find_map(Result::err).expect("an error");
        error.to_string().replace(&format!("{}/", folder.path().display()), "")
    }

    #[test]
    fn reads_plain_and_compressed_alike() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut gz = Vec::new();
        for member in ["one\n", "two\n"] {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(member.as_bytes()).unwrap();
            gz.extend(encoder.finish().unwrap());
        }
        fs::write(path("c.a.gz"), &gz).unwrap();
        fs::write(path("c.b.zst"), zstd::encode_all(&b"eins\nzwei\n"[..], 1).unwrap()).unwrap();
        let files = CorpusFiles::resolve(&path("c"), "a", "b").unwrap();
        let (source, target) = read_sides(&files).unwrap();
        assert_eq!(
            (source, target),
            (vec!["one".into(), "two".into()], vec!["eins".into(), "zwei".into()])
        );

        for name in ["c.a.gz", "c.b.zst"] {
            let whole = fs::read(path(name)).unwrap();
            fs::write(path(name), &whole[..whole.len() - 5]).unwrap();
            let error = read_lines(&path(name)).unwrap_err().to_string();
            assert!(error.contains("cut off or damaged"), "{error}");
            fs::write(path(name), whole).unwrap();
        }
    }

    #[test]
    fn reads_tab_separated_pairs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.tsv");
        fs::write(&path, "one\teins\r\n\ntwo\t\n").unwrap();
        let files = CorpusFiles::resolve(&path, "a", "b").unwrap();
        let (source, target) = read_sides(&files).unwrap();
        assert_eq!(source, ["one", "", "two"]);
        assert_eq!(target, ["eins", "", ""]);
        for wrong in ["one\n", "one\teins\tuno\n"] {
            fs::write(&path, format!("a\tb\n{wrong}")).unwrap();
            let error = read_sides(&files).unwrap_err().to_string();
            assert!(
                error.contains("c.tsv:2: ") && error.contains("but a pair is two"),
                "{error}"
            );
        }
    }

    #[test]
    fn different_line_counts_name_both_files() {
        let message = error(b"a\nb\nc\n", b"a\nb\n");
        assert!(
            message.starts_with("c.a:3: no line to pair this one with: c.a has 3 lines, c.b has 2\n"),
            "{message}"
        );
        let message = error(b"a\n", b"a\nb\nc");
        assert!(
            message.starts_with("c.b:2: no line to pair this one with: c.b has 3 lines, c.a has 1\n"),
            "{message}"
        );
        assert!(error(b"a\n\n", b"a\n").contains("hint: c.a has one empty line too many at its end"));
        assert!(error(b"a\n", b"").contains("hint: c.b is empty"));
        assert!(error(b"", b"").contains("c.a: no pairs: this file and c.b are both empty"));
    }

    #[test]
    fn after_an_error_nothing_comes() {
        let folder = tempfile::tempdir().unwrap();
        let files = aligned(folder.path(), b"\xFF\nb\n", b"a\nb\n");
        let mut pairs = read_pairs(&files).unwrap();
        assert!(pairs.next().unwrap().is_err());
        assert!(pairs.next().is_none());
    }

    #[test]
    fn a_missing_corpus_lists_what_was_tried() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("c.en"), "a").unwrap();
        let error = |name: &str| {
            let error = CorpusFiles::resolve(&folder.path().join(name), "en", "de")
                .unwrap_err()
                .to_string();
            error.replace(&folder.path().display().to_string(), "F")
        };
        assert_eq!(
            error("c"),
            "no corpus at F/c: tried F/c.de, F/c.de.gz, F/c.de.zst\n\
             hint: the folder holds c.en; data.source and data.target name the endings"
        );
        assert!(error("c.en").contains("without the ending .en"));
        assert!(error("multi30k/train").contains("scripts/download.sh multi30k"));
        assert!(error("c.tsv").contains("tried F/c.tsv\n"));
        assert!(error("").contains("this is a folder"));
    }
}
