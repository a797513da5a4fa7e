//! The verbs, one file each.

mod average;
mod devices;
mod evaluate;
mod train;
mod translate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Train, resume, evaluate and use neural translation models.
#[derive(Parser)]
#[command(name = "ember", version, max_term_width = 100, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Train(train::Train),
    Translate(translate::Translate),
    Evaluate(evaluate::Evaluate),
    Average(average::Average),
    Devices(devices::Devices),
}

/// Does what was asked for.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Train(train) => train.run(),
        Command::Translate(translate) => translate.run(),
        Command::Evaluate(evaluate) => evaluate.run(),
        Command::Average(average) => average.run(),
        Command::Devices(devices) => devices.run(),
    }
}
