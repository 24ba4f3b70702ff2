"""The transformers of Flux.1 (dev, schnell, Fill, Kontext, Canny, Depth) and their ControlNets, union ones too.

Original names: Black Forest Labs' flux (model.py, modules/layers.py); of ControlNets, XLabs' x-flux (controlnet.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import isqrt
from typing import Any

from nodes.backend.fields import Each, Either, Field, Flag, Only, Schema, Whole
from nodes.backend.headers import Shapes
from nodes.backend.networks import rotary
from nodes.backend.networks.architecture import Architecture, Settings, Shape, Spellings, Stored, Tensors
from nodes.backend.networks.mmdit import (
    ADDED_QKV,
    CHANNELS,
    HEAD_CHANNELS,
    HEADS,
    MLP_RATIO,
    MOST_LAYERS,
    QKV,
    Sizes,
    attention,
    feed_forward,
    known,
    third,
    time_and_text,
    told_heads,
    width,
)
from nodes.backend.networks.rotary import NUM_AXES

PATCH = 2
"""Latent pixels a side that make a token."""

LATENT_CHANNELS, FACTOR = 16, 8
TOKEN_CHANNELS = LATENT_CHANNELS * PATCH**2
FILL_CHANNELS = 2 * TOKEN_CHANNELS + (FACTOR * PATCH) ** 2
"""Of Fill, which is shown the rest of a picture too, and of its mask every pixel."""

HINT_CHANNELS, HINT_CONVOLUTIONS = 16, 6

_NETWORK: Schema = {
    "in_channels": Field(CHANNELS, 64),
    "attention_head_dim": Field(HEAD_CHANNELS, 128),
    "num_attention_heads": Field(HEADS, 24),
    "joint_attention_dim": Field(CHANNELS, 4096),
    "pooled_projection_dim": Field(CHANNELS, 768),
    "guidance_embeds": Field(Flag(), False),
    "axes_dims_rope": Field(Each(Whole(2, HEAD_CHANNELS.most), NUM_AXES), (16, 56, 56)),
}

SETTINGS: Schema = {
    **_NETWORK,
    "patch_size": Field(Only(1), 1),
    "out_channels": Field(Either(CHANNELS, Only(None)), None),
    "num_layers": Field(Whole(1, MOST_LAYERS), 19),
    "num_single_layers": Field(Whole(1, MOST_LAYERS), 38),
}

CONTROLNET_SETTINGS: Schema = {
    **_NETWORK,
    "patch_size": Field(Only(1, 2), 1),
    "num_layers": Field(Whole(0, MOST_LAYERS), 19),
    "num_single_layers": Field(Whole(0, MOST_LAYERS), 38),
    "num_mode": Field(Either(Whole(1, 1000), Only(None)), None),
    "conditioning_embedding_channels": Field(Either(CHANNELS, Only(None)), None),
}
"""patch_size: how many pixels of a read hint make a token, each way; of latents, tokens are made outside."""


# Tensors ---------------------------------------------------------------------------------------------------


def transformer(settings: Settings) -> Mapping[str, Shape]:
    tensors, w = _body(settings), width(settings)
    tensors.linear("norm_out.linear", w, 2 * w)
    tensors.linear("proj_out", w, settings["out_channels"] or settings["in_channels"])
    return tensors


def controlnet(settings: Settings) -> Mapping[str, Shape]:
    tensors, w = _body(settings), width(settings)
    for layer in range(settings["num_layers"]):
        tensors.linear(f"controlnet_blocks.{layer}", w, w)
    for layer in range(settings["num_single_layers"]):
        tensors.linear(f"controlnet_single_blocks.{layer}", w, w)
    if settings["num_mode"] is not None:
        tensors["controlnet_mode_embedder.weight"] = (settings["num_mode"], w)
    if (channels := settings["conditioning_embedding_channels"]) is not None:
        tensors.conv("input_hint_block.conv_in", 3, HINT_CHANNELS)
        for number in range(HINT_CONVOLUTIONS):
            tensors.conv(f"input_hint_block.blocks.{number}", HINT_CHANNELS, HINT_CHANNELS)
        tensors.conv("input_hint_block.conv_out", HINT_CHANNELS, channels)
    tensors.linear("controlnet_x_embedder", settings["in_channels"], w)
    return tensors


def _body(settings: Settings) -> Tensors:
    """All but what comes out at the end."""
    tensors, w = Tensors(), width(settings)
    time_and_text(tensors, settings, guidance=settings["guidance_embeds"])
    tensors.linear("context_embedder", settings["joint_attention_dim"], w)
    tensors.linear("x_embedder", settings["in_channels"], w)
    for layer in range(settings["num_layers"]):
        block = f"transformer_blocks.{layer}"
        # A shift, a scale and a gate, for the attention and for the feed-forward.
        tensors.linear(f"{block}.norm1.linear", w, 6 * w)
        tensors.linear(f"{block}.norm1_context.linear", w, 6 * w)
        attention(tensors, f"{block}.attn", settings, norm=True, added=True)
        tensors.linear(f"{block}.attn.to_add_out", w, w)
        feed_forward(tensors, f"{block}.ff", w)
        feed_forward(tensors, f"{block}.ff_context", w)
    for layer in range(settings["num_single_layers"]):
        block = f"single_transformer_blocks.{layer}"
        tensors.linear(f"{block}.norm.linear", w, 3 * w)
        attention(tensors, f"{block}.attn", settings, norm=True, added=False, out=False)
        tensors.linear(f"{block}.proj_mlp", w, MLP_RATIO * w)
        tensors.linear(f"{block}.proj_out", (1 + MLP_RATIO) * w, w)
    return tensors


def _contradictions(settings: Settings) -> Iterator[str]:
    axes, head = settings["axes_dims_rope"], settings["attention_head_dim"]
    if not rotary.fits(axes, head):
        yield f"axes_dims_rope is {axes}; it must be {NUM_AXES} even numbers that add up to attention_head_dim, {head}"


def _controlnet_contradictions(settings: Settings) -> Iterator[str]:
    yield from _contradictions(settings)
    if not settings["num_layers"] + settings["num_single_layers"]:
        yield "num_layers and num_single_layers are both 0"
    patch, channels = settings["patch_size"], settings["conditioning_embedding_channels"]
    if channels is not None and patch * patch * channels != settings["in_channels"]:
        yield (
            f"conditioning_embedding_channels {channels} x patch_size {patch} x {patch} is not in_channels, "
            f"{settings['in_channels']}"
        )


# Names in files --------------------------------------------------------------------------------------------

ENDS = {
    "time_text_embed.timestep_embedder.linear_1": "time_in.in_layer",
    "time_text_embed.timestep_embedder.linear_2": "time_in.out_layer",
    "time_text_embed.guidance_embedder.linear_1": "guidance_in.in_layer",
    "time_text_embed.guidance_embedder.linear_2": "guidance_in.out_layer",
    "time_text_embed.text_embedder.linear_1": "vector_in.in_layer",
    "time_text_embed.text_embedder.linear_2": "vector_in.out_layer",
    "context_embedder": "txt_in",
    "x_embedder": "img_in",
    "norm_out.linear": "final_layer.adaLN_modulation.1",
    "proj_out": "final_layer.linear",
}
CONTROLNET_ENDS = {
    "controlnet_x_embedder": "pos_embed_input",
    "input_hint_block.conv_in": "input_hint_block.0",
    **{f"input_hint_block.blocks.{n}": f"input_hint_block.{2 * n + 2}" for n in range(HINT_CONVOLUTIONS)},
    "input_hint_block.conv_out": f"input_hint_block.{2 * HINT_CONVOLUTIONS + 2}",
}
"""XLabs number the activations between the convolutions too."""

DOUBLE = {
    "norm1.linear": "img_mod.lin",
    "norm1_context.linear": "txt_mod.lin",
    "attn.to_out.0": "img_attn.proj",
    "attn.to_add_out": "txt_attn.proj",
    "attn.norm_q": "img_attn.norm.query_norm",
    "attn.norm_k": "img_attn.norm.key_norm",
    "attn.norm_added_q": "txt_attn.norm.query_norm",
    "attn.norm_added_k": "txt_attn.norm.key_norm",
    "ff.net.0.proj": "img_mlp.0",
    "ff.net.2": "img_mlp.2",
    "ff_context.net.0.proj": "txt_mlp.0",
    "ff_context.net.2": "txt_mlp.2",
}
SINGLE = {
    "norm.linear": "modulation.lin",
    "proj_out": "linear2",
    "attn.norm_q": "norm.query_norm",
    "attn.norm_k": "norm.key_norm",
}
BLOCK = re.compile(r"(single_)?transformer_blocks\.(\d+)\.(.+)\.(weight|bias)")


def _spellings(settings: Mapping[str, Any]) -> Spellings:
    return _spelled(width(settings), ENDS)


def _controlnet_spellings(settings: Mapping[str, Any]) -> Spellings:
    return _spelled(width(settings), ENDS | CONTROLNET_ENDS)


def _spelled(w: int, ends: Mapping[str, str]) -> Spellings:
    def spelled(name: str) -> tuple[Stored, ...]:
        if match := BLOCK.fullmatch(name):
            is_single, layer, inner, kind = match.groups()
            if is_single:
                return Stored(name), *_in_single_block(f"single_blocks.{layer}", inner, kind, w)
            return Stored(name), *_in_double_block(f"double_blocks.{layer}", inner, kind, w)
        layer, _, kind = name.rpartition(".")
        if layer not in ends:
            return (Stored(name),)
        # Here it is the scale first, then the shift.
        return Stored(name), Stored(f"{ends[layer]}.{kind}", change="swapped" if layer == "norm_out.linear" else "")

    return spelled


def _in_double_block(block: str, inner: str, kind: str, w: int) -> tuple[Stored, ...]:
    if inner in QKV:
        return (third(f"{block}.img_attn.qkv.{kind}", QKV[inner], w),)
    if inner in ADDED_QKV:
        return (third(f"{block}.txt_attn.qkv.{kind}", ADDED_QKV[inner], w),)
    return _layer(f"{block}.{DOUBLE[inner]}", kind)


def _in_single_block(block: str, inner: str, kind: str, w: int) -> tuple[Stored, ...]:
    if inner in QKV:
        return (third(f"{block}.linear1.{kind}", QKV[inner], w),)
    if inner == "proj_mlp":
        return (Stored(f"{block}.linear1.{kind}", rows=(len(QKV) * w, (len(QKV) + MLP_RATIO) * w)),)
    return _layer(f"{block}.{SINGLE[inner]}", kind)


def _layer(layer: str, kind: str) -> tuple[Stored, ...]:
    """The weight of a norm is its scale, except in files that ComfyUI has written."""
    kinds = ("scale", kind) if layer.endswith("_norm") else (kind,)
    return tuple(Stored(f"{layer}.{kind}") for kind in kinds)


# What a file tells -----------------------------------------------------------------------------------------


def _told(settings: Settings, found: Shapes) -> Settings:
    sizes = Sizes(_spellings(settings), found)
    told = settings | _told_alike(settings, sizes)
    if outputs := sizes("proj_out.weight", 0):
        told["out_channels"] = None if outputs == told["in_channels"] else outputs
    return told


def _told_controlnet(settings: Settings, found: Shapes) -> Settings:
    sizes = Sizes(_controlnet_spellings(settings), found)
    told = settings | _told_alike(settings, sizes)
    channels = sizes("input_hint_block.conv_out.weight", 0)
    return told | {
        "num_mode": sizes("controlnet_mode_embedder.weight", 0),
        "conditioning_embedding_channels": channels,
        "patch_size": isqrt(told["in_channels"] // channels) if channels else 1,
    }


def _told_alike(settings: Settings, sizes: Sizes) -> Settings:
    """What transformers and ControlNets tell in the same way."""
    double, single = "transformer_blocks.{}.attn.norm_q.weight", "single_transformer_blocks.{}.attn.norm_q.weight"
    head = sizes(double.format(0), 0) or sizes(single.format(0), 0)
    heads = told_heads(settings, sizes("x_embedder.weight", 0), head)
    return {
        **heads,
        **known(
            in_channels=sizes("x_embedder.weight", 1),
            joint_attention_dim=sizes("context_embedder.weight", 1),
            pooled_projection_dim=sizes("time_text_embed.text_embedder.linear_1.weight", 1),
        ),
        "num_layers": sizes.count(double),
        "num_single_layers": sizes.count(single),
        "guidance_embeds": "time_text_embed.guidance_embedder.linear_1.weight" in sizes,
        "axes_dims_rope": rotary.shared_out(settings["axes_dims_rope"], heads.get("attention_head_dim", 0), 56),
    }


ARCHITECTURE = Architecture(
    "diffusers.models.transformers.transformer_flux:FluxTransformer2DModel",
    SETTINGS,
    transformer,
    _spellings,
    _contradictions,
    _told,
)
CONTROLNET = Architecture(
    "diffusers.models.controlnets.controlnet_flux:FluxControlNetModel",
    CONTROLNET_SETTINGS,
    controlnet,
    _controlnet_spellings,
    _controlnet_contradictions,
    _told_controlnet,
)
