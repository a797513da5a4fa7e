//! Words that were segmented before, shared by all threads.

use std::hash::{Hash, Hasher};
use std::sync::{PoisonError, RwLock};

use super::hash::{FastHasher, Map};

/// Threads that look up different words seldom meet in one shard.
const SHARDS: usize = 64;
/// Words a shard may hold before it starts anew: 131,072 words in all, some ten megabytes.
const SHARD_CAPACITY: usize = 2048;
/// Longer words are rare, and would let a few lines fill the memory.
const LONGEST_WORD: usize = 64;

type Shard = Map<Box<str>, Box<[u32]>>;

/// A bounded map from a word to its ids.
pub(super) struct WordCache {
    shards: Vec<RwLock<Shard>>,
}

impl WordCache {
    pub(super) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
        }
    }

    /// Appends the ids of `word` to `ids`, by `segment` where they are not known yet.
    pub(super) fn extend(&self, ids: &mut Vec<u32>, word: &str, segment: impl FnOnce(&mut Vec<u32>)) {
        if word.len() > LONGEST_WORD {
            return segment(ids);
        }
        let mut hasher = FastHasher::default();
        word.hash(&mut hasher);
        // The map inside takes the hash's low bits, so the shard takes high ones.
        let shard = &self.shards[(hasher.finish() >> 40) as usize % SHARDS];
        // A poisoned lock means that another thread panicked; the map only ever holds whole entries.
        if let Some(known) = shard.read().unwrap_or_else(PoisonError::into_inner).get(word) {
            return ids.extend_from_slice(known);
        }
        let start = ids.len();
        segment(ids);
        let mut map = shard.write().unwrap_or_else(PoisonError::into_inner);
        if map.len() >= SHARD_CAPACITY {
            map.clear();
        }
        map.insert(word.into(), ids[start..].into());
    }
}
