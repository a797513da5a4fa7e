//! Which pairs make a batch, and the order of the batches: a pure function of (seed, epoch).

use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Batch;
use super::mixture::{Mixture, Seen};
use super::random::{Permutation, mix, shuffle};
use crate::store::TokenStore;
use crate::tokenizer::{Side, Tokenizer, UNK, tagged};

/// One in so many cells of the target side may be padding for the sake of a source side with less of it. Between 10
/// and 50, the padding of both sides together hardly changes.
const BAND_PADDING: u64 = 20;

/// Pairs sorted by length together. More make less padding, up to what planning a window costs in time and memory.
const WINDOW: usize = 131_072;
/// The same with BPE-dropout, where a window's pairs are tokenised before its first batch.
const DROPOUT_WINDOW: usize = 32_768;

/// How batches are made.
#[derive(Clone)]
pub struct BatchOptions {
    /// Most target tokens of a batch, padding and end of sentence counted. The source side may have twice as many. A
    /// single pair that is longer makes a batch of its own.
    pub batch_tokens: usize,
    /// With the epoch, decides the order.
    pub seed: u64,
    /// Pairs sorted by length together.
    pub window: usize,
    /// How often pairs are seen. The one of the store that the batches are made of.
    pub mixture: Mixture,
    /// BPE-dropout: cut the words anew in every epoch.
    pub resegment: Option<Resegment>,
}

impl BatchOptions {
    /// Every pair once an epoch, without BPE-dropout.
    pub fn new(batch_tokens: usize, seed: u64) -> Self {
        Self {
            batch_tokens,
            seed,
            window: WINDOW,
            mixture: Mixture::default(),
            resegment: None,
        }
    }

    /// With BPE-dropout, and smaller windows.
    pub fn with_dropout(self, resegment: Resegment) -> Self {
        Self {
            window: DROPOUT_WINDOW,
            resegment: Some(resegment),
            ..self
        }
    }
}

/// BPE-dropout (Provilkov et al. 2020): a word is cut differently each time it is seen.
#[derive(Clone)]
pub struct Resegment {
    /// The tokenizer the store was built with.
    pub tokenizer: Arc<Tokenizer>,
    /// Probability of leaving out a merge.
    pub dropout: f32,
    /// A side that would become longer than this, its tag not counted, keeps the cut it has in the store.
    pub max_length: usize,
}

/// Where in the training data a run is: everything before has been used. The default is the beginning.
///
/// It means the same place only with the same store and the same [`BatchOptions`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Epochs that are complete.
    pub epoch: u64,
    /// Windows of this epoch that are complete.
    pub window: u64,
    /// Batches of this window that were used.
    pub batch: u64,
}

/// How many cells of the padded rectangles hold tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Padding {
    /// Batches counted.
    pub batches: u64,
    /// Their rows.
    pub rows: u64,
    /// Source tokens, end of sentence counted.
    pub source_tokens: u64,
    /// Source tokens and padding.
    pub source_cells: u64,
    /// Target tokens, end of sentence counted.
    pub target_tokens: u64,
    /// Target tokens and padding.
    pub target_cells: u64,
}

impl Padding {
    /// Share of the source side that is padding, from 0 to 1.
    pub fn source_share(&self) -> f64 {
        1.0 - self.source_tokens as f64 / self.source_cells.max(1) as f64
    }

    /// Share of the target side that is padding, from 0 to 1.
    pub fn target_share(&self) -> f64 {
        1.0 - self.target_tokens as f64 / self.target_cells.max(1) as f64
    }
}

/// The padding of a whole epoch, from the lengths alone.
pub fn measure_padding(store: &TokenStore, options: &BatchOptions, epoch: u64) -> Padding {
    let mut padding = Padding::default();
    for window in 0..windows(store, options) {
        let plan = Plan::new(store, options, epoch, window);
        for rows in &plan.batches {
            let (source, target) = rectangle(rows);
            padding.batches += 1;
            padding.rows += rows.len() as u64;
            padding.source_tokens += rows.iter().map(|row| u64::from(row.source) + 1).sum::<u64>();
            padding.source_cells += (rows.len() * source) as u64;
            padding.target_tokens += rows.iter().map(|row| u64::from(row.target) + 1).sum::<u64>();
            padding.target_cells += (rows.len() * target) as u64;
        }
    }
    padding
}

