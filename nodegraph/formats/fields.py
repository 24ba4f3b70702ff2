"""Values in a parsed file, each of the kind that it must be. `where` says which part of the file is read."""

from __future__ import annotations

import math
from sys import intern
from typing import Any, cast

from nodegraph.text import MAX_QUOTED, quoted

MAX_DEPTH = 64
FARTHEST = 10_000_000
"""What lies farther out could not be painted: pixels are counted in 32 bits."""


def read_pair(value: Any, field: str, where: str) -> tuple[float, float]:
    """Raises ValueError."""
    match _placed(value, f"{where}{quoted(field)}"):
        case (int() | float() as x, int() | float() as y) if max(abs(x), abs(y)) <= FARTHEST:
            return x, y
        case _:
            raise ValueError(f"{where}{quoted(field)} must be two numbers between -{FARTHEST:,} and {FARTHEST:,}")


def pop_field(data: dict[str, Any], field: str, kind: type, default: Any, where: str) -> Any:
    """Taken out of its object, so that what remains is what this program does not know. Raises ValueError."""
    value = data.pop(field, default)
    if not isinstance(value, kind):
        kinds: dict[type, str] = {dict: "an object", list: "a list", str: "text"}
        raise ValueError(f"{where}{quoted(field)} must be {kinds[kind]}")
    return value


def read_object(value: Any, what: str) -> dict[str, Any]:
    """what: how it is called in the sentence. Raises ValueError."""
    if not isinstance(value, dict):
        raise ValueError(f"{what} must be an object")
    return cast("dict[str, Any]", value)


def read_values(data: dict[str, Any], where: str) -> dict[str, Any]:
    """Plain values, as a graph holds them. Raises ValueError."""
    # Ten thousand nodes have few names: each is kept once.
    return {intern(name): _placed(value, f"{where}{quoted(name)}") for name, value in data.items()}


def _placed(value: Any, where: str) -> Any:
    try:
        return _value(value)
    except ValueError as error:
        raise ValueError(f"{where}{error}") from error


def _value(value: Any, depth: int = 0) -> Any:
    """Lists become tuples: what is in a graph does not change. Raises ValueError with the end of a sentence."""
    if depth > MAX_DEPTH:
        raise ValueError(f" is nested more than {MAX_DEPTH} deep")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f" must be a finite number, got {value}")
    if isinstance(value, list):
        return tuple(_value(v, depth + 1) for v in cast("list[Any]", value))
    if isinstance(value, dict):
        return {name: _entry(name, v, depth + 1) for name, v in cast("dict[str, Any]", value).items()}
    return value


def _entry(name: str, value: Any, depth: int) -> Any:
    # Where it stands is put together only when that is to be said: names may be long, and their entries many.
    try:
        return _value(value, depth)
    except ValueError as error:
        inner = str(error)
        raise ValueError(inner if len(inner) > MAX_QUOTED else f", {quoted(name)}{inner}") from error
