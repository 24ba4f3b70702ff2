"""The autoencoder of Qwen-Image 2.1: pictures with a fourth channel, how opaque they are, 16 pixels to a latent one.

It is that of Wan 2.2, made for films, with what a single frame needs of it: Wan team 2025 (arXiv:2503.20314),
wan/modules/vae2_2.py, whose names ComfyUI's files have. Past its layers goes what only changes place: Chen et al. 2025
(arXiv:2410.10733), sec. 3.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from nodes.backend.fields import Each, Either, Field, Flag, Only, Real, Schema, Whole
from nodes.backend.headers import Shapes
from nodes.backend.networks import qwen_vae
from nodes.backend.networks.architecture import (
    CHANNELS,
    LAYERS,
    NOT_USED,
    Architecture,
    Settings,
    Spellings,
    Stored,
    Tensors,
)
from nodes.backend.networks.mmdit import Sizes, known
from nodes.backend.networks.qwen_vae import (
    MAX_LATENT,
    MAX_LEVELS,
    Nothing,
    add_block,
    add_film,
    add_middle,
    add_scale,
    add_time,
    within_block,
)

MEAN = (
    *(0.5126, 0.7721, -0.0631, 1.3506, -0.7855, -2.1025, -0.3458, 1.3722),
    *(1.8873, -1.7177, -0.651, 0.2732, 0.7562, -0.6163, -1.0277, 3.8363),
    *(2.021, 0.0472, 0.932, 2.0087, 2.4954, -0.1391, -1.4249, 1.8464),
    *(-0.5236, 1.2826, 3.7046, -1.3035, 2.7286, -1.4518, -1.9036, -1.9955),
    *(-0.0342, -1.0265, -0.7636, 3.0555, 0.0746, -3.0751, -0.1076, 1.7376),
    *(-1.0914, -1.9435, -0.2784, -1.368, 0.4809, -0.4433, 0.3764, 0.5729),
    *(-2.0595, 1.096, -1.326, -2.0211, -5.0179, 0.5275, 4.0162, 1.8505),
    *(0.3026, 1.9373, 1.4937, 0.2632, 0.5547, -1.7121, -0.1562, 0.0304),
)
STD = (
    *(3.2001, 3.2936, 3.4321, 3.0091, 3.1061, 4.0379, 4.0705, 3.791),
    *(3.0785, 3.65, 3.9308, 3.0904, 2.8778, 3.7675, 3.732, 5.0756),
    *(3.2864, 4.0397, 3.1317, 4.0443, 2.9249, 3.9454, 3.0988, 4.2489),
    *(3.4896, 3.8513, 3.9323, 3.4719, 3.7498, 4.283, 3.5694, 4.2467),
    *(3.9037, 3.2947, 5.077, 3.5075, 3.27, 3.4767, 2.8063, 5.1125),
    *(3.5327, 4.7833, 3.1286, 4.1819, 3.8527, 3.8312, 3.5605, 4.3875),
    *(3.9624, 4.0168, 3.5643, 4.055, 5.5614, 4.2963, 4.408, 3.4959),
    *(3.8747, 3.7608, 3.5735, 3.149, 3.7662, 3.6746, 3.4563, 3.8161),
)
"""Of each channel of the published network's latents."""

SETTINGS: Schema = {
    "base_dim": Field(CHANNELS, 96),
    "decoder_base_dim": Field(Either(CHANNELS, Only(None)), 144),
    "z_dim": Field(Whole(1, MAX_LATENT), 64),
    "dim_mult": Field(Each(Whole(1, 64), MAX_LEVELS), (1, 2, 4, 8, 8)),
    "num_res_blocks": Field(LAYERS, 2),
    "attn_scales": Field(Nothing(), ()),
    "temperal_downsample": Field(Each(Flag(), MAX_LEVELS), (False, True, True, True)),
    "dropout": Field(Real(0.0, 1.0), 0.0),
    "latents_mean": Field(Each(Real(-1e4, 1e4), MAX_LATENT), MEAN),
    "latents_std": Field(Each(Real(1e-4, 1e4), MAX_LATENT), STD),
    "is_residual": Field(Only(True), True),
    "in_channels": Field(Only(4), 4),
    "out_channels": Field(Only(4), 4),
    "patch_size": NOT_USED,
    "scale_factor_temporal": Field(Either(Whole(1, 1024), Only(None)), 8),
    "scale_factor_spatial": Field(Either(Whole(1, 1024), Only(None)), 16),
}


