"""Classifier-free guidance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from nodes.types import Conditioning

Ask = Callable[[Tensor, tuple[Conditioning, ...]], Tensor]
"""(x, prompts) -> the denoised pictures of all prompts, one batch after the other. x: once for each of the prompts."""

Push = Callable[[Tensor, Tensor, Tensor, float], Tensor]
"""(x, denoised by the positive prompt, by the negative one, guidance scale) -> the denoised picture of both."""


def away(x: Tensor, cond: Tensor, uncond: Tensor, guidance_scale: float) -> Tensor:
    """Pushed away from the negative prompt: Ho & Salimans 2022 (arXiv:2207.12598), eq. 6.

    Their w is guidance_scale - 1; the equation is linear, so it holds for denoised pictures as for noise predictions.
    """
    return uncond + guidance_scale * (cond - uncond)


def normalised(push: Push, most: float) -> Push:
    """Guidance whose result takes at most so many times as much out of x as the positive prompt does.

    diffusers' ZImagePipeline, cfg_normalization, of each picture's whole norm. What is taken out is the velocity of a
    flow, or the noise, times sigma, which cancels.
    """

    def limited(x: Tensor, cond: Tensor, uncond: Tensor, guidance_scale: float) -> Tensor:
        taken = x - push(x, cond, uncond, guidance_scale)
        largest = most * _norms(x - cond)
        # Where nothing is taken out there is nothing to make smaller.
        return x - taken * (largest / _norms(taken)).nan_to_num(1.0).clamp(max=1.0)

    return limited


def _norms(x: Tensor) -> Tensor:
    """Of each of a batch: [batch, 1, 1, 1]."""
    return x.square().sum(dim=(1, 2, 3), keepdim=True).sqrt()


def guided(
    ask: Ask,
    x: Tensor,
    cond: Conditioning,
    uncond: Conditioning,
    guidance_scale: float,
    *,
    together: bool,
    push: Push = away,
) -> Tensor:
    """The denoised picture that follows one prompt and keeps away from another.

    x: [batch, channels, height, width]. together: whether both prompts go through the network as one batch. A scale of
    1 does not need the negative one.
    """
    if guidance_scale == 1:
        return ask(x, (cond,))
    if together:
        denoised_uncond, denoised_cond = ask(torch.cat([x, x]), (uncond, cond)).chunk(2)
    else:
        denoised_uncond, denoised_cond = ask(x, (uncond,)), ask(x, (cond,))
    return push(x, denoised_cond, denoised_uncond, guidance_scale)


def told(prompt: Conditioning, guidance_scale: float) -> Conditioning:
    """A prompt for a denoiser that reads the guidance scale; one that was given with the prompt stays."""
    return replace(prompt, distilled_guidance=guidance_scale) if prompt.distilled_guidance is None else prompt
