//! Matrix products, which are nine tenths of a training step.
//!
//! On CPUs with AVX-512 they are our own ([`tiled`]): operands of fp32, or rounded to bf16 with sums in fp32; with AMX,
//! too, where the CPU has it, which multiplies fp32 numbers as whole ones of 32 bits. On all others, and for small
//! ones of few rows by columns that would have to be turned, the crate `gemm` multiplies, in fp32.
//!
//! Which thread computes a number of the result does not change it, nor how many there are: its sum over `k` is taken in
//! the same order. Shapes can change last digits, though, as few rows of a left factor ([`FEW_ROWS`]) are multiplied
//! otherwise than more, small products otherwise than large ones, and long sums of a small result in blocks; so can
//! whether the right factor was prepared, whether rows of the result lie apart, and whether all threads share the product
//! or one does it alone. Sums of columns change with the product beside which they are taken.

#[cfg(target_arch = "x86_64")]
mod tiled;
mod work;

pub use self::work::{Then, Work, write_all};
use crate::instructions::InstructionSet;
pub use crate::precision::Precision;

#[cfg(target_arch = "x86_64")]
pub(crate) use tiled::has_amx;

/// Rows for which a right factor is not copied first: our own products multiply them in two tiles at most.
pub const FEW_ROWS: usize = 24;

/// A matrix in memory: element `(i, j)` is `data[i * row_stride + j * column_stride]`.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Rows one behind the other.
    ///
    /// # Panics
    /// If `data` holds fewer than `rows * columns` numbers.
    pub fn new(data: &'a [f32], [rows, columns]: [usize; 2]) -> Self {
        Self::strided(data, [rows, columns], columns)
    }

    /// Rows that begin `row_stride` numbers apart.
    ///
    /// # Panics
    /// If `data` ends before the last row.
    pub fn strided(data: &'a [f32], [rows, columns]: [usize; 2], row_stride: usize) -> Self {
        let needed = if rows == 0 {
            0
        } else {
            (rows - 1) * row_stride + columns
        };
        assert!(
            data.len() >= needed,
            "{} numbers, the matrix needs {needed}",
            data.len()
        );
        Self {
            data,
            rows,
            columns,
            row_stride,
            column_stride: 1,
        }
    }

    /// The transposed matrix, in the same memory.
    pub fn t(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// Numbers from the first of a matrix to its last, that one included; what unsafe code below relies on.
fn extent([rows, columns]: [usize; 2], row_stride: usize) -> usize {
    match rows.checked_sub(1) {
        None => 0,
        Some(before) => before
            .checked_mul(row_stride)
            .and_then(|begin| begin.checked_add(columns))
            .expect("a matrix that memory can hold"),
    }
}

/// What a product is added to.
#[derive(Debug, Clone, Copy)]
pub enum Start<'a> {
    /// Nothing: the result is overwritten.
    Zero,
    /// What the result holds.
    Result,
    /// A row that is added to every row of the product.
    Bias(&'a [f32]),
}

/// A right factor.
pub struct Right<'a> {
    matrix: Matrix<'a>,
    precision: Precision,
    is_prepared: bool,
    #[cfg(target_arch = "x86_64")]
    panels: Option<tiled::Strips>,
}

impl<'a> Right<'a> {
    /// A factor that is used once.
    pub fn new(matrix: Matrix<'a>, precision: Precision) -> Self {
        Self {
            matrix,
            precision: precision.available(),
            is_prepared: false,
            #[cfg(target_arch = "x86_64")]
            panels: None,
        }
    }

    /// A factor that is used several times: it is brought into the order in which products read it.
    pub fn prepared(matrix: Matrix<'a>, precision: Precision) -> Self {
        let mut right = Self::new(matrix, precision);
        right.is_prepared = true;
        #[cfg(target_arch = "x86_64")]
        if InstructionSet::detect().has_avx512() {
            let format = tiled::Format::of(right.precision);
            right.panels = Some(tiled::Strips::prepared(matrix, format));
        }
        right
    }
}

/// `left * right`, plus what [`Start`] says.
#[derive(Clone, Copy)]
pub struct Product<'a> {
    /// `[M, K]`.
    pub left: Matrix<'a>,
    /// `[K, N]`.
    pub right: &'a Right<'a>,
    /// What the product is added to.
    pub start: Start<'a>,
}

