"""The autoencoder of Flux.2: that of `vae`, whose latents are made squares of 2 x 2 and normalised by what it counted.

Original names: Black Forest Labs' flux2 (autoencoder.py), where the outer convolutions belong to the halves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import gcd
from typing import Any

from nodes.backend.fields import Each, Either, Field, Flag, Only, Real, Schema
from nodes.backend.headers import Shapes
from nodes.backend.networks import vae
from nodes.backend.networks.architecture import (
    CHANNELS,
    EPS,
    LAYERS,
    TRAINING,
    Architecture,
    Settings,
    Shape,
    Spellings,
    Stored,
)
from nodes.backend.networks.mmdit import Sizes, known
from nodes.backend.networks.unet import ACTIVATION, MAX_BLOCKS, uneven_blocks

PATCH = 2

SETTINGS: Schema = {
    "in_channels": Field(Only(3), 3),
    "out_channels": Field(Only(3), 3),
    "down_block_types": Field(Each(Only("DownEncoderBlock2D"), MAX_BLOCKS), ("DownEncoderBlock2D",) * 4),
    "up_block_types": Field(Each(Only("UpDecoderBlock2D"), MAX_BLOCKS), ("UpDecoderBlock2D",) * 4),
    "block_out_channels": Field(Each(CHANNELS, MAX_BLOCKS), (128, 256, 512, 512)),
    "decoder_block_out_channels": Field(Either(Each(CHANNELS, MAX_BLOCKS), Only(None)), None),
    "layers_per_block": Field(LAYERS, 2),
    "act_fn": ACTIVATION,
    "latent_channels": Field(CHANNELS, 32),
    "norm_num_groups": Field(CHANNELS, 32),
    "use_quant_conv": Field(Flag(), True),
    "use_post_quant_conv": Field(Flag(), True),
    "mid_block_add_attention": Field(Flag(), True),
    "batch_norm_eps": Field(EPS, 1e-4),
    "batch_norm_momentum": Field(Real(0, 1), 0.1),
    "patch_size": Field(Each(Only(PATCH), 2), (PATCH, PATCH)),
}


def _shapes(settings: Settings) -> Mapping[str, Shape]:
    tensors = dict(vae.shapes(settings, settings["decoder_block_out_channels"]))
    channels = PATCH**2 * settings["latent_channels"]
    return tensors | {"bn.running_mean": (channels,), "bn.running_var": (channels,), "bn.num_batches_tracked": ()}


def _contradictions(settings: Settings) -> Iterator[str]:
    yield from uneven_blocks(settings)
    if decoder := settings["decoder_block_out_channels"]:
        for problem in uneven_blocks({**settings, "block_out_channels": decoder}):
            yield problem.replace("block_out_channels", "decoder_block_out_channels")
    if len(settings["patch_size"]) != 2:
        yield f"patch_size is {settings['patch_size']}; it must be two numbers"


def _spellings(settings: Mapping[str, Any]) -> Spellings:
    theirs = vae.original(settings)

    def spelled(name: str) -> tuple[Stored, ...]:
        half = {"quant_conv": "encoder.", "post_quant_conv": "decoder."}.get(name.partition(".")[0], "")
        return Stored(name), Stored(half + theirs(name))

    return spelled


def _told(settings: Settings, found: Shapes) -> Settings:
    """The widths that a file's tensors show; of how many channels a norm takes together they show nothing."""
    sizes = Sizes(_spellings(settings), found)
    levels = range(len(settings["block_out_channels"]))
    encoder = [sizes(f"encoder.down_blocks.{level}.resnets.0.conv1.weight", 0) for level in levels]
    decoder = [sizes(f"decoder.up_blocks.{level}.resnets.0.conv1.weight", 0) for level in reversed(levels)]
    widths = [w or given for w, given in zip(encoder, settings["block_out_channels"], strict=True)]
    decoded = [w or given for w, given in zip(decoder, widths, strict=True)]
    return {
        **settings,
        **known(latent_channels=sizes("decoder.conv_in.weight", 1)),
        "block_out_channels": widths,
        "decoder_block_out_channels": None if decoded == widths else decoded,
        "layers_per_block": sizes.count("encoder.down_blocks.0.resnets.{}.conv1.weight"),
        "norm_num_groups": _groups(settings["norm_num_groups"], [*widths, *decoded]),
        "use_quant_conv": "quant_conv.weight" in sizes,
        "use_post_quant_conv": "post_quant_conv.weight" in sizes,
        "mid_block_add_attention": "decoder.mid_block.attentions.0.to_q.weight" in sizes,
    }


def _groups(given: int, widths: Sequence[int]) -> int:
    """As given where all widths are multiples of it, or as many as divide them all."""
    return gcd(given, *widths)


ARCHITECTURE = Architecture(
    "diffusers.models.autoencoders.autoencoder_kl_flux2:AutoencoderKLFlux2",
    SETTINGS,
    _shapes,
    _spellings,
    _contradictions,
    _told,
    ignored=TRAINING,
)
