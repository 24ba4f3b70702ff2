"""Curves drawn as pictures."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from nodes.backend.untyped import from_numpy
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


@dataclass(frozen=True, slots=True)
class Curve:
    """values: the heights over equal steps of x. thin: only a faint line behind the others."""

    label: str
    values: Sequence[float]
    thin: bool = False


def curves_plot(curves: Sequence[Curve], x_label: str, x_first: float, x_last: float) -> Tensor:
    """Curves over one axis, from 0 to their highest value. Every curve spans the whole width.

    Returns [1, 3, 480, 768] in 0..1. Raises ValueError for a curve of fewer than two values, or a negative value.
    """
    if any(len(curve.values) < 2 for curve in curves) or not curves:
        raise ValueError("a plot needs at least two numbers")
    lowest, highest = (pick(pick(curve.values) for curve in curves) for pick in (min, max))
    if lowest < 0:
        raise ValueError(f"this plot begins at 0 and cannot show {lowest:g}")
    drawing, draw, frame = _canvas()
    top = _left_axis(draw, frame, highest or 1.0, TEXT)
    _bottom_axis(draw, frame, x_first, x_last, x_label)
    place = 0
    for curve, color in zip(curves, itertools.cycle((BLUE, ORANGE)), strict=False):
        heights = [value / top for value in curve.values]
        _line(draw, frame, heights, GRID if curve.thin else color, 1 if curve.thin else 2)
        if curve.label:
            _text(draw, frame.point(place, 1), curve.label, color, "rb" if place else "lb", (0, -18))
            place = 1
    return _finished(drawing)


def schedule_plot(sigmas: Sigmas) -> Tensor:
    """Sigma (left axis) and the share of the picture in x, sqrt(alpha_bar) (right axis), over the steps.

    Returns [1, 3, 480, 768] in 0..1. Raises ValueError for fewer than two sigmas.
    """
    if len(sigmas) < 2:
        raise ValueError(f"a plot needs a schedule of at least one step, got {len(sigmas)} noise levels")
    drawing, draw, frame = _canvas()
    top = _left_axis(draw, frame, max(sigmas), BLUE)
    for n in range(5):
        _text(draw, frame.point(1, n / 4), f"{n / 4:g}", ORANGE, "lm", (10, 0))
    _bottom_axis(draw, frame, 0, len(sigmas) - 1, "step")
    _curve(draw, frame, [1 / math.sqrt(1 + sigma**2) for sigma in sigmas], ORANGE)
    _curve(draw, frame, [sigma / top for sigma in sigmas], BLUE)
    _text(draw, frame.point(0, 1), "noise added: sigma", BLUE, "lb", (0, -18))
    _text(draw, frame.point(1, 1), "picture showing through: 1 / sqrt(1 + sigma^2)", ORANGE, "rb", (0, -18))
    return _finished(drawing)


def _canvas() -> tuple[Image.Image, ImageDraw.ImageDraw, Frame]:
    drawing = Image.new("RGB", (WIDTH * SMOOTH, HEIGHT * SMOOTH), BACKGROUND)
    return drawing, ImageDraw.Draw(drawing), Frame(*(side * SMOOTH for side in (72, 64, WIDTH - 72, HEIGHT - 64)))


def _finished(drawing: Image.Image) -> Tensor:
    small = drawing.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    return from_numpy(np.asarray(small, dtype=np.float32) / 255).permute(2, 0, 1)[None].contiguous()


def _left_axis(draw: ImageDraw.ImageDraw, frame: Frame, highest: float, color: str) -> float:
    """Lines with their numbers from 0 on. Returns the value at the top of the frame."""
    tick = _round_tick(highest / 5)
    count = math.ceil(highest / tick * (1 - 1e-9))
    for n in range(count + 1):
        draw.line([frame.point(0, n / count), frame.point(1, n / count)], GRID, SMOOTH)
        _text(draw, frame.point(0, n / count), f"{n * tick:g}", color, "rm", (-10, 0))
    return count * tick


def _bottom_axis(draw: ImageDraw.ImageDraw, frame: Frame, first: float, last: float, label: str) -> None:
    """Lines with their numbers at round places; whole ones when the axis counts something."""
    tick = _round_tick((last - first) / 10)
    if float(first).is_integer() and float(last).is_integer():
        tick = max(1, tick)
    for n in range(math.ceil(first / tick), math.floor(last / tick * (1 + 1e-9)) + 1):
        x = (n * tick - first) / (last - first)
        draw.line([frame.point(x, 0), frame.point(x, 1)], GRID, SMOOTH)
        _text(draw, frame.point(x, 0), f"{n * tick:g}", TEXT, "mt", (0, 10))
    _text(draw, frame.point(0.5, 0), label, TEXT, "mt", (0, 34))


def _round_tick(size: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    power = 10 ** math.floor(math.log10(size))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= size * (1 - 1e-9))


def _curve(draw: ImageDraw.ImageDraw, frame: Frame, heights: Sequence[float], color: str) -> None:
    points = _line(draw, frame, heights, color, 2)
    for point in points if len(points) <= 61 else ():  # more dots than that run into each other
        draw.circle(point, 3.5 * SMOOTH, color)


def _line(
    draw: ImageDraw.ImageDraw, frame: Frame, heights: Sequence[float], color: str, width: int
) -> list[tuple[float, float]]:
    points = [frame.point(i / (len(heights) - 1), height) for i, height in enumerate(heights)]
    draw.line(points, color, width * SMOOTH, joint="curve")
    return points


def _text(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, color: str, anchor: str, shift: tuple[int, int]
) -> None:
    """shift: pixels right and down from `at`, in the finished picture."""
    place = (at[0] + shift[0] * SMOOTH, at[1] + shift[1] * SMOOTH)
    draw.text(place, text, color, ImageFont.load_default(15 * SMOOTH), anchor)
