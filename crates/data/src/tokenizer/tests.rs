//! What every kind of tokenizer promises, tried on small corpora.
//!
//! ```text
//! samples    corpora and settings that the tests share
//! text       text to ids and back
//! learnt     what is learnt from a corpus
//! saved      tokenizers in files
//! settings   what is refused
//! tags       tokens that no text becomes
//! ```

mod learnt;
mod samples;
mod saved;
mod settings;
mod tags;
mod text;

use super::*;
use crate::NoProgress;
use samples::*;
