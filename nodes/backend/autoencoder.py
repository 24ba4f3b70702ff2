"""Between pixels and latents: Rombach et al. 2022 (arXiv:2112.10752), sec. 3.1.

One picture at a time, and large ones in overlapping tiles, so that memory stays bounded by the tile; smaller ones too
where there is no room for them. What overflows in float16 is computed again in float32: in which of the two a picture
is made depends on its numbers alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from nodes.backend import finite, pieces, placing, vae_kinds, widening

# In latent pixels of 8 x 8 pixels or fewer; of larger ones there are fewer in as many pixels.
WHOLE = 128 * 128  # up to here a picture is done at once, 1024 x 1024 pixels
TILE = 96  # a side
OVERLAP = 24  # in which neighbouring tiles fade into each other
USUAL = 8

Progress = Callable[[int, int], None]


def no_progress(done: int, total: int) -> None:
    """For callers that do not watch."""


@torch.inference_mode()
def decode(vae: Any, samples: Tensor, progress: Progress = no_progress) -> Tensor:
    """Latents to pixels: [batch, channels, h, w] to float32 [batch, 3, h * factor, w * factor] in 0..1.

    vae: of one of the `vae_kinds`. Raises ValueError when the latents have another number of channels.
    """
    kind = _kind(vae)
    channels, factor = kind.channels(vae.config), kind.factor(vae.config)
    if samples.shape[1] != channels:
        raise ValueError(
            f"this VAE decodes latents of {channels} channels, got {samples.shape[1]}; use the model's own"
        )

    def run(tile: Tensor, dtype: torch.dtype) -> Tensor:
        return (kind.decode(vae, tile.to(placing.computes_on(vae), dtype)).float().cpu() + 1) / 2

    tile = _tile(vae, samples.shape[-2:])
    pixels = _by_tiles(_safe(vae, run), samples, samples.shape[-2:], (1, factor), progress, tile)
    # Infinity would become white, and nobody would hear of it.
    return kind.shown(pixels.clamp_(0, 1) if finite.is_finite(pixels) else pixels)


@torch.inference_mode()
def encode(vae: Any, pixels: Tensor, progress: Progress = no_progress) -> Tensor:
    """Pixels to latents: [batch, 3, height, width] in 0..1 to float32 [batch, channels, height / factor, ...].

    The mean of the encoder's distribution, so that equal pictures give equal latents. Raises ValueError when a side
    is not a multiple of the factor.
    """
    kind = _kind(vae)
    factor, (height, width) = kind.factor(vae.config), pixels.shape[-2:]
    if height % factor or width % factor:
        raise ValueError(
            f"the VAE needs sides that are multiples of {factor}, got {width} x {height}; use Resize first"
        )

    def run(tile: Tensor, dtype: torch.dtype) -> Tensor:
        return kind.encode(vae, tile.to(placing.computes_on(vae), dtype) * 2 - 1).float().cpu()

    size = (height // factor, width // factor)
    return _by_tiles(_safe(vae, run), pixels, size, (factor, 1), progress, _tile(vae, size))


def _kind(vae: Any) -> vae_kinds.Kind:
    return vae_kinds.of(type(vae).__name__)


def _safe(vae: Any, run: Callable[[Tensor, torch.dtype], Tensor]) -> Callable[[Tensor], Tensor]:
    """In the precision that the autoencoder computes in, and in float32 what overflows in float16."""
    dtype = widening.computed_in(vae)

    def safe(tile: Tensor) -> Tensor:
        made = run(tile, dtype)
        if dtype != torch.float16 or finite.is_finite(made):
            return made
        with widening.lent(vae, torch.float32):
            return run(tile, torch.float32)

    return safe


def _tile(vae: Any, size: tuple[int, ...]) -> int:
    """The side of a tile in latent pixels; that of a picture which is done at once is its longer one.

    size: height and width in latent pixels.
    """
    height, width = size
    larger = max(1, _kind(vae).factor(vae.config) // USUAL)
    most = TILE // larger
    tile = most if height * width > WHOLE // larger**2 else max(size)
    if halvings := pieces.halvings():
        return min(tile, most) >> (halvings if tile <= most else halvings - 1)
    return tile if tile <= most or pieces.room_for(_working(vae, height * width)) else most


def _working(vae: Any, area: int) -> int:
    """About the bytes that a picture of so many latent pixels takes on its way through, besides the weights."""
    kind = _kind(vae)
    pixels = area * kind.factor(vae.config) ** 2
    return kind.features(vae.config) * pixels * widening.computed_in(vae).itemsize


def _by_tiles(
    run: Callable[[Tensor], Tensor],
    x: Tensor,
    size: tuple[int, ...],
    scales: tuple[int, int],
    progress: Progress,
    tile: int,
) -> Tensor:
    """`run` on every picture of a batch, whole or in tiles, joined to one contiguous tensor.

    size: height and width in latent pixels. scales: pixels of the input and of the output for each of these. tile: its
    side in latent pixels.
    """
    height, width = size
    tops, lefts = _starts(height, tile), _starts(width, tile)
    total = len(x) * len(tops) * len(lefts)
    pictures: list[Tensor] = []
    for index in range(len(x)):
        tiles: list[tuple[int, int, Tensor]] = []
        for top, left in ((top, left) for top in tops for left in lefts):
            window = x[index : index + 1, :, *_window(top, left, tile, scales[0])]
            tiles.append((top, left, run(window)))
            progress(index * len(tops) * len(lefts) + len(tiles), total)
        pictures.append(tiles[0][2] if len(tiles) == 1 else _blend(tiles, size, scales[1], _overlap(tile)))
    return torch.cat(pictures).contiguous()


def _starts(length: int, tile: int) -> list[int]:
    """Where tiles begin along a side: overlapping, the last one flush with the end."""
    if length <= tile:
        return [0]
    return [*range(0, length - tile, tile - _overlap(tile)), length - tile]


def _overlap(tile: int) -> int:
    """Of a smaller tile it is smaller."""
    return max(1, OVERLAP * tile // TILE)


def _window(top: int, left: int, tile: int, scale: int) -> Iterator[slice]:
    return (slice(start * scale, (start + tile) * scale) for start in (top, left))


def _blend(tiles: list[tuple[int, int, Tensor]], size: tuple[int, ...], scale: int, overlap: int) -> Tensor:
    """Join tiles by a weighted mean; weights fall linearly over the overlap towards a tile's edge."""
    first = tiles[0][2]
    side = max(first.shape[-2:]) // scale
    joined = first.new_zeros(1, first.shape[1], size[0] * scale, size[1] * scale)
    total = first.new_zeros(1, 1, size[0] * scale, size[1] * scale)
    for top, left, pixels in tiles:
        ramps = (_ramp(side, scale * overlap) for side in pixels.shape[-2:])
        weight = torch.outer(*ramps)
        area = (..., *_window(top, left, side, scale))
        joined[area] += pixels * weight
        total[area] += weight
    return joined / total


def _ramp(length: int, fall: int) -> Tensor:
    position = torch.arange(length) + 0.5
    return (torch.minimum(position, length - position) / fall).clamp(max=1)
