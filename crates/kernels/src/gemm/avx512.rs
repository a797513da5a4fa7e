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
//! A word is one fp32 number, or two bf16 numbers that follow each other along `k`; a step is a word. A strip is copied in
//! the order in which its matrix lies in memory; the tile reads it one word at a time, so that either will do.

use std::arch::x86_64::*;

use rayon::prelude::*;

use super::{Matrix, Precision, Product, Start};

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

/// A whole factor, copied in the order in which tiles read it: for every piece of `k`, for every strip of `WIDTH` lanes
/// (12 rows of a left factor, 32 columns of a right one), `[steps, WIDTH]` words.
pub struct Strips<const WIDTH: usize> {
    words: Vec<u32>,
    lanes: usize,
    precision: Precision,
}

/// A right factor.
pub type Panels = Strips<TILE_COLUMNS>;

impl<const WIDTH: usize> Strips<WIDTH> {
    /// Copies a factor on all threads. Its lanes are the rows of `lanes`.
    fn new(lanes: Matrix, precision: Precision) -> Self {
        let count = lanes.rows.div_ceil(WIDTH);
        let mut words = vec_of_words(count * WIDTH * steps(lanes.columns, precision));
        let mut rest = &mut words[..];
        for piece in Piece::all(lanes.columns) {
            let size = WIDTH * steps(piece.depth, precision);
            let (all, after) = rest.split_at_mut(count * size);
            // Enough work for a task to be worth its start.
            let together = (SERIAL / 16 / size).max(1);
            all.par_chunks_mut(size * together)
                .enumerate()
                .for_each(|(task, words)| {
                    copy_strips::<WIDTH>(lanes, piece, task * together * WIDTH, precision, words);
                });
            rest = after;
        }
        Self {
            words,
            lanes: lanes.rows,
            precision,
        }
    }

    /// The strips of a piece from the one that begins at `lane`.
    fn of(&self, piece: Piece, lane: usize) -> &[u32] {
        let before = steps(piece.start, self.precision) * self.lanes.next_multiple_of(WIDTH);
        &self.words[before + lane * steps(piece.depth, self.precision)..]
    }
}

impl Panels {
    /// Copies a right factor on all threads.
    pub fn of_columns(matrix: Matrix, precision: Precision) -> Self {
        Self::new(matrix.t(), precision)
    }
}

/// Copies as many strips as `words` has place for, from the one that begins at lane `first`.
fn copy_strips<const WIDTH: usize>(lanes: Matrix, piece: Piece, first: usize, precision: Precision, words: &mut [u32]) {
    for (strip, words) in words
        .chunks_exact_mut(WIDTH * steps(piece.depth, precision))
        .enumerate()
    {
        let lane = first + strip * WIDTH;
        let lines = Lines {
            data: &lanes.data[lane * lanes.row_stride + piece.start * lanes.column_stride..],
            lanes: WIDTH.min(lanes.rows - lane),
            lane_stride: lanes.row_stride,
            depth: piece.depth,
            depth_stride: lanes.column_stride,
        };
        lines.pack::<WIDTH>(precision, words);
    }
}

/// A piece of `k`.
#[derive(Debug, Clone, Copy)]
struct Piece {
    start: usize,
    depth: usize,
}

impl Piece {
    /// The pieces of `0..k`, all of [`DEPTH`] but the last.
    fn all(k: usize) -> impl Iterator<Item = Self> {
        (0..k).step_by(DEPTH).map(move |start| Self {
            start,
            depth: DEPTH.min(k - start),
        })
    }
}

/// Steps of a piece of `k`.
fn steps(depth: usize, precision: Precision) -> usize {
    match precision {
        Precision::Fp32 => depth,
        Precision::Bf16 => depth.div_ceil(2),
    }
}

/// Words whose bits are arbitrary: every caller writes all of them.
#[allow(clippy::uninit_vec)]
fn vec_of_words(len: usize) -> Vec<u32> {
    let mut words = Vec::with_capacity(len);
    // SAFETY: the capacity is there, any bits are a u32, and callers write before they read.
    unsafe { words.set_len(len) };
    words
}

