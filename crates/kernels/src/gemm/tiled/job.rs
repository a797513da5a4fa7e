//! A product in progress.

use rayon::prelude::*;

use super::super::work::change_rows;
use super::super::{FEW_ROWS, Matrix, Start, Then, Work, add_rows, extent};
use super::order::{Format, Order, Side};
use super::strips::{Piece, Strips, copied};
use super::words::Words;
use super::{Plan, Target, amx, registers};
use crate::numbers::CHUNK;
use crate::shared::Shared;

/// A product in progress.
pub(super) struct Job<'a> {
    plan: Plan,
    left: Matrix<'a>,
    right: Matrix<'a>,
    start: Start<'a>,
    /// Whether rows of the left factor are contiguous, and so are those of its strips.
    by_row: bool,
    /// Whether tiles read the left factor where it is.
    in_place: bool,
    /// Whether they read the right factor where it is.
    right_in_place: bool,
    /// The left factor, if all tasks share a copy of it.
    left_strips: Option<Strips>,
    /// The right factor, if it came prepared.
    prepared: Option<&'a Strips>,
    /// The right factor, if all tasks share a copy of it.
    right_strips: Option<Strips>,
    /// The sums of the right factor's columns, if they are wanted and not known yet.
    sums: Option<Shared<'a, f32>>,
    result: Shared<'a, f32>,
    /// Numbers from a row of the result to the next.
    row_stride: usize,
    /// Of each block of `k` but the first the result, and the sums of columns.
    partials: Shared<'a, f32>,
    then: Option<Then<'a>>,
}

/// What a task computes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// Rows of the result, from the first to before the last.
    pub rows: [usize; 2],
    /// Columns, in the same way.
    pub columns: [usize; 2],
    /// The block of `k`.
    pub block: usize,
}

impl<'a> Job<'a> {
    /// Copies what all tasks read. There are as many partial results as the plan says.
    pub fn new(work: Work<'a>, plan: Plan, partials: &'a mut [f32]) -> Self {
        let Work {
            product,
            result,
            row_stride,
            mut sums,
            then,
        } = work;
        let (left, right) = (product.left, product.right.matrix);
        let format = plan.format;
        let prepared = product.right.panels.as_ref();
        // Where rows are contiguous along k, fp32 numbers are read where they are.
        let by_row = left.column_stride == 1;
        let in_place = format == Format::Fp32 && by_row;
        // Its loads are not masked, so that columns must fill tiles.
        let right_in_place = format == Format::Fp32
            && left.rows <= FEW_ROWS
            && right.column_stride == 1
            && right.columns.is_multiple_of(registers::COLUMNS)
            && prepared.is_none()
            && sums.is_none();
        let copies = plan.copies_beforehand();
        let copies_right = copies && plan.by_rows && prepared.is_none() && !right_in_place;
        let right_strips = copies_right.then(|| Strips::of_columns(right, format, plan.blocks, sums.take()));
        let copies_left = copies && !plan.by_rows && !in_place;
        if let Some(sums) = &mut sums {
            sums.fill(0.0);
        }
        for block in 1..plan.blocks.count {
            partials[plan.partial(block)..][left.rows * right.columns..][..right.columns].fill(0.0);
        }
        Self {
            plan,
            left,
            right,
            start: product.start,
            by_row,
            in_place,
            right_in_place,
            left_strips: copies_left.then(|| Strips::of_rows(left, format, plan.blocks)),
            prepared,
            right_strips,
            sums: sums.map(Shared::new),
            result: Shared::new(result),
            row_stride,
            partials: Shared::new(partials),
            then,
        }
    }

    /// Computes a part, on this thread.
    pub fn run(&self, part: Part) {
        let format = self.plan.format;
        let [left_order, right_order] = [Side::Left, Side::Right].map(|side| Order { side, format });
        let [mut left_copy, mut right_copy] = [Words::default(), Words::default()];
        // SAFETY: the format was chosen because the machine has what it takes.
        let mut amx = format.is_amx().then(|| unsafe { amx::Registers::new() });
        for piece in Piece::all(self.plan.blocks.range(part.block), format) {
            let left = match &self.left_strips {
                _ if self.in_place => &[],
                Some(strips) => strips.of(piece, part.rows[0]),
                None => copied(self.left, piece, part.rows, left_order, &mut left_copy, None),
            };
            let right = match self.prepared.or(self.right_strips.as_ref()) {
                _ if self.right_in_place => &[],
                Some(panels) => panels.of(piece, part.columns[0]),
                None => {
                    let [first, last] = part.columns;
                    let sums = self.sums_of(part);
                    // SAFETY: no other part of this block sums the same columns.
                    let sums = sums.map(|(buffer, place)| unsafe { buffer.part(place, last - first) });
                    copied(self.right.t(), piece, part.columns, right_order, &mut right_copy, sums)
                }
            };
            self.add(piece, part, left, right, amx.as_mut());
        }
        drop(amx);
        if let (Some(then), true) = (self.then, self.completes_rows()) {
            let [first, last] = part.rows.map(|row| row * self.right.columns);
            // SAFETY: these rows are this task's, and they are complete.
            then(first, unsafe { self.result.part(first, last - first) });
        }
    }

