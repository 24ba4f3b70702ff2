"""Results by key: in memory, least recently used first out, bounded in bytes; and behind it, on disk."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any, cast

from nodegraph.running.disk_cache import Codec, DiskCache

__all__ = ["Cache", "Codec", "DiskCache", "nbytes"]


class Cache:
    """memory_bytes: what the results in memory may take up in all; a larger one is not kept there."""

    def __init__(self, memory_bytes: int, disk: DiskCache | None = None) -> None:
        self.memory_bytes, self.used = memory_bytes, 0
        self.disk = disk
        self._entries: OrderedDict[str, tuple[tuple[Any, ...], int]] = OrderedDict()

    def __contains__(self, key: str) -> bool:
        return key in self._entries or (self.disk is not None and key in self.disk)

    def get(self, key: str) -> tuple[Any, ...] | None:
        """The outputs of a call in order; None when they are not here."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
            return entry[0]
        values = self.disk.load(key) if self.disk else None
        if values is not None:
            self._keep(key, values)
        return values

    def put(self, key: str, values: tuple[Any, ...], seconds: float) -> None:
        """seconds: what computing them took; quick results are not worth a file."""
        self._keep(key, values)
        if self.disk:
            self.disk.store(key, values, seconds)

    def forget(self, key: str) -> None:
        """Delete a result that is not what it should be, on disk as well."""
        if entry := self._entries.pop(key, None):
            self.used -= entry[1]
        if self.disk:
            self.disk.forget(key)

    def drop(self, weigh: Callable[[Any], int]) -> int:
        """Forget the results in memory of which an output weighs something; what all of them weigh."""
        weights = {key: sum(map(weigh, values)) for key, (values, _) in self._entries.items()}
        for key in [key for key, weight in weights.items() if weight]:
            self.used -= self._entries.pop(key)[1]
        return sum(weights.values())

    def size(self, key: str) -> int:
        """Bytes that a result takes up in memory; 0 when it is not there."""
        entry = self._entries.get(key)
        return entry[1] if entry else 0

    def sizes(self) -> dict[str, int]:
        """Bytes of every result in memory, by key."""
        return {key: size for key, (_, size) in self._entries.items()}

    def clear(self) -> None:
        """Forget what is in memory."""
        self._entries.clear()
        self.used = 0

    def close(self) -> None:
        """Write what is waiting to be written."""
        if self.disk:
            self.disk.close()

    def _keep(self, key: str, values: tuple[Any, ...]) -> None:
        size = nbytes(values)
        if key in self._entries:
            self.used -= self._entries.pop(key)[1]
        if size > self.memory_bytes:
            return
        self._entries[key] = (values, size)
        self.used += size
        while self.used > self.memory_bytes:
            _, (_, freed) = self._entries.popitem(last=False)
            self.used -= freed


def nbytes(value: Any) -> int:
    """Memory that a value holds, in bytes: that of its tensors, and of the containers around them."""
    kind: type[Any] = value.__class__
    if kind in _LEAVES:
        return sys.getsizeof(value)
    parts: Iterable[Any]
    if kind is tuple:  # as the outputs of every call are
        parts = value
    elif names := _weighed_fields(kind):
        parts = [getattr(value, name) for name in names]
    elif isinstance(size := getattr(value, "nbytes", None), int):
        return size
    else:
        parts = _parts(value)
    total = sys.getsizeof(value)
    for part in parts:
        total += sys.getsizeof(part) if part.__class__ in _LEAVES else nbytes(part)
    return total


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, tuple | list | set | frozenset):
        return cast("tuple[Any, ...]", value)
    if isinstance(value, dict):
        return [part for item in cast("dict[Any, Any]", value).items() for part in item]
    return [getattr(value, name) for name in _field_names(value.__class__)]


_LEAVES = frozenset({bool, int, float, str, type(None)})


@lru_cache(maxsize=1000)
def _field_names(cls: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cls)) if is_dataclass(cls) else ()


@lru_cache(maxsize=1000)
def _weighed_fields(cls: type[Any]) -> tuple[str, ...]:
    """Of a dataclass that does not say itself what it holds."""
    return () if hasattr(cls, "nbytes") else _field_names(cls)
