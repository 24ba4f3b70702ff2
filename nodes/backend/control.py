"""ControlNet: pictures that guide the denoiser. Zhang et al. 2023 (arXiv:2302.05543)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from nodes.backend.schedules import sigma_at_fraction
from nodes.types import Hint, NoiseSchedule


class Residuals(NamedTuple):
    """What is added to the U-Net's skip connections, outermost first, and to its middle block."""

    down: tuple[Tensor, ...]
    mid: Tensor


def is_active(hint: Hint, noise_schedule: NoiseSchedule, sigma: float) -> bool:
    """Whether a step that starts at this noise level follows the hint: its start is included, its end is not."""
    first, end = (sigma_at_fraction(noise_schedule, fraction) for fraction in (hint.start, hint.end))
    return first >= sigma > end


def residuals(
    hints: Sequence[tuple[nn.Module, Hint]], model_input: Tensor, timestep: Tensor, embeds: Tensor
) -> Residuals | None:
    """The sum of what every hint's network adds; None without hints.

    model_input: what the U-Net is given, [batch, channels, height, width]. embeds: [batch, tokens, width].
    """
    total: Residuals | None = None
    for controlnet, hint in hints:
        down, mid = controlnet(
            model_input,
            timestep,
            encoder_hidden_states=embeds,
            controlnet_cond=_fitted(hint.pixels, controlnet, model_input),
            conditioning_scale=hint.strength,
            return_dict=False,
        )
        total = Residuals(tuple(down), mid) if total is None else _sum(total, Residuals(tuple(down), mid))
    return total


def _sum(a: Residuals, b: Residuals) -> Residuals:
    return Residuals(tuple(x + y for x, y in zip(a.down, b.down, strict=True)), a.mid + b.mid)


def _fitted(pixels: Tensor, controlnet: Any, model_input: Tensor) -> Tensor:
    """The hint as the network wants it: one per batch item, resized to the size of the picture being made."""
    # every block of the hint's encoder but the first halves its size
    factor = 2 ** (len(controlnet.config.conditioning_embedding_out_channels) - 1)
    batch, _, height, width = model_input.shape
    size = (height * factor, width * factor)
    if batch % len(pixels):
        raise ValueError(
            f"a ControlNet got {len(pixels)} pictures for a batch of {batch}; give it one, or one for each"
        )
    pixels = pixels.to(model_input)
    if pixels.shape[-2:] != size:
        pixels = nn.functional.interpolate(pixels, size, mode="bilinear", antialias=True)
    return torch.cat([pixels] * (batch // len(pixels)))
