"""Results of nodes as one safetensors file each, for the disk cache: data, never code.

Tensors are stored as such; everything around them is JSON in the file's metadata, with the classes of a fixed table.
"""

from __future__ import annotations

import json
import math
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast, get_args, get_origin, get_type_hints

import safetensors
import torch
from torch import Tensor

from nodes import types

CLASSES: dict[str, Any] = {
    cls.__name__: cls
    for cls in vars(types).values()
    if isinstance(cls, type) and is_dataclass(cls) and cls.__module__ == types.__name__
}
KEY = "denoodle"

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


def save(values: tuple[Any, ...], path: Path) -> None:
    """Write the outputs of one call. Raises TypeError when a value is of no class that travels on links, OSError."""
    tensors: list[Tensor] = []
    header: dict[str, Any] = {"__metadata__": {KEY: json.dumps(_encode(values, tensors), allow_nan=False)}}
    place = 0
    for number, tensor in enumerate(tensors):
        end = place + tensor.numel() * tensor.element_size()
        about = {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [place, end]}
        header[str(number)], place = about, end
    text = json.dumps(header).encode()
    # Not the library's own writing: it holds a copy of everything in memory, or makes temporary files of its own.
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors:
            file.write(_bytes(tensor.detach().to("cpu").contiguous()))


def load(path: Path) -> tuple[Any, ...]:
    """The outputs of one call, equal bit for bit, tensors contiguous and in main memory.

    Raises ValueError when the file is damaged, OSError when it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            with safetensors.safe_open(path, "pt"):  # raises unless sizes and places are those of the file
                pass
            start = 8 + int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(start - 8))
            tree = json.loads(header.pop("__metadata__")[KEY])
            return _decode(tree, {name: _read(file, start, about) for name, about in header.items()})
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is not a stored result") from error


def _read(file: BinaryIO, start: int, about: dict[str, Any]) -> Tensor:
    """Straight into the memory where it stays: a copy of a large picture would be felt."""
    tensor = torch.empty(about["shape"], dtype=DTYPES[about["dtype"]])
    file.seek(start + about["data_offsets"][0])
    if file.readinto(_bytes(tensor)) != tensor.numel() * tensor.element_size():  # type: ignore[attr-defined]
        raise ValueError("the file is cut short")
    return tensor


def _bytes(tensor: Tensor) -> memoryview:
    """What a contiguous tensor holds, not a copy."""
    levels: Any = tensor.reshape(-1).view(torch.uint8).numpy()
    return memoryview(levels)


def _make(cls: Any, content: dict[str, Any]) -> Any:
    """Raises ValueError when the fields are not those of the class, or of other types.

    One with a default may be missing: it is younger than the file, and was as if at its default before.
    """
    hints = get_type_hints(cls, vars(types) | {"Tensor": Tensor})
    needed = {field.name for field in fields(cls) if field.default is MISSING}
    wrong = (needed - content.keys()) | (content.keys() - hints.keys())
    wrong = wrong or {name for name in content if not _fits(content[name], hints[name])}
    if wrong:
        raise ValueError(f"{cls.__name__} does not have such {', '.join(sorted(wrong))}")
    return cls(**content)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of an annotated type, of those that the classes use."""
    options = get_args(hint)
    if hint is Any:
        return True
    if get_origin(hint) is Literal:
        return isinstance(value, str) and value in options
    if get_origin(hint) is tuple:  # tuple[X, ...]
        return isinstance(value, tuple) and all(_fits(item, options[0]) for item in cast("tuple[Any, ...]", value))
    if options:  # X | None
        return any(_fits(value, option) for option in options)
    if hint in (int, float):
        return isinstance(value, int | hint) and not isinstance(value, bool)
    return isinstance(value, hint)


def _encode(value: Any, tensors: list[Tensor]) -> Any:
    """A JSON tree; every tensor goes into `tensors` and leaves its number."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else {"float": str(value)}
        case tuple():
            return {"tuple": [_encode(item, tensors) for item in cast("tuple[Any, ...]", value)]}
        case Tensor():
            if value.dtype not in NAMES:
                raise TypeError(f"tensors of {value.dtype} do not travel on links")
            tensors.append(value)
            return {"tensor": str(len(tensors) - 1)}
        case _ if type(value).__name__ in CLASSES and type(value) is CLASSES[type(value).__name__]:
            content = {field.name: _encode(getattr(value, field.name), tensors) for field in fields(value)}
            return {"class": type(value).__name__, "fields": content}
        case _:
            raise TypeError(f"{type(value).__name__} does not travel on links")


def _decode(tree: Any, tensors: dict[str, Tensor]) -> Any:
    match tree:
        case {"float": text}:
            return float(text)
        case {"tuple": items}:
            return tuple(_decode(item, tensors) for item in items)
        case {"tensor": name}:
            return tensors[name]
        case {"class": name, "fields": content}:
            return _make(CLASSES[name], {key: _decode(item, tensors) for key, item in content.items()})
        case None | bool() | int() | float() | str():
            return tree
        case _:
            raise ValueError(f"{tree!r} stands for no value")
