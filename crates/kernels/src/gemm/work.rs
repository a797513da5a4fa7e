//! Products, where they are written, and what is done along with them: one by one, or several at once.

use super::{Matrix, Product, Start, column_sums, extent, portable};
#[cfg(target_arch = "x86_64")]
use crate::instructions::InstructionSet;
use crate::numbers::CHUNK;

/// Changes a few rows of a result: the place of their first number in it, and the rows.
pub type Then<'a> = &'a (dyn Fn(usize, &mut [f32]) + Sync);

/// A product and its result, `[M, N]`.
pub struct Work<'a> {
    pub(super) product: Product<'a>,
    pub(super) result: &'a mut [f32],
    /// Numbers from a row of the result to the next.
    pub(super) row_stride: usize,
    /// Where the sums of the right factor's columns are written.
    pub(super) sums: Option<&'a mut [f32]>,
    /// What changes the result; its rows stand one behind the other.
    pub(super) then: Option<Then<'a>>,
}

impl<'a> Work<'a> {
    /// Writes the sum of each of the right factor's columns to `sums`, `[N]`, on the way. Sums are taken over some rows
    /// first, then over those sums, in the same way on any number of threads.
    ///
    /// # Panics
    /// If there are not N of them, rows of the right factor are not contiguous, or it was prepared.
    pub fn summing(self, sums: &'a mut [f32]) -> Self {
        let right = self.product.right;
        let Matrix {
            columns, column_stride, ..
        } = right.matrix;
        assert_eq!([sums.len(), column_stride], [columns, 1], "sums of columns");
        assert!(!right.is_prepared, "sums of a prepared factor");
        Self {
            sums: Some(sums),
            ..self
        }
    }

    /// Changes the result by `then`, if there is any: that is called for a few rows at a time, where it can be as soon
    /// as they are complete, while they lie in the cache of the thread that made them.
    ///
    /// # Panics
    /// If rows of the result do not stand one behind the other.
    pub fn then(self, then: Option<Then<'a>>) -> Self {
        let columns = self.product.right.matrix.columns;
        assert!(
            then.is_none() || self.row_stride == columns,
            "rows one behind the other"
        );
        Self { then, ..self }
    }

    /// Does it on all threads.
    ///
    /// # Panics
    /// If sizes do not fit.
    pub fn write(self) {
        write_all([self]);
    }

    /// Does it on this thread alone.
    ///
    /// # Panics
    /// If sizes do not fit.
    pub fn write_here(self) {
        compute([self], false);
    }

    /// Does what is to be done without a product, if there is nothing to multiply; whether that is so.
    ///
    /// # Panics
    /// If sizes do not fit.
    fn is_done(&mut self) -> bool {
        let Product { left, right, start } = self.product;
        let right = right.matrix;
        let [rows, columns] = [left.rows, right.columns];
        assert_eq!(
            left.columns, right.rows,
            "columns of the left factor against rows of the right one"
        );
        if rows == 0 || columns == 0 {
            if let (Some(sums), true) = (&mut self.sums, columns > 0) {
                sums.copy_from_slice(&column_sums(right));
            }
            return true;
        }
        assert!(self.row_stride >= columns && self.result.len() >= extent([rows, columns], self.row_stride));
        if let Start::Bias(bias) = start {
            assert_eq!(bias.len(), columns, "numbers of the bias");
        }
        assert!(left.columns > 0, "a product over nothing");
        false
    }
}

/// Does all of them on all threads. None must need another's result: when what tasks share has been copied, who is done
/// with one goes on with the next, and threads wait for each other at the end of all. Those with few tasks should come
/// first.
///
/// # Panics
/// If sizes do not fit.
pub fn write_all<const N: usize>(works: [Work; N]) {
    compute(works, true);
}

fn compute<const N: usize>(mut works: [Work; N], on_all_threads: bool) {
    let are_done = works.each_mut().map(Work::is_done);
    if are_done.contains(&true) {
        // Rare enough for the others to be done one after the other.
        let others = works.into_iter().zip(are_done).filter(|(_, is_done)| !is_done);
        return others.for_each(|(work, _)| compute([work], on_all_threads));
    }
    #[cfg(target_arch = "x86_64")]
    if InstructionSet::detect().has_avx512() {
        return super::tiled::multiply(works, on_all_threads);
    }
    for work in works {
        let Product { left, right, .. } = work.product;
        let [rows, columns] = [left.rows, right.matrix.columns];
        if let Some(sums) = work.sums {
            sums.copy_from_slice(&column_sums(right.matrix));
        }
        portable(&work.product, work.result, work.row_stride, on_all_threads);
        let result = &mut work.result[..extent([rows, columns], work.row_stride)];
        match work.then {
            Some(then) if on_all_threads => change_rows(result, columns, then),
            Some(then) => then(0, result),
            None => {}
        }
    }
}

/// Changes all rows, on all threads.
pub(super) fn change_rows(result: &mut [f32], columns: usize, then: Then) {
    use rayon::prelude::*;
    let block = CHUNK.div_ceil(columns) * columns;
    result
        .par_chunks_mut(block)
        .enumerate()
        .for_each(|(number, rows)| then(number * block, rows));
}
