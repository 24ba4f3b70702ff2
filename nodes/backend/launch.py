"""Calling a network on an accelerator, where most of a step can go into launching its kernels one by one.

The first calls of a kind are made as they are written; from the third on its kernels are recorded as one graph, which
is launched at once. What may differ from call to call is an input of the graph: tensors, and the strengths of LoRAs. On
the CPU, and in training, a network is simply called.
"""

from __future__ import annotations

import logging
import os
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol, cast

import torch
from torch import Tensor, nn

from nodegraph.program import data_folder
from nodes.backend import adapters, additions, devices, resident, share
from nodes.backend.cuda_graph import CudaClock, CudaGraph, Forward
from nodes.backend.ways import Learnt, Tally, Way, best, is_settled, next_way

MOST_GRAPHS = 8
"""Graphs that are kept, of all networks and shapes; used longest ago first out."""

MOST_MOVES = 3
"""After weights have been moved so often, recording is over."""

_log = logging.getLogger(__name__)


class Recorded(Protocol):
    """A call that was recorded: reading `inputs`, and writing what `replay` gives, the same tensors every time.

    nbytes: what it holds.
    """

    @property
    def inputs(self) -> Sequence[Tensor]: ...

    @property
    def nbytes(self) -> int: ...

    def replay(self) -> Sequence[Tensor]: ...


class Clock(Protocol):
    """The time that a call takes, which may be known later."""

    def stop(self) -> None: ...

    def seconds(self) -> float | None:
        """None as long as it is not known. Waits for nothing."""
        ...


class Backend(Protocol):
    """What a kind of device can do beside launching kernels."""

    def record(self, forward: Forward, inputs: Sequence[Tensor]) -> Recorded:
        """Raises whatever it likes when it cannot."""
        ...

    def clock(self) -> Clock: ...

    def compiled(self, net: nn.Module) -> nn.Module:
        """A twin of a network whose equal blocks are compiled when they first run."""
        ...


class _Shape(NamedTuple):
    """What a value is without the numbers of its tensors: equal for calls that one graph can serve."""

    kind: str
    parts: tuple[Any, ...]


class Told(NamedTuple):
    """Calls of one kind: how many, the ways that are ready, and the least seconds of one in each way that was timed."""

    name: str
    calls: int
    ready: tuple[Way, ...]
    seconds: Mapping[Way, float]


@dataclass
class _Ready:
    """A recorded call. copied: the tensors that its inputs were last filled from, where they never change."""

    recorded: Recorded
    copied: list[weakref.ref[Tensor] | None]


