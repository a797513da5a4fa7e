//! Counted n-grams and their clipped overlap (Papineni et al. 2002, section 2.1).

use std::collections::HashMap;
use std::hash::Hash;

/// How often each n-gram of one order occurs; the n-grams are borrowed from the sequence they were counted in.
#[derive(Debug, Clone)]
pub struct NgramCounts<'a, T> {
    counts: HashMap<&'a [T], u64>,
}

impl<'a, T: Eq + Hash> NgramCounts<'a, T> {
    /// Counts the n-grams of one order.
    ///
    /// # Panics
    ///
    /// If `order` is zero.
    pub fn of(sequence: &'a [T], order: usize) -> Self {
        let mut counts = HashMap::with_capacity(total(sequence.len(), order) as usize);
        for ngram in sequence.windows(order) {
            *counts.entry(ngram).or_insert(0) += 1;
        }
        Self { counts }
    }

    /// Raises each count to that of `other` where it is larger: the union over several references.
    pub fn raise_to(&mut self, other: Self) {
        for (ngram, count) in other.counts {
            let mine = self.counts.entry(ngram).or_insert(0);
            *mine = count.max(*mine);
        }
    }

    /// `Σ min(count here, count there)`: the matches, each clipped by what the reference holds.
    pub fn overlap(&self, reference: &Self) -> u64 {
        let clipped = |(ngram, count): (&&[T], &u64)| reference.counts.get(*ngram).map_or(0, |other| *other.min(count));
        self.counts.iter().map(clipped).sum()
    }
}

/// How many n-grams a sequence of this length has.
pub fn total(length: usize, order: usize) -> u64 {
    (length + 1).saturating_sub(order) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_is_clipped() {
        let hypothesis = ["the"; 7];
        let reference = ["the", "cat", "is", "on", "the", "mat"];
        let (hypothesis, reference) = (NgramCounts::of(&hypothesis, 1), NgramCounts::of(&reference, 1));
        assert_eq!(hypothesis.overlap(&reference), 2);
        assert_eq!(reference.overlap(&hypothesis), 2);
    }

    #[test]
    fn union_keeps_the_larger_count() {
        let (one, two) = (["a", "a", "b"], ["a", "c", "c"]);
        let mut union = NgramCounts::of(&one, 1);
        union.raise_to(NgramCounts::of(&two, 1));
        assert_eq!(
            NgramCounts::of(&["a", "a", "a", "b", "b", "c", "c", "c"], 1).overlap(&union),
            2 + 1 + 2
        );
    }

    #[test]
    fn short_sequences_have_no_ngrams() {
        assert_eq!(total(3, 4), 0);
        assert_eq!(total(0, 1), 0);
        assert_eq!(total(4, 4), 1);
        assert_eq!(NgramCounts::of(&["a"], 2).overlap(&NgramCounts::of(&["a"], 2)), 0);
    }
}
