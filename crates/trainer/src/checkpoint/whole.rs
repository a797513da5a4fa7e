//! Small files that are there whole or not at all.
//!
//! Unlike [`ember_data::whole`], the unfinished file's name says which process writes it, so that the next start of the run
//! removes what a dead one left behind.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use super::files::sync_folder;
use super::{During, Result};

/// Writes a file under another name, forces it to disk, and only then gives it its name.
///
/// # Errors
/// What the system refuses.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".tmp-{name}-{}", std::process::id()));
    let written = write_and_rename(&temporary, path, content);
    if written.is_err() {
        // A disk that is full has room again for the next attempt; the error that is told is the first one.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    sync_folder(folder)
}

fn write_and_rename(temporary: &Path, path: &Path, content: &[u8]) -> Result<()> {
    let mut file = File::create(temporary).during("create", temporary)?;
    file.write_all(content)
        .and_then(|()| file.sync_all())
        .during("write", temporary)?;
    fs::rename(temporary, path).during("write", path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_get_its_name_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        // A folder cannot be replaced by a file.
        fs::create_dir(&path).unwrap();
        let error = write_whole(&path, b"text").unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("cannot write {}", path.display())),
            "{error}"
        );
        let names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["config.toml"]);
    }
}
