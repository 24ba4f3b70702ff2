"""A package of nodes as it lies on disk: modules that declare node types, and files of groups."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from nodegraph.formats import workflow
from nodegraph.graph import GROUP
from nodegraph.group_type import group_type
from nodegraph.registry import Registry, node_types


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
