//! The positional encoding and the learning rate, as SVG files.

use std::path::Path;

use anyhow::Context;
use ember_model::config::PositionMerge;
use ember_model::embedding::positional_encoding;
use ember_pictures::{Axis, ColourMap, HeatMap, Labels, LineChart, Scale, Series};
use ember_trainer::inspect::schedule::LearningRates;
use ember_trainer::inspect::{Inspection, Positions};

/// Positions that are drawn at most: what lies behind them looks like what lies before.
const MOST_POSITIONS: usize = 128;

/// Dimensions that are drawn at most; of more, pairs of sine and cosine at equal distances.
const MOST_DIMENSIONS: usize = 256;

/// Writes the files into a folder, which is made if it is not there. Returns what is to be said.
///
/// # Errors
/// What the system refuses.
pub fn write(inspection: &Inspection, folder: &Path) -> anyhow::Result<Vec<String>> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut said = Vec::new();
    let mut save = |name: &str, svg: String| -> anyhow::Result<()> {
        let path = folder.join(name);
        std::fs::write(&path, svg).with_context(|| format!("cannot write {}", path.display()))?;
        said.push(format!("wrote {}", path.display()));
        Ok(())
    };
    save("schedule.svg", learning_rate(&inspection.schedule).to_svg())?;
    match inspection.positions {
        Some(found) => save("positions.svg", positions(found).to_svg())?,
        None => said.push("no positions.svg: a recurrent model has no positional encoding".into()),
    }
    Ok(said)
}

fn learning_rate(rates: &LearningRates) -> LineChart {
    let points = rates.curve.iter().map(|rate| (rate.update as f64, rate.learning_rate));
    let title = if rates.depends_on_validation {
        "Learning rate while every validation improves"
    } else {
        "Learning rate"
    };
    let axis = |label: &str| Axis {
        label: label.into(),
        scale: Scale::Linear,
    };
    LineChart {
        title: title.into(),
        description: format!(
            "The learning rate is highest, {:.2e}, at update {}, and {:.2e} at the last one shown, {}.",
            rates.highest.learning_rate, rates.highest.update, rates.last.learning_rate, rates.last.update
        ),
        x: axis("update"),
        y: axis("learning rate"),
        series: vec![Series {
            name: String::new(),
            points: points.collect(),
        }],
    }
}

fn positions(found: Positions) -> HeatMap {
    let rows = found.longest.min(MOST_POSITIONS);
    let every = found.width.div_ceil(MOST_DIMENSIONS);
    let dimensions: Vec<usize> = (0..found.width)
        .filter(|dimension| dimension / 2 % every == 0)
        .collect();
    let table = positional_encoding(0, rows, found.width);
    let values = table
        .chunks_exact(found.width)
        .flat_map(|row| dimensions.iter().map(|dimension| row[*dimension]));
    let (first, title) = match found.merge {
        PositionMerge::Sum => (0, "Positional encoding, added to the embedding".into()),
        PositionMerge::Concat => {
            let last = 2 * found.width - 1;
            let title = format!(
                "Positional encoding, dimensions {} to {last} beside the embedding",
                found.width
            );
            (found.width, title)
        }
    };
    HeatMap {
        title,
        description: "Sines in even dimensions and cosines in odd ones, whose wavelengths grow from left to right."
            .into(),
        row_axis: "position".into(),
        column_axis: "dimension".into(),
        rows: Labels::count_from_zero(rows),
        columns: Labels::Numbers {
            first: first as f64,
            step: every as f64,
            count: dimensions.len(),
        },
        values: values.collect(),
        colours: ColourMap::Diverging,
    }
}