impl<'a> Product<'a> {
    /// What writes it to `result`, `[M, N]` with rows one behind the other.
    pub fn to(self, result: &'a mut [f32]) -> Work<'a> {
        self.to_rows(result, self.right.matrix.columns)
    }

    /// The same for rows that begin `row_stride` numbers apart.
    pub fn to_rows(self, result: &'a mut [f32], row_stride: usize) -> Work<'a> {
        Work {
            product: self,
            result,
            row_stride,
            sums: None,
            then: None,
        }
    }
}

/// `result = factor * left * right`, on this thread. For small matrices, whose rows may stand far apart: those of the
/// result begin `row_stride` numbers apart.
///
/// # Panics
/// If sizes do not fit.
pub fn multiply_small(left: Matrix, right: Matrix, factor: f32, result: &mut [f32], row_stride: usize) {
    assert_fit(left, right, result, row_stride);
    #[cfg(target_arch = "x86_64")]
    if InstructionSet::detect().has_avx512() && tiled::small::pays(left, right) {
        // SAFETY: the instructions were found, and sizes fit.
        return unsafe { tiled::small::multiply(left, right, factor, result.as_mut_ptr(), row_stride) };
    }
    by_crate(left, right, [0.0, factor], result, row_stride, gemm::Parallelism::None);
}

/// A product without instructions of our own.
fn portable(product: &Product, result: &mut [f32], row_stride: usize, on_all_threads: bool) {
    let (left, right) = (product.left, product.right.matrix);
    if let Start::Bias(bias) = product.start {
        for row in result.chunks_mut(row_stride).take(left.rows) {
            row[..bias.len()].copy_from_slice(bias);
        }
    }
    let kept = if matches!(product.start, Start::Zero) { 0.0 } else { 1.0 };
    let parallelism = match on_all_threads {
        true => gemm::Parallelism::Rayon(0),
        false => gemm::Parallelism::None,
    };
    by_crate(left, right, [kept, 1.0], result, row_stride, parallelism);
}

/// # Panics
/// If factors do not fit each other, or the result's rows do not hold their product.
fn assert_fit(left: Matrix, right: Matrix, result: &[f32], row_stride: usize) {
    assert_eq!(
        left.columns, right.rows,
        "columns of the left factor against rows of the right one"
    );
    let [rows, columns] = [left.rows, right.columns];
    assert!(
        rows == 0 || columns == 0 || row_stride >= columns && result.len() >= extent([rows, columns], row_stride),
        "rows of the result"
    );
}

/// `result = kept * result + factor * left * right`, by the crate `gemm`.
fn by_crate(
    left: Matrix,
    right: Matrix,
    [kept, factor]: [f32; 2],
    result: &mut [f32],
    row_stride: usize,
    parallelism: gemm::Parallelism,
) {
    assert_fit(left, right, result, row_stride);
    if left.rows == 0 || right.columns == 0 {
        return;
    }
    // SAFETY: both matrices were checked against their slices when they were made, and the result just now.
    unsafe {
        gemm::gemm(
            left.rows,
            right.columns,
            left.columns,
            result.as_mut_ptr(),
            1,
            row_stride as isize,
            kept != 0.0,
            left.data.as_ptr(),
            left.column_stride as isize,
            left.row_stride as isize,
            right.data.as_ptr(),
            right.column_stride as isize,
            right.row_stride as isize,
            kept,
            factor,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// Rows of one matrix, summed: `[N]`. Sums are taken over blocks of rows of a fixed size, then over the blocks.
///
/// # Panics
/// If rows are not contiguous.
pub fn column_sums(matrix: Matrix) -> Vec<f32> {
    use rayon::prelude::*;
    const ROWS: usize = 128;
    assert_eq!(matrix.column_stride, 1, "rows that are contiguous");
    let Matrix {
        data, rows, columns, ..
    } = matrix;
    let sums: Vec<Vec<f32>> = (0..rows.div_ceil(ROWS))
        .into_par_iter()
        .map(|block| {
            let mut sums = vec![0.0; columns];
            for row in block * ROWS..rows.min((block + 1) * ROWS) {
                add_rows(&data[row * matrix.row_stride..][..columns], &mut sums);
            }
            sums
        })
        .collect();
    let mut total = vec![0.0; columns];
    for sum in &sums {
        add_rows(sum, &mut total);
    }
    total
}

crate::instructions::vectorized! {
    /// Adds every row of `rows` to `sums`.
    fn add_rows(rows: &[f32], sums: &mut [f32]) {
        for row in rows.chunks_exact(sums.len()) {
            for (sum, x) in sums.iter_mut().zip(row) {
                *sum += x;
            }
        }
    }
}

#[cfg(test)]
mod tests;
