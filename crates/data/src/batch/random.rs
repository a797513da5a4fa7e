//! Numbers that look random and are pure functions of a key: whoever asks again gets the same.

/// A pseudo-random permutation of `0..n`, computed place by place: nothing of size n is in memory.
///
/// A Feistel network permutes `0..4^k`, the smallest such range that holds n. A value outside `0..n` is permuted again
/// until it falls inside (cycle walking; Black and Rogaway 2002), which on average takes fewer than four rounds.
pub(super) struct Permutation {
    n: u64,
    half_bits: u32,
    keys: [u64; 6],
}

impl Permutation {
    pub(super) fn new(n: u64, key: u64) -> Self {
        let bits = u64::BITS - n.saturating_sub(1).leading_zeros();
        let keys = std::array::from_fn(|round| mix(&[key, round as u64]));
        Self {
            n,
            half_bits: bits.div_ceil(2).max(1),
            keys,
        }
    }

    pub(super) fn get(&self, position: u64) -> u64 {
        debug_assert!(position < self.n);
        let mut value = position;
        loop {
            value = self.network(value);
            if value < self.n {
                return value;
            }
        }
    }

    fn network(&self, value: u64) -> u64 {
        let mask = (1 << self.half_bits) - 1;
        let (mut left, mut right) = (value >> self.half_bits, value & mask);
        for key in self.keys {
            (left, right) = (right, left ^ (scramble(key ^ right) & mask));
        }
        left << self.half_bits | right
    }
}

/// Fisher and Yates' shuffle with numbers from a counter.
pub(super) fn shuffle<T>(items: &mut [T], seed: u64) {
    for last in (1..items.len()).rev() {
        // The high bits of a product are uniform in 0..=last but for a part in 2^40 or less.
        let random = scramble(seed.wrapping_add(last as u64));
        items.swap(last, ((u128::from(random) * (last as u128 + 1)) >> 64) as usize);
    }
}

/// One number from several, each bit depending on all.
pub(super) fn mix(numbers: &[u64]) -> u64 {
    numbers.iter().fold(0x9E37_79B9_7F4A_7C15, |state, &number| {
        scramble(state ^ scramble(number))
    })
}

/// SplitMix64's step (Steele, Lea and Flood 2014).
fn scramble(number: u64) -> u64 {
    let mut number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_hits_every_place_once() {
        for n in [1, 2, 3, 4, 5, 16, 17, 63, 64, 65, 1000, 4097] {
            let permutation = Permutation::new(n, 7);
            let mut hit: Vec<u64> = (0..n).map(|position| permutation.get(position)).collect();
            hit.sort_unstable();
            assert!(hit.into_iter().eq(0..n), "{n}");
        }
    }

    #[test]
    fn a_permutation_looks_random() {
        let n = 10_000u64;
        let permutation = Permutation::new(n, 1);
        // Distance travelled: a third of n on average in a random permutation, with a standard deviation near 0.003 n.
        let mean = (0..n)
            .map(|position| permutation.get(position).abs_diff(position))
            .sum::<u64>() as f64
            / n as f64;
        assert!((mean / n as f64 - 1.0 / 3.0).abs() < 0.015, "{mean}");
        let neighbours = (1..n)
            .filter(|&i| permutation.get(i).abs_diff(permutation.get(i - 1)) == 1)
            .count();
        assert!(neighbours < 20, "{neighbours}");
    }

    #[test]
    fn a_shuffle_is_fair() {
        let mut first = [0u32; 5];
        for seed in 0..5000 {
            let mut items = [0, 1, 2, 3, 4];
            shuffle(&mut items, mix(&[seed]));
            first[items[0]] += 1;
        }
        assert!(first.iter().all(|&count| (850..1150).contains(&count)), "{first:?}");
    }
}
