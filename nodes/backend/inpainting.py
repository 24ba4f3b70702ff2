"""What inpainting models are shown of a picture: Rombach et al. 2022 (arXiv:2112.10752), sec. 4.5."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from nodes import fit
from nodes.backend import autoencoder
from nodes.backend.autoencoder import Progress
from nodes.types import Masked, Vae

ANEW = 0.5
"""From here on a mask means that a pixel is to be made anew: the models were trained with yes and no."""

GREY = 0.5
"""What is there instead of it; 0 as the VAE counts brightness."""


def without(pixels: Tensor, weight: Tensor, hole: float) -> tuple[Tensor, Tensor]:
    """A picture that is of one brightness where it is to be made anew, and the mask of yes and no that says where.

    pixels: [batch, 3, height, width] in 0..1. weight: [batch, 1, height, width]. Raises ValueError when the two do not
    fit each other.
    """
    fit.joined(3, image=tuple(pixels.shape), mask=tuple(weight.shape))
    mask = (weight >= ANEW).to(pixels)
    return pixels * (1 - mask) + hole * mask, mask


def masked(net: Any, vae: Vae, pixels: Tensor, weight: Tensor, progress: Progress) -> Masked:
    """pixels: [batch, 3, height, width] in 0..1. weight: [batch, 1, height, width]. net: the VAE, in memory.

    Raises ValueError when the two do not fit each other, or the VAE.
    """
    fit.encoded(vae, fit.joined(3, image=tuple(pixels.shape), mask=tuple(weight.shape)))
    left, mask = without(pixels, weight, GREY)
    return Masked(autoencoder.encode(net, left, progress), mask)
