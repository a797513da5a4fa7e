#!/usr/bin/env python3
"""Training speed of `ember train` and of Eole, the same model and text, in turn, in real target tokens a second.

    python3 scripts/compare_eole.py --install       # once: Eole 0.6.4 into a virtual environment outside of the repository
    python3 scripts/compare_eole.py [--ember target/release/ember] [--rounds 3] [--updates 54]

Eole is the successor of OpenNMT-py, on PyTorch. Both train the model of configs/multi30k-tiny.toml on its corpus, which
`scripts/download.sh multi30k-tok` fetches: a Transformer of 4 + 4 layers, d_model 128, d_ff 256, 4 heads, all embeddings tied,
pre-norm, dropout 0.3 everywhere, label smoothing 0.1, Adam with the same learning rates, updates of 8192 tokens in two
micro-batches; the numbers of parameters must be equal.

The sub-words are the same: EmberNMT learns them, this script cuts the text by its tokenizer.json, compares the number of
tokens with EmberNMT's, and gives Eole text and vocabulary. Both sort a whole epoch by length. Eole limits a batch by the
longer of the two sides, so its `batch_size` is larger for about as many real target tokens. Its sources have no token for the
end of the sentence, ours do. Its settings are those that are fast on a CPU: no log of the attention's entropy, batches made in
the same process. `torch_compile` is left out, because Eole 0.6.4 cannot save a model with tied embeddings then.

"Memory kept" means two environment variables by which glibc does not give freed memory back to the system after every batch.
PyTorch is much faster so; EmberNMT needs none. The rows without are Eole as it is started by most.

Real target tokens are those that are predicted: sub-words and ends of sentences, no padding. One clock is used for both: this
script notes when an update is reported, so that waiting for batches counts. The first updates are left out. There is no
validation. 54 updates are one epoch. Rivals run one after the other in every round, each in a process of its own; the table
has the median over rounds, the mean loss of the last updates (label-smoothed, a token), and the largest resident memory.

The usual PyTorch brings 5 GB of libraries for GPUs; set PIP_EXTRA_INDEX_URL to PyTorch's own index of builds for CPUs before
`--install` to do without.
"""

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "configs" / "multi30k-tiny.toml"
CORPUS = ROOT / "data" / "multi30k-tok" / "train"
EOLE = "0.6.4"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
WARM_UP = 5
BATCH, ACCUMULATE = 4880, 2  # an epoch then has as many batches as ours
LOSS_OF = 10  # the last updates, whose mean loss is shown

# glibc then keeps freed memory for the next batch instead of giving it back to the system.
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}

# What the config has otherwise.
SAME_AS_EOLE = {
    "training.stop_after": "1000000u",
    "validation.every": "1000000u",
    "training.batch_tokens": 8192,
    "training.accumulate": 2,
    "training.schedule": '{ kind = "inverse-sqrt", peak = 5e-3, warmup = 2000 }',
    "model.attention_dropout": 0.3,
    "model.feed_forward_dropout": 0.3,
}

# name: (who, settings, environment variables)
RIVALS = {
    "Eole fp32, memory kept": ("eole", {}, KEEP_MEMORY),
    "EmberNMT fp32": ("ember", {"training.precision": "fp32"}, {}),
    "Eole bf16 autocast, memory kept": ("eole", {"compute_dtype": "bf16"}, KEEP_MEMORY),
    "EmberNMT bf16": ("ember", {"training.precision": "bf16"}, {}),
    "Eole fp32": ("eole", {}, {}),
    "Eole bf16 autocast": ("eole", {"compute_dtype": "bf16"}, {}),
}


def eole_config(settings, folder, updates, arguments):
    """configs/multi30k-tiny.toml in Eole's words."""
    warm_up, peak, width = 2000, 5e-3, 128
    return {
        "seed": 1,
        "src_vocab": str(arguments.work / "vocabulary"),
        "share_vocab": True,
        "vocab_size_multiple": 1,
        "data": {"train": {"path_src": str(arguments.work / "train.en"), "path_tgt": str(arguments.work / "train.de")}},
        "transforms": [],
        "report_every": 10,
        "model": {
            "architecture": "transformer",
            "layers": 4,
            "hidden_size": width,
            "heads": 4,
            "transformer_ff": 256,
            "mlp_activation_fn": "relu",
            "layer_norm": "standard",
            "add_qkvbias": True,
            "add_final_linear_bias": True,
            "add_ffnbias": True,
            "generator_bias": False,
            "share_embeddings": True,
            "share_decoder_embeddings": True,
            "embeddings": {"word_vec_size": width, "position_encoding_type": "SinusoidalInterleaved"},
        },
        "training": {
            "model_path": str(folder / "model"),
            "world_size": 0,
            "gpu_ranks": [],
            "compute_dtype": "fp32",
            "batch_type": "tokens",
            "batch_size": arguments.batch,
            "accum_count": [arguments.accumulate],
            "bucket_size": Path(f"{CORPUS}.en").read_bytes().count(b"\n"),  # an epoch
            "num_workers": arguments.workers,
            "normalization": "tokens",
            "dropout": [0.3],
            "attention_dropout": [0.3],
            "label_smoothing": 0.1,
            "param_init": 0,
            "param_init_method": "xavier_uniform",
            "optim": "adam",
            "adam_beta1": 0.9,
            "adam_beta2": 0.98,
            "adam_eps": 1e-9,
            "max_grad_norm": 25.0,
            # The inverse square root after a linear warm-up, with the peak that ours has.
            "decay_method": "noam",
            "warmup_steps": warm_up,
            "learning_rate": peak * (width * warm_up) ** 0.5,
            "log_attention_entropy": False,
            "train_steps": updates,
            "valid_steps": 10 * updates,
            "save_checkpoint_steps": 10 * updates,
            **settings,
        },
    }