def _contradictions(settings: Settings) -> Iterator[str]:
    levels, halvings = settings["dim_mult"], settings["temperal_downsample"]
    if len(halvings) != len(levels) - 1:
        yield f"temperal_downsample has {len(halvings)} values; it must have one fewer than dim_mult, {len(levels) - 1}"
        return
    for name in ("latents_mean", "latents_std"):
        if (count := len(settings[name])) != settings["z_dim"]:
            yield f"{name} has {count} values; it must have one for each of the z_dim channels, {settings['z_dim']}"
    for before, after, in_time in zip((1, *levels[:-1]), levels, (*halvings, None), strict=True):
        # what goes past a level puts squares of pixels, and pairs of frames, into channels, or takes them out again
        places = 1 if in_time is None else 8 if in_time else 4
        if before * places % after or after * places % before:
            yield f"dim_mult has {before} before {after}, of which neither divides the other {places} times"


# Tensors ---------------------------------------------------------------------------------------------------


def _shapes(settings: Settings) -> Tensors:
    """As those of a film, of whose kernels one frame is left."""
    tensors = Tensors()
    tensors.update({name: (*s[:2], *s[3:]) if len(s) == 5 else s for name, s in _of_film(settings).items()})
    return tensors


def _of_film(settings: Settings) -> Tensors:
    tensors = Tensors()
    base, z, mults = settings["base_dim"], settings["z_dim"], settings["dim_mult"]
    decoded = settings["decoder_base_dim"] or base
    blocks, in_time = settings["num_res_blocks"], settings["temperal_downsample"]
    down = [base, *(base * mult for mult in mults)]
    up = [decoded * mult for mult in (mults[-1], *reversed(mults))]
    add_film(tensors, "encoder.conv_in", settings["in_channels"], base)
    add_film(tensors, "decoder.conv_in", z, up[0])
    _levels(tensors, "encoder.down_blocks", down, blocks, in_time, times=1)
    _levels(tensors, "decoder.up_blocks", up, blocks + 1, in_time[::-1], times=2)
    for half, inside, last, channels in (
        ("encoder", down[-1], down[-1], 2 * z),  # mean and variance
        ("decoder", up[0], up[-1], settings["out_channels"]),
    ):
        add_middle(tensors, f"{half}.mid_block", inside)
        add_scale(tensors, f"{half}.norm_out", last)
        add_film(tensors, f"{half}.conv_out", last, channels)
    add_film(tensors, "quant_conv", 2 * z, 2 * z, 1)
    add_film(tensors, "post_quant_conv", z, z, 1)
    return tensors


def _levels(
    tensors: Tensors, name: str, widths: Sequence[int], blocks: int, in_time: Sequence[bool], *, times: int
) -> None:
    """times: how many frames come of one."""
    sampler = {1: "downsampler", 2: "upsampler"}[times]
    for level, (before, width) in enumerate(pairwise(widths)):
        for number in range(blocks):
            add_block(tensors, f"{name}.{level}.resnets.{number}", before if number == 0 else width, width)
        if level < len(in_time):
            tensors.conv(f"{name}.{level}.{sampler}.resample.1", width, width)
            if in_time[level]:
                add_time(tensors, f"{name}.{level}.{sampler}.time_conv", width, times * width)


# Names in files --------------------------------------------------------------------------------------------

LEVEL = re.compile(r"(encoder\.down|decoder\.up)_blocks\.(\d+)\.(resnets\.(\d+)|downsampler|upsampler)\.(.+)")


def original(tensor: str, num_res_blocks: int) -> str:
    """diffusers' name of a tensor to Wan's, in which the blocks of a level are one list."""
    match = LEVEL.fullmatch(tensor)
    if match is None:
        return qwen_vae.original(tensor, num_res_blocks)
    half, level, kind, index, rest = match.groups()
    sampled = num_res_blocks + (kind == "upsampler")
    return f"{half}samples.{level}.{half.partition('.')[2]}samples.{index or sampled}.{within_block(rest)}"


def _spellings(settings: Mapping[str, Any]) -> Spellings:
    blocks: int = settings["num_res_blocks"]
    return lambda name: (Stored(name), Stored(original(name, blocks)))


# What a file tells -----------------------------------------------------------------------------------------


def _told(settings: Settings, found: Shapes) -> Settings:
    sizes = Sizes(_spellings(settings), found)
    blocks = sizes.count("decoder.up_blocks.0.resnets.{}.norm1.gamma") - 1
    decoded = sizes("decoder.conv_in.weight", 0)
    last = settings["dim_mult"][-1]
    return {
        **settings,
        **known(
            base_dim=sizes("encoder.conv_in.weight", 0),
            decoder_base_dim=decoded // last if decoded and not decoded % last else None,
            z_dim=sizes("post_quant_conv.weight", 0),
        ),
        **({"num_res_blocks": blocks} if blocks > 0 else {}),
    }


ARCHITECTURE = Architecture(
    "diffusers.models.autoencoders.autoencoder_kl_qwenimage21:AutoencoderKLQwenImage21",
    SETTINGS,
    _shapes,
    _spellings,
    _contradictions,
    _told,
)
