"""Files that a field could have, as a list below it: what fits comes first, what does not says why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPixmap
from PySide6.QtWidgets import QCompleter, QLineEdit, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from ui.base.theme import color, colors, panel_font, scaled
from ui.widgets.thumbnails import Thumbnails
from ui.widgets.tiles import paint_tile

WIDTH, ROW, PAD = 380, 44, 5  # pixels before the user's scale
SHOWN = 8  # rows that are seen at once
BROWSE = "Browse…"
OFFER = Qt.ItemDataRole.UserRole
"""None: the way to all other files."""

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Offered:
    """A file. kind: as people call one of it. about: what it is, on a line. picture: the path of one, or "".

    why_not: why it does not fit, as a sentence; empty when it does.
    """

    path: str
    kind: str = ""
    about: str = ""
    picture: str = ""
    why_not: str = ""

    @property
    def name(self) -> str:
        return Path(self.path).name or self.path


Then = Callable[[Sequence[Offered]], object]
Offering = Callable[[str, Then], object]
"""Asked for what goes with a text that was typed; what it is told may come later, of the latest question alone."""


class OfferRows(QAbstractListModel):
    """The last row may be the way to all other files."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.offers: Sequence[Offered] = ()
        self.browse = False
        self.thumbnails = Thumbnails(self)
        self.thumbnails.loaded.connect(self._touch)

    def show(self, offers: Sequence[Offered], *, browse: bool) -> None:
        """browse: with the way to all others."""
        self.beginResetModel()
        self.offers, self.browse = offers, browse
        self.endResetModel()

    def _touch(self, *_: object) -> None:
        if self.offers:
            self.dataChanged.emit(self.index(0), self.index(len(self.offers) - 1), [Qt.ItemDataRole.DecorationRole])

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  what Qt's own default is
        return 0 if parent.isValid() else len(self.offers) + self.browse

    def offer(self, index: Index) -> Offered | None:
        return self.offers[index.row()] if index.row() < len(self.offers) else None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        offer = self.offer(index)
        if offer is None:
            return BROWSE if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole) else None
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.EditRole:
                return offer.path
            case Qt.ItemDataRole.DecorationRole:
                return self.thumbnails.get(offer.picture) if offer.picture else None
            case Qt.ItemDataRole.ToolTipRole:
                return "\n".join(filter(None, (offer.path, offer.about, offer.why_not)))
            case Qt.ItemDataRole.AccessibleTextRole:
                return ", ".join(filter(None, (offer.name, offer.about, offer.why_not)))
            case _:
                return offer if role == OFFER else None

    def flags(self, index: Index) -> Qt.ItemFlag:
        offer = self.offer(index)
        fits = offer is None or not offer.why_not
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable if fits else Qt.ItemFlag.NoItemFlags


class _Lines(QStyledItemDelegate):
    """A picture, the name, and what it is or why it does not fit."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(scaled(WIDTH), scaled(ROW))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        offer: Offered | None = index.data(OFFER)
        painter.save()
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        row = QRectF(option.rect).adjusted(2, 1, -2, -1)  # type: ignore[attr-defined]
        state = option.state  # type: ignore[attr-defined]
        if state & QStyle.StateFlag.State_Selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color(colors().selected))
            painter.drawRoundedRect(row, 5, 5)
        if offer is None:
            painter.setFont(panel_font(13))
            painter.setPen(color(colors().accent))
            painter.drawText(row.adjusted(scaled(10), 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, BROWSE)
        else:
            self._paint_offer(painter, row, offer, index.data(Qt.ItemDataRole.DecorationRole))
        painter.restore()

    def _paint_offer(self, painter: QPainter, row: QRectF, offer: Offered, picture: QPixmap | None) -> None:
        pad = scaled(PAD)
        side = row.height() - 2 * pad
        fits = not offer.why_not
        painter.setOpacity(1.0 if fits else 0.5)
        paint_tile(painter, QRectF(row.x() + pad, row.y() + pad, side, side), picture, offer.kind, wrong=False)
        painter.setOpacity(1.0)
        words = row.adjusted(side + 3 * pad, pad, -pad, -pad)
        half = words.height() / 2
        inks = (colors().text if fits else colors().faint, colors().dim if fits else colors().stale)
        for line, (text, size) in enumerate(((offer.name, 13), (offer.why_not or offer.about, 12))):
            font = panel_font(size)
            painter.setFont(font)
            painter.setPen(color(inks[line]))
            mode = Qt.TextElideMode.ElideRight if line else Qt.TextElideMode.ElideMiddle
            place = QRectF(words.x(), words.y() + line * half, words.width(), half)
            fitting = QFontMetricsF(font).elidedText(text, mode, place.width())
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, fitting)


def completer_of(box: QLineEdit, rows: OfferRows) -> QCompleter:
    """Shows the rows below a box, as they are; wider than the box where that is narrow."""
    made = QCompleter(rows, box)
    made.setCompletionMode(QCompleter.CompletionMode.UnfilteredPopupCompletion)
    made.setMaxVisibleItems(SHOWN)
    popup = QListView()
    popup.setUniformItemSizes(True)
    popup.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    made.setPopup(popup)  # which takes it, and gives it lines of its own
    popup.setItemDelegate(_Lines(popup))
    return made