def run_eole(arguments):
    """`eole train`, in Eole's own Python: what an update held is written down after each one."""
    from eole.bin.main import main as eole
    from eole.trainer import Trainer

    train_step = Trainer._train_step
    report = open(arguments.report, "w", buffering=1)

    def recorded(self, batches, normalization, total_stats, report_stats, **rest):
        loss, eoles_count = total_stats.loss, total_stats.n_tokens
        train_step(self, batches, normalization, total_stats, report_stats, **rest)
        # The first target token, <s>, is given and not predicted.
        outputs = [batch["tgt"][:, 1:] for batch in batches]
        target_tokens = sum(output.ne(self.train_loss.padding_idx).sum().item() for output in outputs)
        update = {
            "loss": (total_stats.loss - loss) / target_tokens,
            "sentences": sum(len(output) for output in outputs),
            "target_tokens": target_tokens,
            "target_tokens_by_eole": total_stats.n_tokens - eoles_count,
            "target_cells": sum(output.numel() for output in outputs),
            "source_tokens": sum(batch["srclen"].sum().item() for batch in batches),
            "source_cells": sum(batch["src"].numel() for batch in batches),
        }
        report.write(json.dumps(update) + "\n")

    Trainer._train_step = recorded
    sys.argv = ["eole", "train", "-config", arguments.eole]
    eole()


def watch(command, report, updates, folder, variables, interrupt):
    """Runs until `updates` are reported: gives each with the time it was seen at, what was printed, and the peak MiB."""
    log = folder / "log"
    with open(log, "wb") as output:
        child = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **variables})
    file, line, seen, pid = None, "", [], 0
    try:
        while not pid:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if file is None and report.exists():
                file = open(report)
            while file and (part := file.readline()):
                line += part
                if line.endswith("\n"):
                    seen.append((time.monotonic(), json.loads(line)))
                    line = ""
            if not pid and interrupt and len(seen) >= updates:
                os.kill(child.pid, signal.SIGTERM)
                interrupt = False
            time.sleep(0.01)
        child.returncode = os.waitstatus_to_exitcode(status)
    finally:
        if not pid:
            child.kill()
            child.wait()
    printed = log.read_text(errors="replace")
    if child.returncode != 0 or len(seen) < updates:
        ended = f"ended with {child.returncode} after {len(seen)} of {updates} updates"
        last = "\n".join(printed.splitlines()[-20:])
        sys.exit(f"{' '.join(map(str, command))} {ended}:\n{last}")
    return seen[:updates], printed, usage.ru_maxrss / 1024


def train_ember(settings, variables, folder, updates, arguments):
    settings = {**SAME_AS_EOLE, "training.precision": "fp32", **settings}
    run = folder / "run"
    command = [arguments.ember, "train", str(CONFIG), "--device", "flex", "--run-dir", str(run)]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    folder.mkdir(parents=True)
    variables = {"RAYON_NUM_THREADS": str(arguments.threads), **variables}
    # It is interrupted, for at the proper end there would be a validation.
    return watch(command, run / "metrics.jsonl", updates, folder, variables, interrupt=True)


def train_eole(settings, variables, folder, updates, arguments):
    folder.mkdir(parents=True)
    config, report = folder / "config.yaml", folder / "updates.jsonl"
    config.write_text(json.dumps(eole_config(settings, folder, updates, arguments), indent=2))  # JSON is YAML
    command = [python_of(arguments.venv), __file__, "--eole", str(config), "--report", str(report)]
    threads = str(arguments.threads)
    variables = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "CUDA_VISIBLE_DEVICES": "", **variables}
    return watch(command, report, updates, folder, variables, interrupt=False)


