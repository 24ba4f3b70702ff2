"""What planning knows of results that are not computed yet: see `nodegraph.node.Outline`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from inspect import Parameter, signature
from types import NoneType
from typing import Any, cast, get_args, get_type_hints

from nodegraph.node import NodeType, Outline
from nodegraph.planning.calls import Record
from nodegraph.planning.keys import Ref, has_ref

FEW = 10_000
"""So many are kept without asking which of them are still needed."""


class Outlines:
    """The outlines of calls, by key."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Any]] = {}
        self._most = FEW

    def add(self, key: str, type: NodeType, args: Mapping[str, Any]) -> None:
        """Take a call. Raises ValueError when its arguments cannot go together."""
        if type.outline is None or key in self._known:
            return
        known = {name: self.of(arg) for name, arg in args.items() if arg is not None}
        if any(known.get(name, ...) is None for name in _needed(type.outline)):
            return
        outlines = type.outline(**known)
        if any(outline is not None for outline in outlines):
            self._known[key] = {o.name: outline for o, outline in zip(type.outputs, outlines, strict=True)}

    def prune(self, records: Mapping[str, Record]) -> None:
        """Forget calls that are in no record, once there are twice as many as there were the last time."""
        if len(self._known) > self._most:
            needed = {key for record in records.values() for key in record.calls}
            self._known = {key: outlines for key, outlines in self._known.items() if key in needed}
            self._most = max(FEW, 2 * len(self._known))

    def of(self, arg: Any) -> Any:
        """The outline of an argument, None when nothing is known; of what is no result, itself."""
        if isinstance(arg, Ref):
            return self._known.get(arg.key, {}).get(arg.output)
        return tuple(map(self.of, cast("tuple[Any, ...]", arg))) if has_ref(arg) else arg


@lru_cache
def _needed(outline: Outline) -> tuple[str, ...]:
    """Parameters without which there is nothing to say: those whose type does not have None in it."""
    hints = get_type_hints(outline)
    return tuple(
        name
        for name, parameter in signature(outline).parameters.items()
        if parameter.kind is not Parameter.VAR_KEYWORD and NoneType not in get_args(hints[name])
    )