/// Rows, source length and target length of every batch of an epoch, end of sentence counted, from the lengths alone.
pub fn batch_shapes(store: &TokenStore, options: &BatchOptions, epoch: u64) -> Vec<[usize; 3]> {
    let plans = (0..windows(store, options)).map(|window| Plan::new(store, options, epoch, window));
    let shape = |rows: &Vec<Row>| {
        let (source, target) = rectangle(rows);
        [rows.len(), source, target]
    };
    plans
        .flat_map(|plan| plan.batches.iter().map(shape).collect::<Vec<_>>())
        .collect()
}

/// Windows of an epoch, by the pairs that it shows on average.
pub(super) fn windows(store: &TokenStore, options: &BatchOptions) -> u64 {
    let pairs = options.mixture.pairs_an_epoch(store.len() as u64);
    pairs.div_ceil(options.window.max(1) as u64).max(1)
}

/// The first window from `window` on in which an epoch shows a pair: small weights may leave one empty.
pub(super) fn window_with_pairs(store: &TokenStore, options: &BatchOptions, epoch: u64, window: u64) -> Option<u64> {
    (window..windows(store, options)).find(|&window| pairs_of(store, options, epoch, window).next().is_some())
}

/// The pairs of a window, in the order of the epoch's permutation.
fn pairs_of<'a>(
    store: &TokenStore,
    options: &'a BatchOptions,
    epoch: u64,
    window: u64,
) -> impl Iterator<Item = Seen> + use<'a> {
    let slots = options.mixture.slots(store.len() as u64);
    let windows = u128::from(windows(store, options));
    // Windows of equal size, so that none is a small rest with badly filled batches.
    let cut = |window: u64| (u128::from(slots) * u128::from(window) / windows) as u64;
    let permutation = Permutation::new(slots, mix(&[options.seed, epoch]));
    (cut(window)..cut(window + 1))
        .filter_map(move |position| options.mixture.seen(permutation.get(position), options.seed, epoch))
}

/// The batches of one window.
pub(super) struct Plan {
    /// The rows of every batch, in order.
    pub(super) batches: Vec<Vec<Row>>,
    /// With BPE-dropout, the ids of the window's pairs, at their slots.
    segmented: Vec<(Vec<u32>, Vec<u32>)>,
}

/// A pair in a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    index: u64,
    /// Place in the window's order before sorting.
    slot: usize,
    /// Tokens of each side, end of sentence not counted.
    source: u32,
    target: u32,
}

impl Plan {
    /// Window `window` of epoch `epoch`.
    pub(super) fn new(store: &TokenStore, options: &BatchOptions, epoch: u64, window: u64) -> Self {
        let pairs: Vec<Seen> = pairs_of(store, options, epoch, window).collect();
        let segmented = match &options.resegment {
            Some(resegment) => {
                let again = |seen: &Seen| resegment.pair(store, seen.index, seen.seed(options.seed, epoch));
                pairs.par_iter().with_min_len(16).map(again).collect()
            }
            None => Vec::new(),
        };
        let rows = pairs.iter().enumerate().map(|(slot, &Seen { index, .. })| {
            let (source, target) = match segmented.get(slot) {
                Some((source, target)) => (source.len(), target.len()),
                None => store.lengths(index as usize),
            };
            Row {
                index,
                slot,
                source: source as u32,
                target: target as u32,
            }
        });
        let mut batches = cut_batches(rows.collect(), options.batch_tokens);
        shuffle(&mut batches, mix(&[options.seed, epoch, window, 1]));
        Self { batches, segmented }
    }

