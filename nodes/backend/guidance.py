"""Classifier-free guidance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from nodes.types import Conditioning

Ask = Callable[[Tensor, tuple[Conditioning, ...]], Tensor]
"""(x, prompts) -> the denoised pictures of all prompts, one batch after the other. x: once for each of the prompts."""


def guided(
    ask: Ask, x: Tensor, cond: Conditioning, uncond: Conditioning, guidance_scale: float, *, together: bool
) -> Tensor:
    """The denoised picture pushed away from the negative prompt: Ho & Salimans 2022 (arXiv:2207.12598), eq. 6.

    x: [batch, channels, height, width]. Their w is guidance_scale - 1; the equation is linear, so it holds for denoised
    pictures as for noise predictions. together: whether both prompts go through the network as one batch. A scale of 1
    does not need the negative one.
    """
    if guidance_scale == 1:
        return ask(x, (cond,))
    if together:
        denoised_uncond, denoised_cond = ask(torch.cat([x, x]), (uncond, cond)).chunk(2)
    else:
        denoised_uncond, denoised_cond = ask(x, (uncond,)), ask(x, (cond,))
    return denoised_uncond + guidance_scale * (denoised_cond - denoised_uncond)


def told(prompt: Conditioning, guidance_scale: float) -> Conditioning:
    """A prompt for a denoiser that reads the guidance scale; one that was given with the prompt stays."""
    return replace(prompt, distilled_guidance=guidance_scale) if prompt.distilled_guidance is None else prompt
