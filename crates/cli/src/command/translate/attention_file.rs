//! The file that `ember translate --attention` writes: its name says what it is.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use ember_pictures::Page;
use ember_trainer::attention::Attention;

use crate::console::print_to_stderr;
use crate::pages;

/// Bytes of a page that call for a warning.
const LARGE_PAGE: usize = 32 << 20;

/// Writes the page for `.html` and `.htm`, a picture of every map for `.svg`, and JSON for every other name.
pub fn write(path: &Path, attention: Attention, page: impl FnOnce(Attention) -> Page) -> io::Result<()> {
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    match extension.to_str() {
        Some("html" | "htm") => write_page(&page(attention).to_html(), path),
        Some("svg") => write_pictures(attention, path),
        _ => write_json(&attention, path),
    }
}

fn write_page(page: &str, path: &Path) -> io::Result<()> {
    if page.len() > LARGE_PAGE {
        print_to_stderr(&format!(
            "warning: {} has {} MiB, which browsers are slow to open: translate fewer lines",
            path.display(),
            page.len() >> 20
        ));
    }
    std::fs::write(path, page)
}

/// `maps.svg` stands for `maps.1.cross-attention.layer-1.head-2.svg` and so on, one file a map.
fn write_pictures(attention: Attention, path: &Path) -> io::Result<()> {
    for (index, line) in attention.lines.into_iter().enumerate() {
        let Some(line) = line else { continue };
        for (name, picture) in pages::pictures_of(line) {
            let picture = picture.to_svg();
            std::fs::write(path.with_extension(format!("{}.{name}.svg", index + 1)), picture)?;
        }
    }
    Ok(())
}

fn write_json(attention: &Attention, path: &Path) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    serde_json::to_writer(&mut file, attention)?;
    file.flush()
}
