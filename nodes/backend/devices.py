"""Where networks run, and in which precision."""

from __future__ import annotations

import os

import torch

from nodes.backend import packing

NAMES = ("auto", "cuda", "mps", "cpu")


def pick(name: str) -> torch.device:
    """The device of this name; "auto" takes the fastest kind there is. Raises ValueError when it is not there."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, there in available.items() if there))
    if name not in available:
        raise ValueError(f"device must be one of {', '.join(NAMES)}; got {name!r}")
    if not available[name]:
        there = ", ".join(kind for kind, there in available.items() if there)
        raise ValueError(f"this machine has no {name} device that torch can use; it has {there}")
    return torch.device(name)


def dtype(device: torch.device) -> torch.dtype:
    """float16 where the hardware computes it; ordinary CPUs are slower with it, and 'mps' overflows in it."""
    return torch.float16 if device.type == "cuda" else torch.float32


def memory(device: torch.device) -> int:
    """Bytes the device has in all."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    if hasattr(os, "sysconf"):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 16 << 30  # Windows offers no portable question: the usual size of a machine that runs such models


def environment(name: str) -> str:
    """What changes the bits of a result besides its inputs, for the keys of the cache."""
    device = pick(name)
    packed = " packed" if device.type == "cpu" and packing.available() else ""
    return f"{device.type} {str(dtype(device)).removeprefix('torch.')}{packed}"
