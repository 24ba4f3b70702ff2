"""Declare a node type from the signature of one pure function.

    @node("schedule.karras")
    def karras(steps: Annotated[int, Range(1, 150)] = 20) -> tuple[float, ...]:
        '''Help that the user reads.'''

Parameters are inputs, the return annotation is the outputs (a NamedTuple for several, None for a
sink), the docstring is the help. A parameter without a default must be linked; `X | None = None`
may be left open; everything else is edited in place and may be linked as well.
"""

from __future__ import annotations

import inspect
import math
import types
from collections.abc import Callable
from dataclasses import dataclass, field, is_dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from nodegraph.graph import Group
from nodegraph.numerals import ambiguity
from nodegraph.types import ListOf, Picture, accepts, is_plain, type_name, type_of


@dataclass(frozen=True, slots=True)
class Range:
    """Limits of a number, both included. zero: what 0 stands for, where it is no number like the others."""

    min: float
    max: float
    step: float | None = None
    unit: str = ""
    zero: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of these texts; written as `Literal[...]`."""

    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class File:
    """The text is a path; keys cover what is there, not only its name. As an output: of a file the node has written.

    suffixes: lower case with the dot; empty means any. folder: a folder may be given instead. kinds: of the domain's
    stock (`nodegraph.domain.Stock`), those that it can be; none when it is no such file.
    """

    suffixes: tuple[str, ...] = ()
    folder: bool = False
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """A condition of its own. complaint: says what is wrong with a value, the parameter's name first; None: nothing."""

    complaint: Callable[[Any], str | None]


@dataclass(frozen=True, slots=True)
class Multiline:
    """The text is a paragraph; give it room. weighs: words in brackets with a number, (a cat:1.1), weigh so much."""

    weighs: bool = False


@dataclass(frozen=True, slots=True)
class Seed:
    """The number is a random seed; offer to roll it."""


@dataclass(frozen=True, slots=True)
class BatchSize:
    """The number is how many of something are made at once."""


@dataclass(frozen=True, slots=True)
class BatchIndex:
    """The number says which of a batch the first is: with a BatchSize of 1, the only one."""


@dataclass(frozen=True, slots=True)
class Outlined:
    """Of what is linked, the node is given what planning knows of it and not the value: see Outline.

    So a node that needs nothing but the size of a picture is evaluated before the picture is made.
    """


@dataclass(frozen=True, slots=True)
class Draft:
    """While a person holds a slider, live mode runs with at most `limit` of this, to answer sooner.

    instead: (choice, least, another): where some limit is lowered, what takes the place of a choice that needs more,
    from that value of the parameter `by` on. The first that holds counts; all do where the value comes by a link.
    """

    limit: float | None = None
    instead: tuple[tuple[str, float, str], ...] = ()
    by: str = ""


Kind = Literal["call", "form", "annotation"]
"""A call is run; a form is resolved by planning; an annotation is for people alone and is never planned."""

Outline = Callable[..., tuple[Any, ...]]
"""What planning can tell of a call's results without computing them, such as the size of a picture.

It is called with the arguments that are given, and with outlines in place of those that other calls make, None where
nothing is known. It returns an outline or None for each output, and raises ValueError when the arguments cannot go
together.
"""

REQUIRED: Any = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Input:
    name: str
    type: Any
    default: Any
    meta: tuple[Any, ...] = ()

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    @property
    def editable(self) -> bool:
        """Whether a person can type a value, so that no link is needed."""
        return self.type in (bool, int, float, str) or (isinstance(self.type, ListOf) and is_plain(self.type))

    def get(self, kind: type[T]) -> T | None:
        """The metadata of this kind, such as the Range."""
        return next((m for m in self.meta if isinstance(m, kind)), None)

    def complaint(self, value: Any) -> str | None:
        """What is wrong with a plain `value` for this input, as a sentence; None when it fits."""
        if value is None and self.default is None:
            return None
        if not _fits(self.type, value):
            return f"{self.name} takes {type_name(self.type)}, not {_shown(value)}{_readings(self.type, value)}"
        elements = cast("tuple[Any, ...]", value) if isinstance(value, tuple) else (value,)
        return next((c for c in map(self._element_complaint, elements) if c), None)

    def _element_complaint(self, value: Any) -> str | None:
        if isinstance(value, int | float) and not _finite(value):
            return f"{self.name} must be a finite number, got {_shown(value)}"
        if not self.meta:
            return None
        limits, choice, check = self.get(Range), self.get(Choice), self.get(Check)
        if limits and not limits.min <= value <= limits.max:
            return f"{self.name} must be between {exact(limits.min)} and {exact(limits.max)}, got {_shown(value)}"
        if choice and value not in choice.options:
            return f"{self.name} must be one of {', '.join(choice.options)}; got {_shown(value)}"
        return check.complaint(value) if check else None


