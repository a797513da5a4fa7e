//! `ember devices`

use std::process::ExitCode;

use clap::Args;
use ember_model::kernels::InstructionSet;

use crate::console::print_result;
use crate::device::gpu;

/// List what this binary and this machine offer to compute on
#[derive(Args)]
pub struct Devices {}

impl Devices {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let lines = [cpu(), wgpu(), cuda()].concat();
        print_result(&lines.iter().map(|line| format!("{line}\n")).collect::<String>())?;
        Ok(ExitCode::SUCCESS)
    }
}

fn cpu() -> Vec<String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let instructions = InstructionSet::detect();
    vec![
        format!("flex     ready      CPU, {cores} threads, kernels for {instructions} (the default)"),
        format!("ndarray  ready      CPU, {cores} threads, the same kernels under Burn's portable backend"),
    ]
}

fn wgpu() -> Vec<String> {
    match gpu::wgpu_names() {
        None => {
            vec![
                "wgpu     not built  any GPU by Vulkan, Metal or DirectX: cargo build --release --features wgpu".into(),
            ]
        }
        Some(names) if names.is_empty() => vec!["wgpu     absent     no GPU driver was found".into()],
        Some(names) => names
            .iter()
            .enumerate()
            .map(|(index, name)| format!("wgpu:{index}   ready      {name}"))
            .collect(),
    }
}

fn cuda() -> Vec<String> {
    match (cfg!(feature = "cuda"), gpu::cuda_devices()) {
        (false, _) => vec!["cuda     not built  NVIDIA GPUs: cargo build --release --features cuda".into()],
        (true, 0) => vec!["cuda     absent     no NVIDIA GPU was found".into()],
        (true, count) => (0..count)
            .map(|index| format!("cuda:{index}   ready      NVIDIA GPU"))
            .collect(),
    }
}
