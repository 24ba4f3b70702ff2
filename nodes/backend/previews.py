"""Small pictures of latents and images, cheap enough to make at every step."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from nodegraph.types import PREVIEW_SIDE, Picture, columns
from nodes.backend import autoencoder, pool
from nodes.types import Image, Latent, Mask, Vae


def preview(value: Latent | Image | Mask, max_side: int = PREVIEW_SIDE, item: int | None = None) -> Picture:
    """What a value looks like, at most so many pixels along a side. item: of a batch, that one alone."""
    some = slice(None) if item is None else slice(item, item + 1)
    match value:
        case Latent():
            return latent_picture(value.samples[some], value.vae, max_side)
        case Image():
            return image_picture(value.pixels[some], max_side)
        case Mask():
            return image_picture(value.weight[some].expand(-1, 3, -1, -1), max_side)


def latent_picture(samples: Tensor, vae: Vae | None = None, max_side: int = PREVIEW_SIDE) -> Picture:
    """A latent's colours, one pixel for each of its pixels; a batch side by side.

    samples: [batch, channels, height, width]. vae: whose latent it is; when None the first channels stand for colours,
    stretched to the full range, so that shapes show and colours mean nothing.
    """
    latent = samples.detach().float().cpu()
    if vae is not None:
        factors = rgb_factors(vae)
        rgb = torch.einsum("bchw,cr->brhw", latent, factors[:-1]) + factors[-1][:, None, None]
    else:
        rgb = latent[:, [0, min(1, latent.shape[1] - 1), min(2, latent.shape[1] - 1)]]
        low, high = rgb.amin((2, 3), keepdim=True), rgb.amax((2, 3), keepdim=True)
        rgb = (rgb - low) / (high - low).clamp_min(1e-6)
    return image_picture(rgb, max_side)


def image_picture(pixels: Tensor, max_side: int = PREVIEW_SIDE) -> Picture:
    """A batch of images side by side, made smaller when a side is longer. pixels: [batch, 3, height, width] in 0..1."""
    across, rows = layout(len(pixels))
    height, width = pixels.shape[-2:]
    shrink = min(1.0, max_side / max(across * width, rows * height))
    size = [max(1, min(round(side * shrink), max_side // n)) for side, n in ((height, rows), (width, across))]
    # One by one: a copy of all of a large batch would be felt.
    small = torch.stack([_shrunk(image.detach(), size) for image in pixels])
    rgb = side_by_side(small).clamp(0, 1).mul_(255).round_().to(torch.uint8).permute(1, 2, 0).contiguous()
    return Picture(rgb.shape[1], rgb.shape[0], rgb.numpy().tobytes(), len(pixels), (width, height))


def _shrunk(image: Tensor, size: list[int]) -> Tensor:
    image = image.float().cpu()
    if list(image.shape[-2:]) == size:
        return image
    return interpolate(image[None], size, mode="bilinear", antialias=True)[0]


def layout(batch: int) -> tuple[int, int]:
    """(columns, rows) of a sheet, as square as it goes."""
    return columns(batch), math.ceil(batch / columns(batch))


def side_by_side(pixels: Tensor) -> Tensor:
    """[batch, channels, height, width] to one [channels, rows * height, columns * width], as square as it goes."""
    batch, channels, height, width = pixels.shape
    across, rows = layout(batch)
    cells = pad(pixels, (0, 0, 0, 0, 0, 0, 0, rows * across - batch))
    cells = cells.view(rows, across, channels, height, width)
    return cells.permute(2, 0, 3, 1, 4).reshape(channels, rows * height, across * width)


@lru_cache(maxsize=8)
def rgb_factors(vae: Vae) -> Tensor:
    """The linear map from latent channels to red, green and blue that fits this autoencoder best.

    [channels + 1, 3], the last row an offset. Least squares between the encoder's latents of flat colours and those
    colours; takes a fraction of a second, once.
    """
    levels = torch.linspace(0, 1, 4)
    colors = torch.cartesian_prod(levels, levels, levels)[
        torch.randperm(64, generator=torch.Generator().manual_seed(0))
    ]
    patches = colors.T.reshape(1, 3, 8, 8)
    picture = interpolate(patches, scale_factor=2.0 * vae.space.factor, mode="nearest")  # two latent pixels a patch
    latent = autoencoder.encode(pool.network(vae.network), picture)
    known = interpolate(patches, size=latent.shape[-2:], mode="nearest")
    inputs = torch.cat((latent, torch.ones_like(latent[:, :1])), 1).flatten(2)[0].T
    found: Any = cast(Any, torch.linalg).lstsq(inputs, known.flatten(2)[0].T)
    return found.solution
