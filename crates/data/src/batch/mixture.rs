//! How often the pairs of each corpus are seen an epoch.
//!
//! A corpus of weight w shows each of its pairs `floor(w)` times an epoch, and once more with probability
//! `w - floor(w)`, drawn anew for every epoch from (seed, epoch, pair).
//!
//! An epoch is a permutation of slots, one for each time that a pair may be seen; a slot whose draw fails is passed
//! over. So the order of an epoch is computed place by place, whatever the weights, and where all of them are 1 slots
//! and pairs are the same.

use super::random::mix;

/// Sets this draw apart from the other numbers that are made of (seed, epoch, pair).
const DRAW: u64 = 2;

/// The weights of the corpora of a store. The default shows every pair once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mixture {
    /// In the order of the store; a corpus without pairs has none.
    shares: Vec<Share>,
}

/// A corpus.
#[derive(Debug, Clone, PartialEq)]
struct Share {
    pairs: u64,
    first_pair: u64,
    first_slot: u64,
    /// The first slot behind it.
    end: u64,
    /// Times that a pair is seen without a draw.
    whole: u64,
    /// Probability of one time more.
    fraction: f64,
}

/// A pair as it is seen in an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// The pair.
    pub(super) index: u64,
    /// How many times of the same epoch are numbered before this one.
    copy: u64,
}

impl Mixture {
    /// Of the number of pairs and the weight of each corpus, in the order in which the store has them.
    ///
    /// # Panics
    ///
    /// A weight is not above 0, or not finite: configs are checked.
    pub fn new(corpora: impl IntoIterator<Item = (u64, f64)>) -> Self {
        let mut shares = Vec::new();
        let (mut first_pair, mut first_slot) = (0, 0);
        for (pairs, weight) in corpora.into_iter().filter(|(pairs, _)| *pairs > 0) {
            assert!(weight.is_finite() && weight > 0.0, "a weight of {weight}");
            let end = first_slot + pairs * weight.ceil() as u64;
            shares.push(Share {
                pairs,
                first_pair,
                first_slot,
                end,
                whole: weight as u64,
                fraction: weight.fract(),
            });
            (first_pair, first_slot) = (first_pair + pairs, end);
        }
        Self { shares }
    }

    /// Pairs that an epoch shows on average, of a store of so many, rounded.
    pub fn pairs_an_epoch(&self, pairs: u64) -> u64 {
        if self.shares.is_empty() {
            return pairs;
        }
        let drawn = |share: &Share| (share.pairs as f64 * share.fraction).round() as u64;
        self.shares
            .iter()
            .map(|share| share.pairs * share.whole + drawn(share))
            .sum()
    }

    /// Slots of an epoch, for the store, which has so many pairs.
    pub(super) fn slots(&self, pairs: u64) -> u64 {
        self.shares.last().map_or(pairs, |share| {
            assert_eq!(share.first_pair + share.pairs, pairs, "the mixture of another store");
            share.end
        })
    }

    /// What a slot shows in an epoch; `None` where the draw decided against it.
    pub(super) fn seen(&self, slot: u64, seed: u64, epoch: u64) -> Option<Seen> {
        if self.shares.is_empty() {
            return Some(Seen { index: slot, copy: 0 });
        }
        let share = &self.shares[self.shares.partition_point(|share| share.end <= slot)];
        let place = slot - share.first_slot;
        let index = share.first_pair + place % share.pairs;
        let copy = place / share.pairs;
        let is_seen = copy < share.whole || uniform(mix(&[seed, epoch, index, DRAW])) < share.fraction;
        is_seen.then_some(Seen { index, copy })
    }
}

impl Seen {
    /// What BPE-dropout of this pair draws from: another number each time that the pair is seen.
    pub(super) fn seed(&self, seed: u64, epoch: u64) -> u64 {
        match self.copy {
            0 => mix(&[seed, epoch, self.index]),
            copy => mix(&[seed, epoch, self.index, 0, copy]),
        }
    }
}

/// A number in [0, 1) of 53 random bits.
fn uniform(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often each pair is seen in an epoch.
    fn times(mixture: &Mixture, pairs: u64, epoch: u64) -> Vec<u64> {
        let mut times = vec![0; pairs as usize];
        for slot in 0..mixture.slots(pairs) {
            if let Some(seen) = mixture.seen(slot, 7, epoch) {
                times[seen.index as usize] += 1;
            }
        }
        times
    }

    #[test]
    fn whole_weights_need_no_draw() {
        let mixture = Mixture::new([(3, 1.0), (0, 9.0), (2, 3.0), (1, 1.0)]);
        for epoch in 0..5 {
            assert_eq!(times(&mixture, 6, epoch), [1, 1, 1, 3, 3, 1]);
        }
        assert_eq!(mixture.pairs_an_epoch(6), 10);
        assert_eq!(times(&Mixture::default(), 4, 0), [1; 4]);
    }

    #[test]
    fn a_fraction_is_drawn_for_every_pair_and_epoch() {
        let mixture = Mixture::new([(4000, 0.3), (1000, 2.5)]);
        let (first, second) = (times(&mixture, 5000, 0), times(&mixture, 5000, 1));
        assert_ne!(first, second);
        assert_eq!(first, times(&mixture, 5000, 0));
        for times in [first, second] {
            let (small, large) = times.split_at(4000);
            assert!(small.iter().all(|times| *times <= 1) && large.iter().all(|times| (2..=3).contains(times)));
            // Of 4000 draws of 0.3 the standard deviation is 29, of 1000 of 0.5 it is 16.
            let [small, large] = [small, large].map(|part| part.iter().sum::<u64>());
            assert!(
                small.abs_diff(1200) < 120 && large.abs_diff(2500) < 70,
                "{small} {large}"
            );
        }
        assert_eq!(mixture.pairs_an_epoch(5000), 1200 + 2500);
    }

    #[test]
    fn every_time_that_a_pair_is_seen_has_its_own_seed() {
        let mixture = Mixture::new([(2, 3.0)]);
        let mut seeds: Vec<u64> = (0..6)
            .filter_map(|slot| Some(mixture.seen(slot, 7, 0)?.seed(7, 0)))
            .collect();
        assert_eq!(
            seeds[..2],
            [mix(&[7, 0, 0]), mix(&[7, 0, 1])],
            "the first as without weights"
        );
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 6);
    }
}
