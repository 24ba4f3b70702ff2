"""Autoencoders between pixels and latents: Rombach et al. 2022 (arXiv:2112.10752), sec. 3.1.

Original names: CompVis' latent-diffusion (ldm/modules/diffusionmodules/model.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nodes.backend.fields import Each, Either, Field, Flag, Only, Real, Schema
from nodes.backend.networks.architecture import (
    CHANNELS,
    LAYERS,
    NOT_USED,
    TRAINING,
    Architecture,
    Ignored,
    Settings,
    Shape,
    Spellings,
    Stored,
    Tensors,
    renamed,
)
from nodes.backend.networks.unet import ACTIVATION, BLOCK, MAX_BLOCKS, MIDDLE, resnet, uneven_blocks

ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
EARLIER_ATTENTION = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
"""Autoencoders that were published before diffusers renamed their attention layers."""

_SETTINGS: Schema = {
    "in_channels": Field(Only(3), 3),
    "out_channels": Field(Only(3), 3),
    "down_block_types": Field(Each(Only("DownEncoderBlock2D"), MAX_BLOCKS), ("DownEncoderBlock2D",)),
    "up_block_types": Field(Each(Only("UpDecoderBlock2D"), MAX_BLOCKS), ("UpDecoderBlock2D",)),
    "block_out_channels": Field(Each(CHANNELS, MAX_BLOCKS), (64,)),
    "layers_per_block": Field(LAYERS, 1),
    "act_fn": ACTIVATION,
    "latent_channels": Field(CHANNELS, 4),
    "norm_num_groups": Field(CHANNELS, 32),
    "scaling_factor": Field(Real(1e-4, 1e4), 0.18215),
    "shift_factor": Field(Either(Real(-1e4, 1e4), Only(None)), None),
    "latents_mean": NOT_USED,
    "latents_std": NOT_USED,
    "force_upcast": Field(Flag(), True),
    "use_quant_conv": Field(Flag(), True),
    "use_post_quant_conv": Field(Flag(), True),
    "mid_block_add_attention": Field(Flag(), True),
}


def shapes(settings: Settings, decoder_widths: Sequence[int] | None = None) -> dict[str, Shape]:
    """decoder_widths: None where they are those of the encoder."""
    tensors = Tensors()
    widths: Sequence[int] = settings["block_out_channels"]
    decoded = decoder_widths or widths
    layers, latent = settings["layers_per_block"], settings["latent_channels"]
    tensors.conv("encoder.conv_in", settings["in_channels"], widths[0])
    _vae_blocks(tensors, "encoder.down_blocks", "downsamplers", widths, layers)
    tensors.conv("decoder.conv_in", latent, decoded[-1])
    _vae_blocks(tensors, "decoder.up_blocks", "upsamplers", decoded[::-1], layers + 1)
    for half, middle, width, channels in (
        ("encoder", widths[-1], widths[-1], 2 * latent),  # mean and variance
        ("decoder", decoded[-1], decoded[0], settings["out_channels"]),
    ):
        _vae_middle(tensors, f"{half}.mid_block", middle, attends=settings["mid_block_add_attention"])
        tensors.norm(f"{half}.conv_norm_out", width)
        tensors.conv(f"{half}.conv_out", width, channels)
    if settings["use_quant_conv"]:
        tensors.conv("quant_conv", 2 * latent, 2 * latent, 1)
    if settings["use_post_quant_conv"]:
        tensors.conv("post_quant_conv", latent, latent, 1)
    return tensors


def _vae_blocks(tensors: Tensors, stem: str, sampler: str, widths: Sequence[int], layers: int) -> None:
    before = widths[0]
    for index, width in enumerate(widths):
        for layer in range(layers):
            resnet(tensors, f"{stem}.{index}.resnets.{layer}", before if layer == 0 else width, width)
        if index < len(widths) - 1:
            tensors.conv(f"{stem}.{index}.{sampler}.0.conv", width, width)
        before = width


def _vae_middle(tensors: Tensors, name: str, width: int, *, attends: bool) -> None:
    resnet(tensors, f"{name}.resnets.0", width, width)
    resnet(tensors, f"{name}.resnets.1", width, width)
    if not attends:
        return
    tensors.norm(f"{name}.attentions.0.group_norm", width)
    for layer in ("to_q", "to_k", "to_v", "to_out.0"):
        tensors.linear(f"{name}.attentions.0.{layer}", width, width)


def original(settings: Mapping[str, Any]) -> Callable[[str], str]:
    """diffusers' name of an autoencoder's tensor to the original one."""
    last = len(settings["block_out_channels"]) - 1

    def name(tensor: str) -> str:
        half, _, rest = tensor.partition(".")
        if match := BLOCK.fullmatch(rest):
            _, block, kind, index, inner = match.groups()
            stem = f"{half}.down.{block}" if half == "encoder" else f"{half}.up.{last - int(block)}"
            if kind == "resnets":
                return f"{stem}.block.{index}.{inner.replace('conv_shortcut', 'nin_shortcut')}"
            return f"{stem}.{kind.removesuffix('rs')}.{inner}"  # downsample, upsample
        if match := MIDDLE.fullmatch(rest):
            kind, index, inner = match.groups()
            if kind == "resnets":
                return f"{half}.mid.block_{int(index) + 1}.{inner}"
            return f"{half}.mid.attn_1.{renamed(inner, ATTENTION)}"
        return tensor.replace("conv_norm_out", "norm_out")

    return name


def earlier(tensor: str) -> str:
    """diffusers' present name of an autoencoder's tensor to its earlier one."""
    stem, mark, inner = tensor.partition(".attentions.0.")
    return f"{stem}{mark}{renamed(inner, EARLIER_ATTENTION)}" if mark else tensor


def _spellings(settings: Settings) -> Spellings:
    theirs = original(settings)
    return lambda name: (Stored(name), Stored(earlier(name)), Stored(theirs(name)))


VAE = Architecture(
    "diffusers.models.autoencoders.autoencoder_kl:AutoencoderKL",
    _SETTINGS,
    shapes,
    _spellings,
    uneven_blocks,
    ignored=(*TRAINING, Ignored(r"loss\..+", "the critic that an autoencoder is trained against")),
)
