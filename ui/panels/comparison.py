"""In what two results differ, as a list for people."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem, QWidget

from nodegraph.compare import Difference, differences
from nodegraph.graph import Graph, Node, Port
from nodegraph.node import REQUIRED
from ui.document import Document
from ui.results import Result
from ui.text import label, value_text
from ui.theme import scaled

ROWS = 6  # shown without scrolling
ROW = 26  # height in pixels, before the user's scale


class Comparison(QTreeWidget):
    """A row for each parameter, link or node that differs, with what it is in A and in B."""

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.document = document
        self.setColumnCount(3)
        self.setHeaderLabels(["What differs", "A", "B"])
        self.setRootIsDecorated(False)
        self.setAccessibleName("What differs between A and B")
        self.header().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.header().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)

    def show_results(self, a: Result, b: Result) -> None:
        self.clear()
        found = differences(a.graph, b.graph, self._default, b.node)
        for difference in found:
            texts = [
                self._name(difference, a.graph, b.graph),
                self._text(difference, difference.before, a.graph),
                self._text(difference, difference.after, b.graph),
            ]
            item = QTreeWidgetItem(self, texts)
            for column, text in enumerate(texts):
                item.setToolTip(column, text)
        if not found:
            QTreeWidgetItem(self, ["Nothing: the same settings", "", ""])
        self.setFixedHeight(scaled(ROW) * (min(max(len(found), 1), ROWS) + 1) + 6)

    def _default(self, node: Node, name: str) -> Any:
        type = self.document.declared(node.type)
        spec = type.input(name) if type else None
        return None if spec is None or spec.default is REQUIRED else spec.default

    def _name(self, difference: Difference, *graphs: Graph) -> str:
        title = next((self._title(graph, difference.node) for graph in reversed(graphs)
                      if difference.node in graph.nodes), difference.node)  # fmt: skip
        return f"{title}: {label(difference.name).lower()}" if difference.name else title

    def _title(self, graph: Graph, id: str) -> str:
        node = graph.nodes[id]
        type = self.document.declared(node.type)
        return node.title or (type.title if type else node.type)

    def _text(self, difference: Difference, value: Any, graph: Graph) -> str:
        match value:
            case Port():
                title = self._title(graph, value.node) if value.node in graph.nodes else value.node
                return f"from {title}, {label(value.socket).lower()}"
            case Node():
                return "there"
            case None:
                return "not there" if difference.name is None else "—"
            case _:
                return self._value_text(difference, value, graph)

    def _value_text(self, difference: Difference, value: Any, graph: Graph) -> str:
        node = graph.nodes.get(difference.node)
        type = self.document.declared(node.type) if node else None
        spec = type.input(difference.name) if type and difference.name else None
        return value_text(spec, value) if spec else str(value)
