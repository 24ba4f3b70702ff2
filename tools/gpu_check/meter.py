"""Time and memory of a device."""

from __future__ import annotations

import gc
from typing import Any

import torch

GIB = 1 << 30


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def forget_peak(device: torch.device) -> None:
    """Give back what nothing holds, and measure the peak from here on."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def peak_gib(device: torch.device) -> float | None:
    """The most that tensors took since; None where nobody counts."""
    return torch.cuda.max_memory_allocated(device) / GIB if device.type == "cuda" else None


def free_gib(device: torch.device) -> float:
    """What other programs leave; on a CPU there is always enough for what is tiny."""
    if device.type != "cuda":
        return float("inf")
    free: Any = torch.cuda.mem_get_info(device)[0]
    return free / GIB
