"""The table of a .safetensors file in the one form that its writers give it, read column by column.

A table has a thousand tensors, and a library thousands of tables: nothing is made for a tensor but its name and where
it is. Whatever is written in another way, or is not sound, is left to `headers`, which says what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from math import prod
from operator import sub
from typing import NamedTuple

BYTES = (
    {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}
    | {"F8_E4M3FNUZ": 1, "F8_E5M2FNUZ": 1, "F8_E8M0": 1, "C64": 8}
    | {"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1}
)
MAX_DIMS = 16
MAX_ELEMENTS = 1 << 60

ENTRY = ',"%s":{"dtype":"%s","shape":%s,"data_offsets":[%d,%d]}'
PIECES = 10
"""That quotation marks cut an entry into."""


class Columns(NamedTuple):
    """Of the tensors of a file, in the order of its table. begins, ends: bytes of the data."""

    names: Sequence[str]
    dtypes: Sequence[str]
    shapes: Sequence[tuple[int, ...]]
    begins: Sequence[int]
    ends: Sequence[int]


def read(text: str, size: int) -> Columns | None:
    """A table, from the comma before its first tensor to its end; None unless it is sound and as writers write it.

    size: of the data in bytes.
    """
    text = text.rstrip(" ")  # with which writers fill up
    pieces = text.split('"')
    names, dtypes = pieces[1::PIECES], pieces[5::PIECES]
    if "\\" in text or not "".join(names).isprintable():
        return None
    sides = [piece[1:-1] for piece in pieces[8::PIECES]]
    places = "".join(pieces[PIECES::PIECES])[2:-3].replace("]},:[", ",").split(",") if names else []
    try:
        numbers = [*map(int, places)]
        shapes = {written: _shape(written) for written in set(sides)}
    except ValueError:
        return None
    begins, ends = numbers[::2], numbers[1::2]
    if not len(names) == len(dtypes) == len(sides) == len(begins) == len(ends) == len(set(names)):
        return None
    if ENTRY * len(names) % (*chain.from_iterable(zip(names, dtypes, sides, begins, ends, strict=True)),) + "}" != text:
        return None
    if not _are_sized(dtypes, sides, shapes, [*map(sub, ends, begins)]) or not _are_all(begins, ends, size):
        return None
    return (
        None
        if "__metadata__" in names
        else Columns(names, dtypes, [shapes[written] for written in sides], begins, ends)
    )


def _shape(written: str) -> tuple[int, ...]:
    """Raises ValueError when it is none, or is written in another way."""
    shape = tuple(map(int, written[1:-1].split(","))) if written != "[]" else ()
    if len(shape) > MAX_DIMS or min(shape, default=0) < 0:
        raise ValueError(written)
    if prod(side or 1 for side in shape) > MAX_ELEMENTS or written != f"[{','.join(map(str, shape))}]":
        raise ValueError(written)
    return shape


def _are_sized(
    dtypes: Sequence[str], sides: Sequence[str], shapes: Mapping[str, tuple[int, ...]], sizes: Sequence[int]
) -> bool:
    """Whether each has the bytes that its shape needs."""
    if not set(dtypes) <= BYTES.keys():
        return False
    elements = {written: prod(shape) for written, shape in shapes.items()}
    if len(set(dtypes)) == 1:  # as nearly all files of adapters
        needed = {written: BYTES[dtypes[0]] * count for written, count in elements.items()}
        return sizes == [*map(needed.get, sides)]
    return sizes == [BYTES[dtype] * elements[written] for dtype, written in zip(dtypes, sides, strict=True)]


def _are_all(begins: list[int], ends: list[int], size: int) -> bool:
    """Whether each byte of the data, from the first, is one tensor's."""
    if begins != [0, *ends[:-1]][: len(begins)]:
        pairs = sorted(zip(begins, ends, strict=True))
        begins, ends = [begin for begin, _ in pairs], [end for _, end in pairs]
    return begins == [0, *ends[:-1]][: len(begins)] and (ends[-1] if ends else 0) == size
