"""The table of contents of a GGUF file, read without torch, as llama.cpp's quantisers and those after them write it.

Format: "GGUF", a version, how many tensors and how many keys; the keys, each with a value; the tensors, each with a
name, its sides (the last one first), a type and where its data begin behind all this, at a multiple of an alignment
(https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). All numbers are little-endian. Tensors of a type that
packs numbers are blocks of bytes, each for 32 or 256 numbers of a row.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from nodes.backend.headers import Stretch
from nodes.backend.strict_json import quoted

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_HEADER = 64_000_000
"""Bytes. Real ones are below 12 MB: the vocabulary of a text encoder, 150,000 words."""

MAX_TENSORS = 20_000
MAX_KEYS = 10_000
MAX_TEXTS = 1_000_000
"""In lists, all together: words and merges of a text encoder, half a million. Each takes a microsecond to pass over."""

MAX_NAME = 1000
MAX_DIMS = 4
MAX_ELEMENTS = 1 << 60
MAX_ALIGNMENT = 1 << 20

PLAIN = {0: "F32", 1: "F16", 30: "BF16", 28: "F64", 24: "I8", 25: "I16", 26: "I32", 27: "I64"}
"""By their numbers, types of which each number lies for itself, as .safetensors calls them."""

SIZES = {"F32": 4, "F16": 2, "BF16": 2, "F64": 8, "I8": 1, "I16": 2, "I32": 4, "I64": 8}


class Packing(NamedTuple):
    """How a type packs the numbers of a row: so many in a block, of so many bytes."""

    name: str
    numbers: int
    bytes: int


PACKED = {
    number: Packing(*packing)
    for number, packing in {
        2: ("Q4_0", 32, 18),
        3: ("Q4_1", 32, 20),
        6: ("Q5_0", 32, 22),
        7: ("Q5_1", 32, 24),
        8: ("Q8_0", 32, 34),
        10: ("Q2_K", 256, 84),
        11: ("Q3_K", 256, 110),
        12: ("Q4_K", 256, 144),
        13: ("Q5_K", 256, 176),
        14: ("Q6_K", 256, 210),
        16: ("IQ2_XXS", 256, 66),
        17: ("IQ2_XS", 256, 74),
        18: ("IQ3_XXS", 256, 98),
        19: ("IQ1_S", 256, 50),
        20: ("IQ4_NL", 32, 18),
        21: ("IQ3_S", 256, 110),
        22: ("IQ2_S", 256, 82),
        23: ("IQ4_XS", 256, 136),
        29: ("IQ1_M", 256, 56),
        34: ("TQ1_0", 256, 54),
        35: ("TQ2_0", 256, 66),
        39: ("MXFP4", 32, 17),
    }.items()
}
"""By their numbers, the types that pack: ggml.h, enum ggml_type, and the blocks in ggml-common.h."""

PACKINGS = {packing.name: packing for packing in PACKED.values()}

ARCHITECTURE, ALIGNMENT, PIECES = "general.architecture", "general.alignment", "split.count"
SHAPED = "comfy.gguf.orig_shape."
"""Before the name of a tensor: the sides that it has, where it was laid out anew so that its rows fill blocks."""


class Header(NamedTuple):
    """stretches: of a tensor that is packed, dtype is the name of its packing, and shape that of the weight.

    architecture: what the writer says the network is; empty when nothing.
    """

    stretches: Mapping[str, Stretch]
    architecture: str


def is_gguf(path: Path) -> bool:
    """By the first bytes of a file."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def read(path: Path) -> Header:
    """Raises ValueError, with a sentence naming the file, when it is damaged, cut short or of a kind not known here."""
    stat = path.stat()
    return _read(path, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)


@lru_cache(maxsize=64)
def _read(path: Path, size: int, *_identity: int) -> Header:
    """_identity: only so that a changed file is read again."""
    with path.open("rb") as file:
        try:
            return _Reader(file, size).header()
        except _Short:
            raise ValueError(f"{path} is cut short: its list of tensors goes on behind its end") from None
        except ValueError as error:
            raise ValueError(f"{path} is no GGUF file that can be read: {error}") from None


