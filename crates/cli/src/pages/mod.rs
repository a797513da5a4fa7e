//! What translations and runs have to say, as pages: the names and sentences around the numbers.

mod attention;

pub use attention::of_translations;
