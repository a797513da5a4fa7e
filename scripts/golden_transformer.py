#!/usr/bin/env python3
"""Golden values for the Transformer: small models in plain PyTorch, written to crates/model/tests/golden/.

    python3 -m venv /tmp/venv-torch
    /tmp/venv-torch/bin/pip install torch safetensors numpy
    /tmp/venv-torch/bin/python scripts/golden_transformer.py            # writes the files
    /tmp/venv-torch/bin/python scripts/golden_transformer.py --check    # compares with the files, writes nothing

Float32 on one CPU thread with fixed seeds: a second run on the same machine writes the same bytes. Another version of
PyTorch or another CPU may round differently, so `--check` compares values, to 1e-5.

Every file <variant>.safetensors holds, with its hyper-parameters as strings in the metadata:

    source [B, S], target_input [B, T], target_output [B, T]   i64, padded with 0
    memory [B, S, D]     what the decoder attends to (behind the final norm of a pre-norm encoder)
    logits [B, T, V]
    nll [1]              mean of -log p(y) over target tokens that are not padding
    loss [1]             the same, label-smoothed
    <weight> and grad.<weight>   the gradient is that of `loss`

Values at padded positions of `memory` and `logits` are what comes out when padding is embedded like any token and
padded keys are masked everywhere, decoder self-attention included. They reach neither the loss nor a gradient.

A linear map is stored as [d_in, d_out], so y = x W + b. This is Burn's layout and the transpose of PyTorch's.

Tying with position_merge = "concat": an embedding is d_model / 2 wide and the decoder's state h is d_model wide, so
h E^T does not exist. The input is [embedding; position]; mirrored, the output matrix is [E; 0], that is
logits = h[:d_model / 2] E^T.

Axes: B batch, S source length, T target length, D d_model, H heads, K d_model / H, V target vocabulary.
"""

import argparse
import json
import math
import struct
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import safetensors.numpy
import torch
import torch.nn.functional as F

PAD, UNK, BOS, EOS = 0, 1, 2, 3
FIRST_WORD = 4
LABEL_SMOOTHING = 0.1
LAYER_NORM_EPSILON = 1e-5
TOLERANCE = 1e-5
GOLDEN_FOLDER = Path(__file__).resolve().parent.parent / "crates" / "model" / "tests" / "golden"


@dataclass(frozen=True)
class Config:
    """The `[model]` section of a config file, and what the tokenizer adds to it."""

    seed: int
    d_model: int
    n_heads: int
    d_ff: int
    norm: str  # post | pre
    activation: str  # relu | gelu | swiglu
    tie: str  # none | target | all
    position_merge: str  # sum | concat
    source_vocabulary: int
    target_vocabulary: int
    encoder_layers: int = 2
    decoder_layers: int = 2

    @property
    def embedding_width(self):
        return self.d_model if self.position_merge == "sum" else self.d_model // 2


VARIANTS = {
    "post_relu_all": Config(1, 16, 4, 40, "post", "relu", "all", "sum", 32, 32),
    "pre_gelu_none": Config(2, 16, 2, 40, "pre", "gelu", "none", "sum", 29, 37),
    "post_swiglu_target_concat": Config(3, 24, 3, 32, "post", "swiglu", "target", "concat", 28, 36),
    "post_swiglu_none_concat": Config(4, 24, 3, 32, "post", "swiglu", "none", "concat", 28, 36),
}


# ---- the model -------------------------------------------------------------------------------------------------------


def linear(w, name, x):
    """x W + b; `w` maps the name of a weight to its tensor."""
    return x @ w[f"{name}.weight"] + w[f"{name}.bias"]


def layer_norm(w, name, x):
    """gamma (x - mean) / sqrt(variance + epsilon) + beta, with the biased variance."""
    mean = x.mean(dim=-1, keepdim=True)
    variance = ((x - mean) ** 2).mean(dim=-1, keepdim=True)
    return w[f"{name}.gamma"] * (x - mean) / torch.sqrt(variance + LAYER_NORM_EPSILON) + w[f"{name}.beta"]