class _Weights:
    """The tensors of a network, by which it is known: twins that differ in strengths alone have the same ones.

    gone: whether one of them is, so that nothing recorded with them may be used.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.gone = False

        def end(_: object) -> None:
            self.gone = True

        self._refs = [weakref.ref(tensor, end) for tensor in tensors]

    def __len__(self) -> int:
        return len(self._refs)

    def places(self) -> tuple[int, ...]:
        """Where they lie in memory; empty when they are gone."""
        refs: list[Any] = self._refs
        return () if self.gone else tuple([ref().data_ptr() for ref in refs])

    def are_on(self, device: torch.device) -> bool:
        return all((tensor := ref()) is not None and tensor.device == device for ref in self._refs)


@dataclass
class _Kind:
    """One kind of call of one network: this structure, these shapes. places: of the weights when it was recorded.

    result: the structure of what comes out. clocks: of calls whose time is not known yet.
    """

    name: str
    weights: _Weights
    places: tuple[int, ...]
    tally: Tally = field(default_factory=Tally)
    ready: dict[Way, _Ready] = field(default_factory=dict[Way, _Ready])
    result: _Shape | None = None
    clocks: list[tuple[Way, Clock]] = field(default_factory=list[tuple[Way, Clock]])
    moves: int = 0


class Launcher:
    """Calls networks of one device, and remembers how. One thread calls at a time.

    allowed: ways that may be tried beside eager, in order. most_bytes: what graphs may hold beside weights.
    """

    def __init__(
        self,
        backend: Backend,
        learnt: Learnt | None = None,
        allowed: Sequence[Way] = ("graph",),
        most_bytes: int = 4 << 30,
    ) -> None:
        self.backend, self.learnt, self.allowed, self.most_bytes = backend, learnt, tuple(allowed), most_bytes
        self._kinds: OrderedDict[Hashable, _Kind] = OrderedDict()
        self._of: weakref.WeakKeyDictionary[nn.Module, _Weights] = weakref.WeakKeyDictionary()
        self._same: weakref.WeakValueDictionary[Hashable, _Weights] = weakref.WeakValueDictionary()

    def call(self, net: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What the network makes of these; the tensors in it are the caller's."""
        tensors: list[Tensor] = []
        try:
            shape = _shape((args, kwargs), tensors)
        except TypeError:  # it takes something whose sameness cannot be told
            return _called(net, (args, kwargs), None)
        strengths = adapters.strengths_of(net)
        dial = resident.numbers(strengths, tensors[0].device, torch.float32) if strengths else None
        kind = self._kind(net, shape, tensors, strengths)
        tally = kind.tally
        way = next_way(tally, self.learnt.of(kind.name) if self.learnt else None, self.allowed)
        tally.calls += 1
        call = _Call(net, shape, [*tensors, *([] if dial is None else [dial])], dial is not None)
        ready = self._ready(kind, call, way) if way != "eager" else None
        clock = (
            self.backend.clock() if tally.calls > 1 and not tally.timed(way) else None
        )  # the first one loads kernels
        made = _called(net, (args, kwargs), dial) if ready is None else _replayed(ready, call.tensors, kind)
        if clock:
            clock.stop()
            kind.clocks.append(("eager" if ready is None else way, clock))
        self._read_clocks(kind)
        return made

    def forget(self) -> int:
        """Drop every graph; how many bytes they held."""
        freed = self.nbytes()
        self._kinds.clear()
        return freed

    def nbytes(self) -> int:
        """What graphs hold beside the networks' weights."""
        return sum(ready.recorded.nbytes for kind in self._kinds.values() for ready in kind.ready.values())

    def told(self) -> Iterator[Told]:
        for kind in self._kinds.values():
            seconds: dict[Way, float] = {way: min(taken) for way, taken in kind.tally.seconds.items() if taken}
            yield Told(kind.name, kind.tally.calls, tuple(kind.ready), seconds)

    def _kind(self, net: nn.Module, shape: _Shape, tensors: Sequence[Tensor], strengths: tuple[float, ...]) -> _Kind:
        for key in [key for key, kind in self._kinds.items() if kind.weights.gone]:
            del self._kinds[key]
        weights = self._weights_of(net)
        structure = (shape, tuple((tuple(t.shape), str(t.dtype)) for t in tensors), tuple(map(bool, strengths)))
        kind = self._kinds.get((weights, structure))
        if kind is None:
            told = repr((type(net).__name__, len(weights), structure)).encode()
            name = f"{type(net).__name__} {blake2b(told, digest_size=8).hexdigest()}"
            kind = self._kinds[weights, structure] = _Kind(name, weights, weights.places())
        elif (places := weights.places()) != kind.places:
            kind.ready.clear()
            kind.places, kind.moves = places, kind.moves + 1
            # Where they are now, it may be possible; not for ever, when they do not stay anywhere.
            kind.tally.failed = set() if kind.moves <= MOST_MOVES else set(self.allowed)
        self._kinds.move_to_end((weights, structure))
        return kind

    def _weights_of(self, net: nn.Module) -> _Weights:
        known = self._of.get(net)
        if known is None or known.gone:
            tensors = (*net.parameters(), *net.buffers())
            key = (type(net), *map(id, tensors))
            known = self._same.get(key)
            if known is None or known.gone:
                known = self._same[key] = _Weights(tensors)
            self._of[net] = known
        return known

    def _ready(self, kind: _Kind, call: _Call, way: Way) -> _Ready | None:
        """A call in one of the ways that have to be got ready; None when it cannot be."""
        if way in kind.ready:
            return kind.ready[way]
        start = time.perf_counter()
        try:
            kind.ready[way] = ready = self._recorded(kind, call, way)
            kind.tally.ready.add(way)
        except Exception as error:  # whatever it is, there is a way that works
            _log.info("%s cannot be called as %s: %s", kind.name, way, error)
            kind.tally.failed.add(way)
            ready = None
        kind.tally.spent += time.perf_counter() - start
        self._make_room(kind)
        return ready if way in kind.ready else None

    def _recorded(self, kind: _Kind, call: _Call, way: Way) -> _Ready:
        if not kind.weights.are_on(call.tensors[0].device):
            raise ValueError("its weights are elsewhere")
        if any(tensor.device != call.tensors[0].device for tensor in call.tensors):
            raise ValueError("what it is given is elsewhere")
        net = call.net
        if way == "compiled":
            net = self.backend.compiled(net)
            call._replace(net=net).forward(call.tensors)  # which compiles; nothing may compile while it is recorded

        def forward(inputs: Sequence[Tensor]) -> list[Tensor]:
            kind.result, made = call._replace(net=net).forward(inputs)
            return made

        recorded = self.backend.record(forward, call.tensors)
        return _Ready(recorded, [None] * len(call.tensors))

    def _make_room(self, keep: _Kind) -> None:
        """Drop what was used longest ago; a graph that has no room at all is not made again."""
        graphs = [kind for kind in self._kinds.values() if kind.ready]
        while graphs and (len(graphs) > MOST_GRAPHS or self.nbytes() > self.most_bytes):
            dropped = graphs.pop(0)
            dropped.ready.clear()
            if dropped is keep:
                _log.info("%s: what was recorded has no room", keep.name)
                keep.tally.failed.update(self.allowed)

    def _read_clocks(self, kind: _Kind) -> None:
        if not kind.clocks:
            return
        waiting: list[tuple[Way, Clock]] = []
        for way, clock in kind.clocks:
            seconds = clock.seconds()
            if seconds is None:
                waiting.append((way, clock))
            else:
                kind.tally.add(way, seconds)
        kind.clocks = waiting
        if not waiting and is_settled(kind.tally, self.allowed):
            found = best(kind.tally)
            kind.ready = {way: ready for way, ready in kind.ready.items() if way == found}
            if self.learnt:
                self.learnt.keep(kind.name, found)


