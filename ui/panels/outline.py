"""The graph as a tree of words, for the keyboard and screen readers: nodes, their sockets and where they lead."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QLineEdit, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from nodegraph.graph import Diff
from nodegraph.pieces import Pieces, in_parts
from ui.base.slices import Slices
from ui.documents.scope import Scope
from ui.runs.describe import input_text, output_text, state
from ui.runs.run_state import RunState

SOME = 100  # rows that are made, or searched, in one piece
MANY = 300
"""Nodes that go at once, from which on all rows are made anew: to take one out costs a walk along all."""


class Row(QTreeWidgetItem):
    """A node, of which is said how it is now whenever the row is painted or read."""

    def __init__(self, id: str, scope: Scope, runs: RunState) -> None:
        super().__init__()
        self.id, self._scope, self._runs = id, scope, runs
        self.setChildIndicatorPolicy(QTreeWidgetItem.ChildIndicatorPolicy.ShowIndicator)

    def data(self, column: int, role: int) -> Any:
        node = self._scope.graph.nodes.get(self.id)
        if node is None:
            return None  # the row is about to go
        match role:
            case Qt.ItemDataRole.DisplayRole:
                words = state(self._runs.of(self._scope.prefix + self.id), node.mode)
                return ", ".join(filter(None, (self._scope.title_of(self.id), words)))
            case Qt.ItemDataRole.ToolTipRole:
                return f"{self._scope.type_of(self.id).id}  ·  {self.id}"
            case _:
                return super().data(column, role)

    def has(self, words: list[str]) -> bool:
        """Whether it is one that these words, in lower case, are looking for."""
        names = f"{self.text(0)} {self.id} {self._scope.type_of(self.id).id}".casefold() if words else ""
        return all(word in names for word in words)


class Outline(QWidget):
    """Follows the graph that is shown. The sockets of a node are written when it is opened.

    Of very many nodes the first are there at once, and the others, or what a search finds among them, come in pieces.
    """

    chosen = Signal(str)  # node id, as the engine calls it: bring it into view

    def __init__(self, scope: Scope, runs: RunState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.scope, self.runs = scope, runs
        self.items: dict[str, Row] = {}
        self._opened: set[str] = set()  # nodes whose sockets are shown
        self._narrowed = False  # whether a search may have hidden rows
        self._selected = ""  # the only node that is selected on the canvas, if there is one
        self.search = QLineEdit(placeholderText="Find a node", clearButtonEnabled=True)
        self.search.setAccessibleName("Find a node")
        self.tree = QTreeWidget()
        self.tree.setHeaderHidden(True)
        self.tree.setAccessibleName("Outline of the graph")
        self.tree.setUniformRowHeights(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 8)
        column.addWidget(self.search)
        column.addWidget(self.tree)
        self.setFocusProxy(self.tree)
        self._rows = Slices(self)
        self.search.textChanged.connect(self._list)
        self.tree.itemExpanded.connect(self._open)
        self.tree.itemCollapsed.connect(lambda item: self._opened.discard(_top(item).id))
        self.tree.currentItemChanged.connect(self._choose)
        scope.changed.connect(self._apply)
        runs.changed.connect(lambda _: self.tree.viewport().update())
        self._list()

    def select(self, ids: tuple[str, ...]) -> None:
        """Show which node is selected on the canvas."""
        self._selected = ids[0] if len(ids) == 1 else ""
        self._show_selected()

    def _show_selected(self) -> None:
        row, current = self.items.get(self._selected), self.tree.currentItem()
        if row is not None and (current is None or _top(current) is not row):
            with QSignalBlocker(self.tree):
                self.tree.setCurrentItem(row)

    def _list(self) -> None:
        """A row for each node, of which those are seen that the search finds."""
        self._rows.begin(self._listing(self.search.text().casefold().split()))

    def _listing(self, words: list[str]) -> Pieces[None]:
        for ids in in_parts([id for id in self.scope.graph.nodes if id not in self.items], SOME):
            made = {id: Row(id, self.scope, self.runs) for id in ids}
            self.items |= made
            self.tree.addTopLevelItems(list(made.values()))
            yield
        looked_at = list(self.items.values()) if words or self._narrowed else []
        self._narrowed |= bool(words)
        for rows in in_parts(looked_at, SOME):
            for row in rows:
                if row.isHidden() is row.has(words):
                    row.setHidden(not row.isHidden())
            yield
        self._narrowed = bool(words)
        self._show_selected()

    def _apply(self, change: Diff) -> None:
        self._rows.drop()  # rows that it would go on with may go
        with QSignalBlocker(self.tree):  # a row that goes hands the current place on; nobody chose that node
            self._remove([id for id in change.removed if id in self.items])
        self._opened &= self.items.keys()
        for id in self._opened:
            self._write_sockets(self.items[id])
        self.tree.viewport().update()
        self._list()

    def _remove(self, ids: list[str]) -> None:
        if len(ids) > MANY:
            self.items.clear()
            self.tree.clear()
        for id in ids[:MANY] if self.items else ():
            self.tree.takeTopLevelItem(self.tree.indexOfTopLevelItem(self.items.pop(id)))

    def _open(self, item: QTreeWidgetItem) -> None:
        row = _top(item)
        self._opened.add(row.id)
        self._write_sockets(row)

    def _write_sockets(self, row: Row) -> None:
        row.takeChildren()
        type = self.scope.type_of(row.id)
        lines = [f"In · {input_text(self.scope, row.id, spec)}" for spec in type.inputs]
        lines += [f"Out · {output_text(self.scope, row.id, output)}" for output in type.outputs]
        row.addChildren([QTreeWidgetItem([line]) for line in lines])

    def _choose(self, item: QTreeWidgetItem | None) -> None:
        if item is not None:
            self.chosen.emit(self.scope.prefix + _top(item).id)


def _top(item: QTreeWidgetItem) -> Row:
    """The node that it is, or belongs to."""
    top = item.parent() or item
    assert isinstance(top, Row)
    return top
