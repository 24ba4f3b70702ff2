"""The node types known to this process."""

from __future__ import annotations

from types import ModuleType

from nodegraph.node import NodeType

Registry = dict[str, NodeType]


def node_types(module: ModuleType) -> list[NodeType]:
    """The node types that this module itself declares."""
    own = (v for v in vars(module).values() if getattr(v, "__module__", None) == module.__name__)
    return [v.node_type for v in own if hasattr(v, "node_type")]
