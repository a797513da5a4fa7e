//! Where to compute: every backend that is compiled in is chosen at run time.

use std::fmt;
use std::str::FromStr;

use burn::prelude::*;

/// `--device`: `auto`, `flex`, `ndarray`, `wgpu[:i]` or `cuda[:i]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// CUDA where it is compiled in and there is a card, else Flex.
    #[default]
    Auto,
    /// Burn's fast CPU backend.
    Flex,
    /// Burn's portable CPU backend.
    NdArray,
    /// A GPU by Vulkan, Metal or DirectX; the best one or the i-th.
    Wgpu(Option<usize>),
    /// An NVIDIA GPU, by default the first.
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, index) = match text.split_once(':') {
            Some((kind, index)) => {
                let index = index
                    .parse()
                    .map_err(|_| format!("device index {index:?} is not a number"))?;
                (kind, Some(index))
            }
            None => (text, None),
        };
        match (kind, index) {
            ("auto", None) => Ok(Self::Auto),
            ("flex", None) => Ok(Self::Flex),
            ("ndarray", None) => Ok(Self::NdArray),
            ("wgpu", index) => Ok(Self::Wgpu(index)),
            ("cuda", index) => Ok(Self::Cuda(index.unwrap_or(0))),
            ("auto" | "flex" | "ndarray", Some(_)) => Err(format!("device {kind} takes no index")),
            _ => Err("not one of auto, flex, ndarray, wgpu, wgpu:1, cuda, cuda:1".into()),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => write!(f, "auto"),
            Self::Flex => write!(f, "flex"),
            Self::NdArray => write!(f, "ndarray"),
            Self::Wgpu(None) => write!(f, "wgpu"),
            Self::Wgpu(Some(index)) => write!(f, "wgpu:{index}"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

/// A device to compute on.
pub struct OpenDevice {
    /// What was chosen, never `auto`.
    pub choice: DeviceChoice,
    /// Without autodiff.
    pub device: Device,
}

/// Opens the device.
///
/// # Errors
/// When this binary or this machine lacks it.
pub fn open(choice: DeviceChoice) -> anyhow::Result<OpenDevice> {
    match choice {
        DeviceChoice::Auto => open(if gpu::cuda_devices() > 0 {
            DeviceChoice::Cuda(0)
        } else {
            DeviceChoice::Flex
        }),
        DeviceChoice::Flex => Ok(OpenDevice {
            choice,
            device: Device::flex(),
        }),
        #[allow(deprecated)] // Burn's own hint is to use Flex, which is our default.
        DeviceChoice::NdArray => Ok(OpenDevice {
            choice,
            device: Device::ndarray(),
        }),
        DeviceChoice::Wgpu(index) => Ok(OpenDevice {
            choice,
            device: gpu::open_wgpu(index)?,
        }),
        DeviceChoice::Cuda(index) => Ok(OpenDevice {
            choice,
            device: gpu::open_cuda(index)?,
        }),
    }
}

/// The GPU backends that are compiled in, and errors in the place of the others.
pub mod gpu {
    #[cfg(feature = "wgpu")]
    use burn::tensor::DeviceKind;
    #[cfg(any(feature = "wgpu", feature = "cuda"))]
    use burn::tensor::DeviceType;

    use super::*;

    /// Names of the GPUs that wgpu finds, in the order of their index.
    #[cfg(feature = "wgpu")]
    pub fn wgpu_names() -> Option<Vec<String>> {
        let devices = quietly(|| Device::enumerate(DeviceType::Wgpu).into_vec()).unwrap_or_default();
        Some(
            devices
                .iter()
                .map(|device| quietly(|| name(device)).unwrap_or_else(|| "cannot be opened".into()))
                .collect(),
        )
    }

    /// `None`: not compiled in.
    #[cfg(not(feature = "wgpu"))]
    pub fn wgpu_names() -> Option<Vec<String>> {
        None
    }

    #[cfg(feature = "wgpu")]
    pub(super) fn open_wgpu(index: Option<usize>) -> anyhow::Result<Device> {
        let mut devices = quietly(|| Device::enumerate(DeviceType::Wgpu).into_vec()).unwrap_or_default();
        let count = devices.len();
        match index {
            None if count > 0 => Ok(Device::wgpu(DeviceKind::DefaultDevice)),
            Some(index) if index < count => Ok(devices.swap_remove(index)),
            _ => anyhow::bail!(
                "device wgpu{} is not there: {count} found\nhint: install the GPU's Vulkan driver; \
                 for a software one on Debian: apt install mesa-vulkan-drivers",
                index.map(|index| format!(":{index}")).unwrap_or_default(),
            ),
        }
    }

    #[cfg(not(feature = "wgpu"))]
    pub(super) fn open_wgpu(_index: Option<usize>) -> anyhow::Result<Device> {
        anyhow::bail!("device wgpu is not in this binary\nhint: build with `cargo build --release --features wgpu`")
    }

    /// NVIDIA cards that CUDA finds; 0 where CUDA is not compiled in.
    #[cfg(feature = "cuda")]
    pub fn cuda_devices() -> usize {
        quietly(|| Device::enumerate(DeviceType::Cuda).into_vec().len()).unwrap_or(0)
    }

    /// `0`: not compiled in.
    #[cfg(not(feature = "cuda"))]
    pub fn cuda_devices() -> usize {
        0
    }

    #[cfg(feature = "cuda")]
    pub(super) fn open_cuda(index: usize) -> anyhow::Result<Device> {
        let count = cuda_devices();
        anyhow::ensure!(
            index < count,
            "device cuda:{index} is not there: {count} found\nhint: check `nvidia-smi` and the NVIDIA driver"
        );
        Ok(Device::cuda(index))
    }

    #[cfg(not(feature = "cuda"))]
    pub(super) fn open_cuda(_index: usize) -> anyhow::Result<Device> {
        anyhow::bail!("device cuda is not in this binary\nhint: build with `cargo build --release --features cuda`")
    }

    #[cfg(feature = "wgpu")]
    fn name(device: &Device) -> String {
        device
            .identity()
            .map_or_else(|| "unnamed".into(), |identity| identity.name)
    }

    /// A driver that is missing or broken makes the libraries below panic; here it is only an absent device.
    #[cfg(any(feature = "wgpu", feature = "cuda"))]
    fn quietly<R>(f: impl FnOnce() -> R) -> Option<R> {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| ()));
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).ok();
        std::panic::set_hook(hook);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named_as_they_are_shown() {
        for text in ["auto", "flex", "ndarray", "wgpu", "wgpu:1", "cuda:0"] {
            assert_eq!(text.parse::<DeviceChoice>().unwrap().to_string(), text);
        }
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        for text in ["", "gpu", "flex:1", "wgpu:x", "cuda:-1"] {
            assert!(text.parse::<DeviceChoice>().is_err(), "{text}");
        }
    }
}
