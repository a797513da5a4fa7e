//! What a checkpoint holds for the optimizer, checked against the model before it is used.

use ember_model::weights::{Weight, Weights};

/// What a checkpoint holds for the optimizer.
pub struct Saved {
    /// What [`Optimizer::export`] gave.
    pub means: Weights,
    /// What [`Optimizer::average`] gave.
    pub average: Option<Weights>,
    /// The steps taken until then.
    pub steps: u64,
}

/// Why a [`Saved`] does not fit the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportFault {
    /// Whether the moving average of the weights is at fault; else it is the means.
    pub of_average: bool,
    /// The parameter, and both sizes where they differ.
    pub message: String,
}

/// The running mean of a kind for a parameter, if there is one; it must have as many values.
pub(super) fn take_mean(
    means: &mut Weights,
    kind: &str,
    name: &str,
    weight: &Weight,
) -> Result<Option<Weight>, String> {
    let found = means.remove(&format!("{kind}.{name}"));
    let (length, expected) = (found.as_ref().map(|found| found.values.len()), weight.values.len());
    match length {
        Some(length) if length != expected => Err(format!(
            "{kind} of {name} has {length} values, the parameter has {expected}"
        )),
        _ => Ok(found),
    }
}

/// An average has every parameter in its shape.
pub(super) fn check_average(average: &Weights, trained: &Weights) -> Result<(), String> {
    for (name, weight) in trained {
        match average.get(name).map(|average| &average.shape) {
            Some(shape) if *shape == weight.shape => {}
            Some(shape) => {
                let expected = &weight.shape;
                return Err(format!(
                    "{name} has shape {shape:?}, the trained parameter has {expected:?}"
                ));
            }
            None => return Err(format!("{name} is missing")),
        }
    }
    match average.keys().find(|name| !trained.contains_key(*name)) {
        Some(left) => Err(format!("{left} is no parameter of the model")),
        None => Ok(()),
    }
}
