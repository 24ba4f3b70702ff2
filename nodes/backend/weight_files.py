"""Files of weights of either format, .safetensors and GGUF, by their tables: what a network may ask for, and how it is
stored. Which format a file has, its first bytes say. Planning asks this, so it has no torch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from nodes.backend import gguf_header, gguf_names, headers, quantised
from nodes.backend.gguf_header import PACKINGS
from nodes.backend.headers import Shapes, Stretch
from nodes.backend.quantised import Content, Packed

PART = 1 << 20
"""Bytes that are looked at at once."""


def shapes(path: Path) -> Shapes:
    """The shape of every weight in a file, by name, whatever it is stored as.

    Raises ValueError, with a sentence naming the file, when it is missing, damaged, or quantised in a way that is not
    known here.
    """
    return _content(path).shapes


def packed(path: Path) -> Mapping[str, Packed]:
    """The weights in a file that are packed, by name. Raises ValueError as `shapes` does."""
    return _content(path).packed


def layout(path: Path) -> str:
    """How most of the packed bytes of a file are stored, for people; empty when nothing is packed.

    Raises ValueError as `shapes` does.
    """
    bytes_of: Counter[str] = Counter()
    for weight in packed(path).values():
        bytes_of[weight.title] += weight.nbytes
    return bytes_of.most_common(1)[0][0] if bytes_of else ""


def sizes(path: Path) -> Mapping[str, int]:
    """How many bytes of a file are of each type. Raises ValueError as `shapes` does."""
    if not is_gguf(path):
        return headers.sizes(path)
    found = Counter[str]()
    for stretch in stretches(path).values():
        found[stretch.dtype] += stretch.size
    return found


def summary(path: Path) -> tuple[Mapping[str, str], bytes]:
    """See `headers.summary`. The digest is empty where the table of tensors does not tell all that there is to be told:
    of GGUF, and of layouts in the texts.
    """
    if is_gguf(path):
        return {}, b""
    texts, digest = headers.summary(path)
    return texts, b"" if quantised.METADATA in texts else digest


def stretches(path: Path) -> Mapping[str, Stretch]:
    """The place of every tensor in a file, as it is stored: what GGUF packs is rows of bytes.

    Raises ValueError as `shapes` does.
    """
    if not is_gguf(path):
        return headers.stretches(path)
    return {name: _as_bytes(stretch) for name, stretch in _gguf(path).items()}


def is_zero(path: Path, name: str) -> bool:
    """Whether every byte of a tensor is 0. Raises ValueError as `shapes` does."""
    place = stretches(path)[name]
    with path.open("rb") as file:
        file.seek(place.begin)
        rest = place.size
        while rest:
            part = file.read(min(rest, PART))
            if not part or part.strip(b"\0"):
                return False
            rest -= len(part)
    return True


def is_gguf(path: Path) -> bool:
    return path.is_file() and gguf_header.is_gguf(path)


def _content(path: Path) -> Content:
    if not path.is_file():
        return Content(headers.shapes(path), {})  # which says so
    stat = path.stat()
    return _read(path, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)


@lru_cache(maxsize=64)
def _read(path: Path, *_identity: int) -> Content:
    """_identity: only so that a changed file is read again."""
    if not gguf_header.is_gguf(path):
        found, metadata = headers.shapes(path), headers.metadata(path)
        if quantised.is_plain(found, headers.sizes(path).keys(), metadata):
            return Content(found, {})
        return quantised.read(path, headers.stretches(path), metadata)
    places = _gguf(path)
    packed = {
        name: Packed("gguf", stretch.shape, {"weight": name}, stretch.dtype, nbytes=stretch.size)
        for name, stretch in places.items()
        if stretch.dtype in PACKINGS
    }
    return Content({name: stretch.shape for name, stretch in places.items()}, packed)


def _gguf(path: Path) -> Mapping[str, Stretch]:
    """By the names that the tensors were published with. Raises ValueError."""
    found = gguf_header.read(path)
    try:
        return gguf_names.published(found.stretches, found.architecture)
    except ValueError as error:
        raise ValueError(f"{path} cannot be used: {error}") from None


def _as_bytes(stretch: Stretch) -> Stretch:
    if stretch.dtype not in PACKINGS:
        return stretch
    packing, row = PACKINGS[stretch.dtype], stretch.shape[-1]
    width = row // packing.numbers * packing.bytes if row % packing.numbers == 0 else stretch.size
    return Stretch(stretch.begin, stretch.size, "U8", (stretch.size // width, width))
