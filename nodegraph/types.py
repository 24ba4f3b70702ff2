"""Socket types: plain values, registered value classes, and lists of either.

A *plain* type is one whose values are data that can be written into a file or a key: numbers, text,
and frozen dataclasses of those registered with `plain=True` (model descriptions, for example). Nodes
that only deal in plain values are evaluated while planning.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ListOf:
    """A tuple of values of one type; `tuple[float, ...]` in a signature."""

    element: Any


@dataclass(frozen=True, slots=True)
class SocketStyle:
    label: str
    color: str  # "#rrggbb"
    plain: bool
    pictured: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """For people to look at. rgb: height * width * 3 bytes, row by row from the top.

    count: of a batch, whose pictures are on it in rows, in as many columns as `columns` says. size: (width, height) of
    one of them as it is, however small it is here; None when that is not known.
    """

    width: int
    height: int
    rgb: bytes
    count: int = 1
    size: tuple[int, int] | None = None

    @property
    def cell(self) -> tuple[int, int]:
        """(width, height) of one of its pictures here."""
        across = columns(self.count)
        return self.width // across, self.height // math.ceil(self.count / across)


def columns(count: int) -> int:
    """Of a sheet of so many pictures, which is as square as it goes."""
    return math.ceil(math.sqrt(count))


PREVIEW_SIDE, FULL_SIDE = 512, 4096
"""How large a picture is at most, in pixels: one that comes by itself, and one that is asked for."""


@dataclass(frozen=True, slots=True)
class NetworkId:
    """What a network in memory goes by. part: which of those in a file. fingerprint: tells files of one path apart."""

    part: str
    path: str
    fingerprint: str


@runtime_checkable
class Described(Protocol):
    """A plain value that describes networks: whatever takes it needs them."""

    @property
    def networks(self) -> tuple[NetworkId, ...]: ...


Preview = Callable[[Any, int, int | None], Picture | None]
"""(value, max_side, item): how a value looks, at most so many pixels along a side; None when there is nothing to see.

item: of a batch that one alone; None shows all of them on a sheet.
"""


_ANYTHING = SocketStyle("Anything", "#8f8f8f", False)

STYLES: dict[Any, SocketStyle] = {
    bool: SocketStyle("Boolean", "#cca6d6", True),
    int: SocketStyle("Integer", "#598c5c", True),
    float: SocketStyle("Number", "#a1a1a1", True),
    str: SocketStyle("Text", "#70b2ff", True),
    Any: _ANYTHING,
}


def socket_type(
    *, color: str, label: str | None = None, plain: bool = False, pictured: bool = False
) -> Callable[[type[T]], type[T]]:
    """Class decorator: values of this class may travel on a link.

    plain: the class is a frozen dataclass of plain values, equal values have equal `repr`s, and making
    one is instant. pictured: the `preview` of the package shows what its values look like.
    """

    def register(cls: type[T]) -> type[T]:
        STYLES[cls] = SocketStyle(label or cls.__name__, color, plain, pictured)
        return cls

    return register


def style(tp: Any) -> SocketStyle:
    """How a socket of this type is shown; a list looks like its elements."""
    if isinstance(tp, ListOf):
        element = style(tp.element)
        return SocketStyle(f"List of {element.label}", element.color, element.plain)
    return STYLES.get(tp, _ANYTHING)


def type_name(tp: Any) -> str:
    return style(tp).label


def is_plain(tp: Any) -> bool:
    return style(tp).plain


def is_pictured(tp: Any) -> bool:
    """Whether values of this type can be looked at; lists cannot."""
    return STYLES.get(tp, _ANYTHING).pictured  # not by way of `style`: every result is asked about


def accepts(dst: Any, src: Any) -> bool:
    """Whether an output of type `src` may feed an input of type `dst`."""
    if Any in (dst, src):
        return True
    if isinstance(dst, ListOf):
        return isinstance(src, ListOf) and accepts(dst.element, src.element)
    if isinstance(src, ListOf):
        return False
    if bool in (dst, src):
        return dst is src  # to Python, truth is a whole number; to people it is none
    return issubclass(src, dst) or (dst is float and issubclass(src, int))


def type_of(value: Any) -> Any:
    """The socket type of a value."""
    if isinstance(value, tuple):
        elements: set[Any] = {type_of(v) for v in cast("tuple[Any, ...]", value)}
        if elements == {int, float}:
            elements = {float}
        return ListOf(elements.pop() if len(elements) == 1 else Any)
    return cast(Any, type(value))
