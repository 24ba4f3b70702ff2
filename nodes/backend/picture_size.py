"""How large a picture is, told from its file's header, without torch and without decoding it."""

from __future__ import annotations

import os
import struct
import warnings
from collections.abc import Container, Iterator
from pathlib import Path
from typing import BinaryIO

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
MAX_CHUNKS = 200_000
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
ORIENTATION, LYING = 0x0112, range(5, 9)  # Exif 2.32, section 4.6.4; these turn a picture by a quarter


def read(path: Path) -> tuple[int, int] | None:
    """(height, width) of the picture once it is upright; None when that cannot be told so easily."""
    try:
        with warnings.catch_warnings(), open(path, "rb") as file:
            warnings.simplefilter("ignore")  # loading says what is wrong
            return _read(file)
    except Exception:  # whatever Pillow raises for a damaged file: the run names the file and the reason
        return None


def _read(file: BinaryIO) -> tuple[int, int] | None:
    from PIL import Image

    if file.read(len(PNG_SIGNATURE)) == PNG_SIGNATURE:
        parts = {kind: chunk[8:-4] for kind, chunk in png_chunks(file, (b"IHDR", b"eXIf"))}
        width, height = struct.unpack(">II", parts[b"IHDR"][:8])
        exif = Image.Exif()
        exif.load(parts.get(b"eXIf", b""))
    else:
        file.seek(0)
        image = Image.open(file, formats=FORMATS)
        width, height, exif = image.width, image.height, image.getexif()
        if image.format == "TIFF":  # Pillow has turned its size already
            return height, width
    return (width, height) if exif.get(ORIENTATION) in LYING else (height, width)


def png_chunks(file: BinaryIO, kinds: Container[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """(kind, the whole of it) of these chunks; the rest is skipped unread. Stops where the file is cut short."""
    end = os.fstat(file.fileno()).st_size
    for _ in range(MAX_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            return
        size, kind = struct.unpack(">I4s", head)
        if kind in kinds:
            yield kind, head + file.read(min(size + 4, end - file.tell()))  # what is claimed is made room for
        else:
            file.seek(size + 4, 1)
        if kind == b"IEND":
            return
    raise ValueError(f"it has more than {MAX_CHUNKS:,} parts")
