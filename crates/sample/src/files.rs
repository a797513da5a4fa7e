//! Corpus files, written so that nobody ever reads half of one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes files by name and text into `folder`, which is created, and tells each on stdout with its number of lines.
///
/// # Errors
/// What the system refuses; every file is then the old or the new one, whole.
pub fn write(folder: &Path, files: impl IntoIterator<Item = (String, String)>) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, text) in files {
        let path = folder.join(&name);
        let temporary = folder.join(format!(".tmp-{name}-{}", std::process::id()));
        let written = write_synced(&temporary, &text).and_then(|()| fs::rename(&temporary, &path));
        written.inspect_err(|_| drop(fs::remove_file(&temporary)))?;
        println!("{}: {} lines", path.display(), text.lines().count());
    }
    Ok(())
}

fn write_synced(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_stays() {
        let folder = std::env::temp_dir().join(format!("ember-sample-files-{}", std::process::id()));
        let file = |text: &str| [("train.src".to_owned(), text.to_owned())];
        write(&folder, file("an older and longer text\n")).unwrap();
        // Who has the old file open goes on reading the old text.
        let old = File::open(folder.join("train.src")).unwrap();
        write(&folder, file("a b\n")).unwrap();
        assert_eq!(io::read_to_string(old).unwrap(), "an older and longer text\n");
        assert_eq!(fs::read_to_string(folder.join("train.src")).unwrap(), "a b\n");
        // What cannot be put in its place leaves nothing behind.
        fs::create_dir(folder.join("valid.src")).unwrap();
        write(&folder, [("valid.src".to_owned(), "c\n".to_owned())]).unwrap_err();
        let mut names: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["train.src", "valid.src"]);
        fs::remove_dir_all(&folder).unwrap();
    }
}
