#!/usr/bin/env python3
"""Training speed of `ember bench` and of PyTorch, the same model and batches, in turn.

    python3 scripts/compare_pytorch.py [--ember target/release/ember] [--rounds 3] [--shapes 128x16,128x32]

The model is that of configs/benchmark.toml: a Transformer of 3 + 3 layers, d_model 256, d_ff 1024, 4 heads, 10,000
sub-words, all embeddings tied, post-norm, dropout 0.1, label smoothing 0.1, Adam. PyTorch's is written as its users would:
scaled_dot_product_attention, one product for query, key and value, cross_entropy with label smoothing. Rivals run one after
the other in every round; the table has the median over rounds and its ratio to PyTorch in fp32.

Needs PyTorch (2.15.0 was measured): python3 -m venv venv && venv/bin/pip install torch numpy.
"""

import argparse
import json
import math
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "configs" / "benchmark.toml"
VOCABULARY, WIDTH, INNER, HEADS, LAYERS, DROPOUT = 10_000, 256, 1024, 4, 3, 0.1

# name: (who, settings)
RIVALS = {
    "PyTorch fp32": ("torch", []),
    "PyTorch fp32, compiled": ("torch", ["--compile"]),
    "PyTorch bf16 autocast": ("torch", ["--bf16"]),
    "EmberNMT fp32": ("ember", ["training.precision=fp32"]),
    "EmberNMT bf16": ("ember", ["training.precision=bf16"]),
}


def build_model(torch):
    """The rival, as a module of its own so that `--help` needs no PyTorch."""
    nn, functional = torch.nn, torch.nn.functional

    def heads(x):
        return x.view(x.shape[0], -1, HEADS, WIDTH // HEADS).transpose(1, 2)

    class Attention(nn.Module):
        def __init__(self, to_memory):
            super().__init__()
            self.to_memory = to_memory
            self.first = nn.Linear(WIDTH, WIDTH if to_memory else 3 * WIDTH)
            self.second = nn.Linear(WIDTH, 2 * WIDTH) if to_memory else None
            self.output = nn.Linear(WIDTH, WIDTH)

        def forward(self, x, memory=None, mask=None, causal=False):
            if self.to_memory:
                query, (key, value) = self.first(x), self.second(memory).chunk(2, -1)
            else:
                query, key, value = self.first(x).chunk(3, -1)
            context = functional.scaled_dot_product_attention(
                heads(query), heads(key), heads(value), attn_mask=mask, is_causal=causal, dropout_p=DROPOUT
            )
            return self.output(context.transpose(1, 2).reshape(x.shape))

    class Layer(nn.Module):
        def __init__(self, decoder):
            super().__init__()
            self.self_attention = Attention(to_memory=False)
            self.cross_attention = Attention(to_memory=True) if decoder else None
            self.inner, self.outer = nn.Linear(WIDTH, INNER), nn.Linear(INNER, WIDTH)
            self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(3 if decoder else 2))
            self.dropout = nn.Dropout(DROPOUT)

        def forward(self, x, mask, memory=None):
            causal = memory is not None
            y = self.self_attention(x, mask=None if causal else mask, causal=causal)
            x = self.norms[0](x + self.dropout(y))
            if memory is not None:
                x = self.norms[1](x + self.dropout(self.cross_attention(x, memory, mask=mask)))
            y = self.outer(self.dropout(functional.relu(self.inner(x))))
            return self.norms[-1](x + self.dropout(y))

    class Transformer(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(VOCABULARY, WIDTH)
            nn.init.normal_(self.table.weight, std=WIDTH**-0.5)
            self.encoder = nn.ModuleList(Layer(decoder=False) for _ in range(LAYERS))
            self.decoder = nn.ModuleList(Layer(decoder=True) for _ in range(LAYERS))
            self.dropout = nn.Dropout(DROPOUT)
            position = torch.arange(512).unsqueeze(1).float()
            angle = position * torch.exp(torch.arange(0, WIDTH, 2).float() * (-math.log(10_000.0) / WIDTH))
            encoding = torch.zeros(512, WIDTH)
            encoding[:, 0::2], encoding[:, 1::2] = torch.sin(angle), torch.cos(angle)
            self.register_buffer("encoding", encoding)

        def embed(self, ids):
            return self.dropout(self.table(ids) * math.sqrt(WIDTH) + self.encoding[: ids.shape[1]])

        def forward(self, source, target, mask):
            memory = self.embed(source)
            for layer in self.encoder:
                memory = layer(memory, mask)
            x = self.embed(target)
            for layer in self.decoder:
                x = layer(x, mask, memory)
            return functional.linear(x, self.table.weight)

    return Transformer()


def run_torch(arguments):
    """In a process of its own, so that memory is counted by itself."""
    import torch

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    model = build_model(torch)
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, betas=(0.9, 0.98), eps=1e-9)
    rows, length = map(int, arguments.shape.split("x"))
    source, inputs, outputs = (torch.randint(4, VOCABULARY, (rows, length)) for _ in range(3))
    mask = (source != 0)[:, None, None, :]

    def loss_of(source, inputs, outputs):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=arguments.bf16):
            logits = model(source, inputs, mask)
            return torch.nn.functional.cross_entropy(
                logits.view(-1, VOCABULARY), outputs.view(-1), label_smoothing=0.1, ignore_index=0
            )

    function = torch.compile(loss_of) if arguments.compile else loss_of
    times = []
    started = time.time()
    while len(times) < 3 + 3 or time.time() - started < arguments.seconds:
        begin = time.time()
        optimizer.zero_grad(set_to_none=True)
        loss = function(source, inputs, outputs)
        loss.backward()
        optimizer.step()
        loss.item()
        times.append(time.time() - begin)
        if len(times) == 3:
            started = time.time()
    milliseconds = statistics.median(times[3:]) * 1e3
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"milliseconds_per_update": milliseconds, "peak_rss_mib": memory}))


