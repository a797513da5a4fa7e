//! A file that a command writes at its end, after hours perhaps: that it can be written is found out at the beginning,
//! and it is there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use ember_data::whole::WholeFile;

/// Begins the name of a file that is not whole yet.
const PREFIX: &str = ".tmp-output-";

/// A file to be written, by the way that suits what is at its place now.
pub struct OutputFile {
    path: PathBuf,
    way: Way,
}

enum Way {
    /// A new file beside it takes its name: the plain file that is there or will be, links to it followed.
    Beside,
    /// It is opened and written: `/dev/stdout`, a pipe, a link to nothing, a file in a folder that takes no other.
    Directly,
}

impl OutputFile {
    /// Looks whether the file can be written; nothing is left behind.
    ///
    /// # Errors
    /// A folder that is not there or cannot be written to, a file that is write-protected or a folder itself.
    pub fn new(path: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            way: way(path).map_err(|fault| cannot_write(path, &fault))?,
            path: path.to_owned(),
        })
    }

    /// Writes it; an older file of that name is replaced, and keeps its permissions.
    ///
    /// # Errors
    /// What the system refuses, or `content`. A reader of a pipe who has seen enough is none.
    pub fn write(&self, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
        let written = match &self.way {
            Way::Beside => write_beside(&self.path, content),
            Way::Directly => match File::create(&self.path).and_then(|file| buffered(file, content)) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                other => other,
            },
        };
        written.map_err(|fault| cannot_write(&self.path, &fault))
    }
}

fn cannot_write(path: &Path, fault: &io::Error) -> anyhow::Error {
    anyhow::anyhow!(
        "cannot write {}: {fault}\nhint: is its folder there, is there space left, and may you write there?",
        path.display()
    )
}

fn way(path: &Path) -> io::Result<Way> {
    let found = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match fs::symlink_metadata(path) {
                Ok(_) => Ok(Way::Directly),
                Err(_) => WholeFile::create(path, PREFIX).map(|_| Way::Beside),
            };
        }
        found => found?,
    };
    if found.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !found.is_file() {
        return Ok(Way::Directly);
    }
    // A file that is write-protected could be replaced all the same: its owner does not want that.
    OpenOptions::new().write(true).open(path)?;
    match WholeFile::create(path, PREFIX) {
        Ok(_) => Ok(Way::Beside),
        Err(_) => Ok(Way::Directly),
    }
}

fn write_beside(target: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut file = WholeFile::create(target, PREFIX)?;
    buffered(&mut file, content)?;
    file.finish()
}

fn buffered(file: impl Write, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut file = BufWriter::new(file);
    content(&mut file)?;
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out");
        let file = OutputFile::new(&path).expect("a file that can be written");
        assert_eq!(names(folder.path()), [""; 0]);
        for old in ["", "old"] {
            if !old.is_empty() {
                fs::write(&path, old).expect("a file");
            }
            let half = |to: &mut dyn Write| {
                to.write_all(&[b'x'; 100_000])?;
                Err(io::ErrorKind::StorageFull.into())
            };
            let error = file.write(half).expect_err("no space").to_string();
            assert!(
                error.starts_with("cannot write ") && error.contains("hint: "),
                "{error}"
            );
            assert_eq!(fs::read_to_string(&path).unwrap_or_default(), old);
            assert_eq!(names(folder.path()).len(), usize::from(!old.is_empty()));
        }
        file.write(|to| to.write_all(b"new")).expect("a whole file");
        assert_eq!(fs::read_to_string(&path).expect("a file"), "new");
        assert_eq!(names(folder.path()), ["out"]);
    }

    #[test]
    fn what_cannot_be_written_is_told_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        for path in [folder.path().join("no/folder/out"), folder.path().to_owned()] {
            let error = OutputFile::new(&path).err().expect("a fault").to_string();
            assert!(error.contains(&path.display().to_string()), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn permissions_stay_and_links_are_followed() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().expect("a folder");
        let [target, link, nothing] = ["target", "link", "nothing"].map(|name| folder.path().join(name));
        fs::write(&target, "old").expect("a file");
        fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).expect("permissions");
        symlink(&target, &link).expect("a link");
        let write = |path: &Path| OutputFile::new(path).expect("a file").write(|to| to.write_all(b"new"));
        write(&link).expect("a whole file");
        let found = fs::metadata(&target).expect("a file");
        assert_eq!((found.len(), found.permissions().mode() & 0o777), (3, 0o640));
        assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
        fs::remove_file(&target).expect("a file");
        symlink(folder.path().join("later"), &nothing).expect("a link");
        write(&nothing).expect("a whole file");
        assert_eq!(names(folder.path()), ["later", "link", "nothing"]);
    }
}
