"""The boards of the gallery: a row of names to look at one, or to drop pictures on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QMimeData, QSignalBlocker, Signal
from PySide6.QtGui import QAction, QDragEnterEvent, QDragLeaveEvent, QDropEvent
from PySide6.QtWidgets import QButtonGroup, QMenu, QPushButton, QWidget

from ui.base.text import amount, shortened
from ui.runs.picture_index import Gallery
from ui.widgets.buttons import small_button
from ui.widgets.flow import FlowLayout

ALL = "All pictures"
LETTERS = 24  # of a name; the tooltip has all of it


class Board(QPushButton):
    """One board, or all pictures (name is empty). dropped: paths that were let go on it."""

    dropped = Signal(str, object)

    def __init__(self, name: str, count: int, parent: QWidget) -> None:
        super().__init__(_text(name, count), parent)
        self.name = name
        self.setObjectName("small")
        self.setCheckable(True)
        self.setAcceptDrops(bool(name))
        if name:
            self.setToolTip(f"Show the pictures on {name} alone; drop pictures here to put them on it")

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _paths(event.mimeData()):
            event.acceptProposedAction()
            self.setDown(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.setDown(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self.setDown(False)
        event.acceptProposedAction()
        self.dropped.emit(self.name, _paths(event.mimeData()))


def _text(name: str, count: int) -> str:
    return f"{shortened(name, LETTERS)}  {amount(count)}" if name else ALL


def _paths(data: QMimeData) -> list[str]:
    return [str(Path(url.toLocalFile())) for url in data.urls() if url.isLocalFile()]


class BoardBar(QWidget):
    """chosen: another is looked at, by its name; empty for all. dropped: the name, and paths that were let go on it.

    The menu of a board renames and deletes it.
    """

    chosen = Signal(str)
    dropped = Signal(str, object)
    making = Signal()
    renaming = Signal(str)
    deleting = Signal(str)

    def __init__(self, gallery: Gallery, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.gallery = gallery
        self.name = ""  # of the board that is looked at
        self.boards: list[Board] = []
        self._group = QButtonGroup(self)
        self._new = small_button("+ Board", self.making.emit, "Make a board: a collection of pictures under a name")
        self._flow = FlowLayout(self._new)
        self.setLayout(self._flow)
        self._group.buttonClicked.connect(lambda button: self.choose(button.name))
        gallery.boards_changed.connect(self.fill)
        gallery.removed.connect(self.fill)
        gallery.returned.connect(self.fill)
        self.fill()

    def fill(self) -> None:
        """One is looked at as before, if it is still there."""
        counts = dict.fromkeys(self.gallery.boards, 0)
        for made in self.gallery.pictures.values():
            for name in made.boards:
                if name in counts:
                    counts[name] += 1
        wanted = [("", 0), *counts.items()] if counts else []
        if [(board.name, board.text()) for board in self.boards] != [(name, _text(name, n)) for name, n in wanted]:
            self._make(wanted)
        self.setVisible(bool(counts))
        if self.name not in counts and self.name:
            self.choose("")
        self._mark()

    def _make(self, wanted: Sequence[tuple[str, int]]) -> None:
        for board in (*self.boards, self._new):
            self._flow.removeWidget(board)
        for board in self.boards:
            self._group.removeButton(board)
            board.hide()
            board.deleteLater()
        self.boards = [Board(name, count, self) for name, count in wanted]
        for board in self.boards:
            self._group.addButton(board)
            self._flow.addWidget(board)
            board.dropped.connect(self.dropped)
            self._give_menu(board)
            board.show()
        self._flow.addWidget(self._new)
        self.updateGeometry()

    def _give_menu(self, board: Board) -> None:
        if not board.name:
            return
        name = board.name
        board.setContextMenuPolicy(board.contextMenuPolicy().ActionsContextMenu)
        for text, signal in (("Rename board…", self.renaming), ("Delete board", self.deleting)):
            action = QAction(text, board)
            action.triggered.connect(lambda _=False, signal=signal: signal.emit(name))
            board.addAction(action)

    def choose(self, name: str) -> None:
        """Look at a board; at all pictures where the name is empty."""
        self.name = name
        self._mark()
        self.chosen.emit(name)

    def _mark(self) -> None:
        for board in self.boards:
            with QSignalBlocker(board):
                board.setChecked(board.name == self.name)

    def fill_menu(self, menu: QMenu, paths: Sequence[str]) -> None:
        """Where pictures can be put, and what they can be taken off."""
        menu.clear()
        pictures = [self.gallery.pictures[path] for path in paths]
        for name in self.gallery.boards:
            action = menu.addAction(name)
            action.setCheckable(True)
            action.setChecked(bool(pictures) and all(name in made.boards for made in pictures))
            action.setData(name)
        menu.addSeparator()
        menu.addAction("New board…").setData("")
