"""The files of the library that match what is searched for, as cards of a list; pictures come beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QMimeData,
    QModelIndex,
    QPersistentModelIndex,
    QRectF,
    QSize,
    Qt,
    QUrl,
    Signal,
)
from PySide6.QtGui import QFontMetricsF, QPainter, QPixmap
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from nodegraph.library.entry import Entry
from nodegraph.library.library import Library
from ui.base.text import byte_size
from ui.base.theme import color, colors, panel_font, scaled
from ui.shelves.shelves import Shelves
from ui.widgets.thumbnails import Thumbnails
from ui.widgets.tiles import paint_tile

PATH = Qt.ItemDataRole.UserRole
ENTRY = Qt.ItemDataRole.UserRole + 1
"""None while it is being read."""

ABOUT = Qt.ItemDataRole.UserRole + 2
"""What it is, on a line."""

KIND = Qt.ItemDataRole.UserRole + 3
"""What people call one of its kind."""

PAGE = 100
"""Entries that are read in one go."""

CARD, NARROWEST, PAD = 56, 240, 6  # pixels before the user's scale

Index = QModelIndex | QPersistentModelIndex


class ModelRows(QAbstractListModel):
    """What a search found, by path; what is known of each is read when it comes into view, a page at a time."""

    filled = Signal()  # more is known of what is shown

    def __init__(self, shelves: Shelves, parent: QWidget) -> None:
        super().__init__(parent)
        self.shelves, self.thumbnails = shelves, Thumbnails(self)
        self._paths: Sequence[str] = ()
        self._rows: dict[str, int] = {}
        self._entries: dict[str, Entry] = {}
        self._asked: set[int] = set()  # pages; of an entry that is gone nothing comes
        self._pending: set[int] = set()  # those that are not there yet
        self._pages = shelves.asking(self)
        self._pages.answered.connect(self._fill)
        self.thumbnails.loaded.connect(self._touch_all)
        shelves.pictures.changed.connect(self._touch_all)

    def show(self, paths: Sequence[str], known: Mapping[str, Entry]) -> None:
        """known: of some of them, of those that are seen first at best. What was known of the others is read anew."""
        self._asked, self._pending = set(), set()
        if paths == self._paths:
            self._entries = dict(known)
            self._touch_all()
        else:
            self.beginResetModel()
            self._paths, self._entries = paths, dict(known)
            self._rows = {path: row for row, path in enumerate(paths)}
            self.endResetModel()
        self.filled.emit()

    def path(self, row: int) -> str:
        return self._paths[row]

    def row(self, path: str) -> int:
        """-1 for one that is not shown."""
        return self._rows.get(path, -1)

    def entry(self, row: int) -> Entry | None:
        """None for one that is still being read."""
        found, page = self._entries.get(self._paths[row]), row // PAGE
        if found is None and page not in self._asked:
            self._asked.add(page)
            self._pending.add(page)
            self._pages.ask(partial(_read, self._paths, frozenset(self._pending)))
        return found

    def _fill(self, answer: tuple[Sequence[str], frozenset[int], Mapping[str, Entry]]) -> None:
        paths, pages, found = answer
        if paths is not self._paths:
            return  # another search was faster
        self._entries |= found
        self._pending -= pages
        self._touch_all()
        self.filled.emit()

    def _touch_all(self, *_: object) -> None:
        """Only what is seen is asked for again."""
        if self._paths:
            self.dataChanged.emit(self.index(0), self.index(len(self._paths) - 1), [Qt.ItemDataRole.DecorationRole])

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  what Qt's own default is
        return 0 if parent.isValid() else len(self._paths)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        path = self._paths[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return self.title(path)
        if role == PATH:
            return path
        entry = self.entry(index.row())
        if entry is None:
            return None
        match role:
            case Qt.ItemDataRole.DecorationRole:
                return self.picture(entry)
            case Qt.ItemDataRole.ToolTipRole:
                return "\n".join(filter(None, (path, self.about(entry), entry.note, entry.problem)))
            case Qt.ItemDataRole.AccessibleTextRole:
                marks = ("starred" * entry.starred, entry.problem)
                return ", ".join(filter(None, (entry.name, self.about(entry), *marks)))
            case _:
                return {ENTRY: entry, ABOUT: self.about(entry), KIND: self.shelves.kind(entry)}.get(role)  # type: ignore[call-overload]

    def title(self, path: str) -> str:
        """Its name, without the ending that they all have."""
        file = Path(path)
        return file.stem if file.suffix.lower() in self.shelves.stock.suffixes else file.name

    def about(self, entry: Entry) -> str:
        """ "Checkpoint · Stable Diffusion XL · 6.9 GB"."""
        said = (self.shelves.kind(entry), entry.family_title, byte_size(entry.size))
        return " · ".join(filter(None, said))

    def picture(self, entry: Entry) -> QPixmap | None:
        """The file's own, or else the newest that one made with it; None while there is none."""
        path = self.shelves.picture(entry)
        return self.thumbnails.get(path) if path else None

    def flags(self, index: Index) -> Qt.ItemFlag:
        return super().flags(index) | Qt.ItemFlag.ItemIsDragEnabled

    def mimeData(self, indexes: Iterable[QModelIndex]) -> QMimeData:  # type: ignore[override]
        """The files, as every program hands them over: a drop of one means the same from wherever it comes."""
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(index.data(PATH)) for index in indexes])
        return data


