"""The node types known to this process."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from nodegraph.domain import Domain
from nodegraph.node import NodeType


class Registry(dict[str, NodeType]):
    """Node types by id. domain: what they are for."""

    def __init__(self, types: Mapping[str, NodeType] | None = None, domain: Domain | None = None) -> None:
        super().__init__(types or {})
        self.domain = domain or Domain()


def node_types(module: ModuleType) -> list[NodeType]:
    """The node types that this module itself declares."""
    own = (v for v in vars(module).values() if getattr(v, "__module__", None) == module.__name__)
    return [v.node_type for v in own if hasattr(v, "node_type")]
