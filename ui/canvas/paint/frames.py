"""Paint frames, notes, reroutes and zones. The painter is in world units."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen, QTextCharFormat, QTextCursor, QTextDocument

from nodegraph.graph import Node
from nodegraph.node import NodeType
from ui.base.theme import color, colors, font, mixed
from ui.canvas.paint.levels import LEADING, LEAST, SMALL, least, legible, rows_shown
from ui.canvas.scene.items import NodeItem
from ui.canvas.scene.shape import HEADER, RADIUS
from ui.canvas.scene.zones import ZoneItem
from ui.widgets.lettering import draw_right, elided

TITLE = 15  # size of a frame's or zone's title
LABEL_PAD = 5.0  # pixels beside a title that is read from afar
NOTE_PAD = 10.0
NOTE_SIZE = 13
NOTE_SIZES = (NOTE_SIZE, 16, 20, 25, 32, 40, 50)
MAX_NOTES = 24
"""Rendered notes that are kept. One takes 60 kB and a millisecond, and each width of a note, and each size of its
letters at another zoom, is another: 256 fill 15 MB, and 48 filled for half an hour."""
LONGEST = 20_000  # letters of a note that are rendered


def paint_frames(painter: QPainter, items: Iterable[NodeItem], selected: Collection[str], scale: float) -> None:
    """Large ones first, so that a frame inside another is seen."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for item in sorted(items, key=lambda item: -item.shape.width * item.shape.height):
        tint = frame_tint(item)
        edge = color(colors().accent) if item.id in selected else mixed(colors().canvas, tint, 0.6)
        painter.setPen(QPen(edge, max(1.5, 1.5 / scale)))
        painter.setBrush(mixed(colors().canvas, tint, 0.16))
        painter.drawRoundedRect(item.rect, RADIUS, RADIUS)
        if _fits(scale):
            _paint_title(painter, item.rect, item.title, colors().text, scale)


def _fits(scale: float) -> bool:
    """Whether the title of a frame or zone has room at its top, in letters that can be read."""
    return legible(TITLE, scale) <= HEADER - 8


def paint_labels(painter: QPainter, items: Iterable[NodeItem], zones: Iterable[ZoneItem], scale: float) -> None:
    """Titles of frames and zones seen from afar: over what lies in them, as on a map."""
    if _fits(scale):
        return
    labels = [(item.rect, item.title, frame_tint(item)) for item in items]
    if scale >= SMALL:
        labels += [(zone.rect, zone.title, zone.color) for zone in zones]
    to_pixels = painter.worldTransform()
    painter.setWorldMatrixEnabled(False)
    for rect, title, tint in sorted(labels, key=lambda label: -label[0].width() * label[0].height()):
        _paint_label(painter, to_pixels.mapRect(rect), title, tint)
    painter.setWorldMatrixEnabled(True)


def _paint_label(painter: QPainter, around: QRectF, title: str, tint: str) -> None:
    """In large letters where these leave most of the frame to be seen. around: the frame, in pixels."""
    wide, size = around.width() - 2 * LABEL_PAD, least()
    text = elided(title, wide, size=size, strong=True)
    if text != title or size * LEADING > around.height() / 6:
        size = LEAST
        text = elided(title, wide, size=size, strong=True)
    high = round(size * LEADING) + 2
    if wide < 2 * size or high > around.height():
        return
    across = QFontMetricsF(font(size, strong=True)).horizontalAdvance(text)
    place = QRectF(round(around.left()), round(around.top()), across + 2 * LABEL_PAD, high)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(mixed(colors().canvas, tint, 0.3))
    painter.drawRoundedRect(place, 3, 3)
    painter.setFont(font(size, strong=True))
    painter.setPen(color(colors().text))
    painter.drawText(QPointF(place.left() + LABEL_PAD, place.top() + 0.8 * high), text)


def frame_tint(item: NodeItem) -> str:
    """The frame's colour; a neutral one for what is no colour."""
    return frame_tint_of(item.node, item.type)


def frame_tint_of(node: Node, type: NodeType) -> str:
    """The same of a frame that is not shown."""
    name = str(node.params.get("color", type.inputs[0].default))
    return QColor(name).name() if QColor.isValidColorName(name) else colors().faint


def _paint_title(painter: QPainter, rect: QRectF, title: str, tint: str, scale: float, free: float = 24.0) -> None:
    """At the top of a frame or zone; larger far out, where it is what one reads. free: not for the title."""
    size = legible(TITLE, scale)
    painter.setFont(font(size, strong=True))
    painter.setPen(color(tint))
    text = elided(title, rect.width() - free, size=size, strong=True)
    painter.drawText(QPointF(rect.left() + 12, rect.top() + HEADER / 2 + size * 0.36), text)


