"""How a training is going, as one picture: the loss, and below it what the network draws by now."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from nodes.backend.plots import BACKGROUND, WIDTH, Curve, curves_plot

MAX_POINTS = 300  # of a curve; more are drawn over each other
GAP = 12  # pixels


def report(losses: Sequence[float], samples: Sequence[Tensor]) -> Tensor:
    """[1, 3, height, 768] in 0..1. samples: [1, 3, height, width] each, of one size."""
    parts: list[Tensor] = []
    if len(losses) > 1:
        smoothed = _thinned(_smoothed(losses))
        curves = [Curve("", _thinned(losses), thin=True), Curve(f"loss {smoothed[-1]:.4f}", smoothed)]
        parts.append(curves_plot(curves, "step", 1, len(losses)))
    if samples:
        parts.append(_row(samples))
    return torch.cat(parts, 2) if parts else _background(1, WIDTH // 2, WIDTH)


def _smoothed(losses: Sequence[float]) -> list[float]:
    """A running mean over a twentieth of the way, as Adam keeps its own: Kingma & Ba 2014 (arXiv:1412.6980), sec. 3."""
    keep = 1 - 1 / max(1.0, len(losses) / 20)
    mean, smoothed = 0.0, list[float]()
    for count, loss in enumerate(losses, 1):
        mean = keep * mean + (1 - keep) * loss
        smoothed.append(mean / (1 - keep**count))
    return smoothed


def _thinned(values: Sequence[float]) -> list[float]:
    """At most MAX_POINTS of them, evenly picked; the first and the last are kept."""
    if len(values) <= MAX_POINTS:
        return list(values)
    return [values[round(i * (len(values) - 1) / (MAX_POINTS - 1))] for i in range(MAX_POINTS)]


def _row(samples: Sequence[Tensor]) -> Tensor:
    """The pictures side by side over the whole width."""
    width = (WIDTH - GAP * (len(samples) + 1)) // len(samples)
    height = round(width * samples[0].shape[-2] / samples[0].shape[-1])
    row = _background(1, height + GAP, WIDTH)
    for index, sample in enumerate(samples):
        left = GAP + index * (width + GAP)
        row[..., :height, left : left + width] = interpolate(sample, (height, width), mode="bicubic", antialias=True)
    return row.clamp(0, 1)


def _background(batch: int, height: int, width: int) -> Tensor:
    color = torch.tensor([int(BACKGROUND[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return color.view(1, 3, 1, 1).repeat(batch, 1, height, width)
