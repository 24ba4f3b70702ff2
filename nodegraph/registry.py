"""The node types known to this process."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType

from nodegraph.formats import workflow
from nodegraph.node import NodeType
from nodegraph.planning.expand import GROUP
from nodegraph.planning.group_type import group_type

Registry = dict[str, NodeType]


def discover(package: str) -> Registry:
    """Import the top modules of `package` and collect the node types they declare, with the built-in ones.

    The files in its folder `groups` are workflows whose groups become node types "group:NAME".
    Raises ValueError when two declare the same id, or when such a file cannot be read.
    """
    found: Registry = {}
    root = importlib.import_module(package)
    names = [f"{package}.{m.name}" for m in pkgutil.iter_modules(root.__path__) if not m.ispkg]
    for module in (importlib.import_module(name) for name in ("nodegraph.builtin", *names)):
        for declared in node_types(module):
            if declared.id in found:
                raise ValueError(f"node type {declared.id!r} is declared twice")
            found[declared.id] = declared
    for folder in root.__path__:
        for path in sorted(Path(folder, "groups").glob("*.json")):
            for group in workflow.load(path).groups.values():
                found[GROUP + group.name] = group_type(group, found.get)
    return found


def node_types(module: ModuleType) -> list[NodeType]:
    """The node types that this module itself declares."""
    own = (v for v in vars(module).values() if getattr(v, "__module__", None) == module.__name__)
    return [v.node_type for v in own if hasattr(v, "node_type")]
