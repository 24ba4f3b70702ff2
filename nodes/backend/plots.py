"""Curves drawn as pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from nodes.types import Sigmas

WIDTH, HEIGHT = 768, 480
SMOOTH = 3  # drawn this many times larger and shrunk, which makes slanted lines smooth
BACKGROUND, GRID, TEXT = "#1e1f24", "#3a3c44", "#c9ccd4"
BLUE, ORANGE = "#64b5f6", "#ffb74d"


class Frame(NamedTuple):
    """Where the curves are drawn, in pixels of the large drawing."""

    left: float
    top: float
    right: float
    bottom: float

    def point(self, x: float, y: float) -> tuple[float, float]:
        """x and y in 0..1, y upwards."""
        return self.left + x * (self.right - self.left), self.bottom - y * (self.bottom - self.top)


def schedule_plot(sigmas: Sigmas) -> Tensor:
    """Sigma (left axis) and the share of the picture in x, sqrt(alpha_bar) (right axis), over the steps.

    Returns [1, 3, 480, 768] in 0..1. Raises ValueError for fewer than two sigmas.
    """
    if len(sigmas) < 2:
        raise ValueError(f"a plot needs a schedule of at least one step, got {len(sigmas)} noise levels")
    drawing = Image.new("RGB", (WIDTH * SMOOTH, HEIGHT * SMOOTH), BACKGROUND)
    draw = ImageDraw.Draw(drawing)
    frame = Frame(*(side * SMOOTH for side in (72, 64, WIDTH - 72, HEIGHT - 64)))
    top = _axis(draw, frame, len(sigmas) - 1, max(sigmas))
    _curve(draw, frame, [1 / math.sqrt(1 + sigma**2) for sigma in sigmas], ORANGE)
    _curve(draw, frame, [sigma / top for sigma in sigmas], BLUE)
    _legend(draw, frame)
    small = drawing.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(small, dtype=np.float32) / 255).permute(2, 0, 1)[None].contiguous()


def _axis(draw: ImageDraw.ImageDraw, frame: Frame, steps: int, sigma_max: float) -> float:
    """The grid with its numbers. Returns the sigma at the top of the frame."""
    tick = _round_tick(sigma_max / 5)
    top = math.ceil(sigma_max / tick) * tick
    for n in range(round(top / tick) + 1):
        y = n * tick / top
        draw.line([frame.point(0, y), frame.point(1, y)], GRID, SMOOTH)
        _text(draw, frame.point(0, y), f"{n * tick:g}", BLUE, "rm", (-10, 0))
    for n in range(5):
        _text(draw, frame.point(1, n / 4), f"{n / 4:g}", ORANGE, "lm", (10, 0))
    every = max(1, math.ceil(_round_tick(steps / 10)))
    for n in range(0, steps + 1, every):
        draw.line([frame.point(n / steps, 0), frame.point(n / steps, 1)], GRID, SMOOTH)
        _text(draw, frame.point(n / steps, 0), str(n), TEXT, "mt", (0, 10))
    _text(draw, frame.point(0.5, 0), "step", TEXT, "mt", (0, 34))
    return top


def _round_tick(size: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    power = 10 ** math.floor(math.log10(size))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= size * (1 - 1e-9))


def _curve(draw: ImageDraw.ImageDraw, frame: Frame, heights: Sequence[float], color: str) -> None:
    points = [frame.point(i / (len(heights) - 1), height) for i, height in enumerate(heights)]
    draw.line(points, color, 2 * SMOOTH, joint="curve")
    for point in points if len(points) <= 61 else ():  # more dots than that run into each other
        draw.circle(point, 3.5 * SMOOTH, color)


def _legend(draw: ImageDraw.ImageDraw, frame: Frame) -> None:
    _text(draw, frame.point(0, 1), "noise added: sigma", BLUE, "lb", (0, -18))
    _text(draw, frame.point(1, 1), "picture showing through: 1 / sqrt(1 + sigma^2)", ORANGE, "rb", (0, -18))


def _text(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, color: str, anchor: str, shift: tuple[int, int]
) -> None:
    """shift: pixels right and down from `at`, in the finished picture."""
    place = (at[0] + shift[0] * SMOOTH, at[1] + shift[1] * SMOOTH)
    draw.text(place, text, color, ImageFont.load_default(15 * SMOOTH), anchor)
