"""The table of contents of a .safetensors file, read without torch.

Format: 8 bytes little-endian length, a JSON object {name: {dtype, shape, data_offsets}}, then the data
(https://github.com/huggingface/safetensors, "Format").
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

Shapes = Mapping[str, tuple[int, ...]]

MAX_HEADER = 100_000_000  # bytes: the format's own limit
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}
BYTES |= {"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1}
PICKLES = {".ckpt", ".pt", ".pth", ".bin", ".pkl"}


def shapes(path: Path) -> Shapes:
    """The shape of every tensor in the file, by name.

    Raises ValueError, with a sentence naming the file, when it is missing, not a safetensors file, or cut short.
    """
    if path.suffix.lower() in PICKLES:
        raise ValueError(f"{path} is a pickle, which can run any program when it is read; use its .safetensors version")
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    stat = path.stat()
    return _shapes(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=64)
def _shapes(path: Path, size: int, mtime_ns: int) -> Shapes:
    """mtime_ns: only so that a changed file is read again."""
    text = _json_text(path, size)
    data_start = 8 + len(text)
    tensors: dict[str, tuple[int, ...]] = {}
    try:
        entries = json.loads(text)
        entries.pop("__metadata__", None)
        for name, entry in entries.items():
            tensors[name] = tuple(entry["shape"])
            begin, end = entry["data_offsets"]
            entries[name] = begin, end, math.prod(tensors[name]) * BYTES[entry["dtype"]]
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        raise ValueError(f"{path} is not a safetensors file: its list of tensors cannot be read") from None
    for name, (begin, end, needed) in entries.items():
        if data_start + end > size:
            raise ValueError(f"{path} is cut short: {name} ends at byte {data_start + end}, the file has {size}")
        if begin < 0 or end - begin != needed:
            raise ValueError(f"{path} is damaged: {name} does not have the {needed} bytes that its shape needs")
    return tensors


def _json_text(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        start = file.read(8)
        if start[:1] == b"\x80" or start[:4] == b"PK\x03\x04":
            raise ValueError(
                f"{path} is a pickle under another name, which can run any program when it is read; "
                "use a real .safetensors file"
            )
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > MAX_HEADER:
            raise ValueError(f"{path} is not a safetensors file")
        if 8 + length > size:
            raise ValueError(f"{path} is cut short: its list of tensors ends at byte {8 + length}, the file has {size}")
        return file.read(length)
