//! Factors in strips, copied piece by piece.

use rayon::prelude::*;

use super::super::{Matrix, add_rows};
use super::SERIAL;
use super::amx;
use super::blocks::Blocks;
use super::order::{Format, Order, Side};
use super::pack::{Lines, Place};
use super::words::Words;
use crate::shared::Shared;

/// A whole factor, copied in the order in which tiles read it: for every piece of `k`, for every strip of lanes (rows
/// of a left factor, columns of a right one, as many as a tile has), as many words a lane as the piece has steps.
pub struct Strips {
    words: Words,
    lanes: usize,
    order: Order,
}

/// Numbers of a lane that one task copies where lanes lie side by side, and sums by themselves; see [`range`].
const RANGE: usize = 128;
/// Strips that one task copies there.
const STRIPS: usize = 8;
// Ranges do not straddle pieces, nor two bf16 numbers of a word.
const _: () = assert!(
    Format::Fp32.depth().is_multiple_of(RANGE)
        && Format::Bf16.depth().is_multiple_of(RANGE)
        && Format::AmxRounded.depth().is_multiple_of(RANGE)
        && RANGE.is_multiple_of(2)
        && RANGE.is_multiple_of(amx::ROUNDED_DEPTH)
);

impl Strips {
    /// Copies a left factor on all threads.
    pub fn of_rows(matrix: Matrix, format: Format, blocks: Blocks) -> Self {
        let side = Side::Left;
        Self::new(matrix, Order { side, format }, blocks, None)
    }

    /// Copies a right factor that is used several times, on all threads.
    pub fn prepared(matrix: Matrix, format: Format) -> Self {
        Self::of_columns(matrix, format, Blocks::one(matrix.rows), None)
    }

    /// Copies a right factor on all threads; see [`copied`] for `sums`.
    pub fn of_columns(matrix: Matrix, format: Format, blocks: Blocks, sums: Option<&mut [f32]>) -> Self {
        let side = Side::Right;
        Self::new(matrix.t(), Order { side, format }, blocks, sums)
    }

    /// Its lanes are the rows of `lanes`.
    fn new(lanes: Matrix, order: Order, blocks: Blocks, sums: Option<&mut [f32]>) -> Self {
        let all = lanes.rows.next_multiple_of(order.width());
        let mut words = Words::new(all * order.steps(lanes.columns));
        let to = Shared::new(&mut words);
        // The sums of each range, `[ranges, lanes]`.
        let is_summed = sums.is_some();
        let range = range(lanes, order).unwrap_or(order.format.depth());
        let ranges = if is_summed { lanes.columns.div_ceil(range) } else { 0 };
        let mut partial = vec![0.0; ranges * lanes.rows];
        let partial_to = Shared::new(&mut partial);
        tasks(lanes, order, blocks).into_par_iter().for_each(|task| {
            let [first, last] = task.lanes;
            let before = order.steps(task.piece.start) * all + first * order.steps(task.piece.depth);
            // SAFETY: tasks have lanes or ranges of their own.
            unsafe {
                let row = task.range.start / range * lanes.rows;
                let sums = is_summed.then(|| partial_to.part(row + first, last - first));
                task.copy(lanes, order, to.at(before), sums);
            }
        });
        if let Some(sums) = sums {
            sums.fill(0.0);
            // First those of a block, as they are added up where tasks copy blocks by themselves.
            for [first, last] in blocks.ranges() {
                let ranges = [first / range, last.div_ceil(range)].map(|range| range * lanes.rows);
                let mut of_block = vec![0.0; lanes.rows];
                add_rows(&partial[ranges[0]..ranges[1]], &mut of_block);
                add_rows(&of_block, sums);
            }
        }
        Self {
            words,
            lanes: lanes.rows,
            order,
        }
    }

    /// How it is to be multiplied.
    pub fn format(&self) -> Format {
        self.order.format
    }

    /// The strips of a piece from the one that begins at `lane`.
    pub(super) fn of(&self, piece: Piece, lane: usize) -> &[u32] {
        let before = self.order.steps(piece.start) * self.lanes.next_multiple_of(self.order.width());
        &self.words[before + lane * self.order.steps(piece.depth)..]
    }
}