/// `result = left * right + start`, on all threads.
///
/// Tasks share the longer side of the result. What all of them read, the other factor, is copied beforehand; what only
/// one of them reads it copies itself, a piece at a time, so that the copy stays in its cache.
pub fn multiply(product: &Product, result: &mut [f32], row_stride: usize) {
    let (left, right, precision) = (product.left, product.right.matrix, product.right.precision);
    let by_rows = left.rows >= right.columns;
    // Where rows are contiguous along k, fp32 numbers are read where they are.
    let by_row = left.column_stride == 1;
    let in_place = precision == Precision::Fp32 && by_row;
    let fresh;
    let job = Job {
        left,
        right,
        precision,
        start: product.start,
        by_row,
        in_place,
        left_strips: (!in_place && !by_rows).then(|| Strips::new(left, precision)),
        right_panels: match &product.right.panels {
            Some(panels) => Some(panels),
            None if by_rows => {
                fresh = Panels::of_columns(right, precision);
                Some(&fresh)
            }
            None => None,
        },
        result: Pointer(result.as_mut_ptr()),
        row_stride,
    };
    let whole = Part {
        rows: [0, left.rows],
        columns: [0, right.columns],
    };
    if left.rows * right.columns * left.columns < SERIAL {
        return job.run(whole);
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
        job.run(if by_rows {
            Part { rows: range, ..whole }
        } else {
            Part {
                columns: range,
                ..whole
            }
        });
    });
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
    result: Pointer,
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
                None => copied::<TILE_ROWS>(self.left, piece, part.rows, self.precision, &mut left_copy),
            };
            let right = match self.right_panels {
                Some(panels) => panels.of(piece, part.columns[0]),
                None => copied::<TILE_COLUMNS>(self.right.t(), piece, part.columns, self.precision, &mut right_copy),
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
                // SAFETY: parts do not overlap and lie within the result, whose size was checked.
                let to = unsafe { self.result.0.add(row * self.row_stride + column) };
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

/// The strips of one part, copied to `words`.
fn copied<'a, const WIDTH: usize>(
    lanes: Matrix,
    piece: Piece,
    [first, last]: [usize; 2],
    precision: Precision,
    words: &'a mut Vec<u32>,
) -> &'a [u32] {
    let size = (last - first).next_multiple_of(WIDTH) * steps(piece.depth, precision);
    if words.is_empty() {
        // The first piece is the largest.
        *words = vec_of_words(size);
    }
    copy_strips::<WIDTH>(lanes, piece, first, precision, &mut words[..size]);
    &words[..size]
}

/// The result, of which tasks write parts that do not overlap.
#[derive(Clone, Copy)]
struct Pointer(*mut f32);
// SAFETY: see above.
unsafe impl Send for Pointer {}
unsafe impl Sync for Pointer {}

/// One tile of the result.
struct Tile {
    steps: usize,
    /// Word `(row, step)` at `row * row_stride + step * step_stride`.
    left: *const u32,
    row_stride: usize,
    step_stride: usize,
    right: *const u32,
    to: *mut f32,
    to_stride: usize,
    /// What is added, null for nothing.
    initial: *const f32,
    initial_stride: usize,
    /// Columns that the result has, up to 32.
    columns: usize,
}

impl Tile {
    /// # Safety
    /// Pointers and strides describe memory that is there, and the machine has the instructions.
    unsafe fn add(&self, rows: usize, precision: Precision) {
        macro_rules! rows {
            ($($count:literal)*) => {
                match (precision, rows) {
                    $((Precision::Fp32, $count) => unsafe { self.add_fp32::<$count>() },
                      (Precision::Bf16, $count) => unsafe { self.add_bf16::<$count>() },)*
                    _ => unreachable!("a tile has up to {TILE_ROWS} rows"),
                }
            };
        }
        rows!(1 2 3 4 5 6 7 8 9 10 11 12);
    }

