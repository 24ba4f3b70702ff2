"""The model hub's library: when it may use the network, and what it tells meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from nodegraph.program import offline

Told = Callable[[int, int], object]
"""Hears how many bytes are there, and how many there will be; 0 when that is not known."""

_going_online = Lock()


@contextmanager
def online() -> Generator[None]:
    """Let it use the network, which `nodes.LIBRARY_RULES` forbid where pictures are computed; no longer than needed.

    Raises ValueError, with the reason, when nothing may be fetched.
    """
    from huggingface_hub import constants

    if why := offline():
        raise ValueError(why)
    with _going_online:
        before = constants.HF_HUB_OFFLINE
        constants.HF_HUB_OFFLINE = False
        try:
            yield
        finally:
            constants.HF_HUB_OFFLINE = before


def counting(told: Told) -> Any:
    """What it takes for a progress bar; it tells, and prints nothing."""
    from tqdm import tqdm

    bar: Any = tqdm

    class Counting(bar):
        def __init__(self, *_: object, initial: int = 0, total: float | None = None, **__: object) -> None:
            bar.__init__(self, disable=True)
            self.there, self.whole = initial, int(total or 0)
            told(self.there, self.whole)

        def update(self, n: float | None = 1) -> None:
            self.there += int(n or 0)
            told(self.there, self.whole)

    return Counting
