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
mod blocks;
mod job;
mod order;
mod pack;
mod registers;
pub mod small;
mod strips;
mod words;

use rayon::prelude::*;

use self::blocks::Blocks;
use self::job::{Job, Part};
use super::work::Work;
use crate::numbers::uninitialized;

pub use self::amx::is_available as has_amx;
pub use self::order::Format;
pub use self::strips::Strips;

/// Rows of the result that one task takes at most.
const TASK_ROWS: usize = 96;
/// Columns of the result that one task takes at most.
const TASK_COLUMNS: usize = 128;
/// Either of them for [`LONG`] sums in tile registers: factors do not fit into the second cache then, and larger tasks
/// read them less often.
const LONG_TASK: usize = 256;
/// Numbers of such a sum.
const LONG: usize = 2048;
/// Multiplications below which threads cost more than they gain.
const SERIAL: usize = 1 << 17;

/// `result = left * right + start` for each, on all threads or on this one.
///
/// Tasks share the longer side of a result. What all of them read, the other factor, is copied beforehand; what
/// only one of them reads it copies itself, a piece at a time, so that the copy stays in its cache. Of a small result with
/// long sums tasks share [blocks of `k`](blocks) first, and what they make is added up in the end: where there are no
/// more threads than blocks, nothing has to be copied beforehand. What can be read where it is, is not copied.
///
/// Where sums of the right factor's columns are wanted, they are taken as it is copied: it must not be prepared, and
/// its rows must be contiguous. What changes the result is given rows that are complete.
pub fn multiply<const N: usize>(works: [Work; N], on_all_threads: bool) {
    let plans = works.each_ref().map(|work| Plan::new(work, on_all_threads));
    let mut partials = plans.each_ref().map(|plan| uninitialized(plan.partials()));
    let jobs: Vec<_> = works
        .into_iter()
        .zip(plans)
        .zip(&mut partials)
        .map(|((work, plan), partials)| Job::new(work, plan, partials))
        .collect();
    let tasks: Vec<_> = plans.iter().map(Plan::tasks).collect();
    if plans.iter().any(|plan| plan.is_shared) {
        // Each thread begins with its share of every product and then helps with those of others.
        let threads = rayon::current_num_threads();
        (0..threads).into_par_iter().with_max_len(1).for_each(|thread| {
            for (job, tasks) in jobs.iter().zip(&tasks) {
                let [first, last] = [thread, thread + 1].map(|thread| thread * tasks.len() / threads);
                tasks[first..last]
                    .par_iter()
                    .with_max_len(1)
                    .for_each(|part| job.run(*part));
            }
        });
    } else {
        for (job, tasks) in jobs.iter().zip(&tasks) {
            tasks.iter().for_each(|part| job.run(*part));
        }
    }
    jobs.into_iter().for_each(Job::finish);
}

/// How a product is computed.
#[derive(Debug, Clone, Copy)]
struct Plan {
    /// Rows and columns of the result, and numbers of a sum.
    sizes: [usize; 3],
    format: Format,
    /// Whether threads share it.
    is_shared: bool,
    /// Whether tasks have rows of their own, instead of columns.
    by_rows: bool,
    /// How they share `k`.
    blocks: Blocks,
    /// Parts of the longer side of the result; each has as many tasks as there are blocks.
    parts: usize,
}

impl Plan {
    fn new(work: &Work, on_all_threads: bool) -> Self {
        let (left, right) = (work.product.left, work.product.right);
        let sizes @ [rows, columns, depth] = [left.rows, right.matrix.columns, left.columns];
        let format = match &right.panels {
            Some(panels) => panels.format(),
            None => Format::of_rows(right.precision, rows),
        };
        let is_shared = on_all_threads && rows * columns * depth >= SERIAL;
        let blocks = if is_shared && right.panels.is_none() && work.row_stride == columns {
            Blocks::of(rows * columns, depth)
        } else {
            Blocks::one(depth)
        };
        let mut plan = Self {
            sizes,
            format,
            is_shared,
            by_rows: rows >= columns,
            blocks,
            parts: 1,
        };
        if is_shared {
            plan.parts = plan.parts_on(rayon::current_num_threads());
        }
        plan
    }

    /// The longer side of the result, how much of it a tile has, and a task at most.
    fn side(&self) -> [usize; 3] {
        let [rows, columns, _] = self.sizes;
        if self.by_rows {
            [rows, self.format.tile_rows(), TASK_ROWS]
        } else {
            [columns, self.format.tile_columns(), TASK_COLUMNS]
        }
    }

    /// In how many parts so many threads share the longer side.
    fn parts_on(&self, threads: usize) -> usize {
        let [side, tile, most] = self.side();
        let [_, _, depth] = self.sizes;
        let tiles = side.div_ceil(tile);
        let is_even = |parts: &usize| (parts * self.blocks.count).is_multiple_of(threads);
        let parts = if self.blocks.count > 1 {
            (1..threads).find(is_even).unwrap_or(threads)
        } else {
            // Several tasks a thread even out what else the machine does; of long sums each would read the whole other
            // factor.
            let (most, tasks_of_thread) = match self.format.is_amx() && depth >= LONG {
                true => (LONG_TASK, 1),
                false => (most, 4),
            };
            (tasks_of_thread * threads)
                .max(tiles.div_ceil(most / tile))
                .next_multiple_of(threads)
        };
        parts.min(tiles)
    }

    /// What tasks compute.
    fn tasks(&self) -> Vec<Part> {
        let [rows, columns, _] = self.sizes;
        let [side, tile, _] = self.side();
        let tiles = side.div_ceil(tile);
        let part = |block: usize, part: usize| {
            let range = [part, part + 1].map(|part| side.min(part * tiles / self.parts * tile));
            let (rows, columns) = match self.by_rows {
                true => (range, [0, columns]),
                false => ([0, rows], range),
            };
            Part { rows, columns, block }
        };
        (0..self.blocks.count)
            .flat_map(|block| (0..self.parts).map(move |number| part(block, number)))
            .collect()
    }

    /// Whether what all tasks of a block read is copied beforehand.
    fn copies_beforehand(&self) -> bool {
        self.is_shared && (self.blocks.count == 1 || self.parts > 1)
    }

    /// Numbers of the partial results: of each block but the first a result, and sums of columns.
    fn partials(&self) -> usize {
        self.partial(self.blocks.count)
    }

    /// Where those of a block begin.
    fn partial(&self, block: usize) -> usize {
        let [rows, columns, _] = self.sizes;
        (block - 1) * (rows + 1) * columns
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