    #[target_feature(enable = "avx512f")]
    unsafe fn add_fp32<const ROWS: usize>(&self) {
        let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
        let (mut left, mut right) = (self.left, self.right);
        for _ in 0..self.steps {
            // SAFETY: by the caller.
            unsafe {
                let columns = [_mm512_loadu_ps(right.cast()), _mm512_loadu_ps(right.add(16).cast())];
                for (row, sums) in sums.iter_mut().enumerate() {
                    let x = _mm512_set1_ps(*left.add(row * self.row_stride).cast());
                    sums[0] = _mm512_fmadd_ps(x, columns[0], sums[0]);
                    sums[1] = _mm512_fmadd_ps(x, columns[1], sums[1]);
                }
                left = left.add(self.step_stride);
                right = right.add(TILE_COLUMNS);
            }
        }
        // SAFETY: by the caller.
        unsafe { self.store(sums) }
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn add_bf16<const ROWS: usize>(&self) {
        let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
        let (mut left, mut right) = (self.left, self.right);
        for _ in 0..self.steps {
            // SAFETY: by the caller; the two types are 32 bf16 numbers.
            unsafe {
                let columns = [
                    std::mem::transmute::<__m512i, __m512bh>(_mm512_loadu_si512(right.cast())),
                    std::mem::transmute::<__m512i, __m512bh>(_mm512_loadu_si512(right.add(16).cast())),
                ];
                for (row, sums) in sums.iter_mut().enumerate() {
                    let pair = _mm512_set1_epi32(*left.add(row * self.row_stride).cast());
                    let pair: __m512bh = std::mem::transmute(pair);
                    sums[0] = _mm512_dpbf16_ps(sums[0], pair, columns[0]);
                    sums[1] = _mm512_dpbf16_ps(sums[1], pair, columns[1]);
                }
                left = left.add(self.step_stride);
                right = right.add(TILE_COLUMNS);
            }
        }
        // SAFETY: by the caller.
        unsafe { self.store(sums) }
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn store<const ROWS: usize>(&self, sums: [[__m512; 2]; ROWS]) {
        let masks = lane_masks(self.columns);
        for (row, sums) in sums.into_iter().enumerate() {
            for (half, sum) in sums.into_iter().enumerate() {
                // SAFETY: by the caller; lanes beyond the result's columns are masked.
                unsafe {
                    let sum = if self.initial.is_null() {
                        sum
                    } else {
                        let initial = self.initial.add(row * self.initial_stride + half * 16);
                        _mm512_add_ps(sum, _mm512_maskz_loadu_ps(masks[half], initial))
                    };
                    let to = self.to.add(row * self.to_stride + half * 16);
                    if self.columns == TILE_COLUMNS {
                        _mm512_storeu_ps(to, sum);
                    } else {
                        _mm512_mask_storeu_ps(to, masks[half], sum);
                    }
                }
            }
        }
    }
}

/// Which of 32 lanes, in two registers, are among the first `count`.
fn lane_masks(count: usize) -> [u16; 2] {
    let bits = (1u64 << count) - 1;
    [bits as u16, (bits >> 16) as u16]
}

/// Lanes (columns of a right factor, rows of a left one) side by side, `depth` numbers each.
struct Lines<'a> {
    data: &'a [f32],
    lanes: usize,
    lane_stride: usize,
    depth: usize,
    depth_stride: usize,
}

impl Lines<'_> {
    /// Writes `[steps, WIDTH]` words; lanes that are not there become zero. Only rows of a left factor that are contiguous
    /// are written as `[WIDTH, steps]`, and those that are not there are left out.
    fn pack<const WIDTH: usize>(&self, precision: Precision, words: &mut [u32]) {
        let last = (self.lanes - 1) * self.lane_stride + (self.depth - 1) * self.depth_stride;
        assert!(last < self.data.len() && words.len() == WIDTH * steps(self.depth, precision));
        // SAFETY: all numbers lie before `last`, all words were counted; the instructions were found before.
        unsafe {
            match (precision, self.lane_stride, self.depth_stride) {
                // First, as a single row has both strides 1.
                (Precision::Bf16, _, 1) if WIDTH == TILE_ROWS => self.round_rows(words),
                (Precision::Fp32, 1, _) => self.copy_fp32::<WIDTH>(words),
                (Precision::Bf16, 1, _) => self.copy_bf16::<WIDTH>(words),
                (Precision::Fp32, _, 1) => self.transpose_fp32::<WIDTH>(words),
                (Precision::Bf16, _, 1) => self.transpose_bf16::<WIDTH>(words),
                _ => unreachable!("one of a matrix's strides is 1"),
            }
        }
    }

