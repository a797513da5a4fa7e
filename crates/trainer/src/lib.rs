//! Training: from a config file to a run folder.
//!
//! ```text
//! config      what the user wrote, checked, with every default   (TOML -> Config)
//! duration    "8000u", "5e", "10Mt": when to stop, to validate
//! schedule    the learning rate, a pure function of the update
//! journal     train.log, metrics.jsonl, validations.tsv, TensorBoard
//! checkpoint  folders that are there whole or not at all
//! ```

pub mod checkpoint;
pub mod config;
pub mod duration;
pub mod journal;
pub mod schedule;
