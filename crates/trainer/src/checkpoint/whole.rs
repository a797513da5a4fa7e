//! Small files that are there whole or not at all.

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
    let mut file = File::create(&temporary).during("create", &temporary)?;
    file.write_all(content)
        .and_then(|()| file.sync_all())
        .during("write", &temporary)?;
    fs::rename(&temporary, path).during("write", path)?;
    sync_folder(folder)
}