def measure(name, number, arguments):
    who, settings, variables = RIVALS[name]
    folder = arguments.work / "runs" / f"{number} {name}"
    train = train_eole if who == "eole" else train_ember
    seen, printed, memory = train(settings, variables, folder, WARM_UP + arguments.updates, arguments)
    seconds = seen[-1][0] - seen[WARM_UP - 1][0]
    updates = [update for _, update in seen[WARM_UP:]]

    def total(key):
        return sum(update[key] for update in updates)

    if who == "eole":
        padding = [100 * (1 - total(f"{side}_tokens") / total(f"{side}_cells")) for side in ("source", "target")]
        if total("target_tokens") != total("target_tokens_by_eole"):
            print(f"{name}: Eole itself counts {total('target_tokens_by_eole')} target tokens", file=sys.stderr)
    else:
        padding = re.search(r"padding ([\d.]+) % of the source, ([\d.]+) % of the target", printed).groups()
    last = updates[-LOSS_OF:]
    found = {
        "parameters": int(re.search(r"number of parameters: (\d+)|(\d+) parameters", printed).expand(r"\1\2")),
        "milliseconds_per_update": seconds / len(updates) * 1e3,
        "target_tokens_per_second": total("target_tokens") / seconds,
        "target_tokens_per_update": total("target_tokens") / len(updates),
        "padding": [float(share) for share in padding],
        "loss": sum(u["loss"] * u["target_tokens"] for u in last) / sum(u["target_tokens"] for u in last),
        "peak_rss_mib": memory,
    }
    print(f"round {number}, {name}: {found['target_tokens_per_second']:.0f} target tokens/s", file=sys.stderr)
    return found


def cut(word, ranks):
    """The sub-words of a word, as subword-nmt cuts it: the earliest merge first, wherever it is possible."""
    pieces = [*word[:-1], word[-1] + " "]
    while len(pieces) > 1:
        first = min(zip(pieces, pieces[1:]), key=lambda pair: ranks.get(pair, len(ranks)))
        if first not in ranks:
            break
        merged = []
        for piece in pieces:
            if merged and (merged[-1], piece) == first:
                merged[-1] += piece
            else:
                merged.append(piece)
        pieces = merged
    return pieces


def prepare(arguments):
    """Lets EmberNMT learn the sub-words, and writes text and vocabulary for Eole."""
    folder = arguments.work / "runs" / "sub-words"
    train_ember({}, {}, folder, 1, arguments)
    run = folder / "run"
    [tokenizer] = json.loads((run / "tokenizer.json").read_text(encoding="utf-8"))["sides"]
    alphabet, merges = list(tokenizer["alphabet"]), [tuple(pair) for pair in tokenizer["merges"]]
    texts = alphabet + [" "] + [f"{character} " for character in alphabet] + [left + right for left, right in merges]
    pieces = [f"<0x{byte:02X}>" for byte in range(256)] + list(dict.fromkeys(texts))
    ranks = {}
    for rank, pair in enumerate(merges):
        ranks.setdefault(pair, rank)

    def written(piece):
        return piece.replace(" ", "</w>")

    vocabulary = "".join(f"{written(piece)}\n" for piece in pieces)
    (arguments.work / "vocabulary").write_text(vocabulary, encoding="utf-8")
    counted, words = json.loads((run / "data.json").read_text()), {}
    for side, language in (("source", "en"), ("target", "de")):
        tokens = 0
        text = Path(f"{CORPUS}.{language}").read_text(encoding="utf-8").split("\n")[:-1]
        with open(arguments.work / f"train.{language}", "w", encoding="utf-8") as segmented:
            for line in text:
                line = [word for word in line.split(" ") if word]
                for word in line:
                    if word not in words:
                        words[word] = [written(piece) for piece in cut(word, ranks)]
                line = [piece for word in line for piece in words[word]]
                segmented.write(" ".join(line) + "\n")
                tokens += len(line)
        if tokens != counted[f"{side}_tokens"]:
            ours = counted[f"{side}_tokens"]
            sys.exit(f"{CORPUS}.{language}: this script cuts it into {tokens} sub-words, EmberNMT into {ours}")


def python_of(venv):
    return str(venv / "bin" / "python")


def install(venv):
    for command in (
        [sys.executable, "-m", "venv", str(venv)],
        # Eole's command needs aiohttp, which it does not ask for.
        [python_of(venv), "-m", "pip", "install", f"eole=={EOLE}", "aiohttp"],
    ):
        if subprocess.run(command).returncode != 0:
            sys.exit(f"{' '.join(command)} failed")
    print(f"Eole is in {venv}: run this script without --install")


