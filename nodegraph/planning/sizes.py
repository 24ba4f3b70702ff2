"""How large an argument is, and what of it is too much to plan with."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from math import isfinite
from typing import Any, NamedTuple, cast

from nodegraph.limits import MAX_CHARACTERS, MAX_ITEMS, MAX_NESTING
from nodegraph.planning.keys import Ref

ITEMS_A_STEP, CHARACTERS_A_STEP = 20, 10_000
"""What an argument may hold until checking it, and putting it into a key, takes as long as the rest of a step."""


_LEAVES = {bool, int, float}
"""What most long lists are full of: nothing is in it."""


class Size(NamedTuple):
    """Of a plain value. depth: of lists in lists."""

    items: int
    characters: int
    depth: int


def size(value: Any) -> Size:
    """Not recursive, and ended as soon as one limit is passed: a list may hold itself many times over."""
    items = characters = depth = 0
    level: list[Any] = [value]
    while level and depth <= MAX_NESTING and items <= MAX_ITEMS:
        inner: list[Any] = []
        for part in level:
            if isinstance(part, str):
                characters += len(part)
            elif type(part) not in _LEAVES and (parts := _parts(part)):
                items += len(parts)
                if items > MAX_ITEMS:
                    break
                inner += parts
        level = inner
        depth += bool(level)
    return Size(items, characters, depth)


def _parts(value: Any) -> list[Any]:
    if isinstance(value, Ref):
        return []
    if isinstance(value, tuple):
        return [*cast("tuple[Any, ...]", value)]
    if isinstance(value, dict):
        return [part for item in cast("dict[str, Any]", value).items() for part in item]
    if is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name) for field in fields(value)]
    return []


def excess(value: Any) -> str | None:
    """What of a plain value is more than planning takes, as the end of a sentence; None when it is not too much."""
    if isinstance(value, float | bool):
        return None
    if isinstance(value, int):
        digits = int(value.bit_length() * 0.30103) + 1  # writing them all out takes long, and Python refuses
        return f"must be a finite number, and this one has about {digits:,} digits" if digits > 309 else None
    found = size(value)
    if found.depth > MAX_NESTING:
        return f"has lists in lists, more than {MAX_NESTING} deep"
    if found.items > MAX_ITEMS:
        return f"has more than {MAX_ITEMS:,} items, which is the limit"
    if found.characters > MAX_CHARACTERS:
        return f"has {found.characters:,} characters; the limit is {MAX_CHARACTERS:,}"
    return None


def infinite(value: Any) -> str | None:
    """What is wrong with the numbers in a value that was computed, as the end of a sentence; None when nothing is."""
    if isinstance(value, float):
        return None if isfinite(value) else "is no finite number: what it is computed from is too large"
    return next(filter(None, map(infinite, _parts(value))), None)


def cost(value: Any) -> int:
    """How many steps more it takes to plan a node with this argument."""
    if isinstance(value, str):
        return len(value) // CHARACTERS_A_STEP
    if isinstance(value, float | int | Ref):
        return 0
    found = size(value)
    return found.items // ITEMS_A_STEP + found.characters // CHARACTERS_A_STEP
