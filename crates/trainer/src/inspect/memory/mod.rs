//! A forecast of the memory that training on a CPU takes at most.
//!
//! What lives at the same time is counted, number by number, from what the kernels keep:
//!
//! ```text
//! always      weights, Adam's two means, the moving average, gradients that are being added up
//! update      what each operation keeps for its backward step (transformer, recurrent), and at the end of the forward pass
//!             the gradients that the loss found and its logits; or the gradients of all weights, at the end of the backward pass
//! checkpoint  weights and means on their way into files (train/save.rs)
//! search      keys and values of the validation text's translations (search)
//! ```
//!
//! To the greatest of the three comes what no tensor accounts for (`PROCESS` and what follows it), which was measured.

mod recurrent;
mod search;
mod transformer;

use ember_model::arch::Vocabularies;
use ember_model::config::{Architecture, ModelConfig, Tie};
use ember_model::kernels;
use serde::Serialize;

use crate::config::Config;
pub use search::Texts;

/// A count of fp32 numbers: configs may ask for more than any memory holds.
type Numbers = u128;

/// Bytes of a number.
const NUMBER: f64 = 4.0;

const MIB: f64 = 1048576.0;

/// What a process has that no tensor accounts for, in MiB: the program, and pages of the allocator that are partly filled.
/// Measured, as are the three below: docs/BENCHMARKS.md, "Memory forecast".
const PROCESS: f64 = 90.0;

/// The same for each thread that computes.
const THREAD: f64 = 5.0;

/// The same for a training, whose batches have many shapes, so that tensors leave holes that fit no others; and for its
/// tokenizer and texts.
const TRAINING: f64 = 40.0;

/// What the allocator holds between tensors, of the tensors' size: it gives nothing back to the system.
const BETWEEN: f64 = 0.12;

/// The size of a batch, padding and `</s>` counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BatchShape {
    /// Pairs.
    pub rows: usize,
    /// Tokens of each source row.
    pub source_length: usize,
    /// Tokens of each target row.
    pub target_length: usize,
}

impl From<[usize; 3]> for BatchShape {
    fn from([rows, source_length, target_length]: [usize; 3]) -> Self {
        Self {
            rows,
            source_length,
            target_length,
        }
    }
}

impl BatchShape {
    /// Tokens of the source side.
    fn source(&self) -> Numbers {
        self.rows as Numbers * self.source_length as Numbers
    }

    /// Tokens of the target side.
    fn target(&self) -> Numbers {
        self.rows as Numbers * self.target_length as Numbers
    }
}

/// Where a forecast's batch comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BatchSource {
    /// It is the batch of the corpus's first epoch that takes most.
    Corpus,
    /// Its sentences have the length that was asked for.
    Length,
    /// There is no corpus: all its sentences are as long as `data.max_length` allows.
    Longest,
}

/// Memory by what it is for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// The batch that takes most.
    pub batch: BatchShape,
    /// Where it comes from.
    pub batch_source: BatchSource,
    /// How many times each of its pairs goes through the model at once: 2 with R-Drop.
    pub passes: usize,
    /// What is there at the moment of an update at which most is.
    pub parts: Vec<Part>,
    /// The process while it trains.
    pub update_mib: f64,
    /// The process while it writes a checkpoint.
    pub checkpoint_mib: f64,
    /// The process while it translates the validation text.
    pub search_mib: f64,
    /// The most of all: the resident set that training reaches.
    pub peak_mib: f64,
}

/// Memory with one purpose.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// What for.
    pub name: &'static str,
    /// How much.
    pub mib: f64,
}

/// What an architecture's operations keep of a batch, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Kept {
    /// For the backward pass, by kind of operation.
    activations: Vec<(&'static str, Numbers)>,
    /// The most that the first steps of the backward pass take beside.
    work: Numbers,
}

/// An update of a training.
pub struct Update {
    model: ModelConfig,
    vocabularies: Vocabularies,
    tie: Tie,
    parameters: Numbers,
    has_average: bool,
    accumulates: bool,
    micro_batch_tokens: usize,
    passes: usize,
    is_bf16: bool,
}

impl Update {
    /// Of a model with so many parameters.
    pub fn new(config: &Config, vocabularies: Vocabularies, parameters: usize) -> Self {
        let precision = kernels::Precision::from(config.training.precision).available();
        Self {
            // It was resolved with these vocabularies before.
            tie: config.model.resolved_tie(vocabularies.shared).unwrap_or(Tie::None),
            model: config.model.clone(),
            vocabularies,
            parameters: parameters as Numbers,
            has_average: config.training.ema > 0.0,
            accumulates: config.training.accumulate > 1,
            micro_batch_tokens: config.training.micro_batch_tokens(),
            passes: config.training.passes(),
            is_bf16: precision == kernels::Precision::Bf16,
        }
    }

