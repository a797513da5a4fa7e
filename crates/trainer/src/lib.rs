//! Training: from a config file to a run folder, and from a run folder to translations and scores.
//!
//! ```text
//! config        what the user wrote, checked, with every default   (TOML -> Config)
//! duration      "8000u", "5e", "10Mt": when to stop, to validate
//! prepare       corpora -> tokenizer, token store, validation and test text
//! tensors       batches of ids -> tensors on a device
//! schedule      the learning rate, a pure function of the update
//! optimizer     Adam, AdamW, the moving average of the weights
//! learner       a model and its optimizer: batches in, better weights out
//! train/        the loop
//! validate      loss, BLEU and chrF of the validation text
//! journal/      train.log, metrics.jsonl, validations.tsv, TensorBoard
//! checkpoint/   folders that are there whole or not at all
//! weights_file  weights in safetensors files
//! run           the run folder
//! member        a checkpoint as a model, of this run or another
//! trained       a trained model out of it, or several as an ensemble
//! tag           what source lines begin with, by line
//! average       several checkpoints as one
//! split         lines that are too long for a model
//! translate     text -> ids -> search or samples -> text
//! synthetic     training pairs out of translations
//! attention     what a translation looked at
//! translations  those that a run keeps, and how they were made
//! evaluate      scores of translations
//! score_options which metrics, and with which options
//! compare       whether one system is better than another
//! report/       the facts of a run, out of its folder
//! score         log-probabilities of given pairs
//! bench         speed on batches that are made up
//! inspect/      what can be known of a training beforehand: sizes, vocabulary, memory
//! console       what a run shows while it goes on
//! error         what can go wrong, with a hint
//! ```

pub mod attention;
pub mod average;
pub mod bench;
pub mod checkpoint;
pub mod compare;
pub mod config;
pub mod console;
pub mod duration;
pub mod error;
pub mod evaluate;
pub mod inspect;
pub mod journal;
pub mod learner;
pub mod member;
pub mod optimizer;
pub mod prepare;
pub mod report;
pub mod run;
pub mod schedule;
pub mod score;
pub mod score_options;
pub mod split;
pub mod synthetic;
pub mod tag;
pub mod tensors;
pub mod train;
pub mod trained;
pub mod translate;
pub mod translations;
pub mod validate;
pub mod weights_file;

pub use error::{Result, TrainerError};
