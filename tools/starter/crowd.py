"""Training pictures drawn by all processor cores in the background, while the first stages train.

Rows are functions of their index alone; only when a row is ready depends on the machine. The arrays lie in memory that
the workers share with this process, so nothing is copied between them. Start a crowd before CUDA is used: workers are
forked, and a forked process cannot use CUDA.
"""

import mmap
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

ROWS_A_TASK = 64
PATIENCE = 300.0  # seconds without a row, after which the workers count as dead

Rows = dict[str, np.ndarray]


@dataclass
class Shelf:
    """Rows of one kind: how to draw number i, and the arrays that hold them; `ready` of them are there."""

    name: str
    count: int
    draw: Callable[[int], Rows]
    arrays: Rows = field(default_factory=dict[str, np.ndarray])
    ready: int = 0

    def allocate(self) -> None:
        """Shared memory for all rows, as large as the first row says."""
        for name, value in self.draw(0).items():
            memory = mmap.mmap(-1, max(1, self.count * value.nbytes))
            self.arrays[name] = np.frombuffer(memory, value.dtype, self.count * value.size).reshape(
                self.count, *value.shape
            )

    def fill(self, first: int, last: int) -> None:
        """Draws the rows [first, last)."""
        for index in range(first, last):
            for name, value in self.draw(index).items():
                self.arrays[name][index] = value

    def wait(self, count: int) -> None:
        """Returns when so many rows are ready; raises RuntimeError when none comes any more."""
        seen, since = self.ready, time.monotonic()
        while self.ready < min(count, self.count):
            time.sleep(0.02)
            if self.ready > seen:
                seen, since = self.ready, time.monotonic()
            if time.monotonic() - since > PATIENCE:
                raise RuntimeError(f"the workers that draw {self.name} have stopped at {self.ready} of {self.count}")

    def take(self, name: str) -> Tensor:
        """All rows of an array, when they are ready."""
        self.wait(self.count)
        return torch.from_numpy(self.arrays[name])


_shelves: list[Shelf] = []  # what forked workers find


def _work(task: tuple[int, int, int]) -> tuple[int, int]:
    shelf, first, last = task
    _shelves[shelf].fill(first, last)
    return shelf, last


def _calm() -> None:
    """Workers stand back behind the process that keeps the GPU busy. They compute nothing with torch."""
    os.nice(5)


def start(shelves: list[Shelf], workers: int) -> None:
    """Fills the shelves at the same pace, in the background."""
    for shelf in shelves:
        shelf.allocate()
    _shelves[:] = shelves
    tasks = [
        (number, first, min(first + ROWS_A_TASK, shelf.count))
        for number, shelf in enumerate(shelves)
        for first in range(0, shelf.count, ROWS_A_TASK)
    ]
    tasks.sort(key=lambda task: task[1] / shelves[task[0]].count)
    pool = multiprocessing.get_context("fork").Pool(workers, _calm)

    def collect() -> None:
        for shelf, last in pool.imap(_work, tasks):
            _shelves[shelf].ready = last
        pool.close()

    threading.Thread(target=collect, daemon=True).start()


class Uploaded:
    """A shelf's array on the training device, as far as it is ready."""

    def __init__(self, shelf: Shelf, name: str, device: torch.device) -> None:
        self.shelf, self.name = shelf, name
        self.source = torch.from_numpy(shelf.arrays[name])
        self.rows = torch.empty_like(self.source, device=device) if device.type != "cpu" else self.source
        self.count = 0

    def refresh(self, least: int = 1) -> int:
        """Brings what is ready, at least `least` rows, to the device; how many are there."""
        self.shelf.wait(least)
        ready = self.shelf.ready
        if ready > self.count and self.rows is not self.source:
            self.rows[self.count : ready].copy_(self.source[self.count : ready])
        self.count = max(self.count, ready)
        return self.count
