"""The graph that the canvas shows: the document's own, or the body of one of its groups."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from PySide6.QtCore import QObject, Signal

from nodegraph import graph as edits
from nodegraph.builtin import REROUTE, VARIABLE_GET, VARIABLE_SET
from nodegraph.editing.group_body import inside, is_wall, wall_type, with_inside
from nodegraph.graph import GROUP, Diff, Graph, Group, Node, Port, diff
from nodegraph.node import REQUIRED, Input, NodeType, Output
from nodegraph.registry import Registry
from ui.documents.document import Document, guessed_type
from ui.widgets.offers import Offering

Measure = Callable[[str, str, Callable[[str], object]], object]
"""Asks how long a text is for whoever reads it: of a node, as the engine calls it, and a text; told a moment later."""


def _unmeasured(node: str, text: str, then: Callable[[str], object]) -> None:
    """Nobody can tell."""


class Place(NamedTuple):
    """A graph of a document, how one comes to it, and what was entered, for people: the document first."""

    path: tuple[str, ...]
    titles: tuple[str, ...]
    graph: Graph


class Scope(QObject):
    """A document seen from inside one of its groups. Reads and edits like a document; the document stays whole.

    path: the instances of groups that were entered, outermost first; empty at the top.
    """

    changing = Signal()  # another graph, or another version of it, is about to be shown
    changed = Signal(object)  # Diff of the graph that is shown; everything goes and comes when another is
    moved = Signal()  # into a group or out of it; `changed` came before

    def __init__(self, document: Document, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.document = document
        self.measure: Measure = _unmeasured
        self.path: tuple[str, ...] = ()
        self.graph = document.graph
        self._groups: tuple[Group, ...] = ()  # one for each step of the path
        self._shared = document.graph.groups
        document.changed.connect(self._follow)

    @property
    def registry(self) -> Registry:
        return self.document.registry

    @property
    def prefix(self) -> str:
        """What the engine's node ids of this graph begin with: "denoise/" inside the group's node "denoise"."""
        return "".join(f"{id}/" for id in self.path)

    @property
    def titles(self) -> tuple[str, ...]:
        """What was entered, for people: the document first."""
        return (self.document.name, *(group.name for group in self._groups))

    @property
    def group(self) -> Group | None:
        """The definition of the group that is shown; None at the top."""
        return self._groups[-1] if self._groups else None

    def offers_for(self, node: str, spec: Input) -> Offering | None:
        """See `Document.offers_for`."""
        return self.document.offers_for(self.prefix + node, spec)

    # Moving -------------------------------------------------------------------------------------------

    def can_enter(self, id: str) -> bool:
        node = self.graph.nodes.get(id)
        type = self.document.declared(node.type) if node else None
        return type is not None and type.group is not None

    def enter(self, id: str) -> None:
        """Show the body of a group. Raises ValueError when the node is not a group that can be opened."""
        if not self.can_enter(id):
            raise ValueError(f"{id!r} is not a group that can be opened")
        self._go((*self.path, id))

    def leave(self, depth: int | None = None) -> None:
        """Go out by one step, or to that depth of the path; 0 is the document itself."""
        depth = len(self.path) - 1 if depth is None else depth
        if 0 <= depth < len(self.path):
            self._go(self.path[:depth])

    def show(self, path: tuple[str, ...]) -> None:
        """Show what is inside these instances, each inside the one before; as far as they are there."""
        if path != self.path:
            self._go(path)

    def _go(self, path: tuple[str, ...]) -> None:
        self.changing.emit()
        before = self.graph
        self.path, self._groups, self.graph = self._walk(path)
        self.changed.emit(replace(diff(before, Graph()), **_arrivals(self.graph)))
        self.moved.emit()

    def _walk(self, path: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[Group, ...], Graph]:
        """How far the path leads in the document as it is now, and what is there."""
        graph, groups = self.document.graph, list[Group]()
        for id in path:
            node = graph.nodes.get(id)
            type = self.document.declared(node.type) if node else None
            if type is None or type.group is None:
                break
            groups.append(type.group)
            graph = inside(self.document.graph, type.group)
        return path[: len(groups)], tuple(groups), graph

    def _follow(self, change: Diff) -> None:
        path, groups, graph = self._walk(self.path)
        if path != self.path:
            self._go(path)
            return
        self.changing.emit()
        before, self.graph, self._groups = self.graph, graph, groups
        change = diff(before, graph) if path else change
        if self._shared is not self.document.graph.groups:
            self._shared = self.document.graph.groups
            # The sockets of an instance are those of its definition.
            touched = (id for id, node in graph.nodes.items() if node.type.startswith(GROUP) or is_wall(node))
            changed = dict.fromkeys((*change.changed, *(id for id in touched if id not in change.added)))
            change = replace(change, changed=tuple(changed))
        self.changed.emit(change)

    def everywhere(self) -> Iterator[Place]:
        """The graph that is shown, and then each other of the document once, from the outside in."""
        shown = self._groups[-1].name if self._groups else ""
        yield Place(self.path, self.titles, self.graph)
        seen, todo = {shown}, deque([("", Place((), (self.document.name,), self.document.graph))])
        while todo:
            name, place = todo.popleft()
            if name != shown:
                yield place
            for id, node in place.graph.nodes.items():
                type = self.document.declared(node.type) if node.type.startswith(GROUP) else None
                if type is not None and type.group is not None and type.group.name not in seen:
                    seen.add(type.group.name)
                    body = inside(self.document.graph, type.group)
                    within = Place((*place.path, id), (*place.titles, type.group.name), body)
                    todo.append((type.group.name, within))

    # As a document ------------------------------------------------------------------------------------

    def edit(self, text: str, change: Callable[..., Graph], *args: Any, merge: Hashable | None = None) -> None:
        """Apply a pure edit to the graph that is shown, as one undo step of the document."""

        def whole(graph: Graph) -> Graph:
            if not self.path:
                return change(graph, *args)
            return with_inside(graph, self._groups[-1], change(self.graph, *args), self._value_at)

        self.document.edit(text, whole, merge=merge)

    def set_param(self, node: str, name: str, value: Any, *, merge: Hashable | None = None) -> None:
        text = f"Set {name.replace('_', ' ')} of {self.title_of(node)}"
        meant = self.document.meant(self.type_of(node), name, value)
        self.edit(text, edits.set_param, node, name, meant, merge=merge)

    def meant(self, type: NodeType, name: str, value: Any) -> Any:
        return self.document.meant(type, name, value)

    def known(self, id: str) -> bool:
        """Whether the node's type is installed."""
        return self.document.declared(self.graph.nodes[id].type) is not None

    def declared(self, type: str) -> NodeType | None:
        return self.document.declared(type)

    def type_of(self, id: str) -> NodeType:
        """The node's type; the walls of a group have its sockets."""
        node = self.graph.nodes[id]
        type = self.document.declared(node.type) or guessed_type(self.graph, id)
        if self.path and is_wall(node):
            outside = self.document.declared(GROUP + self._groups[-1].name)
            return wall_type(type, outside) if outside else type
        return type

    def title_of(self, id: str) -> str:
        """What people call the node."""
        return self.graph.nodes[id].title or self.type_of(id).title

    def input(self, port: Port) -> Input | None:
        return self.type_of(port.node).input(port.socket)

    def output(self, port: Port) -> Output | None:
        """A reroute and a variable have the type of what they pass on."""
        found = self.type_of(port.node).output(port.socket)
        return replace(found, type=self._carried(port)) if found is not None and found.type is Any else found

    def _carried(self, port: Port) -> Any:
        seen: set[Port] = set()
        while port not in seen:
            seen.add(port)
            node = self.graph.nodes[port.node]
            if node.type not in (REROUTE, VARIABLE_GET):
                found = self.type_of(port.node).output(port.socket)
                return found.type if found else Any
            passer = port.node if node.type == REROUTE else self._setter(node)
            source = self.graph.links.get(Port(passer, "value"))
            if source is None:
                return Any
            port = source
        return Any

    def _setter(self, getter: Node) -> str:
        """The node that sets the variable; empty when there is none."""
        name = getter.params.get("name", "")
        nodes = self.graph.nodes.items()
        return next((id for id, n in nodes if n.type == VARIABLE_SET and n.params.get("name", "") == name), "")

    def _value_at(self, port: Port) -> Any:
        spec = self.input(port) if port.node in self.graph.nodes else None
        default = spec.default if spec else REQUIRED
        return self.graph.nodes[port.node].params.get(port.socket, default) if spec else default


def _arrivals(graph: Graph) -> dict[str, tuple[Any, ...]]:
    return {"added": tuple(graph.nodes), "linked": tuple(graph.links)}
