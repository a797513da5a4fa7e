//! A matrix as coloured cells.
//!
//! A rectangle for every cell would be megabytes. Values are rounded to [`LEVELS`] colours, neighbours of one colour in a
//! row (or a column, whichever leaves fewer) become one stroke, and all strokes of a colour are one path. A matrix with
//! more than [`MOST_CELLS`] rows or columns is reduced first: of each block the value furthest from 0 stays.

use std::fmt::Write;

use crate::canvas::{Anchor, Canvas, TEXT, shorten, text_width};
use crate::colour_map::{ColourMap, LEVELS};
use crate::theme::{Ink, UNITS_PER_PIXEL, WIDTH};
use crate::ticks;

/// Rows or columns that are drawn at most.
pub const MOST_CELLS: usize = 256;

/// Pixels of a label at most; longer ones are cut.
const LONGEST_LABEL: f64 = 150.0;

/// Pixels that a label takes across its direction.
const LABEL_HEIGHT: f64 = 14.0;

/// Room for the colours' legend at the right, pixels.
const LEGEND: f64 = 70.0;

/// A matrix with what its rows and columns are.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatMap {
    /// Above the picture.
    pub title: String,
    /// What is to be seen, for those who cannot see it.
    pub description: String,
    /// Label of the vertical axis.
    pub row_axis: String,
    /// Label of the horizontal axis.
    pub column_axis: String,
    /// What each row is, from the top.
    pub rows: Labels,
    /// What each column is, from the left.
    pub columns: Labels,
    /// Row after row; a cell that is no number stays empty.
    pub values: Vec<f32>,
    /// Colours, and with them the range.
    pub colours: ColourMap,
}

/// What the rows or columns of a matrix are.
#[derive(Debug, Clone, PartialEq)]
pub enum Labels {
    /// Things with names.
    Names(Vec<String>),
    /// Numbers from 0, so many.
    Count(usize),
}

/// Rows or columns: how many are drawn, and where.
struct Side<'a> {
    labels: &'a Labels,
    cells: usize,
    /// Pixels at the first cell's begin.
    begin: f64,
    /// Pixels at the last cell's end.
    end: f64,
}

impl Labels {
    /// How many.
    pub fn count(&self) -> usize {
        match self {
            Self::Names(names) => names.len(),
            Self::Count(count) => *count,
        }
    }

    /// Pixels of the longest label.
    fn extent(&self) -> f64 {
        let width = |label: &str| text_width(label, TEXT);
        match self {
            Self::Names(names) => names
                .iter()
                .map(|name| width(name))
                .fold(0.0, f64::max)
                .min(LONGEST_LABEL),
            Self::Count(count) => width(&count.to_string()),
        }
    }
}

impl HeatMap {
    /// The picture. The same matrix gives the same bytes.
    ///
    /// # Panics
    /// When there are not as many values as cells.
    pub fn to_svg(&self) -> String {
        let (rows, columns) = (self.rows.count(), self.columns.count());
        assert_eq!(self.values.len(), rows * columns, "a value for each cell");
        let left = 36.0 + self.rows.extent();
        let room = WIDTH - left - LEGEND - 12.0;
        let width = match &self.columns {
            Labels::Names(names) => room.min(32.0 * names.len() as f64),
            Labels::Count(_) => room,
        };
        let height = match &self.rows {
            Labels::Names(names) => (20.0 * names.len() as f64).clamp(60.0, 720.0),
            Labels::Count(_) => 320.0,
        };
        let across = Side::new(&self.columns, left, width);
        let down = Side::new(&self.rows, 38.0, height);
        let turned = matches!(&self.columns, Labels::Names(_)) && self.columns.extent() > width / columns as f64 - 4.0;
        let labels = if turned { self.columns.extent() } else { LABEL_HEIGHT };

        let mut canvas = Canvas::new(down.end + labels + 42.0);
        canvas.title(&self.title);
        if self.values.is_empty() {
            canvas.text("no data", (WIDTH / 2.0, (down.begin + down.end) / 2.0), Anchor::Middle);
        } else {
            canvas.raw(&cells(&self.levels(&down, &across), &down, &across, self.colours));
            self.legend(&mut canvas, across.end, &down);
        }
        for (at, label) in across.labels(if turned {
            LABEL_HEIGHT
        } else {
            self.columns.extent() + 10.0
        }) {
            let (y, anchor) = if turned {
                (6.0, Anchor::TurnedEnd)
            } else {
                (13.0, Anchor::Middle)
            };
            canvas.text(&label, (at, down.end + y), anchor);
        }
        for (at, label) in down.labels(LABEL_HEIGHT) {
            canvas.text(&label, (left - 6.0, at), Anchor::Right);
        }
        let below = down.end + labels + 24.0;
        canvas.text(
            &self.column_axis,
            ((across.begin + across.end) / 2.0, below),
            Anchor::Middle,
        );
        canvas.text(
            &self.row_axis,
            (16.0, (down.begin + down.end) / 2.0),
            Anchor::TurnedMiddle,
        );
        canvas.finish(&self.title, &self.description)
    }