    /// Lanes are contiguous.
    #[target_feature(enable = "avx512f")]
    unsafe fn copy_fp32<const WIDTH: usize>(&self, words: &mut [u32]) {
        // SAFETY: by the caller.
        unsafe {
            self.copy::<WIDTH>(words, self.depth, |step, half, mask| {
                let from = self.data.as_ptr().add(step * self.depth_stride + half * 16);
                _mm512_castps_si512(_mm512_maskz_loadu_ps(mask, from))
            });
        }
    }

    /// Lanes are contiguous; two numbers of the same lane make a word.
    #[target_feature(enable = "avx512f,avx512bf16,avx512bw,avx512vl")]
    unsafe fn copy_bf16<const WIDTH: usize>(&self, words: &mut [u32]) {
        // SAFETY: by the caller.
        unsafe {
            self.copy::<WIDTH>(words, self.depth.div_ceil(2), |step, half, mask| {
                let from = self.data.as_ptr().add(2 * step * self.depth_stride + half * 16);
                let low = rounded(_mm512_maskz_loadu_ps(mask, from));
                if 2 * step + 1 == self.depth {
                    return low;
                }
                let high = rounded(_mm512_maskz_loadu_ps(mask, from.add(self.depth_stride)));
                _mm512_or_si512(low, _mm512_slli_epi32::<16>(high))
            });
        }
    }

    /// Sixteen lanes at a time; `load` gives a step's words of them, and does not touch masked ones.
    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn copy<const WIDTH: usize>(
        &self,
        words: &mut [u32],
        steps: usize,
        load: impl Fn(usize, usize, u16) -> __m512i,
    ) {
        let masks = lane_masks(self.lanes);
        let stored = lane_masks(WIDTH);
        for step in 0..steps {
            for half in 0..WIDTH.div_ceil(16) {
                let found = load(step, half, masks[half]);
                // SAFETY: by the caller. Masked stores are slow: what an unmasked one writes beyond the width belongs
                // to the next step, which is written afterwards.
                unsafe {
                    let to = words.as_mut_ptr().add(step * WIDTH + half * 16).cast();
                    if step + 1 < steps || (half + 1) * 16 <= WIDTH {
                        _mm512_storeu_si512(to, found);
                    } else {
                        _mm512_mask_storeu_epi32(to.cast(), stored[half], found);
                    }
                }
            }
        }
    }

    /// Each lane is contiguous, and stays so.
    #[target_feature(enable = "avx512f,avx512bf16,avx512bw")]
    unsafe fn round_rows(&self, words: &mut [u32]) {
        let steps = self.depth.div_ceil(2);
        for (lane, words) in words.chunks_exact_mut(steps).take(self.lanes).enumerate() {
            for step in (0..steps).step_by(16) {
                let masks = lane_masks(32.min(self.depth - 2 * step));
                // SAFETY: by the caller; masked numbers and words are not touched. The two types are 32 bf16 numbers.
                unsafe {
                    let from = self.data.as_ptr().add(lane * self.lane_stride + 2 * step);
                    let low = _mm512_maskz_loadu_ps(masks[0], from);
                    let high = _mm512_maskz_loadu_ps(masks[1], from.wrapping_add(16));
                    let pairs: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(high, low));
                    let to = words.as_mut_ptr().add(step);
                    if step + 16 <= steps {
                        _mm512_storeu_si512(to.cast(), pairs);
                    } else {
                        _mm512_mask_storeu_epi32(to.cast(), lane_masks(steps - step)[0], pairs);
                    }
                }
            }
        }
    }

    /// Each lane is contiguous.
    #[target_feature(enable = "avx512f")]
    unsafe fn transpose_fp32<const WIDTH: usize>(&self, words: &mut [u32]) {
        // SAFETY: by the caller.
        unsafe {
            self.transpose::<WIDTH>(words, self.depth, |line, step| {
                let mask = lane_masks(16.min(self.depth - step))[0];
                _mm512_castps_si512(_mm512_maskz_loadu_ps(mask, line.add(step)))
            });
        }
    }

    /// Each lane is contiguous; two numbers of the same lane make a word.
    #[target_feature(enable = "avx512f,avx512bf16,avx512bw")]
    unsafe fn transpose_bf16<const WIDTH: usize>(&self, words: &mut [u32]) {
        // SAFETY: by the caller; the two types are 32 bf16 numbers.
        unsafe {
            self.transpose::<WIDTH>(words, self.depth.div_ceil(2), |line, step| {
                let masks = lane_masks(32.min(self.depth - 2 * step));
                let low = _mm512_maskz_loadu_ps(masks[0], line.add(2 * step));
                let high = _mm512_maskz_loadu_ps(masks[1], line.add(2 * step + 16));
                std::mem::transmute(_mm512_cvtne2ps_pbh(high, low))
            });
        }
    }

    /// Sixteen lanes and sixteen steps at a time; `load` gives sixteen words of a lane.
    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn transpose<const WIDTH: usize>(
        &self,
        words: &mut [u32],
        steps: usize,
        load: impl Fn(*const f32, usize) -> __m512i,
    ) {
        let stored = lane_masks(WIDTH);
        for half in 0..WIDTH.div_ceil(16) {
            for step in (0..steps).step_by(16) {
                let mut square = [_mm512_setzero_si512(); 16];
                let lanes = self.lanes.saturating_sub(half * 16).min(16);
                for (lane, row) in square[..lanes].iter_mut().enumerate() {
                    // SAFETY: by the caller.
                    let line = unsafe { self.data.as_ptr().add((half * 16 + lane) * self.lane_stride) };
                    *row = load(line, step);
                }
                let square = transposed(square);
                for (offset, row) in square[..16.min(steps - step)].iter().enumerate() {
                    // SAFETY: by the caller; what is written beyond the width belongs to the next step, see `copy`.
                    unsafe {
                        let to = words.as_mut_ptr().add((step + offset) * WIDTH + half * 16).cast();
                        if step + offset + 1 < steps || (half + 1) * 16 <= WIDTH {
                            _mm512_storeu_si512(to, *row);
                        } else {
                            _mm512_mask_storeu_epi32(to.cast(), stored[half], *row);
                        }
                    }
                }
            }
        }
    }
}

