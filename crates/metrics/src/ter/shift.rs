//! The shift that helps most, until none does (Snover et al. 2006, section 2.2, figure 1).

use std::cmp::Reverse;

use super::edit_distance::{Alignment, EditDistance};

/// The longest run of words that is shifted.
const MAX_LENGTH: usize = 10;
/// How far apart a run may stand in hypothesis and reference.
const MAX_DISTANCE: usize = 50;
/// After this many shifts were weighed for a sentence the search ends.
const MAX_CANDIDATES: usize = 1000;

/// A run of words that occurs on both sides.
#[derive(Debug, Clone, Copy)]
struct Run {
    in_hypothesis: usize,
    in_reference: usize,
    length: usize,
}

/// Moves `length` words from `start` to before the word at `target`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shift {
    start: usize,
    length: usize,
    target: usize,
}

/// The edits, shifts included, that turn the hypothesis into the reference.
pub(super) fn edits(hypothesis: &[u32], reference: &[u32]) -> usize {
    if reference.is_empty() {
        return hypothesis.len();
    }
    let mut words = hypothesis.to_vec();
    let mut distance = EditDistance::new(&words, reference);
    let mut shifts = 0;
    let mut candidates = 0;
    while let Some(shift) = best_shift(&words, reference, &mut distance, &mut candidates) {
        words = shift.apply(&words);
        distance.update(&words, shift.unchanged());
        shifts += 1;
    }
    shifts + distance.distance() as usize
}

/// The shift that lowers the edit distance most; then the longest, the earliest, the one with the earliest target.
/// None if no shift lowers it, or if the sentence has used up its candidates.
fn best_shift(
    words: &[u32],
    reference: &[u32],
    distance: &mut EditDistance<'_>,
    candidates: &mut usize,
) -> Option<Shift> {
    let before = i64::from(distance.distance());
    let alignment = distance.alignment();
    let mut best = None;
    for run in common_runs(words, reference).filter(|run| run.may_help(&alignment)) {
        for target in run.targets(&alignment) {
            let shift = Shift {
                start: run.in_hypothesis,
                length: run.length,
                target,
            };
            let after = distance.distance_of(&shift.apply(words), shift.unchanged());
            let rank = (
                before - i64::from(after),
                shift.length,
                Reverse(shift.start),
                Reverse(shift.target),
            );
            best = best.max(Some((rank, shift.target)));
            *candidates += 1;
        }
        if *candidates >= MAX_CANDIDATES {
            return None;
        }
    }
    let ((gain, length, Reverse(start), _), target) = best?;
    (gain > 0).then_some(Shift { start, length, target })
}

/// All runs of up to [`MAX_LENGTH`] equal words that stand within [`MAX_DISTANCE`]; longer ones after the shorter ones
/// they begin with.
fn common_runs<'a>(words: &'a [u32], reference: &'a [u32]) -> impl Iterator<Item = Run> + 'a {
    let pairs = (0..words.len()).flat_map(|start| {
        let near = start.saturating_sub(MAX_DISTANCE)..reference.len().min(start + MAX_DISTANCE + 1);
        near.map(move |in_reference| (start, in_reference))
    });
    pairs.flat_map(|(in_hypothesis, in_reference)| {
        let equal = words[in_hypothesis..]
            .iter()
            .zip(&reference[in_reference..])
            .take_while(|(a, b)| a == b);
        (1..=equal.take(MAX_LENGTH).count()).map(move |length| Run {
            in_hypothesis,
            in_reference,
            length,
        })
    })
}

impl Run {
    /// A shift is only tried if some word of the run is wrong where it stands, some word is missed where it should go,
    /// and it is not aligned with itself.
    fn may_help(&self, alignment: &Alignment) -> bool {
        let here = self.in_hypothesis..self.in_hypothesis + self.length;
        let there = self.in_reference..self.in_reference + self.length;
        let wrong = alignment.hypothesis_errors[here.clone()].contains(&true);
        let missed = alignment.reference_errors[there].contains(&true);
        // The end of an alignment lies one behind the aligned word.
        let end = alignment.hypothesis_ends[self.in_reference];
        wrong && missed && !(end > here.start && end <= here.end)
    }

    /// Where to put the run: behind the word that stands opposite the one before it in the reference, and behind those
    /// opposite its own words, each place once in a row.
    fn targets<'a>(&self, alignment: &'a Alignment) -> impl Iterator<Item = usize> + 'a {
        let first = match self.in_reference {
            0 => 0,
            start => alignment.hypothesis_ends[start - 1],
        };
        let own = &alignment.hypothesis_ends[self.in_reference..self.in_reference + self.length];
        let mut previous = None;
        std::iter::once(first)
            .chain(own.iter().copied())
            .filter(move |target| previous.replace(*target) != Some(*target))
    }
}

impl Shift {
    /// The words after the shift. A target within the run moves it on by as many words as it lies inside.
    fn apply(self, words: &[u32]) -> Vec<u32> {
        let Self { start, length, target } = self;
        let end = start + length;
        let (run, mut shifted) = (&words[start..end], Vec::with_capacity(words.len()));
        if target < start {
            shifted.extend_from_slice(&words[..target]);
            shifted.extend_from_slice(run);
            shifted.extend_from_slice(&words[target..start]);
            shifted.extend_from_slice(&words[end..]);
        } else {
            let behind = if target > end {
                target
            } else {
                (target + length).min(words.len())
            };
            shifted.extend_from_slice(&words[..start]);
            shifted.extend_from_slice(&words[end..behind]);
            shifted.extend_from_slice(run);
            shifted.extend_from_slice(&words[behind..]);
        }
        shifted
    }

    /// How many words from the start stay as they are.
    fn unchanged(self) -> usize {
        self.start.min(self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifts_to_both_sides() {
        let words = [0, 1, 2, 3, 4, 5];
        assert_eq!(
            Shift {
                start: 3,
                length: 2,
                target: 1
            }
            .apply(&words),
            [0, 3, 4, 1, 2, 5]
        );
        assert_eq!(
            Shift {
                start: 1,
                length: 2,
                target: 5
            }
            .apply(&words),
            [0, 3, 4, 1, 2, 5]
        );
    }

    #[test]
    fn a_target_inside_the_run_moves_it_on() {
        let words = [0, 1, 2, 3, 4, 5];
        assert_eq!(
            Shift {
                start: 1,
                length: 2,
                target: 2
            }
            .apply(&words),
            [0, 3, 1, 2, 4, 5]
        );
        assert_eq!(
            Shift {
                start: 4,
                length: 2,
                target: 6
            }
            .apply(&words),
            words
        );
        assert_eq!(
            Shift {
                start: 1,
                length: 2,
                target: 1
            }
            .apply(&words),
            words
        );
    }

    #[test]
    fn runs_are_found_in_order_of_length() {
        let runs: Vec<_> = common_runs(&[7, 8, 9], &[8, 9, 7]).collect();
        let found: Vec<_> = runs
            .iter()
            .map(|run| (run.in_hypothesis, run.in_reference, run.length))
            .collect();
        assert_eq!(found, [(0, 2, 1), (1, 0, 1), (1, 0, 2), (2, 1, 1)]);
    }

    #[test]
    fn runs_far_apart_or_too_long_are_left_out() {
        let mut far = vec![1; 52];
        far[51] = 0;
        assert_eq!(common_runs(&[0], &far).count(), 0);
        assert_eq!(common_runs(&[0], &far[1..]).count(), 1);
        let long: Vec<u32> = (0..30).collect();
        assert_eq!(common_runs(&long, &long).map(|run| run.length).max(), Some(MAX_LENGTH));
    }
}
