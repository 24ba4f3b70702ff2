"""What the machine has, as far as the standard library can tell."""

from __future__ import annotations

import os


def memory() -> int | None:
    """Bytes of it in all; None where there is no way to ask, as on Windows."""
    if not hasattr(os, "sysconf"):
        return None
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
