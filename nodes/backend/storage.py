"""Results of nodes as one safetensors file each, for the disk cache: data, never code.

Tensors are stored as such; everything around them is JSON in the file's metadata, with the classes of a fixed table.
"""

from __future__ import annotations

import json
import math
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import safetensors.torch
import torch
from torch import Tensor

from nodes import types

CLASSES: dict[str, Any] = {
    cls.__name__: cls
    for cls in vars(types).values()
    if isinstance(cls, type) and is_dataclass(cls) and cls.__module__ == types.__name__
}
KEY = "denoodle"


def save(values: tuple[Any, ...], path: Path) -> None:
    """Write the outputs of one call. Raises TypeError when a value is of no class that travels on links, OSError."""
    tensors: dict[str, Tensor] = {}
    tree = json.dumps(_encode(values, tensors), allow_nan=False)
    # Not save_file: it has temporary files of its own, which nobody clears away, and no OSError for a full disk.
    path.write_bytes(safetensors.torch.save(tensors, {KEY: tree}))


def load(path: Path) -> tuple[Any, ...]:
    """The outputs of one call, equal bit for bit, tensors contiguous and in main memory.

    Raises ValueError when the file is damaged, OSError when it cannot be read.
    """
    data = path.read_bytes()
    try:
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        tree = json.loads(header["__metadata__"][KEY])
        return _decode(tree, safetensors.torch.load(data))
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is not a stored result") from error


def _make(cls: Any, content: dict[str, Any]) -> Any:
    """Raises ValueError when the fields are not those of the class, or of other types."""
    hints = get_type_hints(cls, vars(types) | {"Tensor": Tensor})
    wrong = hints.keys() ^ content.keys() or {name for name in hints if not _fits(content[name], hints[name])}
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
        return isinstance(value, tuple) and all(_fits(item, options[0]) for item in value)
    if options:  # X | None
        return any(_fits(value, option) for option in options)
    if hint in (int, float):
        return isinstance(value, int | hint) and not isinstance(value, bool)
    return isinstance(value, hint)


def _encode(value: Any, tensors: dict[str, Tensor]) -> Any:
    """A JSON tree; every tensor goes into `tensors` and leaves its name."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else {"float": str(value)}
        case tuple():
            return {"tuple": [_encode(item, tensors) for item in value]}
        case Tensor():
            name = str(len(tensors))
            # A copy: views of one storage may not share a file.
            tensors[name] = value.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
            return {"tensor": name}
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
