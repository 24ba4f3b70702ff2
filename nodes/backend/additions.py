"""What LoRAs add to a layer of a network, and the layer with it: its own weight stays untouched.

Every addition is a module whose tensors lie where the layer's weight does; it is told the strength when it is called,
as a number, or as a tensor of one where the same kernels must serve any strength: see `launch`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from nodes.backend.share import twin_of_one

Rows = tuple[int, int] | None
Strength = float | Tensor
"""A tensor is float32, without sides."""

_dial: Tensor | None = None


@contextmanager
def dialled(strengths: Tensor) -> Generator[None]:
    """While it lasts, layers take their strengths from here, [files], unless theirs is 0. One thread at a time."""
    global _dial
    before, _dial = _dial, strengths
    try:
        yield
    finally:
        _dial = before


class Addition(nn.Module, ABC):
    """scale: what is multiplied with every strength."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    @abstractmethod
    def add(self, base: Any, x: Tensor, y: Tensor, result: Tensor, strength: Strength) -> Tensor:
        """The result with this added. base: the layer. y: what it makes of x. result: y, and what others added."""

    def keep(self, **tensors: Tensor) -> None:
        """Remember tensors, so that they are counted as this module's."""
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor.contiguous())


class LowRank(Addition):
    """strength * scale * B A x: Hu et al. 2021 (arXiv:2106.09685), eq. 3. down, A: [rank, inputs, *kernel]. up, B."""

    down: Tensor
    up: Tensor

    def __init__(self, down: Tensor, up: Tensor, scale: float) -> None:
        super().__init__(scale)
        self.keep(down=down, up=up)

    def plus(self, result: Tensor, base: Any, x: Tensor, strength: Strength) -> Tensor:
        """The result with strength * scale * B A x."""
        is_conv = x.ndim == 4 and isinstance(base, nn.Conv2d)
        inner = _applied(base, x, self.down) if is_conv else functional.linear(x, self.down)
        factor = strength * self.scale
        if isinstance(factor, Tensor):
            inner = _times(inner, factor)  # which is the smallest of all
        product = functional.conv2d(inner, self.up) if is_conv else functional.linear(inner, self.up)
        return result + product if isinstance(factor, Tensor) else torch.add(result, product, alpha=factor)

    def add(self, base: Any, x: Tensor, y: Tensor, result: Tensor, strength: Strength) -> Tensor:
        return self.plus(result, base, x, strength)

    def weight(self) -> Tensor:
        """B A, in float32."""
        up, down = self.up.float(), self.down.float()
        return (up.flatten(1) @ down.flatten(1)).reshape(len(up), *down.shape[1:])


class Decomposed(Addition):
    """Direction and magnitude of a weight apart: m (W + D) / |W + D|, D = strength * scale * B A, |.| for each output.

    DoRA: Liu et al. 2024 (arXiv:2402.09353), eq. 5. The squares of the norms are a polynomial of the strength, whose
    three numbers for each output are worked out once.
    """

    magnitude: Tensor
    squares: Tensor

    def __init__(self, pair: LowRank, magnitude: Tensor, weight: Tensor) -> None:
        super().__init__(pair.scale)
        self.pair = pair
        own, added = weight.float().flatten(1), pair.weight().flatten(1) * pair.scale
        squares = torch.stack([(a * b).sum(1) for a, b in ((own, own), (own, added), (added, added))])
        self.keep(magnitude=magnitude.float().flatten(), squares=squares)

    def add(self, base: Any, x: Tensor, y: Tensor, result: Tensor, strength: Strength) -> Tensor:
        own, mixed, added = self.squares
        least = torch.finfo(torch.float32).tiny  # a row of zeros has no direction, and stays 0
        norm = (own + 2 * strength * mixed + strength**2 * added).clamp(min=least).sqrt()
        factor = (self.magnitude / norm).to(y.dtype)
        bias = base.bias
        if y.ndim == 4:
            factor, bias = factor.view(-1, 1, 1), None if bias is None else bias.view(-1, 1, 1)
        unbiased = y if bias is None else y - bias
        return result + factor * self.pair.plus(unbiased, base, x, strength) - unbiased


