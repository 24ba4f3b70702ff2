"""Make a group of some nodes, and take one apart again: pure edits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, cast

from nodegraph.builtin import GROUP_INPUT, GROUP_OUTPUT
from nodegraph.editing.group_body import is_wall, uses
from nodegraph.graph import GROUP, Graph, Group, Node, Port, fresh_id, remove_nodes
from nodegraph.node import REQUIRED
from nodegraph.text import quoted

WALL_DISTANCE = 340.0


def make_group(graph: Graph, ids: Collection[str], name: str) -> Graph:
    """Put nodes into a new group of that name, with one instance of it in their place.

    What they took from outside becomes inputs, what others took from them outputs. Raises ValueError when there is
    nothing to group, the name is taken, or a node outside lies between two of them.
    """
    inside = {id: graph.nodes[id] for id in graph.nodes if id in ids}
    if not inside:
        raise ValueError("choose the nodes to group")
    if not name or name in graph.groups:
        raise ValueError(f"there is already a group {quoted(name)}" if name else "a group needs a name")
    between = _between(graph, inside)
    if between:
        raise ValueError(f"{quoted(sorted(between)[0])} lies between the chosen nodes: choose it as well")
    inputs = _sockets((src, dst) for dst, src in graph.links.items() if dst.node in inside and src.node not in inside)
    leaving = [(src, dst) for dst, src in graph.links.items() if src.node in inside and dst.node not in inside]
    alike = Counter(src.socket for src in {src for src, _ in leaving})
    # Two prompts are told apart by what they are for.
    outputs = _sockets((src, dst if alike[src.socket] > 1 else src) for src, dst in leaving)
    instance = fresh_id(remove_nodes(graph, inside), name.lower().replace(" ", "_"))
    group = Group(
        name, _body(graph, inside, inputs, outputs), dict.fromkeys(inputs.values(), REQUIRED), (*outputs.values(),)
    )
    links: dict[Port, Port] = {}
    for dst, src in graph.links.items():
        if dst.node not in inside:
            links[dst] = Port(instance, outputs[src]) if src in outputs else src
        elif src in inputs:
            links[Port(instance, inputs[src])] = src
    return replace(
        graph,
        nodes=_in_place(graph.nodes, inside, {instance: Node(GROUP + name, pos=_middle(inside.values()))}),
        links=links,
        groups={**graph.groups, name: group},
    )


def ungroup(graph: Graph, id: str, group: Group | None = None) -> Graph:
    """Put the body of a group in place of one instance; the group goes when that was the last one in this document.

    group: the definition, when it is not the document's own. Raises ValueError when there is none.
    """
    instance = graph.nodes[id]
    name = instance.type.removeprefix(GROUP)
    group = graph.groups.get(name, group)
    if group is None or not instance.type.startswith(GROUP):
        raise ValueError(f"{quoted(id)} is not a group that can be opened")
    walls = {inner for inner, node in group.graph.nodes.items() if is_wall(node)}
    middle = _middle(group.graph.nodes.values())
    shift = (instance.pos[0] - middle[0], instance.pos[1] - middle[1])
    names: dict[str, str] = {}
    nodes: dict[str, Node] = {}
    others = remove_nodes(graph, {id})
    for inner, node in group.graph.nodes.items():
        if inner not in walls:
            names[inner] = fresh_id(replace(others, nodes={**others.nodes, **nodes}), inner)
            nodes[names[inner]] = replace(node, pos=(node.pos[0] + shift[0], node.pos[1] + shift[1]))
    opened = _Opened(graph, id, group, names, walls)
    nodes = {outer: opened.with_values(inner, nodes[outer]) for inner, outer in names.items()}
    result = replace(graph, nodes=_in_place(graph.nodes, {id}, nodes), links=opened.links())
    if uses(result, instance.type):
        return result
    return replace(result, groups={other: definition for other, definition in graph.groups.items() if other != name})


class _Opened:
    """Where the links of an instance go when its walls are taken away."""

    def __init__(self, graph: Graph, id: str, group: Group, names: Mapping[str, str], walls: set[str]) -> None:
        self.graph, self.id, self.group, self.names, self.walls = graph, id, group, names, walls
        self.exit = next((w for w in walls if group.graph.nodes[w].type == GROUP_OUTPUT), "")

    def source(self, src: Port | None) -> Port | None:
        """A source inside, seen from outside; None where the instance has a plain value, or leads to itself alone."""
        passed: set[Port] = set()
        while src is not None and src.node in self.walls and src not in passed:
            passed.add(src)
            outside = self.graph.links.get(Port(self.id, src.socket))
            if outside is None or outside.node != self.id:
                return outside
            src = self._made_by(outside)  # linked to its own output
        return None if src is None or src.node in self.walls else Port(self.names[src.node], src.socket)

    def _made_by(self, output: Port) -> Port | None:
        """What is linked to this output of the instance, inside."""
        return self.group.graph.links.get(Port(self.exit, output.socket))

    def links(self) -> dict[Port, Port]:
        found: dict[Port, Port | None] = {}
        for dst, src in self.graph.links.items():
            if dst.node != self.id:
                found[dst] = self.source(self._made_by(src)) if src.node == self.id else src
        for dst, src in self.group.graph.links.items():
            if dst.node not in self.walls:
                found[Port(self.names[dst.node], dst.socket)] = self.source(src)
        return {dst: src for dst, src in found.items() if src}

    def with_values(self, inner: str, node: Node) -> Node:
        """The node with the plain values that the instance gave it."""
        values: dict[str, Any] = {}
        params = self.graph.nodes[self.id].params
        for dst, src in self.group.graph.links.items():
            if dst.node == inner and src.node in self.walls and not self.source(src):
                value = params.get(src.socket, self.group.inputs.get(src.socket, REQUIRED))
                if value is not REQUIRED:
                    values[dst.socket] = value
        return replace(node, params={**node.params, **values}) if values else node


def _between(graph: Graph, inside: Mapping[str, Node]) -> set[str]:
    """Nodes outside on a way from inside to inside."""
    import networkx

    nx = cast(Any, networkx)  # its functions are typed in part
    links = nx.DiGraph()
    links.add_node("")  # stands for all of them: no node has an empty id
    for dst, src in graph.links.items():
        links.add_edge("" if src.node in inside else src.node, "" if dst.node in inside else dst.node)
    return nx.descendants(links, "") & nx.ancestors(links, "") - {""}


def _sockets(ports: Iterable[tuple[Port, Port]]) -> dict[Port, str]:
    """A socket for each source, named after the inner socket, no two alike."""
    names: dict[Port, str] = {}
    for source, named_after in ports:
        if source not in names:
            taken = Graph(dict.fromkeys(names.values(), Node("")))
            names[source] = fresh_id(taken, named_after.socket)
    return names


def _body(graph: Graph, inside: Mapping[str, Node], inputs: Mapping[Port, str], outputs: Mapping[Port, str]) -> Graph:
    body = Graph(dict(inside))
    left = min(node.pos[0] for node in inside.values()) - WALL_DISTANCE
    right = max(node.pos[0] for node in inside.values()) + WALL_DISTANCE
    middle = _middle(inside.values())[1]
    entry, exit = fresh_id(body, "input"), fresh_id(body, "output")
    links = {dst: src for dst, src in graph.links.items() if dst.node in inside and src.node in inside}
    links |= {dst: Port(entry, inputs[src]) for dst, src in graph.links.items() if dst.node in inside and src in inputs}
    links |= {Port(exit, name): src for src, name in outputs.items()}
    walls = {entry: Node(GROUP_INPUT, pos=(left, middle)), exit: Node(GROUP_OUTPUT, pos=(right, middle))}
    return Graph({**inside, **walls}, links)


def _in_place(nodes: Mapping[str, Node], old: Collection[str], new: Mapping[str, Node]) -> dict[str, Node]:
    """The nodes with `new` where the first of `old` was."""
    result: dict[str, Node] = {}
    for id, node in nodes.items():
        if id not in old:
            result[id] = node
        elif new.keys().isdisjoint(result):
            result.update(new)
    return result


def _middle(nodes: Iterable[Node]) -> tuple[float, float]:
    """Of their corners."""
    xs, ys = zip(*(node.pos for node in nodes), strict=True)
    return (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
