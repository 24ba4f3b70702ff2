"""Large PNG files made smaller while they are read: never more of one in memory than a strip of its rows.

Qt reads a picture whole before it makes it smaller, and refuses one of more than 256 MB. Here strips of rows are cut
out of the compressed data and read one after another. Format: PNG specification, third edition, sections 5, 9 and 11.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from PySide6.QtCore import QPoint, QSize, Qt
from PySide6.QtGui import QImage, QPainter

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MIN_PIXELS = 16 << 20
"""Smaller pictures are read whole."""

MAX_PIXELS = 1 << 30
STRIP_BYTES = 4 << 20
READ_BYTES = 1 << 20


class Layout(NamedTuple):
    """colour: the colour type in the header. channels: bytes of a pixel. format: that has the same bytes."""

    colour: int
    channels: int
    format: QImage.Format


LAYOUTS = {
    0: Layout(0, 1, QImage.Format.Format_Grayscale8),
    2: Layout(2, 3, QImage.Format.Format_RGB888),
    6: Layout(6, 4, QImage.Format.Format_RGBA8888),
}


def read_in_strips(path: str, max_side: int) -> QImage | None:
    """The picture, no larger than max_side; None for one that is small, or no PNG of eight bits a channel.

    Raises OSError, ValueError or zlib.error when the file is damaged.
    """
    with open(path, "rb") as file:
        head = file.read(33)
        if len(head) < 33 or head[:8] != SIGNATURE or head[12:16] != b"IHDR":
            return None
        width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", head[16:29])
        layout = LAYOUTS.get(colour)
        if layout is None or depth != 8 or interlaced or not MIN_PIXELS < width * height <= MAX_PIXELS:
            return None
        return _reduced(_inflated(file), QSize(width, height), layout, max_side)


def _reduced(data: Iterator[bytes], size: QSize, layout: Layout, max_side: int) -> QImage:
    """data: rows as they are filtered, each with its filter's number in front, in pieces of any length."""
    whole = size.scaled(max_side, max_side, Qt.AspectRatioMode.KeepAspectRatio).boundedTo(size).expandedTo(QSize(1, 1))
    made = QImage(whole, QImage.Format.Format_RGB32)
    painter = QPainter(made)
    try:
        for top, bottom, strip in _strips(data, size, layout, whole.height()):
            how = Qt.TransformationMode.SmoothTransformation
            small = strip.scaled(whole.width(), bottom - top, Qt.AspectRatioMode.IgnoreAspectRatio, how)
            painter.drawImage(QPoint(0, top), small.convertToFormat(made.format()))
    finally:
        painter.end()  # before its image goes
    return made


def _strips(data: Iterator[bytes], size: QSize, layout: Layout, height: int) -> Iterator[tuple[int, int, QImage]]:
    """Which rows of what is made, `height` of them, and the rows of the picture that they are made of."""
    line = size.width() * layout.channels + 1
    above = bytes(line - 1)
    pending = bytearray()
    rows = max(STRIP_BYTES // line * height // size.height(), 1)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        count = bottom * size.height() // height - top * size.height() // height
        while len(pending) < count * line:
            pending += next(data, b"") or _cut_short()
        strip = _decoded(above, bytes(pending[: count * line]), size.width(), count, layout)
        del pending[: count * line]
        last: Any = strip.constScanLine(count - 1)  # a buffer, which the stubs do not say
        above = bytes(last[: line - 1])
        yield top, bottom, strip


def _decoded(above: bytes, rows: bytes, width: int, count: int, layout: Layout) -> QImage:
    """Some rows of a picture. above: the row before them, which filters may refer to."""
    data = zlib.compress(b"\0" + above + rows, 0)
    header = struct.pack(">IIBBBBB", width, count + 1, 8, layout.colour, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    image = QImage.fromData(SIGNATURE + b"".join(_chunk(kind, body) for kind, body in parts))
    if image.isNull():
        raise ValueError("the pixels are damaged")
    return image.convertToFormat(layout.format).copy(0, 1, width, count)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))


def _inflated(file: BinaryIO) -> Iterator[bytes]:
    """What the chunks of pixels hold, in pieces of READ_BYTES at most."""
    inflater = zlib.decompressobj()
    while True:
        size, kind = struct.unpack(">I4s", file.read(8).ljust(8, b"\0"))
        if kind in (b"IEND", b"\0\0\0\0"):
            return
        if kind != b"IDAT":
            file.seek(size + 4, 1)
            continue
        while size:
            packed = file.read(min(size, READ_BYTES)) or _cut_short()
            size -= len(packed)
            while packed:
                yield inflater.decompress(packed, READ_BYTES)
                packed = inflater.unconsumed_tail
        file.seek(4, 1)


def _cut_short() -> bytes:
    raise ValueError("the file is cut short")
