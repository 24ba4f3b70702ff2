"""What the engine asks about memory (`nodegraph.running.keeper`), answered by the pool."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from nodegraph.types import NetworkId
from nodes.backend import pool

EVERY = 2.0
"""Seconds between two looks whether other programs want memory, while nothing is to be done."""


class Results(Protocol):
    def drop(self, weigh: Callable[[Any], int]) -> int: ...


class Keeper:
    """Of the pool that there is."""

    def __init__(self) -> None:
        self._warming: Iterator[None] | None = None

    def begin(self, number: Callable[[], int], later: Callable[[], Iterable[NetworkId]]) -> None:
        def keys() -> set[Any]:
            wanted = set(later())
            return {known for known in pool.shelf.slots if known.id in wanted}

        pool.shelf.begin(number, keys)

    def ran_out(self, error: Exception) -> None:
        pool.shelf.ran_out(error)

    def relieve(self, results: Results) -> bool:
        return pool.shelf.relieve(lambda: results.drop(_on_device))

    def shortage(self) -> str:
        return pool.shelf.shortage()

    def peak(self) -> int:
        return pool.shelf.peak()

    def end(self) -> None:
        pool.shelf.end()

    def idle(self) -> float | None:
        """A card is woken up a step at a time; then memory that is not used goes back when others are short of it."""
        if pool.device().type == "cpu":
            return None
        if self._warming is None:
            self._warming = warmed(pool.device())
        if next(self._warming, self) is None:
            return 0.0
        pool.shelf.lend_back()
        return EVERY


def warmed(device: torch.device) -> Iterator[None]:
    """Wake a device up: its context, the libraries that multiply and convolve, and those that describe networks.

    Seconds of the first step otherwise. It is left off between any two of these.
    """
    torch.zeros(1, device=device)
    yield
    for dtype in (torch.float16, torch.float32):
        x = torch.zeros(1, 32, 32, 32, device=device, dtype=dtype)
        torch.nn.functional.linear(x, x[0, 0])
        yield
        torch.nn.functional.conv2d(x, x[:, :, :3, :3].expand(32, -1, -1, -1).contiguous(), padding=1)
        yield
    x = torch.zeros(1, 1, 64, 64, device=device, dtype=torch.float16)
    torch.nn.functional.scaled_dot_product_attention(x, x, x)
    yield
    import diffusers
    import transformers

    for library, names in ((diffusers, ("UNet2DConditionModel", "AutoencoderKL")), (transformers, ("CLIPTextModel",))):
        for name in names:
            getattr(cast(Any, library), name)
            yield


def _on_device(value: Any) -> int:
    """Bytes of a result that lie where networks compute."""
    if isinstance(value, Tensor):
        return value.numel() * value.itemsize if value.device.type == pool.device().type else 0
    if isinstance(value, tuple | list):
        return sum(map(_on_device, cast("Iterable[Any]", value)))
    return sum(_on_device(getattr(value, field.name)) for field in fields(value)) if is_dataclass(value) else 0
