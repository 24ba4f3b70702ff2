"""Rows of a list that show a picture, a title and a line below it."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPixmap
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from ui.base.theme import color, colors, panel_font, scaled

PICTURE = Qt.ItemDataRole.UserRole + 1
"""A QPixmap, or None."""

DETAIL = Qt.ItemDataRole.UserRole + 2
"""The text of the line below the title."""

TINT = Qt.ItemDataRole.UserRole + 3
"""The colour of that line, by its name in the theme."""

FRACTION = Qt.ItemDataRole.UserRole + 4
"""0..1 of a line along the foot of the row; None for no line."""

HEIGHT, PAD = 52, 6


class PictureRows(QStyledItemDelegate):
    """Paints what the roles above say."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(scaled(220), scaled(HEIGHT))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        painter.save()
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        row = QRectF(option.rect).adjusted(4, 1, -4, -1)  # type: ignore[attr-defined]
        state = option.state  # type: ignore[attr-defined]
        if state & QStyle.StateFlag.State_Selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color(colors().selected))
            painter.drawRoundedRect(row, 6, 6)
        pad = scaled(PAD)
        side = row.height() - 2 * pad
        self._paint_picture(painter, QRectF(row.x() + pad, row.y() + pad, side, side), index.data(PICTURE))
        words = row.adjusted(side + 3 * pad, pad - 1, -pad, -pad + 1)
        self._paint_words(painter, words, index)
        fraction = index.data(FRACTION)
        if fraction is not None:
            line = QRectF(words.x(), row.bottom() - 4, words.width(), 3)
            painter.fillRect(line, color(colors().field))
            painter.fillRect(QRectF(line.x(), line.y(), line.width() * fraction, 3), color(colors().running))
        painter.restore()

    def _paint_picture(self, painter: QPainter, place: QRectF, picture: QPixmap | None) -> None:
        painter.fillRect(place, color(colors().field))
        if picture is not None:
            size = picture.size().scaled(place.size().toSize(), Qt.AspectRatioMode.KeepAspectRatio)
            target = QRectF(0, 0, size.width(), size.height())
            target.moveCenter(place.center())
            painter.drawPixmap(target, picture, QRectF(picture.rect()))

    def _paint_words(self, painter: QPainter, place: QRectF, index: QModelIndex | QPersistentModelIndex) -> None:
        half = place.height() / 2
        title, detail = index.data(Qt.ItemDataRole.DisplayRole), index.data(DETAIL)
        for line, (text, font, ink) in enumerate(
            ((title, panel_font(13), colors().text), (detail, panel_font(12), getattr(colors(), index.data(TINT))))
        ):
            painter.setFont(font)
            painter.setPen(color(ink))
            at = QRectF(place.x(), place.y() + line * half, place.width(), half)
            shown = QFontMetrics(font).elidedText(text or "", Qt.TextElideMode.ElideRight, int(at.width()))
            painter.drawText(at, Qt.AlignmentFlag.AlignVCenter, shown)