    /// Fills the rectangles of batch `number`.
    pub(super) fn batch(&self, store: &TokenStore, number: usize) -> Batch {
        let rows = &self.batches[number];
        let (source_length, target_length) = rectangle(rows);
        let mut batch = Batch::with_capacity(rows.len(), source_length, target_length);
        let (mut source, mut target) = (Vec::new(), Vec::new());
        for row in rows {
            match self.segmented.get(row.slot) {
                Some((source, target)) => batch.push(row.index, source, target),
                None => {
                    source.clear();
                    target.clear();
                    store.extend_source(row.index as usize, &mut source);
                    store.extend_target(row.index as usize, &mut target);
                    batch.push(row.index, &source, &target);
                }
            }
        }
        batch
    }
}

/// Source and target length of the rectangle that holds these rows, end of sentence counted.
fn rectangle(rows: &[Row]) -> (usize, usize) {
    let longest = |length: fn(&Row) -> u32| rows.iter().map(length).max().unwrap_or(0) as usize + 1;
    (longest(|row| row.source), longest(|row| row.target))
}

/// Sorts by length and cuts as soon as the next row would break the budget.
fn cut_batches(mut rows: Vec<Row>, batch_tokens: usize) -> Vec<Vec<Row>> {
    sort_by_lengths(&mut rows);
    let mut batches = Vec::new();
    let mut batch: Vec<Row> = Vec::new();
    let (mut source, mut target) = (0, 0);
    for row in rows {
        let longer = (source.max(row.source as usize + 1), target.max(row.target as usize + 1));
        let rows = batch.len() + 1;
        let fits = rows * longer.1 <= batch_tokens && rows * longer.0 <= 2 * batch_tokens;
        if fits || batch.is_empty() {
            (source, target) = longer;
        } else {
            batches.push(std::mem::take(&mut batch));
            (source, target) = (row.source as usize + 1, row.target as usize + 1);
        }
        batch.push(row);
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
}

/// Puts rows next to each other whose targets, and whose sources, are about equally long.
///
/// Sorted by the target alone, a batch would hold every length of source that goes with it. So the rows are cut into
/// bands of similar targets, and each band is sorted by the source: falling after rising, so that the source's length
/// does not jump between bands. Equal lengths keep the order of the permutation, so every epoch mixes them anew.
fn sort_by_lengths(rows: &mut [Row]) {
    rows.sort_unstable_by_key(|row| (row.target, row.slot));
    let (mut rest, mut rising) = (rows, true);
    while !rest.is_empty() {
        let (band, others) = rest.split_at_mut(band_length(rest));
        band.sort_unstable_by_key(|row| (if rising { row.source } else { u32::MAX - row.source }, row.slot));
        (rest, rising) = (others, !rising);
    }
}

/// How many of `rows`, which are sorted by target, can be padded to the longest target among them before more than a
/// part in [`BAND_PADDING`] is padding.
fn band_length(rows: &[Row]) -> usize {
    let mut tokens = 0;
    for (before, row) in rows.iter().enumerate() {
        let length = u64::from(row.target) + 1;
        tokens += length;
        let cells = (before as u64 + 1) * length;
        if (cells - tokens) * BAND_PADDING > cells {
            return before;
        }
    }
    rows.len()
}

impl Resegment {
    fn pair(&self, store: &TokenStore, index: u64, seed: u64) -> (Vec<u32>, Vec<u32>) {
        let (source, target) = (store.source(index as usize), store.target(index as usize));
        let (tag, text) = self.tokenizer.split_tag(&source);
        let source = tagged(tag, self.cut(Side::Source, text, mix(&[seed, 0])));
        (source, self.cut(Side::Target, &target, mix(&[seed, 1])))
    }

    /// The ids of the same text in another cut.
    fn cut(&self, side: Side, ids: &[u32], seed: u64) -> Vec<u32> {
        // The text of an unknown token is lost, so the cut in the store stays.
        if ids.contains(&UNK) {
            return ids.to_vec();
        }
        let text = self.tokenizer.decode(side, ids);
        let again = self.tokenizer.encode_with_dropout(side, &text, self.dropout, seed);
        if again.is_empty() || again.len() > self.max_length {
            ids.to_vec()
        } else {
            again
        }
    }
}
