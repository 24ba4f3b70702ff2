"""Texts, and lists for sweeps and for-each zones."""

from __future__ import annotations

from typing import Annotated

from nodegraph.node import Multiline, Range, node
from nodes.types import Image

MAX_ITEMS = 10_000


@node("text.text", aliases=("string", "value", "prompt"))
def text(value: Annotated[str, Multiline()] = "") -> str:
    """A text to use in several places."""
    return value


@node("text.join", aliases=("concatenate", "append"))
def join(first: str = "", second: str = "", separator: str = ", ") -> str:
    """Two texts in one; the separator stands between them when neither is empty."""
    return separator.join(part for part in (first, second) if part)


@node("text.replace", aliases=("substitute", "template"))
def replace(text: Annotated[str, Multiline()] = "", find: str = "", replacement: str = "") -> str:
    """A text with every occurrence of another exchanged."""
    return text.replace(find, replacement) if find else text


@node("list.numbers", aliases=("values", "sweep"))
def numbers(values: tuple[float, ...] = (1.0, 2.0, 3.0)) -> tuple[float, ...]:
    """Numbers, one after another."""
    return values


@node("list.range", aliases=("count", "sweep", "linspace"))
def range_(start: float = 0.0, stop: float = 1.0, count: Annotated[int, Range(1, MAX_ITEMS)] = 5) -> tuple[float, ...]:
    """count numbers in equal steps from start to stop, both included."""
    if count == 1:
        return (start,)
    return tuple(start + (stop - start) * i / (count - 1) for i in range(count))


@node("list.integers", aliases=("seeds", "count", "sweep"))
def integers(start: int = 0, step: int = 1, count: Annotated[int, Range(1, MAX_ITEMS)] = 4) -> tuple[int, ...]:
    """count whole numbers from start on: seeds, for example."""
    return tuple(start + step * i for i in range(count))


@node("list.texts", aliases=("prompts", "lines", "sweep"))
def texts(lines: Annotated[str, Multiline()] = "") -> tuple[str, ...]:
    """The lines of a text that are not empty, as a list: prompts, for example."""
    return tuple(line.strip() for line in lines.splitlines() if line.strip())


@node("list.number_at", aliases=("item", "pick", "index"))
def number_at(numbers: tuple[float, ...], index: int = 0) -> float:
    """One number of a list; 0 is the first, -1 the last."""
    return numbers[_checked(index, len(numbers))]


@node("list.text_at", aliases=("item", "pick", "index"))
def text_at(texts: tuple[str, ...], index: int = 0) -> str:
    """One text of a list; 0 is the first, -1 the last."""
    return texts[_checked(index, len(texts))]


@node("list.image_at", aliases=("item", "pick", "index"))
def image_at(images: tuple[Image, ...], index: int = 0) -> Image:
    """One picture of a list; 0 is the first, -1 the last."""
    return images[_checked(index, len(images))]


@node("list.length", aliases=("count", "size"))
def length(numbers: tuple[float, ...]) -> int:
    """How many numbers a list has."""
    return len(numbers)


@node("list.labels", aliases=("text", "number to text"))
def labels(numbers: tuple[float, ...], prefix: str = "") -> tuple[str, ...]:
    """Numbers as texts, to label a grid with: "guidance " and 7.5 make "guidance 7.5"."""
    return tuple(f"{prefix}{number:g}" for number in numbers)


def _checked(index: int, length: int) -> int:
    if not -length <= index < length:
        raise ValueError(f"index must be between {-length} and {length - 1}, got {index}")
    return index
