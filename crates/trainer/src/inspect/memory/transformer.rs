//! What the operations of a Transformer keep of a batch until their backward step, layer by layer.
//!
//! Tensors that two operations share count once, where they are made:
//!
//! ```text
//! embedding       its output                                      D a token
//! attention       queries, keys, values, the output               4 D a token; of the source, 2 D and 2 D a token of it
//!                 weights before dropout, [B, H, T, S]            H S a query
//! feed-forward    the activation's output                         d_ff a token
//!                 with GELU and SwiGLU its input as well          2 d_ff, 3 d_ff in all
//! add and norm    normalised rows, their scale, the output        2 D + 1 a token
//! ```
//!
//! The residual sum of pre-norm is changed in its place and kept by none. Outputs of linear maps are kept by what reads
//! them: attention, the activation, or nothing in front of a norm. Weights of maps that are one product, such as those of
//! queries, keys and values, are kept a second time, side by side; no batch changes that, and it is not counted.

use ember_model::config::{Activation, ModelConfig, NormPosition};

use super::{BatchShape, Kept, Numbers};

/// Of a forward pass, in numbers.
pub fn kept(config: &ModelConfig, batch: BatchShape) -> Kept {
    let (source, target) = (batch.source(), batch.target());
    let [encoder, decoder, width, heads, d_ff] = [
        config.encoder_layers,
        config.decoder_layers,
        config.d_model,
        config.n_heads,
        config.d_ff,
    ]
    .map(|size| size as Numbers);
    let weights = |queries, keys: usize| heads * queries * keys as Numbers;

    let own = |tokens| 4 * width * tokens;
    let cross = 2 * width * (target + source);
    let projections = encoder * own(source) + decoder * (own(target) + cross);
    let attention_weights = encoder * weights(source, batch.source_length)
        + decoder * (weights(target, batch.target_length) + weights(target, batch.source_length));

    let inner = d_ff * times_kept(config.activation);
    let feed_forward = inner * (encoder * source + decoder * target);

    let norm = 2 * width + 1;
    let last = Numbers::from(config.norm == NormPosition::Pre);
    let norms = norm * ((2 * encoder + last) * source + (3 * decoder + last) * target);
    Kept {
        activations: vec![
            ("embeddings", width * (source + target)),
            ("attention", projections),
            ("attention weights", attention_weights),
            ("feed-forward", feed_forward),
            ("residuals and norms", norms),
        ],
        // In the last layer: gradients of a norm's two inputs, of the inner map and what that is multiplied from.
        work: (3 * width + inner) * target,
    }
}

/// In units of `d_ff`.
fn times_kept(activation: Activation) -> Numbers {
    match activation {
        Activation::Relu => 1,
        Activation::Gelu => 2,
        Activation::Swiglu => 3,
    }
}
