//! Attention of a recurrent decoder over the encoder's outputs.
//!
//! ```text
//! scores    e_ts = v · tanh(W_q q_t + W_k k_s)        additive: Bahdanau et al. (2015), appendix A.1.2
//!           e_ts = q_t · k_s                          dot:      Luong et al. (2015), section 3.1
//!           e_ts = q_t · W k_s                        general:  the same
//! weights   a_t = softmax over s of e_ts
//! context   c_t = Σ_s a_ts k_s
//! output    tanh(W [c_t; q_t] + b)                    Luong et al. (2015), eq. 5
//! ```
//!
//! B batch, T queries (decoder states), S keys (encoder outputs), D model width.

use burn::nn::{Initializer, Linear, LinearConfig};
use burn::prelude::*;
use ember_kernels::Dropout;
use ember_kernels::activation::{Activation, activate};
use ember_kernels::linear::linear;
use ember_kernels::source_attention::{Scores, source_attention, weights};

use crate::attention::Mask;
use crate::cache::index_tensor;
use crate::config::{ModelConfig, Score};
use crate::pass::Pass;

/// The maps of one attention.
#[derive(Module, Debug)]
pub struct SourceAttention {
    /// W_q, for the additive score: `[D, D]`.
    pub query: Option<Linear>,
    /// W_k for the additive score, W for the general one: `[D, D]`.
    pub key: Option<Linear>,
    /// v, for the additive score: `[D, 1]`.
    pub energy: Option<Linear>,
    /// W and b of the output: `[2 D, D]`.
    pub output: Linear,
}

/// What is attended to, prepared once a sentence.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The encoder's outputs: `[B, S, D]`.
    outputs: Tensor<3>,
    /// The same as the score reads them.
    mapped: Tensor<3>,
}

impl Keys {
    /// Those of some sentences.
    pub fn select(&self, sentences: &[usize]) -> Self {
        let sentences = index_tensor(sentences, &self.outputs.device());
        let select = |tensor: &Tensor<3>| tensor.clone().select(0, sentences.clone());
        Self {
            outputs: select(&self.outputs),
            mapped: select(&self.mapped),
        }
    }
}

impl SourceAttention {
    /// With all values zero.
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        let score = config.score.unwrap_or_default();
        let width = config.d_model;
        let map = |from, to| LinearConfig::new(from, to).with_initializer(Initializer::Zeros);
        let plain = |to| map(width, to).with_bias(false).init(device);
        Self {
            query: (score == Score::Additive).then(|| plain(width)),
            key: (score != Score::Dot).then(|| plain(width)),
            energy: (score == Score::Additive).then(|| plain(1)),
            output: map(2 * width, width).init(device),
        }
    }

    /// Prepares the encoder's outputs: `[B, S, D]`.
    pub fn keys(&self, outputs: Tensor<3>, pass: &Pass) -> Keys {
        Keys {
            mapped: mapped(&self.key, outputs.clone(), pass),
            outputs,
        }
    }

    /// What each query makes of the source.
    ///
    /// # Shapes
    /// - `query`: `[B, T, D]`; `mask`: padding of the source
    /// - result: `[B, T, D]`
    pub fn forward(&self, query: Tensor<3>, keys: &Keys, mask: &Mask, pass: &Pass) -> Tensor<3> {
        let scores = self.scores(query.clone(), keys, pass);
        let context = source_attention(scores, keys.outputs.clone(), mask);
        let read = linear(&[&self.output], Tensor::cat(vec![context, query], 2), pass.precision());
        activate(Activation::Tanh, read, Dropout::OFF)
    }

    /// What each query takes from each output: `[B, T, S]`, whose rows add up to 1.
    pub fn weights(&self, query: Tensor<3>, keys: &Keys, mask: &Mask, pass: &Pass) -> Tensor<3> {
        weights(self.scores(query, keys, pass), mask)
    }

    fn scores(&self, query: Tensor<3>, keys: &Keys, pass: &Pass) -> Scores {
        let query = mapped(&self.query, query, pass);
        let keys = keys.mapped.clone();
        match &self.energy {
            Some(energy) => Scores::Additive {
                query,
                keys,
                energy: energy.weight.val(),
            },
            None => Scores::Dot { query, keys },
        }
    }
}

/// A map of all rows, or none.
fn mapped(map: &Option<Linear>, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
    match map {
        Some(map) => linear(&[map], x, pass.precision()),
        None => x,
    }
}
