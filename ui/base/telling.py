"""Signals that are held back while much happens, and then sent once each."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from itertools import islice
from time import perf_counter

from PySide6.QtCore import QObject, Signal

from nodegraph.pieces import in_parts
from ui.base.turns import Turn

AT_ONCE, SECONDS = 300, 0.012
"""How many nodes' views are told in one piece, and how long that may take: the rest is told when the window has
answered."""
SOME = 20
"""Nodes that are told between two looks at the clock."""


class Telling(QObject):
    """Between `hold(True)` and `hold(False)` nothing is told, and then each thing once, however often it changed."""

    changed = Signal(str)  # node id, as the engine calls it
    pictured = Signal(str)  # id of the node of the document whose picture is the newest
    progressed = Signal()  # the run as a whole

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.running = False
        self._held = False
        self._touched: dict[str, None] = {}  # nodes to tell of
        self._newest: dict[str, None] = {}  # nodes of the document to tell of, whose picture is new, the newest last
        self._went_on = False  # there is progress to tell of
        self._rest = Turn(self)
        self._rest.came.connect(self._tell)

    def hold(self, on: bool) -> None:
        """Tell nothing for now; or tell what there is to tell."""
        self._held = on
        if not on:
            self._tell()

    def tell(self) -> None:
        """What there is to tell, also while it is held."""
        held = self._held
        self.hold(False)
        self._held = held

    @contextmanager
    def _together(self) -> Generator[None]:
        held, self._held = self._held, True
        yield
        self.hold(held)

    def _tell(self) -> None:
        if self._held:
            return
        end = perf_counter() + SECONDS
        for part in in_parts(list(islice(self._touched, AT_ONCE)), SOME):
            for node in part:
                self._touched.pop(node, None)
                self.changed.emit(node)
            if perf_counter() > end:
                break
        newest, self._newest = self._newest, {}
        # During a run each is the newest only until the next: of some hundred in a batch the last one is looked at.
        for node in list(newest)[-1:] if self.running else newest:
            self.pictured.emit(node)
        if self._went_on:
            self._went_on = False
            self.progressed.emit()
        if self._touched:
            self._rest.ask()

    def _progressed(self) -> None:
        self._went_on = True
        self._tell()

    def _touch(self, node: str) -> None:
        self._touched[node] = None
        self._tell()

    def _show_newest(self, node: str) -> None:
        self._newest.pop(node, None)
        self._newest[node] = None
        self._tell()
