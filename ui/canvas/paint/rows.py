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
from ui.canvas.paint.levels import legible
from ui.canvas.scene.items import NodeItem
from ui.canvas.scene.shape import PAD, ROW, Row
from ui.widgets.lettering import LINE, advance, draw_right, elided, wrapped
from ui.widgets.numbers import slider_range

SEED_MODES: dict[SeedMode, str] = {"fixed": "fixed", "increment": "+1", "random": "random"}
"""What becomes of a seed before each run, as it is written on the node."""

NO_PEN, NO_BRUSH = QPen(Qt.PenStyle.NoPen), QBrush(Qt.BrushStyle.NoBrush)
SIZE = 12  # of the letters
DRAWING = 13.0  # side of what a button shows
SWITCH = 32.0  # across which a switch is, at the right
LARGEST = 20.0  # the same where letters are large
FADED = 0.5  # of a colour is left where something has no meaning
INSET = 2 * PAD  # from the node's edge to the text of a field


def paint_rows(painter: QPainter, item: NodeItem, scale: float) -> None:
    """For scales at which rows are shown."""
    size = legible(SIZE, scale)
    painter.setFont(font(size))
    for row in item.shape.rows:
        if row.editable:
            assert row.input is not None
            _paint_parameter(painter, item, row, row.input, size)
        else:
            _paint_names(painter, item, row, size)


def _base(row: Row, size: int) -> float:
    """Where the letters of a row of usual height stand."""
    return row.y + ROW / 2 + size / 3


def _paint_names(painter: QPainter, item: NodeItem, row: Row, size: int) -> None:
    # Alone in its row, a name has all of it.
    free = row.width - 24 if row.input is None or row.output is None else row.width / 2 - 16
    if row.input is not None:
        painter.setPen(_faded(colors().dim, colors().raised, item.why_idle(row.input.name)))
        painter.drawText(QPointF(12, _base(row, size)), elided(label(row.input.name), free, size=size))
    if row.output is not None:
        painter.setPen(color(colors().dim))
        draw_right(painter, row.width - 12, _base(row, size), elided(label(row.output.name), free, size=size), size)


def _paint_parameter(painter: QPainter, item: NodeItem, row: Row, spec: Input, size: int) -> None:
    theme, name, idle = colors(), label(spec.name), item.why_idle(spec.name)
    if spec.name in item.linked:
        painter.setPen(_faded(theme.dim, theme.raised, idle))
        painter.drawText(QPointF(12, _base(row, size)), elided(name, row.width - 24, size=size))
        return
    value = item.node.params.get(spec.name, None if spec.required else spec.default)
    wrong = not (spec.required and value is None) and spec.complaint(value) is not None
    _paint_field(painter, row, 0.0 if wrong or idle else _share(spec, value), wrong=wrong)
    painter.setPen(_faded(theme.dim, theme.field, idle))
    name = elided(name, _room_for_name(item, row, spec, value, size), size=size)
    painter.drawText(QPointF(INSET, _base(row, size)), name)
    tint = color(theme.failed) if wrong else _faded(theme.text, theme.field, idle)
    painter.setPen(tint)
    if spec.get(Multiline):
        _paint_paragraph(painter, row, str(value or ""), size)
    elif spec.type is bool and not wrong:
        _paint_switch(painter, row, on=bool(value) and not idle)
    else:
        right = _paint_buttons(painter, item, row, spec, size)
        free = right - INSET - advance(name, size) - 10
        painter.setPen(tint)
        draw_right(painter, right, _base(row, size), elided(_shown(spec, value), free, size=size), size)


def _room_for_name(item: NodeItem, row: Row, spec: Input, value: Any, size: int) -> float:
    """What a name may take of its row: where letters are large it is cut before its value is."""
    across = row.width - 2 * INSET
    if size == SIZE or spec.get(Multiline):
        return across
    if spec.type is bool:
        return across - SWITCH
    right = _value_ends(item, row, spec, size)
    return max(right - INSET - advance(_shown(spec, value), size) - 10, across * 0.4)


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


def _paint_paragraph(painter: QPainter, row: Row, text: str, size: int) -> None:
    top, high = row.y + ROW - 3, LINE * size / SIZE
    for number, line in enumerate(wrapped(text, row.width - 2 * INSET, int((row.height - ROW) / high), size=size)):
        painter.drawText(QPointF(INSET, top + size + number * high), line)


def _paint_switch(painter: QPainter, row: Row, *, on: bool) -> None:
    theme = colors()
    rect = QRectF(row.rect.right() - SWITCH, row.y + ROW / 2 - 6, 24, 12)
    painter.setPen(NO_PEN)
    painter.setBrush(color(theme.accent) if on else mixed(theme.border, theme.field, 0.5))
    painter.drawRoundedRect(rect, 6, 6)
    painter.setBrush(color(theme.on_accent if on else theme.dim))
    painter.drawEllipse(QPointF(rect.right() - 6 if on else rect.left() + 6, rect.center().y()), 4, 4)


def _paint_buttons(painter: QPainter, item: NodeItem, row: Row, spec: Input, size: int) -> float:
    """What can be clicked at the right of the value; returns where the value ends."""
    if spec.get(Seed):
        paint_icon(painter, "dices", _drawing(row.button, size), colors().dim)
        if _has_mode(item, row, size):
            painter.setPen(color(colors().accent if item.node.seed_mode != "fixed" else colors().dim))
            painter.drawText(row.mode_button, Qt.AlignmentFlag.AlignCenter, SEED_MODES[item.node.seed_mode])
    elif spec.get(File):
        paint_icon(painter, "folder-open", _drawing(row.button, size), colors().dim)
    return _value_ends(item, row, spec, size)


def _value_ends(item: NodeItem, row: Row, spec: Input, size: int) -> float:
    if spec.get(Seed):
        return (row.mode_button if _has_mode(item, row, size) else row.button).left() - 4
    return row.button.left() - 2 if spec.get(File) else row.width - INSET


def _has_mode(item: NodeItem, row: Row, size: int) -> bool:
    """Whether what becomes of the seed is written whole in its place; where letters are large, the seed has it."""
    return size == SIZE or advance(SEED_MODES[item.node.seed_mode], size) <= row.mode_button.width()


def _drawing(button: QRectF, size: int) -> QRectF:
    """The square in the middle of a button."""
    side = min(DRAWING * size / SIZE, LARGEST)
    place = QRectF(0, 0, side, side)
    place.moveCenter(button.center())
    return place
