//! Tensors of Burn's CPU backends as slices.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::backend::flex::FlexTensor;
use burn::backend::ndarray::{NdArrayTensor, SharedArray};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, DispatchDevice, Flex, NdArray};
use burn::prelude::*;
use rayon::prelude::*;

use crate::numbers::{CHUNK, uninitialized};

/// A backend whose tensors lie in this machine's memory.
pub trait Cpu: Backend {
    /// The tensor with its numbers in row-major order, one behind the other.
    fn contiguous(tensor: FloatTensor<Self>) -> FloatTensor<Self>;

    /// The numbers of a contiguous tensor.
    fn values(tensor: &FloatTensor<Self>) -> &[f32];

    /// The numbers of a tensor in row-major order; copied only if another tensor shares them.
    fn into_values(tensor: FloatTensor<Self>) -> Vec<f32>;

    /// A tensor of these numbers; nothing is copied.
    fn tensor(values: Vec<f32>, shape: Shape) -> FloatTensor<Self>;
}

impl Cpu for Flex {
    fn contiguous(tensor: FlexTensor) -> FlexTensor {
        if tensor.as_slice::<f32>().is_some() {
            tensor
        } else {
            tensor.to_contiguous()
        }
    }

    fn values(tensor: &FlexTensor) -> &[f32] {
        tensor.as_slice().expect("contiguous fp32")
    }

    fn into_values(tensor: FlexTensor) -> Vec<f32> {
        let tensor = Self::contiguous(tensor);
        if tensor.is_unique() && tensor.bytes().len() == size_of_val(Self::values(&tensor)) {
            tensor.into_data().into_vec().expect("fp32")
        } else {
            copied(Self::values(&tensor))
        }
    }

    fn tensor(values: Vec<f32>, shape: Shape) -> FlexTensor {
        FlexTensor::from_data(TensorData::new(values, shape))
    }
}

impl Cpu for NdArray {
    fn contiguous(tensor: NdArrayTensor) -> NdArrayTensor {
        let array = match tensor {
            NdArrayTensor::F32(storage) => storage.into_shared(),
            _ => panic!("fp32 tensors only"),
        };
        if array.is_standard_layout() {
            array.into()
        } else {
            array.as_standard_layout().into_owned().into_shared().into()
        }
    }

    fn values(tensor: &NdArrayTensor) -> &[f32] {
        match tensor {
            NdArrayTensor::F32(storage) => storage.view().to_slice().expect("contiguous"),
            _ => panic!("fp32 tensors only"),
        }
    }

    fn into_values(tensor: NdArrayTensor) -> Vec<f32> {
        let array = match Self::contiguous(tensor) {
            NdArrayTensor::F32(storage) => storage.into_shared(),
            _ => panic!("fp32 tensors only"),
        };
        let (values, begin) = array.into_owned().into_raw_vec_and_offset();
        assert_eq!(begin.unwrap_or(0), 0, "an owned array begins with its first number");
        values
    }

    fn tensor(values: Vec<f32>, shape: Shape) -> NdArrayTensor {
        SharedArray::from_shape_vec(&shape[..], values)
            .expect("as many numbers as the shape says")
            .into()
    }
}

/// A copy, made by all threads.
fn copied(values: &[f32]) -> Vec<f32> {
    let mut copy = uninitialized(values.len());
    copy.par_chunks_mut(CHUNK)
        .zip(values.par_chunks(CHUNK))
        .for_each(|(to, from)| to.copy_from_slice(from));
    copy
}

static REFERENCE_ONLY: AtomicBool = AtomicBool::new(false);

/// With `true`, every device takes the plain Burn operations from now on: to compare, and to look for a fault.
pub fn use_reference(only: bool) {
    REFERENCE_ONLY.store(only, Ordering::Relaxed);
}

/// Whether the fused operations run on a device.
pub fn is_fused(device: &Device) -> bool {
    is_cpu(device) && !REFERENCE_ONLY.load(Ordering::Relaxed)
}

/// Whether a device's tensors lie in this machine's memory.
pub(crate) fn is_cpu(device: &Device) -> bool {
    let inner = match device.as_dispatch() {
        DispatchDevice::Autodiff(device) => device.clone().inner(),
        device => device.clone(),
    };
    matches!(inner, DispatchDevice::Flex(_) | DispatchDevice::NdArray(_))
}

/// Ids of an integer tensor of such a device.
pub(crate) fn ids<const D: usize>(tensor: Tensor<D, Int>) -> Vec<u32> {
    tensor
        .into_data()
        .iter::<i64>()
        .map(|id| u32::try_from(id).expect("an id"))
        .collect()
}
