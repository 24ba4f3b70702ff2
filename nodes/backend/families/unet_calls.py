"""Calling a U-Net and its ControlNets. Zhang et al. 2023 (arXiv:2302.05543)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from nodes.backend import launch
from nodes.backend.families import masked
from nodes.backend.families.family import Asked
from nodes.types import Hint

GUIDANCE_SCALE = 8.5
"""What a distilled U-Net is told where nothing is said: the stock pipeline's default."""

Added = dict[str, Tensor] | None


class Residuals(NamedTuple):
    """What is added to the U-Net's skip connections, outermost first, and to its middle block."""

    down: tuple[Tensor, ...]
    mid: Tensor


def embeds(asked: Asked) -> Tensor:
    """[prompts * batch, tokens, width]: the prompts repeated to their least common number of tokens.

    Attention weighs every copy of a token alike, so repeating a whole prompt changes nothing but rounding.
    """
    tokens = math.lcm(*(prompt.embeds.shape[1] for prompt in asked.prompts))

    def repeated(found: Sequence[Tensor]) -> Tensor:
        return asked.repeated([embeds.repeat(1, tokens // embeds.shape[1], 1) for embeds in found])

    return asked.once([prompt.embeds for prompt in asked.prompts], repeated, "repeated")


def predict(unet: Any, asked: Asked, added: Added) -> Tensor:
    """What the U-Net tells of x."""
    residuals: Residuals | None = asked.residuals
    return launch.call(
        unet,
        _shown(unet, asked),
        asked.timesteps(),
        encoder_hidden_states=embeds(asked),
        timestep_cond=_told_guidance(unet, asked),
        added_cond_kwargs=added,
        down_block_additional_residuals=residuals.down if residuals else None,
        mid_block_additional_residual=residuals.mid if residuals else None,
        return_dict=False,
    )[0]


def _shown(unet: Any, asked: Asked) -> Tensor:
    """x, and before what is left of the picture its mask, where the U-Net completes pictures.

    Masks lose most of their pixels: as Rombach et al. 2022 trained it, each latent pixel has that of its corner.
    """
    if unet.config.in_channels == asked.x.shape[1]:
        return asked.x
    latent, mask = masked.inputs(asked)
    return torch.cat([asked.x, nn.functional.interpolate(mask, asked.x.shape[-2:]), latent], dim=1)


def _told_guidance(unet: Any, asked: Asked) -> Tensor | None:
    """[prompts * batch, width]: the guidance scale of each prompt, for a U-Net that was distilled to read it."""
    width: int | None = unet.config.time_cond_proj_dim
    if width is None:
        return None
    given = (prompt.distilled_guidance for prompt in asked.prompts)
    scales = [GUIDANCE_SCALE if scale is None else scale for scale in given]

    def told(_: Sequence[Tensor]) -> Tensor:
        return guidance_embedding(torch.tensor(scales), width).repeat_interleave(asked.batch, dim=0)

    return asked.once((), told, ("guidance", width, *scales))


def guidance_embedding(scale: Tensor, width: int) -> Tensor:
    """[scales, width]: sines and cosines of 1000 w, with frequencies from 1 down to 1 / 10000.

    Luo et al. 2023 (arXiv:2310.04378), sec. 4.2; their w is the scale - 1.
    """
    half = width // 2
    frequencies = torch.exp(torch.arange(half) * (-math.log(10_000) / max(half - 1, 1)))
    angles = 1000 * (scale[:, None] - 1) * frequencies
    return nn.functional.pad(torch.cat([angles.sin(), angles.cos()], dim=1), (0, width % 2))


def residuals(
    hints: Sequence[tuple[Any, Hint]], asked: Asked, added: Callable[[Any, Asked], Added]
) -> Residuals | None:
    """The sum of what every hint's network adds; None without hints."""
    total: Residuals | None = None
    for controlnet, hint in hints:
        down, mid = launch.call(
            controlnet,
            asked.x,
            asked.timesteps(),
            encoder_hidden_states=embeds(asked),
            controlnet_cond=fitted(hint.pixels, asked),
            conditioning_scale=inner_strength(hint, asked),
            added_cond_kwargs=added(controlnet, asked),
            return_dict=False,
        )
        *down, mid = of_strength([*down, mid], hint, asked)
        total = Residuals(tuple(down), mid) if total is None else _sum(total, Residuals(tuple(down), mid))
    return total


def inner_strength(hint: Hint, asked: Asked) -> float:
    """What a ControlNet multiplies its results with. On an accelerator nothing: see `of_strength`."""
    return hint.strength if asked.x.device.type == "cpu" else 1.0


def of_strength(samples: list[Tensor], hint: Hint, asked: Asked) -> list[Tensor]:
    """Results of a ControlNet by the hint's strength, where it was not: a number in the network cannot be changed in
    what was recorded of it.
    """
    if asked.x.device.type == "cpu" or hint.strength == 1:
        return samples
    multiplied: Any = torch
    return [*multiplied._foreach_mul(samples, hint.strength)]


def _sum(a: Residuals, b: Residuals) -> Residuals:
    return Residuals(tuple(x + y for x, y in zip(a.down, b.down, strict=True)), a.mid + b.mid)


def fitted(pixels: Tensor, asked: Asked) -> Tensor:
    """A hint's pictures as a network wants them: one per batch item, of the size of the pictures being made."""
    batch = len(asked.x)
    if batch % len(pixels):
        raise ValueError(
            f"a ControlNet got {len(pixels)} pictures for a batch of {batch}; give it one, or one for each"
        )

    def sized(_: Sequence[Tensor]) -> Tensor:
        there = pixels.to(asked.x)
        if there.shape[-2:] != asked.size:
            there = nn.functional.interpolate(there, asked.size, mode="bilinear", antialias=True)
        return torch.cat([there] * (batch // len(there)))

    return asked.once([pixels], sized, ("fitted", batch, asked.size))
