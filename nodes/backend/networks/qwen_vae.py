"""The autoencoder of Qwen-Image, made for films, of which a picture is one frame: Wu et al. 2025 (arXiv:2508.02324).

Its network and its original names are those of Wan 2.1: Wan team 2025 (arXiv:2503.20314), wan/modules/vae.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from nodes.backend.fields import Each, Field, Flag, Only, Real, Schema, Whole
from nodes.backend.headers import Shapes
from nodes.backend.networks.architecture import (
    CHANNELS,
    LAYERS,
    Architecture,
    Settings,
    Spellings,
    Stored,
    Tensors,
)
from nodes.backend.networks.mmdit import Sizes, known

MAX_LEVELS = 8
MAX_LATENT = 1024


@dataclass(frozen=True, slots=True)
class Nothing:
    """An empty list."""

    def fits(self, value: Any) -> bool:
        return value == []

    def __str__(self) -> str:
        return "an empty list"


MEAN = (
    *(-0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508),
    *(0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921),
)
STD = (
    *(2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743),
    *(3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160),
)
"""Of each channel of the published network's latents."""

SETTINGS: Schema = {
    "base_dim": Field(CHANNELS, 96),
    "z_dim": Field(Whole(1, MAX_LATENT), 16),
    "dim_mult": Field(Each(Whole(1, 64), MAX_LEVELS), (1, 2, 4, 4)),
    "num_res_blocks": Field(LAYERS, 2),
    "attn_scales": Field(Nothing(), ()),
    "temperal_downsample": Field(Each(Flag(), MAX_LEVELS), (False, True, True)),
    "dropout": Field(Real(0.0, 1.0), 0.0),
    "input_channels": Field(Only(3), 3),
    "latents_mean": Field(Each(Real(-1e4, 1e4), MAX_LATENT), MEAN),
    "latents_std": Field(Each(Real(1e-4, 1e4), MAX_LATENT), STD),
}


def contradictions(settings: Settings) -> Iterator[str]:
    levels, halvings = settings["dim_mult"], settings["temperal_downsample"]
    if len(halvings) != len(levels) - 1:
        yield f"temperal_downsample has {len(halvings)} values; it must have one fewer than dim_mult, {len(levels) - 1}"
    for name in ("latents_mean", "latents_std"):
        if (count := len(settings[name])) != settings["z_dim"]:
            yield f"{name} has {count} values; it must have one for each of the z_dim channels, {settings['z_dim']}"
    if any(settings["base_dim"] * mult % 2 for mult in levels[1:]):
        yield f"base_dim {settings['base_dim']} times one of dim_mult is odd, and must be halved"


# Tensors ---------------------------------------------------------------------------------------------------


def _shapes(settings: Settings) -> Tensors:
    tensors = Tensors()
    base, z, blocks = settings["base_dim"], settings["z_dim"], settings["num_res_blocks"]
    mults, in_time = settings["dim_mult"], settings["temperal_downsample"]
    widths = [base * mult for mult in mults]
    add_film(tensors, "encoder.conv_in", settings["input_channels"], base)
    _down(tensors, [base, *widths], blocks, in_time)
    add_film(tensors, "decoder.conv_in", z, widths[-1])
    _up(tensors, widths, blocks, in_time[::-1])
    for half, width, channels in (
        ("encoder", widths[-1], 2 * z),  # mean and variance
        ("decoder", widths[0], settings["input_channels"]),
    ):
        add_middle(tensors, f"{half}.mid_block", widths[-1])
        add_scale(tensors, f"{half}.norm_out", width)
        add_film(tensors, f"{half}.conv_out", width, channels)
    add_film(tensors, "quant_conv", 2 * z, 2 * z, 1)
    add_film(tensors, "post_quant_conv", z, z, 1)
    return tensors


def _down(tensors: Tensors, widths: Sequence[int], blocks: int, in_time: Sequence[bool]) -> None:
    """All blocks are in one list."""
    number = 0
    for level, (before, width) in enumerate(pairwise(widths)):
        for block in range(blocks):
            add_block(tensors, f"encoder.down_blocks.{number}", before if block == 0 else width, width)
            number += 1
        if level < len(in_time):
            name = f"encoder.down_blocks.{number}"
            tensors.conv(f"{name}.resample.1", width, width)
            if in_time[level]:
                add_time(tensors, f"{name}.time_conv", width, width)
            number += 1


