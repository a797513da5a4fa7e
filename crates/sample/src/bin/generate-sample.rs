//! Writes the sample corpus: `cargo run -p ember-sample --bin generate-sample [FOLDER]`.

use ember_sample::{corpus::SEED, generate};
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(|| PathBuf::from("data/sample"), PathBuf::from);
    match write(&folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: cannot write the sample corpus to {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn write(folder: &std::path::Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (name, text) in generate(SEED).files() {
        std::fs::write(folder.join(&name), &text)?;
        println!("{}: {} lines", folder.join(&name).display(), text.lines().count());
    }
    Ok(())
}
