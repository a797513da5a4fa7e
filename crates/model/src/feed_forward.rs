//! The position-wise feed-forward network (Vaswani et al. 2017, eq. 2).

use burn::nn::Linear;
use burn::prelude::*;
use ember_kernels::activation;
use ember_kernels::feed_forward::{FeedForwardRule, feed_forward};

use crate::attention::zero_linear;
use crate::config::{Activation, ModelConfig};
use crate::pass::Pass;

/// `FFN(x) = dropout(activation(x W_1 + b_1)) W_2 + b_2`.
#[derive(Module, Debug)]
pub struct FeedForward {
    /// W_1, `[D, d_ff]`.
    pub inner: Linear,
    /// The gate of SwiGLU, `[D, d_ff]`.
    pub gate: Option<Linear>,
    /// W_2, `[d_ff, D]`.
    pub outer: Linear,
    #[module(skip)]
    activation: Activation,
    dropout: f64,
}

impl FeedForward {
    /// The layer that a config asks for, with a dropout rate of its own; its values are set by name later, see
    /// [`crate::weights`].
    pub fn new(config: &ModelConfig, dropout: f64, device: &Device) -> Self {
        let into = || zero_linear(config.d_model, config.d_ff, device);
        Self {
            inner: into(),
            gate: (config.activation == Activation::Swiglu).then(into),
            outer: zero_linear(config.d_ff, config.d_model, device),
            activation: config.activation,
            dropout,
        }
    }

    /// # Shapes
    /// - `x` and result: `[B, L, D]`
    pub fn forward(&self, x: Tensor<3>, pass: &mut Pass) -> Tensor<3> {
        let maps: Vec<&Linear> = [Some(&self.inner), self.gate.as_ref()].into_iter().flatten().collect();
        let activation = match self.activation {
            Activation::Relu => activation::Activation::Relu,
            Activation::Gelu => activation::Activation::Gelu,
            Activation::Swiglu => activation::Activation::Swiglu,
        };
        let rule = FeedForwardRule {
            activation,
            dropout: pass.dropout(self.dropout),
            precision: pass.precision(),
        };
        feed_forward(&maps, &self.outer, x, rule)
    }
}
