//! Writes a corpus of sequences to copy or to reverse:
//! `cargo run -p ember-sample --bin generate-sequences copy|reverse [FOLDER]`; the folder is `data/TASK` unless given.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ember_sample::files;
use ember_sample::sequences::{self, SEED, Task};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (name, folder) = match arguments.as_slice() {
        [name] => (name, Path::new("data").join(name)),
        [name, folder] => (name, PathBuf::from(folder)),
        _ => return usage(),
    };
    let Some(task) = Task::named(name) else {
        return usage();
    };
    match files::write(&folder, sequences::files(task, SEED)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: cannot write the corpus to {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: generate-sequences copy|reverse [FOLDER]");
    ExitCode::from(2)
}
