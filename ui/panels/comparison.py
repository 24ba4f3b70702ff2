"""In what two results differ, as a list for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem, QWidget

from nodegraph.editing.compare import Difference, counterparts, differences, with_names
from nodegraph.graph import GROUP, Graph, Node, Port
from nodegraph.group_type import document_types
from nodegraph.node import Input, NodeType
from nodegraph.reach import leading_to
from nodegraph.registry import Registry
from ui.base.text import label, shortened, value_text
from ui.base.theme import scaled
from ui.runs.results import Result

ROWS = 4  # shown without scrolling
ROW = 26  # height in pixels, before the user's scale
NONE = "—"
Row = tuple[str, str, str]
"""What differs, and what it is in A and in B."""


class Comparison(QTreeWidget):
    """A row for each parameter, link or node that differs, with what it is in A and in B."""

    def __init__(self, registry: Registry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.registry = registry
        self.found: list[Row] = []
        self.setColumnCount(3)
        self.setHeaderLabels(["What differs", "A", "B"])
        self.setRootIsDecorated(False)
        self.setAccessibleName("What differs between A and B")
        self.header().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.header().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)

    @property
    def marks(self) -> tuple[str, str]:
        """The first setting that both have and that differs, such as "seed 5" and "seed 0"; empty without one."""
        for name, a, b in self.found:
            if ": " in name and NONE not in (a, b):
                parameter = name.rpartition(": ")[2]
                return f"{parameter} {shortened(a)}", f"{parameter} {shortened(b)}"
        return "", ""

    def show_results(self, a: Result, b: Result) -> None:
        self.clear()
        found = self.found = rows(a, b, self.registry)
        for row in found or [("Nothing: the same settings", "", "")]:
            item = QTreeWidgetItem(self, row)
            for column, text in enumerate(row):
                item.setToolTip(column, text)
        self.setFixedHeight(scaled(ROW) * (min(max(len(found), 1), ROWS) + 1) + 6)


def rows(a: Result, b: Result, registry: Registry) -> list[Row]:
    """What differs between two results, and what it is in each; nothing when they have the same settings."""
    before, after = leading_to(a.graph, a.node), leading_to(b.graph, b.node)
    names = counterparts(before, after)
    before = with_names(before, names)
    sides = _Words(before, registry), _Words(after, registry)
    found: list[Row] = []
    if (shown := names.get(a.node, a.node)) != b.node:
        found.append(("Picture of", sides[0].title(shown), sides[1].title(b.node)))
    for difference in differences(before, after, registry):
        known = sides[1] if sides[1].node(difference.node) else sides[0]
        name = known.title(difference.node)
        if difference.name:
            name = f"{name}: {label(difference.name).lower()}"
        old, new = sides[0].value(difference, difference.before), sides[1].value(difference, difference.after)
        found.append((name, old, new))
    return found


class _Words:
    """How people call what is in one graph. Nodes by the id that a Difference has, such as "Denoise/step"."""

    def __init__(self, graph: Graph, registry: Mapping[str, NodeType]) -> None:
        self.graph, self.types = graph, document_types(graph.groups, registry)

    def node(self, id: str) -> Node | None:
        group, _, inner = id.rpartition("/")
        type = self.types.get(GROUP + group)
        graph = type.group.graph if type and type.group else self.graph
        return graph.nodes.get(inner)

    def title(self, id: str) -> str:
        """ "Denoise › U-Net step"."""
        group, node = id.rpartition("/")[0], self.node(id)
        if node is None:
            return id
        type = self.types.get(node.type)
        title = node.title or (type.title if type else node.type)
        return f"{group} › {title}" if group else title

    def value(self, difference: Difference, value: Any) -> str:
        match value:
            case Port():
                inside = difference.node[: difference.node.rfind("/") + 1]
                return f"from {self.title(inside + value.node)}, {label(value.socket).lower()}"
            case Node() as node:
                type = self.types.get(node.type)
                return type.title if type else node.type
            case None:
                return "not there" if difference.name is None else NONE
            case _:
                spec = self._input(difference)
                return value_text(spec, value) if spec else str(value)

    def _input(self, difference: Difference) -> Input | None:
        node = self.node(difference.node)
        type = self.types.get(node.type) if node else None
        return type.input(difference.name) if type and difference.name else None
