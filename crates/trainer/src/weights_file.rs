//! Weights in safetensors files.

use std::path::Path;

use ember_model::weights::{Weight, Weights};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::checkpoint::{CheckpointError, Result};

/// The content of a safetensors file; equal weights give equal bytes.
pub fn to_bytes(weights: &Weights) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> = weights
        .values()
        .map(|weight| weight.values.iter().flat_map(|value| value.to_le_bytes()).collect())
        .collect();
    let views = weights.iter().zip(&bytes).map(|((name, weight), bytes)| {
        let view = TensorView::new(Dtype::F32, weight.shape.clone(), bytes);
        (name, view.expect("as many values as the shape says"))
    });
    safetensors::serialize(views, None).expect("f32 tensors with names of their own")
}

/// Reads what [`to_bytes`] made.
///
/// # Errors
/// A file that cannot be read, is no safetensors file or holds other numbers than f32.
pub fn read(path: &Path) -> Result<Weights> {
    let bytes = std::fs::read(path).map_err(|source| CheckpointError::Io {
        action: "read",
        path: path.into(),
        source,
    })?;
    let damaged = |message: String| CheckpointError::Damaged {
        path: path.into(),
        message,
        hint: "choose another checkpoint with --checkpoint".into(),
    };
    let file = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
    let weight = |(name, view): (String, TensorView<'_>)| match view.dtype() {
        Dtype::F32 => {
            let values = view
                .data()
                .as_chunks()
                .0
                .iter()
                .map(|bytes| f32::from_le_bytes(*bytes))
                .collect();
            Ok((
                name,
                Weight {
                    shape: view.shape().to_vec(),
                    values,
                },
            ))
        }
        other => Err(damaged(format!("{name} holds {other:?} instead of F32"))),
    };
    file.tensors().into_iter().map(weight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let weights = Weights::from([
            (
                "b.weight".to_owned(),
                Weight {
                    shape: vec![2, 2],
                    values: vec![1.5, -0.0, f32::MIN_POSITIVE, 3e38],
                },
            ),
            (
                "a".to_owned(),
                Weight {
                    shape: vec![3],
                    values: vec![0.1, 0.2, 0.3],
                },
            ),
        ]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        std::fs::write(&path, to_bytes(&weights)).unwrap();
        assert_eq!(read(&path).unwrap(), weights);
        std::fs::write(&path, &to_bytes(&weights)[..20]).unwrap();
        assert!(matches!(read(&path), Err(CheckpointError::Damaged { .. })));
    }
}
