"""Pictures of the results of a run, which may take a share of its time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from nodegraph.types import PREVIEW_SIDE, Picture, Preview, is_pictured

SHARE, ADVANCE = 0.1, 0.05
"""Pictures of results along the way may take this share of a run's time, after these seconds in advance; half of
them is left for the last picture of each node."""

Look = Callable[[], Picture | None]


class Pictures:
    """Of one run, which begins now. preview: shows values of the types that can be looked at."""

    def __init__(self, preview: Preview) -> None:
        self._preview = preview
        self._started, self._seconds = time.perf_counter(), 0.0  # that pictures after the first have taken
        self._count = 0

    def look(self, values: tuple[Any, ...], output: int | None) -> Look | None:
        """How to see what `pictured` finds among them."""
        shown = pictured(values, output)
        return None if shown is None else lambda: self._preview(shown, PREVIEW_SIDE, None)

    def have_time(self, last: bool) -> bool:
        """Whether there may be one more of a result along the way. last: whether its node will have no other."""
        advance = ADVANCE if last else ADVANCE / 2
        return self._seconds <= advance + SHARE * (time.perf_counter() - self._started)

    def take(self, look: Look) -> Picture | None:
        start = time.perf_counter()
        picture = look()
        if self._count:  # the first one may load what showing needs
            self._seconds += time.perf_counter() - start
        self._count += 1
        return picture


def pictured(values: tuple[Any, ...], output: int | None = None) -> Any:
    """That output, or without a number the first value, that can be looked at; None when there is none.

    For a sink, the values are what it was given.
    """
    for value in values if output is None else values[output : output + 1]:
        if is_pictured(value.__class__):
            return value
    return None
