"""What a result is called: a digest of everything that decides its bits.

A key covers the node type and its version, what the planner was told of its surroundings, and every
argument: plain values as they are, others by the key of the call that makes them. It does not mention
node ids, titles or positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, NamedTuple, cast

from nodegraph.node import NodeType
from nodegraph.planning.fingerprints import Fingerprint
from nodegraph.types import ListOf


class Ref(NamedTuple):
    """An argument that is an output of another call."""

    key: str
    output: str


def call_key(type: NodeType, args: Mapping[str, Any], environment: str, files: Mapping[str, Fingerprint]) -> str:
    """files: the fingerprints of the arguments that are paths."""
    # A line each; a line break inside a text is escaped by repr, so two lists of arguments never read the same.
    lines = [f"{type.id} {type.version} {environment!r}"]
    for name in sorted(args):
        value = args[name]
        if value.__class__ is Ref:
            lines.append(f"{name}=@{value[0]}.{value[1]}")
        else:
            lines.append(f"{name}={_text(value) if isinstance(value, tuple) else repr(value)}")
    if files:
        lines += [f"{name}:{files[name]!r}" for name in sorted(files)]
    return blake2b("\n".join(lines).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _text(value: Any) -> str:
    if isinstance(value, Ref):
        return f"@{value[0]}.{value[1]}"
    if has_ref(value):
        return f"({', '.join(map(_text, value))},)"
    return repr(value)


def has_ref(value: Any) -> bool:
    """Whether the value, or an element of the list, is made by a call."""
    if not isinstance(value, tuple):
        return False
    return isinstance(value, Ref) or any(map(has_ref, cast("tuple[Any, ...]", value)))


def refs(value: Any) -> tuple[Ref, ...]:
    """The calls' outputs an argument is made of."""
    if isinstance(value, Ref):
        return (value,)
    if isinstance(value, tuple):
        return tuple(r for v in cast("tuple[Any, ...]", value) for r in refs(v))
    return ()


def canonical(tp: Any, value: Any) -> Any:
    """The value as its socket means it: 7 in a number socket is 7.0, so both have one key."""
    if tp is float and isinstance(value, int):
        return float(value)
    if isinstance(tp, ListOf) and isinstance(value, tuple):
        return tuple(canonical(tp.element, v) for v in cast("tuple[Any, ...]", value))
    return value
