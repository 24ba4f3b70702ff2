"""A device that is not there: its memory has a limit, and weights used where they are not give wrong numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from nodes.backend.device_memory import Coming, DeviceMemory, Memory
from nodes.backend.room import Short

MASK = 0x5A


class SimulatedCard(DeviceMemory):
    """total, host: bytes of the device and of main memory. others: what other programs hold of the first. hidden: bytes
    that it says are free and that nobody gets.

    A tensor lies on the device as long as its storage lives. What waits in main memory is scrambled, so that a network
    that runs without having been brought up gives wrong numbers rather than the right ones by chance.
    """

    name = "the simulated card"

    def __init__(self, total: int, host: int = 1 << 40, *, moves: bool = True) -> None:
        super().__init__(torch.device("cpu"))
        self.total, self.host, self.moves = total, host, moves
        self.others = self.hidden = 0
        self.guess = 0
        self.claimed = 0
        self._on_device: dict[StorageWeakRef, int] = {}
        self._in_host: dict[StorageWeakRef, int] = {}
        self._peak = 0
        self.brought: list[tuple[int, ...]] = []  # the sizes of each thing that was brought beside computing

    def used(self) -> int:
        return _living(self._on_device) + self.claimed

    def memory(self, held: int) -> Memory:
        return Memory(max(0, self.total - self.others - self.used()), self.total, self.used())

    def host_free(self) -> int:
        return max(0, self.host - _living(self._in_host))

    def beside(self) -> int:
        return self.guess

    def here(self, tensor: Tensor) -> bool:
        return StorageWeakRef(tensor.untyped_storage()) in self._on_device

    def up(self, tensor: Tensor) -> Tensor:
        size = tensor.numel() * tensor.itemsize
        self._check(size)
        copy = self._copy(tensor, scrambled=StorageWeakRef(tensor.untyped_storage()) in self._in_host)
        self._on_device[StorageWeakRef(copy.untyped_storage())] = size
        self._peak = max(self._peak, self.used())
        return copy

    def down(self, tensor: Tensor) -> Tensor:
        if StorageWeakRef(tensor.untyped_storage()) in self._in_host:
            return tensor
        copy = self._copy(tensor, scrambled=True)
        self._in_host[StorageWeakRef(copy.untyped_storage())] = tensor.numel() * tensor.itemsize
        return copy

    def bring(self, tensors: Sequence[Tensor]) -> Coming:
        self.brought.append(tuple(tensor.numel() for tensor in tensors))
        return super().bring(tensors)

    def begin_peak(self) -> None:
        self._peak = self.used()

    def peak(self) -> int:
        return self._peak

    @contextmanager
    def computing(self, size: int) -> Iterator[None]:
        """Take so many bytes for what is being computed. Raises OutOfMemoryError when they are not there."""
        self._check(size)
        self.claimed += size
        self._peak = max(self._peak, self.used())
        try:
            yield
        finally:
            self.claimed -= size

    def short(self, asked: int | None, held: int) -> Short:
        return super().short(asked, held)

    def _check(self, size: int) -> None:
        if self.used() + size > self.total - self.others - self.hidden:
            raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {size} bytes.")

    @staticmethod
    def _copy(tensor: Tensor, *, scrambled: bool) -> Tensor:
        copy = tensor.detach().clone()
        if scrambled:
            torch.empty(0, dtype=torch.uint8).set_(copy.untyped_storage()).bitwise_xor_(MASK)
        return copy


def _living(storages: dict[StorageWeakRef, int]) -> int:
    for gone in [storage for storage in storages if storage.expired()]:
        del storages[gone]
    return sum(storages.values())
