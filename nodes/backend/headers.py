"""The table of contents of a .safetensors file, read without torch.

Format: 8 bytes little-endian length, a JSON object {name: {dtype, shape, data_offsets}}, then the data: every byte of
it belongs to exactly one tensor (https://github.com/huggingface/safetensors, "Format").
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import blake2b
from operator import sub
from pathlib import Path
from typing import Any, NamedTuple, cast

from nodes.backend import columns
from nodes.backend.columns import BYTES, MAX_DIMS, MAX_ELEMENTS, Columns
from nodes.backend.strict_json import WITHOUT_REPEATS, parse_object, quoted

Shapes = Mapping[str, tuple[int, ...]]

MAX_HEADER = 10_000_000
"""Bytes. Real ones are below 2 MB; the format's own limit, 100 MB, would be gigabytes as Python objects."""

FIRST = re.compile(r'[ \t\n\r]*\{[ \t\n\r]*"__metadata__"[ \t\n\r]*:[ \t\n\r]*')
PICKLES = {".ckpt", ".pt", ".pth", ".bin", ".pkl"}


class _Tensor(NamedTuple):
    """An entry of the table. begin, end: bytes of the data. dtype: one of BYTES."""

    begin: int
    end: int
    name: str
    shape: tuple[int, ...]
    dtype: str


def shapes(path: Path) -> Shapes:
    """The shape of every tensor in the file, by name.

    Raises ValueError, with a sentence naming the file, when it is missing, not a safetensors file, cut short or
    damaged.
    """
    return _header(path).shapes


def metadata(path: Path) -> Mapping[str, str]:
    """The texts that the file's writer left in it. Raises ValueError as `shapes` does."""
    return _header(path).metadata


def summary(path: Path) -> tuple[Mapping[str, str], bytes]:
    """The texts that the file's writer left in it, and a digest of its table of tensors and of how long its data are.

    Far cheaper than `shapes`: nothing is made of the tensors, nor checked of them. Where two digests are equal, either
    both files are sound or neither is. Raises ValueError as `shapes` does.
    """
    if path.suffix.lower() in PICKLES or not path.is_file():
        return metadata(path), b""
    text = _text(path, *_identity(path))
    if text.metadata is None:  # it stands elsewhere
        return metadata(path), blake2b(text.whole, digest_size=16).digest()
    return text.metadata, blake2b(text.table.encode() + b"%d" % text.data, digest_size=16).digest()


class Stretch(NamedTuple):
    """Where the data of a tensor are in its file: the first byte, and how many. dtype: one of BYTES."""

    begin: int
    size: int
    dtype: str
    shape: tuple[int, ...]


def stretches(path: Path) -> Mapping[str, Stretch]:
    """The place of every tensor, by name. Raises ValueError as `shapes` does."""
    return _header(path).stretches


def sizes(path: Path) -> Mapping[str, int]:
    """How many bytes of the file are of each dtype. Raises ValueError as `shapes` does."""
    return _header(path).sizes


@dataclass(frozen=True)
class _Header:
    """data: where the data begin."""

    table: Columns
    data: int
    metadata: Mapping[str, str]

    @cached_property
    def shapes(self) -> Shapes:
        return dict(zip(self.table.names, self.table.shapes, strict=True))

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        if len(kinds := set(self.table.dtypes)) == 1:
            return {kinds.pop(): sum(self.table.ends) - sum(self.table.begins)}
        found = Counter[str]()
        for dtype, begin, end in zip(self.table.dtypes, self.table.begins, self.table.ends, strict=True):
            found[dtype] += end - begin
        return found

    @cached_property
    def stretches(self) -> Mapping[str, Stretch]:
        """Made when they are asked for: who lists files has no use for them."""
        names, dtypes, shapes, begins, ends = self.table
        places = map(Stretch, [self.data + begin for begin in begins], map(sub, ends, begins), dtypes, shapes)
        return dict(zip(names, places, strict=True))


def _header(path: Path) -> _Header:
    if path.suffix.lower() in PICKLES:
        raise ValueError(f"{path} is a pickle, which can run any program when it is read; use its .safetensors version")
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    return _read(path, *_identity(path))


def _identity(path: Path) -> tuple[int, ...]:
    """The size of a file, and what else tells that it was changed."""
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


@lru_cache(maxsize=64)
def _read(path: Path, *identity: int) -> _Header:
    """identity: only so that a changed file is read again."""
    text = _text(path, *identity)
    if text.metadata is not None and (table := columns.read(text.table, text.data)):
        return _Header(table, 8 + len(text.whole), text.metadata)
    return _of_entries(path, text)


