//! How `k` is shared among tasks.

use super::Format;

/// Numbers of a sum from which on it is shared, and of which a block has about as many.
const SHARED_DEPTH: usize = 1024;
/// Numbers of a result at most whose sums are shared.
const SMALL_RESULT: usize = 1 << 18;
/// Blocks at most: of each but the first there is another result in memory.
const MOST_BLOCKS: usize = 16;
/// Blocks begin at multiples of it.
const UNIT: usize = 256;
// Behind each piece of digits stands its scale: how many words come before a piece can be told from where it begins only
// if no piece before it is short.
const _: () = assert!(UNIT.is_multiple_of(Format::AmxDigits.depth()));

/// The blocks of `k`. They do not depend on the number of threads, as results do on them.
#[derive(Debug, Clone, Copy)]
pub struct Blocks {
    depth: usize,
    /// How many there are.
    pub count: usize,
}

impl Blocks {
    /// All of `k`.
    pub fn one(depth: usize) -> Self {
        Self { depth, count: 1 }
    }

    /// Those of a product with so many numbers in its result, and in a sum. Their number is a power of two, which most
    /// numbers of threads fit to.
    pub fn of(result: usize, depth: usize) -> Self {
        let count = match (depth / SHARED_DEPTH).checked_ilog2() {
            Some(power) if result <= SMALL_RESULT => (1 << power).clamp(2, MOST_BLOCKS),
            _ => 1,
        };
        Self { depth, count }
    }

    /// Where a block begins, and where it ends.
    pub fn range(self, block: usize) -> [usize; 2] {
        [block, block + 1].map(|block| match block == self.count {
            true => self.depth,
            false => (block * self.depth / self.count + UNIT / 2) / UNIT * UNIT,
        })
    }

    /// All ranges.
    pub fn ranges(self) -> impl Iterator<Item = [usize; 2]> {
        (0..self.count).map(move |block| self.range(block))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_share_all_of_k() {
        for (depth, count) in [
            (1, 1),
            (1023, 1),
            (1024, 2),
            (1025, 2),
            (2047, 2),
            (4095, 2),
            (4096, 4),
            (4100, 4),
            (9000, 8),
            (100_000, 16),
        ] {
            let blocks = Blocks::of(SMALL_RESULT, depth);
            assert_eq!(blocks.count, count, "{depth}");
            let mut end = 0;
            for [first, last] in blocks.ranges() {
                assert!(first == end && first.is_multiple_of(UNIT) && first < last);
                assert!(
                    (last - first).abs_diff(depth / count) <= UNIT,
                    "{depth}: {first} to {last}"
                );
                end = last;
            }
            assert_eq!(end, depth);
            assert_eq!(Blocks::of(SMALL_RESULT + 1, depth).count, 1);
        }
    }
}
