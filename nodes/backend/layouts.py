"""What the layouts of quantised weights mean: stored tensors to the numbers that they stand for, on any device.

Float8: w = q s. Int8: w = q s, rotated back where it was rotated. W4a8: w = codebook[q] s_group s_row, rotated back.
Nvfp4: w = e2m1[q] s_block s. GGUF: see `gguf_blocks`. A rotation multiplies groups of inputs with H, the Kronecker
power of a regular Hadamard matrix of 4 x 4, which is orthogonal, symmetric and its own inverse. All is computed in
float32 and rounded once, to what is asked for.

Some devices multiply eight-bit numbers faster than others. `product` does that where a person wants it: what a layer
is given is rounded to eight bits too, so the picture changes a little.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cache
from mmap import ACCESS_COPY, mmap
from typing import Any, Literal, cast

import torch
from torch import Tensor
from torch.nn import functional

from nodes.backend import gguf_blocks
from nodes.backend.gguf_header import PACKINGS
from nodes.backend.quantised import BLOCK, TILE, Packed, tiled

EIGHT_BITS = "DENOODLE_EIGHT_BIT_PRODUCTS"
"""Whoever sets it wants products of eight-bit numbers where the device has them."""

Parts = Mapping[str, Tensor]
"""The stored tensors of a weight: its codes by the name "weight", the others by theirs in `Packed.parts`."""

FLOATS = {"F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2}
LARGEST = 448.0
"""Of e4m3."""

KNOW_FLOAT8 = ("cpu", "cuda", "xpu")
"""Kinds of devices that turn eight-bit floats into others; on the rest they are looked up in a table."""

E2M1 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
"""The numbers of four bits; those of the upper half are the same below zero."""


class Layout(ABC):
    """One way of storing a matrix [outputs, inputs]. by_row: the parts that have a row for each output, unless they are
    one number for all.
    """

    by_row: tuple[str, ...] = ("weight", "scale")

    def __init__(self, packed: Packed) -> None:
        self.packed = packed

    def cut(self, parts: Parts, first: int, end: int) -> tuple[Layout, Parts]:
        """Some of the rows, and how to read them."""
        return self, self._of_rows(parts, slice(first, end))

    def picked(self, parts: Parts, rows: Tensor) -> Parts:
        """The parts of rows by number, [n]. Not of layouts whose rows do not lie by themselves."""
        return self._of_rows(parts, rows)

    def _of_rows(self, parts: Parts, rows: slice | Tensor) -> Parts:
        cut = {name for name, part in parts.items() if name in self.by_row and part.numel() > 1}
        return {name: part[rows] if name in cut else part for name, part in parts.items()}

    @abstractmethod
    def matrix(self, parts: Parts, dtype: torch.dtype) -> Tensor:
        """The numbers of the rows that the parts have: [rows, inputs]."""

    def product(self, x: Tensor, parts: Parts) -> Tensor | None:
        """About x times the matrix, [n, rows], by eight-bit numbers; None where the device does not do that.

        x: [n, inputs].
        """
        return None


class Float8(Layout):
    def matrix(self, parts: Parts, dtype: torch.dtype) -> Tensor:
        numbers = float8(parts["weight"], self.packed.kind)
        if "scale" not in parts:
            return numbers.to(dtype)
        return numbers.mul_(_scale(parts["scale"])).to(dtype)

    def product(self, x: Tensor, parts: Parts) -> Tensor | None:
        codes = parts["weight"]
        if not multiplies_float8(x.device) or any(side % 16 for side in codes.shape) or not len(x):
            return None
        scale = parts["scale"].float() if "scale" in parts else torch.ones(1, device=x.device)
        return float8_product(x, codes.view(FLOATS[self.packed.kind]), scale, parts.get("input_scale"))


class Int8(Layout):
    def matrix(self, parts: Parts, dtype: torch.dtype) -> Tensor:
        numbers = parts["weight"].float().mul_(_scale(parts["scale"]))
        return rotated(numbers, self.packed.rotated).to(dtype)

    def product(self, x: Tensor, parts: Parts) -> Tensor | None:
        x = rotated(x.float(), self.packed.rotated).to(x.dtype)
        return int8_product(x, parts["weight"], _scale(parts["scale"]).reshape(-1))


class W4A8(Layout):
    by_row = ("weight", "relative", "channel")

    def matrix(self, parts: Parts, dtype: torch.dtype) -> Tensor:
        numbers = self._relative(parts).mul_(parts["channel"].reshape(-1, 1))
        return rotated(numbers, self.packed.rotated).to(dtype)

    def product(self, x: Tensor, parts: Parts) -> Tensor | None:
        """Four bits and the scales of groups become eight-bit numbers, as they were chosen to be near to."""
        x = rotated(x.float(), self.packed.rotated).to(x.dtype)
        codes = self._relative(parts).round_().clamp_(-127, 127).to(torch.int8)
        return int8_product(x, codes, parts["channel"].reshape(-1))

    def _relative(self, parts: Parts) -> Tensor:
        """Without the scales of the rows: [rows, inputs]."""
        codes, scale = parts["weight"].view(torch.uint8), parts["relative"]
        scale = float8(scale, "F8_E4M3") if scale.itemsize == 1 else scale
        numbers = of_halves(codes, parts["codebook"], upper_first=False).view(*scale.shape, -1)
        return numbers.mul_(scale.unsqueeze(-1)).view(len(codes), -1)


class Nvfp4(Layout):
    """The scales of blocks lie in tiles of 128 rows and 4 columns, filled up to whole ones.

    Rows may be cut anywhere: their tiles are kept whole. skipped: how many rows of the first one are none of theirs.
    """

    def __init__(self, packed: Packed, skipped: int = 0) -> None:
        super().__init__(packed)
        self.skipped = skipped

    def cut(self, parts: Parts, first: int, end: int) -> tuple[Layout, Parts]:
        first += self.skipped
        tiles = slice(first // TILE[0] * TILE[0], -(-(end + self.skipped) // TILE[0]) * TILE[0])
        rows = slice(first - self.skipped, end)
        some = {**parts, "weight": parts["weight"][rows], "blocks": parts["blocks"][tiles]}
        return Nvfp4(self.packed, first % TILE[0]), some

    def matrix(self, parts: Parts, dtype: torch.dtype) -> Tensor:
        codes = parts["weight"]
        scale = self._untiled(float8(parts["blocks"], "F8_E4M3"))[self.skipped :][: len(codes)]
        table = gguf_blocks.constant((*E2M1, *(-number for number in E2M1)), torch.float32, codes.device)
        numbers = of_halves(codes, table, upper_first=True).view(len(codes), -1, BLOCK)
        numbers = numbers.mul_(scale[:, : numbers.shape[1]].unsqueeze(-1)).view(len(codes), -1)
        return numbers.mul_(parts["scale"].reshape(1)).to(dtype)

    def _untiled(self, scales: Tensor) -> Tensor:
        """Row r, column c lies in tile (r // 128, c // 4) at (r % 32, r % 128 // 32, c % 4)."""
        columns = tiled(*self.packed.shape)[1]
        tiles = scales.reshape(-1, columns // TILE[1], 32, TILE[0] // 32, TILE[1])
        return tiles.permute(0, 3, 2, 1, 4).reshape(-1, columns)


class Gguf(Layout):
    def matrix(self, parts: Parts, dtype: torch.dtype) -> Tensor:
        return gguf_blocks.decoded(parts["weight"], self.packed.kind, dtype)


LAYOUTS: Mapping[str, type[Layout]] = {"float8": Float8, "int8": Int8, "w4a8": W4A8, "nvfp4": Nvfp4, "gguf": Gguf}

OF_ROWS = ("float8", "int8", "gguf")
"""The layouts of which single rows can be taken in any order."""


def of(packed: Packed) -> Layout:
    return LAYOUTS[packed.layout](packed)


def has_rows(packed: Packed) -> bool:
    """Whether a weight is a matrix whose rows can be taken by themselves."""
    by_rows = packed.layout != "gguf" or packed.shape[-1] % PACKINGS[packed.kind].numbers == 0
    return len(packed.shape) == 2 and by_rows


def whole(packed: Packed, parts: Parts, dtype: torch.dtype) -> Tensor:
    """All numbers of a weight, in its own shape."""
    return of(packed).matrix(parts, dtype).view(packed.shape)


# Numbers ------------------------------------------------------------------------------------------------------


def float8(codes: Tensor, kind: str) -> Tensor:
    """Eight-bit floats, as such or as bytes, in float32."""
    numbers = codes.view(FLOATS[kind])
    if codes.device.type in KNOW_FLOAT8:
        return numbers.float()
    return _float8_table(kind, codes.device)[codes.view(torch.uint8).int()]


@cache
def _float8_table(kind: str, device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return torch.arange(256, dtype=torch.uint8).view(FLOATS[kind]).float().to(device)


def of_halves(codes: Tensor, table: Tensor, *, upper_first: bool) -> Tensor:
    """Two of 16 numbers for each byte, one for either half: [rows, bytes] uint8 to [rows, bytes, 2]."""
    every = torch.arange(256, device=codes.device)
    halves = (every >> 4, every & 15) if upper_first else (every & 15, every >> 4)
    return torch.stack([table[half] for half in halves], dim=-1)[codes.int()]


def _scale(scale: Tensor) -> Tensor:
    """One for all, [], or for each row: [rows, 1] float32."""
    return scale.float().reshape(() if scale.numel() == 1 else (-1, 1))


def rotated(numbers: Tensor, size: int) -> Tensor:
    """Groups of so many inputs times H. size: 0 leaves them."""
    if not size:
        return numbers
    turn = hadamard(size, numbers.device).T  # the same numbers, added in the order in which comfy-kitchen adds them
    return (numbers.reshape(*numbers.shape[:-1], -1, size) @ turn).reshape(numbers.shape)


@cache
def hadamard(size: int, device: torch.device) -> Tensor:
    """H, [size, size] float32; size: a power of 4."""
    with torch.inference_mode(False):
        first = torch.tensor([[1, 1, 1, -1], [1, 1, -1, 1], [1, -1, 1, 1], [-1, 1, 1, 1]], dtype=torch.float32)
        made = first
        while len(made) < size:
            made = torch.kron(made, first)
        return (made / size**0.5).to(device)


# Packing ------------------------------------------------------------------------------------------------------

ROWS = 1024
"""That are packed at a time, so that little of a matrix is ever there in float32."""


def pack(weight: Tensor, layout: Literal["float8", "int8"]) -> tuple[Packed, dict[str, Tensor]]:
    """A matrix in eight bits with a scale for each row, from the row's largest number, where the matrix lies."""
    rounded: Callable[[Tensor], tuple[Tensor, Tensor]] = to_float8 if layout == "float8" else to_int8
    rows, inputs = weight.shape
    codes = _room(weight).view(torch.float8_e4m3fn if layout == "float8" else torch.int8)
    scale = weight.new_empty((rows, 1), dtype=torch.float32)
    for first in range(0, rows, ROWS):
        some = slice(first, first + ROWS)
        codes[some], scale[some] = rounded(weight[some])
    kind = "F8_E4M3" if layout == "float8" else ""
    parts = {"weight": codes, "scale": scale}
    return Packed(layout, (rows, inputs), {name: name for name in parts}, kind, nbytes=rows * (inputs + 4)), parts


def _room(weight: Tensor) -> Tensor:
    """A byte for each number. Main memory is mapped for it, so that the system has it back when the network is let go
    of: what is smaller than 32 MiB, the allocator would keep.
    """
    if weight.device.type != "cpu" or not weight.numel():
        return torch.empty(weight.shape, dtype=torch.uint8, device=weight.device)
    return torch.frombuffer(mmap(-1, weight.numel(), access=ACCESS_COPY), dtype=torch.uint8).view(weight.shape)


# Products of eight bits ---------------------------------------------------------------------------------------


def wanted() -> bool:
    """Whether a person wants products of eight-bit numbers."""
    return bool(os.environ.get(EIGHT_BITS))


def _capability(device: torch.device) -> tuple[int, int]:
    """Of NVIDIA's cards; (0, 0) of others."""
    cuda: Any = torch.cuda
    return cuda.get_device_capability(device) if device.type == "cuda" and torch.version.hip is None else (0, 0)


def multiplies_float8(device: torch.device) -> bool:
    return device.type == "cpu" or _capability(device) >= (8, 9)


def _multiplies_int8(device: torch.device) -> bool:
    return device.type == "cpu" or _capability(device) >= (7, 5)


def to_float8(x: Tensor, scale: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Numbers as float8 e4m3 of a scale for each row, [n, 1] float32: that which was measured for all of them, or from
    the row's largest, so that no row changes another.
    """
    wide = x.float()
    measured = wide.abs().amax(dim=-1, keepdim=True) / LARGEST if scale is None else scale.float().reshape(1, 1)
    measured = measured.clamp(min=torch.finfo(torch.float32).tiny).expand(len(x), 1)
    return (wide / measured).clamp_(-LARGEST, LARGEST).to(torch.float8_e4m3fn), measured


def float8_product(x: Tensor, codes: Tensor, scale: Tensor, input_scale: Tensor | None = None) -> Tensor:
    """x times codes, both with a scale for each row, summed in float32: Micikevicius et al. 2022 (arXiv:2209.05433).

    x: [n, inputs]. codes: [outputs, inputs] float8, both sides multiples of 16. scale: of each of its rows, or of all.
    input_scale: what x is divided by; None: see `to_float8`.
    """
    rounded, own = to_float8(x, input_scale)
    each = scale.reshape(1, -1).expand(1, len(codes))
    multiply: Any = cast(Any, torch)._scaled_mm
    if x.dtype == torch.bfloat16:  # the one that cards multiply by the scales of rows for
        return multiply(rounded, codes.t(), own.contiguous(), each.contiguous(), out_dtype=x.dtype)
    one = torch.ones((), device=x.device)
    sums: Tensor = multiply(rounded, codes.t(), one, one, out_dtype=torch.float32)
    return sums.mul_(own).mul_(each).to(x.dtype)


def to_int8(x: Tensor) -> tuple[Tensor, Tensor]:
    """Numbers as whole ones of -127..127, with a scale for each row: [n, inputs] int8, [n, 1] float32."""
    scale = (x.float().abs().amax(dim=-1, keepdim=True) / 127).clamp(min=1e-30)
    return (x.float() / scale).round_().clamp_(-127, 127).to(torch.int8), scale


MULTIPLE = 8
LEAST_ROWS = 17
"""What `torch._int_mm` asks of the sides of what it multiplies, on NVIDIA's cards."""


def int8_product(x: Tensor, codes: Tensor, scale: Tensor) -> Tensor | None:
    """x times codes, each row of which has a scale, or all of them the same; None where the device has no such product.

    The products of whole numbers are summed exactly.
    """
    if not _multiplies_int8(x.device) or any(side % MULTIPLE for side in codes.shape) or not len(x):
        return None
    rounded, own = to_int8(x)
    lacking = max(0, LEAST_ROWS - len(x))
    rounded = functional.pad(rounded, (0, 0, 0, lacking)) if lacking else rounded
    sums: Tensor = cast(Any, torch)._int_mm(rounded, codes.t())[: len(x)]
    return (sums.float() * own * scale).to(x.dtype)
