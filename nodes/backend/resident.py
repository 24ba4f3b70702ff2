"""Tensors that stay on the device: what every step of a denoising reads is put there once, and what a step makes leaves
it while the next one is under way.

On the CPU everything is where it belongs: these functions give back what they are given.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, cast

import torch
from torch import Tensor

MAX_BYTES = 128 << 20
"""Of what is kept beside weights; what was used last always stays."""

_C: Any = vars(torch)["_C"]  # not for others, hence not declared


class _Kept(NamedTuple):
    """What was made, and the tensors that it was made of, which may be gone by now."""

    made: Tensor
    sources: tuple[weakref.ref[Tensor], ...]

    def is_of(self, sources: Sequence[Tensor]) -> bool:
        return all(known() is source for known, source in zip(self.sources, sources, strict=True))


_kept: OrderedDict[tuple[Hashable, ...], _Kept] = OrderedDict()
_gone: deque[tuple[Hashable, ...]] = deque()  # keys whose sources ended, in whichever thread


def made_once(name: Hashable, sources: Sequence[Tensor], make: Callable[[], Tensor]) -> Tensor:
    """What is made of these tensors, made when it is first asked for. It is shared: do not change it.

    name: what else decides it. Tensors that travel on links do not change, so it holds as long as they are there.
    """
    if not torch.is_inference_mode_enabled():  # in training, what is made may belong to a gradient
        return make()
    key = (name, *map(id, sources))
    while _gone:
        _kept.pop(_gone.popleft(), None)
    known = _kept.get(key)
    if known is None or not known.is_of(sources):
        known = _keep(key, sources, make())
    _kept.move_to_end(key)
    return known.made


def _keep(key: tuple[Hashable, ...], sources: Sequence[Tensor], made: Tensor) -> _Kept:
    def forget(_: Any) -> None:
        _gone.append(key)

    _kept[key] = known = _Kept(made, tuple(weakref.ref(source, forget) for source in sources))
    _kept.move_to_end(key)
    while len(_kept) > 1 and nbytes() > MAX_BYTES:
        _kept.popitem(last=False)
    return known


def is_kept(tensor: Tensor) -> bool:
    """Whether it is one of those that are kept here, and do not change."""
    return any(known.made is tensor for known in _kept.values())


def nbytes() -> int:
    """What is kept beside weights."""
    return sum(known.made.nbytes for known in _kept.values())


def free() -> int:
    """Forget everything that can be put there again; how many bytes that was."""
    freed = nbytes()
    _kept.clear()
    return freed


def numbers(values: tuple[float | tuple[float, ...], ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    """A few numbers, [numbers], or [rows, numbers], that are the same at every step."""
    return made_once(("numbers", values, device, dtype), (), lambda: sent(torch.tensor(values).to(dtype), device))


def on(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor that does not change, on the device."""
    if _is_on(tensor, device):
        return tensor
    return made_once(_on(device), (tensor,), lambda: sent(tensor, device))


def _is_on(tensor: Tensor, device: torch.device) -> bool:
    there = tensor.device
    return there.type == device.type and (there.index or 0) == (device.index or 0)


def _on(device: torch.device) -> Hashable:
    return "on", device.type, device.index or 0


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor on its way to the device, which nobody waits for; what comes after it there does by itself."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        # From memory that the system may move, the copy would wait for all that was launched before.
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


# The way back ----------------------------------------------------------------------------------------------


class Sent(Protocol):
    """A copy from a device to main memory that may still be under way."""

    def arrived(self) -> bool: ...

    def into(self, host: Tensor) -> None:
        """Wait for it, and put it there."""
        ...


class _FromCuda:
    """A copy on a stream of its own, into memory that the card writes to by itself."""

    _streams: ClassVar[dict[torch.device, Any]] = {}

    def __init__(self, tensor: Tensor) -> None:
        cuda: Any = torch.cuda
        stream = self._streams.get(tensor.device) or self._streams.setdefault(tensor.device, cuda.Stream(tensor.device))
        stream.wait_stream(cuda.current_stream(tensor.device))
        self._event = cuda.Event(blocking=True)  # who waits for it leaves the core to others
        with cuda.stream(stream):
            self._pinned = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
            self._pinned.copy_(tensor, non_blocking=True)
            self._event.record(stream)
        self._tensor = tensor  # its memory must not go to another before it is read

    def arrived(self) -> bool:
        return self._event.query()

    def into(self, host: Tensor) -> None:
        self._event.synchronize()
        host.copy_(self._pinned)


LANES: dict[str, Callable[[Tensor], Sent]] = {"cuda": _FromCuda}
"""By kind of device, how tensors leave it while it goes on. From others they are copied at once."""


class Leaving(Tensor):
    """A tensor in main memory that may still be on its way there: whoever looks at its numbers waits for them."""

    sent: Sent | None

    @classmethod
    def of(cls, sent: Sent, host: Tensor) -> Leaving:
        """host: the memory that it goes to."""
        make: Any = Tensor
        leaving: Leaving = make._make_subclass(cls, host)
        leaving.sent = sent
        return leaving

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func not in _NO_NUMBERS:
            for tensor in _leaving((args, kwargs)):
                _arrive(tensor)
        with _C.DisableTorchFunctionSubclass():
            return func(*args, **kwargs)


_of_tensors: Any = Tensor
_ATTRIBUTES = ("shape", "dtype", "device", "ndim", "nbytes", "itemsize")
_METHODS = ("size", "dim", "numel", "__len__", "is_floating_point", "element_size", "is_contiguous")
_NO_NUMBERS: frozenset[Any] = frozenset(
    (
        *(getattr(_of_tensors, name).__get__ for name in _ATTRIBUTES),
        *(getattr(_of_tensors, name) for name in _METHODS),
    )
)
"""What may be asked of a tensor without its numbers."""


def leave(tensor: Tensor) -> Tensor:
    """A tensor as it is passed on: in main memory, or on its way there. What `on` gives of it is the tensor itself.

    One that came from there by `on` goes back as it came.
    """
    if tensor.device.type == "cpu":
        return tensor
    for (name, *_), known in _kept.items():
        if name == _on(tensor.device) and known.made is tensor and (host := known.sources[0]()) is not None:
            return host
    lane = LANES.get(tensor.device.type)
    with torch.inference_mode(False):  # whoever waits for it writes into it, in whatever mode
        if lane is None:
            host = tensor.to("cpu")
        else:
            host = Leaving.of(lane(tensor), torch.empty(tensor.shape, dtype=tensor.dtype))
    _keep((_on(tensor.device), id(host)), (host,), tensor)
    return host


def is_under_way(tensor: Any) -> bool:
    """Whether somebody who looked at its numbers would have to wait."""
    return isinstance(tensor, Leaving) and tensor.sent is not None and not tensor.sent.arrived()


def _arrive(tensor: Leaving) -> None:
    if under_way := tensor.sent:
        with _C.DisableTorchFunctionSubclass():
            under_way.into(tensor)
        tensor.sent = None  # only now: another thread must not take it for whole before


def _leaving(value: Any) -> Iterator[Leaving]:
    if isinstance(value, Leaving):
        yield value
    elif isinstance(value, tuple | list):
        for part in cast("Iterable[Any]", value):
            yield from _leaving(part)
    elif isinstance(value, dict):
        yield from _leaving(tuple(cast("dict[Any, Any]", value).values()))