/// Sixteen numbers rounded to bf16, to the nearest and to even, each in the lower half of a word.
#[target_feature(enable = "avx512f,avx512bf16,avx512bw,avx512vl")]
#[inline]
fn rounded(values: __m512) -> __m512i {
    // SAFETY: the two types are 16 bf16 numbers.
    _mm512_cvtepu16_epi32(unsafe { std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(values)) })
}

/// Sixteen rows of sixteen words become columns.
#[target_feature(enable = "avx512f")]
#[inline]
fn transposed(rows: [__m512i; 16]) -> [__m512i; 16] {
    let mut pairs = rows;
    for i in 0..8 {
        pairs[2 * i] = _mm512_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
        pairs[2 * i + 1] = _mm512_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
    }
    // fours[4 i + c]: column c (modulo 4) of rows 4 i .. 4 i + 4, in each quarter.
    let mut fours = pairs;
    for i in 0..4 {
        for half in 0..2 {
            let (a, b) = (pairs[4 * i + half], pairs[4 * i + half + 2]);
            fours[4 * i + 2 * half] = _mm512_unpacklo_epi64(a, b);
            fours[4 * i + 2 * half + 1] = _mm512_unpackhi_epi64(a, b);
        }
    }
    let mut columns = fours;
    for c in 0..4 {
        let (a, b, d, e) = (fours[c], fours[4 + c], fours[8 + c], fours[12 + c]);
        let even = _mm512_shuffle_i32x4::<0b10_00_10_00>(a, b); // quarters a0 a2 b0 b2
        let odd = _mm512_shuffle_i32x4::<0b11_01_11_01>(a, b); // a1 a3 b1 b3
        let even_below = _mm512_shuffle_i32x4::<0b10_00_10_00>(d, e);
        let odd_below = _mm512_shuffle_i32x4::<0b11_01_11_01>(d, e);
        columns[c] = _mm512_shuffle_i32x4::<0b10_00_10_00>(even, even_below);
        columns[4 + c] = _mm512_shuffle_i32x4::<0b10_00_10_00>(odd, odd_below);
        columns[8 + c] = _mm512_shuffle_i32x4::<0b11_01_11_01>(even, even_below);
        columns[12 + c] = _mm512_shuffle_i32x4::<0b11_01_11_01>(odd, odd_below);
    }
    columns
}
