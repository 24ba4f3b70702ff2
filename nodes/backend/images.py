"""What is done to pixels.

Pixels are float32 [batch, 3, height, width] in 0..1.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, max_pool2d, pad

Fit = Literal["stretch", "crop", "pad"]
Method = Literal["bicubic", "bilinear", "nearest"]


def resize(pixels: Tensor, width: int, height: int, fit: Fit, method: Method) -> Tensor:
    """Resize to width x height. fit: stretch, or keep proportions and crop the middle, or pad with black."""
    if fit == "stretch":
        return _resample(pixels, width, height, method)
    old_height, old_width = pixels.shape[-2:]
    pick = max if fit == "crop" else min
    scale = pick(width / old_width, height / old_height)
    fitted = _resample(pixels, max(1, round(old_width * scale)), max(1, round(old_height * scale)), method)
    top, left = (fitted.shape[-2] - height) // 2, (fitted.shape[-1] - width) // 2
    if fit == "crop":
        return fitted[..., top : top + height, left : left + width].contiguous()
    padded = pixels.new_zeros(*pixels.shape[:-2], height, width)
    padded[..., -top : fitted.shape[-2] - top, -left : fitted.shape[-1] - left] = fitted
    return padded


def crop(pixels: Tensor, left: int, top: int, width: int, height: int) -> Tensor:
    """Cut out a rectangle. Raises ValueError when it reaches outside."""
    old_height, old_width = pixels.shape[-2:]
    if left + width > old_width or top + height > old_height:
        raise ValueError(
            f"the rectangle from ({left}, {top}) to ({left + width}, {top + height}) reaches outside "
            f"the image of {old_width} x {old_height}"
        )
    return pixels[..., top : top + height, left : left + width].contiguous()


def canny(pixels: Tensor, low: float, high: float) -> Tensor:
    """White edges on black: Canny 1986 (IEEE PAMI 8(6)), as grey pictures of three equal channels.

    low, high: thresholds of the gradient, in brightness (0..1) per pixel, of the colour channel where it is steepest.
    Edges stronger than `high` are kept, and those stronger than `low` that touch a kept one.
    """
    smooth = _filter(pixels, _gaussian(pixels))
    sobel = pixels.new_tensor([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 4
    dx, dy = _filter(smooth, sobel), _filter(smooth, sobel.T)
    strength, channel = torch.hypot(dx, dy).max(1, keepdim=True)
    dx, dy = dx.gather(1, channel), dy.gather(1, channel)
    thin = torch.where(strength >= _along_gradient(strength, dx, dy), strength, 0)
    weak, edges = thin > low, thin > high
    while True:
        grown = (max_pool2d(edges.float(), 3, 1, 1) > 0) & weak
        if torch.equal(grown, edges):
            return edges.float().expand(-1, 3, -1, -1).contiguous()
        edges = grown


def _resample(pixels: Tensor, width: int, height: int, method: Method) -> Tensor:
    if method == "nearest":
        return interpolate(pixels, (height, width), mode="nearest-exact").contiguous()
    return interpolate(pixels, (height, width), mode=method, antialias=True).clamp(0, 1).contiguous()


def _gaussian(like: Tensor) -> Tensor:
    """A 5 x 5 bell of standard deviation 1.4, the usual first stage of Canny's method."""
    bell = torch.exp(-(torch.arange(-2.0, 3.0) ** 2) / (2 * 1.4**2)).to(like)
    return torch.outer(bell, bell) / bell.sum() ** 2


def _filter(pixels: Tensor, kernel: Tensor) -> Tensor:
    """Every channel on its own; borders repeat the outermost pixels."""
    margin, channels = kernel.shape[-1] // 2, pixels.shape[1]
    kernels = kernel.expand(channels, 1, -1, -1)
    return conv2d(pad(pixels, (margin,) * 4, mode="replicate"), kernels, groups=channels)


def _along_gradient(strength: Tensor, dx: Tensor, dy: Tensor) -> Tensor:
    """The larger of each pixel's two neighbours across the edge, in one of four directions."""
    height, width = strength.shape[-2:]
    around = pad(strength, (1, 1, 1, 1))

    def neighbours(down: int, right: int) -> Tensor:
        ahead = around[..., 1 + down : 1 + down + height, 1 + right : 1 + right + width]
        behind = around[..., 1 - down : 1 - down + height, 1 - right : 1 - right + width]
        return torch.maximum(ahead, behind)

    directions = torch.stack([neighbours(0, 1), neighbours(1, 1), neighbours(1, 0), neighbours(1, -1)])
    eighth = torch.round(torch.atan2(dy, dx) / (torch.pi / 4)).long() % 4
    return directions.gather(0, eighth[None])[0]
