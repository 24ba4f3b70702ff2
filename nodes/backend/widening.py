"""Networks whose weights are as narrow as their files have them, and that compute in a wider precision.

A half-precision file is mapped as it is; a block's weights are widened when it runs. What runs at every step keeps
them so from then on; what runs once a prompt or once a picture is not worth a second copy, and lets go of it. The
numbers are those of a network that was widened as a whole, bit for bit.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)

_DTYPE, _KEPT = "computed_in", "stays_wide"


def widened(module: M, dtype: torch.dtype, *, kept: bool) -> M:
    """Compute in this precision from now on, in place, whatever the weights have. kept: once widened, they stay so."""
    if any(_narrower(p, dtype) for p in _weights(module)):
        for block in _blocks(module):
            for part in block.modules():
                if part is block or isinstance(part, nn.Embedding):  # T5 has a table of distances in its first block
                    _put_on(part, dtype, kept=kept)
        for part in module.modules():
            if part is not module and isinstance(getattr(type(part), "dtype", None), property):
                _say(part, dtype)
    module.__dict__ |= {_DTYPE: dtype, _KEPT: kept}
    return module


def computed_in(module: Any) -> torch.dtype:
    """The precision that a network computes in."""
    return module.__dict__.get(_DTYPE) or module.dtype  # which looks at every layer


def nbytes(module: nn.Module) -> int:
    """What a network's tensors will hold once it has run."""
    least = module.__dict__[_DTYPE].itemsize if _DTYPE in module.__dict__ and module.__dict__[_KEPT] else 0
    held = {id(t): t for t in (*module.parameters(), *module.buffers())}
    return sum(t.numel() * max(t.itemsize, least if t.is_floating_point() else 0) for t in held.values())


def _narrower(weight: Tensor, dtype: torch.dtype) -> bool:
    """Some layers have wider weights than their network computes in."""
    return weight.dtype.itemsize < dtype.itemsize


def _weights(module: nn.Module, *, recurse: bool = True) -> Iterator[nn.Parameter]:
    return (p for p in module.parameters(recurse) if p.is_floating_point())


def _blocks(module: nn.Module, *, one_of_many: bool = False) -> Iterator[nn.Module]:
    """The parts that are widened by themselves: one of a list of equal ones, or what has weights of its own.

    Not single layers: some blocks look at the precision of their layers' weights.
    """
    own = next(_weights(module, recurse=False), None) is not None
    if own or ((one_of_many or _is_around_one(module)) and next(_weights(module), None) is not None):
        yield module
        return
    for child in module.children():
        yield from _blocks(child, one_of_many=isinstance(module, nn.ModuleList))


def _is_around_one(module: nn.Module) -> bool:
    """Whether all it has is a convolution: what makes tokens of patches gives pictures the precision of its weight."""
    children = [*module.children()]
    return len(children) == 1 and isinstance(children[0], nn.Conv2d | nn.Conv3d)


def _say(part: nn.Module, dtype: torch.dtype) -> None:
    """What a model within another tells of its precision: those around it give it their pictures in that."""
    kind: Any = type(part)
    part.__class__ = type(kind.__name__, (kind,), {"__module__": kind.__module__, "dtype": dtype})


def _put_on(block: nn.Module, dtype: torch.dtype, *, kept: bool) -> None:
    kind: Any = type(block)
    base = _Table if isinstance(block, nn.Embedding) else _Kept if kept else _Lent
    block.__class__ = type(kind.__name__, (base, kind), {"__module__": kind.__module__, _DTYPE: dtype})


class _Kept:
    computed_in: torch.dtype

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        block: Any = self
        with torch.inference_mode(False):
            for parameter in _weights(block):
                if _narrower(parameter, self.computed_in):
                    # of the parameter itself, so that twins of the network have it too
                    parameter.data = parameter.data.to(self.computed_in)
        return super().forward(*args, **kwargs)  # type: ignore[misc]


class _Lent:
    computed_in: torch.dtype

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        block: Any = self
        with lent(block, self.computed_in):
            return super().forward(*args, **kwargs)  # type: ignore[misc]


class _Table:
    """The rows that are looked up are widened alone."""

    computed_in: torch.dtype

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        return super().forward(*args, **kwargs).to(self.computed_in)  # type: ignore[misc]


@contextmanager
def lent(block: nn.Module, dtype: torch.dtype) -> Generator[None]:
    """Wide weights for a while. Tables keep theirs."""
    narrow = [
        (module, name, parameter)
        for module in block.modules()
        for name, parameter in module.named_parameters(recurse=False)
        if parameter.is_floating_point() and _narrower(parameter, dtype) and not isinstance(module, nn.Embedding)
    ]
    try:
        for module, name, parameter in narrow:
            setattr(module, name, nn.Parameter(parameter.to(dtype), requires_grad=False))
        yield
    finally:
        for module, name, parameter in narrow:
            setattr(module, name, parameter)
