#!/usr/bin/env python3
"""Golden values for recurrent layers: PyTorch's nn.RNN, nn.GRU and nn.LSTM, written to crates/model/tests/golden/.

    python3 -m venv /tmp/venv-torch
    /tmp/venv-torch/bin/pip install torch safetensors numpy
    /tmp/venv-torch/bin/python scripts/golden_cells.py            # writes the files
    /tmp/venv-torch/bin/python scripts/golden_cells.py --check    # compares with the files, to 1e-5, writes nothing

One layer in both directions over packed sentences, so that the last state of each is that of its own last word. Every file
cell_<kind>.safetensors holds, for the directions `forward` and `backward`:

    x [B, L, E], lengths [B]             sentences padded with 0 at the end
    <direction>.output [B, L, H]         zeros behind a sentence's end
    <direction>.hidden [B, H], .inner    the state behind the last word read; inner for the LSTM
    <direction>.input.weight, …          weights as [d_in, d_out] and biases; .recurrent likewise
    grad.<name>                          of the sum of outputs and last states, each times `upstream.<direction>.<name>`

Axes: B batch, L length, E numbers of an input, H of a state.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import safetensors.numpy
import torch

GOLDEN_FOLDER = Path(__file__).resolve().parent.parent / "crates" / "model" / "tests" / "golden"
TOLERANCE = 1e-5
KINDS = {"elman": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}
LENGTHS, WIDTH, HIDDEN = [6, 1, 4], 5, 7


def golden(kind):
    torch.manual_seed(sum(kind.encode()))
    layer = KINDS[kind](WIDTH, HIDDEN, batch_first=True, bidirectional=True)
    x = torch.randn(len(LENGTHS), max(LENGTHS), WIDTH)
    for row, length in enumerate(LENGTHS):
        x[row, length:] = 0
    x.requires_grad_()
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)
    outputs, last = layer(packed)
    outputs, _ = torch.nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True)
    states = dict(zip(["hidden", "inner"], last if kind == "lstm" else [last]))
    values = {"x": x, "lengths": torch.tensor(LENGTHS)}
    loss = 0
    for number, direction in enumerate(["forward", "backward"]):
        results = {"output": outputs[..., number * HIDDEN :][..., :HIDDEN]}
        results |= {name: state[number] for name, state in states.items()}
        for name, result in results.items():
            upstream = torch.randn(result.shape)
            loss = loss + (result * upstream).sum()
            values |= {f"{direction}.{name}": result, f"upstream.{direction}.{name}": upstream}
    loss.backward()
    values["grad.x"] = x.grad
    for number, direction in enumerate(["forward", "backward"]):
        suffix = "_l0" + "_reverse" * number
        for ours, theirs in {"input": "ih", "recurrent": "hh"}.items():
            for part in ["weight", "bias"]:
                parameter = getattr(layer, f"{part}_{theirs}{suffix}")
                name = f"{direction}.{ours}.{part}"
                values |= {name: parameter.t(), f"grad.{name}": parameter.grad.t()}
    return {name: np.ascontiguousarray(value.detach().numpy()) for name, value in values.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the files")
    check = parser.parse_args().check
    torch.set_num_threads(1)
    for kind in KINDS:
        file = GOLDEN_FOLDER / f"cell_{kind}.safetensors"
        found = golden(kind)
        if not check:
            safetensors.numpy.save_file(found, file)
            continue
        kept = safetensors.numpy.load_file(file)
        if kept.keys() != found.keys():
            sys.exit(f"{file} holds other tensors")
        for name, value in found.items():
            if not np.allclose(value, kept[name], rtol=TOLERANCE, atol=TOLERANCE):
                sys.exit(f"{file}: {name} differs")
    print("the files hold these values" if check else f"written to {GOLDEN_FOLDER}")


if __name__ == "__main__":
    main()
