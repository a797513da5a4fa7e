//! `ember devices`

use std::process::ExitCode;

use clap::Args;

use crate::device::{gpu, instruction_set};

/// List what this binary and this machine offer to compute on
#[derive(Args)]
pub struct Devices {}

impl Devices {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        println!("flex     ready      CPU, {cores} threads, matrix products with {} (the default)", instruction_set());
        println!("ndarray  ready      CPU, Burn's portable backend");
        match gpu::wgpu_names() {
            None => println!("wgpu     not built  any GPU by Vulkan, Metal or DirectX: cargo build --release --features wgpu"),
            Some(names) if names.is_empty() => println!("wgpu     absent     no GPU driver was found"),
            Some(names) => {
                for (index, name) in names.iter().enumerate() {
                    println!("wgpu:{index}   ready      {name}");
                }
            }
        }
        match (cfg!(feature = "cuda"), gpu::cuda_devices()) {
            (false, _) => println!("cuda     not built  NVIDIA GPUs: cargo build --release --features cuda"),
            (true, 0) => println!("cuda     absent     no NVIDIA GPU was found"),
            (true, count) => (0..count).for_each(|index| println!("cuda:{index}   ready      NVIDIA GPU")),
        }
        Ok(ExitCode::SUCCESS)
    }
}
