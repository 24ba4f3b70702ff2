"""Memory goes back to the system soon after nobody needs it."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer

LARGE = 1 << 20
"""Bytes from which on a block is taken from the system, and given back to it, on its own. A tile of the canvas is
smaller: one comes and goes with each step of a drag, and to be given empty pages takes longer than to paint some."""
SPARE = 4 << 20
"""Bytes that may be free at the end of the small blocks, so that tiles find room at once."""
PAUSE = 2000
"""Milliseconds after which what is free between small blocks is given back once more: one of computing at 60 MB."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # <malloc.h>


def return_large_blocks() -> None:
    """From now on, in this process. Where memory is managed by another library than glibc, nothing is done.

    glibc begins like that, but takes a block as large as the largest that was ever freed (up to 32 MB) from among the
    small ones from then on. Between those, what a picture leaves is of no use to others: after some minutes of work a
    fifth of the window's memory was empty.

    And all threads share one heap. By itself glibc gives up to eight for each core, and pictures that one thread reads
    and another drops leave room in each of them: 3 MB more on average over two thousand acts of a working day.
    """
    # To name the sizes is what keeps them (man mallopt, "M_MMAP_THRESHOLD").
    if mallopt := _glibc("mallopt"):
        mallopt(_M_MMAP_THRESHOLD, LARGE)
        mallopt(_M_TRIM_THRESHOLD, SPARE)
        mallopt(_M_ARENA_MAX, 1)


def return_what_is_free(owner: QObject) -> None:
    """Every few seconds, on the thread of the owner and for as long as it lives.

    By itself glibc gives back what is free at the end alone: pages between blocks that stay are kept for good, and each
    hour of work leaves more of them.
    """
    if trim := _glibc("malloc_trim"):
        timer = QTimer(owner, interval=PAUSE)
        timer.timeout.connect(lambda: trim(0))
        timer.start()


def trim() -> None:
    """Give back now what is free between small blocks."""
    if malloc_trim := _glibc("malloc_trim"):
        malloc_trim(0)


def _glibc(name: str) -> Callable[..., int] | None:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
