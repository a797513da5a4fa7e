//! The residual connection around a sub-layer that reads normalised rows (pre-norm).

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::backend::Dispatch;
use burn::nn::LayerNorm;
use burn::prelude::*;

use super::{ResidualKernel, norm};
use crate::cpu::is_fused;
use crate::dropout::Dropout;

/// `norm(x)`, and x for later: what a sub-layer makes of the one is added to the other.
///
/// # Shapes
/// - `x` and result: `[B, L, D]`
pub fn norm_and_skip(layer: &LayerNorm, x: Tensor<3>) -> (Tensor<3>, Skip) {
    let Some(beta) = layer.beta.as_ref().filter(|_| is_fused(&x.device())) else {
        return (norm(layer, x.clone()), Skip { x, carried: None });
    };
    let carried = Some(Carried::default());
    let normalized = Tensor::from_dispatch(Dispatch::norm_kernel(
        x.clone().into_dispatch(),
        layer.gamma.val().into_dispatch(),
        beta.val().into_dispatch(),
        carried.clone(),
    ));
    (normalized, Skip { x, carried })
}

/// The connection past a sub-layer. See [`norm_and_skip`].
pub struct Skip {
    x: Tensor<3>,
    carried: Option<Carried>,
}

impl Skip {
    /// `x + dropout(y)`. Where gradients are wanted, y must have been computed from `norm(x)`: that of x is lost
    /// otherwise.
    ///
    /// # Shapes
    /// - `y` and result: `[B, L, D]`
    pub fn add(self, y: Tensor<3>, dropout: Dropout) -> Tensor<3> {
        let Self { x, carried } = self;
        if !is_fused(&x.device()) {
            return x + dropout.apply(y);
        }
        Tensor::from_dispatch(Dispatch::add_kernel(
            x.into_dispatch(),
            y.into_dispatch(),
            dropout,
            carried,
        ))
    }
}

/// A gradient on its way past a sub-layer: the backward step of the sum leaves it here, that of the norm adds it to its
/// own while it writes that. Burn would add the two by themselves, on one thread.
#[derive(Debug, Clone, Default)]
pub struct Carried(Arc<Place>);

#[derive(Debug, Default)]
struct Place(Mutex<Option<Box<dyn Any + Send>>>);

impl Carried {
    /// Leaves a tensor.
    pub(super) fn put<T: Any + Send>(&self, gradient: T) {
        *self.0.held() = Some(Box::new(gradient));
    }

    /// Takes it, if there is one.
    ///
    /// # Panics
    /// If it is of another type.
    pub(super) fn take<T: Any>(&self) -> Option<T> {
        let gradient = self.0.held().take()?;
        Some(*gradient.downcast().expect("a gradient of the backend that left it"))
    }
}

impl Place {
    fn held(&self) -> MutexGuard<'_, Option<Box<dyn Any + Send>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        debug_assert!(
            std::thread::panicking() || self.held().is_none(),
            "a gradient that was not taken: what was added was not computed from the norm"
        );
    }
}
