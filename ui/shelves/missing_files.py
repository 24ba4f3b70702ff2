"""The files that a document names and that are not there, as it is now: found beside the window's own work."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal

from nodegraph.graph import Graph
from nodegraph.library.library import Library
from nodegraph.library.missing import Missing, missing
from nodegraph.node import File
from ui.runs.following import Following
from ui.shelves.shelves import Shelves

PAUSE_MS = 300
"""From an edit to a look: who types a path types on."""


class MissingFiles(QObject):
    """files: in the order of the document."""

    changed = Signal()  # others are missing, or others could take their place
    noticed = Signal()  # what `notice` was asked for is known: some are missing

    def __init__(self, shelves: Shelves, following: Following, parent: QObject) -> None:
        super().__init__(parent)
        self._shelves, self._following, self.document = shelves, following, following.document
        self.files: tuple[Missing, ...] = ()
        self._known = False  # they were looked for
        self._notice = False
        self._asking = shelves.asking(self)
        self._asking.answered.connect(self._take)
        self._asking.failed.connect(lambda _: self._take(()))
        self._pause = QTimer(self, interval=PAUSE_MS, singleShot=True)
        self._pause.timeout.connect(self.look)

    def start(self) -> None:
        """Look now, and whenever something may be missing that was not."""
        self.document.changed.connect(self._pause.start)
        self._shelves.changed.connect(self._pause.start)
        self.look()

    def look(self) -> None:
        graph, type_of, stock = self.document.graph, self.document.declared, self._shelves.stock
        if not self._could_miss(graph):
            self._take(())
            return
        kinds = self._following.kinds.taken
        families = {node: next((kind.name for kind in found if kind.name), "") for node, found in kinds.items()}

        def find(library: Library) -> tuple[Missing, ...]:
            return missing(graph, type_of, stock, library, families)

        self._asking.ask(find)

    def _could_miss(self, graph: Graph) -> bool:
        """Whether any node takes a file of the stock at all."""
        graphs = (graph, *(group.graph for group in graph.groups.values()))
        types = {node.type for inner in graphs for node in inner.nodes.values()}
        inputs = (spec for id in types if (type := self.document.declared(id)) for spec in type.inputs)
        return any((file := spec.get(File)) is not None and file.kinds for spec in inputs)

    def _take(self, files: tuple[Missing, ...]) -> None:
        self._known = True
        if files != self.files:
            self.files = files
            self.changed.emit()
        self._tell()

    def notice(self) -> None:
        """Tell once, as soon as that is known, if some are missing: the document was opened just now."""
        self._notice = True
        self._tell()

    def _tell(self) -> None:
        if self._notice and self._known:
            self._notice = False
            if self.files:
                self.noticed.emit()
