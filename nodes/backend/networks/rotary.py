"""How a transformer shares out a head's channels among the axes of places: Su et al. 2021 (arXiv:2104.09864)."""

from __future__ import annotations

from collections.abc import Sequence

NUM_AXES = 3
"""Place in the text, or picture; row; column."""


def fits(axes: Sequence[int], head: int) -> bool:
    """Whether a head's channels are shared out whole, in pairs that turn."""
    return len(axes) == NUM_AXES and sum(axes) == head and all(axis > 0 and axis % 2 == 0 for axis in axes)


def shared_out(given: list[int], head: int, side: int) -> list[int]:
    """What no tensor tells: as given where that fits, or else rows and columns have `side` of 128 channels each."""
    if not head or fits(given, head):
        return given
    sides = 2 * (head * side // 256)
    return [head - 2 * sides, sides, sides]
