//! Draws what `ember evaluate --json` says of several models by source length, as SVG on stdout:
//!
//! ```sh
//! cargo run -p ember-pictures --example by_length -- bleu rnn=rnn.json transformer=transformer.json > by-length.svg
//! ```
//!
//! The first argument is a key of `by_length`: `bleu` or `exact_match`.

use ember_pictures::{Axis, LineChart, Scale, Series};
use serde_json::Value;

/// Lines below which a group's score is chance.
const FEWEST_LINES: u64 = 20;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let key = arguments.next().ok_or("name a key of by_length: bleu or exact_match")?;
    let label = match key.as_str() {
        "bleu" => "BLEU",
        "exact_match" => "exact matches (%)",
        _ => return Err(format!("{key:?} is neither bleu nor exact_match").into()),
    };
    let series: Vec<Series> = arguments
        .map(|argument| read(&argument, &key))
        .collect::<Result<_, _>>()?;
    let chart = LineChart {
        title: format!("{label} by length of the source"),
        description: series.iter().map(described).collect::<Vec<_>>().join("; "),
        x: Axis {
            label: "longest source of the group (words)".into(),
            scale: Scale::Linear,
        },
        y: Axis {
            label: label.into(),
            scale: Scale::Linear,
        },
        series,
    };
    println!("{}", chart.to_svg());
    Ok(())
}

/// One model, from `NAME=FILE`. What is longer than all groups has no length to stand at, and is left out; so are groups
/// of few lines.
fn read(argument: &str, key: &str) -> Result<Series, Failure> {
    let (name, path) = argument
        .split_once('=')
        .ok_or_else(|| format!("{argument:?} is not NAME=FILE"))?;
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let scores: Value = serde_json::from_str(&text).map_err(|error| format!("{path}: {error}"))?;
    let rows = scores["by_length"]
        .as_array()
        .ok_or_else(|| format!("{path}: no by_length"))?;
    let has_lines = |row: &&Value| row["lines"].as_u64() >= Some(FEWEST_LINES);
    let point = |row: &Value| Some((row["max_source_words"].as_f64()?, row[key].as_f64()?));
    Ok(Series {
        name: name.into(),
        points: rows.iter().filter(has_lines).filter_map(point).collect(),
    })
}

fn described(series: &Series) -> String {
    let points = series.points.iter();
    let values: Vec<String> = points
        .map(|(length, value)| format!("{value:.1} up to {length}"))
        .collect();
    format!("{}: {}", series.name, values.join(", "))
}
