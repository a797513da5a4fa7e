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
mod job;
mod order;
mod pack;
mod registers;
pub mod small;
mod strips;
mod words;

use rayon::prelude::*;

use self::job::{Job, Part};
use super::work::Work;
use crate::numbers::uninitialized;

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
/// Numbers of a sum from which on tasks share `k`, if the result is small.
const SHARED_DEPTH: usize = 1024;
/// Numbers of such a result at most.
const SMALL_RESULT: usize = 1 << 18;
/// Multiplications below which threads cost more than they gain.
const SERIAL: usize = 1 << 17;

/// `result = left * right + start` for each, on all threads or on this one.
///
/// Tasks share the longer side of a result. What all of them read, the other factor, is copied beforehand; what
/// only one of them reads it copies itself, a piece at a time, so that the copy stays in its cache. Of a small result with
/// long sums tasks share `k` instead, and what they make is added up in the end: nothing is then copied beforehand, nor
/// twice. What can be read where it is, is not copied.
///
/// Where sums of the right factor's columns are wanted, they are taken as it is copied: it must not be prepared, and
/// its rows must be contiguous. What changes the result is given rows that are complete.
pub fn multiply<const N: usize>(works: [Work; N], on_all_threads: bool) {
    let plans = works.each_ref().map(|work| Plan::new(work, on_all_threads));
    let mut buffers = plans.each_ref().map(|plan| uninitialized(plan.others()));
    let jobs: Vec<_> = works
        .into_iter()
        .zip(plans)
        .zip(&mut buffers)
        .map(|((work, plan), others)| Job::new(work, plan, others))
        .collect();
    let parts: Vec<_> = plans.iter().map(Plan::parts).collect();
    if plans.iter().any(|plan| plan.is_shared) {
        // Each thread begins with its share of every product and then helps with those of others.
        let threads = rayon::current_num_threads();
        (0..threads).into_par_iter().with_max_len(1).for_each(|thread| {
            for (job, parts) in jobs.iter().zip(&parts) {
                let [first, last] = [thread, thread + 1].map(|thread| thread * parts.len() / threads);
                parts[first..last]
                    .par_iter()
                    .with_max_len(1)
                    .for_each(|part| job.run(*part));
            }
        });
    } else {
        for (job, parts) in jobs.iter().zip(&parts) {
            parts.iter().for_each(|part| job.run(*part));
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
    /// How much of `k` a task takes: all, or less where tasks share it.
    block: usize,
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
        let shares_depth = is_shared
            && depth >= SHARED_DEPTH
            && rows * columns <= SMALL_RESULT
            && right.panels.is_none()
            && work.row_stride == columns;
        Self {
            sizes,
            format,
            is_shared,
            by_rows: rows >= columns,
            block: if shares_depth { block(depth, format) } else { depth },
        }
    }

    /// The blocks of `k`.
    fn blocks(&self) -> usize {
        let [_, _, depth] = self.sizes;
        depth.div_ceil(self.block)
    }

    /// Numbers of the blocks of `k` but the first: of each a result, and sums of columns.
    fn others(&self) -> usize {
        self.other(self.blocks())
    }

    /// Where those of a block begin.
    fn other(&self, block: usize) -> usize {
        let [rows, columns, _] = self.sizes;
        (block - 1) * (rows + 1) * columns
    }

    /// The parts that tasks compute.
    fn parts(&self) -> Vec<Part> {
        let [rows, columns, depth] = self.sizes;
        let whole = Part {
            rows: [0, rows],
            columns: [0, columns],
            depth: [0, depth],
        };
        if !self.is_shared {
            return vec![whole];
        }
        let (side, tile, most) = if self.by_rows {
            (rows, self.format.tile_rows(), BLOCK_ROWS)
        } else {
            (columns, self.format.tile_columns(), BLOCK_COLUMNS)
        };
        let threads = rayon::current_num_threads();
        let tiles = side.div_ceil(tile);
        let tasks = if self.blocks() > 1 {
            threads.div_ceil(self.blocks())
        } else {
            // Several tasks a thread even out what else the machine does; of long sums each would read the whole other
            // factor.
            let (most, tasks_of_thread) = match self.format.is_amx() && depth >= LONG {
                true => (LONG_BLOCK, 1),
                false => (most, 4),
            };
            (tasks_of_thread * threads)
                .max(tiles.div_ceil(most / tile))
                .next_multiple_of(threads)
        };
        let tasks = tasks.min(tiles);
        let mut parts = Vec::with_capacity(self.blocks() * tasks);
        for first in (0..depth).step_by(self.block) {
            for task in 0..tasks {
                let range = [task, task + 1].map(|task| side.min(task * tiles / tasks * tile));
                let of_side = if self.by_rows {
                    Part { rows: range, ..whole }
                } else {
                    Part {
                        columns: range,
                        ..whole
                    }
                };
                parts.push(Part {
                    depth: [first, depth.min(first + self.block)],
                    ..of_side
                });
            }
        }
        parts
    }
}

/// How much of `k` a task takes where tasks share it: whole pieces, about a thousand numbers, at most half. It must not
/// depend on the number of threads, as results do on it.
fn block(depth: usize, format: Format) -> usize {
    let blocks = (depth / SHARED_DEPTH).max(2);
    depth.div_ceil(blocks).next_multiple_of(format.depth())
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