class _Short(Exception):
    """The file ends within its table."""


NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""By their numbers, the types of values of one size, as `struct` calls them."""

TEXT, ARRAY = 8, 9


class _Info(NamedTuple):
    name: str
    shape: tuple[int, ...]
    type: int
    offset: int


class _Reader:
    """Reads from the beginning to the end, and never more than the table."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.size, self.at, self.texts = file, size, 0, 0

    def header(self) -> Header:
        if self.bytes(4) != MAGIC:
            raise ValueError("it does not begin as one")
        version = self.number("I")
        if version not in VERSIONS:
            raise ValueError(f"its version is {version}; this program reads {' and '.join(map(str, VERSIONS))}")
        tensors = self.count(MAX_TENSORS, "tensors")
        keys = self.keys(self.count(MAX_KEYS, "keys"))
        if (pieces := keys.get(PIECES)) not in (None, 0, 1):
            raise ValueError(f"it is one of {quoted(pieces)} pieces; join them with gguf-split first")
        infos = [self.info() for _ in range(tensors)]
        alignment = _alignment(keys)
        data = -(-self.at // alignment) * alignment
        architecture = keys.get(ARCHITECTURE, "")
        if not isinstance(architecture, str):
            raise ValueError(f"{ARCHITECTURE} is {quoted(architecture)}, which is no text")
        return Header(_stretches(infos, keys, data, alignment, self.size), architecture)

    def bytes(self, count: int) -> bytes:
        self.at += count
        if self.at > MAX_HEADER:
            raise ValueError(f"its list of tensors is longer than {MAX_HEADER:,} bytes, the most that is read")
        found = self.file.read(count)
        if len(found) < count:
            raise _Short
        return found

    def skip(self, count: int) -> None:
        self.at += count
        if self.at > MAX_HEADER:
            raise ValueError(f"its list of tensors is longer than {MAX_HEADER:,} bytes, the most that is read")
        if self.at > self.size:
            raise _Short
        self.file.seek(count, 1)

    def number(self, kind: str) -> Any:
        return struct.unpack(f"<{kind}", self.bytes(struct.calcsize(kind)))[0]

    def count(self, most: int, what: str) -> int:
        found: int = self.number("Q")
        if found > most:
            raise ValueError(f"it says that it has {found:,} {what}; {most:,} is the most")
        return found

    def text(self, most: int = MAX_HEADER) -> str:
        length: int = self.number("Q")
        if length > most:
            raise ValueError(f"a name in it is said to be {length:,} bytes long; {most:,} is the most")
        try:
            return self.bytes(length).decode()
        except UnicodeDecodeError:
            raise ValueError("a text in it is no UTF-8") from None

    def keys(self, count: int) -> dict[str, Any]:
        """The values that are wanted, by key; the others are passed over."""
        found: dict[str, Any] = {}
        seen: set[str] = set()
        for _ in range(count):
            name = self.text(MAX_NAME)
            if name in seen:
                raise ValueError(f"the key {quoted(name)} stands twice")
            seen.add(name)
            wanted = name in (ARCHITECTURE, ALIGNMENT, PIECES) or name.startswith(SHAPED)
            value = self.value(self.number("I"), wanted=wanted)
            if wanted:
                found[name] = value
        return found

    def value(self, kind: int, *, wanted: bool) -> Any:
        """None for what is passed over."""
        if kind in NUMBERS:
            return self.number(NUMBERS[kind])
        if kind == TEXT:
            return self.text()
        if kind == ARRAY:
            return self.array(wanted=wanted)
        raise ValueError(f"a value in it is of type {kind}, which does not exist")

    def array(self, *, wanted: bool) -> tuple[Any, ...] | None:
        kind, count = self.number("I"), self.number("Q")
        if kind in NUMBERS:
            if wanted and count <= MAX_DIMS * 2:
                return tuple(self.number(NUMBERS[kind]) for _ in range(count))
            self.skip(count * struct.calcsize(NUMBERS[kind]))
        elif kind == TEXT:
            self.texts += count
            if self.texts > MAX_TEXTS:
                raise ValueError(f"it says that it has {self.texts:,} texts in lists; {MAX_TEXTS:,} is the most")
            for _ in range(count):
                self.skip(self.number("Q"))
        else:
            raise ValueError(f"a list in it has values of type {kind}, of which there are none in known files")
        return None

    def info(self) -> _Info:
        name = self.text(MAX_NAME)
        dims = self.number("I")
        if dims > MAX_DIMS:
            raise ValueError(f"{quoted(name)} has {dims} sides; {MAX_DIMS} is the most")
        sides = tuple(self.number("Q") for _ in range(dims))
        return _Info(name, sides[::-1], self.number("I"), self.number("Q"))


def _alignment(keys: Mapping[str, Any]) -> int:
    found = keys.get(ALIGNMENT, 32)
    if type(found) is not int or not 8 <= found <= MAX_ALIGNMENT or found & (found - 1):
        raise ValueError(f"{ALIGNMENT} is {quoted(found)}; it must be a power of two from 8 to {MAX_ALIGNMENT:,}")
    return found


def _stretches(infos: list[_Info], keys: Mapping[str, Any], data: int, alignment: int, size: int) -> dict[str, Stretch]:
    """Raises ValueError when tensors contradict themselves, each other, or the file's size."""
    found: dict[str, Stretch] = {}
    end, before = 0, "the header"
    for info in sorted(infos, key=lambda info: info.offset):
        if info.name in found:
            raise ValueError(f"{quoted(info.name)} stands twice")
        if info.offset % alignment or info.offset < end:
            raise ValueError(f"{quoted(info.name)} begins at {info.offset:,}, within {quoted(before)} or unaligned")
        dtype, nbytes = _laid_out(info)
        end, before = info.offset + nbytes, info.name
        if data + end > size:
            raise ValueError(f"it is cut short: {quoted(info.name)} ends at byte {data + end:,}, the file has {size:,}")
        found[info.name] = Stretch(data + info.offset, nbytes, dtype, _shape(info, keys))
    return found


def _laid_out(info: _Info) -> tuple[str, int]:
    """The type of a tensor by name, and its bytes."""
    elements = prod(info.shape)
    if any(side > MAX_ELEMENTS for side in info.shape) or elements > MAX_ELEMENTS:
        raise ValueError(f"{quoted(info.name)} has the sides {quoted(info.shape)}, more than any file can hold")
    if info.type in PLAIN:
        return PLAIN[info.type], elements * SIZES[PLAIN[info.type]]
    if info.type not in PACKED:
        raise ValueError(f"{quoted(info.name)} is of type {info.type}, which this program does not know")
    packing = PACKED[info.type]
    row = info.shape[-1] if info.shape else 0
    if not elements or not row or row % packing.numbers:
        raise ValueError(
            f"{quoted(info.name)} is {quoted(info.shape)}, with rows that are no multiple of the {packing.numbers} "
            f"numbers in a block of {packing.name}"
        )
    return packing.name, elements // packing.numbers * packing.bytes


def _shape(info: _Info, keys: Mapping[str, Any]) -> tuple[int, ...]:
    """The sides of a weight, where its own were changed to fill blocks."""
    if SHAPED + info.name not in keys:
        return info.shape
    told: Any = keys[SHAPED + info.name]
    sides = cast("tuple[Any, ...]", told) if isinstance(told, tuple) else ()
    right = all(type(side) is int and 0 < side <= MAX_ELEMENTS for side in sides)
    if not sides or not right or prod(sides) != prod(info.shape):
        what = quoted(told) if told else "of more sides than there can be"
        raise ValueError(f"{quoted(info.name)} is said to have been {what}, which does not fit {info.shape}")
    return sides