def _of_entries(path: Path, text: _Text) -> _Header:
    """Of a table in any form, one tensor after the other. Raises ValueError as `shapes` does."""
    try:
        entries = parse_object(text.whole)
    except ValueError as error:
        raise ValueError(f"{path} is not a safetensors file: its list of tensors cannot be read, it {error}") from None
    try:
        texts = entries.pop("__metadata__", {})
        _check_metadata(texts)
        tensors = [_tensor(name, entry) for name, entry in entries.items()]
        _check_layout(tensors)
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    data = 8 + len(text.whole)
    end, size = data + max((tensor.end for tensor in tensors), default=0), data + text.data
    if end > size:
        last = max(tensors)
        raise ValueError(f"{path} is cut short: {quoted(last.name)} ends at byte {end}, the file has {size}")
    if end < size:
        raise ValueError(f"{path} is damaged: its tensors end at byte {end}, the file has {size}")
    begins, ends, names, shapes, dtypes = zip(*tensors, strict=True) if tensors else ((),) * 5
    return _Header(Columns(names, dtypes, shapes, begins, ends), data, texts)


class _Text(NamedTuple):
    """What stands before the data. metadata: the texts where they stand first, as writers put them, {} where there are
    none; None where they may stand elsewhere. table: what follows them, from the comma before it. data: bytes of data.
    """

    whole: bytes
    metadata: Mapping[str, str] | None
    table: str
    data: int


@lru_cache(maxsize=1)
def _text(path: Path, size: int, *_identity: int) -> _Text:
    """Raises ValueError where that is no table."""
    whole = _json_text(path, size)
    try:
        return _Text(whole, *_metadata_first(whole.decode()), size - 8 - len(whole))
    except (ValueError, RecursionError):
        return _Text(whole, None, "", size - 8 - len(whole))


def _metadata_first(text: str) -> tuple[Mapping[str, str] | None, str]:
    """Raises ValueError, RecursionError where it cannot be read."""
    if first := FIRST.match(text):
        texts, end = WITHOUT_REPEATS.raw_decode(text, first.end())
        _check_metadata(texts)
        return texts, text[end:]
    elsewhere = '"__metadata__"' in text or not text.startswith("{")
    return None if elsewhere else {}, "," + text[1:]


def _check_metadata(metadata: Any) -> None:
    if not isinstance(metadata, dict):
        raise ValueError("its __metadata__ is no object")
    for name, value in cast("dict[str, Any]", metadata).items():
        if not isinstance(value, str):
            raise ValueError(f"{quoted(name)} in its __metadata__ is {quoted(value)}; only text can stand there")


def _tensor(name: str, entry: Any) -> _Tensor:
    """Raises ValueError when the entry contradicts itself."""
    match entry:
        case {"dtype": dtype, "shape": list(), "data_offsets": [begin, end], **rest} if not rest:
            shape: list[Any] = entry["shape"]
        case _:
            raise ValueError(f"{quoted(name)} is not described by dtype, shape and two data_offsets")
    if not (isinstance(dtype, str) and dtype in BYTES):
        raise ValueError(f"{quoted(name)} has dtype {quoted(dtype)}, which is none of {', '.join(BYTES)}")
    sides = tuple(shape)
    if len(sides) > MAX_DIMS or not set(map(type, sides)) <= {int} or min(sides, default=0) < 0:
        raise ValueError(f"{quoted(name)} has shape {quoted(shape)}; it must be up to {MAX_DIMS} whole numbers from 0")
    if type(begin) is not int or type(end) is not int or not 0 <= begin <= end:
        raise ValueError(
            f"{quoted(name)} has data_offsets {quoted([begin, end])}; they must be whole numbers that rise"
        )
    elements = 1
    for side in sides:
        elements *= side
        if elements > MAX_ELEMENTS:
            raise ValueError(f"{quoted(name)} has shape {quoted(shape)}, more than any file can hold")
    if end - begin != elements * BYTES[dtype]:
        raise ValueError(f"{quoted(name)} does not have the {elements * BYTES[dtype]} bytes that its shape needs")
    return _Tensor(begin, end, name, sides, dtype)


def _check_layout(tensors: list[_Tensor]) -> None:
    """Raises ValueError unless each byte, from the first, is one tensor's."""
    end, before = 0, "the header"
    for tensor in sorted(tensors):
        if tensor.begin != end:
            what = "overlap" if tensor.begin < end else "have a gap between them"
            raise ValueError(f"{quoted(before)} and {quoted(tensor.name)} {what}")
        end, before = tensor.end, tensor.name


def _json_text(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        start = file.read(8)
        # A length may begin with the byte that pickles begin with; the table behind it is an object.
        is_pickle = start[:1] == b"\x80" or start[:4] == b"PK\x03\x04"
        if is_pickle and file.read(1) != b"{":
            raise ValueError(
                f"{path} is a pickle under another name, which can run any program when it is read; "
                "use a real .safetensors file"
            )
        length = int.from_bytes(start, "little")
        if len(start) < 8 or 8 + length > size:
            _refuse_length(path, start, length, size)
        if length > MAX_HEADER:
            raise ValueError(f"{path} has a list of tensors of {length:,} bytes; {MAX_HEADER:,} is the most")
        file.seek(len(start))
        return file.read(length)


def _refuse_length(path: Path, start: bytes, length: int, size: int) -> None:
    if len(start) < 8 or length > MAX_HEADER:
        raise ValueError(f"{path} is not a safetensors file")
    raise ValueError(f"{path} is cut short: its list of tensors ends at byte {8 + length}, the file has {size}")