    /// A full micro-batch of sentences of one length on both sides, as `ember bench` makes it.
    pub fn batch_of(&self, length: usize) -> BatchShape {
        BatchShape {
            rows: (self.micro_batch_tokens / length).max(1),
            source_length: length,
            target_length: length,
        }
    }

    /// Numbers that live at the same time at most.
    pub fn peak(&self, batch: BatchShape) -> u128 {
        self.parts(batch).iter().map(|(_, numbers)| numbers).sum()
    }

    /// The whole forecast.
    pub fn forecast(&self, batch: BatchShape, batch_source: BatchSource, texts: &Texts) -> Forecast {
        let parts = self.parts(batch);
        let mib = |numbers: Numbers| numbers as f64 * NUMBER / MIB;
        let mut fixed = PROCESS + THREAD * rayon::current_num_threads() as f64;
        if batch_source != BatchSource::Length {
            fixed += TRAINING;
        }
        let process = |numbers: Numbers| fixed + (1.0 + BETWEEN) * mib(numbers);
        let update_mib = process(self.peak(batch));
        let checkpoint_mib = process(self.checkpoint());
        let search_mib = process(self.search(texts));
        let mut parts: Vec<Part> = parts
            .into_iter()
            .map(|(name, numbers)| Part {
                name,
                mib: mib(numbers),
            })
            .collect();
        parts.push(Part {
            name: "process and allocator",
            mib: update_mib - mib(self.peak(batch)),
        });
        Forecast {
            batch,
            batch_source,
            passes: self.passes,
            parts,
            update_mib,
            checkpoint_mib,
            search_mib,
            peak_mib: update_mib.max(checkpoint_mib).max(search_mib),
        }
    }

    /// What lives at the end of the forward pass, or of the backward pass where that is more.
    fn parts(&self, batch: BatchShape) -> Vec<(&'static str, Numbers)> {
        let batch = BatchShape {
            rows: batch.rows.saturating_mul(self.passes),
            ..batch
        };
        let Kept { activations, work } = match self.model.arch {
            Architecture::Transformer => transformer::kept(&self.model, batch),
            Architecture::Rnn | Architecture::RnnAttention => recurrent::kept(&self.model, batch),
        };
        let vocabulary = self.vocabularies.target as Numbers;
        let table = vocabulary * self.output_width();
        let forward = {
            let gradients = batch.target() * self.output_width() + table;
            let logits = batch.target().min(kernels::output_loss::ROWS as Numbers) * vocabulary;
            // The output projection in the order in which products read it, as it is and turned.
            let panels = if self.is_bf16 { table } else { 2 * table };
            let mut parts = activations;
            parts.push(("gradients found by the loss", gradients));
            parts.push(("logits and other work", (logits + panels).max(work)));
            parts
        };
        let backward = {
            // A tied table's gradients are found apart and then added.
            let again = match self.tie {
                Tie::All => 2,
                Tie::Target => 1,
                Tie::None => 0,
            };
            vec![
                ("gradients", self.parameters),
                ("gradients of tied tables", again * table),
            ]
        };
        let sum = |parts: &[(&str, Numbers)]| parts.iter().map(|(_, numbers)| numbers).sum::<Numbers>();
        let more = if sum(&forward) >= sum(&backward) {
            forward
        } else {
            backward
        };
        let mut parts = self.resident();
        if self.accumulates {
            parts.push(("gradients of the micro-batches before", self.parameters));
        }
        parts.extend(more);
        parts
    }

    /// What is there all the time.
    fn resident(&self) -> Vec<(&'static str, Numbers)> {
        let mut parts = vec![("weights", self.parameters), ("Adam's means", 2 * self.parameters)];
        if self.has_average {
            parts.push(("moving average", self.parameters));
        }
        parts
    }

    /// Numbers that live while a checkpoint is written: copies of the weights in use, of the means and, where these are
    /// others, of the trained weights; the model's file; the optimizer's, twice while its tensors are put together.
    fn checkpoint(&self) -> Numbers {
        let resident: Numbers = self.resident().iter().map(|(_, numbers)| numbers).sum();
        let of_optimizer = if self.has_average { 3 } else { 2 };
        resident + (1 + of_optimizer + 1 + 2 * of_optimizer) * self.parameters
    }

    /// Numbers that live while the validation text is translated, by the averaged weights where there are some.
    fn search(&self, texts: &Texts) -> Numbers {
        let resident: Numbers = self.resident().iter().map(|(_, numbers)| numbers).sum();
        let averaged = if self.has_average { self.parameters } else { 0 };
        resident + averaged + texts.most(&self.model, self.vocabularies.target)
    }

    /// R, what the output projection reads.
    fn output_width(&self) -> Numbers {
        let width = match self.tie {
            Tie::None => self.model.d_model,
            Tie::Target | Tie::All => self.model.embedding_width(),
        };
        width as Numbers
    }
}

#[cfg(test)]
mod tests;