@dataclass(frozen=True, slots=True)
class Output:
    """file: the text is the path of a file that the node has written."""

    name: str
    type: Any
    file: bool = False


@dataclass(frozen=True)
class NodeType:
    """What the engine and the editor know of a kind of node.

    group: the body, for the types "group:NAME". shows: the output whose picture stands for the whole; when empty, the
    first that can show itself. on_request: takes minutes or writes files, so that it runs when a person asks for it and
    not by itself in live mode; so do all sinks. outline: see Outline.
    """

    id: str
    version: int
    title: str
    doc: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    fn: Callable[..., Any] = field(compare=False)
    takes_context: bool = False
    aliases: tuple[str, ...] = ()
    group: Group | None = field(default=None, compare=False)
    kind: Kind = "call"
    shows: str = ""
    on_request: bool = False
    outline: Outline | None = field(default=None, compare=False)

    @property
    def category(self) -> str:
        return self.id.split(".", 1)[0]

    @cached_property
    def is_sink(self) -> bool:
        return self.kind == "call" and not self.outputs

    @property
    def annotation(self) -> bool:
        return self.kind == "annotation"

    @cached_property
    def foldable(self) -> bool:
        """Nothing but plain values in and out: evaluated while planning."""
        types = [i.type for i in self.inputs if not i.get(Outlined)] + [o.type for o in self.outputs]
        return bool(self.outputs) and not self.takes_context and all(map(is_plain, types))

    @cached_property
    def input_by_name(self) -> dict[str, Input]:
        return {i.name: i for i in self.inputs}

    @cached_property
    def output_by_name(self) -> dict[str, Output]:
        return {o.name: o for o in self.outputs}

    @cached_property
    def file_inputs(self) -> tuple[str, ...]:
        return tuple(i.name for i in self.inputs if i.get(File))

    @cached_property
    def outlined_inputs(self) -> tuple[str, ...]:
        return tuple(i.name for i in self.inputs if i.get(Outlined))

    @cached_property
    def output_index(self) -> dict[str, int]:
        return {o.name: index for index, o in enumerate(self.outputs)}

    @cached_property
    def describes(self) -> bool:
        """Whether what it makes is worked out while planning, and is more than numbers and texts."""
        return self.foldable and any(is_dataclass(output.type) for output in self.outputs)

    @cached_property
    def output_types(self) -> tuple[Any, ...]:
        return tuple(o.type for o in self.outputs)

    def input(self, name: str) -> Input | None:
        return self.input_by_name.get(name)

    def output(self, name: str) -> Output | None:
        return self.output_by_name.get(name)


TypeOf = Callable[[str], NodeType | None]
"""The type with an id, such as `registry.get`; None when it is not installed."""


class Cancelled(BaseException):
    """The running result is no longer wanted. Not an Exception: node code cannot swallow it by accident."""


NAMING = "%name%_%counter%"
"""What sinks call what they write, unless a person has said otherwise."""


class Context:
    """What a running node may ask of the engine; this base class asks nothing, for direct calls.

    workflow: the graph that is being run, as the text of a workflow file. out_dir: the folder for what sinks write.
    naming: what they call it; the package says what may stand there. carries_workflow: whether the workflow is to be in
    what they write, or only to be known.
    """

    workflow: str = ""
    out_dir: str = "output"
    naming: str = NAMING
    carries_workflow: bool = True

    def workflow_of(self, item: int, count: int) -> str:
        """The workflow that makes item `item` of the `count` that the node was given alone; else that of them all."""
        return self.workflow

    def progress(self, done: int, total: int, preview: Callable[[], Picture | None] | None = None) -> None:
        """Report `done` of `total` parts. Raises Cancelled when the result is no longer wanted.

        preview: makes a picture of the state so far; called only when somebody is going to look.
        """

    def saved(self, path: str) -> None:
        """Report a file that was written."""


