"""The nodes of diffusion workflows: declarations in the modules here, numerics in `nodes.backend`.

The functions below are what the engine asks of a package of nodes. They import torch, so they are for the process
that computes.
"""

from __future__ import annotations

from typing import Any


def configure(device: str) -> None:
    """Compute on this device: "auto", "cuda", "mps" or "cpu". Raises ValueError when it is not there."""
    from nodes.backend import pool

    pool.configure(device)


def environment(device: str) -> str:
    """What changes the bits of a result besides its inputs: the device's class and precision."""
    from nodes.backend import devices

    return devices.environment(device)


def codec() -> Any:
    """How results are written to disk and read back."""
    from nodes.backend import storage

    return storage
