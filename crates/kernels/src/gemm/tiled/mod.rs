//! Products tile by tile, after Goto and van de Geijn (2008), "Anatomy of high-performance matrix multiplication".
//!
//! The result is made of tiles, which stay in registers while `k` runs: of 12 rows and 32 columns in [512-bit
//! registers](registers), of 16 or 32 of both in [tile registers](amx), where the CPU has those. Along `k` the work is
//! cut into pieces, so that what a tile reads stays in the first or the second cache:
//!
//! ```text
//! panel   a piece of the right factor for the columns of a tile, copied as [steps, columns] words; few rows read it
//!         where it is
//! strip   a piece of the left factor for its rows, read where it is or copied as [rows, steps] or [steps, rows] words
//! ```
//!
//! What a word is says [`Format`]; a step is a word. For 512-bit registers a strip is copied in the order in which its
//! matrix lies in memory; the tile reads it one word at a time, so that either will do. For tile registers both are copied
//! in blocks, a register each: see [`pack`].

mod amx;
mod order;
mod pack;
mod registers;
pub mod small;
mod strips;
mod words;

use rayon::prelude::*;

use self::order::{Order, Side};
use self::strips::{Piece, copied};
use self::words::Words;
use super::{Also, FEW_ROWS, Matrix, Product, Start, change_rows};
use crate::shared::Shared;

pub use self::amx::is_available as has_amx;
pub use self::order::Format;
pub use self::strips::Strips;

/// Rows of the result that one task takes at most.
const BLOCK_ROWS: usize = 96;
/// Columns of the result that one task takes at most.
const BLOCK_COLUMNS: usize = 128;
/// Either of them for [`LONG`] sums in tile registers: factors do not fit into the second cache then, and larger blocks
/// read them less often.
const LONG_BLOCK: usize = 256;
/// Numbers of such a sum.
const LONG: usize = 2048;
/// Multiplications below which threads cost more than they gain.
const SERIAL: usize = 1 << 17;

