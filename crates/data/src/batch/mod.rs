//! Batches: pairs of about the same length, padded to rectangles of ids.
//!
//! ```text
//! batch    the rectangles, and how much of them is padding
//! order    which pairs an epoch puts together, and in which order: a pure function of (seed, epoch)
//! mixture  how often an epoch shows the pairs of each corpus
//! random   permutations and draws that follow from a key
//! stream   the batches from a position on, prepared on other threads
//! ```
//!
//! An epoch is a pseudo-random permutation of the pairs (by weight, of the times that each is seen), cut into windows of
//! some hundred thousand. The pairs of a window are sorted by length, cut into batches that fit the token budget, and the
//! batches are shuffled. Only one window is in memory at a time, and any of them can be computed without those before
//! it, so resuming costs nothing.

mod mixture;
mod order;
mod random;
mod stream;

pub use mixture::Mixture;
pub use order::{BatchOptions, Padding, Position, Resegment, batch_shapes, measure_padding};
pub use stream::BatchStream;

use crate::tokenizer::{BOS, EOS, PAD};

/// Pairs padded with [`PAD`] to common lengths; all arrays are row after row. B rows, S source and T target length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Number of pairs, B.
    pub rows: usize,
    /// Length of every source row, S.
    pub source_length: usize,
    /// Length of every target row, T.
    pub target_length: usize,
    /// `[B, S]`: the source and [`EOS`].
    pub source: Vec<u32>,
    /// `[B, T]`: [`BOS`] and the target, what the decoder reads.
    pub target_input: Vec<u32>,
    /// `[B, T]`: the target and [`EOS`], what the decoder shall say.
    pub target_output: Vec<u32>,
    /// Source tokens that are no padding, [`EOS`] counted.
    pub source_tokens: usize,
    /// Target tokens that are no padding, [`EOS`] counted.
    pub target_tokens: usize,
    /// Which pair of the store each row is.
    pub indices: Vec<u64>,
}

impl Batch {
    /// A batch of given pairs of ids, without begin and end of sentence, numbered from 0.
    pub fn from_pairs(pairs: &[(Vec<u32>, Vec<u32>)]) -> Self {
        let longest = |length: fn(&(Vec<u32>, Vec<u32>)) -> usize| pairs.iter().map(length).max().unwrap_or(0) + 1;
        let mut batch = Self::with_capacity(pairs.len(), longest(|pair| pair.0.len()), longest(|pair| pair.1.len()));
        for (index, (source, target)) in pairs.iter().enumerate() {
            batch.push(index as u64, source, target);
        }
        batch
    }

    fn with_capacity(rows: usize, source_length: usize, target_length: usize) -> Self {
        Self {
            rows: 0,
            source_length,
            target_length,
            source: Vec::with_capacity(rows * source_length),
            target_input: Vec::with_capacity(rows * target_length),
            target_output: Vec::with_capacity(rows * target_length),
            source_tokens: 0,
            target_tokens: 0,
            indices: Vec::with_capacity(rows),
        }
    }

    fn push(&mut self, index: u64, source: &[u32], target: &[u32]) {
        assert!(
            source.len() < self.source_length && target.len() < self.target_length,
            "a row longer than its batch"
        );
        self.rows += 1;
        self.indices.push(index);
        self.source_tokens += source.len() + 1;
        self.target_tokens += target.len() + 1;

        self.source.extend_from_slice(source);
        self.source.push(EOS);
        self.source.resize(self.rows * self.source_length, PAD);

        self.target_input.push(BOS);
        self.target_input.extend_from_slice(target);
        self.target_input.resize(self.rows * self.target_length, PAD);

        self.target_output.extend_from_slice(target);
        self.target_output.push(EOS);
        self.target_output.resize(self.rows * self.target_length, PAD);
    }
}

impl Padding {
    /// Adds a batch to the count.
    pub fn add(&mut self, batch: &Batch) {
        self.batches += 1;
        self.rows += batch.rows as u64;
        self.source_tokens += batch.source_tokens as u64;
        self.source_cells += batch.source.len() as u64;
        self.target_tokens += batch.target_tokens as u64;
        self.target_cells += batch.target_output.len() as u64;
    }
}

#[cfg(test)]
mod tests;
