//! Draws a table of numbers as curves, as SVG on stdout:
//!
//! ```sh
//! cargo run -p ember-pictures --example curves -- "BLEU over minutes of training" BLEU < curve.tsv > curve.svg
//! ```
//!
//! The arguments are the title and the vertical axis; the table comes on stdin, its columns between tabs. The first row
//! names the horizontal axis and then the curves; a cell without a number is no point of its curve.

use std::io::Read;

use ember_pictures::{Axis, LineChart, Scale, Series};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let title = arguments.next().ok_or("the first argument is the title")?;
    let label = arguments.next().ok_or("the second argument names the vertical axis")?;
    let mut table = String::new();
    std::io::stdin().read_to_string(&mut table)?;
    let mut rows = table.lines();
    let mut names = rows.next().ok_or("stdin is empty")?.split('\t');
    let across = names.next().unwrap_or_default();
    let rows: Vec<Vec<f64>> = rows.map(numbers).collect();
    let series: Vec<Series> = names
        .enumerate()
        .map(|(column, name)| curve(name, column + 1, &rows))
        .collect();
    let axis = |label: &str| Axis {
        label: label.into(),
        scale: Scale::Linear,
    };
    let chart = LineChart {
        title,
        description: series.iter().map(described).collect::<Vec<_>>().join("; "),
        x: axis(across),
        y: axis(&label),
        series,
    };
    println!("{}", chart.to_svg());
    Ok(())
}

fn numbers(row: &str) -> Vec<f64> {
    row.split('\t').map(|cell| cell.parse().unwrap_or(f64::NAN)).collect()
}

/// The points of a column; a curve goes on across rows that are another curve's.
fn curve(name: &str, column: usize, rows: &[Vec<f64>]) -> Series {
    let point = |row: &Vec<f64>| Some((*row.first()?, *row.get(column)?));
    let points = rows.iter().filter_map(point);
    Series {
        name: name.into(),
        points: points.filter(|(x, y)| x.is_finite() && y.is_finite()).collect(),
    }
}

fn described(series: &Series) -> String {
    let last = series.points.last();
    last.map_or_else(
        || format!("{}: no data", series.name),
        |(x, y)| format!("{}: {y:.1} at {x:.1}", series.name),
    )
}
