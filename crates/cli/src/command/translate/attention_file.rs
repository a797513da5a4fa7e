//! The file that `ember translate --attention` writes: its name says what it is.

use std::path::Path;

use ember_pictures::Page;
use ember_trainer::attention::Attention;

use crate::console::print_to_stderr;
use crate::output_file::OutputFile;
use crate::pages;

/// Bytes of a page that call for a warning.
const LARGE_PAGE: usize = 32 << 20;

/// A file that is to be written, or several.
pub struct AttentionFile<'a> {
    path: &'a Path,
    /// For `.svg` it only stands for the files beside it, of which there will be one a map.
    file: OutputFile,
}

impl<'a> AttentionFile<'a> {
    /// Looks whether the file can be written; nothing is left behind.
    ///
    /// # Errors
    /// As [`OutputFile::new`].
    pub fn new(path: &'a Path) -> anyhow::Result<Self> {
        Ok(Self {
            path,
            file: OutputFile::new(path)?,
        })
    }

    /// Writes the page for `.html` and `.htm`, a picture of every map for `.svg`, and JSON for every other name.
    ///
    /// # Errors
    /// As [`OutputFile::write`].
    pub fn write(&self, attention: Attention, page: impl FnOnce(Attention) -> Page) -> anyhow::Result<()> {
        let extension = self.path.extension().unwrap_or_default().to_ascii_lowercase();
        match extension.to_str() {
            Some("html" | "htm") => self.write_page(&page(attention).to_html()),
            Some("svg") => write_pictures(attention, self.path),
            _ => self.file.write(|to| Ok(serde_json::to_writer(to, &attention)?)),
        }
    }

    fn write_page(&self, page: &str) -> anyhow::Result<()> {
        if page.len() > LARGE_PAGE {
            print_to_stderr(&format!(
                "warning: {} has {} MiB, which browsers are slow to open: translate fewer lines",
                self.path.display(),
                page.len() >> 20
            ));
        }
        self.file.write(|to| to.write_all(page.as_bytes()))
    }
}

/// `maps.svg` stands for `maps.1.cross-attention.layer-1.head-2.svg` and so on, one file a map.
fn write_pictures(attention: Attention, path: &Path) -> anyhow::Result<()> {
    for (index, line) in attention.lines.into_iter().enumerate() {
        let Some(line) = line else { continue };
        for (name, picture) in pages::pictures_of(line) {
            let picture = picture.to_svg();
            let file = OutputFile::new(&path.with_extension(format!("{}.{name}.svg", index + 1)))?;
            file.write(|to| to.write_all(picture.as_bytes()))?;
        }
    }
    Ok(())
}