/// A part of a factor that is copied at once: some numbers of some lanes.
struct Task {
    lanes: [usize; 2],
    /// The piece that the copy is made for.
    piece: Piece,
    /// The part of it that is copied.
    range: Piece,
}

/// The tasks that share the copy of a factor.
fn tasks(lanes: Matrix, order: Order, blocks: Blocks) -> Vec<Task> {
    let range = range(lanes, order);
    let width = order.width();
    let mut tasks = Vec::new();
    for piece in blocks.ranges().flat_map(|block| Piece::all(block, order.format)) {
        // Enough work for a task to be worth its start.
        let strips = match range {
            Some(_) => STRIPS,
            None => (SERIAL / 16 / (width * order.steps(piece.depth))).max(1),
        };
        for range in piece.ranges(range) {
            tasks.extend((0..lanes.rows).step_by(strips * width).map(|first| Task {
                lanes: [first, lanes.rows.min(first + strips * width)],
                piece,
                range,
            }));
        }
    }
    tasks
}

/// Numbers of a lane that are copied at once, where lanes lie side by side; none where each is copied as it lies.
fn range(lanes: Matrix, order: Order) -> Option<usize> {
    let rows_stay = order.format == Format::Bf16 && lanes.column_stride == 1 && order.side == Side::Left;
    (lanes.row_stride == 1 && !rows_stay).then(|| match order.format {
        // What scales a lane depends on all of its piece.
        Format::AmxDigits => order.format.depth(),
        _ => RANGE,
    })
}

impl Task {
    /// Copies to `to`, where the first lane's strip of the piece begins.
    ///
    /// # Safety
    /// The strips' words are there, those of this range are nobody else's, and the machine has the instructions.
    unsafe fn copy(&self, lanes: Matrix, order: Order, to: *mut u32, sums: Option<&mut [f32]>) {
        let Self {
            lanes: [first, last],
            piece,
            range,
        } = *self;
        let lines = Lines {
            data: &lanes.data[first * lanes.row_stride + range.start * lanes.column_stride..],
            lanes: last - first,
            lane_stride: lanes.row_stride,
            depth: range.depth,
            depth_stride: lanes.column_stride,
        };
        // SAFETY: by the caller.
        unsafe {
            let place = Place {
                first: to.add(order.steps(range.start - piece.start) * order.width()),
                strip_stride: order.width() * order.steps(piece.depth),
            };
            lines.pack(order, place, sums);
        }
    }
}

/// The strips of a piece for some lanes, copied to `words` on this thread.
///
/// The sum of each lane's numbers is added to `sums`, if there are any; lanes must lie side by side.
pub(super) fn copied<'a>(
    lanes: Matrix,
    piece: Piece,
    [first, last]: [usize; 2],
    order: Order,
    words: &'a mut Words,
    mut sums: Option<&mut [f32]>,
) -> &'a [u32] {
    let size = (last - first).next_multiple_of(order.width()) * order.steps(piece.depth);
    if words.is_empty() {
        // The first piece is the largest.
        *words = Words::new(size);
    }
    let words = &mut words[..size];
    let mut partial = Vec::new();
    for range in piece.ranges(range(lanes, order)) {
        let task = Task {
            lanes: [first, last],
            piece,
            range,
        };
        let range_sums = sums.is_some().then(|| {
            partial.clear();
            partial.resize(last - first, 0.0);
            &mut partial[..]
        });
        // SAFETY: the words were counted; the instructions were found before.
        unsafe { task.copy(lanes, order, words.as_mut_ptr(), range_sums) };
        if let Some(sums) = &mut sums {
            add_rows(&partial, sums);
        }
    }
    words
}

/// A piece of `k`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub start: usize,
    pub depth: usize,
}

impl Piece {
    /// The pieces of `k`, from the first to before the last, all of the format's depth but the last one.
    pub fn all([first, last]: [usize; 2], format: Format) -> impl Iterator<Item = Self> {
        (first..last).step_by(format.depth()).map(move |start| Self {
            start,
            depth: format.depth().min(last - start),
        })
    }

    /// The parts of the piece that are copied at once.
    fn ranges(self, most: Option<usize>) -> impl Iterator<Item = Self> {
        let most = most.unwrap_or(self.depth);
        (0..self.depth).step_by(most).map(move |begin| Self {
            start: self.start + begin,
            depth: most.min(self.depth - begin),
        })
    }
}
