"""A picture cut to a square, or a plain tile that says what kind of thing it stands for."""

from __future__ import annotations

from zlib import crc32

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPixmap

from ui.base.icons import paint_icon
from ui.base.theme import color, colors, font, scaled, tinted

SHORT = 4  # letters of a kind that has room on a tile


def paint_tile(painter: QPainter, place: QRectF, picture: QPixmap | None, kind: str | None, *, wrong: bool) -> None:
    """Cut to fill the place; without one a plain tile that says what kind of file it is.

    kind: as people call one of it; None while that is not known. wrong: it cannot be used.
    """
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color(colors().field) if picture is not None or kind is None else tint_of(kind))
    painter.drawRoundedRect(place, 4, 4)
    if picture is not None:
        side = min(picture.width(), picture.height())
        source = QRectF((picture.width() - side) / 2, (picture.height() - side) / 2, side, side)
        painter.drawPixmap(place, picture, source)
    elif kind is None:
        return
    elif wrong:
        paint_icon(painter, "triangle-alert", _middle(place, 0.5), colors().failed)
    else:
        painter.setPen(color(colors().text))
        painter.setFont(font(max(round(place.height() * 0.3), scaled(11)), strong=True))
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, initials(kind))


def initials(kind: str) -> str:
    """ "VAE" -> "VAE", "Text encoder" -> "TE", "Checkpoint" -> "Ch": what has room on a tile."""
    words = kind.split()
    if len(words) > 1:
        return "".join(word[0].upper() for word in words)[:3]
    return kind if len(kind) <= SHORT else kind[:2]


def tint_of(kind: str) -> QColor:
    """One for each kind, the same at every start."""
    return tinted(QColor.fromHsv(crc32(kind.encode()) % 360, 150, 220).name())


def _middle(place: QRectF, share: float) -> QRectF:
    """A square in the middle, as large as this share of the place's height."""
    side = place.height() * share
    made = QRectF(0, 0, side, side)
    made.moveCenter(place.center())
    return made
