"""The transformer of Flux.2 (Klein and dev): blocks of two streams, then of one, all modulated by the same few layers.

Original names: Black Forest Labs' flux2 (model.py), as ComfyUI's files have them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nodes.backend.fields import Each, Either, Field, Flag, Only, Real, Schema, Whole
from nodes.backend.headers import Shapes
from nodes.backend.networks.architecture import EPS, Architecture, Settings, Shape, Spellings, Stored, Tensors
from nodes.backend.networks.mmdit import (
    ADDED_QKV,
    CHANNELS,
    HEAD_CHANNELS,
    HEADS,
    MOST_LAYERS,
    QKV,
    Sizes,
    known,
    third,
    told_heads,
    width,
)

NUM_AXES = 4
"""Which picture, row, column, place in the text: each turns its share of a head's channels (arXiv:2104.09864)."""

LATENT_CHANNELS, FACTOR = 128, 16
"""Of the latents as they are denoised: the autoencoder's 32 channels at 8 pixels, 2 x 2 of them in one."""

SETTINGS: Schema = {
    "patch_size": Field(Only(1), 1),
    "in_channels": Field(CHANNELS, 128),
    "out_channels": Field(Either(CHANNELS, Only(None)), None),
    "num_layers": Field(Whole(1, MOST_LAYERS), 8),
    "num_single_layers": Field(Whole(1, MOST_LAYERS), 48),
    "attention_head_dim": Field(HEAD_CHANNELS, 128),
    "num_attention_heads": Field(HEADS, 48),
    "joint_attention_dim": Field(CHANNELS, 15_360),
    "timestep_guidance_channels": Field(Whole(2, 16_384), 256),
    "mlp_ratio": Field(Real(0.01, 100), 3.0),
    "axes_dims_rope": Field(Each(Whole(2, HEAD_CHANNELS.most), NUM_AXES), (32, 32, 32, 32)),
    "rope_theta": Field(Real(1.0, 1e9), 2000),
    "eps": Field(EPS, 1e-6),
    "guidance_embeds": Field(Flag(), True),
}


# Tensors ---------------------------------------------------------------------------------------------------


def _shapes(settings: Settings) -> Mapping[str, Shape]:
    tensors, w = _Layers(), width(settings)
    head, inner = settings["attention_head_dim"], _inner(settings)
    for name in ("timestep", *(("guidance",) if settings["guidance_embeds"] else ())):
        tensors.layer(f"time_guidance_embed.{name}_embedder.linear_1", settings["timestep_guidance_channels"], w)
        tensors.layer(f"time_guidance_embed.{name}_embedder.linear_2", w, w)
    # A shift, a scale and a gate, for the attention and for the feed-forward.
    tensors.layer("double_stream_modulation_img.linear", w, 6 * w)
    tensors.layer("double_stream_modulation_txt.linear", w, 6 * w)
    tensors.layer("single_stream_modulation.linear", w, 3 * w)
    tensors.layer("x_embedder", settings["in_channels"], w)
    tensors.layer("context_embedder", settings["joint_attention_dim"], w)
    for number in range(settings["num_layers"]):
        block = f"transformer_blocks.{number}"
        for layer in ("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out"):
            tensors.layer(f"{block}.attn.{layer}", w, w)
        for norm in ("norm_q", "norm_k", "norm_added_q", "norm_added_k"):
            tensors.scale(f"{block}.attn.{norm}", head)
        for stream in ("ff", "ff_context"):
            tensors.layer(f"{block}.{stream}.linear_in", w, 2 * inner)  # a gate too
            tensors.layer(f"{block}.{stream}.linear_out", inner, w)
    for number in range(settings["num_single_layers"]):
        block = f"single_transformer_blocks.{number}.attn"
        tensors.layer(f"{block}.to_qkv_mlp_proj", w, 3 * w + 2 * inner)
        tensors.layer(f"{block}.to_out", w + inner, w)
        tensors.scale(f"{block}.norm_q", head)
        tensors.scale(f"{block}.norm_k", head)
    tensors.layer("norm_out.linear", w, 2 * w)
    tensors.layer("proj_out", w, settings["out_channels"] or settings["in_channels"])
    return tensors


class _Layers(Tensors):
    """None of the network's layers has a bias."""

    def layer(self, name: str, inputs: int, outputs: int) -> None:
        self.linear(name, inputs, outputs, bias=False)


def _inner(settings: Mapping[str, Any]) -> int:
    """How wide the feed-forward layers are inside."""
    return int(width(settings) * settings["mlp_ratio"])


def _contradictions(settings: Settings) -> Iterator[str]:
    axes, head = settings["axes_dims_rope"], settings["attention_head_dim"]
    if not _fits(axes, head):
        yield f"axes_dims_rope is {axes}; it must be {NUM_AXES} even numbers that add up to attention_head_dim, {head}"
    if not _inner(settings):
        yield f"mlp_ratio {settings['mlp_ratio']} leaves nothing of width {width(settings)}"
    if settings["timestep_guidance_channels"] % 2:
        yield f"timestep_guidance_channels is {settings['timestep_guidance_channels']}, which is odd"


def _fits(axes: Sequence[int], head: int) -> bool:
    return len(axes) == NUM_AXES and sum(axes) == head and all(axis % 2 == 0 for axis in axes)


# Names in files --------------------------------------------------------------------------------------------

