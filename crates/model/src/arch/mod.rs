//! Whole models, one a file.

pub mod transformer;

pub use transformer::{Source, Transformer, Vocabularies, ids_tensor};
