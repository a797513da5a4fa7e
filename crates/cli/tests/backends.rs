//! Every backend trains the same config alike.

mod common;

use common::{Outcome, Workplace, assert_same_run};

/// Largest relative difference of two losses.
const TOLERANCE: f64 = 1e-3;

const SETTINGS: [&str; 8] = [
    "--set",
    "model.dropout=0.1",
    "--set",
    "training.stop_after=\"20u\"",
    "--set",
    "validation.every=\"20u\"",
    "--set",
    "training.schedule={ kind = \"constant\", peak = 1e-3 }",
];

fn train_on(work: &Workplace, device: &str) -> Vec<f64> {
    let folder = format!("runs/{device}");
    work.run(
        &[
            &["train", "small.toml", "--device", device, "--run-dir", &folder],
            &SETTINGS[..],
        ]
        .concat(),
    )
    .ok();
    work.losses(device)
}

fn assert_losses_agree(work: &Workplace, device: &str) {
    let (expected, found) = (train_on(work, "flex"), train_on(work, device));
    assert_eq!((expected.len(), found.len()), (20, 20));
    let mut largest = 0.0f64;
    for (update, (expected, found)) in expected.iter().zip(&found).enumerate() {
        let difference = (found - expected).abs() / expected;
        assert!(
            difference < TOLERANCE,
            "update {}: {found} on {device}, {expected} on flex",
            update + 1
        );
        largest = largest.max(difference);
    }
    eprintln!("largest relative difference of {device} to flex: {largest:.1e}");
}

#[test]
fn ndarray_agrees_with_flex() {
    assert_losses_agree(&Workplace::new(), "ndarray");
}

#[cfg(feature = "wgpu")]
#[test]
fn wgpu_agrees_with_flex() {
    let work = Workplace::new();
    let devices = work.run(&["devices"]).ok().stdout;
    if !devices.contains("wgpu:0") {
        assert!(
            std::env::var_os("EMBER_REQUIRE_WGPU").is_none(),
            "a driver is installed, but found was: {devices}"
        );
        eprintln!("skipped: no GPU and no software Vulkan driver; scripts/test.sh installs one on Debian");
        return;
    }
    assert_losses_agree(&work, "wgpu");
}

/// Dropout, both precisions, one thread and three: the same weights, states and metrics.
#[test]
fn the_number_of_threads_changes_no_byte() {
    let work = Workplace::new();
    for precision in ["fp32", "bf16"] {
        let run = |threads: &str| {
            let folder = format!("runs/{precision}-{threads}");
            let precision = format!("training.precision={precision}");
            let stop = "training.stop_after=\"10u\"";
            let arguments = ["train", "small.toml", "--device", "flex", "--run-dir", &folder];
            let mut command = work.ember(&[&arguments[..], &["--set", &precision, "--set", stop]].concat());
            Outcome::new(
                command
                    .env("RAYON_NUM_THREADS", threads)
                    .output()
                    .expect("the ember command"),
            )
            .ok();
            work.path(&folder)
        };
        assert_same_run(&run("1"), &run("3"));
    }
}

/// What `ember devices` says the kernels run with is what Linux says the CPU has; and bf16 is told to be missing where it is.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn the_instruction_set_is_that_of_the_cpu() {
    let work = Workplace::new();
    let devices = work.run(&["devices"]).ok().stdout;
    let cpu = std::fs::read_to_string("/proc/cpuinfo").expect("what Linux says");
    let flags = cpu.lines().find(|line| line.starts_with("flags")).expect("flags");
    let has = |names: &str| {
        names
            .split(' ')
            .all(|name| flags.split_whitespace().any(|flag| flag == name))
    };
    let is_avx2 = has("avx2 fma");
    let is_avx512 = is_avx2 && has("avx512f avx512bw avx512dq avx512vl");
    let is_bf16 = is_avx512 && has("avx512_bf16");
    let expected = match (is_avx512, is_bf16) {
        // The system may refuse tile registers, which takes asking it.
        (_, true) if devices.contains("AMX") => {
            assert!(has("amx_tile amx_bf16 amx_int8"), "{devices}");
            "kernels for AMX and AVX-512 "
        }
        (_, true) => "kernels for AVX-512 with bf16 ",
        (true, _) => "kernels for AVX-512 ",
        _ if is_avx2 => "kernels for AVX2 ",
        _ => "kernels for baseline ",
    };
    assert!(devices.contains(expected), "{expected:?} in {devices}");
    let arguments = [
        "bench",
        "small.toml",
        "--seconds",
        "0.1",
        "--length",
        "4",
        "--batch",
        "1",
    ];
    let bench = work
        .run(&[&arguments[..], &["--set", "training.precision=bf16"]].concat())
        .ok();
    let told = bench.stderr.contains("no bf16 products") && bench.stderr.contains("fp32 is used");
    assert_eq!(told, !is_bf16, "{}", bench.stderr);
}

#[test]
fn a_backend_that_is_not_there_is_an_error() {
    let work = Workplace::new();
    if !cfg!(feature = "cuda") {
        work.run(&["train", "small.toml", "--device", "cuda"])
            .fails_with(&["cuda", "--features cuda"]);
    }
    let outcome = work.run(&["train", "small.toml", "--device", "gpu"]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("flex"), "{}", outcome.stderr);
}
