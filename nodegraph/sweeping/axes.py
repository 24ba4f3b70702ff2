"""One direction of a sweep: a parameter of a node and the values it takes, as people write them.

guidance.scale=1:9:2            1, 3, 5, 7, 9
noise.seed=0..3                 0, 1, 2, 3
guidance.scale=4|7.5|9          these
positive.text=a cat|a dog       these texts; \\| is a | within one
positive.text~cat|dog|fox       the text as it is, then with dog and with fox in the place of cat
style.path=loras/*.safetensors  these files; a folder is every file in it that the parameter takes
"""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatch
from itertools import count, pairwise
from typing import Any

from nodegraph.editing.assign import parameter, parse
from nodegraph.graph import Graph, Port
from nodegraph.node import File, Input, NodeType, exact
from nodegraph.text import quoted, shortened

MOST_CELLS = 100_000
"""Of a sweep, and so values of one parameter."""

_BARS = re.compile(r"(\\*)\|")
_EACH = re.compile(r"([-+]?\d+)\.\.([-+]?\d+)")
LEAST_OF_A_RANGE = 4
"""Fewer numbers are written one by one."""

_DIGITS = 40
"""Of a number in a range; no parameter takes longer ones."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A parameter and the values it takes, in order."""

    port: Port
    values: tuple[Any, ...]

    @property
    def name(self) -> str:
        return ".".join(self.port)

    def label(self, index: int) -> str:
        """One of the values for people: short, on one line."""
        return shown(self.values[index])


def shown(value: Any) -> str:
    """A value for people: short, on one line; of a file its name."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int | float):
        return exact(value)
    if isinstance(value, str):
        path = os.path.basename(value.replace("\\", "/")) if value.endswith((".safetensors", ".gguf")) else value
        return shortened(" ".join(path.split())) or "(empty)"
    return shortened(str(value))


def written(values: Sequence[Any]) -> str:
    """The values as a person would write them: what `read` takes, after the parameter's name."""
    if all(type(value) in (int, float) for value in values):
        return _written_numbers(values)
    return _joined(list(map(_written_one, values)))


def _written_numbers(values: Sequence[Any]) -> str:
    """As a range where they are one, and that is shorter."""
    numbers = [Decimal(str(value)) for value in values]
    steps = {after - before for before, after in pairwise(numbers)}
    texts = [_shortest(value) for value in values]
    if len(values) < LEAST_OF_A_RANGE or len(steps) != 1 or not (step := steps.pop()):
        return "|".join(texts)
    usual = step == (1 if step > 0 else -1)
    return ":".join((texts[0], texts[-1], *(() if usual else (_shortest(step),))))


def _shortest(value: Any) -> str:
    text = str(value)
    return text.removesuffix(".0")


def _written_one(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, tuple) else _shortest(value)


def read(graph: Graph, types: Mapping[str, NodeType], text: str) -> Axis:
    """What `NODE.PARAMETER=VALUES` or `NODE.PARAMETER~WORD|OTHERS` says, see above.

    Raises ValueError with a sentence that names the node, the parameter and what is allowed.
    """
    sign = next((sign for sign in text if sign in "=~"), "")
    target, _, rest = text.partition(sign) if sign else ("", "", "")
    id, dot, name = target.strip().rpartition(".")
    if not dot:
        raise ValueError(f"write node.parameter=values, with values such as 0..3, 1:9:2 or a|b; got {quoted(text)}")
    port = Port(id, name)
    spec = parameter(graph, types, port)
    try:
        values = _replaced(graph, spec, port, rest) if sign == "~" else _values(spec, rest)
    except ValueError as error:
        raise ValueError(f"node {quoted(id)}: {error}") from error
    return Axis(port, tuple(values))


def _values(spec: Input, text: str) -> list[Any]:
    if spec.type in (int, float):
        found = [value for part in text.split("|") for value in _numbers(spec, part.strip())]
    elif file := spec.get(File):
        found = [path for part in _parts(text) for path in _files(spec, file, part)]
    else:
        found = [parse(spec, part) for part in _parts(text)]
    if len(found) > MOST_CELLS:
        raise _too_many(spec, text, len(found))
    return found


