"""Paint nodes and wires. The painter is in world units; what is too small to read is left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from functools import lru_cache

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFontMetricsF, QPainter, QPen, QTextLayout, QTextOption

from nodegraph.node import Choice, Input, Multiline
from nodegraph.types import style
from ui.canvas.scene import LinkItem, NodeItem
from ui.canvas.shape import HEADER, PAD, RADIUS, ROW, SOCKET, WIDTH, Row
from ui.run_state import NodeRun
from ui.text import duration, label, value_text
from ui.theme import DARK, color, font, mixed

SMALL, READABLE = 0.22, 0.36
"""Scales from which titles, and from which rows, are painted."""

NO_PEN, NO_BRUSH = QPen(Qt.PenStyle.NoPen), QBrush(Qt.BrushStyle.NoBrush)
LINE = 17.0  # height of a line of text
BAR = 3.0  # height of a progress bar

STATE_COLORS = {"running": DARK.running, "done": DARK.done, "cached": DARK.done, "failed": DARK.failed}


def paint_grid(painter: QPainter, area: QRectF, scale: float) -> None:
    """Dots, at a distance that stays between 16 and 64 pixels."""
    step = 32.0
    while step * scale < 16:
        step *= 4
    painter.setPen(QPen(color(DARK.grid), 2 / scale))
    left, top = area.left() // step * step, area.top() // step * step
    columns, rows = int(area.width() / step) + 2, int(area.height() / step) + 2
    painter.drawPoints([QPointF(left + i * step, top + j * step) for i in range(columns) for j in range(rows)])


def paint_links(painter: QPainter, links: Iterable[LinkItem], scale: float) -> None:
    """Far out, wires are straight hairlines: curves would cost twenty times as much and look the same."""
    by_color: defaultdict[str, list[LinkItem]] = defaultdict(list)
    for link in links:
        by_color[link.color].append(link)
    far = scale < SMALL
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, not far)
    for name, group in by_color.items():
        if far:
            painter.setPen(QPen(mixed(DARK.canvas, name, 0.55), 0))
            painter.drawLines([QLineF(link.a, link.b) for link in group])
            continue
        painter.setPen(wire_pen(name, scale))
        for link in group:
            painter.drawPolyline(link.points)


def wire_pen(name: str, scale: float) -> QPen:
    pen = QPen(mixed(DARK.canvas, name, 0.85), max(2.0, 1.2 / scale))
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    return pen


def paint_nodes(painter: QPainter, items: Collection[NodeItem], selected: Collection[str], scale: float) -> None:
    if scale < SMALL:
        _paint_blocks(painter, items, selected)
        return
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    for item in items:
        painter.translate(item.pos)
        _paint_node(painter, item, item.id in selected, scale)
        painter.translate(-item.pos)


def _paint_blocks(painter: QPainter, items: Iterable[NodeItem], selected: Collection[str]) -> None:
    """Nodes as plain blocks, all blocks of one colour at once."""
    bodies: defaultdict[str, list[QRectF]] = defaultdict(list)
    headers: defaultdict[str, list[QRectF]] = defaultdict(list)
    for item in items:
        rect = item.rect
        bodies[_block_color(item, item.id in selected)].append(rect)
        headers[_header_color(item).name()].append(QRectF(rect.left(), rect.top(), WIDTH, HEADER))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)
    painter.setPen(NO_PEN)
    for name, rects in (*bodies.items(), *headers.items()):
        painter.setBrush(color(name))
        painter.drawRects(rects)
    for item in items:
        if item.pixmap is not None and item.shape.picture is not None:
            painter.drawPixmap(item.shape.picture.translated(item.pos), item.pixmap, QRectF(item.pixmap.rect()))


def _block_color(item: NodeItem, selected: bool) -> str:
    if selected:
        return mixed(DARK.raised, DARK.accent, 0.5).name()
    state = STATE_COLORS.get(item.run.state) if item.run.state in ("running", "failed") else None
    return mixed(DARK.raised, state, 0.5).name() if state else DARK.raised


@lru_cache(maxsize=256)
def _tinted(name: str) -> QColor:
    return mixed(DARK.raised, name, 0.26)


def _header_color(item: NodeItem) -> QColor:
    """The header takes the colour of what the node makes, or of what it consumes."""
    if not item.known:
        return _tinted(DARK.failed)
    sockets = item.type.outputs or item.type.inputs
    return _tinted(style(sockets[0].type).color if sockets else DARK.faint)


def _paint_node(painter: QPainter, item: NodeItem, selected: bool, scale: float) -> None:
    shape = item.shape
    painter.setPen(NO_PEN)
    painter.setBrush(color("#000000", 60))
    painter.drawRoundedRect(QRectF(-1, 2, WIDTH + 2, shape.height + 2), RADIUS + 1, RADIUS + 1)
    painter.setBrush(color(DARK.raised))
    painter.drawPath(shape.body)
    painter.setBrush(_header_color(item))
    painter.drawPath(shape.header)
    _paint_header(painter, item)
    if shape.picture is not None and item.pixmap is not None:
        _paint_picture(painter, item, shape.picture)
    if scale >= READABLE:
        for row in shape.rows:
            _paint_row(painter, item, row)
    _paint_sockets(painter, item)
    _paint_outline(painter, item, selected, scale)
    if item.node.mode != "on":
        painter.setPen(NO_PEN)
        painter.setBrush(color(DARK.canvas, 150))
        painter.drawPath(shape.body)
    if item.run.state == "failed":
        _paint_message(painter, item.run.message, shape.height + 6)


def _paint_header(painter: QPainter, item: NodeItem) -> None:
    badge, tint = _badge(item)
    right = WIDTH - 12
    if badge:
        painter.setFont(font(11))
        painter.setPen(color(tint))
        width = QFontMetricsF(font(11)).horizontalAdvance(badge)
        painter.drawText(QPointF(right - width, 20.5), badge)
        right -= width + 8
    painter.setFont(font(13, strong=True))
    painter.setPen(color(DARK.text))
    painter.drawText(QPointF(12, 21), elided(item.title, right - 12, strong=True))


def _badge(item: NodeItem) -> tuple[str, str]:
    """A word or a figure at the right of the title, and its colour."""
    run = item.run
    if item.node.mode != "on":
        return item.node.mode, DARK.dim
    if run.state == "running":
        return (f"{min(run.done + 1, run.calls)} / {run.calls}" if run.calls > 1 else "running"), DARK.running
    if run.state == "failed":
        return "failed", DARK.failed
    if run.state in ("done", "cached"):
        if run.stale:
            return "outdated", DARK.stale
        return ("cached" if run.state == "cached" else duration(run.seconds)), DARK.done
    return ("!", DARK.stale) if item.problem else ("", DARK.dim)


def _paint_picture(painter: QPainter, item: NodeItem, place: QRectF) -> None:
    assert item.pixmap is not None
    painter.drawPixmap(place, item.pixmap, QRectF(item.pixmap.rect()))
    if item.run.stale:
        painter.setPen(NO_PEN)
        painter.setBrush(color(DARK.raised, 140))
        painter.drawRect(place)


def _paint_row(painter: QPainter, item: NodeItem, row: Row) -> None:
    base = row.y + 16
    if row.editable:
        assert row.input is not None
        _paint_parameter(painter, item, row, row.input)
        return
    painter.setFont(font(12))
    painter.setPen(color(DARK.dim))
    if row.input is not None:
        painter.drawText(QPointF(12, base), elided(label(row.input.name), WIDTH / 2 - 16, size=12))
    if row.output is not None:
        text = elided(label(row.output.name), WIDTH / 2 - 16, size=12)
        painter.drawText(QPointF(WIDTH - 12 - QFontMetricsF(font(12)).horizontalAdvance(text), base), text)


def _paint_parameter(painter: QPainter, item: NodeItem, row: Row, spec: Input) -> None:
    linked = spec.name in item.linked
    value = item.node.params.get(spec.name, None if spec.required else spec.default)
    wrong = not linked and not (spec.required and value is None) and spec.complaint(value) is not None
    if not linked:
        painter.setPen(NO_PEN if not wrong else QPen(color(DARK.failed), 1))
        painter.setBrush(color(DARK.field))
        painter.drawRoundedRect(row.rect, 5, 5)
    painter.setFont(font(12))
    painter.setPen(color(DARK.dim))
    name = label(spec.name)
    painter.drawText(QPointF(12 if linked else 16, row.y + 16), elided(name, WIDTH - 40, size=12))
    if linked:
        return
    painter.setPen(color(DARK.failed if wrong else DARK.text))
    if spec.get(Multiline):
        _paint_paragraph(painter, str(value or ""), QRectF(16, row.y + ROW - 3, WIDTH - 32, row.height - ROW))
        return
    free = WIDTH - 44 - QFontMetricsF(font(12)).horizontalAdvance(name)
    text = elided(value_text(spec, value) + (" ▾" if spec.get(Choice) else ""), free, size=12)
    painter.drawText(QPointF(WIDTH - 16 - QFontMetricsF(font(12)).horizontalAdvance(text), row.y + 16), text)


def _paint_paragraph(painter: QPainter, text: str, place: QRectF) -> None:
    painter.setFont(font(12))
    for number, line in enumerate(wrapped(text, place.width(), int(place.height() / LINE))):
        painter.drawText(QPointF(place.left(), place.top() + 12 + number * LINE), line)


def _paint_sockets(painter: QPainter, item: NodeItem) -> None:
    """A filled disc where something is linked or made; a ring where a link is possible or, bright, needed."""
    for row in item.shape.rows:
        if row.output is not None:
            painter.setPen(QPen(color(DARK.canvas), 1.5))
            painter.setBrush(color(style(row.output.type).color))
            painter.drawEllipse(item.shape.outputs[row.output.name], SOCKET, SOCKET)
        if row.input is not None:
            _paint_input(painter, item, row.input)


def _paint_input(painter: QPainter, item: NodeItem, spec: Input) -> None:
    tint = style(spec.type).color
    center = item.shape.inputs[spec.name]
    if spec.name in item.linked:
        painter.setPen(QPen(color(DARK.canvas), 1.5))
        painter.setBrush(color(tint))
        painter.drawEllipse(center, SOCKET, SOCKET)
        return
    painter.setPen(QPen(color(tint) if spec.required else mixed(DARK.raised, tint, 0.6), 1.5))
    painter.setBrush(color(DARK.canvas))
    size = SOCKET - 0.5 if spec.required else SOCKET - 1.5
    painter.drawEllipse(center, size, size)


def _paint_outline(painter: QPainter, item: NodeItem, selected: bool, scale: float) -> None:
    painter.setBrush(NO_BRUSH)
    state = item.run.state
    if selected:
        painter.setPen(QPen(color(DARK.accent), max(2.0, 1.5 / scale)))
    elif state in ("running", "failed"):
        painter.setPen(QPen(color(STATE_COLORS[state]), max(1.5, 1.5 / scale)))
    elif not item.known:
        painter.setPen(QPen(color(DARK.failed), 1.5, Qt.PenStyle.DashLine))
    else:
        painter.setPen(QPen(color(DARK.border), 1))
    painter.drawPath(item.shape.body)
    if state == "running":
        paint_bar(painter, item.run)


def paint_bar(painter: QPainter, run: NodeRun) -> None:
    """Progress, along the lower edge of the header."""
    painter.setPen(NO_PEN)
    painter.setBrush(color(DARK.field))
    painter.drawRect(QRectF(1, HEADER - BAR, WIDTH - 2, BAR))
    painter.setBrush(color(DARK.running))
    painter.drawRect(QRectF(1, HEADER - BAR, (WIDTH - 2) * run.fraction, BAR))


def _paint_message(painter: QPainter, message: str, top: float) -> None:
    """The sentence of a failed node, below it."""
    lines = wrapped(message, WIDTH - 2 * PAD - 4, 3)
    painter.setPen(QPen(color(DARK.failed, 120), 1))
    painter.setBrush(mixed(DARK.canvas, DARK.failed, 0.16))
    painter.drawRoundedRect(QRectF(0, top, WIDTH, len(lines) * LINE + 9), 6, 6)
    painter.setPen(color(DARK.text))
    painter.setFont(font(12))
    for number, line in enumerate(lines):
        painter.drawText(QPointF(PAD + 2, top + 17 + number * LINE), line)


@lru_cache(maxsize=8192)
def elided(text: str, width: float, *, size: int = 13, strong: bool = False) -> str:
    """The text, cut with an ellipsis so that it fits. width: world units."""
    return QFontMetricsF(font(size, strong=strong)).elidedText(text, Qt.TextElideMode.ElideRight, width)


@lru_cache(maxsize=2048)
def wrapped(text: str, width: float, count: int) -> tuple[str, ...]:
    """At most `count` lines of size 12 that fit; the last is cut with an ellipsis."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        layout = QTextLayout(paragraph, font(12))
        layout.setTextOption(QTextOption(Qt.AlignmentFlag.AlignLeft))
        layout.beginLayout()
        while (line := layout.createLine()).isValid():
            line.setLineWidth(width)
            lines.append(paragraph[line.textStart() : line.textStart() + line.textLength()])
        layout.endLayout()
    if len(lines) > count:
        lines = [*lines[: count - 1], elided(" ".join(lines[count - 1 :]), width, size=12)]
    return tuple(lines)
