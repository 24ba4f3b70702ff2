"""Which calls a run has to make, and which results are there already."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, NamedTuple

from nodegraph.node import NodeType
from nodegraph.planning.keys import Ref, refs
from nodegraph.planning.plan import Call, Plan
from nodegraph.running.cache import Cache
from nodegraph.types import accepts, type_of


class Missing(NamedTuple):
    """What is missing for some results.

    order: the calls to run, each after what it takes. found: the cached results where the search ended, by their keys.
    takes: by the keys of the calls to run, what they take. absent: the keys of what is made on request alone.
    """

    order: list[Call]
    found: dict[str, tuple[Any, ...]]
    takes: dict[str, list[Ref]]
    absent: set[str]


def missing(plan: Plan, roots: Iterable[str], cache: Cache, effects: bool) -> Missing:
    """What to do for these results. effects: whether what is made on request is, see `nodegraph.running.messages.Run`.

    An entry of the cache that is damaged is forgotten.
    """
    made = Missing([], {}, {}, set())
    order, found, takes, absent = made
    done: set[str] = set()
    stack, calls = list(reversed(list(roots))), plan.calls
    while stack:
        key = stack.pop()
        if key in done:
            continue
        call = calls[key]
        if key not in takes:
            if (values := _kept(call, cache)) is not None:
                found[key] = values
                done.add(key)
                continue
            if call.type.on_request and not effects:
                absent.add(key)
                done.add(key)
                continue
            takes[key] = taken = _refs(call)
            if taken and not done.issuperset(lacking := [ref[0] for ref in taken]):
                stack.append(key)
                stack += lacking
                continue
        order.append(call)
        done.add(key)
    return made


def num_needed(plan: Plan, roots: Iterable[str]) -> int:
    """How many results these take: fewer than are planned where a problem is in the way of one."""
    todo = list(roots)
    seen = set(todo)
    while todo:
        fresh = {ref.key for ref in _refs(plan.calls[todo.pop()])} - seen
        seen |= fresh
        todo += fresh
    return sum(1 for key in seen if plan.calls[key].type.outputs)


def _kept(call: Call, cache: Cache) -> tuple[Any, ...] | None:
    """The outputs of a call when the cache has them; not when a file that they name is gone.

    Another type is a damaged entry.
    """
    values = cache.get(call.key)
    if values is None:
        return None
    if not _fit(values, call.type):
        cache.forget(call.key)
        return None
    named = zip(call.type.outputs, values, strict=True)
    return None if any(output.file and not os.path.exists(path) for output, path in named) else values


def _fit(values: tuple[Any, ...], type: NodeType) -> bool:
    pairs = zip(type.outputs, values, strict=False)
    return len(values) == len(type.outputs) and all(accepts(out.type, type_of(value)) for out, value in pairs)


def _refs(call: Call) -> list[Ref]:
    """The results of other calls that a call takes."""
    found: list[Ref] = []
    for name in call.takes:
        found += refs(call.args[name])
    return found