ENDS = {
    "time_guidance_embed.timestep_embedder.linear_1": "time_in.in_layer",
    "time_guidance_embed.timestep_embedder.linear_2": "time_in.out_layer",
    "time_guidance_embed.guidance_embedder.linear_1": "guidance_in.in_layer",
    "time_guidance_embed.guidance_embedder.linear_2": "guidance_in.out_layer",
    "double_stream_modulation_img.linear": "double_stream_modulation_img.lin",
    "double_stream_modulation_txt.linear": "double_stream_modulation_txt.lin",
    "single_stream_modulation.linear": "single_stream_modulation.lin",
    "x_embedder": "img_in",
    "context_embedder": "txt_in",
    "norm_out.linear": "final_layer.adaLN_modulation.1",
    "proj_out": "final_layer.linear",
}
DOUBLE = {
    "attn.to_out.0": "img_attn.proj",
    "attn.to_add_out": "txt_attn.proj",
    "attn.norm_q": "img_attn.norm.query_norm",
    "attn.norm_k": "img_attn.norm.key_norm",
    "attn.norm_added_q": "txt_attn.norm.query_norm",
    "attn.norm_added_k": "txt_attn.norm.key_norm",
    "ff.linear_in": "img_mlp.0",
    "ff.linear_out": "img_mlp.2",
    "ff_context.linear_in": "txt_mlp.0",
    "ff_context.linear_out": "txt_mlp.2",
}
SINGLE = {
    "attn.to_qkv_mlp_proj": "linear1",
    "attn.to_out": "linear2",
    "attn.norm_q": "norm.query_norm",
    "attn.norm_k": "norm.key_norm",
}
BLOCK = re.compile(r"(single_)?transformer_blocks\.(\d+)\.(.+)\.weight")


def _spellings(settings: Mapping[str, Any]) -> Spellings:
    w = width(settings)

    def spelled(name: str) -> tuple[Stored, ...]:
        if match := BLOCK.fullmatch(name):
            is_single, number, inner = match.groups()
            if is_single:
                return Stored(name), *_layer(f"single_blocks.{number}.{SINGLE[inner]}")
            return Stored(name), *_in_double_block(f"double_blocks.{number}", inner, w)
        layer, _, kind = name.rpartition(".")
        if layer not in ENDS:
            return (Stored(name),)
        # Here it is the scale first, then the shift.
        return Stored(name), Stored(f"{ENDS[layer]}.{kind}", change="swapped" if layer == "norm_out.linear" else "")

    return spelled


def _in_double_block(block: str, inner: str, w: int) -> tuple[Stored, ...]:
    if inner in QKV:
        return (third(f"{block}.img_attn.qkv.weight", QKV[inner], w),)
    if inner in ADDED_QKV:
        return (third(f"{block}.txt_attn.qkv.weight", ADDED_QKV[inner], w),)
    return _layer(f"{block}.{DOUBLE[inner]}")


def _layer(layer: str) -> tuple[Stored, ...]:
    """The weight of a norm is its scale, except in files that ComfyUI has written."""
    kinds = ("scale", "weight") if layer.endswith("_norm") else ("weight",)
    return tuple(Stored(f"{layer}.{kind}") for kind in kinds)


# What a file tells -----------------------------------------------------------------------------------------


def _told(settings: Settings, found: Shapes) -> Settings:
    sizes = Sizes(_spellings(settings), found)
    double, single = "transformer_blocks.{}.attn.norm_q.weight", "single_transformer_blocks.{}.attn.norm_q.weight"
    head = sizes(double.format(0), 0) or sizes(single.format(0), 0)
    heads = told_heads(settings, w := sizes("x_embedder.weight", 0), head)
    inner, channels = sizes("transformer_blocks.0.ff.linear_out.weight", 1), sizes("x_embedder.weight", 1)
    outputs = sizes("proj_out.weight", 0)
    return {
        **settings,
        **heads,
        **known(
            in_channels=channels,
            joint_attention_dim=sizes("context_embedder.weight", 1),
            timestep_guidance_channels=sizes("time_guidance_embed.timestep_embedder.linear_1.weight", 1),
        ),
        "out_channels": None if outputs == channels else outputs,
        "mlp_ratio": _ratio(settings["mlp_ratio"], inner, w),
        "num_layers": sizes.count(double),
        "num_single_layers": sizes.count(single),
        "guidance_embeds": "time_guidance_embed.guidance_embedder.linear_1.weight" in sizes,
        "axes_dims_rope": _axes(settings["axes_dims_rope"], heads.get("attention_head_dim", 0)),
    }


def _ratio(given: float, inner: int | None, w: int | None) -> float:
    """As given where it fits. inner: the width inside of feed-forward layers, w times the ratio rounded down."""
    if not inner or not w or int(w * given) == inner:
        return given
    return inner / w


def _axes(given: list[int], head: int) -> list[int]:
    """How a head's channels are shared out, which no tensor tells: as given, or all axes about the same, evenly."""
    if not head or _fits(given, head):
        return given
    each = 2 * (head // (2 * NUM_AXES))
    return [head - (NUM_AXES - 1) * each, each, each, each]


ARCHITECTURE = Architecture(
    "diffusers.models.transformers.transformer_flux2:Flux2Transformer2DModel",
    SETTINGS,
    _shapes,
    _spellings,
    _contradictions,
    _told,
)
