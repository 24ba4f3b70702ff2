"""The words in a spiece.model, as SentencePiece writes it: what T5 needs of its protocol buffer, and nothing else.

Format: https://protobuf.dev/programming-guides/encoding; ModelProto in sentencepiece_model.proto: pieces are field 1
(text 1, score 2, kind 3), the trainer's settings field 2, the normaliser's field 3 (table 2).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

NORMAL, UNKNOWN, CONTROL, UNUSED = 1, 2, 3, 5
UNIGRAM = 1
Value = int | bytes

MAX_BYTES = 3_000_000
"""T5's has 791,656."""


def read(path: Path, most_pieces: int) -> tuple[list[tuple[str, float]], bytes]:
    """Pieces with their scores, and the table of the normaliser. Raises ValueError with a sentence naming the file."""
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"{path} is larger than {MAX_BYTES:,} bytes, the most that is read of such a file")
    pieces: list[tuple[str, float]] = []
    charsmap = b""
    try:
        for number, value in _fields(data):
            if number == 1:
                pieces.append(_piece(dict(_fields(value))))
                if len(pieces) > most_pieces:
                    raise ValueError(f"it has more than {most_pieces:,} pieces")
            elif number == 2 and dict(_fields(value)).get(3, UNIGRAM) != UNIGRAM:
                raise ValueError("its model is no Unigram, which T5's tokenizer is")
            elif number == 3:
                charsmap = _bytes(dict(_fields(value)).get(2, b""))
    except ValueError as error:
        raise ValueError(f"{path} is no spiece.model, or damaged: {error}") from None
    return pieces, charsmap


def _piece(fields: dict[int, Value]) -> tuple[str, float]:
    kind = fields.get(3, NORMAL)
    if kind not in (NORMAL, UNKNOWN, CONTROL, UNUSED):
        raise ValueError(f"a piece is of kind {kind}, which T5's tokenizer has none of")
    try:
        return _bytes(fields.get(1, b"")).decode(), struct.unpack("<f", _bytes(fields.get(2, bytes(4))))[0]
    except (UnicodeDecodeError, struct.error):
        raise ValueError("a piece has no text or no score") from None


def _fields(data: Value) -> Iterator[tuple[int, Value]]:
    """The fields of a message in order."""
    data, at = _bytes(data), 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        size, at = _varint(data, at) if kind == 2 else ({1: 8, 5: 4}.get(kind, len(data)), at)
        if at + size > len(data):
            raise ValueError(f"it is cut short, or no protocol buffer, at byte {at:,}")
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number, and where it ends: seven bits a byte, the lowest first, in at most ten bytes."""
    value = 0
    for index, byte in enumerate(data[at : at + 10]):
        value |= (byte & 127) << 7 * index
        if byte < 128:
            return value, at + index + 1
    raise ValueError(f"it is cut short, or no protocol buffer, at byte {at:,}")


def _bytes(value: Value) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number stands where a text must be")
    return value
