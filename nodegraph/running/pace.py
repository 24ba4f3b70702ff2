"""What calls took on this machine, by their kind and size."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, cast

from nodegraph.formats.files import Damaged, read_own, write_atomic
from nodegraph.node import Seed
from nodegraph.planning.calls import Call
from nodegraph.planning.keys import Ref
from nodegraph.program import data_folder

MOST = 2000  # kinds that are remembered
LARGEST = 1 << 20  # bytes of the file


def pace_file() -> Path:
    """Where the window and the commands keep it."""
    return data_folder() / "pace.json"


class Pace:
    """Seconds of a call by its kind, see `CallKinds`. Shared by all documents, and kept from one start to the next.

    otherwise: what is gone by where nothing was measured, such as the pace of another card.
    """

    def __init__(self, otherwise: Pace | None = None) -> None:
        self._otherwise = otherwise
        self._seconds: OrderedDict[str, float] = OrderedDict()  # by kind, the one learnt last at the end
        self._own: set[str] = set()  # kinds that were learnt here, not read

    def seconds(self, kind: str) -> float | None:
        """None for a kind that was never measured."""
        own = self._seconds.get(kind)
        return self._otherwise.seconds(kind) if own is None and self._otherwise else own

    def learn(self, kind: str, seconds: float) -> None:
        self._own.add(kind)
        self._put(kind, seconds)

    def _put(self, kind: str, seconds: float) -> None:
        self._seconds[kind] = seconds
        self._seconds.move_to_end(kind)
        if len(self._seconds) > MOST:
            self._seconds.popitem(last=False)

    def load(self, path: Path) -> None:
        """Add what a file says. Raises Damaged or OSError, and adds nothing then."""
        for kind, seconds in read_own(path, "What calls took", LARGEST, _parse).items():
            self._put(kind, seconds)

    def save(self, path: Path) -> None:
        """With what other processes wrote there meanwhile of kinds that were not met here. Raises OSError."""
        with suppress(OSError, Damaged):
            for kind, seconds in read_own(path, "What calls took", LARGEST, _parse).items():
                if kind not in self._own:
                    self._put(kind, seconds)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps({kind: round(seconds, 4) for kind, seconds in self._seconds.items()}).encode())


def _parse(data: bytes) -> dict[str, float]:
    said: Any = json.loads(data)
    if not isinstance(said, dict):
        raise ValueError("it is not a JSON object")
    said = cast("dict[str, Any]", said)
    if not all(isinstance(value, int | float) and 0 <= value < 1e9 for value in said.values()):
        raise ValueError("it has what is no time")
    return {kind: float(seconds) for kind, seconds in said.items()}


class CallKinds:
    """The kinds of the calls of one plan: their type, and that of what they take, with what makes them large.

    Whole numbers, choices and descriptions such as a model count, from wherever they come; seeds, texts and other
    numbers do not change how long a call takes. All calls of a node are of the kind of its first.
    """

    def __init__(self) -> None:
        self._of_nodes: dict[str, str] = {}
        self._of_calls: dict[str, str] = {}  # by key

    def of(self, call: Call) -> str:
        """Those that it takes from were asked for before: a plan has them in that order."""
        kind = self._of_nodes.get(call.node)
        if kind is None:
            args = sorted(call.args.items())
            parts = [call.type.id, *(f"{name} {_weight(call, name, arg, self._of_calls)}" for name, arg in args)]
            kind = self._of_nodes[call.node] = blake2b("\n".join(parts).encode(), digest_size=12).hexdigest()
        self._of_calls[call.key] = kind
        return kind


def _weight(call: Call, name: str, value: Any, seen: Mapping[str, str]) -> str:
    """What of an argument makes its call long."""
    if isinstance(value, Ref):
        return seen.get(value.key, "")
    if isinstance(value, tuple):
        return f"{len(cast('tuple[Any, ...]', value))} {_weight(call, name, value[0], seen) if value else ''}"
    spec = call.type.input(name)
    if isinstance(value, float | str) or (spec is not None and spec.get(Seed)):
        return ""
    return repr(value)
