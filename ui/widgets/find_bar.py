"""Find in a text: a bar in its corner, with every hit lit and one of them chosen."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSignalBlocker, Qt
from PySide6.QtGui import QFocusEvent, QKeyEvent, QTextCursor
from PySide6.QtWidgets import QApplication, QFrame, QHBoxLayout, QLabel, QLayout, QLineEdit, QPlainTextEdit, QTextEdit

from ui.base.text import amount
from ui.base.theme import color, colors, scaled
from ui.widgets.buttons import small_button

MOST = 2_000
"""Hits that are lit: a letter stands in a long text very often."""


class FindBar(QFrame):
    """Return or F3 goes to the next hit, with Shift to the one before, round and round; Escape closes.

    Capitals count only where some are typed.
    """

    _over = False  # also for Qt, which still asks a filter that Python has emptied

    def __init__(self, text: QPlainTextEdit) -> None:
        super().__init__(text)
        self.setObjectName("palette")
        self.text = text
        self.hits: list[tuple[int, int]] = []
        self.at = -1
        self.box = QLineEdit(placeholderText="Find")
        self.box.setAccessibleName("Find in the text")
        self.count = QLabel()
        self.count.setObjectName("small")
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 3, 4, 3)
        row.setSpacing(3)
        row.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)  # it gives way to a narrow text
        row.addWidget(self.box, 1)
        row.addWidget(self.count)
        for name, step, tip in (("↑", -1, "The hit before (Shift+Return)"), ("↓", 1, "The next hit (Return, F3)")):
            button = small_button(name, lambda step=step: self.go(step), tip)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.setFixedWidth(scaled(24))
            row.addWidget(button)
        self.box.textChanged.connect(self._search)
        text.textChanged.connect(self._search_again)
        text.viewport().installEventFilter(self)
        self.box.installEventFilter(self)
        self.hide()

    def open_with(self, typed: str = "") -> None:
        """typed: what to look for; without it what is selected, or what was looked for before."""
        chosen = self.text.textCursor().selectedText()
        with QSignalBlocker(self.box):
            self.box.setText(typed or (chosen if chosen and "\u2029" not in chosen else self.box.text()))
        self.show()
        self.raise_()
        self._place()
        self.box.setFocus(Qt.FocusReason.PopupFocusReason)
        self.box.selectAll()
        self._search()

    def close_bar(self) -> None:
        """The hit that was chosen stays selected."""
        self.hide()
        self.text.setExtraSelections([])
        self.text.setFocus(Qt.FocusReason.PopupFocusReason)

    def go(self, step: int) -> None:
        if self.hits:
            self.at = (self.at + step) % len(self.hits)
            self._show()

    def _search(self) -> None:
        """From where the text cursor is."""
        self._find()
        start = self.text.textCursor().selectionStart()
        self.at = next((index for index, (first, _) in enumerate(self.hits) if first >= start), 0 if self.hits else -1)
        self._show()

    def _search_again(self) -> None:
        if self.isVisible():
            self._find()
            self.at = min(self.at, len(self.hits) - 1)
            self._show(choose=False)

    def _find(self) -> None:
        self.hits = []
        if not (typed := self.box.text()):
            return
        document = self.text.document()
        flags = document.FindFlag.FindCaseSensitively if typed != typed.lower() else document.FindFlag(0)
        cursor = document.find(typed, 0, flags)
        while not cursor.isNull() and len(self.hits) < MOST:
            self.hits.append((cursor.selectionStart(), cursor.selectionEnd()))
            cursor = document.find(typed, cursor, flags)

    def _show(self, *, choose: bool = True) -> None:
        many, none = "" if len(self.hits) < MOST else "+", "none" if self.box.text() else ""
        self.count.setText(f"{self.at + 1} of {amount(len(self.hits))}{many}" if self.hits else none)
        theme, lit = colors(), list[QTextEdit.ExtraSelection]()
        for index, hit in enumerate(self.hits):
            mark: QTextEdit.ExtraSelection = QTextEdit.ExtraSelection()
            mark.cursor = self._cursor(*hit)  # type: ignore[attr-defined]
            chosen = index == self.at
            mark.format.setBackground(color(theme.accent, 255 if chosen else 90))  # type: ignore[attr-defined]
            if chosen:
                mark.format.setForeground(color(theme.panel))  # type: ignore[attr-defined]
            lit.append(mark)
        self.text.setExtraSelections(lit)
        if choose and self.hits:
            self.text.setTextCursor(self._cursor(*self.hits[self.at]))
            self.text.ensureCursorVisible()

    def _cursor(self, start: int, end: int) -> QTextCursor:
        cursor = QTextCursor(self.text.document())
        cursor.setPosition(start)
        cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
        return cursor

    def _place(self) -> None:
        """At the foot, where the first lines stay to be read; never wider than the text."""
        self.adjustSize()
        room = self.text.viewport().geometry()
        width = min(max(self.sizeHint().width(), scaled(220)), room.width())
        self.setGeometry(room.right() - width + 1, room.bottom() - self.height() + 1, width, self.height())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is not self.box and event.type() == QEvent.Type.Resize and self.isVisible():
            self._place()
        if watched is self.box and isinstance(event, QKeyEvent):
            if event.type() == QEvent.Type.ShortcutOverride and self._step(event) is not None:
                event.accept()
                return True
            if event.type() == QEvent.Type.KeyPress and (step := self._step(event)) is not None:
                self.go(step) if step else self.close_bar()
                return True
        if watched is self.box and isinstance(event, QFocusEvent) and event.type() == QEvent.Type.FocusOut:
            self._left(event)
        return super().eventFilter(watched, event)

    def _left(self, event: QFocusEvent) -> None:
        """Who goes elsewhere from here has left the text."""
        elsewhere = event.reason() not in (Qt.FocusReason.PopupFocusReason, Qt.FocusReason.ActiveWindowFocusReason)
        if elsewhere and QApplication.focusWidget() is not self.text:
            QApplication.sendEvent(self.text, QFocusEvent(QEvent.Type.FocusOut, event.reason()))

    def _step(self, event: QKeyEvent) -> int | None:
        """Where a key leads; 0: it closes the bar; None: it is no key of the bar."""
        if event.key() == Qt.Key.Key_Escape:
            return 0
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            return None
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_F3):
            return -1 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        return None
