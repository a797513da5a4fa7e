//! Tensors of Burn's CPU backends as slices.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::backend::flex::FlexTensor;
use burn::backend::ndarray::{NdArrayTensor, SharedArray};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, DispatchDevice, Flex, NdArray};
use burn::prelude::*;

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
        tensor.into_data().into_vec().expect("fp32")
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

/// Looks for work, some ten nanoseconds each, before an idle thread lets other processes have the core.
const PATIENCE: u32 = 256;

/// Does work that consists of many operations. Where they run fused it is done on a thread of the pool, and the other
/// threads stay awake until it ends: an operation takes about as long as it takes to wake them.
pub fn together<R: Send>(device: &Device, work: impl FnOnce() -> R + Send) -> R {
    if !is_fused(device) {
        return work();
    }
    /// Tells the other threads, also if the work panics.
    struct Done<'a>(&'a AtomicBool);
    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }
    let done = AtomicBool::new(false);
    rayon::scope(|scope| {
        let own = rayon::current_thread_index();
        let done = &done;
        scope.spawn_broadcast(move |_, context| {
            let mut idle = 0u32;
            while Some(context.index()) != own && !done.load(Ordering::Acquire) {
                if rayon::yield_now() == Some(rayon::Yield::Idle) {
                    idle += 1;
                    std::hint::spin_loop();
                    if idle.is_multiple_of(PATIENCE) {
                        std::thread::yield_now(); // another process may need the core more
                    }
                }
            }
        });
        let _done = Done(done);
        work()
    })
}

/// Ids of an integer tensor of such a device.
pub(crate) fn ids<const D: usize>(tensor: Tensor<D, Int>) -> Vec<u32> {
    tensor.into_data().iter::<i64>().map(|id| id as u32).collect()
}
