"""Noise as a function of (seed, draw), so that any step can be computed alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def draw(shape: Sequence[int], seed: int, index: int) -> Tensor:
    """The `index`-th unit normal tensor of this shape that a generator seeded with `seed` gives; 0 is the first.

    Drawn in float32 on the CPU, so the same seed is the same picture on every machine; a batch is one draw, as in
    diffusers. The draws before it are made and dropped: a generator cannot skip.
    """
    generator = torch.Generator("cpu").manual_seed(seed)
    for _ in range(index):
        torch.randn(tuple(shape), generator=generator)
    return torch.randn(tuple(shape), generator=generator)


def add_noise(latent: Tensor, sigma: float, seed: int) -> Tensor:
    """Forward diffusion in sigma space: x = x0 + sigma * noise (Karras et al. 2022, arXiv:2206.00364, sec. 2)."""
    return latent + sigma * draw(latent.shape, seed, 0)


def diffuse(x0: Tensor, alpha_bar: float, seed: int) -> Tensor:
    """Forward diffusion that keeps the variance: sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) noise.

    Ho et al. 2020 (arXiv:2006.11239), eq. 4. x0 has about unit variance.
    """
    return math.sqrt(alpha_bar) * x0 + math.sqrt(1 - alpha_bar) * draw(x0.shape, seed, 0)
