"""Texts, and lists for sweeps and for-each zones."""

from __future__ import annotations

from typing import Annotated

from nodegraph.limits import MAX_CHARACTERS
from nodegraph.node import Multiline, Range, node
from nodes.fit import Known
from nodes.types import Image

MAX_ITEMS = 10_000


@node("text.text", aliases=("string", "value", "prompt"))
def text(value: Annotated[str, Multiline(weighs=True)] = "") -> str:
    """A text to use in several places."""
    return value


@node("text.join", aliases=("concatenate", "append"))
def join(first: str = "", second: str = "", separator: str = ", ") -> str:
    """Two texts in one; the separator stands between them when neither is empty."""
    return separator.join(part for part in (first, second) if part)


@node("text.replace", aliases=("substitute", "template"))
def replace(text: Annotated[str, Multiline()] = "", find: str = "", replacement: str = "") -> str:
    """A text with every occurrence of another exchanged."""
    if not find:
        return text
    _check_length(len(text) + text.count(find) * (len(replacement) - len(find)))
    return text.replace(find, replacement)


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
def texts(lines: Annotated[str, Multiline(weighs=True)] = "") -> tuple[str, ...]:
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


def _at(images: tuple[Known, ...] | None, index: int) -> tuple[Known]:
    if images is None:
        return (None,)
    return (images[_checked(index, len(images))],)


@node("list.image_at", outline=_at, aliases=("item", "pick", "index"))
def image_at(images: tuple[Image, ...], index: int = 0) -> Image:
    """One picture of a list; 0 is the first, -1 the last."""
    return images[_checked(index, len(images))]


def _listed(**images: Known) -> tuple[tuple[Known, ...]]:
    return (tuple(images.values()),)


@node("list.images", outline=_listed, title="List of images", aliases=("combine", "collect", "side by side"))
def images(
    image: Image,
    image_2: Image | None = None,
    image_3: Image | None = None,
    image_4: Image | None = None,
) -> tuple[Image, ...]:
    """Pictures as a list, for a grid."""
    return tuple(image for image in (image, image_2, image_3, image_4) if image is not None)


@node("list.length", aliases=("count", "size"))
def length(numbers: tuple[float, ...]) -> int:
    """How many numbers a list has."""
    return len(numbers)


@node("list.labels", aliases=("text", "number to text"))
def labels(numbers: tuple[float, ...], prefix: str = "") -> tuple[str, ...]:
    """Numbers as texts, to label a grid with: "guidance " and 7.5 make "guidance 7.5"."""
    _check_length(len(prefix) * len(numbers))
    return tuple(f"{prefix}{number:g}" for number in numbers)


@node("list.plot", title="Plot numbers", aliases=("graph", "chart", "curve"))
def plot(
    numbers: tuple[float, ...],
    more: tuple[float, ...] = (),
    label: str = "",
    more_label: str = "",
    x_label: str = "",
    x_first: float = 0.0,
    x_last: float = 1.0,
) -> Image:
    """Numbers as a curve from x_first to x_last, in equal steps. more: a second curve."""
    from nodes.backend.plots import Curve, curves_plot

    if x_first >= x_last:
        raise ValueError(f"x_first must be below x_last, got {x_first:g} and {x_last:g}")
    curves = [Curve(label, numbers), Curve(more_label, more)]
    return Image(curves_plot(curves if more else curves[:1], x_label, x_first, x_last))


def _check_length(characters: int) -> None:
    """Before the text is there: texts that multiply fill the memory."""
    if characters > MAX_CHARACTERS:
        raise ValueError(f"the text would have {characters:,} characters; the limit is {MAX_CHARACTERS:,}")


def _checked(index: int, length: int) -> int:
    if not -length <= index < length:
        raise ValueError(f"index must be between {-length} and {length - 1}, got {index}")
    return index
