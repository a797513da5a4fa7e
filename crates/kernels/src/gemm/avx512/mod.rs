//! Products with 512-bit registers, after Goto and van de Geijn (2008), "Anatomy of high-performance matrix
//! multiplication".
//!
//! The result is made of tiles of 12 rows and 32 columns, which stay in 24 registers while `k` runs. Along `k` the work
//! is cut into pieces of [`DEPTH`], so that what a tile reads stays in the first cache:
//!
//! ```text
//! panel   a piece of the right factor for 32 columns, copied as [steps, 32] words
//! strip   a piece of the left factor for 12 rows, read where it is or copied as [12, steps] or [steps, 12] words
//! ```
//!
//! A word is one fp32 number, or two bf16 numbers that follow each other along `k`; a step is a word. A strip is copied
//! in the order in which its matrix lies in memory; the tile reads it one word at a time, so that either will do.

mod pack;
mod strips;
mod tile;

use rayon::prelude::*;

use self::strips::{Piece, Strips, copied, steps};
use self::tile::Tile;
use super::{Also, Matrix, Precision, Product, Start, change_rows};
use crate::shared::Shared;

pub use self::strips::Panels;

/// Rows of a tile.
const TILE_ROWS: usize = 12;
/// Columns of a tile: two registers.
const TILE_COLUMNS: usize = 32;
/// How far `k` runs before a tile is stored: a panel of this depth takes 64 KiB in fp32, 32 KiB in bf16.
const DEPTH: usize = 512;
/// Rows of the result that one task takes at most.
const BLOCK_ROWS: usize = 96;
/// Columns of the result that one task takes at most.
const BLOCK_COLUMNS: usize = 128;
/// Multiplications below which threads cost more than they gain.
const SERIAL: usize = 1 << 17;

/// `result = left * right + start`, on all threads or on this one.
///
/// Tasks share the longer side of the result. What all of them read, the other factor, is copied beforehand; what only
/// one of them reads it copies itself, a piece at a time, so that the copy stays in its cache.
///
/// Where sums of the right factor's columns are wanted, they are taken as it is copied: it must not be prepared, and
/// its rows must be contiguous. What changes the result is given rows that are complete.
pub fn multiply(product: &Product, result: &mut [f32], row_stride: usize, on_all_threads: bool, also: Also) {
    let (left, right, precision) = (product.left, product.right.matrix, product.right.precision);
    let Also { mut sums, then } = also;
    let by_rows = left.rows >= right.columns;
    let is_shared = on_all_threads && left.rows * right.columns * left.columns >= SERIAL;
    // Where rows are contiguous along k, fp32 numbers are read where they are.
    let by_row = left.column_stride == 1;
    let in_place = precision == Precision::Fp32 && by_row;
    let fresh;
    let right_panels = match &product.right.panels {
        Some(panels) => Some(panels),
        None if is_shared && by_rows => {
            fresh = Panels::of_columns(right, precision, sums.take());
            Some(&fresh)
        }
        None => None,
    };
    if let Some(sums) = &mut sums {
        sums.fill(0.0);
    }
    let job = Job {
        left,
        right,
        precision,
        start: product.start,
        by_row,
        in_place,
        left_strips: (is_shared && !in_place && !by_rows).then(|| Strips::new(left, precision, None)),
        right_panels,
        sums: sums.map(Shared::new),
        result: Shared::new(result),
        row_stride,
    };
    let whole = Part {
        rows: [0, left.rows],
        columns: [0, right.columns],
    };
    if !is_shared {
        job.run(whole);
        if let Some(then) = then {
            then(0, &mut result[..left.rows * right.columns]);
        }
        return;
    }
    let (side, tile, most) = if by_rows {
        (left.rows, TILE_ROWS, BLOCK_ROWS)
    } else {
        (right.columns, TILE_COLUMNS, BLOCK_COLUMNS)
    };
    let tiles = side.div_ceil(tile);
    let threads = rayon::current_num_threads();
    // Four tasks a thread even out what else the machine does.
    let tasks = (4 * threads)
        .max(tiles.div_ceil(most / tile))
        .next_multiple_of(threads)
        .min(tiles);
    (0..tasks).into_par_iter().with_max_len(1).for_each(|task| {
        let range = [task, task + 1].map(|task| side.min(task * tiles / tasks * tile));
        if !by_rows {
            return job.run(Part {
                columns: range,
                ..whole
            });
        }
        job.run(Part { rows: range, ..whole });
        if let Some(then) = then {
            let [first, last] = range.map(|row| row * right.columns);
            // SAFETY: these rows are this task's, and they are complete.
            then(first, unsafe { job.result.part(first, last - first) });
        }
    });
    if let (Some(then), false) = (then, by_rows) {
        change_rows(&mut result[..left.rows * right.columns], right.columns, then);
    }
}

