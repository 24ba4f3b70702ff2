"""What a workflow needs that does not come with it: files of others, and memory.

    "needs": [{"what": "A large model", "parameter": ["load", "path"], "from": "https://example.org/model",
               "size": 6938078334, "sha256": "31e35c80fc4829d14f90153f4c74cd59c90b779f6afe05a74cd6120b893f7e5b",
               "memory": 8000000000}]

parameter: the node and the one of its parameters that names the file; it stands in the workflow, if only as "". from:
where people find the file, or its address at a hub. size: of the published file. sha256: of its content, in
hexadecimal. memory: that a run takes for it. Sizes are in bytes, and 0 or left out while they are not known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from nodegraph.graph import Graph, Port
from nodegraph.text import quoted

NEEDS = "needs"


@dataclass(frozen=True, slots=True)
class Need:
    """One file. path: what the workflow says; empty while nobody has chosen one."""

    what: str
    parameter: Port
    path: str
    source: str = ""
    size: int = 0
    memory: int = 0
    sha256: str = ""


def needs(graph: Graph) -> tuple[Need, ...]:
    """In the order of the file. Raises ValueError with a sentence that says which entry is wrong."""
    entries = graph.extra.get(NEEDS, ())
    if not isinstance(entries, list | tuple):
        raise ValueError(f"{quoted(NEEDS)} must be a list")
    return tuple(_need(graph, entry, f"{NEEDS}[{place}]") for place, entry in enumerate(cast("list[Any]", entries)))


def _need(graph: Graph, entry: Any, where: str) -> Need:
    if not isinstance(entry, Mapping):
        raise ValueError(f"{where} must be an object")
    values = cast("Mapping[str, Any]", entry)
    what, source = values.get("what"), values.get("from", "")
    if not isinstance(what, str) or not what:
        raise ValueError(f"{where}: 'what' must be text")
    if not isinstance(source, str):
        raise ValueError(f"{where}: 'from' must be text")
    sha256 = values.get("sha256", "")
    if not (isinstance(sha256, str) and re.fullmatch(r"([0-9a-fA-F]{64})?", sha256)):
        raise ValueError(f"{where}: 'sha256' must be 64 hexadecimal digits, got {quoted(sha256)}")
    port, path = _parameter(graph, values.get("parameter"), where)
    size, memory = (_count(values, name, where) for name in ("size", "memory"))
    return Need(what, port, path, source, size, memory, sha256.lower())


def _parameter(graph: Graph, value: Any, where: str) -> tuple[Port, str]:
    match value:
        case [str() as node, str() as name]:
            pass
        case _:
            raise ValueError(f"{where}: 'parameter' must be [node, parameter]")
    path = graph.nodes[node].params.get(name) if node in graph.nodes else None
    if not isinstance(path, str):
        raise ValueError(f"{where}: the workflow has no text {quoted(name)} of a node {quoted(node)}")
    return Port(node, name), path


def _count(values: Mapping[str, Any], field: str, where: str) -> int:
    value = values.get(field, 0)
    if type(value) is not int or value < 0:
        raise ValueError(f"{where}: {quoted(field)} must be a number of bytes, got {quoted(value)}")
    return value
