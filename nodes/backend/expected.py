"""The tensors that settings call for, so that settings and weights are compared before a network is built.

Not every tensor: one for each size and each layer that settings name. A network built after that is as large as its
file, whatever the settings say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from nodes.backend.headers import Shapes
from nodes.backend.part_settings import Part, per_block

Expected = Iterator[tuple[str, tuple[int, ...]]]


def check(place: Path, part: Part, settings: Mapping[str, Any], found: Shapes) -> None:
    """Raises ValueError when the weights, with the names that diffusers gives them, do not have these sizes."""
    for name, shape in _EXPECTED[part](settings):
        if name not in found:
            raise ValueError(f"the {part} of {place} lacks {name}, which its settings call for")
        if found[name] != shape:
            raise ValueError(f"the {part} of {place} does not fit its settings: {name} is {found[name]}, not {shape}")


def _unet(settings: Mapping[str, Any]) -> Expected:
    first = settings["block_out_channels"][0]
    yield from _encoder(settings)
    yield "conv_out.weight", (settings["out_channels"], first, 3, 3)
    if dim := settings["time_cond_proj_dim"]:
        yield "time_embedding.cond_proj.weight", (first, dim)


def _controlnet(settings: Mapping[str, Any]) -> Expected:
    sides, first = settings["conditioning_embedding_out_channels"], settings["block_out_channels"][0]
    yield from _encoder(settings)
    yield "controlnet_cond_embedding.conv_in.weight", (sides[0], settings["conditioning_channels"], 3, 3)
    for index, (before, after) in enumerate(pairwise(sides)):
        yield f"controlnet_cond_embedding.blocks.{2 * index + 1}.weight", (after, before, 3, 3)
    yield "controlnet_cond_embedding.conv_out.weight", (first, sides[-1], 3, 3)


def _encoder(settings: Mapping[str, Any]) -> Expected:
    """The first half of a U-Net."""
    widths, prompt = settings["block_out_channels"], settings["cross_attention_dim"]
    kinds, depths = settings["down_block_types"], per_block(settings, "transformer_layers_per_block")
    yield "conv_in.weight", (widths[0], settings["in_channels"], 3, 3)
    for block, (width, kind, depth) in enumerate(zip(widths, kinds, depths, strict=True)):
        for layer in range(settings["layers_per_block"]):
            yield f"down_blocks.{block}.resnets.{layer}.conv2.weight", (width, width, 3, 3)
            for inner in range(depth if kind == "CrossAttnDownBlock2D" else 0):
                name = f"down_blocks.{block}.attentions.{layer}.transformer_blocks.{inner}.attn2.to_k.weight"
                yield name, (width, prompt)


def _vae(settings: Mapping[str, Any]) -> Expected:
    channels, widths = settings["latent_channels"], settings["block_out_channels"]
    yield "encoder.conv_in.weight", (widths[0], settings["in_channels"], 3, 3)
    yield "encoder.conv_out.weight", (2 * channels, widths[-1], 3, 3)
    yield "decoder.conv_in.weight", (widths[-1], channels, 3, 3)
    for block, width in enumerate(widths):
        for layer in range(settings["layers_per_block"]):
            yield f"encoder.down_blocks.{block}.resnets.{layer}.conv2.weight", (width, width, 3, 3)


def _text_encoder(settings: Mapping[str, Any]) -> Expected:
    width, inner = settings["hidden_size"], settings["intermediate_size"]
    yield "embeddings.token_embedding.weight", (settings["vocab_size"], width)
    yield "embeddings.position_embedding.weight", (settings["max_position_embeddings"], width)
    for layer in range(settings["num_hidden_layers"]):
        yield f"encoder.layers.{layer}.mlp.fc1.weight", (inner, width)


_EXPECTED = {"unet": _unet, "controlnet": _controlnet, "vae": _vae, "text_encoder": _text_encoder}
