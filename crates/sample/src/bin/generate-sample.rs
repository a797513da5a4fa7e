//! Writes the sample corpus: `cargo run -p ember-sample --bin generate-sample [FOLDER]`.

use ember_sample::{corpus::SEED, files, generate};
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(|| PathBuf::from("data/sample"), PathBuf::from);
    match files::write(&folder, generate(SEED).files()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: cannot write the sample corpus to {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}
