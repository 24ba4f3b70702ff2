"""Text inside PNG files: PNG Specification, third edition, section 11.3.3 (tEXt, zTXt, iTXt).

Standard library only, and the pixels are never decoded, so the editor can read a workflow out of a picture.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

KEYWORD = "denoodle"
"""The text under this keyword is the workflow, as JSON."""

PARAMETERS = "parameters"
"""The text under this keyword is what people read: prompt, seed, steps."""

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_TEXT = 64 << 20


def is_png(path: str | Path) -> bool:
    """Raises OSError when the file cannot be read."""
    with open(path, "rb") as file:
        return file.read(len(SIGNATURE)) == SIGNATURE


def read_workflow(path: str | Path) -> str:
    """The workflow a picture was made with, as JSON. Raises ValueError, naming the file, when there is none."""
    texts = read_texts(path)
    if KEYWORD not in texts:
        raise ValueError(f"{path} is a picture without a workflow inside (no {KEYWORD!r} text)")
    return texts[KEYWORD]


def read_texts(path: str | Path) -> dict[str, str]:
    """All texts by keyword. Raises ValueError, naming the file, when it is no PNG or damaged."""
    found: dict[str, str] = {}
    with open(path, "rb") as file:
        try:
            if file.read(len(SIGNATURE)) != SIGNATURE:
                raise ValueError("it is not a PNG file")
            for kind, body in _text_chunks(file):
                keyword, text = _decode(kind, body)
                found.setdefault(keyword, text)
        except (ValueError, zlib.error) as error:
            raise ValueError(f"cannot read the text in {path}: {error}") from error
    return found


def with_texts(data: bytes, texts: Mapping[str, str]) -> bytes:
    """A PNG file's bytes with these texts added in front of its pixels."""
    end_of_header = len(SIGNATURE) + 25  # IHDR is the first chunk and always 13 bytes, with 12 around it
    if not data.startswith(SIGNATURE) or data[12:16] != b"IHDR":
        raise ValueError("these bytes are not a PNG file")
    chunks = b"".join(_chunk(b"iTXt", _encode(keyword, text)) for keyword, text in texts.items())
    return data[:end_of_header] + chunks + data[end_of_header:]


def _text_chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """(kind, body) of every text chunk; everything else is skipped unread."""
    while True:
        head = file.read(8)
        if len(head) < 8:
            raise ValueError("the file is truncated")
        size, kind = struct.unpack(">I4s", head)
        if kind == b"IEND":
            return
        if kind not in (b"tEXt", b"zTXt", b"iTXt"):
            file.seek(size + 4, 1)
            continue
        if size > MAX_TEXT:
            raise ValueError(f"a text is larger than {MAX_TEXT >> 20} MB")
        body, check = file.read(size), file.read(4)
        if len(check) < 4:
            raise ValueError("the file is truncated")
        if zlib.crc32(body, zlib.crc32(kind)) != int.from_bytes(check):
            raise ValueError("a text is damaged (wrong checksum)")
        yield kind, body


def _decode(kind: bytes, body: bytes) -> tuple[str, str]:
    keyword, _, rest = body.partition(b"\0")
    name = keyword.decode("latin-1")
    if kind == b"tEXt":
        return name, rest.decode("latin-1")
    if kind == b"zTXt":
        return name, _inflate(rest[1:]).decode("latin-1")
    compressed = rest[:1] == b"\1"
    _language, _, rest = rest[2:].partition(b"\0")
    _translated, _, text = rest.partition(b"\0")
    return name, (_inflate(text) if compressed else text).decode("utf-8")


def _encode(keyword: str, text: str) -> bytes:
    flags_and_empty_language = b"\0\1\0\0\0"  # end of keyword, compressed, zlib, no language, no translated keyword
    return keyword.encode("latin-1") + flags_and_empty_language + zlib.compress(text.encode())


def _inflate(data: bytes) -> bytes:
    # A few kilobytes can inflate to gigabytes: stop at the limit instead of finding out.
    inflater = zlib.decompressobj()
    text = inflater.decompress(data, MAX_TEXT)
    if inflater.unconsumed_tail:
        raise ValueError(f"a text is larger than {MAX_TEXT >> 20} MB")
    return text


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))
