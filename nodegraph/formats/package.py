"""A package of nodes as it lies on disk: modules that declare node types, and files of groups."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from nodegraph.domain import Domain
from nodegraph.formats import workflow
from nodegraph.graph import GROUP
from nodegraph.group_type import group_type
from nodegraph.registry import Registry, node_types


def discover(package: str) -> Registry:
    """Import the top modules of `package` and collect the node types they declare, with the built-in ones.

    The files in its folder `groups` are workflows whose groups become node types "group:NAME"; what the types are for
    is in its module `domain`, as DOMAIN. Raises ValueError when two declare the same id, or when such a file cannot be
    read.
    """
    root = importlib.import_module(package)
    names = [f"{package}.{m.name}" for m in pkgutil.iter_modules(root.__path__) if not m.ispkg]
    modules = [importlib.import_module(name) for name in ("nodegraph.builtin", *names)]
    domains: list[Domain] = [module.DOMAIN for module in modules if hasattr(module, "DOMAIN")]
    found = Registry(domain=domains[0] if domains else None)
    for module in modules:
        for declared in node_types(module):
            if declared.id in found:
                raise ValueError(f"node type {declared.id!r} is declared twice")
            found[declared.id] = declared
    for folder in root.__path__:
        for path in sorted(Path(folder, "groups").glob("*.json")):
            for group in workflow.load(path).groups.values():
                found[GROUP + group.name] = group_type(group, found.get)
    return found
