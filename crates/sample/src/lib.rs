//! The grammar that makes the sample corpus in `data/sample`: English sentences and their Korean translations.
//!
//! ```text
//! hangul.rs     syllables, taken apart and put together
//! particle.rs   particles, which depend on the final consonant
//! korean.rs     conjugation of verbs and adjectives
//! english.rs    articles, plurals and verb forms
//! lexicon.rs    the words, and what goes with what
//! phrase.rs     noun phrases and relative clauses, in both languages
//! clause.rs     clauses and their Korean
//! predicate.rs  the verb of a clause in both languages, and English clauses
//! grammar.rs    draws sentences at random
//! corpus.rs     divides the sentences into train, valid and test
//! random.rs     the seeded random numbers
//! files.rs      corpus files, written whole or not at all
//! sequences.rs  another task: symbols to copy or to reverse
//! ```
//!
//! The grammar is synchronous: one structure is drawn, and both sentences are read off it. The Korean sentence is a
//! function of the English one: all that Korean marks and English doesn't, such as politeness, follows from something
//! in the English sentence, such as the person addressed.

pub mod clause;
pub mod corpus;
pub mod english;
pub mod files;
pub mod grammar;
pub mod hangul;
pub mod korean;
pub mod lexicon;
pub mod particle;
pub mod phrase;
mod predicate;
pub mod random;
pub mod sequences;

pub use corpus::{Corpus, generate};
pub use grammar::{Combination, Grammar, Pair};
