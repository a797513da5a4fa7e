//! The verbs, one file each.

mod average;
mod bench;
mod compare;
mod devices;
mod evaluate;
mod inspect;
mod plot;
mod score;
mod scoring;
mod split;
mod train;
mod translate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use ember_model::config::MOST_BEAMS;

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
    Compare(compare::Compare),
    Score(score::Score),
    Average(average::Average),
    Inspect(inspect::Inspect),
    Plot(plot::Plot),
    Bench(bench::Bench),
    Devices(devices::Devices),
}

/// A number of things of which there must be one.
fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("0 is below the least value 1".into()),
        Ok(number) => Ok(number),
        Err(error) => Err(error.to_string()),
    }
}

/// The greatest sentence length and number of sentences.
const MOST: usize = 65_536;

/// A number of tokens: one and `</s>` at least.
fn sentence_length(text: &str) -> Result<usize, String> {
    match at_least_one(text)? {
        1 => Err("1 is below the least value 2".into()),
        length => at_most(length),
    }
}

/// A number of sentences.
fn batch_size(text: &str) -> Result<usize, String> {
    at_least_one(text).and_then(at_most)
}

fn at_most(number: usize) -> Result<usize, String> {
    if number > MOST {
        return Err(format!("{number} is above the greatest value {MOST}"));
    }
    Ok(number)
}

/// A search width.
fn beam(text: &str) -> Result<usize, String> {
    at_least_one(text).and_then(|width| {
        if width <= MOST_BEAMS {
            Ok(width)
        } else {
            Err(format!("{width} is above the greatest value {MOST_BEAMS}"))
        }
    })
}

/// An exponent of the length penalty.
fn length_penalty(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(exponent) if exponent.is_finite() && exponent >= 0.0 => Ok(exponent),
        Ok(exponent) => Err(format!("{exponent} is not a number from 0 up")),
        Err(error) => Err(error.to_string()),
    }
}

/// Does what was asked for.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Train(train) => train.run(),
        Command::Translate(translate) => translate.run(),
        Command::Evaluate(evaluate) => evaluate.run(),
        Command::Compare(compare) => compare.run(),
        Command::Score(score) => score.run(),
        Command::Average(average) => average.run(),
        Command::Inspect(inspect) => inspect.run(),
        Command::Plot(plot) => plot.run(),
        Command::Bench(bench) => bench.run(),
        Command::Devices(devices) => devices.run(),
    }
}
