"""The forms that planning resolves (zones, the switch, the walls of a group, reroutes, variables), and annotations.

None of them is ever run.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from nodegraph.node import Multiline, Range, node
from nodegraph.types import socket_type

STATES = ("", "_2", "_3", "_4")
"""What the sockets of the carried states end in: `initial_2`, `state_2`, `next_2` and `value_2` are one state."""

GROUP_INPUT, GROUP_OUTPUT = "group.input", "group.output"
REPEAT_BEGIN, REPEAT_END = "repeat.begin", "repeat.end"
FOR_EACH_BEGIN, FOR_EACH_END = "foreach.begin", "foreach.end"
SWITCH = "logic.switch"
REROUTE = "canvas.reroute"
VARIABLE_SET, VARIABLE_GET = "variable.set", "variable.get"
NOTE, FRAME = "canvas.note", "canvas.frame"

BEGIN_OF = {REPEAT_END: REPEAT_BEGIN, FOR_EACH_END: FOR_EACH_BEGIN}
"""The type that begins the zone a type ends."""


@socket_type(color="#d09040", label="Repeat zone")
class RepeatZone:
    """Ties a Repeat end to its Repeat begin."""


@socket_type(color="#c07850", label="For-each zone")
class ForEachZone:
    """Ties a For each end to its For each begin."""


class RepeatBegin(NamedTuple):
    zone: RepeatZone
    index: int  # pyright: ignore[reportIncompatibleMethodOverride]  the name is the file format
    state: Any
    state_2: Any
    state_3: Any
    state_4: Any


class RepeatEnd(NamedTuple):
    value: Any
    value_2: Any
    value_3: Any
    value_4: Any


class ForEachBegin(NamedTuple):
    zone: ForEachZone
    index: int  # pyright: ignore[reportIncompatibleMethodOverride]  the name is the file format
    item: Any


class ForEachEnd(NamedTuple):
    results: tuple[Any, ...]


def _never_run() -> Any:
    raise TypeError("planning resolves this node; it has nothing to run")


@node(REPEAT_BEGIN, aliases=("loop", "iterate"), kind="form")
def repeat_begin(
    *,
    count: Annotated[int, Range(0, 10_000)] = 1,
    initial: Any,
    initial_2: Any = None,
    initial_3: Any = None,
    initial_4: Any = None,
) -> RepeatBegin:
    """Start of a zone that runs `count` times; whatever leads from here to the Repeat end is inside it.

    A state is what one round hands to the next: `initial` in the first round, then what the end received as `next`.
    index: the number of the round, from 0.
    """
    return _never_run()


@node(REPEAT_END, kind="form")
def repeat_end(
    zone: RepeatZone, next: Any = None, next_2: Any = None, next_3: Any = None, next_4: Any = None
) -> RepeatEnd:
    """End of a zone: `next` becomes the state of the next round, and `value` after the last one.

    A state whose `next` is not connected stays as it was.
    """
    return _never_run()


@node(FOR_EACH_BEGIN, aliases=("loop", "map", "batch"), kind="form")
def for_each_begin(items: tuple[Any, ...]) -> ForEachBegin:
    """Start of a zone that runs once for each item of a list. index: the position of the item, from 0."""
    return _never_run()


@node(FOR_EACH_END, kind="form")
def for_each_end(zone: ForEachZone, result: Any) -> ForEachEnd:
    """End of a zone: the results for all items, as a list in the same order."""
    return _never_run()


@node(SWITCH, aliases=("if", "choose"), kind="form")
def switch(condition: bool = True, if_true: Any = None, if_false: Any = None) -> Any:
    """Pass one input through; the other is not computed."""
    return _never_run()


@node(GROUP_INPUT, kind="form")
def group_input() -> None:
    """The inputs of the group, seen from inside."""
    _never_run()


@node(GROUP_OUTPUT, kind="form")
def group_output() -> None:
    """The outputs of the group, seen from inside."""
    _never_run()


@node(REROUTE, aliases=("dot", "knot"), kind="form")
def reroute(value: Any) -> Any:
    """A bend in a wire: passes on what it gets."""
    return _never_run()


@node(VARIABLE_SET, title="Set variable", aliases=("name", "global", "send"), kind="form")
def set_variable(*, name: str = "", value: Any) -> None:
    """Give a value a name; every Get variable with that name in this graph passes it on, without a wire."""
    _never_run()


@node(VARIABLE_GET, title="Get variable", aliases=("name", "global", "receive"), kind="form")
def get_variable(name: str = "") -> Any:
    """Pass on the value that the Set variable with this name got."""
    return _never_run()


@node(NOTE, aliases=("comment", "text", "markdown"), kind="annotation")
def note(text: Annotated[str, Multiline()] = "") -> None:
    """A text on the canvas, in Markdown. It takes no part in the computation."""
    _never_run()


@node(FRAME, aliases=("backdrop", "comment", "box"), kind="annotation")
def frame(color: str = "#5c6bc0") -> None:
    """A titled rectangle behind nodes; the nodes inside move with it. It takes no part in the computation.

    color: as "#rrggbb".
    """
    _never_run()