/// A product in progress.
struct Job<'a> {
    left: Matrix<'a>,
    right: Matrix<'a>,
    precision: Precision,
    start: Start<'a>,
    /// Whether rows of the left factor are contiguous, and so are those of its strips.
    by_row: bool,
    /// Whether tiles read the left factor where it is.
    in_place: bool,
    /// The left factor, if all tasks share a copy of it.
    left_strips: Option<Strips<TILE_ROWS>>,
    /// The right factor, if all tasks share a copy of it.
    right_panels: Option<&'a Panels>,
    /// The sums of the right factor's columns, if they are wanted and not known yet.
    sums: Option<Shared<'a, f32>>,
    result: Shared<'a, f32>,
    /// Numbers from a row of the result to the next.
    row_stride: usize,
}

/// A part of the result: rows and columns, from the first to before the last.
#[derive(Debug, Clone, Copy)]
struct Part {
    rows: [usize; 2],
    columns: [usize; 2],
}

impl Job<'_> {
    /// Computes a part of the result.
    fn run(&self, part: Part) {
        let mut left_copy = Vec::new();
        let mut right_copy = Vec::new();
        for piece in Piece::all(self.left.columns) {
            let left = match &self.left_strips {
                _ if self.in_place => &[],
                Some(strips) => strips.of(piece, part.rows[0]),
                None => copied::<TILE_ROWS>(self.left, piece, part.rows, self.precision, &mut left_copy, None),
            };
            let right = match self.right_panels {
                Some(panels) => panels.of(piece, part.columns[0]),
                None => {
                    let [first, last] = part.columns;
                    // SAFETY: parts that copy columns share none.
                    let sums = self.sums.as_ref().map(|sums| unsafe { sums.part(first, last - first) });
                    let columns = self.right.t();
                    copied::<TILE_COLUMNS>(columns, piece, part.columns, self.precision, &mut right_copy, sums)
                }
            };
            self.add(piece, part, left, right);
        }
    }

    /// Adds a piece of `k` to a part of the result. `left` and `right` begin with the part's first strips.
    fn add(&self, piece: Piece, part: Part, left: &[u32], right: &[u32]) {
        let steps = steps(piece.depth, self.precision);
        let all_columns = self.right.columns;
        for column in (part.columns[0]..part.columns[1]).step_by(TILE_COLUMNS) {
            let panel = &right[(column - part.columns[0]) * steps..][..TILE_COLUMNS * steps];
            for row in (part.rows[0]..part.rows[1]).step_by(TILE_ROWS) {
                let rows = TILE_ROWS.min(part.rows[1] - row);
                let (left, row_stride, step_stride) = if self.in_place {
                    let numbers = &self.left.data[row * self.left.row_stride + piece.start..];
                    assert!((rows - 1) * self.left.row_stride + piece.depth <= numbers.len());
                    (numbers.as_ptr().cast(), self.left.row_stride, 1)
                } else {
                    let words = &left[(row - part.rows[0]) * steps..][..TILE_ROWS * steps];
                    let (row_stride, step_stride) = if self.by_row { (steps, 1) } else { (1, TILE_ROWS) };
                    (words.as_ptr(), row_stride, step_stride)
                };
                let to = self.result.at(row * self.row_stride + column);
                let (initial, initial_stride) = match self.start {
                    _ if piece.start > 0 => (to.cast_const(), self.row_stride),
                    Start::Zero => (std::ptr::null(), 0),
                    Start::Result => (to.cast_const(), self.row_stride),
                    Start::Bias(bias) => (bias[column..].as_ptr(), 0),
                };
                let tile = Tile {
                    steps,
                    left,
                    row_stride,
                    step_stride,
                    right: panel.as_ptr(),
                    to,
                    to_stride: self.row_stride,
                    initial,
                    initial_stride,
                    columns: TILE_COLUMNS.min(all_columns - column),
                };
                // SAFETY: the left factor has `rows` rows of `steps` words there, the panel `steps` times 32 words, the
                // result `rows` rows of `columns` numbers; the instructions were found before this was called.
                unsafe { tile.add(rows, self.precision) };
            }
        }
    }
}