def positional_encoding(length, width):
    """PE(pos, 2i) = sin(pos / 10000^(2i/width)), PE(pos, 2i+1) = cos(pos / 10000^(2i/width)), pos from 0."""
    position = torch.arange(length, dtype=torch.float64)[:, None]  # [length, 1]
    two_i = torch.arange(0, width, 2, dtype=torch.float64)  # [width / 2]
    angle = position / 10000 ** (two_i / width)  # [length, width / 2]
    pairs = torch.stack([torch.sin(angle), torch.cos(angle)], dim=-1)  # [length, width / 2, 2]
    return pairs.reshape(length, width).float()


def embed(w, name, config, tokens):
    """Embedding times the square root of its width, summed or concatenated with the position."""
    batch, length = tokens.shape
    embedding = w[f"{name}.weight"][tokens] * math.sqrt(config.embedding_width)
    position = positional_encoding(length, config.embedding_width)
    if config.position_merge == "sum":
        return embedding + position  # [B, length, D]
    return torch.cat([embedding, position.expand(batch, -1, -1)], dim=-1)  # [B, length, D]


def attention(q, k, v, masked):
    """softmax(Q K^T / sqrt(d_k)) V; `masked` is true where a query must not see a key."""
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])  # [B, H, queries, keys]
    return torch.softmax(scores.masked_fill(masked, -math.inf), dim=-1) @ v  # [B, H, queries, K]


