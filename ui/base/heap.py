"""Pictures give their memory back to the system as soon as nobody needs them."""

from __future__ import annotations

import ctypes
import sys

LARGE = 1 << 20
"""Bytes from which on a block is taken from the system, and given back to it, on its own. A tile of the canvas is
smaller: one comes and goes with each step of a drag, and to be given empty pages takes longer than to paint some."""
SPARE = 4 << 20
"""Bytes that may be free at the end of the small blocks, so that tiles find room at once."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # <malloc.h>


def return_large_blocks() -> None:
    """From now on, in this process. Where memory is managed by another library than glibc, nothing is done.

    glibc begins like that, but takes a block as large as the largest that was ever freed (up to 32 MB) from among the
    small ones from then on. Between those, what a picture leaves is of no use to others: after some minutes of work a
    fifth of the window's memory was empty.
    """
    if sys.platform != "linux":
        return
    # To name the sizes is what keeps them (man mallopt, "M_MMAP_THRESHOLD").
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_M_MMAP_THRESHOLD, LARGE)
        mallopt(_M_TRIM_THRESHOLD, SPARE)
