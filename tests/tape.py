"""What a GPU records of a call, on the CPU: operators with the very tensors that they read and write.

As in a graph of CUDA's, a number that Python had when it was recorded stays, and whoever wants another result writes
into the inputs; weights are read where they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from nodes.backend.launch import Forward
from nodes.backend.ways import Way


class Recording(TorchDispatchMode):
    """Operators, in order."""

    def __init__(self) -> None:
        super().__init__()
        self._steps: list[tuple[Any, Any, Any, list[Tensor]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd"):
            with self:  # in inference mode, operators that consist of others arrive whole
                made = func.decompose(*args, **kwargs)
            if made is not NotImplemented:
                return made
        made = func(*args, **kwargs)
        read = {_memory(t) for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)}
        written = [t for t in tree_leaves(made) if isinstance(t, Tensor)]
        is_view = bool(written) and all(_memory(t) in read for t in written)
        if func._schema.is_mutable or not is_view:
            self._steps.append((func, args, kwargs, [] if func._schema.is_mutable else written))
        return made

    def replay(self) -> None:
        for func, args, kwargs, written in self._steps:
            made = [t for t in tree_leaves(func(*args, **kwargs)) if isinstance(t, Tensor)]
            for kept, new in zip(written, made, strict=bool(written)):
                kept.copy_(new)


class Tape:
    """A recorded call. way: what for."""

    way: Way = "graph"

    def __init__(self, forward: Forward, tensors: Sequence[Tensor], nbytes: int = 1000) -> None:
        self.nbytes, self.replays = nbytes, 0
        self.inputs = [tensor.clone() for tensor in tensors]
        self._recording = Recording()
        with self._recording:
            self._made = forward(self.inputs)

    def replay(self) -> Sequence[Tensor]:
        self.replays += 1
        self._recording.replay()
        return self._made


def _memory(tensor: Tensor) -> int:
    """Where it lies; packed weights have no such place."""
    return tensor.untyped_storage().data_ptr() if tensor.layout == torch.strided else 0


class Deck:
    """Records onto tapes. fails: whether it refuses to. taken: seconds of a call in each way, known when it is over."""

    def __init__(self, nbytes: int = 1000) -> None:
        self.nbytes, self.fails = nbytes, False
        self.tapes: list[Tape] = []
        self.compilations = 0
        self.taken: dict[Way, float] = {"eager": 2.0, "graph": 1.0, "compiled": 0.5}

    def record(self, forward: Forward, inputs: Sequence[Tensor]) -> Tape:
        if self.fails:
            raise RuntimeError("operation not permitted when stream is capturing")
        self.tapes.append(Tape(forward, inputs, self.nbytes))
        self.tapes[-1].way = "compiled" if self.compilations else "graph"
        return self.tapes[-1]

    def clock(self) -> Watch:
        return Watch(self)

    def compiled(self, net: Any) -> Any:
        self.compilations += 1
        return net


class Watch:
    """Sees when a call is over whether a tape was played."""

    def __init__(self, deck: Deck) -> None:
        self._deck, self._taken = deck, None
        self._before = [tape.replays for tape in deck.tapes]

    def stop(self) -> None:
        played = (t.way for t, before in zip(self._deck.tapes, self._before, strict=False) if t.replays > before)
        self._taken = self._deck.taken[next(played, "eager")]

    def seconds(self) -> float | None:
        return self._taken
