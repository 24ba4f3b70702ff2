"""The pictures of the gallery as tiles of any size, with the keys for what is done to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QPersistentModelIndex,
    QRectF,
    QSize,
    Qt,
    Signal,
    SignalInstance,
)
from PySide6.QtGui import QDrag, QKeyEvent, QKeySequence, QPainter, QWheelEvent
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from ui.base.theme import color, colors, panel_font, scaled
from ui.panels.gallery_rows import COMPLAINT, RATING, STARRED, Index, Shown
from ui.runs.picture_index import BEST
from ui.widgets.stretches import stretches

SIDE, SMALLEST, LARGEST, STEP = 96, 48, 192, 16
"""Pixels of a picture's longer side: at first, and between which it can be chosen."""

GAP = 10  # pixels
DOT = 6.0  # pixels, of a rating


class Tile(QStyledItemDelegate):
    """A picture with its name below, a star when it has one, and a dot for each point of its rating."""

    side = SIDE

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(self.side + GAP, self.side + scaled(20) + GAP)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        theme = colors()
        cell = QRectF(option.rect).adjusted(2, 2, -2, -2)  # type: ignore[attr-defined]
        if option.state & QStyle.StateFlag.State_Selected:  # type: ignore[attr-defined]
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color(theme.selected))
            painter.drawRoundedRect(cell, 6, 6)
        place = cell.adjusted(4, 4, -4, -scaled(20))
        picture = index.data(Qt.ItemDataRole.DecorationRole)
        painter.setFont(panel_font(11))
        painter.setPen(color(theme.dim))
        if picture is not None:
            size = picture.size().scaled(place.size().toSize(), Qt.AspectRatioMode.KeepAspectRatio)
            target = QRectF(0, 0, size.width(), size.height())
            target.moveCenter(place.center())
            painter.drawPixmap(target, picture, QRectF(picture.rect()))
        elif complaint := index.data(COMPLAINT):
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, complaint)
        foot = QRectF(cell.x() + 4, cell.bottom() - scaled(20), cell.width() - 8, scaled(20))
        name = painter.fontMetrics().elidedText(
            Path(index.data()).stem, Qt.TextElideMode.ElideMiddle, int(foot.width())
        )
        painter.drawText(foot, Qt.AlignmentFlag.AlignCenter, name)
        if index.data(STARRED):
            paint_star(painter, place)
        if rating := index.data(RATING):
            self._paint_rating(painter, place, rating)
        painter.restore()

    def _paint_rating(self, painter: QPainter, place: QRectF, rating: int) -> None:
        """As many dots, in another corner."""
        dot = DOT if self.side > 64 else DOT - 1.5
        ground = QRectF(0, 0, rating * (dot + 2) + 6, dot + 6)
        ground.moveBottomLeft(place.bottomLeft())
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color(colors().panel, 220))
        painter.drawRoundedRect(ground, ground.height() / 2, ground.height() / 2)
        painter.setBrush(color(colors().accent))
        for number in range(rating):
            painter.drawEllipse(QRectF(ground.x() + 4 + number * (dot + 2), ground.y() + 3, dot, dot))


def paint_star(painter: QPainter, place: QRectF) -> None:
    """In a corner of a picture, on a ground of its own: it is seen on any."""
    side = scaled(20)
    badge = QRectF(place.right() - side, place.top(), side, side)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color(colors().panel, 220))
    painter.drawEllipse(badge)
    painter.setPen(color(colors().accent))
    painter.setFont(panel_font(13))
    painter.drawText(badge, Qt.AlignmentFlag.AlignCenter, "★")


