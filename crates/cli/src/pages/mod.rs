//! What translations and runs have to say, as pages and pictures: the names and sentences around the numbers.
//!
//! ```text
//! attention  maps of translations
//! run        the report of a run, section by section
//! training   its sections about training: curves, validations, time, data
//! scores     its sections about translations: test scores, samples
//! ```

mod attention;
mod run;
mod scores;
mod training;

pub use attention::{of_translations, pictures_of};
pub use run::of_run;
