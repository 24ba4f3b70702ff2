"""Backgrounds that are more than a colour: a sky, a ground and what little belongs to them."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from tools.starter.concepts import RGB

ENLARGED = 2  # drawn at so many times the size and shrunk, which smooths outlines

Draw = ImageDraw.ImageDraw


def draw_scenery(name: str, size: int, rng: np.random.Generator) -> Image.Image:
    """One of SCENERIES as a square canvas."""
    side = size * ENLARGED
    upper, lower, paint = PAINTERS[name]
    rows = np.array(upper) + (np.array(lower) - np.array(upper)) * np.linspace(0, 1, side)[:, None]
    canvas = Image.fromarray(np.repeat(rows.round().astype(np.uint8)[:, None], side, axis=1))
    paint(ImageDraw.Draw(canvas), side, rng)
    return canvas.resize((size, size), Image.Resampling.BOX)


def hill(draw: Draw, side: int, rng: np.random.Generator, horizon: float, colour: RGB) -> None:
    """A wide mound whose top, somewhere about the middle, is at `horizon` (0 top, 1 bottom) of the picture."""
    centre, top = side * rng.uniform(0.1, 0.9), side * (horizon + rng.uniform(-0.03, 0.03))
    draw.ellipse((centre - side * 1.3, top, centre + side * 1.3, top + side * 1.6), fill=colour)


def dots(
    draw: Draw, side: int, rng: np.random.Generator, count: int, lowest: float, radius: float, colour: RGB
) -> None:
    """Discs above `lowest`; radius: the largest, as a share of the picture."""
    for _ in range(count):
        across, down = rng.uniform(0, side), rng.uniform(0, side * lowest)
        size = side * radius * rng.uniform(0.4, 1)
        draw.ellipse((across - size, down - size, across + size, down + size), fill=colour)


def meadow(draw: Draw, side: int, rng: np.random.Generator) -> None:
    hill(draw, side, rng, 0.62, (126, 190, 92))
    hill(draw, side, rng, 0.76, (88, 162, 72))


def beach(draw: Draw, side: int, rng: np.random.Generator) -> None:
    shore = side * (0.58 + rng.uniform(-0.03, 0.03))
    draw.rectangle((0, shore, side, side), fill=(44, 142, 190))
    hill(draw, side, rng, 0.74, (240, 214, 152))


def snow(draw: Draw, side: int, rng: np.random.Generator) -> None:
    hill(draw, side, rng, 0.66, (226, 236, 246))
    hill(draw, side, rng, 0.78, (246, 250, 254))
    dots(draw, side, rng, 16, 1.0, 0.012, (255, 255, 255))


def desert(draw: Draw, side: int, rng: np.random.Generator) -> None:
    hill(draw, side, rng, 0.62, (236, 190, 120))
    hill(draw, side, rng, 0.76, (216, 160, 88))


def sea(draw: Draw, side: int, rng: np.random.Generator) -> None:
    dots(draw, side, rng, 9, 1.0, 0.028, (140, 210, 236))
    hill(draw, side, rng, 0.88, (36, 96, 132))


def night(draw: Draw, side: int, rng: np.random.Generator) -> None:
    dots(draw, side, rng, 22, 0.7, 0.01, (250, 244, 206))
    hill(draw, side, rng, 0.76, (18, 34, 52))


def sunset(draw: Draw, side: int, rng: np.random.Generator) -> None:
    across, radius = side * rng.uniform(0.2, 0.8), side * 0.14
    down = side * 0.7
    draw.ellipse((across - radius, down - radius, across + radius, down + radius), fill=(255, 226, 120))
    draw.rectangle((0, side * 0.74, side, side), fill=(74, 44, 92))


def space(draw: Draw, side: int, rng: np.random.Generator) -> None:
    dots(draw, side, rng, 40, 1.0, 0.009, (236, 236, 250))


# The sky's colour at the top and at the bottom, and what is drawn on it.
PAINTERS: dict[str, tuple[RGB, RGB, Callable[[Draw, int, np.random.Generator], None]]] = {
    "meadow": ((120, 192, 240), (206, 234, 250), meadow),
    "beach": ((116, 198, 244), (222, 242, 250), beach),
    "snow": ((158, 190, 220), (214, 228, 240), snow),
    "desert": ((132, 198, 236), (250, 236, 206), desert),
    "sea": ((70, 184, 220), (14, 70, 132), sea),
    "night": ((14, 18, 52), (50, 58, 120), night),
    "sunset": ((110, 70, 150), (252, 146, 76), sunset),
    "space": ((10, 8, 24), (34, 18, 58), space),
}
