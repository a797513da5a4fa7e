//! Residual connection and layer normalisation around a sub-layer: "Add & Norm" (Vaswani et al. 2017, section 3.1).

use burn::nn::{LayerNorm, LayerNormConfig};
use burn::prelude::*;
use ember_kernels::residual_norm::{EPSILON, add_and_norm, norm_and_skip};

use crate::config::{ModelConfig, NormPosition};
use crate::pass::Pass;

/// Where the norm stands and how much of a sub-layer's output is dropped; the same for all sub-layers of a layer.
#[derive(Module, Debug)]
pub struct Residual {
    #[module(skip)]
    position: NormPosition,
    dropout: f64,
}

impl Residual {
    /// The rule that a config asks for, with a layer's dropout rate.
    pub fn new(config: &ModelConfig, dropout: f64) -> Self {
        Self {
            position: config.norm,
            dropout,
        }
    }

    /// `norm(x + dropout(sublayer(x)))`, or with pre-norm `x + dropout(sublayer(norm(x)))`.
    ///
    /// # Shapes
    /// - `x` and result: `[B, L, D]`
    pub fn around(
        &self,
        layer: &LayerNorm,
        x: Tensor<3>,
        pass: &mut Pass,
        sublayer: impl FnOnce(Tensor<3>, &mut Pass) -> Tensor<3>,
    ) -> Tensor<3> {
        match self.position {
            NormPosition::Post => {
                let y = sublayer(x.clone(), pass);
                add_and_norm(layer, x, y, pass.dropout(self.dropout))
            }
            NormPosition::Pre => {
                let (normalized, skip) = norm_and_skip(layer, x);
                let y = sublayer(normalized, pass);
                skip.add(y, pass.dropout(self.dropout))
            }
        }
    }
}

/// Layer normalisation over the model's width, epsilon 1e-5.
pub(crate) fn layer_norm(config: &ModelConfig, device: &Device) -> LayerNorm {
    LayerNormConfig::new(config.d_model).with_epsilon(EPSILON).init(device)
}
