//! Factors in strips, copied piece by piece.

use rayon::prelude::*;

use super::super::{Matrix, Precision, add_rows};
use super::pack::{Lines, Place};
use super::{DEPTH, SERIAL, TILE_COLUMNS, TILE_ROWS};
use crate::numbers::uninitialized;
use crate::shared::Shared;

/// A whole factor, copied in the order in which tiles read it: for every piece of `k`, for every strip of `WIDTH` lanes
/// (12 rows of a left factor, 32 columns of a right one), `[steps, WIDTH]` words.
pub struct Strips<const WIDTH: usize> {
    words: Vec<u32>,
    lanes: usize,
    precision: Precision,
}

/// A right factor.
pub type Panels = Strips<TILE_COLUMNS>;

/// Numbers of a lane that are summed by themselves, and that one task copies where lanes lie side by side.
const RANGE: usize = 128;
/// Strips that one task copies there.
const STRIPS: usize = 8;
// Ranges do not straddle pieces, nor two bf16 numbers of a word.
const _: () = assert!(DEPTH.is_multiple_of(RANGE) && RANGE.is_multiple_of(2));

impl<const WIDTH: usize> Strips<WIDTH> {
    /// Copies a factor on all threads. Its lanes are the rows of `lanes`; see [`copied`] for `sums`.
    pub fn new(lanes: Matrix, precision: Precision, sums: Option<&mut [f32]>) -> Self {
        let count = lanes.rows.div_ceil(WIDTH);
        let mut words: Vec<u32> = uninitialized(count * WIDTH * steps(lanes.columns, precision));
        let to = Shared::new(&mut words);
        // The sums of each range, `[ranges, lanes]`.
        let is_summed = sums.is_some();
        let ranges = if is_summed { lanes.columns.div_ceil(RANGE) } else { 0 };
        let mut partial = vec![0.0; ranges * lanes.rows];
        let partial_to = Shared::new(&mut partial);
        tasks::<WIDTH>(lanes, precision).into_par_iter().for_each(|task| {
            let [first, last] = task.lanes;
            let before =
                steps(task.piece.start, precision) * count * WIDTH + first * steps(task.piece.depth, precision);
            // SAFETY: tasks have lanes or ranges of their own.
            unsafe {
                let row = task.range.start / RANGE * lanes.rows;
                let sums = is_summed.then(|| partial_to.part(row + first, last - first));
                task.copy::<WIDTH>(lanes, precision, to.at(before), sums);
            }
        });
        if let Some(sums) = sums {
            sums.fill(0.0);
            add_rows(&partial, sums);
        }
        Self {
            words,
            lanes: lanes.rows,
            precision,
        }
    }

    /// The strips of a piece from the one that begins at `lane`.
    pub(super) fn of(&self, piece: Piece, lane: usize) -> &[u32] {
        let before = steps(piece.start, self.precision) * self.lanes.next_multiple_of(WIDTH);
        &self.words[before + lane * steps(piece.depth, self.precision)..]
    }
}

impl Panels {
    /// Copies a right factor on all threads; see [`copied`] for `sums`.
    pub fn of_columns(matrix: Matrix, precision: Precision, sums: Option<&mut [f32]>) -> Self {
        Self::new(matrix.t(), precision, sums)
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
fn tasks<const WIDTH: usize>(lanes: Matrix, precision: Precision) -> Vec<Task> {
    let is_split = is_split::<WIDTH>(lanes, precision);
    let mut tasks = Vec::new();
    for piece in Piece::all(lanes.columns) {
        // Enough work for a task to be worth its start.
        let strips = match is_split {
            true => STRIPS,
            false => (SERIAL / 16 / (WIDTH * steps(piece.depth, precision))).max(1),
        };
        for range in piece.ranges(is_split) {
            tasks.extend((0..lanes.rows).step_by(strips * WIDTH).map(|first| Task {
                lanes: [first, lanes.rows.min(first + strips * WIDTH)],
                piece,
                range,
            }));
        }
    }
    tasks
}

/// Whether the numbers of a lane are copied range by range: where lanes lie side by side.
fn is_split<const WIDTH: usize>(lanes: Matrix, precision: Precision) -> bool {
    let rows_stay = precision == Precision::Bf16 && lanes.column_stride == 1 && WIDTH == TILE_ROWS;
    lanes.row_stride == 1 && !rows_stay
}

impl Task {
    /// Copies to `to`, where the first lane's strip of the piece begins.
    ///
    /// # Safety
    /// The strips' words are there, those of this range are nobody else's, and the machine has the instructions.
    unsafe fn copy<const WIDTH: usize>(
        &self,
        lanes: Matrix,
        precision: Precision,
        to: *mut u32,
        sums: Option<&mut [f32]>,
    ) {
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
                first: to.add(steps(range.start - piece.start, precision) * WIDTH),
                strip_stride: WIDTH * steps(piece.depth, precision),
            };
            lines.pack::<WIDTH>(precision, place, sums);
        }
    }
}

/// The strips of a piece for some lanes, copied to `words` on this thread.
///
/// The sum of each lane's numbers is added to `sums`, if there are any; lanes must lie side by side.
pub(super) fn copied<'a, const WIDTH: usize>(
    lanes: Matrix,
    piece: Piece,
    [first, last]: [usize; 2],
    precision: Precision,
    words: &'a mut Vec<u32>,
    mut sums: Option<&mut [f32]>,
) -> &'a [u32] {
    let size = (last - first).next_multiple_of(WIDTH) * steps(piece.depth, precision);
    if words.is_empty() {
        // The first piece is the largest.
        *words = uninitialized(size);
    }
    let words = &mut words[..size];
    let mut partial = Vec::new();
    for range in piece.ranges(is_split::<WIDTH>(lanes, precision)) {
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
        unsafe { task.copy::<WIDTH>(lanes, precision, words.as_mut_ptr(), range_sums) };
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
    /// The pieces of `0..k`, all of [`DEPTH`] but the last.
    pub fn all(k: usize) -> impl Iterator<Item = Self> {
        (0..k).step_by(DEPTH).map(move |start| Self {
            start,
            depth: DEPTH.min(k - start),
        })
    }

    /// The parts of the piece that are summed by themselves, or all of it.
    fn ranges(self, is_split: bool) -> impl Iterator<Item = Self> {
        let most = if is_split { RANGE } else { self.depth };
        (0..self.depth).step_by(most).map(move |begin| Self {
            start: self.start + begin,
            depth: most.min(self.depth - begin),
        })
    }
}

/// Steps of a piece of `k`.
pub(super) fn steps(depth: usize, precision: Precision) -> usize {
    match precision {
        Precision::Fp32 => depth,
        Precision::Bf16 => depth.div_ceil(2),
    }
}