    /// The level of each cell that is drawn.
    fn levels(&self, down: &Side, across: &Side) -> Vec<Vec<Option<usize>>> {
        let columns = self.columns.count();
        let value = |row: usize, column: usize| {
            let block = across.block(column);
            let values = down
                .block(row)
                .flat_map(|row| &self.values[row * columns..][block.clone()]);
            let furthest = |one: f32, other: &f32| {
                if one.abs() >= other.abs() || other.is_nan() {
                    one
                } else {
                    *other
                }
            };
            values.fold(f32::NAN, furthest)
        };
        (0..down.cells)
            .map(|row| {
                (0..across.cells)
                    .map(|column| self.colours.level(value(row, column)))
                    .collect()
            })
            .collect()
    }

    /// A bar with all colours, and numbers beside it.
    fn legend(&self, canvas: &mut Canvas, right: f64, down: &Side) {
        let (low, high) = self.colours.range();
        let bar = Side {
            labels: &self.rows,
            cells: LEVELS,
            begin: down.begin,
            end: down.end.min(down.begin + 200.0),
        };
        let left = right + 16.0;
        let width = Side {
            labels: &self.columns,
            cells: 1,
            begin: left,
            end: left + 14.0,
        };
        let levels: Vec<_> = (0..LEVELS).rev().map(|level| vec![Some(level)]).collect();
        canvas.raw(&cells(&levels, &bar, &width, self.colours));
        for (value, label) in ticks::linear(low, high, 6) {
            let at = bar.end - (value - low) / (high - low) * (bar.end - bar.begin);
            canvas.line((width.end, at), (width.end + 4.0, at), 1.0, Ink::Axis);
            canvas.text(&label, (width.end + 8.0, at), Anchor::Left);
        }
    }
}

impl<'a> Side<'a> {
    fn new(labels: &'a Labels, begin: f64, extent: f64) -> Self {
        Self {
            labels,
            cells: labels.count().min(MOST_CELLS),
            begin,
            end: begin + extent,
        }
    }

    /// Rows or columns of the matrix that a drawn one stands for.
    fn block(&self, cell: usize) -> std::ops::Range<usize> {
        let count = self.labels.count();
        cell * count / self.cells..(cell + 1) * count / self.cells
    }

    /// Where a cell begins, in units of the drawing.
    fn edge(&self, cell: usize) -> i64 {
        let at = self.begin + (self.end - self.begin) * cell as f64 / self.cells as f64;
        (at * UNITS_PER_PIXEL).round() as i64
    }

    /// Where labels stand, pixels, each `room` from the next one at least.
    fn labels(&self, room: f64) -> Vec<(f64, String)> {
        let count = self.labels.count();
        let pixels = (self.end - self.begin) / count as f64;
        let middle = |index: f64| self.begin + (index + 0.5) * pixels;
        match self.labels {
            Labels::Names(names) => {
                let every = (room / pixels - 1e-9).ceil().max(1.0) as usize;
                let shown = names.iter().enumerate().step_by(every);
                shown
                    .map(|(index, name)| (middle(index as f64), shorten(name, LONGEST_LABEL, TEXT)))
                    .collect()
            }
            Labels::Count(0) => Vec::new(),
            Labels::Count(1) => vec![(middle(0.0), "0".into())],
            Labels::Count(_) => {
                let most = ((self.end - self.begin) / room) as usize;
                ticks::linear(0.0, (count - 1) as f64, most.clamp(1, 12).min(count))
                    .into_iter()
                    .filter(|(value, _)| value.fract() == 0.0)
                    .map(|(value, label)| (middle(value), label))
                    .collect()
            }
        }
    }
}

/// One path a level: strokes over runs of cells of that level.
fn cells(levels: &[Vec<Option<usize>>], down: &Side, across: &Side, colours: ColourMap) -> String {
    let turned: Vec<Vec<Option<usize>>> = (0..across.cells)
        .map(|column| levels.iter().map(|row| row[column]).collect())
        .collect();
    let runs = |lines: &[Vec<Option<usize>>]| {
        lines
            .iter()
            .map(|line| line.chunk_by(PartialEq::eq).count())
            .sum::<usize>()
    };
    let by_row = runs(levels) <= runs(&turned);
    let (lines, outer, inner) = if by_row {
        (levels, down, across)
    } else {
        (&turned[..], across, down)
    };
    let mut paths = vec![String::new(); LEVELS];
    for (index, line) in lines.iter().enumerate() {
        let (top, bottom) = (outer.edge(index), outer.edge(index + 1));
        let mut begin = 0;
        for run in line.chunk_by(PartialEq::eq) {
            let end = begin + run.len();
            let (from, to) = (inner.edge(begin), inner.edge(end));
            begin = end;
            let Some(level) = run[0] else { continue };
            let (x, y, width, height) = if by_row {
                (from, top, to - from, bottom - top)
            } else {
                (top, from, bottom - top, to - from)
            };
            let _ = write!(paths[level], "M{x} {y}h{width}v{height}h-{width}");
        }
    }
    let mut text = String::from("<g shape-rendering=\"crispEdges\">\n");
    for (level, path) in paths.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
        let _ = writeln!(text, "<path fill=\"{}\" d=\"{path}\"/>", colours.colour(level));
    }
    text + "</g>\n"
}

#[cfg(test)]
mod tests;
