"""How much of what is on the canvas is drawn at which scale. No text is smaller than can be read: it is as large as
that or left out.
"""

from __future__ import annotations

from math import ceil

from ui.base import theme
from ui.canvas.scene.shape import ROW

LEAST = 11
"""Pixels, at the usual text size: the smallest text that is read."""
LEADING = 1.21  # height of a line, of the size of its letters
TIGHT = 1.1  # the same of one line alone: from its capitals to its descenders, and a seam
SMALL = 0.22
"""The scale from which nodes are more than blocks."""
NEAR = 0.36
"""The scale from which sockets are told apart and pictures are sharp."""


def least() -> int:
    """Of the letters, in pixels."""
    return round(LEAST * max(theme.scale(), 1.0))


def legible(size: int, scale: float) -> int:
    """The size in world units of what is `size` in full view, and never smaller on the screen than can be read."""
    return max(size, ceil(least() / scale - 0.05))  # the rounding of a scale is no reason for the next size


def rows_shown(scale: float) -> bool:
    """Whether a row is as high as a line that can be read. Otherwise a node is a summary: state, title, picture."""
    return least() * TIGHT <= ROW * scale
