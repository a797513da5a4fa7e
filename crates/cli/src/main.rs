//! The `ember` command: train, resume, evaluate and use neural translation models.
//!
//! ```text
//! main         arguments, errors, exit codes
//! command/     one file a verb
//! device       which backend, chosen at run time
//! pages/       runs and translations as HTML
//! console      progress bars on a terminal, lines elsewhere
//! output_file  a file that is there whole or not at all
//! allocator    mimalloc, told to keep what it has
//! warnings     what the libraries warn of
//! signals      SIGINT and SIGTERM save and stop
//! ```
//!
//! Exit codes: 0 done, 1 failed with a paragraph on stderr, 2 wrong arguments.

mod allocator;
mod command;
mod console;
mod device;
mod output_file;
mod pages;
mod signals;
mod warnings;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    allocator::keep_memory();
    warnings::show();
    let arguments = command::Arguments::parse();
    match command::run(arguments) {
        Ok(code) => code,
        Err(error) => {
            console::print_error(&error);
            ExitCode::FAILURE
        }
    }
}