class _Call(NamedTuple):
    """One call of a network. tensors: those of its arguments, and last the strengths where it is dialled."""

    net: Any
    shape: _Shape
    tensors: Sequence[Tensor]
    dialled: bool

    def forward(self, tensors: Sequence[Tensor]) -> tuple[_Shape, list[Tensor]]:
        """The same call of other tensors: the structure of the result, and the tensors in it."""
        found: list[Tensor] = []
        given = _filled(self.shape, iter(tensors))
        return _shape(_called(self.net, given, tensors[-1] if self.dialled else None), found), found


def _called(net: Any, given: tuple[tuple[Any, ...], dict[str, Any]], dial: Tensor | None) -> Any:
    args, kwargs = given
    if dial is None:
        return net(*args, **kwargs)
    with additions.dialled(dial):
        return net(*args, **kwargs)


def _replayed(ready: _Ready, tensors: Sequence[Tensor], kind: _Kind) -> Any:
    """What was recorded, of these tensors."""
    for place, (tensor, static) in enumerate(zip(tensors, ready.recorded.inputs, strict=True)):
        last = ready.copied[place]
        if last is None or last() is not tensor:
            static.copy_(tensor)
            ready.copied[place] = weakref.ref(tensor) if resident.is_kept(tensor) else None
    assert kind.result  # it was recorded
    return _filled(kind.result, (made.clone() for made in ready.recorded.replay()))


# What a call consists of ------------------------------------------------------------------------------------


def _shape(value: Any, tensors: list[Tensor]) -> _Shape:
    """The structure of a value, its tensors put into the list. Raises TypeError for what has no sameness."""
    match value:
        case Tensor():
            tensors.append(value)
            return _TENSOR
        case tuple() | list():
            parts = tuple(_shape(part, tensors) for part in cast("Sequence[Any]", value))
            return _Shape("tuple" if isinstance(value, tuple) else "list", parts)
        case dict():
            items = cast("dict[str, Any]", value).items()
            return _Shape("dict", tuple((name, _shape(part, tensors)) for name, part in items))
        case None | bool() | int() | float() | str():
            return _Shape(type(value).__name__, (value,))
        case _:
            raise TypeError(f"{type(value).__name__} is not told apart")


