//! Counts of every line as plain numbers, so that any choice of lines is scored by adding rows.

/// The statistics of a text: a row of numbers for each line, whose sums over lines are all that a score depends on.
///
/// What the columns are is said at [`Metric::rows`](crate::Metric::rows).
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    width: usize,
    values: Vec<f64>,
}

impl Rows {
    /// Puts rows of `width` numbers one below the other.
    ///
    /// # Panics
    ///
    /// If a row has another width.
    pub fn new(width: usize, rows: impl IntoIterator<Item = Vec<f64>>) -> Self {
        let mut values = Vec::new();
        for row in rows {
            assert_eq!(row.len(), width, "every line has the same columns");
            values.extend(row);
        }
        Self { width, values }
    }

    /// Numbers in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Lines.
    pub fn len(&self) -> usize {
        self.values.len() / self.width
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The statistics of a line, counted from 0.
    ///
    /// # Panics
    ///
    /// If there is no such line.
    pub fn row(&self, line: usize) -> &[f64] {
        &self.values[line * self.width..(line + 1) * self.width]
    }

    /// All rows, in the order of the lines.
    pub fn iter(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.width)
    }

    /// The statistics of the whole text.
    pub fn sum(&self) -> Vec<f64> {
        self.sum_of(0..self.len())
    }

    /// The statistics of some lines; a line that is named twice counts twice.
    ///
    /// # Panics
    ///
    /// If there is no such line.
    pub fn sum_of(&self, lines: impl IntoIterator<Item = usize>) -> Vec<f64> {
        let mut sums = vec![0.0; self.width];
        for line in lines {
            add(&mut sums, self.row(line));
        }
        sums
    }

    /// All numbers, row by row, in single precision.
    pub(crate) fn single(&self) -> Vec<f32> {
        self.values.iter().map(|value| *value as f32).collect()
    }
}

/// `sums[i] += row[i]`.
pub(crate) fn add(sums: &mut [f64], row: &[f64]) {
    for (sum, value) in sums.iter_mut().zip(row) {
        *sum += value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_add_up() {
        let rows = Rows::new(2, [vec![1.0, 2.0], vec![3.0, 4.5], vec![0.0, 1.0]]);
        assert_eq!((rows.len(), rows.width(), rows.is_empty()), (3, 2, false));
        assert_eq!(rows.row(1), [3.0, 4.5]);
        assert_eq!(rows.sum(), [4.0, 7.5]);
        assert_eq!(rows.sum_of([1, 1]), [6.0, 9.0]);
        assert_eq!(rows.iter().count(), 3);
        assert_eq!(rows.single(), [1.0f32, 2.0, 3.0, 4.5, 0.0, 1.0]);
    }
}
