"""Paint nodes. The painter is in world units; what is too small to read is left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from math import ceil

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from nodegraph.editing.tint import tint_of as tint_of_node
from nodegraph.graph import Node
from nodegraph.node import NodeType
from ui.actions.icons import ICONS
from ui.base.icons import paint_icon
from ui.base.text import byte_size, duration
from ui.base.theme import color, colors, font, mixed, tinted
from ui.canvas.paint.levels import LEADING, SMALL, legible, rows_shown
from ui.canvas.paint.modes import paint_mode, paint_through
from ui.canvas.paint.rows import NO_BRUSH, NO_PEN, paint_rows
from ui.canvas.paint.sockets import paint_sockets, tint_of
from ui.canvas.paint.titles import paint_titles
from ui.canvas.scene.items import COUNTER, MESSAGE, NodeItem
from ui.canvas.scene.shape import CHEVRON, HEADER, PAD, RADIUS, Shape
from ui.widgets.lettering import LINE, advance, draw_right, elided, wrapped

TITLE = 26.0  # where titles begin
BADGE = 13.0  # side of a drawing
SIDE_TEXT = 11  # size of what stands beside a title and above a node
ABOVE = 14  # the largest size for which there is room above a node
MODES = {"muted": ICONS["canvas.mute"], "bypassed": ICONS["canvas.bypass"]}
CALM = ("check", "database")  # they say no more than the line below, and give way to the title
KIND_PAD = 6.0  # beside the word for what a node makes
BAR = 3.0  # height of a progress bar


def paint_nodes(painter: QPainter, items: Iterable[NodeItem], selected: Collection[str], scale: float) -> None:
    """Annotations are painted elsewhere."""
    items = [item for item in items if not item.type.annotation]
    if scale < SMALL:
        _paint_blocks(painter, items, selected)
        paint_titles(painter, items, scale)
        return
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    for item in items:
        painter.translate(item.pos)
        _paint_node(painter, item, item.id in selected, scale)
        painter.translate(-item.pos)
    if not rows_shown(scale):
        paint_titles(painter, items, scale)


def _paint_blocks(painter: QPainter, items: Collection[NodeItem], selected: Collection[str]) -> None:
    """Nodes as plain blocks, all blocks of one colour at once."""
    looks: defaultdict[object, list[tuple[NodeItem, float, float, Shape]]] = defaultdict(list)  # all that look alike
    for item in items:
        node, run = item.node, item.run
        own = tint_of_node(node) if node.extra else ""
        looks[id(item.type), item.known, own, node.mode, run.state, run.stale, item.id in selected].append(
            (item, *node.pos, item.shape)
        )
    blocks: defaultdict[str, list[QRectF]] = defaultdict(list)
    headers: defaultdict[str, list[QRectF]] = defaultdict(list)
    for alike in looks.values():
        item = alike[0][0]
        blocks[_block_color(item, item.id in selected)] += [QRectF(x, y, s.width, s.height) for _, x, y, s in alike]
        headers[header_color(item).name()] += [QRectF(x, y, s.width, HEADER) for _, x, y, s in alike]
        if state := _state_color(item):
            headers[state] += [QRectF(x, y + HEADER - 8, s.width, 8) for _, x, y, s in alike]
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)
    painter.setPen(NO_PEN)
    for name, rects in (*blocks.items(), *headers.items()):
        painter.setBrush(color(name))
        painter.drawRects(rects)
    _paint_passed([item for item in items if item.node.mode == "bypassed"], painter)
    for item in items:
        if item.shape.picture is not None and (small := item.block) is not None:
            painter.drawPixmap(item.shape.picture.translated(item.pos), small, QRectF(small.rect()))


def _block_color(item: NodeItem, selected: bool) -> str:
    theme = colors()
    if selected:
        return mixed(theme.raised, theme.accent, 0.5).name()
    if item.node.mode != "on":
        return mixed(theme.canvas, theme.raised, 0.5).name()
    state = getattr(theme, item.run.state) if item.run.state in ("running", "failed") else None
    return mixed(theme.raised, state, 0.5).name() if state else theme.raised


def header_color(item: NodeItem) -> QColor:
    """The header takes the colour that it was given, or that of what the node makes, or of what it consumes."""
    return tinted(ink_of(item.node, item.type) if item.known else colors().failed)


def ink_of(node: Node, type: NodeType) -> str:
    """That colour as it stands for the node elsewhere."""
    sockets = type.outputs or type.inputs
    return tint_of_node(node) or (tint_of(sockets[0].type) if sockets else colors().faint)


def _paint_passed(items: Iterable[NodeItem], painter: QPainter) -> None:
    """Far out, the line that leads through each node."""
    for item in items:
        painter.translate(item.pos)
        paint_through(painter, item)
        painter.translate(-item.pos)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)


def _state_color(item: NodeItem) -> str | None:
    """Of the line below the header; None when nothing is known of the node's result."""
    theme = colors()
    match item.run.state:
        case "running" | "failed" as state:
            return getattr(theme, state)
        case "done" | "cached":
            return theme.stale if item.run.stale else theme.done
        case _:
            return None