def _up(tensors: Tensors, widths: Sequence[int], blocks: int, in_time: Sequence[bool]) -> None:
    before = widths[-1]
    for level, width in enumerate(reversed(widths)):
        for block in range(blocks + 1):
            add_block(tensors, f"decoder.up_blocks.{level}.resnets.{block}", before if block == 0 else width, width)
        if level < len(in_time):
            name = f"decoder.up_blocks.{level}.upsamplers.0"
            tensors.conv(f"{name}.resample.1", width, width // 2)
            if in_time[level]:
                add_time(tensors, f"{name}.time_conv", width, 2 * width)
        before = width // 2


def add_middle(tensors: Tensors, name: str, width: int) -> None:
    add_block(tensors, f"{name}.resnets.0", width, width)
    add_block(tensors, f"{name}.resnets.1", width, width)
    tensors[f"{name}.attentions.0.norm.gamma"] = (width, 1, 1)
    tensors.conv(f"{name}.attentions.0.to_qkv", width, 3 * width, 1)
    tensors.conv(f"{name}.attentions.0.proj", width, width, 1)


def add_block(tensors: Tensors, name: str, inputs: int, outputs: int) -> None:
    add_scale(tensors, f"{name}.norm1", inputs)
    add_film(tensors, f"{name}.conv1", inputs, outputs)
    add_scale(tensors, f"{name}.norm2", outputs)
    add_film(tensors, f"{name}.conv2", outputs, outputs)
    if inputs != outputs:
        add_film(tensors, f"{name}.conv_shortcut", inputs, outputs, 1)


def add_film(tensors: Tensors, name: str, inputs: int, outputs: int, kernel: int = 3) -> None:
    """A convolution over frames, rows and columns."""
    tensors[f"{name}.weight"] = (outputs, inputs, kernel, kernel, kernel)
    tensors[f"{name}.bias"] = (outputs,)


def add_time(tensors: Tensors, name: str, inputs: int, outputs: int) -> None:
    """A convolution over frames alone."""
    tensors[f"{name}.weight"] = (outputs, inputs, 3, 1, 1)
    tensors[f"{name}.bias"] = (outputs,)


def add_scale(tensors: Tensors, name: str, channels: int) -> None:
    tensors[f"{name}.gamma"] = (channels, 1, 1, 1)


# Names in files --------------------------------------------------------------------------------------------

BLOCK = {
    "norm1": "residual.0",
    "conv1": "residual.2",
    "norm2": "residual.3",
    "conv2": "residual.6",
    "conv_shortcut": "shortcut",
}
EDGES = {
    "quant_conv": "conv1",
    "post_quant_conv": "conv2",
    **{f"{half}.conv_in": f"{half}.conv1" for half in ("encoder", "decoder")},
    **{f"{half}.norm_out": f"{half}.head.0" for half in ("encoder", "decoder")},
    **{f"{half}.conv_out": f"{half}.head.2" for half in ("encoder", "decoder")},
}
DOWN = re.compile(r"encoder\.down_blocks\.(\d+)\.(.+)")
UP = re.compile(r"decoder\.up_blocks\.(\d+)\.(resnets|upsamplers)\.(\d+)\.(.+)")
MIDDLE = re.compile(r"(encoder|decoder)\.mid_block\.(resnets|attentions)\.(\d+)\.(.+)")


def original(tensor: str, num_res_blocks: int) -> str:
    """diffusers' name of a tensor to Wan's, in which a level's blocks are one list with those of all levels."""
    if match := DOWN.fullmatch(tensor):
        return f"encoder.downsamples.{match[1]}.{within_block(match[2])}"
    if match := UP.fullmatch(tensor):
        level, kind, index, inner = match.groups()
        within = int(index) if kind == "resnets" else num_res_blocks + 1
        return f"decoder.upsamples.{(num_res_blocks + 2) * int(level) + within}.{within_block(inner)}"
    if match := MIDDLE.fullmatch(tensor):
        half, kind, index, inner = match.groups()
        return f"{half}.middle.{2 * int(index) if kind == 'resnets' else 1}.{within_block(inner)}"
    layer, _, kind = tensor.rpartition(".")
    return f"{EDGES.get(layer, layer)}.{kind}"


def within_block(tensor: str) -> str:
    layer, _, kind = tensor.rpartition(".")
    return f"{BLOCK.get(layer, layer)}.{kind}"


def _spellings(settings: Mapping[str, Any]) -> Spellings:
    blocks: int = settings["num_res_blocks"]
    return lambda name: (Stored(name), Stored(original(name, blocks)))


# What a file tells -----------------------------------------------------------------------------------------


def _told(settings: Settings, found: Shapes) -> Settings:
    sizes = Sizes(_spellings(settings), found)
    blocks = sizes.count("decoder.up_blocks.0.resnets.{}.norm1.gamma") - 1
    return {
        **settings,
        **known(base_dim=sizes("encoder.conv_in.weight", 0), z_dim=sizes("post_quant_conv.weight", 0)),
        **({"num_res_blocks": blocks} if blocks > 0 else {}),
    }


ARCHITECTURE = Architecture(
    "diffusers.models.autoencoders.autoencoder_kl_qwenimage:AutoencoderKLQwenImage",
    SETTINGS,
    _shapes,
    _spellings,
    contradictions,
    _told,
)
