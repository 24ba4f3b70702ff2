"""Boxes on paper: pictures in files, as programs of the field write them."""

import struct
import zlib
from itertools import count
from pathlib import Path

from nodegraph.formats import png
from nodegraph.formats.files import write_new
from nodegraph.node import Context, node
from tests.toy_nodes.boxes import Box

SIDE = 8  # pixels


@node("toy.print")
def print_box(ctx: Context, box: Box) -> None:
    """Write a grey square, as bright as the number is large, under the next free name; with its workflow."""
    folder = Path(ctx.out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    made_by = ctx.workflow_of(0, 1)
    data = png.with_texts(grey(int(box.value) % 256), {png.KEYWORD: made_by} if made_by else {})
    names = (folder / f"print_{number:05d}.png" for number in count(1))
    ctx.saved(str(next(path for path in names if write_new(path, data))))


def grey(level: int) -> bytes:
    """A square of one grey. PNG specification, third edition, section 11."""
    rows = (b"\0" + bytes([level]) * SIDE) * SIDE
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    chunks = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
