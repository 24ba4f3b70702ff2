"""What an empty canvas says: how to begin."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QAction, QKeySequence, QPainter
from PySide6.QtWidgets import QWidget

from ui.base.text import amount
from ui.base.theme import color, colors, panel_font, scaled

LINE = 26  # pixels, before the user's scale


def hints(widget: QWidget) -> tuple[str, ...]:
    """Lines, with the keys as they are now; an action without a key, or that this window does not have, is left out."""
    add, template = _keys(widget, "canvas.enter"), _keys(widget, "file.template")
    return (
        f"{add} or a double click adds a node" if add else "A double click adds a node",
        "Drop a workflow or a picture here",
        *((f"{template} starts from a template",) if template else ()),
    )


def _keys(widget: QWidget, action: str) -> str:
    made = widget.window().findChild(QAction, action)
    return made.shortcut().toString(QKeySequence.SequenceFormat.NativeText) if made else ""


def paint_hint(painter: QPainter, widget: QWidget) -> None:
    """In the middle; the painter is in pixels."""
    lines, step = hints(widget), scaled(LINE)
    top = (widget.height() - step * len(lines)) / 2
    for number, line in enumerate(lines):
        painter.setFont(panel_font(14, strong=number == 0))
        painter.setPen(color(colors().dim if number == 0 else colors().faint))
        place = QRectF(0, top + number * step, widget.width(), step)
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, line)


def paint_wait(painter: QPainter, widget: QWidget, count: int) -> None:
    """In place of a graph of so many nodes that it takes a moment to place them."""
    painter.fillRect(widget.rect(), color(colors().canvas))
    painter.setFont(panel_font(14))
    painter.setPen(color(colors().faint))
    painter.drawText(widget.rect(), Qt.AlignmentFlag.AlignCenter, f"{amount(count)} nodes …")
