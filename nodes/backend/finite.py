"""Numbers that are none: what holds NaN or infinity does not leave the node that made it.

Results travel in main memory, so looking at them waits for no accelerator, and a sum tells: it is finite unless one of
its terms is not, or all together are too large. That reads each number once, some ten microseconds for a step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from nodes.backend import layouts, weight_files, weight_tensors
from nodes.backend.quantised import Packed
from nodes.backend.untyped import TensorFile
from nodes.types import Weights

LARGE = 1e4
"""Parameters above it are named when something overflows: images, latents and strengths are of the order of 1."""


def complaint(outputs: Mapping[str, Any], given: Mapping[str, Any]) -> str | None:
    """Why these results of a node cannot be used, as a sentence; None when all their numbers are finite.

    given: the node's arguments, among which the cause is looked for.
    """
    bad = next((name for name, value in outputs.items() if not all(map(is_finite, numbers(value)))), None)
    if bad is None:
        return None
    return f"{bad} came out with values that are no numbers (NaN or infinity); {_cause(given)}"


def is_finite(numbers: Tensor | float) -> bool:
    if not isinstance(numbers, Tensor):
        return math.isfinite(numbers)
    if not numbers.is_floating_point():
        return True
    return math.isfinite(float(numbers.sum(dtype=torch.float32))) or bool(numbers.isfinite().all())


def numbers(value: Any) -> Iterator[Tensor | float]:
    """The tensors and plain numbers in a value, each tensor once."""
    seen: set[int] = set()
    todo = [value]
    while todo:
        part = todo.pop()
        if isinstance(part, Tensor):
            if id(part) not in seen:
                seen.add(id(part))
                yield part
        elif isinstance(part, float):
            yield part
        elif isinstance(part, tuple | list):
            todo += part
        elif is_dataclass(part):
            todo += (getattr(part, field.name) for field in fields(part))


def _cause(given: Mapping[str, Any]) -> str:
    for weights in _weights(tuple(given.values())):
        for file in weights.files:
            if file.endswith((".safetensors", ".gguf")) and (tensor := _damaged(Path(file))):
                return f"{file} holds such values, in {tensor}"
    for name, value in given.items():
        if isinstance(value, float | int) and abs(value) > LARGE:
            return f"{name} is {value:g}, which is too large"
    return "a number it was given, or one of its weights, is too large"


def _weights(value: Any) -> Iterator[Weights]:
    if isinstance(value, Weights):
        yield value
    elif isinstance(value, tuple | list):
        for part in cast("Iterable[Any]", value):
            yield from _weights(part)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _weights(getattr(value, field.name))


def _damaged(path: Path) -> str | None:
    """The first tensor of the file that is not finite. Reads all of it, which is worth it when a run has failed."""
    try:
        packed = weight_files.packed(path)
        with weight_tensors.opened(path) as file:
            return next((name for name in file.keys() if not is_finite(_tensor(file, name, packed))), None)  # noqa: SIM118
    except Exception:  # whatever is wrong with it by now, it is not this cause
        return None


def _tensor(file: TensorFile, name: str, packed: Mapping[str, Packed]) -> Tensor:
    """Of what is packed, the numbers that it stands for: codes of eight-bit floats and scales in blocks can be none."""
    if name not in packed:
        return file.get_tensor(name)
    parts = {part: file.get_tensor(called) for part, called in packed[name].parts.items()}
    return layouts.whole(packed[name], parts, torch.float32)
