"""Fields for files and folders: typed, chosen from what fits, or looked for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QPoint, QRect, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit, QPushButton
from shiboken6 import isValid

from nodegraph.node import File, Input
from ui.base.icons import icon
from ui.base.theme import scaled
from ui.widgets.editor import WholeField
from ui.widgets.file_fields import ask_path, paths_like
from ui.widgets.offers import BROWSE, WIDTH, Offered, Offering, OfferRows, Then, completer_of

WHAT_FITS = "What fits (Down)"


class PathBox(QLineEdit):
    unfolded = Signal()  # all that fits is to be shown

    def __init__(self) -> None:
        super().__init__()
        self._unfolds = False

    def show_arrow(self) -> None:
        """There is something to unfold."""
        if not self._unfolds:
            self._unfolds = True
            arrow = self.addAction(icon("chevron-down", "dim"), QLineEdit.ActionPosition.TrailingPosition)
            arrow.setToolTip(WHAT_FITS)
            arrow.triggered.connect(self.unfolded)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._unfolds and event.key() == Qt.Key.Key_Down:
            self.unfolded.emit()
        else:
            super().keyPressEvent(event)


class PathField(WholeField):
    """A box to type a path in; it offers what is there, and what somebody knows to fit: see `offer`."""

    def __init__(self, spec: Input) -> None:
        self.box = PathBox()
        super().__init__(spec, self.box)
        self._offering: Offering | None = None
        self._known = ""  # the value
        self._rows = OfferRows(self)
        self._completer = completer_of(self.box, self._rows)
        self.box.setCompleter(self._completer)
        self._completer.activated.connect(self._choose)
        self.typed.connect(self._look)
        self.box.unfolded.connect(self.unfold)

    def read(self) -> Any:
        return self.box.text()

    def write(self, value: Any) -> None:
        self._known = str(value or "")
        if self.box.text() != self._known:
            self.box.setText(self._known)

    def offer(self, offering: Offering) -> None:
        """Offer what this one knows, and a way to all other files, from now on."""
        self._offering = offering
        self.box.show_arrow()

    def unfold(self) -> None:
        """Show all that fits, whatever stands there; without anybody who knows, all files."""
        if self._offering is None:
            self.look_elsewhere()
            return
        self.box.setFocus()
        self._offering("", self._if_still_there(self._show_offers))

    def _look(self, text: str) -> None:
        """Who types a path is shown what lies there; who types words, what is called so."""
        there = [Offered(path) for path in paths_like(text, self.spec.get(File) or File())]
        if self._offering is None or os.path.dirname(text):
            self._rows.show(there, browse=False)
        else:
            shown = self._if_still_there(lambda offers: self._show_typed(text, [*offers, *there]))
            self._offering(text, shown)

    def _if_still_there(self, then: Then) -> Then:
        """What is found comes later, when the field may have been left and be gone."""
        return lambda offers: then(offers) if isValid(self) else None

    def _show_typed(self, text: str, offers: Sequence[Offered]) -> None:
        if self.box.text() == text and self.box.hasFocus():  # nobody has typed on meanwhile
            self._show_offers(offers)

    def _show_offers(self, offers: Sequence[Offered]) -> None:
        self._rows.show(offers, browse=True)
        width = max(self.box.width(), scaled(WIDTH))
        self._completer.complete(QRect(QPoint(0, 0), self.box.size()).adjusted(0, 0, width - self.box.width(), 0))

    def _choose(self, chosen: str) -> None:
        if chosen == BROWSE:
            self._typing = False
            self.write(self._known)
            QTimer.singleShot(0, self, self.look_elsewhere)  # when the list is gone
        else:
            self._set(chosen)

    def look_elsewhere(self) -> None:
        """Let the user choose among all files."""
        path = ask_path(self, self.spec, self._known)
        if path:
            self._set(path)
            self.done.emit()


class FileEditor(PathField):
    """A path, and a button that looks for one."""

    def __init__(self, spec: Input) -> None:
        super().__init__(spec)
        self.browse = QPushButton("Browse…")
        self.browse.setObjectName("small")
        self.put(self.browse)
        self.browse.clicked.connect(self.look_elsewhere)
