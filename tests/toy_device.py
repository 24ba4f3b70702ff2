"""A device that computes like the CPU, in memory of its own, and counts what goes between the two.

So what is written for an accelerator is run and looked at without one: a tensor there says that it is elsewhere, mixing
it with one in main memory fails as it does on a GPU, and every copy and every number that Python waits for is counted.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from types import ModuleType
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils import backend_registration
from torch.utils._device import _device_constructors
from torch.utils._python_dispatch import TorchDispatchMode

DEVICE = "privateuseone"
"""The kind that torch leaves to others."""

WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "_unique2")
"""Operators of which Python needs a result that is on the device: .item(), bool(), .tolist(), indexing by a mask."""


class Counts(Counter[str]):
    """up, down: copies to the device and from it. waits: results that Python waited for. kernels: all others there."""

    @property
    def between(self) -> dict[str, int]:
        """What must not happen between steps."""
        return {name: self[name] for name in ("up", "down", "waits") if self[name]}


class OnToy(Tensor):
    """A tensor on the device; its numbers are in `inner`."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> OnToy:
        make: Any = Tensor
        return make._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=torch.device(DEVICE, 0),
        )

    def __init__(self, inner: Tensor) -> None:
        self.inner = inner

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {}, None)


class _Counting(TorchDispatchMode):
    def __init__(self, counts: Counts) -> None:
        super().__init__()
        self.counts = counts

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # In inference mode, operators that consist of others arrive whole.
        if _consists_of_others(func):
            with self:
                made = func.decompose(*args, **(kwargs or {}))
            if made is not NotImplemented:
                return made
        return _run(func, args, kwargs or {}, self.counts)


@cache
def _consists_of_others(func: Any) -> bool:
    return torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd")


@cache
def _guarded() -> None:
    """Which of several is the current one, torch asks in places; it has no way to forget who answers."""
    torch._C._acc.register_python_privateuseone_device_guard(backend_registration._DummyDeviceGuard())


@contextmanager
def toy_device() -> Iterator[Counts]:
    """While it lasts, there is the device."""
    _guarded()
    name = f"torch.{DEVICE}"
    module: Any = ModuleType(name)  # which torch asks whether there is such a device
    module.is_available, module._lazy_init = lambda: True, lambda: None
    sys.modules[name] = module
    setattr(torch, DEVICE, module)
    _device_constructors()  # which remembers functions: it is to see torch's own
    original = torch.tensor

    def tensor(data: Any, *, device: Any = None, **options: Any) -> Tensor:
        """Which hides from the counting what it does with a device."""
        made = original(data, **options)
        return made if device is None else made.to(device)

    torch.tensor = tensor
    try:
        with _Counting(Counts()) as mode:
            yield mode.counts
    finally:
        torch.tensor = original
        delattr(torch, DEVICE)
        del sys.modules[name]


def _run(func: Any, args: Any, kwargs: dict[str, Any], counts: Counts | None) -> Any:
    """One operator, on the CPU, with its results where they belong."""
    given = [*_leaves((args, kwargs))]
    leaves = [leaf for leaf in given if isinstance(leaf, Tensor)]
    there = [leaf for leaf in leaves if isinstance(leaf, OnToy)]
    asked = next((torch.device(leaf) for leaf in given if isinstance(leaf, torch.device)), None)
    goes = bool(there) if asked is None else asked.type == DEVICE
    name = func.overloadpacket.__name__
    if counts is not None:
        _count(counts, func, kwargs, leaves, there, goes)
    if there and name not in ("copy_", "_to_copy") and any(_is_host(leaf) for leaf in leaves):
        raise RuntimeError(
            f"{name}: Expected all tensors to be on the same device, but found at least two, toy and cpu"
        )
    inside = {id(leaf.inner): leaf for leaf in there}
    args, kwargs = _mapped(_inner, (args, kwargs))
    made = _computed(func, name, args, kwargs)
    if name in ("copy_", "set_") and there:
        return next((inside[id(part)] for part in args if id(part) in inside and part is made), made)
    if not goes:
        return made
    # Torch wants a view to be of the same making as what it is of, which may be older than inference.
    is_older = torch.is_inference_mode_enabled() and func.is_view and not there[0].is_inference()
    with torch.inference_mode(False) if is_older else nullcontext():
        return _mapped(lambda part: _placed(part, inside), made)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple | list):
        for part in value:
            yield from _leaves(part)
    elif isinstance(value, dict):
        yield from _leaves(tuple(value.values()))
    else:
        yield value


def _mapped(change: Callable[[Any], Any], value: Any) -> Any:
    if isinstance(value, tuple | list):
        return type(value)([_mapped(change, part) for part in value])
    if isinstance(value, dict):
        return {name: _mapped(change, part) for name, part in value.items()}
    return change(value)


def _computed(func: Any, name: str, args: Any, kwargs: Any) -> Any:
    if name == "_slow_conv2d_forward":  # what convolutions come to on devices without an operator of their own
        x, weight, _, bias, stride, padding = args
        return torch.conv2d(x, weight, bias, stride, padding)
    return func(*args, **kwargs)


def _inner(leaf: Any) -> Any:
    if isinstance(leaf, OnToy):
        return leaf.inner
    return torch.device("cpu") if isinstance(leaf, torch.device) else leaf


def _placed(part: Any, inside: dict[int, OnToy]) -> Any:
    """A result on the device; the very tensor where an operator gives back what it was given."""
    if not isinstance(part, Tensor):
        return part
    return inside[id(part)] if id(part) in inside else OnToy(part)


def _is_host(leaf: Tensor) -> bool:
    return not isinstance(leaf, OnToy) and leaf.dim() > 0


def _count(
    counts: Counts, func: Any, kwargs: dict[str, Any], leaves: list[Tensor], there: list[OnToy], goes: bool
) -> None:
    from_there, name = bool(there), func.overloadpacket.__name__
    if name in WAITS and from_there:
        counts["waits"] += 1
    elif name == "_to_copy" and goes and leaves and not from_there:
        counts["up"] += 1
    elif name == "_to_copy" and from_there and not goes:
        counts["down"] += 1
    elif name == "copy_" and from_there and len(leaves) > len(there):
        counts["up" if isinstance(leaves[0], OnToy) else "down"] += 1
    elif name in ("index", "index_put_") and from_there and any(leaf.dtype == torch.bool for leaf in leaves[1:]):
        counts["waits"] += 1
    elif func.name() == "aten::repeat_interleave.Tensor" and from_there and kwargs.get("output_size") is None:
        counts["waits"] += 1  # how long the result is
    elif from_there or goes:
        counts["kernels"] += 1


def on_host(tensor: Tensor) -> Tensor:
    """Its numbers, without counting."""
    return cast(OnToy, tensor).inner if isinstance(tensor, OnToy) else tensor
