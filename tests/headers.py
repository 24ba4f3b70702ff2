"""Files of weights that are nothing but their table of tensors, for tests of what is told by it."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path


def zeros(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> Path:
    """With these tensors, all zero."""
    table: dict[str, object] = {}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + 4 * prod(shape)
        table[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(table).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(end))
    return path
