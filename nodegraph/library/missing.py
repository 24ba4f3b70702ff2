"""Files that a workflow names and that are not there: what could be meant, and from where it could come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from nodegraph.domain import Hub, Stock
from nodegraph.formats.needs import NEEDS, Need, needs
from nodegraph.graph import Graph, Port, set_param
from nodegraph.library.entry import Content, Entry
from nodegraph.library.fits import why_not
from nodegraph.library.library import Library
from nodegraph.node import File, TypeOf
from nodegraph.planning.fingerprints import locate

MOST = 20
"""Files of the same family that are offered."""

Reason = Literal["the same file", "the same name", "of the same family", "of the same kind"]
"""Why an entry is offered, the surest first."""


@dataclass(frozen=True, slots=True)
class Candidate:
    entry: Entry
    reason: Reason


@dataclass(frozen=True, slots=True)
class Missing:
    """A parameter whose file is not there. group: the definition that the node is in; "" for the workflow itself.

    path: what the workflow says. file: what the parameter takes. need: what the workflow says of the file; None when it
    says nothing. address: where a hub has it, as the hub is asked for it; "" when the workflow does not say.
    candidates: what could take its place, the likeliest first.
    """

    port: Port
    group: str
    path: str
    file: File
    need: Need | None
    address: str
    candidates: tuple[Candidate, ...]

    @property
    def name(self) -> str:
        """What people call it."""
        what = self.need.what if self.need else ""
        return what or self.path.replace("\\", "/").rpartition("/")[2]


def missing(
    graph: Graph, type_of: TypeOf, stock: Stock, library: Library, families: Mapping[str, str] | None = None
) -> tuple[Missing, ...]:
    """In the order of the workflow. families: by node, of what its file is for, where that is known.

    Raises ValueError when what the workflow says of its needs cannot be read.
    """
    said = {need.parameter: need for need in reversed(needs(graph))}
    return tuple(_missing(graph, "", type_of, stock, library, families or {}, said))


def _missing(
    graph: Graph,
    group: str,
    type_of: TypeOf,
    stock: Stock,
    library: Library,
    families: Mapping[str, str],
    said: Mapping[Port, Need],
) -> Iterator[Missing]:
    for port, path, file in _files(graph, type_of):
        need = None if group else said.get(port)
        if locate(path) is None and (path.strip() or need):
            found = tuple(_candidates(path, file, need, families.get(port.node, ""), stock, library))
            yield Missing(port, group, path, file, need, _address(need, stock.hub), found)
    for name, inner in graph.groups.items():
        yield from _missing(inner.graph, name, type_of, stock, library, {}, {})


def _files(graph: Graph, type_of: TypeOf) -> Iterator[tuple[Port, str, File]]:
    """The parameters that take files of the stock, with what they say."""
    for id, node in graph.nodes.items():
        type = type_of(node.type) if node.mode == "on" else None
        for input in type.inputs if type else ():
            file = input.get(File)
            if file and file.kinds and Port(id, input.name) not in graph.links:
                path = node.params.get(input.name, input.default)
                if isinstance(path, str):
                    yield Port(id, input.name), path, file


def _candidates(
    path: str, file: File, need: Need | None, family: str, stock: Stock, library: Library
) -> Iterator[Candidate]:
    given: set[str] = set()
    for entry, reason in _likely(path, file, need, family, library):
        if entry.path not in given and not why_not(entry, file, stock, family):
            given.add(entry.path)
            yield Candidate(entry, reason)


def _likely(path: str, file: File, need: Need | None, family: str, library: Library) -> Iterator[tuple[Entry, Reason]]:
    if need and need.sha256 and (same := library.by_hash(need.sha256)):
        yield same, "the same file"
    if path.strip():
        named = library.named(path)
        for entry in sorted(named, key=lambda entry: bool(need and need.size) and entry.size != (need and need.size)):
            yield entry, "the same name"
    if family:
        for entry in library.search(kinds=file.kinds, families=[family], limit=MOST):
            yield entry, "of the same family"
    elif not path.strip():
        for entry in library.search(kinds=file.kinds, limit=MOST):
            yield entry, "of the same kind"


def _address(need: Need | None, hub: Hub | None) -> str:
    if need is None or hub is None or not need.source:
        return ""
    try:
        return hub.address(need.source)
    except ValueError:  # a page for people
        return ""


def described(graph: Graph, type_of: TypeOf, contents: Mapping[str, Content]) -> Graph:
    """The same workflow, which says of each file whose content is known what it is, so that others can find it.

    contents: by path. What the workflow says by itself stays, unless it is of another content than the file that is
    chosen now. A file that no hub is known to have is known by its hash alone. Raises ValueError when what the workflow
    says of its needs cannot be read.
    """
    said = {need.parameter: need for need in needs(graph)}
    added: dict[Port, dict[str, Any]] = {}
    for port, path, _ in _files(graph, type_of):
        content = contents.get(path) or contents.get(locate(path) or "")
        named = path == graph.nodes[port.node].params.get(port.socket)
        if content and named and (port not in said or _is_of_another(said[port], content)):
            told = {"what": content.what, "parameter": [*port], "size": content.size, "sha256": content.sha256}
            added[port] = {**told, "from": content.source} if content.source else told
    if not added:
        return graph
    kept = [entry for entry in graph.extra.get(NEEDS, ()) if Port(*entry["parameter"]) not in added]
    return replace(graph, extra={**graph.extra, NEEDS: [*kept, *added.values()]})


def _is_of_another(need: Need, content: Content) -> bool:
    if need.sha256:
        return need.sha256 != content.sha256
    return bool(need.size) and need.size != content.size


def with_files(graph: Graph, chosen: Mapping[tuple[str, Port], str]) -> Graph:
    """The same workflow with other files. chosen: by `Missing.group` and `Missing.port`, the path of each."""
    for (group, port), path in chosen.items():
        if not group:
            graph = set_param(graph, port.node, port.socket, path)
        elif group in graph.groups:
            inner = graph.groups[group]
            changed = replace(inner, graph=set_param(inner.graph, port.node, port.socket, path))
            graph = replace(graph, groups={**graph.groups, group: changed})
    return graph
