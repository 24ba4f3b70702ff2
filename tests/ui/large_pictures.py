"""PNG files of many pixels, written without holding them."""

import struct
import zlib


def plain_png(width: int, height: int, *, colour: int = 2, depth: int = 8, rows: int | None = None) -> bytes:
    """All black. colour: as in the header, 0, 2 or 6. rows: how many are there in truth."""
    line = b"\0" + bytes(width * {0: 1, 2: 3, 6: 4}[colour] * depth // 8)
    packer = zlib.compressobj(1)
    data = b"".join([*(packer.compress(line) for _ in range(height if rows is None else rows)), packer.flush()])
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in parts)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))
