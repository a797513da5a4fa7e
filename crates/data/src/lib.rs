//! Parallel corpora, from text files to batches of token ids. Plain Rust: nothing here knows Burn.
//!
//! ```text
//! corpus      aligned lines, damage found and reported     (files -> pairs of strings)
//! tokenizer   sub-words, words, characters, SentencePiece  (string -> ids -> string)
//! store       a memory-mapped file of tokenised pairs      (pairs -> ids on disk)
//! batch       token budget, length buckets, epoch order    (ids -> padded batches)
//! whole       files that are there whole or not at all
//! ```

pub mod batch;
pub mod config;
pub mod corpus;
pub mod error;
pub mod progress;
pub mod store;
pub mod tokenizer;
pub mod whole;

pub use config::{DataConfig, TokenizerConfig, TokenizerKind};
pub use error::{DataError, Result};
pub use progress::{NoProgress, Progress};
