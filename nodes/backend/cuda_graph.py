"""Kernels of NVIDIA's cards, and AMD's, recorded as one graph, and how long they take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Forward = Callable[[Sequence[Tensor]], list[Tensor]]
"""From the tensors of a call to those of its result."""


class CudaClock:
    """How long the card takes for what is launched until `stop`: events, for which nobody waits."""

    def __init__(self) -> None:
        cuda: Any = torch.cuda
        self._start, self._end = cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
        self._start.record()

    def stop(self) -> None:
        self._end.record()

    def seconds(self) -> float | None:
        """None while the card has not got there."""
        return self._start.elapsed_time(self._end) / 1000 if self._end.query() else None


class CudaGraph:
    """Kernels on one card, with the memory that they use."""

    def __init__(self, forward: Forward, tensors: Sequence[Tensor]) -> None:
        cuda: Any = torch.cuda
        self.inputs = [torch.empty_like(tensor).copy_(tensor) for tensor in tensors]
        self._graph = cuda.CUDAGraph()
        # Only what this thread does may disturb it: others write results to disk meanwhile.
        with cuda.graph(self._graph, capture_error_mode="thread_local"):
            before = cuda.memory_reserved()  # beginning has given back what nobody uses
            self._made = forward(self.inputs)
        self.nbytes = max(0, cuda.memory_reserved() - before)

    def replay(self) -> Sequence[Tensor]:
        self._graph.replay()
        return self._made