def multi_head_attention(w, name, n_heads, x, memory, masked):
    """Queries from `x`, keys and values from `memory`; `masked` [B, 1, 1 or queries, keys]."""

    def heads(y):
        batch, length, d_model = y.shape
        return y.reshape(batch, length, n_heads, d_model // n_heads).transpose(1, 2)  # [B, H, length, K]

    q = heads(linear(w, f"{name}.query", x))
    k = heads(linear(w, f"{name}.key", memory))
    v = heads(linear(w, f"{name}.value", memory))
    context = attention(q, k, v, masked).transpose(1, 2).reshape(x.shape)  # [B, queries, D]
    return linear(w, f"{name}.output", context)


def feed_forward(w, name, activation, x):
    inner = linear(w, f"{name}.inner", x)
    if activation == "relu":
        inner = torch.relu(inner)
    elif activation == "gelu":
        inner = 0.5 * inner * (1 + torch.erf(inner / math.sqrt(2)))
    else:
        gate = linear(w, f"{name}.gate", x)
        inner = gate * torch.sigmoid(gate) * inner
    return linear(w, f"{name}.outer", inner)


def add_and_norm(w, name, config, x, sublayer):
    """norm(x + sublayer(x)) as in the paper, or x + sublayer(norm(x))."""
    if config.norm == "post":
        return layer_norm(w, name, x + sublayer(x))
    return x + sublayer(layer_norm(w, name, x))


def encoder_layer(w, name, config, x, source_padding):
    def self_attention(y):
        return multi_head_attention(w, f"{name}.self_attention", config.n_heads, y, y, source_padding)

    x = add_and_norm(w, f"{name}.self_attention_norm", config, x, self_attention)
    return add_and_norm(
        w, f"{name}.feed_forward_norm", config, x, lambda y: feed_forward(w, f"{name}.feed_forward", config.activation, y)
    )


def decoder_layer(w, name, config, x, memory, target_masked, source_padding):
    def self_attention(y):
        return multi_head_attention(w, f"{name}.self_attention", config.n_heads, y, y, target_masked)

    def cross_attention(y):
        return multi_head_attention(w, f"{name}.cross_attention", config.n_heads, y, memory, source_padding)

    x = add_and_norm(w, f"{name}.self_attention_norm", config, x, self_attention)
    x = add_and_norm(w, f"{name}.cross_attention_norm", config, x, cross_attention)
    return add_and_norm(
        w, f"{name}.feed_forward_norm", config, x, lambda y: feed_forward(w, f"{name}.feed_forward", config.activation, y)
    )


def encode(w, config, source):
    padding = (source == PAD)[:, None, None, :]  # [B, 1, 1, S]
    x = embed(w, "source_embedding", config, source)
    for i in range(config.encoder_layers):
        x = encoder_layer(w, f"encoder.layers.{i}", config, x, padding)
    return layer_norm(w, "encoder.norm", x) if config.norm == "pre" else x  # [B, S, D]


def decode(w, config, target_input, memory, source):
    length = target_input.shape[1]
    future = torch.triu(torch.ones(length, length, dtype=torch.bool), diagonal=1)  # [T, T]
    target_masked = future | (target_input == PAD)[:, None, None, :]  # [B, 1, T, T]
    source_padding = (source == PAD)[:, None, None, :]  # [B, 1, 1, S]
    x = embed(w, "source_embedding" if config.tie == "all" else "target_embedding", config, target_input)
    for i in range(config.decoder_layers):
        x = decoder_layer(w, f"decoder.layers.{i}", config, x, memory, target_masked, source_padding)
    return layer_norm(w, "decoder.norm", x) if config.norm == "pre" else x  # [B, T, D]


def project(w, config, x):
    if config.tie == "none":
        return x @ w["output.weight"]  # [B, T, V]
    embedding = w["source_embedding.weight" if config.tie == "all" else "target_embedding.weight"]
    return x[..., : config.embedding_width] @ embedding.T  # [B, T, V]


def losses(logits, target_output):
    """(loss, nll): (1 - eps) (-log p(y)) + eps mean_v(-log p(v)), and -log p(y), both averaged over real tokens."""
    surprise = -torch.log_softmax(logits, dim=-1)  # [B, T, V]
    nll = surprise.gather(-1, target_output[..., None])[..., 0]  # [B, T]
    smoothed = (1 - LABEL_SMOOTHING) * nll + LABEL_SMOOTHING * surprise.mean(dim=-1)
    real = target_output != PAD
    return smoothed[real].mean(), nll[real].mean()


# ---- weights and batch -----------------------------------------------------------------------------------------------


def weight_shapes(config):
    """Name and shape of every weight."""
    d_model = config.d_model
    shapes = {"source_embedding.weight": (config.source_vocabulary, config.embedding_width)}
    if config.tie != "all":
        shapes["target_embedding.weight"] = (config.target_vocabulary, config.embedding_width)
    if config.tie == "none":
        shapes["output.weight"] = (d_model, config.target_vocabulary)

    def add_linear(name, d_in, d_out):
        shapes.update({f"{name}.weight": (d_in, d_out), f"{name}.bias": (d_out,)})

    def add_norm(name):
        shapes.update({f"{name}.gamma": (d_model,), f"{name}.beta": (d_model,)})

    for stack, layers, attentions in [
        ("encoder", config.encoder_layers, ["self_attention"]),
        ("decoder", config.decoder_layers, ["self_attention", "cross_attention"]),
    ]:
        for layer in (f"{stack}.layers.{i}" for i in range(layers)):
            for name in attentions:
                for part in ["query", "key", "value", "output"]:
                    add_linear(f"{layer}.{name}.{part}", d_model, d_model)
                add_norm(f"{layer}.{name}_norm")
            add_linear(f"{layer}.feed_forward.inner", d_model, config.d_ff)
            if config.activation == "swiglu":
                add_linear(f"{layer}.feed_forward.gate", d_model, config.d_ff)
            add_linear(f"{layer}.feed_forward.outer", config.d_ff, d_model)
            add_norm(f"{layer}.feed_forward_norm")
        if config.norm == "pre":
            add_norm(f"{stack}.norm")
    return shapes


def random_weights(config, random):
    """Every weight differs from a usual start (no bias of 0, no gamma of 1), so that none can be forgotten unseen."""
    weights = {}
    for name, shape in weight_shapes(config).items():
        values = torch.randn(shape, generator=random)
        if name.endswith("embedding.weight"):
            values = values / math.sqrt(config.embedding_width)
        elif name.endswith(".weight"):
            values = values / math.sqrt(shape[0])
        elif name.endswith(".gamma"):
            values = 1 + 0.2 * values
        else:
            values = 0.2 * values
        weights[name] = values.requires_grad_()
    return weights


def random_batch(config, random):
    """Four pairs: every length differs, one source and one target has length 1, both sides are padded."""

    def words(vocabulary, count):
        return torch.randint(FIRST_WORD, vocabulary, (count,), generator=random).tolist()

    source, target_input, target_output = [], [], []
    for source_words, target_words in [(6, 4), (3, 0), (0, 7), (5, 2)]:
        source.append(words(config.source_vocabulary, source_words) + [EOS])
        target = words(config.target_vocabulary, target_words)
        target_input.append([BOS] + target)
        target_output.append(target + [EOS])
    source[0][2] = UNK
    target_input[2][4] = target_output[2][3] = UNK

    def padded(rows):
        length = max(map(len, rows))
        return torch.tensor([row + [PAD] * (length - len(row)) for row in rows], dtype=torch.int64)

    return padded(source), padded(target_input), padded(target_output)


# ---- checks against PyTorch's own layers -----------------------------------------------------------------------------


def assert_close(what, ours, theirs):
    difference = (ours - theirs).abs().max().item()
    assert difference <= TOLERANCE, f"{what} differs from PyTorch by {difference:.2e}, the limit is {TOLERANCE:.0e}"


def torch_layer(w, name, config, kind):
    """An nn.TransformerEncoderLayer or nn.TransformerDecoderLayer with our weights."""
    layer = kind(
        config.d_model,
        config.n_heads,
        config.d_ff,
        dropout=0.0,
        activation=config.activation,
        layer_norm_eps=LAYER_NORM_EPSILON,
        batch_first=True,
        norm_first=config.norm == "pre",
    )
    attentions = {"self_attn": "self_attention"}
    norms = {"norm1": "self_attention_norm", "norm2": "feed_forward_norm"}
    if kind is torch.nn.TransformerDecoderLayer:
        attentions["multihead_attn"] = "cross_attention"
        norms = {"norm1": "self_attention_norm", "norm2": "cross_attention_norm", "norm3": "feed_forward_norm"}
    state = {}
    for theirs, ours in attentions.items():
        parts = [f"{name}.{ours}.{part}" for part in ["query", "key", "value"]]
        state[f"{theirs}.in_proj_weight"] = torch.cat([w[f"{part}.weight"].T for part in parts])
        state[f"{theirs}.in_proj_bias"] = torch.cat([w[f"{part}.bias"] for part in parts])
        state[f"{theirs}.out_proj.weight"] = w[f"{name}.{ours}.output.weight"].T
        state[f"{theirs}.out_proj.bias"] = w[f"{name}.{ours}.output.bias"]
    for theirs, ours in {"linear1": "inner", "linear2": "outer"}.items():
        state[f"{theirs}.weight"] = w[f"{name}.feed_forward.{ours}.weight"].T
        state[f"{theirs}.bias"] = w[f"{name}.feed_forward.{ours}.bias"]
    for theirs, ours in norms.items():
        state[f"{theirs}.weight"] = w[f"{name}.{ours}.gamma"]
        state[f"{theirs}.bias"] = w[f"{name}.{ours}.beta"]
    layer.load_state_dict(state)  # strict: every weight of PyTorch's layer is given, and no other
    return layer


def check_layers(w, config, source, target_input):
    """Both stacks against PyTorch's layers; these know ReLU and GELU, not SwiGLU."""
    x = embed(w, "source_embedding", config, source)
    for i in range(config.encoder_layers):
        layer = torch_layer(w, f"encoder.layers.{i}", config, torch.nn.TransformerEncoderLayer)
        x = layer(x, src_key_padding_mask=source == PAD)
    if config.norm == "pre":
        x = F.layer_norm(x, (config.d_model,), w["encoder.norm.gamma"], w["encoder.norm.beta"], LAYER_NORM_EPSILON)
    memory = encode(w, config, source)
    assert_close("memory", memory, x)

    length = target_input.shape[1]
    future = torch.triu(torch.ones(length, length, dtype=torch.bool), diagonal=1)
    x = embed(w, "source_embedding" if config.tie == "all" else "target_embedding", config, target_input)
    for i in range(config.decoder_layers):
        layer = torch_layer(w, f"decoder.layers.{i}", config, torch.nn.TransformerDecoderLayer)
        x = layer(
            x,
            memory,
            tgt_mask=future,
            tgt_key_padding_mask=target_input == PAD,
            memory_key_padding_mask=source == PAD,
        )
    if config.norm == "pre":
        x = F.layer_norm(x, (config.d_model,), w["decoder.norm.gamma"], w["decoder.norm.beta"], LAYER_NORM_EPSILON)
    assert_close("the decoder's state", decode(w, config, target_input, memory, source), x)


def check_losses(logits, target_output, loss, nll):
    rows, targets = logits.flatten(0, 1), target_output.flatten()
    theirs = F.cross_entropy(rows, targets, ignore_index=PAD, label_smoothing=LABEL_SMOOTHING)
    assert_close("the smoothed loss", loss, theirs)
    assert_close("the plain loss", nll, F.cross_entropy(rows, targets, ignore_index=PAD))


def check_padding(w, config, source, target_input, logits):
    """One row alone and unpadded gives the same logits as in the batch."""
    for row in range(source.shape[0]):
        alone_source = source[row][source[row] != PAD][None]
        alone_target = target_input[row][target_input[row] != PAD][None]
        state = decode(w, config, alone_target, encode(w, config, alone_source), alone_source)
        assert_close("a row without padding", project(w, config, state)[0], logits[row, : alone_target.shape[1]])


# ---- files -----------------------------------------------------------------------------------------------------------


def golden(config):
    """All tensors of one file, as numpy arrays."""
    random = torch.Generator().manual_seed(config.seed)
    w = random_weights(config, random)
    source, target_input, target_output = random_batch(config, random)
    memory = encode(w, config, source)
    logits = project(w, config, decode(w, config, target_input, memory, source))
    loss, nll = losses(logits, target_output)
    loss.backward()

    with torch.no_grad():
        if config.activation != "swiglu":
            check_layers(w, config, source, target_input)
        check_losses(logits, target_output, loss, nll)
        check_padding(w, config, source, target_input, logits)

    tensors = {"source": source, "target_input": target_input, "target_output": target_output}
    tensors |= {"memory": memory, "logits": logits, "loss": loss.reshape(1), "nll": nll.reshape(1)}
    tensors |= w | {f"grad.{name}": weight.grad for name, weight in w.items()}
    return {name: tensor.detach().contiguous().numpy() for name, tensor in tensors.items()}


def metadata(name, config):
    values = {"variant": name, "pad": PAD, "unk": UNK, "bos": BOS, "eos": EOS}
    values |= {"label_smoothing": LABEL_SMOOTHING, "layer_norm_epsilon": LAYER_NORM_EPSILON, "output_bias": "none"}
    return {key: str(value) for key, value in sorted((asdict(config) | values).items())}


def to_safetensors(tensors, metadata):
    """The bytes of a safetensors file, written here because the library's order of metadata varies between runs."""
    dtypes = {"int64": "I64", "float32": "F32"}
    header, data = {"__metadata__": metadata}, b""
    # Eight-byte elements first, so that every tensor is aligned to its elements.
    for name, array in sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0])):
        offsets = [len(data), len(data) + array.nbytes]
        header[name] = {"dtype": dtypes[array.dtype.name], "shape": list(array.shape), "data_offsets": offsets}
        data += array.astype(array.dtype.newbyteorder("<")).tobytes()
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)
    return struct.pack("<Q", len(encoded)) + encoded + data


