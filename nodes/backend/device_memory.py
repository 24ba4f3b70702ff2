"""The memory that networks compute in: how much there is, and how weights get there and away."""

from __future__ import annotations

import ctypes
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nodes.backend.room import Short

RESERVE = 2 << 30
"""Bytes of main memory that networks leave to everybody else, and an eighth of it at least."""

FIRST_GUESS = 1 << 30
"""Bytes that computing takes beside weights, until it is known."""


class Memory(NamedTuple):
    """Bytes. free: what could be had now. ours: what this program holds, used or not."""

    free: int
    total: int
    ours: int


class Coming(NamedTuple):
    """Weights on their way to the device. arrived: an event of the stream that brings them."""

    tensors: tuple[Tensor, ...]
    arrived: Any = None


class DeviceMemory(ABC):
    """name: for people. moves: whether weights can wait in main memory, which is another than the device's."""

    name: str
    moves: bool

    def __init__(self, device: torch.device) -> None:
        self.device = device

    @abstractmethod
    def memory(self, held: int) -> Memory:
        """held: bytes of the networks that are there."""

    def host_free(self) -> int:
        """Bytes of main memory that networks may still take."""
        free, total = host_memory()
        return max(0, free - max(RESERVE, total // 8))

    def beside(self) -> int:
        """Bytes that computing takes beside weights, before anything is known."""
        return 0

    def here(self, tensor: Tensor) -> bool:
        """Whether it lies on the device."""
        return tensor.device.type == self.device.type

    def up(self, tensor: Tensor) -> Tensor:
        """To the device, at once or a little later in the order of what is computed."""
        return tensor.to(self.device)

    def down(self, tensor: Tensor) -> Tensor:
        """To main memory, from where `up` is quick."""
        return tensor

    def bring(self, tensors: Sequence[Tensor]) -> Coming:
        """Begin to copy to the device, beside what is being computed there."""
        return Coming(tuple(map(self.up, tensors)))

    def arrive(self, coming: Coming) -> None:  # noqa: B027  # where nothing is under way there is nothing to do
        """What is computed from now on waits until these have arrived."""

    def staging(self, nbytes: int) -> Tensor:
        """Main memory to read files into, from where `up` is quick: bytes."""
        return torch.empty(nbytes, dtype=torch.uint8)

    def mark(self) -> Any:
        """This place in what is computed."""
        return None

    def reach(self, mark: Any) -> None:  # noqa: B027
        """Wait until what was computed before a mark is done."""

    def release(self) -> None:  # noqa: B027
        """Give back to the system what is held and not used."""

    def slack(self) -> int:
        """What is held and not used."""
        return 0

    def begin_peak(self) -> None:  # noqa: B027
        """From now on `peak` counts anew."""

    def peak(self) -> int:
        """Bytes that were in use at the most; 0 when that is not known."""
        return 0

    def short(self, asked: int | None, held: int) -> Short:
        """The numbers of now, for when memory has run out."""
        free, total, ours = self.memory(held)
        return Short(self.name, asked, free, total, ours)


class Main(DeviceMemory):
    """The processor, with main memory: weights mapped from files, which the system drops when it needs their room."""

    name = "this machine"
    moves = False

    def memory(self, held: int) -> Memory:
        """Networks may take three quarters of all; the rest is for what they compute, and for the system."""
        total = host_memory()[1]
        return Memory(total * 3 // 4 - held, total, held)

    def begin_peak(self) -> None:
        with suppress(OSError):  # Linux alone has it
            Path("/proc/self/clear_refs").write_text("5")

    def peak(self) -> int:
        return _status("VmHWM")

    def short(self, asked: int | None, held: int) -> Short:
        free, total = host_memory()
        ours = _status("VmRSS")
        return Short(self.name, asked, free, total, ours) if ours else Short(self.name, asked)


class Accelerator(DeviceMemory):
    """A graphics card with memory of its own: CUDA, ROCm, XPU."""

    moves = True

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self._backend: Any = getattr(torch, device.type)
        self._copies: Any = None  # the stream that brings weights

    @property
    def name(self) -> str:  # type: ignore[override]  # asked only when there is something to say
        return str(self._backend.get_device_name(self.device))

    def memory(self, held: int) -> Memory:
        free, total = self._backend.mem_get_info(self.device)
        return Memory(free + self.slack(), total, self._backend.memory_reserved(self.device))

    def beside(self) -> int:
        return min(FIRST_GUESS, self._backend.mem_get_info(self.device)[1] // 4)

    def up(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.device, non_blocking=True)

    def down(self, tensor: Tensor) -> Tensor:
        try:
            host = torch.empty_like(tensor, device="cpu", pin_memory=True)
        except RuntimeError:  # no more of it may be pinned
            host = torch.empty_like(tensor, device="cpu")
        return host.copy_(tensor)

    def staging(self, nbytes: int) -> Tensor:
        try:
            return torch.empty(nbytes, dtype=torch.uint8, pin_memory=True)
        except RuntimeError:
            return super().staging(nbytes)

    def bring(self, tensors: Sequence[Tensor]) -> Coming:
        if self._copies is None:
            self._copies = self._backend.Stream(self.device)
        with self._backend.stream(self._copies):
            copies = tuple(tensor.to(self.device, non_blocking=True) for tensor in tensors)
            return Coming(copies, self._copies.record_event())

    def arrive(self, coming: Coming) -> None:
        self._backend.current_stream(self.device).wait_event(coming.arrived)

    def mark(self) -> Any:
        return self._backend.current_stream(self.device).record_event()

    def reach(self, mark: Any) -> None:
        mark.synchronize()

    def release(self) -> None:
        self._backend.empty_cache()

    def slack(self) -> int:
        return self._backend.memory_reserved(self.device) - self._backend.memory_allocated(self.device)

    def begin_peak(self) -> None:
        self._backend.reset_peak_memory_stats(self.device)

    def peak(self) -> int:
        # Not max_memory_allocated, which sorts some hundred numbers for this one.
        stats = self._backend.memory_stats_as_nested_dict(self.device)
        return stats["allocated_bytes"]["all"]["peak"] if stats else 0


class Shared(DeviceMemory):
    """Apple's graphics processor, which shares main memory: there is no other place to move weights to."""

    name = "the graphics processor"
    moves = False

    def memory(self, held: int) -> Memory:
        total = torch.mps.recommended_max_memory()
        ours = torch.mps.driver_allocated_memory()
        return Memory(max(0, total - ours) + self.slack(), total, ours)

    def beside(self) -> int:
        return min(FIRST_GUESS, torch.mps.recommended_max_memory() // 4)

    def release(self) -> None:
        torch.mps.empty_cache()

    def slack(self) -> int:
        return max(0, torch.mps.driver_allocated_memory() - torch.mps.current_allocated_memory())


def of(device: torch.device) -> DeviceMemory:
    """The one of a device."""
    if device.type == "cpu":
        return Main(device)
    return Shared(device) if device.type == "mps" else Accelerator(device)


def host_memory() -> tuple[int, int]:
    """(bytes that programs could still get, bytes in all) of main memory; a guess where the system does not tell."""
    if sys.platform == "win32":
        return _windows_memory()
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        if found := next((line for line in lines if line.startswith("MemAvailable:")), None):
            return int(found.split()[1]) << 10, total
    return total // 2, total


def _windows_memory() -> tuple[int, int]:
    class Status(ctypes.Structure):
        """MEMORYSTATUSEX: https://learn.microsoft.com/windows/win32/api/sysinfoapi/ns-sysinfoapi-memorystatusex"""

        _fields_ = (
            ("length", ctypes.c_uint32),
            ("load", ctypes.c_uint32),
            *((name, ctypes.c_uint64) for name in ("total", "free", "c", "d", "e", "f", "g")),
        )

    status: Any = Status()
    status.length = ctypes.sizeof(Status)
    libraries: Any = ctypes
    if not libraries.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return 8 << 30, 16 << 30
    return status.free, status.total


def _status(name: str) -> int:
    """A number of bytes from what Linux says of this process; 0 elsewhere."""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name + ":"))
    return 0