class Product(Addition):
    """A weight that is made of its factors for each call, since it is as large as the layer's own.

    rows: which of its rows are for the layer; None: all. swapped: whether its halves are.
    """

    def __init__(self, scale: float, rows: Rows, *, swapped: bool) -> None:
        super().__init__(scale)
        self.rows, self.swapped = rows, swapped

    @abstractmethod
    def weight(self) -> Tensor: ...

    def add(self, base: Any, x: Tensor, y: Tensor, result: Tensor, strength: Strength) -> Tensor:
        weight = part(self.weight().flatten(1), self.rows, swapped=self.swapped).reshape(base.weight.shape)
        factor = strength * self.scale
        if isinstance(factor, Tensor):
            return result + _applied(base, x, _times(weight, factor))
        return torch.add(result, _applied(base, x, weight), alpha=factor)


class Hadamard(Product):
    """(A1 B1) * (A2 B2), element by element: LoHa, Hyeon-Woo et al. 2021 (arXiv:2108.06098), prop. 2."""

    def __init__(self, factors: dict[str, Tensor], scale: float, rows: Rows, *, swapped: bool) -> None:
        super().__init__(scale, rows, swapped=swapped)
        self.keep(**factors)

    def weight(self) -> Tensor:
        one, other = (
            matrix(getattr(self, f"w{i}_a"), getattr(self, f"w{i}_b"), getattr(self, f"t{i}", None)) for i in "12"
        )
        return one * other


class Kronecker(Product):
    """W1 (x) W2, each whole or of low rank: LoKr, Yeh et al. 2023 (arXiv:2309.14859), sec. 3.3."""

    def __init__(self, factors: dict[str, Tensor], scale: float, rows: Rows, *, swapped: bool) -> None:
        super().__init__(scale, rows, swapped=swapped)
        self.keep(**factors)

    def weight(self) -> Tensor:
        return torch.kron(self._side("w1").flatten(1), self._side("w2").flatten(1))

    def _side(self, name: str) -> Tensor:
        whole: Tensor | None = getattr(self, name, None)
        if whole is not None:
            return whole
        return matrix(getattr(self, f"{name}_a"), getattr(self, f"{name}_b"), getattr(self, f"t{name[1]}", None))


def matrix(a: Tensor, b: Tensor, middle: Tensor | None) -> Tensor:
    """A B; with a middle convolution, sum over i, j of A[i, output] middle[i, j, *kernel] B[j, input]."""
    if middle is None:
        return a @ b.flatten(1)
    return torch.einsum("ijkl,io,jn->onkl", middle, a, b)


def part(weight: Tensor, rows: Rows, *, swapped: bool) -> Tensor:
    """Of what a file keeps for several layers the rows of one, in the order of the network."""
    if rows:
        weight = weight[slice(*rows)]
    return torch.cat(weight.chunk(2)[::-1]) if swapped else weight


def _times(tensor: Tensor, factor: Tensor) -> Tensor:
    """Multiplied in float32: in half precision a strength would be up to 0.4 % off."""
    return (tensor.float() * factor).to(tensor.dtype)


def _applied(base: Any, x: Tensor, weight: Tensor) -> Tensor:
    """What a layer like this one would make of x with another weight and no bias."""
    if isinstance(base, nn.Conv2d):
        return functional.conv2d(x, weight, None, base.stride, base.padding, base.dilation, base.groups)
    return functional.linear(x, weight)


class Adapted(nn.Module):
    """A layer with additions. strengths: of each."""

    def __init__(self, base: Any) -> None:
        super().__init__()
        self.base = base
        self.additions: Any = nn.ModuleList()
        self.files: list[int] = []
        self.strengths: list[float] = []

    def append(self, file: int, addition: Addition) -> None:
        """file: whose strength it has, by number."""
        self.additions.append(addition)
        self.files.append(file)
        self.strengths.append(1.0)

    def with_strengths(self, strengths: list[float]) -> Adapted:
        """A twin of this layer."""
        other = twin_of_one(self)
        other.strengths = strengths
        return other

    @property
    def weight(self) -> Tensor:
        """Of the layer itself, for those who ask for its precision and device."""
        return self.base.weight

    @property
    def bias(self) -> Tensor | None:
        return self.base.bias

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.base(x)
        result = y
        dial = _dial
        for addition, file, strength in zip(self.additions, self.files, self.strengths, strict=True):
            if strength:
                result = addition.add(self.base, x, y, result, strength if dial is None else dial[file])
        return result