def differences(path, tensors):
    """What of the file at `path` is not what `tensors` says, in words."""
    if not path.exists():
        return ["the file does not exist"]
    stored = safetensors.numpy.load_file(path)
    found = [f"{name} is in only one of the two" for name in sorted(stored.keys() ^ tensors.keys())]
    for name in sorted(stored.keys() & tensors.keys()):
        ours, theirs = tensors[name], stored[name]
        if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
            found.append(f"{name} is {theirs.dtype} {theirs.shape}, expected {ours.dtype} {ours.shape}")
        elif not np.allclose(ours, theirs, rtol=0, atol=TOLERANCE):
            found.append(f"{name} differs by {np.abs(ours - theirs).max():.2e}, the limit is {TOLERANCE:.0e}")
    return found


def main():
    parser = argparse.ArgumentParser(description="Writes the golden values of the Transformer tests.")
    parser.add_argument("--check", action="store_true", help="compare with the files and write nothing")
    parser.add_argument("--output", type=Path, default=GOLDEN_FOLDER, help="folder of the files (%(default)s)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)

    failed = False
    for name, config in VARIANTS.items():
        tensors = golden(config)
        path = arguments.output / f"{name}.safetensors"
        loss = f"loss {tensors['loss'][0]:.6f}, nll {tensors['nll'][0]:.6f}"
        if arguments.check:
            found = differences(path, tensors)
            failed |= bool(found)
            print(f"{name}: {loss}: {'; '.join(found) if found else 'as stored'}")
        else:
            arguments.output.mkdir(parents=True, exist_ok=True)
            path.write_bytes(to_safetensors(tensors, metadata(name, config)))
            assert not differences(path, tensors), f"{path} does not read back as it was written"
            print(f"{name}: {loss}, {len(tensors)} tensors, {path.stat().st_size / 1024:.0f} KiB")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