T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def node(
    id: str,
    *,
    version: int = 1,
    title: str | None = None,
    aliases: tuple[str, ...] = (),
    kind: Kind = "call",
    shows: str = "",
    on_request: bool = False,
    outline: Outline | None = None,
) -> Callable[[F], F]:
    """Declare a node type; the signature is the whole declaration.

    id and parameter names are the file format. version: raised when equal inputs give other results.
    aliases: further words people search for. shows, on_request, outline: see NodeType.
    The function stays an ordinary function.
    """

    def declare(fn: F) -> F:
        hints = get_type_hints(fn, include_extras=True)
        returns = hints.pop("return", None)
        parameters = inspect.signature(fn).parameters
        takes_context = next(iter(hints.values()), None) is Context
        if Context in hints.values() and not takes_context:
            raise TypeError(f"{id}: the Context comes first among the parameters")
        inputs = tuple(
            Input(name, *_split(hints[name], p.default)) for name, p in parameters.items() if hints[name] is not Context
        )
        name = fn.__name__.rstrip("_").replace("_", " ").capitalize()
        doc = inspect.getdoc(fn) or ""
        fn.node_type = NodeType(  # type: ignore[attr-defined]
            id,
            version,
            title or name,
            doc,
            inputs,
            _outputs(returns),
            fn,
            takes_context,
            aliases,
            kind=kind,
            shows=shows,
            on_request=on_request,
            outline=outline,
        )
        return fn

    return declare


def _split(hint: Any, default: Any = REQUIRED) -> tuple[Any, Any, tuple[Any, ...]]:
    """(socket type, default, metadata) of an annotation."""
    meta: tuple[Any, ...] = ()
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(a for a in get_args(hint) if a is not type(None))
    if get_origin(hint) is Annotated:
        hint, *rest = get_args(hint)
        meta = tuple(rest)
    if get_origin(hint) is Literal:
        return str, default, (*meta, Choice(get_args(hint)))
    if get_origin(hint) is tuple:
        hint = ListOf(_split(get_args(hint)[0])[0])
    return hint, default, meta


def _outputs(hint: Any) -> tuple[Output, ...]:
    if hint in (None, type(None)):
        return ()
    if hasattr(hint, "_fields"):
        fields = get_type_hints(hint, include_extras=True)
        return tuple(_output(name, tp) for name, tp in fields.items())
    tp = _split(hint)[0]
    named = isinstance(tp, type) and tp not in (bool, int, float, str, Any)
    return (Output(tp.__name__.lower() if named else "value", tp),)


def _output(name: str, hint: Any) -> Output:
    tp, _, meta = _split(hint)
    return Output(name, tp, any(isinstance(m, File) for m in meta))


def exact(value: float) -> str:
    """A number as short as it can be without becoming another."""
    if isinstance(value, int):
        return str(value)
    short = f"{value:g}"
    return short if float(short) == value else str(value)


_PLAIN = {bool, int, float, str}


def _fits(tp: Any, value: Any) -> bool:
    if isinstance(tp, ListOf) and isinstance(value, tuple):
        elements = cast("tuple[Any, ...]", value)
        kinds: dict[type[Any], Any] = {type(element): element for element in elements}
        # Whether a plain value fits is told by its kind: of a thousand numbers one is looked at.
        return all(_fits(tp.element, element) for element in (kinds.values() if kinds.keys() <= _PLAIN else elements))
    return accepts(tp, type_of(value))


def _finite(value: float) -> bool:
    """An integer beyond what a float can hold counts as infinite."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _readings(kind: Any, value: Any) -> str:
    return ambiguity(value, kind) if kind in (int, float) and isinstance(value, str) else ""


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