_TENSOR = _Shape("tensor", ())


def _filled(shape: _Shape, tensors: Iterator[Tensor]) -> Any:
    """The value of this structure with these tensors."""
    match shape.kind:
        case "tensor":
            return next(tensors)
        case "tuple":
            return tuple(_filled(part, tensors) for part in shape.parts)
        case "list":
            return [_filled(part, tensors) for part in shape.parts]
        case "dict":
            return {name: _filled(part, tensors) for name, part in shape.parts}
        case _:
            return shape.parts[0]


# By kind of device ------------------------------------------------------------------------------------------


class Cuda:
    """NVIDIA's cards, and AMD's, which are called so too."""

    def record(self, forward: Forward, inputs: Sequence[Tensor]) -> Recorded:
        return CudaGraph(forward, inputs)

    def clock(self) -> Clock:
        return CudaClock()

    def compiled(self, net: nn.Module) -> nn.Module:
        return compiled(net)


def compiled(net: nn.Module, **options: Any) -> nn.Module:
    """A twin of a network whose blocks that repeat are compiled when they first run, each kind of block once.

    options: of torch.compile. Raises ValueError when nothing in it is known to repeat.
    """
    names: Sequence[str] = getattr(net, "_repeated_blocks", None) or ()
    copy = share.twin(net)
    blocks = [module for module in copy.modules() if type(module).__name__ in names]
    if not blocks:
        raise ValueError("it does not say which of its blocks repeat")
    for block in blocks:
        cast(Any, block).compile(**options)
    return copy


def arranged(net: Any, device: torch.device) -> Any:
    """A network with its weights as the device's kernels read them, in place: else they are turned round in every call.

    A fifth of the time of a step of Stable Diffusion 1.5 on an H200 went into that.
    """
    return net.to(memory_format=torch.channels_last) if device.type == "cuda" else net  # of weights with four sides


SHARE_OF_MEMORY = 8
"""Graphs may hold one part in so many of a card's memory."""

COMPILES = "DENOODLE_COMPILE"
"""Whoever sets it wants blocks compiled too: up to a minute for each shape, once, for steps that are faster then."""


def _on_cuda(device: torch.device) -> Launcher:
    card = devices.card(device)
    allowed: tuple[Way, ...] = ("graph", "compiled") if os.environ.get(COMPILES) else ("graph",)
    learnt = Learnt(data_folder() / "launches.json", f"{card.title} {card.arch}; torch {torch.__version__}")
    return Launcher(Cuda(), learnt, allowed, card.bytes // SHARE_OF_MEMORY)


LAUNCHERS: dict[str, Callable[[torch.device], Launcher]] = {"cuda": _on_cuda}
"""By kind of device, what makes a launcher; on the other kinds a network is simply called."""

_launchers: dict[torch.device, Launcher] = {}


def call(net: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a network, in the way that is best where its arguments are. Its results are the caller's."""
    tensor = _first((*args, *kwargs.values()))
    if tensor.device.type not in LAUNCHERS or not torch.is_inference_mode_enabled():
        return net(*args, **kwargs)
    if tensor.device not in _launchers:
        _launchers[tensor.device] = LAUNCHERS[tensor.device.type](tensor.device)
    return _launchers[tensor.device].call(net, args, kwargs)


def _first(values: Sequence[Any]) -> Tensor:
    """The first tensor that a network is given, by itself or in a list."""
    found = (cast("list[Any]", value)[0] if isinstance(value, list) else value for value in values)
    return next(value for value in found if isinstance(value, Tensor))


def forget() -> int:
    """Drop every graph, of all devices; how many bytes they held. They are recorded again when they are used."""
    return sum(launcher.forget() for launcher in _launchers.values())


def told() -> list[Told]:
    """How networks were called, used longest ago first."""
    return [told for launcher in _launchers.values() for told in launcher.told()]


def nbytes() -> int:
    """What graphs hold beside the networks' weights."""
    return sum(launcher.nbytes() for launcher in _launchers.values())
