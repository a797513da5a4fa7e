//! The models of the study notes as Burn modules, their loss and their search.
//!
//! ```text
//! config        the [model] and [decoding] sections
//! linear        y = x W + b on flattened rows
//! dropout       a counter hash: what is dropped is a pure function of (seed, update, place)
//! embedding     scale and positional encoding                       (Vaswani et al. 2017, sections 3.4, 3.5)
//! attention     scaled dot products, several heads                  (eq. 1, section 3.2)
//! feed_forward  the position-wise network                           (eq. 2)
//! residual      Add & Norm                                          (section 3.1)
//! arch/         whole models: transformer
//! loss          label-smoothed cross-entropy                        (section 5.4)
//! cache         keys and values of a search in progress
//! search        greedy and beam search
//! weights       a model's parameters by name: initialise, read, write
//! ```
//!
//! Every operation that a faster kernel can replace stands behind one function: [`linear::linear`],
//! [`dropout::dropout`], [`attention::attention`], [`residual::add_and_norm`], [`loss::output_loss`]. What is
//! here is the reference: plain Burn operations that run on every backend.
//!
//! Layers are written from Burn's `Linear`, `LayerNorm` and `Embedding` rather than taken from `burn-nn`'s transformer,
//! which applies dropout to the scores before the softmax and lacks the final norm that pre-norm needs.

pub mod arch;
pub mod attention;
pub mod cache;
pub mod config;
pub mod dropout;
pub mod embedding;
pub mod feed_forward;
pub mod linear;
pub mod loss;
pub mod residual;
pub mod search;
pub mod weights;

/// Padding behind a sentence; never attended to, never scored. The tokenizers give these four ids to every vocabulary.
pub const PAD: u32 = 0;
/// A piece outside the vocabulary.
pub const UNK: u32 = 1;
/// What the decoder reads first.
pub const BOS: u32 = 2;
/// Ends every sentence.
pub const EOS: u32 = 3;
