"""Classifier-free guidance."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor


def guided(
    denoise: Callable[[Tensor, Tensor], Tensor], x: Tensor, cond: Tensor, uncond: Tensor, guidance_scale: float
) -> Tensor:
    """The denoised picture pushed away from the negative prompt: Ho & Salimans 2022 (arXiv:2207.12598), eq. 6.

    denoise: (x, embeds) -> denoised. x: [batch, channels, height, width]. cond, uncond: [1 or batch, tokens, width].
    Their w is guidance_scale - 1; the equation is linear, so it holds for denoised pictures as for noise predictions.
    Both prompts go through the network as one batch; a scale of 1 does not need the negative one.
    """
    batch = len(x)
    if guidance_scale == 1:
        return denoise(x, cond.expand(batch, -1, -1))
    embeds = torch.cat([prompt.expand(batch, -1, -1) for prompt in same_length(uncond, cond)])
    denoised_uncond, denoised_cond = denoise(torch.cat([x, x]), embeds).chunk(2)
    return denoised_uncond + guidance_scale * (denoised_cond - denoised_uncond)


def same_length(*prompts: Tensor) -> list[Tensor]:
    """Prompts repeated to their least common number of tokens.

    Attention weighs every copy of a token alike, so repeating a whole prompt changes nothing but rounding.
    """
    tokens = math.lcm(*(prompt.shape[1] for prompt in prompts))
    return [prompt.repeat(1, tokens // prompt.shape[1], 1) for prompt in prompts]
