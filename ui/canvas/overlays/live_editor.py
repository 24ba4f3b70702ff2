"""One editor over the canvas, on the row that is being typed into. Rows are painted; widgets would cost too much."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, Qt
from PySide6.QtGui import QFocusEvent, QGuiApplication, QKeyEvent, QTextCursor
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QFrame,
    QLabel,
    QLayout,
    QLineEdit,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from nodegraph.node import Input, Multiline
from ui.base import theme
from ui.base.unstyled import let_go
from ui.canvas.scene.state import CanvasState
from ui.widgets.editors import is_number, keeps_wrong, make_inline_editor
from ui.widgets.offers import Offering
from ui.widgets.path_fields import PathField

_FIELDS = "QLineEdit, QPlainTextEdit, QAbstractSpinBox, QComboBox, QCheckBox"
SMALLEST = 12  # pixels, at the usual text size, of text that can be read and typed, however far out the view is
EDGE = 4  # pixels between an editor and the edge of the view
_NONE: Any = object()  # nothing is pending


class LiveEditor(QFrame):
    """Text is an edit as it is typed, and all of it one step; a number when it is whole: with Enter, Tab or elsewhere.
    However a text is left, it stays, as one step that can be undone: what is gone for one key is gone for good. Escape
    brings back a number. value: what the document has now.

    In a paragraph Enter begins a line; Ctrl+Enter commits and, as the window's shortcut, runs.
    place: where it belongs, in world units; None when that is gone. commit: makes the edit; equal tokens in a row are
    one step. go_on: to the next row, or by -1 to the one before. offering: who knows which files fit. node: whose text
    it is, which says how long it may be.
    """

    _over = True  # also for Qt, which still asks a filter that Python has emptied

    def __init__(
        self,
        state: CanvasState,
        spec: Input,
        value: Callable[[], Any],
        place: Callable[[], QRectF | None],
        commit: Callable[[Any, Hashable], None],
        go_on: Callable[[int], object] = lambda _: None,
        offering: Offering | None = None,
        node: str = "",
    ) -> None:
        super().__init__(state.widget)
        self.state, self.spec, self.node = state, spec, node
        self._value, self._place, self._commit, self._go_on = value, place, commit, go_on
        self._pending = _NONE
        self._over = self._writing = False
        self._begin()
        self.inner = make_inline_editor(spec)
        if isinstance(self.inner, PathField) and offering is not None:
            self.inner.offer(offering)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)  # never wider than its row
        layout.addWidget(self.inner)
        self.error = QLabel(state.widget)
        self.error.setObjectName("complaint")
        self.error.hide()
        self.length = QLabel(state.widget)  # how long the text is
        self.length.setObjectName("length")
        self.length.hide()
        self.inner.show_value(value())
        self.inner.typed.connect(self._typed)
        self.inner.edited.connect(self._write)
        for widget in (self.inner, *self.inner.findChildren(QWidget)):
            widget.installEventFilter(self)
        state.scope.changed.connect(self._changed)
        state.show_editor(self)
        self.follow()
        self.show()
        self._take_focus()
        self._measure(value())

    def _measure(self, text: Any) -> None:
        multiline = self.spec.get(Multiline)
        if self.node and multiline and multiline.weighs:
            self.state.scope.measure(self.state.scope.prefix + self.node, str(text or ""), self._show_length)

    def _show_length(self, said: str) -> None:
        if self._over:
            return
        self.length.setText(said)
        self.length.setVisible(bool(said))
        self.length.adjustSize()
        self.length.raise_()
        self.follow()

    @property
    def box(self) -> Any:
        """What has the keyboard."""
        return self.inner.focusProxy()

    def _take_focus(self) -> None:
        self.box.setFocus()
        if isinstance(self.box, QPlainTextEdit):
            self.box.moveCursor(QTextCursor.MoveOperation.End)
        elif isinstance(self.box, QLineEdit | QAbstractSpinBox):
            self.box.selectAll()

    def follow(self) -> None:
        """Stay on the row when the view or the node moves; close when it is gone."""
        world = self._place()
        if world is None:
            self.close_editor()
            return
        scale = max(self.state.view.scale, theme.scale() * SMALLEST / 12)
        place = self.state.view.rect_to_screen(world).toAlignedRect()
        place.setHeight(max(place.height(), round(world.height() * scale)))
        place.setWidth(max(place.width(), round(world.width() * scale)))
        self.setGeometry(_within(place, self.state.widget.rect()))
        self.error.move(place.bottomLeft() + QPoint(0, 4))
        self.length.move(place.bottomRight() + QPoint(1 - self.length.width(), 4))
        size, pad = round(12 * scale), round(6 * scale)
        inks = theme.colors()
        check = f"background: {inks.field}; border: 1px solid {inks.accent}; border-radius: 5px;"
        sheet = f"QWidget {{ font-size: {size}px; }} QCheckBox {{ {check} }} {_FIELDS} {{ padding: 0 {pad}px; }}"
        if sheet != self.styleSheet():  # it lays out the whole text anew, and every key comes by here
            self.setStyleSheet(sheet)

    def _begin(self) -> None:
        """From here on, typing is another step."""
        self._token = object()
        self._before = self._after = self.state.scope.graph

    def _changed(self) -> None:
        """The document has changed, by what is typed here or by something else, such as an undo."""
        self.follow()
        if not self._writing and not self._over:
            self.inner.show_value(self._value())

    def _typed(self, value: Any) -> None:
        self._pending = value
        self.error.hide()

    def _write(self, value: Any) -> None:
        if self._over:
            return  # a field reports what stands there when it loses the keyboard
        self._pending = _NONE
        self.error.hide()
        self._measure(value)
        complaint = self.spec.complaint(value)
        if complaint is None or keeps_wrong(self.spec):
            self._writing = True
            self._commit(value, self._token)
            self._writing = False
            self._after = self.state.scope.graph
        if complaint is not None:
            self._complain(complaint)

    def commit(self) -> bool:
        """Put what is pending into the document; False, with the reason shown, when it is not allowed."""
        complaint = None if self._pending is _NONE else self.spec.complaint(self._pending)
        if complaint is not None and not keeps_wrong(self.spec):
            self._complain(complaint)
            return False
        if self._pending is not _NONE:
            self._write(self._pending)
        self._begin()
        return True

    def _complain(self, complaint: str) -> None:
        self.error.setText(complaint)
        self.error.adjustSize()
        self.error.show()
        self.error.raise_()
        self.follow()

    def leave(self) -> None:
        """Commit a text, and what is right; forget a number that is wrong; and close."""
        QGuiApplication.inputMethod().commit()  # what is still being composed
        self.commit()
        self.close_editor()

    def _revert(self) -> None:
        """Take back what was typed, unless something else was done since."""
        if self._after != self._before and self.state.scope.graph == self._after:
            self.state.scope.edit("Take back", lambda _: self._before, merge=self._token)

    def close_editor(self) -> None:
        """Without committing."""
        if not self._over:
            self._over = True
            for label in (self.error, self.length):
                label.hide()
                label.deleteLater()
            self.state.show_editor(None)
            if self.box.hasFocus():
                self.state.widget.setFocus()  # hiding what has the keyboard would press Tab on the canvas
            self.hide()
            let_go(self)
            self.deleteLater()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if self._over:
            return False
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride:
            return self._claim(event)
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            return self._key(event)
        if isinstance(event, QFocusEvent) and event.type() == QEvent.Type.FocusOut:
            self._left(event)
        return super().eventFilter(watched, event)

    def _claim(self, event: QKeyEvent) -> bool:
        """Keys that are the editor's own, not the window's shortcuts."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and event.modifiers() & _CTRL:
            self.commit()  # the run that the shortcut starts is to have it
            return False
        if event.key() in (Qt.Key.Key_Escape, Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
            event.accept()
            return True
        return False

    def _key(self, event: QKeyEvent) -> bool:
        """Whether the key was one of those that end the editing."""
        match event.key():
            case Qt.Key.Key_Escape:
                if is_number(self.spec):
                    self._revert()
                    self.close_editor()
                else:
                    self.leave()
                self.state.widget.setFocus()
            case Qt.Key.Key_Tab | Qt.Key.Key_Backtab:
                if self.commit():
                    self.close_editor()
                    self.state.widget.setFocus()
                    self._go_on(1 if event.key() == Qt.Key.Key_Tab else -1)
            case Qt.Key.Key_Return | Qt.Key.Key_Enter if self._ends(event):
                if self.commit():
                    self.close_editor()
                    self.state.widget.setFocus()
            case _:
                return False
        return True

    def _ends(self, event: QKeyEvent) -> bool:
        return not isinstance(self.box, QPlainTextEdit) or bool(event.modifiers() & _CTRL)

    def _left(self, event: QFocusEvent) -> None:
        """The user went elsewhere; a menu, a list of offers or another program is not elsewhere."""
        if event.reason() in (Qt.FocusReason.PopupFocusReason, Qt.FocusReason.ActiveWindowFocusReason):
            return
        self.leave()


def _within(place: QRect, view: QRect) -> QRect:
    """As much of it in view as can be, if some of it is: of a frame that is larger than the view, too."""
    view = view.adjusted(EDGE, EDGE, -EDGE, -EDGE)
    if not place.intersects(view):
        return place
    place = QRect(place.topLeft(), place.size().boundedTo(view.size()))
    place.moveRight(min(place.right(), view.right()))
    place.moveLeft(max(place.left(), view.left()))
    place.moveBottom(min(place.bottom(), view.bottom()))
    place.moveTop(max(place.top(), view.top()))
    return place


_CTRL = Qt.KeyboardModifier.ControlModifier
