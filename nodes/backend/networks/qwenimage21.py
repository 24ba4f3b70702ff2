"""Qwen-Image 2.1's transformer: one stream of text and pictures, in which each sees what comes before it.

Pictures to work from stand in the text where the language model saw them, and the picture being made comes last; only
its tokens are told the noise level. Original names are diffusers', but that a feed-forward has its first two layers in
one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nodes.backend.fields import Each, Either, Field, Flag, Only, Schema, Whole
from nodes.backend.headers import Shapes
from nodes.backend.networks import rotary
from nodes.backend.networks.architecture import (
    CHANNELS,
    EPS,
    HEADS,
    Architecture,
    Settings,
    Spellings,
    Stored,
    Tensors,
)
from nodes.backend.networks.mmdit import HEAD_CHANNELS, MOST_LAYERS, TIME_CHANNELS, Sizes, known, told_heads, width
from nodes.backend.networks.rotary import NUM_AXES

SLOT = 2
"""Latent pixels a side that a place in the text stands for."""

MODULATIONS = 4
"""A scale and a gate for the attention and for the feed-forward, the same for all blocks."""

MOST_PLACES = 8192
"""In a text and, from its middle, in a picture: those that positions are computed for ahead."""

SETTINGS: Schema = {
    "patch_size": Field(Only(1), 1),
    "in_channels": Field(CHANNELS, 64),
    "out_channels": Field(Either(CHANNELS, Only(None)), 64),
    "num_layers": Field(Whole(1, MOST_LAYERS), 32),
    "attention_head_dim": Field(HEAD_CHANNELS, 128),
    "num_attention_heads": Field(HEADS, 32),
    "context_in_dim": Field(CHANNELS, 4096),
    "mlp_ratio": Field(Whole(1, 64), 3),
    "axes_dims_rope": Field(Each(Whole(2, HEAD_CHANNELS.most), NUM_AXES), (16, 56, 56)),
    "eps": Field(EPS, 1e-6),
    "causal_condition": Field(Flag(), True),
}

GATE, UP = "img_mlp.gate_layer", "img_mlp.proj"
FUSED = "img_mlp.gate_up"


def _shapes(settings: Settings) -> Tensors:
    tensors, w, hidden = Tensors(), width(settings), _hidden(settings)
    tensors.linear("time_text_embed.timestep_embedder.linear_1", TIME_CHANNELS, w, bias=False)
    tensors.linear("time_text_embed.timestep_embedder.linear_2", w, w, bias=False)
    tensors.scale("txt_in.text_norm", settings["context_in_dim"])
    tensors.linear("txt_in.in_layer", settings["context_in_dim"], w, bias=False)
    tensors.linear("txt_in.out_layer", w, w, bias=False)
    tensors.linear("img_in", settings["in_channels"], w, bias=False)
    tensors.linear("modulation.1", w, MODULATIONS * w, bias=False)
    for index in range(settings["num_layers"]):
        block = f"transformer_blocks.{index}"
        for layer in ("to_q", "to_k", "to_v", "to_out.0"):
            tensors.linear(f"{block}.attn.{layer}", w, w, bias=False)
        tensors.scale(f"{block}.attn.norm_q", settings["attention_head_dim"])
        tensors.scale(f"{block}.attn.norm_k", settings["attention_head_dim"])
        tensors.linear(f"{block}.{GATE}", w, hidden, bias=False)
        tensors.linear(f"{block}.{UP}", w, hidden, bias=False)
        tensors.linear(f"{block}.img_mlp.out", hidden, w, bias=False)
    tensors.linear("norm_out.linear", w, w, bias=False)
    tensors.linear("proj_out", w, settings["out_channels"] or settings["in_channels"], bias=False)
    return tensors


def _hidden(settings: Mapping[str, Any]) -> int:
    return width(settings) * settings["mlp_ratio"]


def _contradictions(settings: Settings) -> Iterator[str]:
    axes, head = settings["axes_dims_rope"], settings["attention_head_dim"]
    if not rotary.fits(axes, head):
        yield f"axes_dims_rope is {axes}; it must be {NUM_AXES} even numbers that add up to attention_head_dim, {head}"


def _spellings(settings: Mapping[str, Any]) -> Spellings:
    hidden = _hidden(settings)

    def spelled(name: str) -> tuple[Stored, ...]:
        for number, layer in enumerate((GATE, UP)):
            if name.endswith(f".{layer}.weight"):
                rows = number * hidden, (number + 1) * hidden
                return Stored(name), Stored(name.replace(layer, FUSED), rows=rows)
        return (Stored(name),)

    return spelled


def _told(settings: Settings, found: Shapes) -> Settings:
    sizes = Sizes(_spellings(settings), found)
    w, head = sizes("img_in.weight", 0), sizes("transformer_blocks.0.attn.norm_q.weight", 0)
    hidden, out = sizes("transformer_blocks.0.img_mlp.out.weight", 1), sizes("proj_out.weight", 0)
    return {
        **settings,
        **told_heads(settings, w, head),
        **known(
            in_channels=sizes("img_in.weight", 1),
            out_channels=out,
            context_in_dim=sizes("txt_in.in_layer.weight", 1),
            mlp_ratio=hidden // w if w and hidden and not hidden % w else None,
        ),
        "num_layers": sizes.count("transformer_blocks.{}.attn.norm_q.weight"),
        "axes_dims_rope": rotary.shared_out(settings["axes_dims_rope"], head or 0, 56),
    }


ARCHITECTURE = Architecture(
    "nodes.backend.qwen_transformers:QwenImage21Transformer2DModel",
    SETTINGS,
    _shapes,
    _spellings,
    _contradictions,
    _told,
)
