//! Residual connection and layer normalisation around a sub-layer: "Add & Norm" (Vaswani et al. 2017, section 3.1).

use burn::nn::{LayerNorm, LayerNormConfig};
use burn::prelude::*;

use crate::config::{ModelConfig, NormPosition};
use crate::dropout::{DropoutStream, dropout};

/// Where the norm stands and how much of a sub-layer's output is dropped; the same for all sub-layers of a model.
#[derive(Module, Debug)]
pub struct Residual {
    #[module(skip)]
    position: NormPosition,
    dropout: f64,
}

impl Residual {
    /// The rule that a config asks for.
    pub fn new(config: &ModelConfig) -> Self {
        Self {
            position: config.norm,
            dropout: config.dropout_rates().residual,
        }
    }

    /// `norm(x + dropout(sublayer(x)))`, or with pre-norm `x + dropout(sublayer(norm(x)))`.
    ///
    /// # Shapes
    /// - `x` and result: `[B, L, D]`
    pub fn around(
        &self,
        norm: &LayerNorm,
        x: Tensor<3>,
        stream: &mut DropoutStream,
        sublayer: impl FnOnce(Tensor<3>, &mut DropoutStream) -> Tensor<3>,
    ) -> Tensor<3> {
        match self.position {
            NormPosition::Post => {
                let y = sublayer(x.clone(), stream);
                add_and_norm(norm, x, y, self.dropout, stream)
            }
            NormPosition::Pre => {
                let y = sublayer(norm.forward(x.clone()), stream);
                x + dropout(y, self.dropout, stream)
            }
        }
    }
}

/// `norm(x + dropout(y))`.
///
/// # Shapes
/// - `x`, `y` and result: `[B, L, D]`
pub fn add_and_norm(norm: &LayerNorm, x: Tensor<3>, y: Tensor<3>, rate: f64, stream: &mut DropoutStream) -> Tensor<3> {
    norm.forward(x + dropout(y, rate, stream))
}

/// Layer normalisation over the model's width, epsilon 1e-5.
pub(crate) fn layer_norm(config: &ModelConfig, device: &Device) -> LayerNorm {
    LayerNormConfig::new(config.d_model).init(device)
}
