"""In which sizes the editors of the Qwen family see pictures: an area, the picture's proportions, even sides."""

from __future__ import annotations

import math

MULTIPLE = 32


def of_area(area: int, width: int, height: int) -> tuple[int, int]:
    """The (width, height) of about so many pixels, whatever the picture had; as diffusers' pipelines round it."""
    proportions = width / height
    wide = math.sqrt(area * proportions)
    sides = (max(round(side / MULTIPLE), 1) * MULTIPLE for side in (wide, wide / proportions))
    return next(sides), next(sides)
