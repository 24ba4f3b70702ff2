"""The results of the session in a row, to look at, compare and go back to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from PySide6.QtCore import QItemSelectionModel, QSize, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QListView, QListWidget, QListWidgetItem

from ui.base.theme import scaled
from ui.canvas.paint.thumbnail import icon
from ui.documents.document import Document
from ui.runs.describe import summary
from ui.runs.results import Result
from ui.widgets.pixmaps import pixmap

ICON = 46  # pixels, before the user's scale


class Strip(QListWidget):
    """Oldest first; the one that is shown is marked."""

    taken = Signal(object)  # the Result that is to be shown
    pinned = Signal(str, object)  # side, and the Result that is A or B from now on
    restored = Signal(object)  # the Result whose graph is wanted

    def __init__(self, document: Document) -> None:
        super().__init__()
        self.document = document
        self.results: Sequence[Result] = ()
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(False)
        self.setMovement(QListView.Movement.Static)
        self.setIconSize(QSize(scaled(ICON), scaled(ICON)))
        self.setGridSize(QSize(scaled(ICON) + 12, scaled(ICON) + 12))
        self.setFixedHeight(scaled(ICON) + 28)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Earlier results")
        self.setObjectName("strip")
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self._add("This is A", lambda result: self.pinned.emit("a", result))
        self._add("This is B", lambda result: self.pinned.emit("b", result))
        self._add("Restore the graph that made it", self.restored.emit)
        for chosen in (self.itemClicked, self.itemActivated):
            chosen.connect(lambda item: self.taken.emit(self.results[self.row(item)]))

    def _add(self, text: str, act: Callable[[Result], object]) -> None:
        """Something to do with the result whose menu is open."""
        action = QAction(text, self)
        action.triggered.connect(lambda: act(self.results[self.currentRow()]) if self.currentRow() >= 0 else None)
        self.addAction(action)

    def show_results(self, results: Sequence[Result]) -> None:
        before, self.results = self.results, tuple(results)
        gone = _gone(before, self.results)
        for _ in range(gone):
            self.takeItem(0)
        for result in self.results[len(before) - gone :]:
            self._add_item(result)

    def _add_item(self, result: Result) -> None:
        item = QListWidgetItem(icon(pixmap(result.picture).toImage(), self.iconSize()), "", self)
        about = summary(result.graph, self.document.declared)
        one = f"Picture {result.item + 1} of {result.of}" if result.item is not None else ""
        item.setToolTip("\n".join(filter(None, (f"Made {when(result)}", one, about))))

    def mark(self, shown: Result | None) -> None:
        """Which is shown; while none is, the newest is in view."""
        index = next((index for index, result in enumerate(self.results) if result is shown), -1)
        self.setCurrentRow(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        self.scrollToItem(self.item(index if index >= 0 else len(self.results) - 1))


def _gone(before: Sequence[Result], now: Sequence[Result]) -> int:
    """How many of the oldest are not there any more; what is left of them is what there is now, but for new ones."""
    for count in range(len(before)):
        left = before[count:]
        if len(left) <= len(now) and all(old is new for old, new in zip(left, now, strict=False)):
            return count
    return len(before)


def when(result: Result) -> str:
    """ "at 14:32:05", or "20 Nov 2026, 14:32" for one of another day."""
    if result.made is None:
        return "earlier"
    return f"{result.made:at %H:%M:%S}" if result.made.date() == date.today() else f"{result.made:%d %b %Y, %H:%M}"