def _paint_node(painter: QPainter, item: NodeItem, selected: bool, scale: float) -> None:
    theme, shape = colors(), item.shape
    painter.setPen(NO_PEN)
    painter.setBrush(color("#000000", 40))
    painter.drawRoundedRect(QRectF(-1, 2, shape.width + 2, shape.height + 2), RADIUS + 1, RADIUS + 1)
    painter.setBrush(color(theme.raised))
    painter.drawPath(shape.body)
    painter.setBrush(header_color(item))
    painter.drawPath(shape.header)
    rows = rows_shown(scale)
    if rows:
        _paint_header(painter, item, scale)
    elif not item.node.collapsed:
        _paint_summary(painter, item, scale)
    if shape.picture is not None and item.pixmap is not None:
        _paint_picture(painter, item, shape.picture)
        if (counter := item.counter) is not None and (size := counter_size(scale)):
            _paint_counter(painter, item, counter, size)
    if rows:
        _paint_chevron(painter, item.node.collapsed)
        paint_rows(painter, item, scale)
    if (size := legible(SIDE_TEXT, scale)) <= ABOVE:
        _paint_kind(painter, item, size)
        _paint_cost(painter, item, size)
    _paint_outline(painter, item, selected, scale)
    paint_sockets(painter, item)
    if item.node.mode != "on":
        paint_mode(painter, item)
    if item.run.state == "failed":
        _paint_message(painter, item, shape.height + 6, legible(12, scale))


def _paint_header(painter: QPainter, item: NodeItem, scale: float) -> None:
    """The title is large enough to be read even where the rows are not."""
    drawing, word, tint = _badge(item)
    size, small, right = legible(13, scale), legible(SIDE_TEXT, scale), item.shape.width - 10
    if word and has_room(item, word, size, small):
        painter.setFont(font(small))
        painter.setPen(color(tint))
        draw_right(painter, right, HEADER / 2 + small * 0.4, word, small)
        right -= advance(word, small) + 4
    if drawing and not (drawing in CALM and _is_cut(item.title, right - BADGE - 6, size)):
        paint_icon(painter, drawing, QRectF(right - BADGE, (HEADER - BADGE) / 2, BADGE, BADGE), tint)
        right -= BADGE + 6
    painter.setFont(font(size, strong=True))
    painter.setPen(color(colors().text))
    title = elided(item.title, right - TITLE, size=size, strong=True)
    painter.drawText(QPointF(TITLE, HEADER / 2 + size * 0.36), title)


def _is_cut(title: str, right: float, size: int) -> bool:
    return elided(title, right - TITLE, size=size, strong=True) != title


def _paint_summary(painter: QPainter, item: NodeItem, scale: float) -> None:
    """Where rows are not shown, the header says the state; the title stands below it."""
    drawing, word, tint = _badge(item)
    side = min(max(BADGE, legible(SIDE_TEXT, scale)), HEADER - 6)
    if drawing:
        paint_icon(painter, drawing, QRectF(TITLE / 3, (HEADER - side) / 2, side, side), tint)
    size = legible(SIDE_TEXT, scale)
    if word and size * LEADING <= HEADER and advance(word, size) <= item.shape.width - TITLE - side:
        painter.setFont(font(size))
        painter.setPen(color(tint))
        painter.drawText(QPointF(TITLE / 3 + side + 6, HEADER / 2 + size * 0.36), word)


def has_room(item: NodeItem, word: str, size: int, small: int = SIDE_TEXT) -> bool:
    """Whether the word beside the badge leaves the title whole; how far a run is, is said in any case.

    size: of the title. small: of the word.
    """
    free = item.shape.width - TITLE - BADGE - 6 - advance(word, small) - 4 - 10
    return item.run.state == "running" or elided(item.title, free, size=size, strong=True) == item.title


def _badge(item: NodeItem) -> tuple[str, str, str]:
    """What stands at the right of the title: a drawing, a word or a figure, and their colour."""
    theme, run = colors(), item.run
    if item.node.mode != "on":
        return MODES[item.node.mode], item.node.mode, theme.dim
    match run.state:
        case "running":
            count = f"{min(run.done + 1, run.calls)} / {run.calls}" if run.calls > 1 else "running"
            return "loader", count, theme.running
        case "failed":
            return "circle-alert", "failed", theme.failed
        case "done" | "cached" if run.stale:
            return "refresh-cw", "outdated", theme.stale
        case "done":
            return "check", "", theme.done
        case "cached":
            return "database", "cached", theme.done
        case _:
            return ("triangle-alert" if item.problem else ""), "", theme.stale


def _paint_chevron(painter: QPainter, folded: bool) -> None:
    place = QRectF(0, 0, BADGE, BADGE)
    place.moveCenter(CHEVRON.center())
    paint_icon(painter, "chevron-right" if folded else "chevron-down", place, colors().dim)


