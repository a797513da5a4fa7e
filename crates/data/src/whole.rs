//! Files that are there whole or not at all: written under another name beside their place, forced to disk, renamed.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file in the making, under another name beside its place; dropped before it is finished, it is removed.
pub struct WholeFile {
    file: NamedTempFile,
    place: PathBuf,
}

impl WholeFile {
    /// Begins the file that shall stand at `place`, where a link to a file leads to that file; `prefix` begins its name
    /// until then.
    ///
    /// # Errors
    /// A folder that is not there or cannot be written to.
    pub fn create(place: &Path, prefix: &str) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(prefix);
        // Shared like any other file, not its owner's alone as temporary files are; the umask has its say.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let place = place.canonicalize().unwrap_or_else(|_| place.to_owned());
        Ok(Self {
            file: builder.tempfile_in(folder_of(&place))?,
            place,
        })
    }

    /// Forces the file to disk and gives it its name; an older file of that name is replaced, and its permissions stay.
    ///
    /// # Errors
    /// What the system refuses; nothing is left behind then.
    pub fn finish(self) -> io::Result<()> {
        if let Ok(older) = self.place.metadata() {
            self.file.as_file().set_permissions(older.permissions())?;
        }
        self.file.as_file().sync_all()?;
        self.file.persist(&self.place).map_err(|error| error.error)?;
        sync_folder(Some(folder_of(&self.place)));
        Ok(())
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_file_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_file_mut().flush()
    }
}

/// Writes a small file; `prefix` begins its name until it is whole.
pub(crate) fn write_whole(place: &Path, prefix: &str, bytes: &[u8]) -> io::Result<()> {
    let mut file = WholeFile::create(place, prefix)?;
    file.write_all(bytes)?;
    file.finish()
}

/// Brings a rename to the disk, where the system can.
pub(crate) fn sync_folder(folder: Option<&Path>) {
    if let Some(Ok(folder)) = folder.map(File::open) {
        let _ = folder.sync_all();
    }
}

/// Where a file lies: the current folder for a bare name.
fn folder_of(place: &Path) -> &Path {
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_when_the_new_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("file");
        write_whole(&place, ".tmp-", b"old").unwrap();
        let mut file = WholeFile::create(&place, ".tmp-").unwrap();
        file.write_all(b"half").unwrap();
        assert_eq!(std::fs::read(&place).unwrap(), b"old");
        drop(file);
        assert_eq!(std::fs::read(&place).unwrap(), b"old");
        write_whole(&place, ".tmp-", b"new").unwrap();
        assert_eq!(std::fs::read(&place).unwrap(), b"new");
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            1,
            "no temporary file stays"
        );
    }

    #[cfg(unix)]
    #[test]
    fn permissions_stay_and_links_are_followed() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let [target, link] = ["target", "link"].map(|name| folder.path().join(name));
        std::fs::write(&target, "old").unwrap();
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&target, &link).unwrap();
        write_whole(&link, ".tmp-", b"new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read(&target).unwrap(), b"new");
        assert_eq!(target.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_has_the_mode_of_any_other() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let [ours, plain] = ["ours", "plain"].map(|name| folder.path().join(name));
        write_whole(&ours, ".tmp-", b"").unwrap();
        std::fs::write(&plain, b"").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }
}
