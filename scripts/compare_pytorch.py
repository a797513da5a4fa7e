#!/usr/bin/env python3
"""Training speed of `ember bench` and of PyTorch, the same model and batches, in turn.

    python3 scripts/compare_pytorch.py [--ember target/release/ember] [--rounds 3] [--shapes 128x16,128x32] [--compiled]
    python3 scripts/compare_pytorch.py --config configs/transformer-base.toml --shapes 782x32 --device cuda --torch-device cuda

The model's sizes are those of a config, configs/benchmark.toml unless another is named: a Transformer with ReLU,
or a recurrent model without input feeding; all embeddings tied. PyTorch's is written as its users would, see
scripts/pytorch_models.py, with cross_entropy and its label smoothing, clip_grad_norm_ where the config clips, and Adam.
Rivals run one after the other in every round, each with the same number of threads; the table has the median over rounds
and its ratio to PyTorch in fp32. --compiled adds torch.compile, which takes a minute or more to begin.

Needs PyTorch (2.15.0 was measured): python3 -m venv venv && venv/bin/pip install torch numpy.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytorch_models

ROOT = Path(__file__).resolve().parent.parent

# name: (who, settings)
RIVALS = {
    "PyTorch fp32": ("torch", []),
    "PyTorch fp32, compiled": ("torch", ["--compile"]),
    "PyTorch bf16 autocast": ("torch", ["--bf16"]),
    "PyTorch bf16 autocast, compiled": ("torch", ["--bf16", "--compile"]),
    "EmberNMT fp32": ("ember", ["training.precision=fp32"]),
    "EmberNMT bf16": ("ember", ["training.precision=bf16"]),
}

# Entries that `ember bench` counts beside what a config asks for: see vocabularies_of_config in crates/trainer/src/bench.rs.
SPECIAL_IDS = 4
BYTES_AND_END_OF_WORD = 257


def read_sizes(config):
    """What the rival must know of the model. Keys that the config leaves out have the values of docs/CONFIG.md."""
    with open(config, "rb") as file:
        found = tomllib.load(file)
    model, tokenizer, training = (found.get(section, {}) for section in ("model", "tokenizer", "training"))
    fixed = {"activation": "relu", "tie": "all", "position_merge": "sum", "input_feeding": False}
    for key, value in fixed.items():
        if model.get(key, value) != value:
            sys.exit(f"{config}: model.{key} is {model[key]!r}\nhint: the rival has only {value!r}; name another --config")
    vocabulary = tokenizer.get("vocabulary", 8000)
    if "merges" in tokenizer:
        vocabulary = SPECIAL_IDS + BYTES_AND_END_OF_WORD + tokenizer["merges"]
    places = ("embedding", "residual", "attention", "feed_forward")
    dropout = {place: model.get(f"{place}_dropout", model.get("dropout", 0.1)) for place in places}
    if not all(isinstance(rate, (int, float)) for rate in dropout.values()):
        sys.exit(f"{config}: rates of dropout differ by layer\nhint: the rival has one for each place; name another --config")
    return SimpleNamespace(
        arch=model.get("arch", "transformer"),
        cell=model.get("cell", "lstm"),
        score=model.get("score", "additive"),
        bidirectional=model.get("bidirectional", True),
        vocabulary=vocabulary,
        width=model.get("d_model", 512),
        inner=model.get("d_ff", 2048),
        heads=model.get("n_heads", 8),
        encoder_layers=model.get("encoder_layers", 6),
        decoder_layers=model.get("decoder_layers", 6),
        norm_first=model.get("norm", "post") == "pre",
        dropout=dropout,
        smoothing=training.get("label_smoothing", 0.1),
        clip=training.get("clip_norm", 0.0),
    )


def run_torch(arguments):
    """In a process of its own, so that memory is counted by itself."""
    import torch

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    device = torch.device(arguments.torch_device)
    sizes = read_sizes(arguments.config)
    build = pytorch_models.transformer if sizes.arch == "transformer" else pytorch_models.recurrent
    model = build(torch, sizes).to(device)
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, betas=(0.9, 0.98), eps=1e-9)
    rows, length = map(int, arguments.shape.split("x"))
    if length > 512:
        sys.exit(f"--shapes {arguments.shape}: the rival has 512 positions")
    source, inputs, outputs = (
        torch.randint(4, sizes.vocabulary, (rows, length), device=device) for _ in range(3)
    )
    mask = (source != 0)[:, None, None, :]

    def loss_of(source, inputs, outputs):
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=arguments.bf16):
            logits = model(source, inputs, mask)
            return torch.nn.functional.cross_entropy(
                logits.view(-1, sizes.vocabulary), outputs.view(-1), label_smoothing=sizes.smoothing, ignore_index=0
            )

    function = torch.compile(loss_of) if arguments.compile else loss_of
    times = []
    started = time.time()
    while len(times) < 3 + 3 or time.time() - started < arguments.seconds:
        begin = time.time()
        optimizer.zero_grad(set_to_none=True)
        loss = function(source, inputs, outputs)
        loss.backward()
        if sizes.clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), sizes.clip)
        optimizer.step()
        loss.item()  # waits for the device
        times.append(time.time() - begin)
        if len(times) == 3:
            started = time.time()
    milliseconds = statistics.median(times[3:]) * 1e3
    if device.type == "cuda":
        memory = torch.cuda.max_memory_reserved() / 2**20
    else:
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    parameters = sum(parameter.numel() for parameter in model.parameters())
    print(json.dumps({"milliseconds_per_update": milliseconds, "peak_rss_mib": memory, "parameters": parameters}))


def measure(who, settings, shape, arguments):
    rows, length = map(int, shape.split("x"))
    environment = {**os.environ, "RAYON_NUM_THREADS": str(arguments.threads)}
    if who == "torch":
        command = [sys.executable, __file__, "--torch", "--shape", shape, *settings]
        command += ["--seconds", str(arguments.seconds), "--threads", str(arguments.threads)]
        command += ["--config", arguments.config, "--torch-device", arguments.torch_device]
    else:
        command = [arguments.ember, "bench", arguments.config, "--json", "--seconds", str(arguments.seconds), "--batch", "1"]
        command += ["--length", str(length), "--set", f"training.batch_tokens={rows * length}"]
        command += ["--set", "training.accumulate=1", "--device", arguments.device]
        for setting in settings:
            command += ["--set", setting]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    found = json.loads(done.stdout.splitlines()[-1])
    if who == "ember":
        found = {**found["train"], "parameters": found["parameters"]}
        if arguments.device not in ("flex", "ndarray"):
            found["peak_rss_mib"] = None  # the GPU's memory is not in it
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ember", default=str(ROOT / "target" / "release" / "ember"), help="the binary")
    parser.add_argument("--config", default=str(ROOT / "configs" / "benchmark.toml"), help="where the sizes are from")
    parser.add_argument("--device", default="flex", help="of EmberNMT")
    parser.add_argument("--torch-device", default="cpu", help="of PyTorch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement, warm-up not counted")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of each rival")
    parser.add_argument("--shapes", default="128x16,128x32", help="sentences x tokens")
    parser.add_argument("--compiled", action="store_true", help="PyTorch with torch.compile, too")
    parser.add_argument("--torch", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--shape", default="128x16", help=argparse.SUPPRESS)
    parser.add_argument("--compile", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--bf16", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.torch:
        return run_torch(arguments)
    for shape in arguments.shapes.split(","):
        rows, length = map(int, shape.split("x"))
        found = {name: [] for name in RIVALS if arguments.compiled or not name.endswith(", compiled")}
        for _ in range(arguments.rounds):
            for name in found:
                found[name].append(measure(*RIVALS[name], shape, arguments))
        base = [run["milliseconds_per_update"] for run in found["PyTorch fp32"]]
        parameters = sorted({run["parameters"] for runs in found.values() for run in runs})
        counts = " and ".join(f"{count:,}" for count in parameters)
        print(f"\n{shape}: {rows * length} target tokens an update, {arguments.rounds} rounds, {counts} parameters")
        print("| | ms an update | target tokens/s | x PyTorch fp32 (of each round) | MiB |")
        print("|---|---|---|---|---|")
        for name, runs in found.items():
            times = [run["milliseconds_per_update"] for run in runs]
            ratios = ", ".join(f"{b / t:.2f}" for b, t in zip(base, times))
            median = statistics.median(times)
            peaks = [run.get("peak_rss_mib") for run in runs]
            memory = "-" if None in peaks else f"{max(peaks):.0f}"
            ratio = statistics.median(b / t for b, t in zip(base, times))
            print(f"| {name} | {median:.0f} | {rows * length / median * 1e3:.0f} | {ratio:.2f} ({ratios}) | {memory} |")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