    /// Does what is left when all parts were computed.
    pub fn finish(self) {
        // SAFETY: all tasks are done.
        let result = unsafe { self.result.part(0, self.result_size()) };
        if self.plan.blocks.count > 1 {
            result
                .par_chunks_mut(CHUNK)
                .enumerate()
                .for_each(|(number, result)| self.add_partials(number * CHUNK, result));
            if let Some(sums) = &self.sums {
                // SAFETY: as above.
                let sums = unsafe { sums.part(0, self.right.columns) };
                self.add_partials(result.len(), sums);
            }
        }
        if let (Some(then), false) = (self.then, self.completes_rows()) {
            change_rows(result, self.right.columns, then);
        }
    }

    /// Adds what stands at a place of each partial result.
    fn add_partials(&self, place: usize, to: &mut [f32]) {
        for block in 1..self.plan.blocks.count {
            let begin = self.plan.partial(block) + place;
            // SAFETY: all tasks are done, and nobody writes partial results any more.
            add_rows(unsafe { self.partials.part(begin, to.len()) }, to);
        }
    }

    /// Whether parts have all columns of their rows, and their whole sums.
    fn completes_rows(&self) -> bool {
        self.plan.blocks.count == 1 && (self.plan.by_rows || !self.plan.is_shared)
    }

    /// Numbers from the result's first to its last; where something stands between its rows, that too.
    fn result_size(&self) -> usize {
        extent([self.left.rows, self.right.columns], self.row_stride)
    }

    /// The buffer in which a part's task adds up the columns that it copies, and where; none if that is not wanted.
    fn sums_of(&self, part: Part) -> Option<(&Shared<'_, f32>, usize)> {
        let sums = self.sums.as_ref()?;
        // Of parts that copy the same columns one sums them.
        if part.rows[0] > 0 {
            return None;
        }
        let (buffer, before) = match self.partial_of(part) {
            None => (sums, 0),
            Some(before) => (&self.partials, before + self.result_size()),
        };
        Some((buffer, before + part.columns[0]))
    }

    /// Where the partial result of a part's block begins; the first block's is the result itself.
    fn partial_of(&self, part: Part) -> Option<usize> {
        (part.block > 0).then(|| self.plan.partial(part.block))
    }

    /// Adds a piece of `k` to a part of the result. `left` and `right` begin with the part's first strips.
    fn add(&self, piece: Piece, part: Part, left: &[u32], right: &[u32], amx: Option<&mut amx::Registers>) {
        let target = self.target(piece, part);
        // SAFETY: the result has the part's rows and columns; the instructions were found before this was called.
        match (self.plan.format, amx) {
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
        let steps = self.plan.format.steps(piece.depth);
        let [tile_rows, tile_columns] = [self.plan.format.tile_rows(), self.plan.format.tile_columns()];
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
                        ..part
                    },
                );
                let tile = self.tile(piece, [row, column], strip, panel, target);
                // SAFETY: the result has the target's rows and columns; the instructions were found before this was
                // called.
                unsafe { tile.add(self.plan.format == Format::Bf16) };
            }
        }
    }

    /// Where a part of the result is, and what is added to it.
    fn target(&self, piece: Piece, part: Part) -> Target {
        let Part {
            rows: [row, end],
            columns: [column, last],
            block,
        } = part;
        let [begin, _] = self.plan.blocks.range(block);
        let place = row * self.row_stride + column;
        let partial = self.partial_of(part);
        let to = match partial {
            None => self.result.at(place),
            Some(before) => self.partials.at(before + place),
        };
        let (initial, initial_stride) = match self.start {
            _ if piece.start > begin => (to.cast_const(), self.row_stride),
            _ if partial.is_some() => (std::ptr::null(), 0),
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
        let steps = self.plan.format.steps(piece.depth);
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
