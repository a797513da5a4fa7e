//! Pairs written as a corpus file, `source TAB target` on every line, for training to read.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;

use crate::error::{DataError, Result};
use crate::whole::WholeFile;

/// A corpus file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairFile {
    path: PathBuf,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Gzip,
    Zstandard,
}

const ENDINGS: [(&str, Form); 3] = [
    (".tsv", Form::Plain),
    (".tsv.gz", Form::Gzip),
    (".tsv.zst", Form::Zstandard),
];

impl PairFile {
    /// Names a file, whose ending says whether it is compressed; nothing is written.
    ///
    /// # Errors
    ///
    /// An ending by which training would not know it for a file of pairs.
    pub fn new(path: &Path) -> Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let form = ENDINGS
            .iter()
            .find(|(ending, _)| name.len() > ending.len() && name.ends_with(ending));
        match form {
            Some(&(_, form)) => Ok(Self {
                path: path.to_owned(),
                form,
            }),
            None => Err(DataError::Content {
                path: path.to_owned(),
                line: None,
                message: "the name of a file of pairs ends in .tsv, .tsv.gz or .tsv.zst".into(),
                hint: format!(
                    "{}.tsv is a corpus that data.train can name",
                    path.with_extension("").display()
                ),
            }),
        }
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a file beside it and removes it again: better told now than after hours of work.
    ///
    /// # Errors
    ///
    /// The folder is not there, or cannot be written to.
    pub fn check_writable(&self) -> Result<()> {
        self.temporary().map(drop)
    }

    /// Writes pairs; an older file of that name is replaced. It appears whole or not at all. A TAB or line feed within a
    /// side becomes a space. Returns how many pairs there were.
    ///
    /// # Errors
    ///
    /// What the system refuses.
    pub fn write<'a>(&self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<usize> {
        let mut file = self.temporary()?;
        let mut count = 0;
        let pairs = pairs.into_iter().inspect(|_| count += 1);
        let written = write_lines(&mut file, self.form, pairs).and_then(|()| file.finish());
        written.map_err(|error| self.failed(error))?;
        Ok(count)
    }

    fn temporary(&self) -> Result<WholeFile> {
        WholeFile::create(&self.path, ".tmp-pairs-").map_err(|error| self.failed(error))
    }

    fn failed(&self, error: std::io::Error) -> DataError {
        DataError::io("write", &self.path, error)
    }
}

fn write_lines<'a>(
    file: impl Write,
    form: Form,
    pairs: impl Iterator<Item = (&'a str, &'a str)>,
) -> std::io::Result<()> {
    let mut file = BufWriter::new(file);
    match form {
        Form::Plain => write_plain(&mut file, pairs)?,
        Form::Gzip => {
            let mut encoder = GzEncoder::new(&mut file, flate2::Compression::default());
            write_plain(&mut encoder, pairs)?;
            encoder.finish()?;
        }
        Form::Zstandard => {
            let mut encoder = zstd::Encoder::new(&mut file, zstd::DEFAULT_COMPRESSION_LEVEL)?;
            write_plain(&mut encoder, pairs)?;
            encoder.finish()?;
        }
    }
    file.flush()
}

fn write_plain<'a>(to: &mut impl Write, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> std::io::Result<()> {
    for (source, target) in pairs {
        writeln!(to, "{}\t{}", one_cell(source), one_cell(target))?;
    }
    Ok(())
}

fn one_cell(text: &str) -> String {
    text.replace(['\t', '\n'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::{CorpusFiles, read_sides};

    #[test]
    fn what_is_written_is_a_corpus() {
        let folder = tempfile::tempdir().unwrap();
        let pairs = [("a b", "ä"), ("c\td", "e\nf"), ("한국어", "\u{2028}x")];
        for name in ["c.tsv", "c.tsv.gz", "c.tsv.zst"] {
            let path = folder.path().join(name);
            let file = PairFile::new(&path).unwrap();
            file.check_writable().unwrap();
            assert_eq!(file.write([("an older", "file")]).unwrap(), 1);
            assert_eq!(file.write(pairs).unwrap(), 3);
            let (source, target) = read_sides(&CorpusFiles::resolve(&path, "a", "b").unwrap()).unwrap();
            assert_eq!(source, ["a b", "c d", "한국어"]);
            assert_eq!(target, ["ä", "e f", "\u{2028}x"]);
        }
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 3, "no temporary file stays");
    }

    #[test]
    fn names_and_folders_are_checked_beforehand() {
        for name in ["pairs", "pairs.txt", "pairs.gz", ".tsv", "pairs.tsv.bz2", ""] {
            let error = PairFile::new(Path::new(name)).unwrap_err().to_string();
            assert!(error.contains("ends in .tsv, .tsv.gz or .tsv.zst"), "{error}");
        }
        let file = PairFile::new(Path::new("no/such/folder/pairs.tsv")).unwrap();
        let error = file.check_writable().unwrap_err().to_string();
        assert!(error.contains("cannot write no/such/folder/pairs.tsv"), "{error}");
    }
}
