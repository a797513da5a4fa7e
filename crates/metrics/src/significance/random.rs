//! The random numbers of NumPy's `default_rng(seed)`: a seed sequence, the generator PCG64, and how both become whole
//! numbers below a bound and coins.
//!
//! Melissa E. O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms for Random Number
//! Generation", 2014 (XSL RR 128/64). Daniel Lemire, "Fast Random Integer Generation in an Interval", TOMACS 2019.

/// Numbers in NumPy's seed sequence's pool.
const POOL: usize = 4;

/// The multiplier of a 128-bit PCG.
const MULTIPLIER: u128 = 0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645;

/// A linear congruential generator of 128 bits whose output is folded, rotated by its own highest bits.
#[derive(Debug, Clone)]
pub(super) struct Pcg64 {
    state: u128,
    increment: u128,
    /// The upper half of the last word, where only its lower half was asked for.
    kept: Option<u32>,
}

impl Pcg64 {
    /// NumPy's generator of this seed.
    pub(super) fn new(seed: u64) -> Self {
        let [state_high, state_low, stream_high, stream_low] = seed_words(seed);
        let wide = |high: u64, low: u64| u128::from(high) << 64 | u128::from(low);
        let mut generator = Self {
            state: 0,
            increment: wide(stream_high, stream_low) << 1 | 1,
            kept: None,
        };
        generator.step();
        generator.state = generator.state.wrapping_add(wide(state_high, state_low));
        generator.step();
        generator
    }

    fn step(&mut self) {
        self.state = self.state.wrapping_mul(MULTIPLIER).wrapping_add(self.increment);
    }

    fn next_u64(&mut self) -> u64 {
        self.step();
        let folded = (self.state >> 64) as u64 ^ self.state as u64;
        folded.rotate_right((self.state >> 122) as u32)
    }

    /// Half a word, the lower one first.
    fn next_u32(&mut self) -> u32 {
        if let Some(half) = self.kept.take() {
            return half;
        }
        let word = self.next_u64();
        self.kept = Some((word >> 32) as u32);
        word as u32
    }

    /// A number from 0 up to, but not including, the bound (Lemire 2019, algorithm 5).
    ///
    /// # Panics
    ///
    /// If the bound is zero.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        assert!(bound > 0, "there is no number below zero");
        if bound == 1 {
            return 0;
        }
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u64::from(self.next_u32()) * u64::from(bound);
            // The lowest products would make some numbers more likely than others.
            if product as u32 >= threshold {
                return (product >> 32) as u32;
            }
        }
    }
}

/// Coins from a generator's half words, the lowest bit first.
#[derive(Debug)]
pub(super) struct Coins {
    generator: Pcg64,
    bits: u32,
    left: u32,
}

impl Coins {
    /// Coins of this seed.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            generator: Pcg64::new(seed),
            bits: 0,
            left: 0,
        }
    }

    /// The next coin.
    pub(super) fn toss(&mut self) -> bool {
        if self.left == 0 {
            self.bits = self.generator.next_u32();
            self.left = u32::BITS;
        }
        let coin = self.bits & 1 == 1;
        self.bits >>= 1;
        self.left -= 1;
        coin
    }
}

/// Four words that a seed is spread over, as NumPy's `SeedSequence` does: the seed is mixed into a pool, each number of
/// the pool into each other one, and the pool is hashed once more on the way out.
fn seed_words(seed: u64) -> [u64; POOL] {
    let mut enter = Hash {
        constant: 0x43b0_d7e5,
        multiplier: 0x931e_8875,
    };
    let mut pool = [seed as u32, (seed >> 32) as u32, 0, 0].map(|word| enter.hash(word));
    for from in 0..POOL {
        for to in 0..POOL {
            if from != to {
                pool[to] = mix(pool[to], enter.hash(pool[from]));
            }
        }
    }
    let mut leave = Hash {
        constant: 0x8b51_f9dd,
        multiplier: 0x58f3_8ded,
    };
    let mut halves = [0; 2 * POOL];
    for (index, half) in halves.iter_mut().enumerate() {
        *half = leave.hash(pool[index % POOL]);
    }
    let (words, _) = halves.as_chunks::<2>();
    std::array::from_fn(|index| u64::from(words[index][1]) << 32 | u64::from(words[index][0]))
}

/// A multiplicative hash whose constant changes with every use.
struct Hash {
    constant: u32,
    multiplier: u32,
}

impl Hash {
    fn hash(&mut self, value: u32) -> u32 {
        let value = value ^ self.constant;
        self.constant = self.constant.wrapping_mul(self.multiplier);
        let value = value.wrapping_mul(self.constant);
        value ^ value >> 16
    }
}

fn mix(one: u32, other: u32) -> u32 {
    let mixed = one
        .wrapping_mul(0xca01_f9dd)
        .wrapping_sub(other.wrapping_mul(0x4973_f715));
    mixed ^ mixed >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `numpy.random.default_rng(12345).bit_generator.random_raw(4)`
    #[test]
    fn words_are_numpys() {
        let mut generator = Pcg64::new(12345);
        let words: [u64; 4] = std::array::from_fn(|_| generator.next_u64());
        let expected = [
            0x3a32_b18d_b2ff_c19d,
            0x5117_1315_c9e4_c4de,
            0xcc20_2482_3444_efd9,
            0xad1f_06ae_a486_e910,
        ];
        assert_eq!(words, expected);
    }

    /// `numpy.random.default_rng(seed).choice(bound, size=…)`
    #[test]
    fn bounded_numbers_are_numpys() {
        let draw = |seed: u64, bound: u32, count: usize| {
            let mut generator = Pcg64::new(seed);
            (0..count).map(|_| generator.below(bound)).collect::<Vec<_>>()
        };
        let expected = [699, 227, 788, 316, 204, 797, 642, 676, 988, 391, 839, 332];
        assert_eq!(draw(12345, 1000, 12), expected);
        // A seed of more than 32 bits, and a bound at which draws are rejected.
        assert_eq!(draw(1 << 40, 7, 12), [6, 2, 2, 4, 5, 6, 2, 1, 4, 4, 3, 3]);
        let expected = [2551872677, 1910885061, 1533409439, 809360140, 923488268, 122920571];
        assert_eq!(draw(0, 3_000_000_000, 6), expected);
        assert_eq!(draw(1, 1, 3), [0, 0, 0]);
    }

    /// `numpy.random.default_rng(12345).integers(2, size=70, dtype=bool)`
    #[test]
    fn coins_are_numpys() {
        let mut coins = Coins::new(12345);
        let tossed: String = (0..70).map(|_| if coins.toss() { '1' } else { '0' }).collect();
        assert_eq!(
            tossed,
            "1011100110000011111111110100110110110001100011010100110001011100011110"
        );
    }
}