def paint_zones(painter: QPainter, zones: Iterable[ZoneItem], scale: float) -> None:
    """The nodes that are repeated, framed; with the round that is looked at where there are pictures of several."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for zone in zones:
        painter.setPen(QPen(mixed(colors().canvas, zone.color, 0.7), max(1.5, 1.2 / scale), Qt.PenStyle.DashLine))
        painter.setBrush(color(zone.color, 18))
        painter.drawRoundedRect(zone.rect, 2 * RADIUS, 2 * RADIUS)
        if not _fits(scale):
            continue
        picked = zone.rounds > 1 and rows_shown(scale)
        _paint_title(painter, zone.rect, zone.title, colors().dim, scale, 160.0 if picked else 24.0)
        if picked:
            _paint_picker(painter, zone, legible(12, scale))


def _paint_picker(painter: QPainter, zone: ZoneItem, size: int) -> None:
    painter.setPen(QPen(color(colors().border), 1))
    painter.setBrush(color(colors().field))
    painter.drawRoundedRect(zone.picker, 6, 6)
    painter.setFont(font(size))
    painter.setPen(color(colors().text))
    painter.drawText(zone.picker, Qt.AlignmentFlag.AlignCenter, zone.picked_text)
    arrow = max(15, size)
    painter.setFont(font(arrow, strong=True))
    painter.setPen(color(colors().accent))
    base = zone.picker.center().y() + arrow / 3
    painter.drawText(QPointF(zone.picker.left() + 9, base), "‹")
    draw_right(painter, zone.picker.right() - 9, base, "›", arrow)


def paint_notes(painter: QPainter, items: Iterable[NodeItem], selected: Collection[str], scale: float) -> None:
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for item in items:
        edge = colors().accent if item.id in selected else colors().border
        painter.setPen(QPen(color(edge), max(1.0, 1.5 / scale) if item.id in selected else 1.0))
        painter.setBrush(mixed(colors().raised, colors().stale, 0.1))
        painter.drawRoundedRect(item.rect, RADIUS, RADIUS)
        if scale >= SMALL:
            _paint_text(painter, item, scale)


def _paint_text(painter: QPainter, item: NodeItem, scale: float) -> None:
    """As much of it as has room, by whole lines, in letters that can be read."""
    text = str(item.node.params.get("text", "")) or "*An empty note: double-click to write*"
    inner = item.rect.adjusted(NOTE_PAD, NOTE_PAD, -NOTE_PAD, -NOTE_PAD)
    painter.save()
    painter.translate(inner.topLeft())
    painter.setPen(color(colors().text))
    document = note_document(text, inner.width(), _note_size(scale))
    seen = _whole_lines(document, inner.height())
    document.drawContents(painter, QRectF(0, 0, inner.width(), seen))
    painter.restore()
    if document.size().height() > seen or len(text) > LONGEST:
        _paint_more(painter, item.rect, scale)


def _paint_more(painter: QPainter, note: QRectF, scale: float) -> None:
    """That the text goes on: three dots in a corner, on a ground that keeps them from its letters."""
    dot = max(3.0, 2.5 / scale)
    ground = QRectF(0, 0, 9 * dot, 4 * dot)
    ground.moveBottomRight(note.bottomRight() - QPointF(4, 4))
    if ground.width() > note.width() - 8 or ground.height() > note.height() - 8:
        return
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(mixed(colors().raised, colors().accent, 0.25))
    painter.drawRoundedRect(ground, 2 * dot, 2 * dot)
    painter.setBrush(color(colors().text))
    for place in (-2.5, 0.0, 2.5):
        painter.drawEllipse(ground.center() + QPointF(place * dot, 0), dot / 1.6, dot / 1.6)


def _note_size(scale: float) -> int:
    """In few steps: each has its own layout of the text, and zooming goes through many scales."""
    wanted = legible(NOTE_SIZE, scale)
    return next((size for size in NOTE_SIZES if size >= wanted), wanted)


def _whole_lines(document: QTextDocument, height: float) -> float:
    """Where the last line ends that is whole within the height."""
    if document.size().height() <= height:
        return height
    end, block = 0.0, document.begin()
    while block.isValid():
        layout = block.layout()
        top = layout.position().y()
        for number in range(layout.lineCount()):
            low = top + layout.lineAt(number).rect().bottom()
            if low > height:
                return end
            end = low
        block = block.next()
    return end


@lru_cache(maxsize=MAX_NOTES)
def note_document(text: str, width: float, size: int = NOTE_SIZE) -> QTextDocument:
    """The rendered Markdown; it is written with the painter's pen. width: of the text, in world units. size: of its
    letters.
    """
    made = QTextDocument()
    made.setDefaultFont(font(size))
    made.setDocumentMargin(0)
    made.setMarkdown(text[:LONGEST])
    made.setIndentWidth(20)
    _lighten(made)
    made.setTextWidth(width)
    return made


def _lighten(document: QTextDocument) -> None:
    """Bold as the font has it: a heavier weight would be smeared from it."""
    lighter = QTextCharFormat()
    lighter.setFontWeight(QFont.Weight.DemiBold)
    cursor = QTextCursor(document)
    block = document.begin()
    while block.isValid():
        for part in block.textFormats():
            if part.format.fontWeight() > QFont.Weight.DemiBold:
                cursor.setPosition(block.position() + part.start)
                cursor.setPosition(block.position() + part.start + part.length, QTextCursor.MoveMode.KeepAnchor)
                cursor.mergeCharFormat(lighter)
        block = block.next()


def note_height(text: str, width: float) -> float:
    """How high a note of that width must be to show all of its text."""
    return note_document(text, width - 2 * NOTE_PAD).size().height() + 2 * NOTE_PAD


def paint_reroutes(painter: QPainter, items: Iterable[NodeItem], selected: Collection[str], scale: float) -> None:
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for item in items:
        tint = mixed(colors().canvas, item.color, 0.85)
        painter.setPen(QPen(tint, max(2.0, 1.2 / scale)))
        middle = item.rect.center()
        painter.drawLine(QPointF(item.rect.left(), middle.y()), QPointF(item.rect.right(), middle.y()))
        chosen = item.id in selected
        painter.setPen(QPen(color(colors().accent if chosen else colors().canvas), 2.0 if chosen else 1.5))
        painter.setBrush(tint)
        painter.drawEllipse(middle, 7, 7)
