"""What the machine has, as far as the standard library can tell."""

from __future__ import annotations

import os
from pathlib import Path


def memory() -> int | None:
    """Bytes of it in all; None where there is no way to ask, as on Windows."""
    if not hasattr(os, "sysconf"):
        return None
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def processes_ended_for_memory() -> int | None:
    """How many the system has ended since it started, to get memory back; None where it does not count them.

    Linux counts those of all containers together (proc(5), /proc/vmstat).
    """
    try:
        lines = Path("/proc/vmstat").read_text("ascii", "replace").splitlines()
    except OSError:
        return None
    counted = (line.split()[1] for line in lines if line.startswith("oom_kill "))
    return next((int(number) for number in counted if number.isdecimal()), None)