class Tiles(QListView):
    """S stars, 1 to 5 rate, 0 takes that off; Enter gets the graph back, Space shows large, I says what is in it,
    Delete takes off the list; a drag and Ctrl+C hand out the files. The wheel with Ctrl, Ctrl++ and Ctrl+- change the
    size.

    To go to a picture with the arrow keys is as good as a click. Undo and redo are the gallery's own while it has the
    keys, and so is copying.
    """

    starring = Signal()
    rating = Signal(int)
    removing = Signal()
    trashing = Signal()
    viewing = Signal()
    telling = Signal()
    undoing = Signal()
    redoing = Signal()
    copying = Signal()
    sized = Signal(int)  # the side of a picture, in pixels

    def __init__(self, rows: Shown) -> None:
        super().__init__()
        self.rows = rows
        self.setModel(rows)
        self.setAccessibleName("Gallery")
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setSelectionMode(QListView.SelectionMode.ExtendedSelection)
        self.setDragEnabled(True)
        self._tile = Tile(self)
        self.setItemDelegate(self._tile)
        self._need_a_row()

    def _need_a_row(self) -> None:
        """Below what stands above there is room for one picture, if it is of the usual size."""
        self.setMinimumHeight(min(self._tile.side, SIDE) + scaled(20) + GAP + 4)

    def resize_pictures(self, side: int) -> None:
        """side: in pixels; what is out of reach is brought within. The picture that one is at stays in view."""
        side = min(max(side, SMALLEST), LARGEST)
        if side == self._tile.side:
            return
        self._tile.side = side
        self._need_a_row()
        self.scheduleDelayedItemsLayout()
        if self.currentIndex().isValid():
            self.scrollTo(self.currentIndex())
        self.sized.emit(side)

    @property
    def side(self) -> int:
        return self._tile.side

    def _stretches(self) -> Iterator[range]:
        """Rows that are selected."""
        selection: Any = self.selectionModel().selection()  # can be iterated, which the stubs do not say
        return (range(stretch.top(), stretch.bottom() + 1) for stretch in selection)

    def chosen(self) -> Iterator[str]:
        """Paths of what is selected, one after the other: whoever needs the first alone need not wait for all."""
        return (self.rows.path(row) for rows in self._stretches() for row in rows)

    def choose(self, paths: Iterable[str]) -> int:
        """Select these pictures and show the first, as far as they are listed; how many are."""
        rows = sorted(row for path in paths if (row := self.rows.row(path)) >= 0)
        chosen = QItemSelection()
        for first, last in stretches(rows):
            chosen.select(self.rows.index(first), self.rows.index(last))
        if rows:
            here = self.rows.index(rows[0])
            self.selectionModel().setCurrentIndex(here, QItemSelectionModel.SelectionFlag.NoUpdate)
            self.selectionModel().select(chosen, QItemSelectionModel.SelectionFlag.ClearAndSelect)
            self.scrollTo(here)
        return len(rows)

    def count(self) -> int:
        """How many are selected."""
        return sum(map(len, self._stretches()))

    def wheelEvent(self, event: QWheelEvent) -> None:
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.resize_pictures(self.side + (STEP if event.angleDelta().y() > 0 else -STEP))
            event.accept()
        else:
            super().wheelEvent(event)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._is_own(event):
            event.accept()  # or else the window would undo what was done to the graph, copy of it, or make it larger
            return True
        return super().event(event)

    def _is_own(self, event: QKeyEvent) -> bool:
        return self._own(event) is not None or _growth(event) != 0

    def _own(self, event: QKeyEvent) -> SignalInstance | None:
        keys = QKeySequence.StandardKey
        own = {keys.Undo: self.undoing, keys.Redo: self.redoing, keys.Copy: self.copying}
        return next((signal for key, signal in own.items() if event.matches(key)), None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if signal := self._own(event):
            signal.emit()
            return
        if growth := _growth(event):
            self.resize_pictures(self.side + growth * STEP)
            return
        plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        letters = {Qt.Key.Key_S: self.starring, Qt.Key.Key_Space: self.viewing, Qt.Key.Key_I: self.telling}
        if plain and (signal := letters.get(Qt.Key(event.key()))):
            signal.emit()
        elif plain and event.text().isdigit() and int(event.text()) <= BEST:
            self.rating.emit(int(event.text()))
        else:
            self._other_key(event)

    def _other_key(self, event: QKeyEvent) -> None:
        match event.key():
            case Qt.Key.Key_Delete if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                self.trashing.emit()
            case Qt.Key.Key_Delete | Qt.Key.Key_Backspace:
                self.removing.emit()
            case Qt.Key.Key_Return | Qt.Key.Key_Enter if self.currentIndex().isValid():
                self.activated.emit(self.currentIndex())
            case _:
                before = QPersistentModelIndex(self.currentIndex())
                super().keyPressEvent(event)
                if self.currentIndex() != before:
                    self.clicked.emit(self.currentIndex())

    def startDrag(self, actions: Qt.DropAction) -> None:
        drag = QDrag(self)
        drag.setMimeData(self.model().mimeData(self.selectedIndexes()))
        picture = self.currentIndex().data(Qt.ItemDataRole.DecorationRole)
        if picture is not None:
            drag.setPixmap(picture.scaled(64, 64, Qt.AspectRatioMode.KeepAspectRatio))
        drag.exec(Qt.DropAction.CopyAction)


def _growth(event: QKeyEvent) -> int:
    """1 for the keys that make larger, -1 for those that make smaller."""
    if not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
        return 0
    keys = {Qt.Key.Key_Plus: 1, Qt.Key.Key_Equal: 1, Qt.Key.Key_Minus: -1, Qt.Key.Key_Underscore: -1}
    return keys.get(Qt.Key(event.key()), 0)