/// `result = left * right + start`, on all threads or on this one.
///
/// Tasks share the longer side of the result. What all of them read, the other factor, is copied beforehand; what
/// only one of them reads it copies itself, a piece at a time, so that the copy stays in its cache; so do two tasks with
/// what both read of [`LONG`] sums. What can be read where it is, is not copied.
///
/// Where sums of the right factor's columns are wanted, they are taken as it is copied: it must not be prepared, and
/// its rows must be contiguous. What changes the result is given rows that are complete.
pub fn multiply(product: &Product, result: &mut [f32], row_stride: usize, on_all_threads: bool, also: Also) {
    let (left, right) = (product.left, product.right.matrix);
    let format = match &product.right.panels {
        Some(panels) => panels.format(),
        None => Format::of_rows(product.right.precision, left.rows),
    };
    let Also { mut sums, then } = also;
    let by_rows = left.rows >= right.columns;
    let is_shared = on_all_threads && left.rows * right.columns * left.columns >= SERIAL;
    let is_long = format.is_amx() && left.columns >= LONG;
    // Two tasks that both copy what both read are faster than if they wait for each other's half of it.
    let copies_all = is_long && by_rows && left.rows <= 2 * LONG_BLOCK && rayon::current_num_threads() <= 2;
    // Where rows are contiguous along k, fp32 numbers are read where they are.
    let by_row = left.column_stride == 1;
    let in_place = format == Format::Fp32 && by_row;
    // Its loads are not masked, so that columns must fill tiles.
    let right_in_place = format == Format::Fp32
        && left.rows <= FEW_ROWS
        && right.column_stride == 1
        && right.columns.is_multiple_of(registers::COLUMNS)
        && product.right.panels.is_none()
        && sums.is_none();
    let fresh;
    let right_panels = match &product.right.panels {
        Some(panels) => Some(panels),
        None if is_shared && by_rows && !right_in_place && !copies_all => {
            fresh = Strips::of_columns(right, format, sums.take());
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
        format,
        start: product.start,
        by_row,
        in_place,
        right_in_place,
        left_strips: (is_shared && !in_place && !by_rows).then(|| Strips::of_rows(left, format)),
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
        (left.rows, format.tile_rows(), BLOCK_ROWS)
    } else {
        (right.columns, format.tile_columns(), BLOCK_COLUMNS)
    };
    // Several tasks a thread even out what else the machine does; of long sums each would read the whole other factor.
    let (most, tasks_of_thread) = match is_long {
        true => (LONG_BLOCK, 1),
        false => (most, 4),
    };
    let tiles = side.div_ceil(tile);
    let threads = rayon::current_num_threads();
    let tasks = (tasks_of_thread * threads)
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
    format: Format,
    start: Start<'a>,
    /// Whether rows of the left factor are contiguous, and so are those of its strips.
    by_row: bool,
    /// Whether tiles read the left factor where it is.
    in_place: bool,
    /// Whether they read the right factor where it is.
    right_in_place: bool,
    /// The left factor, if all tasks share a copy of it.
    left_strips: Option<Strips>,
    /// The right factor, if all tasks share a copy of it.
    right_panels: Option<&'a Strips>,
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
        let format = self.format;
        let [left_order, right_order] = [Side::Left, Side::Right].map(|side| Order { side, format });
        let [mut left_copy, mut right_copy] = [Words::default(), Words::default()];
        // SAFETY: the format was chosen because the machine has what it takes.
        let mut amx = format.is_amx().then(|| unsafe { amx::Registers::new() });
        for piece in Piece::all(self.left.columns, format) {
            let left = match &self.left_strips {
                _ if self.in_place => &[],
                Some(strips) => strips.of(piece, part.rows[0]),
                None => copied(self.left, piece, part.rows, left_order, &mut left_copy, None),
            };
            let right = match self.right_panels {
                _ if self.right_in_place => &[],
                Some(panels) => panels.of(piece, part.columns[0]),
                None => {
                    let [first, last] = part.columns;
                    // Of parts that copy the same columns one sums them.
                    let sums = self.sums.as_ref().filter(|_| part.rows[0] == 0);
                    // SAFETY: the others share no columns with it.
                    let sums = sums.map(|sums| unsafe { sums.part(first, last - first) });
                    copied(self.right.t(), piece, part.columns, right_order, &mut right_copy, sums)
                }
            };
            self.add(piece, part, left, right, amx.as_mut());
        }
    }

    /// Adds a piece of `k` to a part of the result. `left` and `right` begin with the part's first strips.
    fn add(&self, piece: Piece, part: Part, left: &[u32], right: &[u32], amx: Option<&mut amx::Registers>) {
        let target = self.target(piece, part);
        // SAFETY: the result has the part's rows and columns; the instructions were found before this was called.
        match (self.format, amx) {
            (Format::AmxRounded, Some(amx)) => unsafe { amx.multiply_rounded(left, right, piece.depth, &target) },
            (Format::AmxDigits, Some(amx)) => unsafe { amx.multiply_digits(left, right, piece.depth, &target) },
            (Format::AmxRounded | Format::AmxDigits, None) => {
                unreachable!("a task of such products has tile registers")
            }
            (Format::Fp32 | Format::Bf16, _) => self.add_tiles(piece, part, left, right),
        }
    }

    /// The same, in 512-bit registers.
    fn add_tiles(&self, piece: Piece, part: Part, left: &[u32], right: &[u32]) {
        let steps = self.format.steps(piece.depth);
        let [tile_rows, tile_columns] = [self.format.tile_rows(), self.format.tile_columns()];
        for column in (part.columns[0]..part.columns[1]).step_by(tile_columns) {
            let panel = match self.right_in_place {
                true => &[],
                false => &right[(column - part.columns[0]) * steps..][..tile_columns * steps],
            };
            for row in (part.rows[0]..part.rows[1]).step_by(tile_rows) {
                let strip = match self.in_place {
                    true => &[],
                    false => &left[(row - part.rows[0]) * steps..][..tile_rows * steps],
                };
                let target = self.target(
                    piece,
                    Part {
                        rows: [row, part.rows[1].min(row + tile_rows)],
                        columns: [column, part.columns[1].min(column + tile_columns)],
                    },
                );
                let tile = self.tile(piece, [row, column], strip, panel, target);
                // SAFETY: the result has the target's rows and columns; the instructions were found before this was
                // called.
                unsafe { tile.add(self.format == Format::Bf16) };
            }
        }
    }

    /// Where a part of the result is, and what is added to it.
    fn target(&self, piece: Piece, part: Part) -> Target {
        let Part {
            rows: [row, end],
            columns: [column, last],
        } = part;
        let to = self.result.at(row * self.row_stride + column);
        let (initial, initial_stride) = match self.start {
            _ if piece.start > 0 => (to.cast_const(), self.row_stride),
            Start::Zero => (std::ptr::null(), 0),
            Start::Result => (to.cast_const(), self.row_stride),
            Start::Bias(bias) => (bias[column..].as_ptr(), 0),
        };
        Target {
            to,
            stride: self.row_stride,
            initial,
            initial_stride,
            rows: end - row,
            columns: last - column,
        }
    }

    /// A tile in 512-bit registers. The strip is not used where the left factor is read where it is, the panel where
    /// the right one is.
    fn tile(
        &self,
        piece: Piece,
        [row, column]: [usize; 2],
        strip: &[u32],
        panel: &[u32],
        target: Target,
    ) -> registers::Tile {
        let steps = self.format.steps(piece.depth);
        let (left, row_stride, step_stride) = if self.in_place {
            let numbers = &self.left.data[row * self.left.row_stride + piece.start..];
            assert!((target.rows - 1) * self.left.row_stride + piece.depth <= numbers.len());
            (numbers.as_ptr().cast(), self.left.row_stride, 1)
        } else {
            let (row_stride, step_stride) = if self.by_row { (steps, 1) } else { (1, registers::ROWS) };
            (strip.as_ptr(), row_stride, step_stride)
        };
        let (right, right_stride) = if self.right_in_place {
            let numbers = &self.right.data[piece.start * self.right.row_stride + column..];
            assert!((piece.depth - 1) * self.right.row_stride + registers::COLUMNS <= numbers.len());
            (numbers.as_ptr().cast(), self.right.row_stride)
        } else {
            (panel.as_ptr(), registers::COLUMNS)
        };
        registers::Tile {
            steps,
            left,
            row_stride,
            step_stride,
            right,
            right_stride,
            target,
        }
    }
}

/// A part of the result, and what it starts with.
#[derive(Clone, Copy)]
struct Target {
    to: *mut f32,
    /// Numbers from a row to the next.
    stride: usize,
    /// What is added, null for nothing.
    initial: *const f32,
    /// Numbers from a row of it to the next.
    initial_stride: usize,
    /// Its rows and columns.
    rows: usize,
    columns: usize,
}
