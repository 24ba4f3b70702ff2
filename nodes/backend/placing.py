"""Moving the weights of networks, and bringing them block by block, under the modules that use them.

What moves is the data of parameters and buffers, so every twin of a network moves with it. The numbers stay the same:
copies are exact, and the same kernels run on the same weights in the same order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from nodes.backend.device_memory import Coming, DeviceMemory

LARGEST = 256 << 20
"""Bytes of a block that is brought as a whole, where it can be divided: two of them are on the device at a time."""

IN_FLIGHT = 2
"""Blocks that are on the device beside the one that runs: one that has run, and one that comes."""

_FEED, _NUMBER = "feed", "number_in_feed"

CONTAINERS = (nn.ModuleList, nn.ModuleDict, nn.Sequential)


def tensors(modules: Iterable[nn.Module]) -> list[Tensor]:
    """The parameters and buffers of networks, each once."""
    found = {id(t): t for module in modules for t in (*module.parameters(), *module.buffers())}
    return list(found.values())


def nbytes(of: Iterable[Tensor]) -> int:
    return sum(tensor.numel() * tensor.itemsize for tensor in of)


class Copies:
    """What was brought to main memory, kept for the next time: weights do not change."""

    def __init__(self) -> None:
        self._of: dict[int, Tensor] = {}

    def nbytes(self) -> int:
        return nbytes(self._of.values())

    def forget(self) -> None:
        self._of.clear()

    def up(self, tensor: Tensor, card: DeviceMemory) -> Tensor:
        """What a parameter or buffer holds, on the device."""
        if card.here(tensor.data):
            return tensor.data
        self._of[id(tensor)] = tensor.data
        return card.up(tensor.data)

    def down(self, tensor: Tensor, card: DeviceMemory) -> Tensor:
        """The copy of a parameter or buffer in main memory."""
        known = self._of.get(id(tensor))
        if known is None or (known.dtype, known.shape, known.stride()) != (tensor.dtype, tensor.shape, tensor.stride()):
            known = self._of[id(tensor)] = card.down(tensor.data)
        return known


def move(of: Iterable[Tensor], to: Callable[[Tensor], Tensor]) -> None:
    """Exchange what these hold, one after the other. `to`: is given the parameter or buffer itself."""
    with torch.inference_mode(False):
        for tensor in of:
            tensor.data = to(tensor)


def blocks(module: nn.Module, largest: int = LARGEST) -> Iterator[nn.Module]:
    """The parts of a network that can be brought one by one, each as large as may be.

    Not single layers where it can be helped: some blocks look at the weights of their layers.
    """
    for child in module.children():
        small = not isinstance(child, CONTAINERS) and nbytes(child.parameters()) <= largest
        if small or next(child.parameters(recurse=False), None) is not None:
            yield child
        else:
            yield from blocks(child, largest)


def least(module: nn.Module, largest: int = LARGEST) -> int:
    """What a network takes whose blocks come one by one: the largest of them, as many as are there at once, and what no
    block has.
    """
    parts = list(blocks(module, largest))
    of_blocks = {id(p) for part in parts for p in part.parameters()}
    rest = nbytes(t for t in tensors([module]) if id(t) not in of_blocks)
    sizes = sorted((nbytes(part.parameters()) for part in parts), reverse=True)
    return rest + sum(sizes[: IN_FLIGHT + 1])


class Feed:
    """Brings the blocks of a network to the device, each while the one before it runs.

    stay: bytes of the blocks that are left there. The order is learnt from what runs after what.
    """

    def __init__(self, card: DeviceMemory, stay: int) -> None:
        self._card, self._stay = card, stay
        self._blocks: list[tuple[nn.Parameter, ...]] = []
        self._numbers: dict[int, int] = {}  # by the first of its parameters
        self._host: dict[int, tuple[Tensor, ...]] = {}  # of the blocks that do not stay
        self._after: dict[int, int] = {}
        self._last: int | None = None
        self._coming: dict[int, Coming] = {}
        self._running: dict[int, Coming] = {}
        self._left: deque[tuple[Any, Coming]] = deque()  # what the device may still be computing with, until the mark

    def join(self, root: nn.Module, copies: Copies, largest: int = LARGEST) -> None:
        """Feed the blocks of a network, or of a twin of one whose blocks are fed."""
        _exchange(root, _Rooted, {"computes_on": self._card.device})
        for block in blocks(root, largest):
            parameters = tuple(block.parameters())
            if parameters:
                number = self._known(parameters, copies)
                _exchange(block, _Fed, {_FEED: self, _NUMBER: number})

    def _known(self, parameters: tuple[nn.Parameter, ...], copies: Copies) -> int:
        number = self._numbers.setdefault(id(parameters[0]), len(self._blocks))
        if number == len(self._blocks):
            self._blocks.append(parameters)
            size = nbytes(parameters)
            if size <= self._stay:
                self._stay -= size
                move(parameters, lambda p: copies.up(p, self._card))
            else:
                self._host[number] = tuple(copies.down(p, self._card) for p in parameters)
                self._hold(number, self._host[number])
        return number

    def has(self, tensor: Tensor) -> bool:
        """Whether it belongs to a block."""
        return any(tensor is parameter for parameters in self._blocks for parameter in parameters)

    def enter(self, number: int) -> None:
        """The block is about to run."""
        if number not in self._host:
            return
        coming = self._coming.pop(number, None)
        if self._last is not None:
            self._after[self._last] = number
        self._last = number
        self._coming.clear()  # what was expected and did not come
        if coming is None:
            self._settle(IN_FLIGHT)
            coming = self._card.bring(self._host[number])
        self._card.arrive(coming)
        self._hold(number, coming.tensors)
        self._running[number] = coming
        following = self._after.get(number)
        if following is not None and following != number:
            self._settle(IN_FLIGHT - 1)
            self._expect(following)

    def leave(self, number: int) -> None:
        """The block has run, or was stopped."""
        if number in self._host:
            self._hold(number, self._host[number])
            self._left.append((self._card.mark(), self._running.pop(number)))

    def close(self) -> None:
        """Nothing is fed any more; the weights are in main memory."""
        self._coming.clear()
        self._settle(0)
        self._after.clear()
        self._last = None

    def _expect(self, number: int) -> None:
        try:
            self._coming[number] = self._card.bring(self._host[number])
        except RuntimeError:  # there is no room beside what is computed; it is brought when its turn comes
            self._coming.clear()

    def _settle(self, most: int) -> None:
        """Wait until at the most so many of the blocks that have run may still be in use."""
        while len(self._left) > most:
            mark, _ = self._left.popleft()
            self._card.reach(mark)

    def _hold(self, number: int, values: Iterable[Tensor]) -> None:
        with torch.inference_mode(False):
            for parameter, value in zip(self._blocks[number], values, strict=True):
                parameter.data = value


def leave_feed(root: nn.Module) -> None:
    """Make the blocks of a network what they were before they were fed."""
    for module in root.modules():
        kind = type(module)
        if issubclass(kind, _Fed | _Rooted):
            module.__class__ = kind.__mro__[2]  # after the exchanged class and ours
            for name in (_FEED, _NUMBER, "computes_on"):
                module.__dict__.pop(name, None)


def computes_on(root: nn.Module) -> torch.device:
    """Where a network computes, wherever its weights are now."""
    return root.__dict__.get("computes_on") or next(root.parameters()).device


def fed(root: nn.Module) -> bool:
    """Whether its blocks come one by one: it must be called as it is, never from a recording."""
    return isinstance(root, _Rooted)


_exchanged: dict[tuple[type, type], type] = {}


def _exchange(module: nn.Module, base: type, remembered: Mapping[str, Any]) -> None:
    kind = type(module)
    if not issubclass(kind, base):
        made = _exchanged.get((base, kind))
        if made is None:
            made = _exchanged[base, kind] = type(kind.__name__, (base, kind), {"__module__": kind.__module__})
        module.__class__ = made
    module.__dict__.update(remembered)


class _Rooted:
    """A network whose weights are not all where it computes."""

    computes_on: torch.device

    @property
    def device(self) -> torch.device:
        return self.computes_on


class _Fed:
    def forward(self, *args: Any, **kwargs: Any) -> Any:
        block = cast(Any, self)
        feed, number = block.__dict__[_FEED], block.__dict__[_NUMBER]
        feed.enter(number)
        try:
            return super().forward(*args, **kwargs)  # type: ignore[misc]
        finally:
            feed.leave(number)