def measure(who, settings, shape, arguments):
    rows, length = map(int, shape.split("x"))
    if who == "torch":
        command = [sys.executable, __file__, "--torch", "--shape", shape, *settings]
        command += ["--seconds", str(arguments.seconds), "--threads", str(arguments.threads)]
    else:
        command = [arguments.ember, "bench", str(CONFIG), "--json", "--seconds", str(arguments.seconds), "--batch", "1"]
        command += ["--length", str(length), "--set", f"training.batch_tokens={rows * length}"]
        for setting in settings:
            command += ["--set", setting]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    found = json.loads(done.stdout.splitlines()[-1])
    return found.get("train", found)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ember", default=str(ROOT / "target" / "release" / "ember"), help="the binary")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement, warm-up not counted")
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch")
    parser.add_argument("--shapes", default="128x16,128x32", help="sentences x tokens")
    parser.add_argument("--without", default="PyTorch fp32, compiled", help="a rival to leave out; '' for none")
    parser.add_argument("--torch", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--shape", default="128x16", help=argparse.SUPPRESS)
    parser.add_argument("--compile", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--bf16", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.torch:
        return run_torch(arguments)
    for shape in arguments.shapes.split(","):
        rows, length = map(int, shape.split("x"))
        found = {name: [] for name in RIVALS if name != arguments.without}
        for _ in range(arguments.rounds):
            for name in found:
                found[name].append(measure(*RIVALS[name], shape, arguments))
        base = [run["milliseconds_per_update"] for run in found["PyTorch fp32"]]
        print(f"\n{shape}: {rows * length} target tokens an update, {arguments.rounds} rounds")
        print("| | ms an update | target tokens/s | x PyTorch fp32 (of each round) | MiB |")
        print("|---|---|---|---|---|")
        for name, runs in found.items():
            times = [run["milliseconds_per_update"] for run in runs]
            ratios = ", ".join(f"{b / t:.2f}" for b, t in zip(base, times))
            median = statistics.median(times)
            memory = max(run["peak_rss_mib"] for run in runs)
            ratio = statistics.median(b / t for b, t in zip(base, times))
            print(f"| {name} | {median:.0f} | {rows * length / median * 1e3:.0f} | {ratio:.2f} ({ratios}) | {memory:.0f} |")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
