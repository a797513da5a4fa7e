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

/// Whether the fused operations can run on a device.
pub fn is_fused(device: &Device) -> bool {
    let inner = match device.as_dispatch() {
        DispatchDevice::Autodiff(device) => device.clone().inner(),
        device => device.clone(),
    };
    matches!(inner, DispatchDevice::Flex(_) | DispatchDevice::NdArray(_)) && !REFERENCE_ONLY.load(Ordering::Relaxed)
}

/// Does work that consists of many operations: where they run fused on a thread of the pool, so that each operation
/// shares its tasks out from within, and otherwise on this thread.
///
/// One work at a time is on the pool. Two could come to lie on one thread's stack, where the lower one waits for the
/// upper one, with whatever it holds.
pub fn together<R: Send>(device: &Device, work: impl FnOnce() -> R + Send) -> R {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    /// Gives the pool free, also if the work panics.
    struct Taken;
    impl Drop for Taken {
        fn drop(&mut self) {
            TAKEN.store(false, Ordering::Release);
        }
    }
    if !is_fused(device) || TAKEN.swap(true, Ordering::Acquire) {
        return work();
    }
    let _taken = Taken;
    rayon::scope(|_| work())
}

/// Ids of an integer tensor of such a device.
pub(crate) fn ids<const D: usize>(tensor: Tensor<D, Int>) -> Vec<u32> {
    tensor
        .into_data()
        .iter::<i64>()
        .map(|id| u32::try_from(id).expect("an id"))
        .collect()
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;

    /// Works beside each other, inside each other and inside parallel loops all come to their end, and a panic frees
    /// the pool.
    #[test]
    fn works_together_come_to_an_end() {
        let device = Device::flex();
        let count = |numbers: usize| together(&device, || (0..numbers).into_par_iter().map(|x| x % 7).sum::<usize>());
        let expected = count(10_000);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| (0..200).for_each(|_| assert_eq!(count(10_000), expected)));
            }
        });
        let sums: Vec<usize> = (0..64).into_par_iter().map(|_| count(10_000)).collect();
        assert!(sums.iter().all(|sum| *sum == expected));
        assert_eq!(together(&device, || count(10_000)), expected);
        let panicked = std::panic::catch_unwind(|| together(&Device::flex(), || panic!("on purpose")));
        assert!(panicked.is_err());
        assert_eq!(count(10_000), expected);
    }
}
