"""Nodes as text: what the clipboard holds. The text is a workflow file of its own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from nodegraph.editing.group_body import is_wall
from nodegraph.formats import workflow
from nodegraph.graph import GROUP, Graph, Group, Node, Port, fresh_id
from nodegraph.pieces import Pieces, finish


def copy(graph: Graph, ids: Collection[str]) -> str:
    """The nodes, the links between them and the groups they need, as the text of a workflow.

    The walls of a group stay where they are. Raises ValueError when no node is left to copy.
    """
    return finish(copying(graph, ids))


def copying(graph: Graph, ids: Collection[str]) -> Pieces[str]:
    """The same in pieces."""
    nodes = {id: node for id, node in graph.nodes.items() if id in ids and not is_wall(node)}
    if not nodes:
        raise ValueError("choose the nodes to copy")
    links = {dst: src for dst, src in graph.links.items() if dst.node in nodes and src.node in nodes}
    yield
    return (yield from workflow.dumping(Graph(nodes, links, _needed(graph.groups, nodes.values()))))


def _needed(groups: Mapping[str, Group], nodes: Iterable[Node]) -> dict[str, Group]:
    """The definitions that these nodes are instances of, and those inside them."""
    found: dict[str, Group] = {}
    todo = [*nodes]
    while todo:
        group = groups.get(todo.pop().type.removeprefix(GROUP))
        if group is not None and group.name not in found:
            found[group.name] = group
            todo += group.graph.nodes.values()
    return {name: group for name, group in groups.items() if name in found}


def paste(graph: Graph, text: str, at: tuple[float, float]) -> tuple[Graph, tuple[str, ...]]:
    """The graph with the nodes of a workflow's text added, and their ids, in the order of the text.

    at: where the upper left corner of them goes. Ids that are taken are replaced, and so are the names of groups that
    mean something else here. Raises ValueError when the text is no workflow.
    """
    return insert(graph, workflow.loads(text, "the clipboard"), at)


def insert(graph: Graph, clip: Graph, at: tuple[float, float]) -> tuple[Graph, tuple[str, ...]]:
    """`paste`, for a graph that is at hand."""
    clip = _with_free_groups(clip, graph.groups)
    nodes = {id: node for id, node in clip.nodes.items() if not is_wall(node)}
    if not nodes:
        return graph, ()
    left, top = min(node.pos[0] for node in nodes.values()), min(node.pos[1] for node in nodes.values())
    by = (at[0] - left, at[1] - top)
    moved = {id: replace(node, pos=(node.pos[0] + by[0], node.pos[1] + by[1])) for id, node in nodes.items()}
    after, names = _added(graph, moved, clip.links)
    known = clip.groups.keys() <= graph.groups.keys()  # the same mapping says to views that groups are as they were
    return replace(after, groups=graph.groups if known else {**clip.groups, **graph.groups}), tuple(names.values())


def duplicate(graph: Graph, ids: Collection[str], by: tuple[float, float]) -> tuple[Graph, dict[str, str]]:
    """The graph with a second one of each node, moved by that, linked to each other as the first are.

    Returned with it: the id of the copy of each node.
    """
    nodes = {id: node for id, node in graph.nodes.items() if id in ids and not is_wall(node)}
    moved = {id: replace(node, pos=(node.pos[0] + by[0], node.pos[1] + by[1])) for id, node in nodes.items()}
    return _added(graph, moved, graph.links)


def link_like(graph: Graph, copies: Mapping[str, str]) -> Graph:
    """Give each copy the sources outside that its original has. copies: as `duplicate` returned them."""
    links = {
        Port(copies[dst.node], dst.socket): src
        for dst, src in graph.links.items()
        if dst.node in copies and src.node not in copies
    }
    return replace(graph, links={**graph.links, **links})


def _added(graph: Graph, nodes: Mapping[str, Node], links: Mapping[Port, Port]) -> tuple[Graph, dict[str, str]]:
    """The graph with these nodes under free ids, and those of the links that are between them."""
    all, names = dict(graph.nodes), dict[str, str]()
    for id, node in nodes.items():
        names[id] = fresh_id(Graph(all), id)
        all[names[id]] = node
    inner = {
        Port(names[dst.node], dst.socket): Port(names[src.node], src.socket)
        for dst, src in links.items()
        if dst.node in names and src.node in names
    }
    return replace(graph, nodes=all, links={**graph.links, **inner}), names


def _with_free_groups(clip: Graph, taken: Mapping[str, Group]) -> Graph:
    """The clip with other names for its groups where the document has another group of that name."""
    names: dict[str, str] = {}
    for name, group in clip.groups.items():
        if taken.get(name, group) != group:
            used = {*taken, *clip.groups, *names.values()}
            names[name] = fresh_id(Graph(dict.fromkeys(used, Node(""))), name)
    if not names:
        return clip
    groups = {
        names.get(name, name): replace(group, name=names.get(name, name), graph=_renamed(group.graph, names))
        for name, group in clip.groups.items()
    }
    return replace(_renamed(clip, names), groups=groups)


def _renamed(graph: Graph, names: Mapping[str, str]) -> Graph:
    """The graph with the instances of these groups under the groups' new names."""
    types = {GROUP + old: GROUP + new for old, new in names.items()}
    return replace(graph, nodes={id: replace(n, type=types.get(n.type, n.type)) for id, n in graph.nodes.items()})
