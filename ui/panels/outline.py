"""The graph as a tree of words, for the keyboard and screen readers: nodes, their sockets and where they lead."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QLineEdit, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from nodegraph.graph import Diff
from ui.documents.scope import Scope
from ui.runs.describe import input_text, output_text, state
from ui.runs.run_state import RunState
from ui.widgets.seen import WhenSeen

NODE = Qt.ItemDataRole.UserRole


class Outline(QWidget):
    """Follows the graph that is shown. The sockets of a node are written when it is opened."""

    chosen = Signal(str)  # node id, as the engine calls it: bring it into view

    def __init__(self, scope: Scope, runs: RunState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.scope, self.runs = scope, runs
        self.items: dict[str, QTreeWidgetItem] = {}
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
        self.search.textChanged.connect(self._filter)
        self.tree.itemExpanded.connect(self._open)
        self.tree.currentItemChanged.connect(self._choose)
        self._outdated: set[str] = set()  # nodes of which a run says something else now
        self._to_name = WhenSeen(self, self._show_runs)
        scope.changed.connect(self._apply)
        runs.changed.connect(self._run_changed)
        for id in scope.graph.nodes:
            self._write(id)

    def select(self, ids: tuple[str, ...]) -> None:
        """Show which node is selected on the canvas."""
        item = self.items.get(ids[0]) if len(ids) == 1 else None
        with QSignalBlocker(self.tree):
            current = self.tree.currentItem()
            if item is not None and (current is None or self._top(current) is not item):
                self.tree.setCurrentItem(item)

    def _apply(self, change: Diff) -> None:
        with QSignalBlocker(self.tree):  # a row that goes hands the current place on; nobody chose that node
            for id in change.removed:
                item = self.items.pop(id, None)
                if item is not None:
                    self.tree.takeTopLevelItem(self.tree.indexOfTopLevelItem(item))
        graph = self.scope.graph
        ends = {dst.node for dst in (*change.linked, *change.unlinked)}
        ends |= {graph.links[dst].node for dst in change.linked}
        for id in dict.fromkeys((*change.added, *change.changed, *ends)):
            if id in graph.nodes:
                self._write(id)
        # An output whose link went says so only when it is written again.
        for id, item in self.items.items():
            if change.unlinked and item.isExpanded():
                self._write(id)

    def _write(self, id: str) -> None:
        item = self.items.get(id)
        if item is None:
            item = self.items[id] = QTreeWidgetItem(self.tree)
            item.setData(0, NODE, id)
            item.setChildIndicatorPolicy(QTreeWidgetItem.ChildIndicatorPolicy.ShowIndicator)
        self._name(id, item)
        if item.isExpanded():
            self._open(item)

    def _name(self, id: str, item: QTreeWidgetItem) -> None:
        words = state(self.runs.of(self.scope.prefix + id), self.scope.graph.nodes[id].mode)
        item.setText(0, ", ".join(filter(None, (self.scope.title_of(id), words))))
        item.setToolTip(0, f"{self.scope.type_of(id).id}  ·  {id}")

    def _open(self, item: QTreeWidgetItem) -> None:
        id = item.data(0, NODE)
        if id is None:
            return
        item.takeChildren()
        type = self.scope.type_of(id)
        lines = [f"In · {input_text(self.scope, id, spec)}" for spec in type.inputs]
        lines += [f"Out · {output_text(self.scope, id, output)}" for output in type.outputs]
        for line in lines:
            QTreeWidgetItem(item, [line])

    def _choose(self, item: QTreeWidgetItem | None) -> None:
        if item is not None:
            self.chosen.emit(self.scope.prefix + self._top(item).data(0, NODE))

    def _top(self, item: QTreeWidgetItem) -> QTreeWidgetItem:
        return item.parent() or item

    def _run_changed(self, engine_id: str) -> None:
        self._outdated.add(engine_id.removeprefix(self.scope.prefix))
        self._to_name.ask()

    def _show_runs(self) -> None:
        for id in self._outdated & self.items.keys():
            self._name(id, self.items[id])
        self._outdated.clear()

    def _filter(self, text: str) -> None:
        wanted = text.casefold().split()
        for id, item in self.items.items():
            names = f"{item.text(0)} {id} {self.scope.type_of(id).id}".casefold()
            item.setHidden(not all(word in names for word in wanted))
