"""The numbers in GGUF's blocks, by the definitions of ggml-quants.c, many blocks at a time and on any device.

Every function takes blocks, [n, bytes] uint8, to [n, numbers] float32, and multiplies and adds in the order of the
`gguf` package's own, so that both give the same bits. Of the kinds that are rare (IQ1 to IQ4, TQ, MXFP4) the package
itself makes the numbers, in main memory.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from nodes.backend.gguf_header import PACKINGS
from nodes.backend.untyped import from_numpy

CHUNK = 1 << 20
"""Numbers that are made at a time in main memory: what they are made of stays in the processor's cache."""


def decoded(rows: Tensor, kind: str, dtype: torch.dtype) -> Tensor:
    """The numbers of rows: [n, bytes of a row] uint8 to [n, numbers of a row]. kind: one of PACKINGS."""
    packing = PACKINGS[kind]
    width = rows.shape[1] // packing.bytes * packing.numbers
    made = torch.empty(len(rows), width, dtype=dtype, device=rows.device)
    step = max(1, CHUNK // width) if rows.device.type == "cpu" else len(rows)
    for first in range(0, len(rows), max(1, step)):
        blocks = rows[first : first + step].reshape(-1, packing.bytes)
        made[first : first + step] = _numbers(blocks, kind).reshape(-1, width)
    return made


@cache
def constant(values: tuple[float | tuple[float, ...], ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """A few numbers, put onto a device once: what was recorded there may read them at any time."""
    with torch.inference_mode(False):
        return torch.tensor(values, dtype=dtype).to(device)


def _numbers(blocks: Tensor, kind: str) -> Tensor:
    return DECODERS[kind](blocks) if kind in DECODERS else _by_package(blocks, kind)


def _by_package(blocks: Tensor, kind: str) -> Tensor:
    from gguf import GGMLQuantizationType, quants

    arrays: Any = quants
    made = arrays.dequantize(blocks.cpu().numpy(), GGMLQuantizationType[kind])
    return from_numpy(made).to(blocks.device)


def _half(blocks: Tensor, at: int) -> Tensor:
    """A number of 16 bits in each block: [n, 1] float32."""
    return blocks[:, at : at + 2].contiguous().view(torch.float16).float()


def _shifted(packed: Tensor, width: int, shifts: tuple[int, ...]) -> Tensor:
    """Bytes, `width` of them side by side, moved down by each of the shifts: [n, groups, shifts, width]."""
    by = constant(tuple((shift,) for shift in shifts), torch.uint8, packed.device)
    return packed.reshape(len(packed), -1, 1, width) >> by


def _nibbles(packed: Tensor, width: int) -> Tensor:
    """The lower halves of `width` bytes, then the upper ones: [n, numbers] uint8."""
    return (_shifted(packed, width, (0, 4)) & 15).reshape(len(packed), -1)


def _bits(packed: Tensor) -> Tensor:
    """Those of four bytes, the lowest first: [n, 32] uint8."""
    by = constant(tuple(range(8)), torch.uint8, packed.device)
    return ((packed.unsqueeze(-1) >> by) & 1).reshape(len(packed), -1)


def _q4_0(blocks: Tensor) -> Tensor:
    return _half(blocks, 0) * (_nibbles(blocks[:, 2:], 16).float() - 8)


def _q4_1(blocks: Tensor) -> Tensor:
    return _half(blocks, 0) * _nibbles(blocks[:, 4:], 16).float() + _half(blocks, 2)


def _q5_0(blocks: Tensor) -> Tensor:
    codes = _nibbles(blocks[:, 6:], 16) | (_bits(blocks[:, 2:6]) << 4)
    return _half(blocks, 0) * (codes.float() - 16)


def _q5_1(blocks: Tensor) -> Tensor:
    codes = _nibbles(blocks[:, 8:], 16) | (_bits(blocks[:, 4:8]) << 4)
    return _half(blocks, 0) * codes.float() + _half(blocks, 2)


def _q8_0(blocks: Tensor) -> Tensor:
    return blocks[:, 2:].view(torch.int8).float() * _half(blocks, 0)


def _q2_k(blocks: Tensor) -> Tensor:
    scales, codes = blocks[:, :16], blocks[:, 16:80]
    scale = (_half(blocks, 80) * (scales & 15).float()).unsqueeze(-1)
    least = (_half(blocks, 82) * (scales >> 4).float()).unsqueeze(-1)
    numbers = (_shifted(codes, 32, (0, 2, 4, 6)) & 3).reshape(len(blocks), 16, 16).float()
    return (scale * numbers - least).reshape(len(blocks), -1)


def _q3_k(blocks: Tensor) -> Tensor:
    high, codes, scales = blocks[:, :32], blocks[:, 32:96], blocks[:, 96:108]
    lower = (_shifted(scales[:, :8], 8, (0, 4)) & 15).reshape(len(blocks), 16)
    upper = (_shifted(scales[:, 8:], 4, (0, 2, 4, 6)) & 3).reshape(len(blocks), 16)
    scale = _half(blocks, 108) * ((lower | (upper << 4)).float() - 32)
    low = (_shifted(codes, 32, (0, 2, 4, 6)) & 3).reshape(len(blocks), 16, 16).float()
    # The third bit is turned round: where it is 0, four are taken off.
    bit = (_shifted(high, 32, tuple(range(8))) & 1).reshape(len(blocks), 16, 16).float()
    return (scale.unsqueeze(-1) * (low - (1 - bit) * 4)).reshape(len(blocks), -1)


def _six_bits(scales: Tensor) -> tuple[Tensor, Tensor]:
    """Eight scales and eight least numbers of six bits in twelve bytes: [n, 8] uint8 each."""
    first, second, rest = scales[:, :4], scales[:, 4:8], scales[:, 8:]
    scale = torch.cat([first & 0x3F, (rest & 15) | ((first >> 2) & 0x30)], dim=-1)
    least = torch.cat([second & 0x3F, (rest >> 4) | ((second >> 2) & 0x30)], dim=-1)
    return scale, least


def _with_least(blocks: Tensor, numbers: Tensor) -> Tensor:
    """Numbers, [n, 8, 32] uint8, by the scales at the beginning of Q4_K and Q5_K."""
    scale, least = _six_bits(blocks[:, 4:16])
    times = (_half(blocks, 0) * scale.float()).unsqueeze(-1)
    less = (_half(blocks, 2) * least.float()).unsqueeze(-1)
    return (times * numbers.float() - less).reshape(len(blocks), -1)


def _q4_k(blocks: Tensor) -> Tensor:
    return _with_least(blocks, _nibbles(blocks[:, 16:], 32).reshape(len(blocks), 8, 32))


def _q5_k(blocks: Tensor) -> Tensor:
    low = _nibbles(blocks[:, 48:], 32).reshape(len(blocks), 8, 32)
    high = (_shifted(blocks[:, 16:48], 32, tuple(range(8))) & 1).reshape(len(blocks), 8, 32)
    return _with_least(blocks, low | (high << 4))


def _q6_k(blocks: Tensor) -> Tensor:
    low = (_shifted(blocks[:, :128], 64, (0, 4)) & 15).reshape(len(blocks), 8, 32)
    high = (_shifted(blocks[:, 128:192], 32, (0, 2, 4, 6)) & 3).reshape(len(blocks), 8, 32)
    scale = (_half(blocks, 208) * blocks[:, 192:208].view(torch.int8).float()).unsqueeze(-1)
    numbers = (low | (high << 4)).float() - 32
    return (scale * numbers.reshape(len(blocks), 16, 16)).reshape(len(blocks), -1)


DECODERS: dict[str, Callable[[Tensor], Tensor]] = {
    "Q4_0": _q4_0,
    "Q4_1": _q4_1,
    "Q5_0": _q5_0,
    "Q5_1": _q5_1,
    "Q8_0": _q8_0,
    "Q2_K": _q2_k,
    "Q3_K": _q3_k,
    "Q4_K": _q4_k,
    "Q5_K": _q5_k,
    "Q6_K": _q6_k,
}
"""By the name of the packing."""
