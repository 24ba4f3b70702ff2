"""Files that lie beside a workflow: its file names them from its own folder, so that both can go elsewhere together.

Only there: a graph that is open names them whole, so whatever is done to it (saved elsewhere, undone, copied into
another document, queued, put into a picture) means the same files.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from nodegraph.graph import GROUP, Graph, Group, Node
from nodegraph.group_type import document_types
from nodegraph.node import NodeType
from nodegraph.planning.fingerprints import locate

Types = Mapping[str, NodeType]
MARKS = ("./", "../")
"""What paths that lead from the workflow's folder begin with. Others lead from the working folder or the program's."""


def opened(graph: Graph, registry: Types, folder: Path) -> Graph:
    """The graph of a file in this folder as it is while it is open; the same one where nothing is different."""
    return _changed(graph, registry, lambda path: whole(path, folder))


def filed(graph: Graph, registry: Types, folder: Path) -> Graph:
    """The graph as a file in this folder has it; the same one where nothing is different.

    A workflow in the home folder, or above it, has all of a person's files beside it and takes none of them along.
    """
    folder = folder.absolute()
    return graph if Path.home().is_relative_to(folder) else _changed(graph, registry, lambda path: told(path, folder))


def paths(graph: Graph, registry: Types) -> list[str]:
    """Those of all files that nodes read."""
    found: list[str] = []
    _changed(graph, registry, lambda path: found.append(path) or path)
    return found


def renamed(graph: Graph, registry: Types, names: Mapping[str, str]) -> Graph:
    """Where files have other names now."""
    return _changed(graph, registry, lambda path: names.get(path, path))


def whole(path: str, folder: Path) -> str:
    """A path that a file in this folder holds, in full where it leads from there.

    One without a mark keeps what it has always meant, as long as there is such a file.
    """
    if not path or path.startswith("~") or PurePath(path).is_absolute():
        return path
    place = os.path.normpath(folder.absolute() / path)
    if path.replace("\\", "/").startswith(MARKS):
        return place
    return place if locate(path) is None and os.path.exists(place) else path


def told(path: str, folder: Path) -> str:
    """What a file in this folder, which is whole, says for a path: "./pictures/cat.png" for what lies in the folder or
    further in.
    """
    above = os.path.join(folder, "")
    if not path.startswith(above) or os.path.normpath(path) != path:
        return path
    return f"./{PurePath(path[len(above) :]).as_posix()}"


def _changed(graph: Graph, types: Types, change: Callable[[str], str]) -> Graph:
    """What is not different stays the same object."""
    types = document_types(graph.groups, types) if graph.groups else types
    reading = {name: type for name in {node.type for node in graph.nodes.values()} if (type := types.get(name))}
    reading = {name: type for name, type in reading.items() if type.file_inputs}
    nodes = {id: _node(node, reading[node.type], change) for id, node in graph.nodes.items() if node.type in reading}
    nodes = {id: made for id, made in nodes.items() if made is not graph.nodes[id]}
    groups = {name: made for name, group in graph.groups.items() if (made := _group(group, types, change)) is not group}
    if not nodes and not groups:
        return graph
    return replace(graph, nodes={**graph.nodes, **nodes}, groups={**graph.groups, **groups} if groups else graph.groups)


def _node(node: Node, type: NodeType, change: Callable[[str], str]) -> Node:
    params = _values(type, node.params, change)
    return replace(node, params={**node.params, **params}) if params else node


def _group(group: Group, types: Types, change: Callable[[str], str]) -> Group:
    body = _changed(group.graph, types, change)
    type = types.get(GROUP + group.name)
    inputs = _values(type, group.inputs, change) if type else {}
    if body is group.graph and not inputs:
        return group
    return replace(group, graph=body, inputs={**group.inputs, **inputs})


def _values(type: NodeType, values: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """Those that are different."""
    found = {name: values[name] for name in type.file_inputs if isinstance(values.get(name), str)}
    return {name: made for name, path in found.items() if (made := change(path)) != path}
