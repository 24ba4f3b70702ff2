"""Paint the rows of a node: names of sockets, and parameters with their values."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPen

from nodegraph.graph import SeedMode
from nodegraph.node import Choice, File, Input, Multiline, Range, Seed
from ui.base.icons import paint_icon
from ui.base.text import label, value_text
from ui.base.theme import color, colors, font, mixed
from ui.canvas.scene.items import NodeItem
from ui.canvas.scene.shape import PAD, ROW, Row
from ui.widgets.lettering import LINE, advance, draw_right, elided, wrapped
from ui.widgets.numbers import slider_range

SEED_MODES: dict[SeedMode, str] = {"fixed": "fixed", "increment": "+1", "random": "random"}
"""What becomes of a seed before each run, as it is written on the node."""

NO_PEN, NO_BRUSH = QPen(Qt.PenStyle.NoPen), QBrush(Qt.BrushStyle.NoBrush)
DRAWING = 13.0  # side of what a button shows
FADED = 0.5  # of a colour is left where something has no meaning
INSET = 2 * PAD  # from the node's edge to the text of a field


def paint_rows(painter: QPainter, item: NodeItem) -> None:
    painter.setFont(font(12))
    for row in item.shape.rows:
        if row.editable:
            assert row.input is not None
            _paint_parameter(painter, item, row, row.input)
        else:
            _paint_names(painter, item, row)


def _paint_names(painter: QPainter, item: NodeItem, row: Row) -> None:
    # Alone in its row, a name has all of it.
    free = row.width - 24 if row.input is None or row.output is None else row.width / 2 - 16
    if row.input is not None:
        painter.setPen(_faded(colors().dim, colors().raised, item.why_idle(row.input.name)))
        painter.drawText(QPointF(12, row.y + 16), elided(label(row.input.name), free, size=12))
    if row.output is not None:
        painter.setPen(color(colors().dim))
        draw_right(painter, row.width - 12, row.y + 16, elided(label(row.output.name), free, size=12), 12)


def _paint_parameter(painter: QPainter, item: NodeItem, row: Row, spec: Input) -> None:
    theme, name, idle = colors(), label(spec.name), item.why_idle(spec.name)
    if spec.name in item.linked:
        painter.setPen(_faded(theme.dim, theme.raised, idle))
        painter.drawText(QPointF(12, row.y + 16), elided(name, row.width - 24, size=12))
        return
    value = item.node.params.get(spec.name, None if spec.required else spec.default)
    wrong = not (spec.required and value is None) and spec.complaint(value) is not None
    _paint_field(painter, row, 0.0 if wrong or idle else _share(spec, value), wrong=wrong)
    painter.setPen(_faded(theme.dim, theme.field, idle))
    painter.drawText(QPointF(INSET, row.y + 16), elided(name, row.width - 2 * INSET, size=12))
    tint = color(theme.failed) if wrong else _faded(theme.text, theme.field, idle)
    painter.setPen(tint)
    if spec.get(Multiline):
        _paint_paragraph(painter, row, str(value or ""))
    elif spec.type is bool and not wrong:
        _paint_switch(painter, row, on=bool(value) and not idle)
    else:
        right = _paint_buttons(painter, item, row, spec)
        free = right - INSET - advance(name, 12) - 10
        painter.setPen(tint)
        draw_right(painter, right, row.y + 16, elided(_shown(spec, value), free, size=12), 12)


def _faded(tint: str, ground: str, idle: str) -> QColor:
    """idle: why what is written has no meaning; it is still to be read, but stands back."""
    return mixed(ground, tint, FADED) if idle else color(tint)


def _paint_field(painter: QPainter, row: Row, share: float, *, wrong: bool) -> None:
    """The ground of a value. share: 0..1, how much of it is filled."""
    theme, rect = colors(), row.rect
    painter.setPen(QPen(color(theme.failed), 1) if wrong else NO_PEN)
    painter.setBrush(color(theme.field))
    painter.drawRoundedRect(rect, 5, 5)
    if share > 0:
        painter.setBrush(mixed(theme.field, theme.accent, 0.3))
        painter.drawRoundedRect(QRectF(rect.left(), rect.top(), rect.width() * share, rect.height()), 5, 5)


def _share(spec: Input, value: Any) -> float:
    """How far a number is between its limits, for those that can be slid through; 0 for all else."""
    limits = slider_range(spec)
    return (value - limits.min) / (limits.max - limits.min) if limits and isinstance(value, int | float) else 0.0


def _shown(spec: Input, value: Any) -> str:
    limits = spec.get(Range)
    text = value_text(spec, value)
    if spec.get(Choice):
        return text + " ▾"
    return f"{text} {limits.unit}" if limits and limits.unit and text != limits.zero else text


def _paint_paragraph(painter: QPainter, row: Row, text: str) -> None:
    top = row.y + ROW - 3
    for number, line in enumerate(wrapped(text, row.width - 2 * INSET, int((row.height - ROW) / LINE))):
        painter.drawText(QPointF(INSET, top + 12 + number * LINE), line)


def _paint_switch(painter: QPainter, row: Row, *, on: bool) -> None:
    theme = colors()
    rect = QRectF(row.rect.right() - 32, row.y + ROW / 2 - 6, 24, 12)
    painter.setPen(NO_PEN)
    painter.setBrush(color(theme.accent) if on else mixed(theme.border, theme.field, 0.5))
    painter.drawRoundedRect(rect, 6, 6)
    painter.setBrush(color(theme.on_accent if on else theme.dim))
    painter.drawEllipse(QPointF(rect.right() - 6 if on else rect.left() + 6, rect.center().y()), 4, 4)


def _paint_buttons(painter: QPainter, item: NodeItem, row: Row, spec: Input) -> float:
    """What can be clicked at the right of the value; returns where the value ends."""
    if spec.get(Seed):
        paint_icon(painter, "dices", _drawing(row.button), colors().dim)
        mode = row.mode_button
        painter.setPen(color(colors().accent if item.node.seed_mode != "fixed" else colors().dim))
        text = SEED_MODES[item.node.seed_mode]
        painter.drawText(mode, Qt.AlignmentFlag.AlignCenter, text)
        return mode.left() - 4
    if spec.get(File):
        paint_icon(painter, "folder-open", _drawing(row.button), colors().dim)
        return row.button.left() - 2
    return row.width - INSET


def _drawing(button: QRectF) -> QRectF:
    """The square in the middle of a button."""
    place = QRectF(0, 0, DRAWING, DRAWING)
    place.moveCenter(button.center())
    return place
