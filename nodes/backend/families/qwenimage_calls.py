"""Calling Qwen-Image's transformer and its ControlNets: tokens of the picture and of those to work from, guidance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad, pixel_unshuffle

from nodes.backend import launch, resident
from nodes.backend.families.family import Asked, Follower
from nodes.backend.families.flux_calls import packed, unpacked
from nodes.backend.families.unet_calls import inner_strength, of_strength
from nodes.backend.networks.qwenimage import PATCH

TIMESTEPS = 1000
"""The network itself multiplies with it."""


def guided(x: Tensor, cond: Tensor, uncond: Tensor, guidance_scale: float) -> Tensor:
    """Away from the negative prompt, and every token of what is taken out of x as large as the positive prompt has it.

    diffusers' pipelines for Qwen-Image, "true CFG". What is taken out is sigma times what the network tells.
    """
    good, bad = x - cond, x - uncond
    mixed = bad + guidance_scale * (good - bad)
    size = _sizes(good) / _sizes(mixed)
    return x - mixed * size.repeat_interleave(PATCH, dim=-2).repeat_interleave(PATCH, dim=-1)


def _sizes(x: Tensor) -> Tensor:
    """Of each token, [batch, 1, height / 2, width / 2]."""
    return pixel_unshuffle(x, PATCH).square().sum(dim=1, keepdim=True).sqrt()


def predict(net: Any, asked: Asked) -> Tensor:
    """What the transformer tells of x."""
    tokens, (rows, columns) = packed(asked.x), _grid(asked.x)
    seen = asked.references(packed)
    others = sum(pictures.shape[1] for pictures in seen)
    prediction: Tensor = launch.call(
        net,
        hidden_states=torch.cat([tokens, *seen], dim=1),
        controlnet_block_samples=_added_to(asked, others),
        modulate_index=_noiseless(asked, tokens.shape[1], others) if net.config.zero_cond_t else None,
        **_told(asked, asked.prompts[0].references),
    )
    return unpacked(prediction[:, : tokens.shape[1]], rows, columns)


def _added_to(asked: Asked, others: int) -> list[Tensor] | None:
    """What ControlNets add to the tokens of the picture being made, for every prompt; nothing to those of others."""
    residuals: list[Tensor] | None = asked.residuals
    if residuals is None:
        return None
    return [pad(sample.repeat(len(asked.prompts), 1, 1), (0, 0, 0, others)) for sample in residuals]


def _noiseless(asked: Asked, made: int, others: int) -> Tensor:
    """[1, tokens]: 1 for those of other pictures."""
    device = asked.x.device

    def index() -> Tensor:
        return resident.sent(torch.cat([torch.zeros(made), torch.ones(others)]).to(torch.int32)[None], device)

    return resident.made_once(("noiseless", made, others, device), (), index)


def _grid(x: Tensor) -> tuple[int, int]:
    """Rows and columns of tokens."""
    return x.shape[-2] // PATCH, x.shape[-1] // PATCH


def _told(asked: Asked, references: Sequence[Tensor]) -> dict[str, Any]:
    """What transformers and ControlNets are told in the same way. Places are counted from the middles of pictures."""
    shapes, count = [(1, *_grid(picture)) for picture in (asked.x, *references)], asked.x.shape[0]
    return {
        "encoder_hidden_states": asked.each(lambda prompt: prompt.embeds),
        "timestep": asked.timesteps().expand(count) / TIMESTEPS,
        "img_shapes": [shapes] * count,
    }


# ControlNets -----------------------------------------------------------------------------------------------


def residuals(net: Any, followers: Sequence[Follower], asked: Asked) -> list[Tensor] | None:
    """The sum of what every ControlNet adds after each of the transformer's blocks; None without any."""
    blocks = len(net.transformer_blocks)
    total: list[Tensor] | None = None
    for follower in followers:
        added = _added(follower, asked)
        stretch = math.ceil(blocks / len(added))
        spread = [added[block // stretch] for block in range(blocks)]
        total = [a + b for a, b in zip(total, spread, strict=True)] if total else spread
    return total


def _added(follower: Follower, asked: Asked) -> list[Tensor]:
    """What a ControlNet makes of its picture, for each of its own blocks."""
    latent: Any = follower.latent
    mask, count = follower.hint.mask, len(asked.x)

    def picture(found: Sequence[Tensor]) -> Tensor:
        """With the mask as another channel, 1 where the picture stays."""
        parts = [found[0], *(1 - interpolate(mask, found[0].shape[-2:]) for mask in found[1:])]
        most = max(map(len, parts))
        each = torch.cat([part.expand(most, -1, -1, -1) for part in parts], dim=1)
        return each.repeat(count // most, 1, 1, 1)

    shown = asked.once([latent, *(() if mask is None else (mask,))], picture, ("hint", count))
    made = launch.call(
        follower.controlnet,
        hidden_states=packed(asked.x),
        controlnet_cond=packed(shown),
        conditioning_scale=inner_strength(follower.hint, asked),
        return_dict=False,
        **_told(asked, ()),
    )
    return of_strength([*made], follower.hint, asked)
