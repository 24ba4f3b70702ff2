"""T5's encoder: Raffel et al. 2020, arXiv:1910.10683; the layers of version 1.1 are gated.

Tensors have one set of names everywhere. The table of words is called `shared` and `encoder.embed_tokens`, and a file
has either name or both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from nodes.backend.fields import Field, Only, Real, Schema, Whole
from nodes.backend.headers import Shapes
from nodes.backend.networks.architecture import Architecture, Ignored, Settings, Spellings, Stored, Tensors

WIDTH = Whole(1, 16_384)

SCHEMA: Schema = {
    "vocab_size": Field(Whole(3, 1_000_000), 32128),
    "d_model": Field(WIDTH, 512),
    "d_kv": Field(Whole(1, 1024), 64),
    "d_ff": Field(Whole(1, 4 * WIDTH.most), 2048),
    "num_layers": Field(Whole(1, 256), 6),
    "num_heads": Field(Whole(1, 1024), 8),
    "relative_attention_num_buckets": Field(Whole(4, 4096), 32),
    "relative_attention_max_distance": Field(Whole(2, 1_000_000), 128),
    "layer_norm_epsilon": Field(Real(1e-12, 0.9), 1e-6),
    "feed_forward_proj": Field(Only("gated-gelu", "relu"), "relu"),
    "is_decoder": Field(Only(False), False),
}

TABLES = ("shared.weight", "encoder.embed_tokens.weight")
BIAS = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
QUERY = re.compile(r"encoder\.block\.\d+\.layer\.0\.SelfAttention\.q\.weight")
SHOWN = {
    **dict.fromkeys(TABLES, ("vocab_size", "d_model")),
    BIAS: ("relative_attention_num_buckets", "num_heads"),
    "encoder.block.0.layer.0.SelfAttention.q.weight": ("inner", "d_model"),
    "encoder.block.0.layer.1.DenseReluDense.wi.weight": ("d_ff", "d_model"),
    "encoder.block.0.layer.1.DenseReluDense.wi_0.weight": ("d_ff", "d_model"),
}
"""What the sides of a tensor are: settings, and the width of all heads together."""


def shapes(settings: Settings) -> Tensors:
    tensors = Tensors()
    width, inner, hidden = settings["d_model"], settings["num_heads"] * settings["d_kv"], settings["d_ff"]
    gated = settings["feed_forward_proj"] == "gated-gelu"
    for table in TABLES:
        tensors[table] = (settings["vocab_size"], width)
    # One table of distances, in the first block, serves all.
    tensors[BIAS] = (settings["relative_attention_num_buckets"], settings["num_heads"])
    for index in range(settings["num_layers"]):
        block = f"encoder.block.{index}.layer"
        for layer in "qkv":
            tensors.linear(f"{block}.0.SelfAttention.{layer}", width, inner, bias=False)
        tensors.linear(f"{block}.0.SelfAttention.o", inner, width, bias=False)
        tensors.scale(f"{block}.0.layer_norm", width)
        for layer in ("wi_0", "wi_1") if gated else ("wi",):
            tensors.linear(f"{block}.1.DenseReluDense.{layer}", width, hidden, bias=False)
        tensors.linear(f"{block}.1.DenseReluDense.wo", hidden, width, bias=False)
        tensors.scale(f"{block}.1.layer_norm", width)
    tensors.scale("encoder.final_layer_norm", width)
    return tensors


def spellings(_settings: Mapping[str, Any]) -> Spellings:
    """As the network names them; where a file has the table of words once, both of its names mean that."""

    def names(name: str) -> tuple[Stored, ...]:
        if name not in TABLES:
            return (Stored(name),)
        return (Stored(name), *(Stored(table) for table in TABLES if table != name))

    return names


def contradictions(settings: Settings) -> Iterator[str]:
    buckets, distance = settings["relative_attention_num_buckets"], settings["relative_attention_max_distance"]
    # Half of the buckets are for each direction, and half of those for one distance each; the others share the rest.
    if distance <= buckets // 4:
        yield (
            f"relative_attention_max_distance is {distance}; with {buckets} relative_attention_num_buckets it must be "
            f"above {buckets // 4}"
        )


def told(settings: Settings, found: Shapes) -> Settings:
    """The sizes that a file's tensors show; what they do not show, or show beyond its limits, stays as given."""
    sizes: Settings = {"num_layers": sum(map(bool, map(QUERY.fullmatch, found)))}
    for name, fields in SHOWN.items():
        shape = found.get(name, ())
        if len(shape) == len(fields):
            sizes |= dict(zip(fields, shape, strict=True))
            if gate := re.search(r"\.wi(_0)?\.weight", name):
                sizes["feed_forward_proj"] = "gated-gelu" if gate[1] else "relu"
    inner, heads = sizes.get("inner", 0), sizes.get("num_heads", 0)
    if heads and inner % heads == 0:
        sizes["d_kv"] = inner // heads
    return settings | {name: size for name, size in sizes.items() if name in SCHEMA and SCHEMA[name].kind.fits(size)}


ARCHITECTURE = Architecture(
    library_class="transformers:T5EncoderModel",
    schema=SCHEMA,
    shapes=shapes,
    spellings=spellings,
    contradictions=contradictions,
    told=told,
    ignored=(Ignored(r"decoder\..+|lm_head\.weight", "the half of T5 that writes texts"),),
    stem="model",
)
