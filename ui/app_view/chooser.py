"""Choose what the app view shows, and in which order."""

from __future__ import annotations

from collections import Counter, defaultdict

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QGridLayout,
    QLabel,
    QListWidgetItem,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from nodegraph.formats.app_rows import App, shows_picture
from nodegraph.graph import Port
from ui.base.text import label
from ui.base.theme import dialog_size
from ui.documents.document import Document
from ui.widgets.keeping_dialog import KeepingDialog
from ui.widgets.order_list import OrderList

SHOWN = Qt.ItemDataRole.UserRole
"""Of an item: the Port of its parameter, or the id of the node whose picture it is."""

ON, OFF = Qt.CheckState.Checked, Qt.CheckState.Unchecked


class ChooseDialog(KeepingDialog):
    """Every parameter that can be typed and every node with a picture, to tick; and what is ticked, to put in order."""

    def __init__(self, document: Document, app: App, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.document, self.names = document, names(document)
        self.setWindowTitle("Choose what the app view shows")
        self.tree = QTreeWidget()
        self.tree.setHeaderHidden(True)
        self.tree.setAccessibleName("Parameters and pictures")
        self.tree.setToolTip("What is ticked is in the form")
        self.order = OrderList("Order of the form")
        for id in document.graph.nodes:
            self._add(id, app)
        for shown in (*app.inputs, *app.outputs):
            self._append(shown)
        self._first = self.app()
        self._lay_out()
        self.tree.itemChanged.connect(self._ticked)

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(16, 16, 16, 16)
        grid.setSpacing(10)
        grid.addWidget(QLabel("Tick what the form shows"), 0, 0)
        grid.addWidget(QLabel("Its order: drag, or Alt+Up and Alt+Down"), 0, 1)
        grid.addWidget(self.tree, 1, 0)
        grid.addWidget(self.order, 1, 1)
        grid.addWidget(self.buttons, 2, 0, 1, 2)
        self.resize(dialog_size(680, 560))

    def _add(self, id: str, app: App) -> None:
        type, links = self.document.type_of(id), self.document.graph.links
        ports = [Port(id, spec.name) for spec in type.inputs if spec.editable and Port(id, spec.name) not in links]
        pictured = shows_picture(type)
        if type.annotation or not (ports or pictured):
            return
        top = QTreeWidgetItem(self.tree, [self.names[id]])
        for port in ports:
            _tick_box(top, label(port.socket), port, port in app.inputs)
        if pictured:
            _tick_box(top, "Its picture", id, id in app.outputs)
        top.setExpanded(any(p.node == id for p in app.inputs) or id in app.outputs)

    def _append(self, shown: Port | str) -> None:
        node, words = (shown.node, label(shown.socket)) if isinstance(shown, Port) else (shown, "picture")
        item = QListWidgetItem(f"{self.names[node]}: {words}", self.order)
        item.setData(SHOWN, shown)

    def _ticked(self, item: QTreeWidgetItem) -> None:
        shown = item.data(0, SHOWN)
        if item.checkState(0) == ON:
            self._append(shown)
            self.order.setCurrentRow(self.order.count() - 1)
        else:
            self.order.takeItem(self._shown().index(shown))

    def _shown(self) -> list[Port | str]:
        return [self.order.item(row).data(SHOWN) for row in range(self.order.count())]

    @property
    def touched(self) -> bool:
        return self.app() != self._first

    def app(self) -> App:
        """What is ticked, in its order."""
        shown = self._shown()
        inputs = tuple(entry for entry in shown if isinstance(entry, Port))
        return App(inputs, tuple(entry for entry in shown if not isinstance(entry, Port)))


def _tick_box(parent: QTreeWidgetItem, text: str, shown: Port | str, on: bool) -> None:
    item = QTreeWidgetItem(parent, [text])
    item.setData(0, SHOWN, shown)
    item.setCheckState(0, ON if on else OFF)


def names(document: Document) -> dict[str, str]:
    """What people call each node: its title; where others have the same one, with what it leads to, or a number."""
    graph = document.graph
    sockets: defaultdict[str, set[str]] = defaultdict(set)
    for dst, src in graph.links.items():
        sockets[src.node].add(dst.socket)
    same: defaultdict[str, list[str]] = defaultdict(list)
    for id in graph.nodes:
        same[document.title_of(id)].append(id)
    found: dict[str, str] = {}
    for title, ids in same.items():
        ways = Counter(frozenset(sockets[id]) for id in ids)
        for number, id in enumerate(ids, 1):
            way = frozenset(sockets[id])
            apart = f"({label(*way).lower()})" if len(way) == 1 and ways[way] == 1 else str(number)
            found[id] = f"{title} {apart}" if len(ids) > 1 else title
    return found
