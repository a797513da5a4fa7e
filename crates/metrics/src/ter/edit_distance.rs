//! Word edit distance near the diagonal, and its alignment.
//!
//! Only cells within a beam around the (scaled) diagonal are filled, so for very long or very different texts the result
//! can exceed the true distance; TER is defined by what Tercom finds.

/// How many cells to either side of the diagonal are looked at.
const BEAM_WIDTH: usize = 25;

/// More than any distance, and still far from overflow when one is added.
const UNREACHED: u32 = u32::MAX / 2;

/// The last step to a cell of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edit {
    /// Both words are equal, or one takes the place of the other.
    Align { equal: bool },
    /// A word of the hypothesis is left out.
    Delete,
    /// A word of the reference is put in.
    Insert,
    /// Outside of the beam.
    Unreached,
}

/// Distances of all hypotheses of one length to one reference.
#[derive(Debug)]
pub(super) struct EditDistance<'a> {
    reference: &'a [u32],
    length: usize,
    ratio: f64,
    beam: usize,
    /// Row i: the first i words of the current hypothesis, by prefixes of the reference.
    rows: Vec<Vec<u32>>,
    edits: Vec<Vec<Edit>>,
    /// Two rows for hypotheses that are only weighed.
    scratch: [Vec<u32>; 2],
}

/// Which words stand opposite each other in a cheapest edit.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Alignment {
    /// For each word of the reference the number of hypothesis words up to and including the one it is aligned with.
    pub(super) hypothesis_ends: Vec<usize>,
    /// Whether each word of the reference is missed.
    pub(super) reference_errors: Vec<bool>,
    /// Whether each word of the hypothesis is wrong.
    pub(super) hypothesis_errors: Vec<bool>,
}

impl<'a> EditDistance<'a> {
    /// Computes the matrix of a hypothesis.
    pub(super) fn new(hypothesis: &[u32], reference: &'a [u32]) -> Self {
        let width = reference.len() + 1;
        let ratio = if hypothesis.is_empty() {
            1.0
        } else {
            reference.len() as f64 / hypothesis.len() as f64
        };
        // Rows of a much longer reference are so far apart that the usual beams would not overlap.
        let beam = match (BEAM_WIDTH as f64) < ratio / 2.0 {
            true => (ratio / 2.0 + BEAM_WIDTH as f64).ceil() as usize,
            false => BEAM_WIDTH,
        };
        let mut distance = Self {
            reference,
            length: hypothesis.len(),
            ratio,
            beam,
            rows: vec![vec![UNREACHED; width]; hypothesis.len() + 1],
            edits: vec![vec![Edit::Unreached; width]; hypothesis.len() + 1],
            scratch: [vec![UNREACHED; width], vec![UNREACHED; width]],
        };
        distance.rows[0] = (0..width as u32).collect();
        distance.edits[0] = vec![Edit::Insert; width];
        distance.update(hypothesis, 0);
        distance
    }

    /// Puts another hypothesis of the same length in place, which is equal in its first `same` words.
    pub(super) fn update(&mut self, hypothesis: &[u32], same: usize) {
        assert_eq!(hypothesis.len(), self.length, "the beam depends on the length");
        for i in same + 1..=self.length {
            let (above, below) = self.rows.split_at_mut(i);
            let edits = &mut self.edits[i];
            let cells = cells(i, self.length, self.reference.len(), self.ratio, self.beam);
            let word = hypothesis[i - 1];
            fill_row(word, self.reference, cells, &above[i - 1], &mut below[0], |j, edit| {
                edits[j] = edit
            });
        }
    }

    /// The distance of the hypothesis in place.
    pub(super) fn distance(&self) -> u32 {
        self.rows[self.length][self.reference.len()]
    }

    /// The distance of another hypothesis of the same length, which is equal in its first `same` words.
    pub(super) fn distance_of(&mut self, hypothesis: &[u32], same: usize) -> u32 {
        assert_eq!(hypothesis.len(), self.length, "the beam depends on the length");
        let [mut above, mut below] = std::mem::take(&mut self.scratch);
        above.copy_from_slice(&self.rows[same]);
        for i in same + 1..=self.length {
            below.fill(UNREACHED);
            let cells = cells(i, self.length, self.reference.len(), self.ratio, self.beam);
            fill_row(hypothesis[i - 1], self.reference, cells, &above, &mut below, |_, _| ());
            std::mem::swap(&mut above, &mut below);
        }
        let distance = above[self.reference.len()];
        self.scratch = [above, below];
        distance
    }

    /// Follows the steps back from the last cell.
    pub(super) fn alignment(&self) -> Alignment {
        let (mut i, mut j) = (self.length, self.reference.len());
        let mut alignment = Alignment {
            hypothesis_ends: vec![0; j],
            reference_errors: vec![true; j],
            hypothesis_errors: vec![true; i],
        };
        while i > 0 || j > 0 {
            match self.edits[i][j] {
                Edit::Align { equal } => {
                    alignment.hypothesis_ends[j - 1] = i;
                    alignment.reference_errors[j - 1] = !equal;
                    alignment.hypothesis_errors[i - 1] = !equal;
                    (i, j) = (i - 1, j - 1);
                }
                Edit::Insert => {
                    alignment.hypothesis_ends[j - 1] = i;
                    j -= 1;
                }
                Edit::Delete => i -= 1,
                Edit::Unreached => unreachable!("neighbouring rows of the beam overlap"),
            }
        }
        alignment
    }
}

/// The part of row i that lies within the beam; the last row goes up to the end.
fn cells(i: usize, rows: usize, reference: usize, ratio: f64, beam: usize) -> std::ops::Range<usize> {
    let diagonal = (i as f64 * ratio).floor() as usize;
    let end = if i == rows {
        reference + 1
    } else {
        (diagonal + beam).min(reference + 1)
    };
    diagonal.saturating_sub(beam)..end
}

/// One row of the matrix (Levenshtein, all edits cost one). Of equally cheap steps an alignment goes first, then a
/// deletion, then an insertion.
fn fill_row(
    word: u32,
    reference: &[u32],
    cells: std::ops::Range<usize>,
    above: &[u32],
    row: &mut [u32],
    mut record: impl FnMut(usize, Edit),
) {
    for j in cells {
        if j == 0 {
            row[0] = above[0] + 1;
            record(0, Edit::Delete);
            continue;
        }
        let equal = word == reference[j - 1];
        let (mut best, mut edit) = (above[j - 1] + u32::from(!equal), Edit::Align { equal });
        if above[j] + 1 < best {
            (best, edit) = (above[j] + 1, Edit::Delete);
        }
        if row[j - 1] + 1 < best {
            (best, edit) = (row[j - 1] + 1, Edit::Insert);
        }
        if best < UNREACHED {
            row[j] = best;
            record(j, edit);
        }
    }
}
