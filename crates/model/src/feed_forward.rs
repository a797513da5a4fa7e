//! The position-wise feed-forward network (Vaswani et al. 2017, eq. 2).

use burn::nn::Linear;
use burn::prelude::*;
use burn::tensor::activation::{gelu, relu, silu};

use crate::attention::zero_linear;
use crate::config::{Activation, ModelConfig};
use crate::dropout::{DropoutStream, dropout};
use crate::linear::linear;

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
    /// The layer that a config asks for; its values are set by name later, see [`crate::weights`].
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        let into = || zero_linear(config.d_model, config.d_ff, device);
        Self {
            inner: into(),
            gate: (config.activation == Activation::Swiglu).then(into),
            outer: zero_linear(config.d_ff, config.d_model, device),
            activation: config.activation,
            dropout: config.dropout_rates().feed_forward,
        }
    }

    /// # Shapes
    /// - `x` and result: `[B, L, D]`
    pub fn forward(&self, x: Tensor<3>, stream: &mut DropoutStream) -> Tensor<3> {
        let gate = self.gate.as_ref().map(|gate| linear(gate, x.clone()));
        let inner = activate(self.activation, linear(&self.inner, x), gate); // [B, L, d_ff]
        linear(&self.outer, dropout(inner, self.dropout, stream))
    }
}

/// The activation; `gate` is what SwiGLU multiplies by.
fn activate(activation: Activation, x: Tensor<3>, gate: Option<Tensor<3>>) -> Tensor<3> {
    match (activation, gate) {
        (Activation::Swiglu, Some(gate)) => silu(gate) * x,
        (Activation::Gelu, _) => gelu(x),
        _ => relu(x),
    }
}