def _paint_cost(painter: QPainter, item: NodeItem, size: int) -> None:
    """Above the node: the time its result took, and the memory it takes."""
    run = item.run
    parts = [duration(run.seconds)] if run.seconds > 0 else []
    if run.memory:
        parts.append(byte_size(run.memory))
    if parts and run.state in ("done", "cached"):
        painter.setFont(font(size))
        painter.setPen(color(colors().faint))
        draw_right(painter, item.shape.width - 4, -5, " · ".join(parts), size)


def _paint_kind(painter: QPainter, item: NodeItem, size: int) -> None:
    """On the node's upper edge: what it makes is of this kind. In no colour of its own, which would say more."""
    if not item.badge:
        return
    theme, place = colors(), item.badge_place
    word = elided(item.badge, place.width() - 2 * KIND_PAD, size=size)
    place.setWidth(ceil(advance(word, size)) + 2 * KIND_PAD)
    painter.setPen(QPen(color(theme.faint), 1))
    painter.setBrush(color(theme.field))
    painter.drawRoundedRect(place.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
    painter.setFont(font(size))
    painter.setPen(color(theme.text))
    painter.drawText(QPointF(place.left() + KIND_PAD, place.center().y() + size * 0.345), word)


def _paint_picture(painter: QPainter, item: NodeItem, place: QRectF) -> None:
    assert item.pixmap is not None
    painter.drawPixmap(place, item.pixmap, QRectF(item.pixmap.rect()))
    if item.run.stale:
        painter.setPen(NO_PEN)
        painter.setBrush(color(colors().raised, 140))
        painter.drawRect(place)


def counter_size(scale: float) -> int:
    """Of the letters that say which of a batch is shown; 0 where they have no room, and nothing can be chosen."""
    size = legible(12, scale)
    return size if rows_shown(scale) and size <= 0.8 * COUNTER.height() else 0


def _paint_counter(painter: QPainter, item: NodeItem, place: QRectF, size: int) -> None:
    """Which of a batch is shown, between what goes to the one before and to the next."""
    painter.setPen(NO_PEN)
    painter.setBrush(color(colors().panel, 225))
    painter.drawRoundedRect(place, place.height() / 2, place.height() / 2)
    painter.setFont(font(size))
    painter.setPen(color(colors().text))
    text = f"all {item.count}" if item.chosen is None else f"{item.chosen + 1} of {item.count}"
    painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text)
    painter.setPen(color(colors().accent))
    painter.drawText(place.adjusted(7, 0, 0, 0), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, "‹")
    painter.drawText(place.adjusted(0, 0, -7, 0), Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, "›")


def _paint_outline(painter: QPainter, item: NodeItem, selected: bool, scale: float) -> None:
    theme, state = colors(), item.run.state
    tint = _state_color(item)
    if tint is not None:
        _paint_state(painter, item, tint)
    painter.setBrush(NO_BRUSH)
    if selected:
        painter.setPen(QPen(color(theme.accent), max(2.0, 1.5 / scale)))
    elif tint and state in ("running", "failed"):
        painter.setPen(QPen(color(tint), max(1.5, 1.5 / scale)))
    elif not item.known:
        painter.setPen(QPen(color(theme.failed), 1.5, Qt.PenStyle.DashLine))
    else:
        painter.setPen(QPen(color(theme.border), 1))
    painter.drawPath(item.shape.body)


def _paint_state(painter: QPainter, item: NodeItem, tint: str) -> None:
    """A line along the lower edge of the header; as long as the progress while it runs."""
    running, folded = item.run.state == "running", item.node.collapsed
    inset = RADIUS if folded else 1.0  # clear of the round corners
    left, across = inset, item.shape.width - 2 * inset
    height = BAR if running else 2.0
    top = HEADER - height - folded
    painter.setPen(NO_PEN)
    if running:
        painter.setBrush(color(colors().field))
        painter.drawRect(QRectF(left, top, across, height))
    painter.setBrush(color(tint))
    painter.drawRect(QRectF(left, top, across * item.run.fraction if running else across, height))


def _paint_message(painter: QPainter, item: NodeItem, top: float, size: int) -> None:
    """The sentence of a failed node, below it: as many lines as have room."""
    theme, width, high = colors(), item.shape.width, LINE * size / 12
    lines = wrapped(item.run.message, width - 2 * PAD - 4, int((MESSAGE - 9) / high), size=size)
    if not lines:
        return
    painter.setPen(QPen(color(theme.failed, 120), 1))
    painter.setBrush(mixed(theme.canvas, theme.failed, 0.16))
    painter.drawRoundedRect(QRectF(0, top, width, len(lines) * high + 9), 6, 6)
    painter.setPen(color(theme.text))
    painter.setFont(font(size))
    for number, line in enumerate(lines):
        painter.drawText(QPointF(PAD + 2, top + high + number * high), line)
