//! The models of the study notes as Burn modules, their loss and their search.
//!
//! ```text
//! config        the [model] and [decoding] sections
//! pass          what one forward pass carries: keys of its dropout, precision of its products
//! embedding     scale and positional encoding                       (Vaswani et al. 2017, sections 3.4, 3.5)
//! attention     scaled dot products, several heads                  (eq. 1, section 3.2)
//! feed_forward  the position-wise network                           (eq. 2)
//! residual      Add & Norm                                          (section 3.1)
//! cell          Elman, GRU and LSTM layers
//! source_attention  a recurrent decoder's attention                  (Bahdanau et al. 2015, Luong et al. 2015)
//! arch/         whole models: transformer, recurrent; what they attend to
//! loss          label-smoothed cross-entropy, from ember-kernels    (section 5.4)
//! cache         keys and values of a search in progress
//! search        greedy and beam search
//! weights       a model's parameters by name: initialise, read, write
//! ```
//!
//! The operations themselves stand in `ember-kernels`, each with its equations, its reference in plain Burn operations
//! and its fused form for CPUs. Here they become layers with parameters.
//!
//! Layers are written from Burn's `Linear`, `LayerNorm` and `Embedding` rather than taken from `burn-nn`'s transformer,
//! which applies dropout to the scores before the softmax and lacks the final norm that pre-norm needs.

pub mod arch;
pub mod attention;
pub mod cache;
pub mod cell;
pub mod config;
pub mod embedding;
pub mod feed_forward;
pub mod pass;
pub mod residual;
pub mod search;
pub mod source_attention;
pub mod weights;

pub use ember_kernels as kernels;
pub use ember_kernels::output_loss as loss;

/// Padding behind a sentence; never attended to, never scored. The tokenizers give these four ids to every vocabulary.
pub const PAD: u32 = loss::PAD;
/// A piece outside the vocabulary.
pub const UNK: u32 = 1;
/// What the decoder reads first.
pub const BOS: u32 = 2;
/// Ends every sentence.
pub const EOS: u32 = 3;