def _read(
    paths: Sequence[str], pages: frozenset[int], library: Library
) -> tuple[Sequence[str], frozenset[int], Mapping[str, Entry]]:
    wanted = [path for page in pages for path in paths[page * PAGE : (page + 1) * PAGE]]
    return paths, pages, library.entries(wanted)


class Cards(QStyledItemDelegate):
    """A picture, the name, what it is, and a star when it has one. width: of one card, in pixels."""

    width = NARROWEST

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(self.width, scaled(CARD))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        row = QRectF(option.rect).adjusted(2, 2, -2, -2)  # type: ignore[attr-defined]
        state = option.state  # type: ignore[attr-defined]
        if state & QStyle.StateFlag.State_Selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color(colors().selected))
            painter.drawRoundedRect(row, 6, 6)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(color(colors().accent))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(row.adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        pad = scaled(PAD)
        side = row.height() - 2 * pad
        place = QRectF(row.x() + pad, row.y() + pad, side, side)
        entry: Entry | None = index.data(ENTRY)
        kind, wrong = index.data(KIND), entry is not None and bool(entry.problem)
        paint_tile(painter, place, index.data(Qt.ItemDataRole.DecorationRole), kind, wrong=wrong)
        self._paint_words(painter, row.adjusted(side + 2.5 * pad, pad, -pad, -pad), index, entry)
        painter.restore()

    def _paint_words(self, painter: QPainter, place: QRectF, index: Index, entry: Entry | None) -> None:
        half = place.height() / 2
        bold, small = panel_font(13), panel_font(12)
        starred = entry is not None and entry.starred
        star = QFontMetricsF(bold).horizontalAdvance("★ ") if starred else 0
        if starred:
            painter.setFont(bold)
            painter.setPen(color(colors().accent))
            painter.drawText(place.adjusted(0, 0, 0, -half), Qt.AlignmentFlag.AlignVCenter, "★")
        problem = entry.problem if entry is not None else ""
        said, ink = (problem, colors().failed) if problem else (index.data(ABOUT) or "", colors().dim)
        middle, right = Qt.TextElideMode.ElideMiddle, Qt.TextElideMode.ElideRight
        for text, face, tint, left, top, mode in (
            (index.data(Qt.ItemDataRole.DisplayRole), bold, colors().text, star, 0.0, middle),
            (said, small, ink, 0.0, half, right),
        ):
            line = QRectF(place.x() + left, place.y() + top, place.width() - left, half)
            painter.setFont(face)
            painter.setPen(color(tint))
            fitting = QFontMetricsF(face).elidedText(text, mode, line.width())
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, fitting)