def _parts(text: str) -> list[str]:
    """What stands between the bars. Of the backslashes before a bar two are one, and one that is left makes it a bar
    of the text.
    """
    first, *rest = _BARS.split(text)
    parts = [first]
    for slashes, after in zip(rest[::2], rest[1::2], strict=True):
        parts[-1] += slashes[: len(slashes) // 2]
        if len(slashes) % 2:
            parts[-1] += f"|{after}"
        else:
            parts.append(after)
    return parts


def _joined(parts: Sequence[str]) -> str:
    """What `_parts` takes apart again."""
    escaped = [_BARS.sub(lambda bar: bar[1] * 2 + "\\|", part) for part in parts]
    ends = [part[len(part.rstrip("\\")) :] for part in escaped[:-1]]
    return "|".join([*map("".join, zip(escaped[:-1], ends, strict=True)), escaped[-1]])


def _numbers(spec: Input, part: str) -> Iterator[Any]:
    """One number, or a range of them: first:last:step or first..last, both ends included."""
    if each := _EACH.fullmatch(part):
        ends = [each[1], each[2]]
    else:
        ends = part.split(":")
    if len(ends) == 1:
        yield parse(spec, part)
        return
    if len(ends) > 3:
        raise ValueError(f"{spec.name}: a range is first:last or first:last:step, not {quoted(part)}")
    for value in _range(spec, part, ends):
        # by way of its text, so that 0.1:0.3:0.1 ends at the 0.3 that a person would write
        yield parse(spec, format(value.quantize(Decimal(1)) if value == value.to_integral_value() else value, "f"))


def _range(spec: Input, part: str, ends: list[str]) -> Iterator[Decimal]:
    first, last, *steps = (_decimal(spec, part, end) for end in ends)
    step = steps[0] if steps else Decimal(1 if last >= first else -1)
    if not step or (last - first) / step < 0:
        raise ValueError(f"{spec.name}: steps of {step} never lead from {first} to {last}, in {quoted(part)}")
    for value in (first, last):  # before thousands of values are made
        if complaint := spec.complaint(spec.type(value)):
            raise ValueError(complaint)
    count = int((last - first) / step) + 1
    if count > MOST_CELLS:
        raise _too_many(spec, part, count)
    return (first + index * step for index in range(count))


def _decimal(spec: Input, part: str, end: str) -> Decimal:
    try:
        value = Decimal(end.strip())
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite() or len(end) > _DIGITS or abs(value.adjusted()) > _DIGITS:
        raise ValueError(f"{spec.name}: {quoted(end)} is no number, in the range {quoted(part)}")
    return value


def _files(spec: Input, file: File, part: str) -> list[str]:
    """The file, or those of a folder or a pattern in the order of their names."""
    if os.path.isdir(part) and not file.folder:
        found = sorted(entry.path for entry in os.scandir(part) if entry.is_file())
    elif glob.has_magic(part):
        found = sorted(_matching(part, count(1)))
    else:
        return [parse(spec, part)]
    found = [path for path in found if not file.suffixes or path.lower().endswith(file.suffixes)]
    if not found:
        endings = f" ending in {', '.join(file.suffixes)}" if file.suffixes else ""
        raise ValueError(f"{spec.name}: there is no file{endings} in {quoted(part)}")
    return [parse(spec, path) for path in found]


def _matching(pattern: str, looked: Iterator[int]) -> Iterator[str]:
    """As `glob.glob` does. looked: counts the names that were compared; raises ValueError when there are too many."""
    folder, name = os.path.split(pattern)
    folders = _matching(folder, looked) if glob.has_magic(folder) else [folder]
    for place in folders:
        if not glob.has_magic(name):
            yield from [path for path in [os.path.join(place, name)] if os.path.lexists(path)]
            continue
        with suppress(OSError), os.scandir(place or ".") as entries:
            for entry in entries:
                if next(looked) > MOST_CELLS:
                    raise ValueError(f"{quoted(pattern)} is looked for among more than {MOST_CELLS:,} files")
                if fnmatch(entry.name, name) and (entry.name[0] != "." or name[0] == "."):
                    yield os.path.join(place, entry.name)


def _replaced(graph: Graph, spec: Input, port: Port, text: str) -> list[Any]:
    if spec.type is not str:
        raise ValueError(f"{spec.name} is no text; words are replaced in texts alone")
    before = graph.nodes[port.node].params.get(port.socket, spec.default)
    word, *others = _parts(text)
    if not word or not isinstance(before, str) or word not in before:
        raise ValueError(f"{spec.name} holds no {quoted(word)}, in whose place others could stand")
    return [parse(spec, before.replace(word, other)) for other in (word, *others)]


def _too_many(spec: Input, part: str, count: int) -> ValueError:
    return ValueError(f"{spec.name}: {quoted(part)} is {count:,} values; {MOST_CELLS:,} is the most")
