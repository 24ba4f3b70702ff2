"""Text inside PNG files: PNG Specification, third edition, section 11.3.3 (tEXt, zTXt, iTXt).

Standard library only, and the pixels are never decoded, so the editor can read a workflow out of a picture.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from nodegraph.formats.foreign import writer_of
from nodegraph.text import whole

KEYWORD = "denoodle"
"""The text under this keyword is the workflow, as JSON."""

PARAMETERS = "parameters"
"""The text under this keyword is what people read: prompt, seed, steps."""

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_TEXT = 64 << 20

TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
MAX_KEYWORD = 80  # bytes, with the NUL behind it

MAX_CHUNKS = 200_000
"""Parts of a file that are looked through. A picture of 200 MB has 25,000."""


def is_png(path: str | Path) -> bool:
    """Raises OSError when the file cannot be read."""
    with open(path, "rb") as file:
        return file.read(len(SIGNATURE)) == SIGNATURE


def read_workflow(path: str | Path) -> str:
    """The workflow a picture was made with, as JSON. Raises ValueError, naming the file, when there is none."""
    text = read_text(path, KEYWORD)
    if text is None:
        if kind := writer_of(keywords(path)):
            raise ValueError(f"{path} is a picture with {kind} inside, which this program cannot read")
        raise ValueError(f"{path} is a picture without a workflow inside (no {KEYWORD!r} text)")
    return text


def read_text(path: str | Path, keyword: str) -> str | None:
    """The first text of this keyword, None when there is none. What others wrote is skipped, whole or damaged.

    Raises ValueError, naming the file, when it is no PNG, or ends before its end, or this text is damaged.
    """
    with open(path, "rb") as file:
        try:
            if file.read(len(SIGNATURE)) != SIGNATURE:
                raise ValueError("it is not a PNG file")
            found = _find(file, keyword.encode("latin-1") + b"\0")
            return None if found is None else _decode(*found)
        except (ValueError, zlib.error) as error:
            raise ValueError(f"cannot read the text in {path}: {error}") from error


def keywords(path: str | Path) -> set[str]:
    """Of all texts in a PNG file, which is whole."""
    found: set[str] = set()
    with open(path, "rb") as file:
        file.seek(len(SIGNATURE))
        while len(head := file.read(8)) == 8:
            size, kind = struct.unpack(">I4s", head)
            start = file.read(min(size, MAX_KEYWORD)) if kind in TEXT_CHUNKS else b""
            if kind in TEXT_CHUNKS:
                found.add(start.partition(b"\0")[0].decode("latin-1"))
            file.seek(size - len(start) + 4, 1)
    return found


def with_texts(data: bytes, texts: Mapping[str, str]) -> bytes:
    """A PNG file's bytes with these texts added in front of its pixels.

    What a text in a PNG cannot hold (halves of surrogate pairs, NUL) becomes U+FFFD.
    """
    end_of_header = len(SIGNATURE) + 25  # IHDR is the first chunk and always 13 bytes, with 12 around it
    if not data.startswith(SIGNATURE) or data[12:16] != b"IHDR":
        raise ValueError("these bytes are not a PNG file")
    chunks = b"".join(_chunk(b"iTXt", _encode(keyword, text)) for keyword, text in texts.items())
    return data[:end_of_header] + chunks + data[end_of_header:]


def _find(file: BinaryIO, keyword: bytes) -> tuple[bytes, bytes] | None:
    """(kind, what follows the keyword) of the first text that begins with it; everything else is skipped unread."""
    for _ in range(MAX_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            raise ValueError("the file is truncated")
        size, kind = struct.unpack(">I4s", head)
        if kind == b"IEND":
            return None
        text = kind in TEXT_CHUNKS
        start = file.read(min(size, len(keyword))) if text else b""
        if text and start == keyword:
            return kind, _rest(file, kind, size, keyword)
        file.seek(size - len(start) + 4, 1)
    raise ValueError(f"it has more than {MAX_CHUNKS:,} parts")


def _rest(file: BinaryIO, kind: bytes, size: int, keyword: bytes) -> bytes:
    if size > MAX_TEXT:
        raise ValueError(f"a text is larger than {MAX_TEXT >> 20} MB")
    body, check = file.read(size - len(keyword)), file.read(4)
    if len(check) < 4:
        raise ValueError("the file is truncated")
    if zlib.crc32(body, zlib.crc32(keyword, zlib.crc32(kind))) != int.from_bytes(check):
        raise ValueError("its text is damaged (wrong checksum)")
    return body


def _decode(kind: bytes, rest: bytes) -> str:
    if kind == b"tEXt":
        return rest.decode("latin-1")
    if kind == b"zTXt":
        return _inflate(rest[1:]).decode("latin-1")
    compressed = rest[:1] == b"\1"
    _language, _, rest = rest[2:].partition(b"\0")
    _translated, _, text = rest.partition(b"\0")
    return (_inflate(text) if compressed else text).decode("utf-8")


def _encode(keyword: str, text: str) -> bytes:
    flags_and_empty_language = b"\0\1\0\0\0"  # end of keyword, compressed, zlib, no language, no translated keyword
    data = whole(text).replace("\0", "\ufffd").encode()
    return keyword.encode("latin-1") + flags_and_empty_language + zlib.compress(data)


def _inflate(data: bytes) -> bytes:
    # A few kilobytes can inflate to gigabytes: stop at the limit instead of finding out.
    inflater = zlib.decompressobj()
    text = inflater.decompress(data, MAX_TEXT)
    if inflater.unconsumed_tail:
        raise ValueError(f"a text is larger than {MAX_TEXT >> 20} MB")
    if not inflater.eof:
        raise ValueError("its text is damaged (it ends too early)")
    return text


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))