def versions(venv):
    """Of Eole and PyTorch, where they are there."""
    hint = f"hint: --install puts Eole there; --venv names a virtual environment that has eole=={EOLE}"
    if not Path(python_of(venv)).exists():
        sys.exit(f"there is no virtual environment in {venv}\n{hint}")
    code = "from importlib.metadata import version as v; print(v('eole'), v('torch'))"
    done = subprocess.run([python_of(venv), "-c", code], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{venv} has no Eole\n{hint}")
    eole, torch = done.stdout.split()
    if eole != EOLE:
        sys.exit(f"{venv} has Eole {eole}, not the {EOLE} that this script knows\n{hint}")
    return f"Eole {eole}, PyTorch {torch}"


def check(arguments):
    """Says what is missing before anything is run."""
    if not Path(arguments.ember).exists():
        sys.exit(f"{arguments.ember} is not there\nhint: cargo build --release, or name the binary with --ember")
    if not Path(f"{CORPUS}.en").exists():
        sys.exit(f"{CORPUS}.en is not there\nhint: scripts/download.sh multi30k-tok")
    if arguments.baseline in arguments.without:
        sys.exit(f"--without leaves out {arguments.baseline}, which the ratios are to\nhint: name another --baseline")
    if arguments.work.is_relative_to(ROOT):
        sys.exit(f"--work {arguments.work} lies in the repository\nhint: name a folder outside of it")
    if (arguments.work / "runs").exists():
        sys.exit(f"{arguments.work} holds an earlier comparison\nhint: remove it, or name another folder with --work")


def compare(arguments):
    prepare(arguments)
    found = {name: [] for name in RIVALS if name not in arguments.without}
    for number in range(1, arguments.rounds + 1):
        for name in found:
            found[name].append(measure(name, number, arguments))
    sizes = {name: runs[0]["parameters"] for name, runs in found.items()}
    if len(set(sizes.values())) != 1:
        sys.exit(f"the models differ in their number of parameters: {sizes}")
    return found, set(sizes.values()).pop()


def print_table(found, baseline):
    base = [run["target_tokens_per_second"] for run in found[baseline]]
    print(f"| | target tokens/s | x {baseline} (of each round) | ms an update | target tokens an update |", end="")
    print(" padding, source and target | loss | MiB |")
    print("|---|---|---|---|---|---|---|---|")
    for name, runs in found.items():

        def median(key):
            return statistics.median(run[key] for run in runs)

        ratios = [run["target_tokens_per_second"] / b for run, b in zip(runs, base)]
        source, target = runs[0]["padding"]
        cells = [
            name,
            f"{median('target_tokens_per_second'):,.0f}",
            f"{statistics.median(ratios):.2f} ({', '.join(f'{ratio:.2f}' for ratio in ratios)})",
            f"{median('milliseconds_per_update'):,.0f}",
            f"{median('target_tokens_per_update'):,.0f}",
            f"{source:.1f} %, {target:.1f} %",
            f"{median('loss'):.3f}",
            f"{max(run['peak_rss_mib'] for run in runs):,.0f}",
        ]
        print(f"| {' | '.join(cells)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ember", default=str(ROOT / "target" / "release" / "ember"), help="the binary")
    parser.add_argument("--venv", type=Path, default=CACHE / "ember-nmt" / f"eole-{EOLE}", help="where Eole is")
    parser.add_argument("--install", action="store_true", help="make that virtual environment, and end")
    parser.add_argument("--work", type=Path, help="an empty folder for runs and text, kept; else a temporary one")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=54, help="of each measurement, warm-up not counted")
    parser.add_argument("--threads", type=int, default=2, help="of both")
    parser.add_argument("--batch", type=int, default=BATCH, help="Eole's batch_size, in tokens")
    parser.add_argument("--accumulate", type=int, default=ACCUMULATE, help="such batches of an update of Eole")
    parser.add_argument("--workers", type=int, default=0, help="processes that make batches for Eole")
    name = {"choices": RIVALS, "metavar": "NAME"}
    parser.add_argument("--without", action="append", default=[], help="a rival to leave out; may be repeated", **name)
    parser.add_argument("--baseline", default=next(iter(RIVALS)), help="whose speed is 1 in the table", **name)
    parser.add_argument("--eole", help=argparse.SUPPRESS)
    parser.add_argument("--report", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.eole:
        return run_eole(arguments)
    if arguments.install:
        return install(arguments.venv)
    with tempfile.TemporaryDirectory(prefix="ember-eole-") as temporary:
        arguments.work = (arguments.work or Path(temporary)).resolve()
        check(arguments)
        rivals = versions(arguments.venv)
        found, parameters = compare(arguments)
    print(f"{rivals}; {parameters:,} parameters, {arguments.updates} updates, {arguments.rounds} rounds")
    print_table(found, arguments.baseline)


if __name__ == "__main__":
    main()
