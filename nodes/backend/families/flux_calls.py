"""Calling Flux.1's transformer and its ControlNets: tokens, their places, what they are told besides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from nodes.backend import launch, resident
from nodes.backend.families import masked
from nodes.backend.families.family import Asked, Follower
from nodes.backend.families.unet_calls import fitted, inner_strength, of_strength
from nodes.backend.networks.flux import FACTOR, FILL_CHANNELS, PATCH
from nodes.types import Conditioning

GUIDANCE, FILL_GUIDANCE = 3.5, 30.0
"""What the published pipelines tell models of their guidance scale where a person does not say."""

TIMESTEPS = 1000
"""The network itself multiplies with it."""


class Residuals(NamedTuple):
    """What is added to the picture's tokens after each of the transformer's blocks of either kind."""

    double: list[Tensor] | None
    single: list[Tensor] | None


def predict(net: Any, asked: Asked) -> Tensor:
    """What the transformer tells of x."""
    residuals: Residuals | None = asked.residuals
    tokens, (rows, columns) = packed(asked.x), (side // PATCH for side in asked.x.shape[-2:])
    made = tokens.shape[1]
    if net.config.in_channels == FILL_CHANNELS:
        tokens = torch.cat([tokens, *_masked(asked)], dim=2)
    prediction: Tensor = launch.call(
        net,
        hidden_states=torch.cat([tokens, *asked.references(packed)], dim=1),
        img_ids=_ids(asked, ((rows, columns), *_places_of_references(asked))),
        controlnet_block_samples=residuals and residuals.double,
        controlnet_single_block_samples=residuals and residuals.single,
        **_told(net, asked),
    )[0]
    return unpacked(prediction[:, :made], rows, columns)


def packed(x: Tensor) -> Tensor:
    """[batch, channels, height, width] to tokens [batch, height / 2 * width / 2, channels * 4], channels outermost."""
    return pixel_unshuffle(x, PATCH).flatten(2).transpose(1, 2).contiguous()


def unpacked(tokens: Tensor, rows: int, columns: int) -> Tensor:
    """The inverse."""
    return pixel_shuffle(tokens.transpose(1, 2).reshape(tokens.shape[0], -1, rows, columns), PATCH)


def places(rows: int, columns: int, picture: int = 0, top: int = 0, left: int = 0) -> Tensor:
    """Where tokens are, [rows * columns, 3]: in which picture, row, column. float32, which counts them all."""
    ids = torch.zeros(rows, columns, 3)
    ids[..., 0] = picture
    ids[..., 1] += torch.arange(top, top + rows)[:, None]
    ids[..., 2] += torch.arange(left, left + columns)
    return ids.flatten(0, 1)


def _ids(asked: Asked, parts: tuple[tuple[int, ...], ...]) -> Tensor:
    """The places of the tokens of several pictures, one after the other, where x is. parts: arguments of `places`."""
    device = asked.x.device

    def made() -> Tensor:
        return resident.sent(torch.cat([places(*part) for part in parts]), device)

    return resident.made_once(("places", parts, device), (), made)


def _told(net: Any, asked: Asked) -> dict[str, Any]:
    """What transformers and ControlNets are told in the same way."""
    x = asked.x
    text = asked.each(lambda prompt: prompt.embeds)
    return {
        "timestep": asked.timesteps().expand(len(x)) / TIMESTEPS,
        "guidance": _guidance(net, asked) if net.config.guidance_embeds else None,
        "pooled_projections": asked.each(_pooled),
        "encoder_hidden_states": text,
        "txt_ids": x.new_zeros(text.shape[1], 3, dtype=torch.float32),
        "return_dict": False,
    }


def _guidance(net: Any, asked: Asked) -> Tensor:
    usual = FILL_GUIDANCE if net.config.in_channels == FILL_CHANNELS else GUIDANCE
    scales = [usual if prompt.distilled_guidance is None else prompt.distilled_guidance for prompt in asked.prompts]
    return asked.numbers(scales, torch.float32)


def _pooled(prompt: Conditioning) -> Tensor:
    assert prompt.pooled is not None  # that it is there, and as wide as it must be, was looked at before
    return prompt.pooled


def _masked(asked: Asked) -> tuple[Tensor, Tensor]:
    """The tokens of the masked pictures and of their masks, of which every pixel is a channel."""
    latent, mask = masked.inputs(asked)
    return packed(latent), packed(pixel_unshuffle(mask, FACTOR))


def _places_of_references(asked: Asked) -> list[tuple[int, ...]]:
    """Of other pictures, as arguments of `places`: all in picture 1, each below or beside those before.

    It goes where the whole stays smaller; the model was trained with one, and programs hand it several like that.
    """
    found: list[tuple[int, ...]] = []
    bottom = right = 0
    for picture in asked.prompts[0].references:
        rows, columns = (side // PATCH for side in picture.shape[-2:])
        below = bottom + rows <= right + columns
        top, left = (bottom, 0) if below else (0, right)
        bottom, right = max(bottom, top + rows), max(right, left + columns)
        found.append((rows, columns, 1, top, left))
    return found


# ControlNets -----------------------------------------------------------------------------------------------


def residuals(net: Any, followers: Sequence[Follower], asked: Asked) -> Residuals | None:
    """The sum of what every ControlNet adds; None without any. net: the transformer."""
    total: Residuals | None = None
    for follower in followers:
        double, single = _added(follower, asked)
        # Those of XLabs go over and over a few blocks' worth, the others stretch them over all blocks.
        repeated = follower.controlnet.input_hint_block is not None
        added = Residuals(
            _spread(double, len(net.transformer_blocks), repeated=repeated),
            _spread(single, len(net.single_transformer_blocks), repeated=False),
        )
        total = Residuals(*map(_sum, total, added)) if total else added
    return total


def _added(follower: Follower, asked: Asked) -> tuple[list[Tensor] | None, list[Tensor] | None]:
    """What a ControlNet makes of its picture, for each of its own blocks."""
    net, hint = follower.controlnet, follower.hint
    tokens = packed(asked.x)
    rows, columns = (side // PATCH for side in asked.x.shape[-2:])
    mode = torch.full((len(tokens), 1), hint.mode, device=tokens.device) if net.union else None
    double, single = launch.call(
        net,
        hidden_states=tokens,
        img_ids=_ids(asked, ((rows, columns),)),
        controlnet_cond=_condition(follower, asked),
        controlnet_mode=mode,
        conditioning_scale=inner_strength(hint, asked),
        **_told(net, asked),
    )
    return _of_its_strength(double, follower, asked), _of_its_strength(single, follower, asked)


def _of_its_strength(samples: list[Tensor] | None, follower: Follower, asked: Asked) -> list[Tensor] | None:
    return samples and of_strength(samples, follower.hint, asked)


def _condition(follower: Follower, asked: Asked) -> Tensor:
    """The picture as a ControlNet reads it: tokens of its latent, or pixels in -1..1."""
    if follower.latent is None:
        return fitted(follower.hint.pixels, asked) * 2 - 1
    count = len(asked.x)
    return packed(asked.once([follower.latent], lambda found: found[0].repeat(count // len(found[0]), 1, 1, 1), count))


def _spread(samples: list[Tensor] | None, blocks: int, *, repeated: bool) -> list[Tensor] | None:
    """One for each of the transformer's blocks, of which a ControlNet has fewer."""
    if samples is None:
        return None
    if repeated:
        return [samples[block % len(samples)] for block in range(blocks)]
    stretch = math.ceil(blocks / len(samples))
    return [samples[block // stretch] for block in range(blocks)]


def _sum(a: list[Tensor] | None, b: list[Tensor] | None) -> list[Tensor] | None:
    if a is None or b is None:
        return a or b
    return [x + y for x, y in zip(a, b, strict=True)]
