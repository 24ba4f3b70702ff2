"""The cells of a sweep in rows and columns under their labels, as they are made."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, QSizeF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QFontMetricsF,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QToolTip, QWidget

from nodegraph.sweeping.sheet import Page
from nodegraph.sweeping.sweep import Cell
from nodegraph.types import Picture
from ui.base.theme import color, colors, panel_font
from ui.panels.gallery_tiles import paint_star
from ui.runs.engine import FRAME_MS
from ui.runs.sweep_runs import SweepRuns
from ui.widgets.pixmaps import pixmap
from ui.widgets.thumbnails import Thumbnails

LEAST, USUAL, MOST = 48, 128, 320
"""Pixels of a cell's side."""

NOTCH = 1.2  # zoom of one notch of the wheel
GAP, ROUND, BAR = 6, 5, 3  # pixels
WIDEST = 2.0
"""Of a label beside a row, in cells."""

SAID = {"waiting": "waits", "running": "runs", "failed": "failed", "": "", "made": "no picture"}


class Block(NamedTuple):
    """A page and where it lies. top: of its title. first: the top left corner of its first cell. last: its last row."""

    page: Page
    top: float
    first: QPointF
    last: int


class SweepGrid(QAbstractScrollArea):
    """The wheel with Ctrl zooms; arrows go from cell to cell, Enter opens, S stars; Ctrl and Shift choose several."""

    chosen = Signal()  # other cells are selected
    opened = Signal(object)  # Cell
    starring = Signal()  # those that are selected
    menu_wanted = Signal(QPoint)  # on the screen

    def __init__(self, runs: SweepRuns, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runs = runs
        self._pages: Sequence[Page] = ()
        self._blocks: list[Block] = []
        self._places: dict[Cell, QRectF] = {}
        self._on_the_way: dict[Cell, tuple[Picture, QPixmap]] = {}
        self._head = 0.0
        self.side = USUAL
        self.selected: list[Cell] = []  # the newest last
        self.thumbnails = Thumbnails(self)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Sweep")
        self.setFrameShape(QAbstractScrollArea.Shape.NoFrame)
        self.viewport().setMouseTracking(True)
        self._soon = QTimer(self, interval=FRAME_MS, singleShot=True)
        self._soon.timeout.connect(self.viewport().update)
        self.thumbnails.loaded.connect(self._repaint_soon)
        runs.cell_changed.connect(self._repaint_soon)

    def sizeHint(self) -> QSize:
        return QSize(520, 300)

    def show_pages(self, pages: Sequence[Page]) -> None:
        self._pages = pages
        there = {cell for page in pages for cell in page.places.values()}
        self.selected = [cell for cell in self.selected if cell in there]
        self._arrange()

    def zoom(self, side: float) -> None:
        """side: of a cell, in pixels."""
        side = round(min(max(side, LEAST), MOST))
        if side != self.side:
            share = self.verticalScrollBar().value() / max(1, self.verticalScrollBar().maximum())
            self.side = side
            self._arrange()
            self.verticalScrollBar().setValue(round(share * self.verticalScrollBar().maximum()))

    def cell_at(self, at: QPointF) -> Cell | None:
        """at: in the viewport."""
        world = at + self._shift
        near = (cell for block in self._blocks for cell in self._within(block, QRectF(world, QSizeF(1, 1))))
        return next((cell for cell in near if self._places[cell].contains(world)), None)

    def place(self, cell: Cell) -> QRectF:
        """Where a cell is in the viewport."""
        return self._places[cell].translated(-self._shift)

    def select(self, cells: Sequence[Cell]) -> None:
        self.selected = list(cells)
        if cells:
            self._show(cells[-1])
        self.viewport().update()
        self.chosen.emit()

    # Where everything is ------------------------------------------------------------------------------

    @property
    def _shift(self) -> QPointF:
        return QPointF(self.horizontalScrollBar().value(), self.verticalScrollBar().value())

    def _arrange(self) -> None:
        metrics = QFontMetricsF(panel_font(12))
        line = metrics.height()
        longest = max((metrics.horizontalAdvance(row) for page in self._pages for row in page.rows), default=0.0)
        self._head = math.ceil(min(longest, WIDEST * self.side)) + 1 + GAP * 2 if longest else GAP
        self._blocks, self._places = [], {}
        top, right = float(GAP), 0.0
        for page in map(self._flowing, self._pages):
            label = line if page.labels else 0.0
            first = top + (line + GAP if page.title else 0) + (line if page.columns else 0) + label + GAP / 2
            last = max((row for row, _ in page.places), default=-1)
            self._blocks.append(Block(page, top, QPointF(self._head, first), last))
            step = self._step(page)
            for (row, column), cell in page.places.items():
                place = QRectF(self._head + column * (self.side + GAP), first + row * step, self.side, self.side)
                self._places[cell] = place
                right = max(right, place.right())
            top = first + (1 + last) * step + GAP
        self._whole = QSize(math.ceil(right) + GAP, math.ceil(top))
        self._fit_bars()
        self.viewport().update()

    def _flowing(self, page: Page) -> Page:
        """Cells that stand in a list stand in as many columns as there is room for."""
        if not page.labels:
            return page
        across = max(1, int((self.viewport().width() - self._head) // (self.side + GAP)))
        places = {divmod(number, across): cell for number, cell in enumerate(page.places.values())}
        return page._replace(places=places)

    def _within(self, block: Block, area: QRectF) -> Iterator[Cell]:
        """The cells of a block that lie in a part of the whole, and some beside: however many there are in all."""
        page, first = block.page, block.first
        across, down = self.side + GAP, self._step(page)
        columns = range(_index(area.left() - first.x(), across), _index(area.right() - first.x(), across) + 1)
        below = min(block.last, _index(area.bottom() - first.y(), down) + 1)
        for row in range(_index(area.top() - first.y(), down), below + 1):
            yield from (page.places[row, column] for column in columns if (row, column) in page.places)

    def _step(self, page: Page) -> float:
        """From a row to the next; a label of its own stands above each cell."""
        return self.side + GAP + (QFontMetricsF(panel_font(12)).height() if page.labels else 0.0)

    def _fit_bars(self) -> None:
        seen = self.viewport().size()
        for bar, whole, page in (
            (self.horizontalScrollBar(), self._whole.width(), seen.width()),
            (self.verticalScrollBar(), self._whole.height(), seen.height()),
        ):
            bar.setRange(0, max(0, whole - page))
            bar.setPageStep(page)
            bar.setSingleStep(self.side // 3)

    def _show(self, cell: Cell) -> None:
        """Bring it into view."""
        place, seen = self._places[cell], QRectF(self._shift, self.viewport().size().toSizeF())
        for bar, low, high, near, far in (
            (self.horizontalScrollBar(), place.left() - GAP, place.right() + GAP, seen.left(), seen.right()),
            (self.verticalScrollBar(), place.top() - GAP, place.bottom() + GAP, seen.top(), seen.bottom()),
        ):
            if low < near:
                bar.setValue(int(low))
            elif high > far:
                bar.setValue(math.ceil(high - (far - near)))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if any(page.labels for page in self._pages):
            self._arrange()
        elif self._pages:
            self._fit_bars()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._arrange()

    def _repaint_soon(self, *_: object) -> None:
        if not self._soon.isActive():
            self._soon.start()

    # How it looks -------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(event.rect(), color(colors().panel))
        painter.translate(-self._shift)
        painter.setFont(panel_font(12))
        seen = QRectF(event.rect()).translated(self._shift)
        for block in self._blocks:
            self._paint_labels(painter, block, seen)
            for cell in self._within(block, seen):
                self._paint_cell(painter, block.page, cell)
        painter.end()

    def _paint_labels(self, painter: QPainter, block: Block, seen: QRectF) -> None:
        page, line = block.page, painter.fontMetrics().height()
        if page.title:
            painter.setPen(color(colors().text))
            room = QRectF(GAP, block.top, max(self._whole.width() - 2 * GAP, 1), line)
            self._write(painter, page.title, room, Qt.AlignmentFlag.AlignLeft)
        painter.setPen(color(colors().dim))
        for column, label in enumerate(page.columns):
            left = block.first.x() + column * (self.side + GAP)
            room = QRectF(left, block.first.y() - line - GAP / 2, self.side, line)
            if room.intersects(seen):
                self._write(painter, label, room, Qt.AlignmentFlag.AlignHCenter)
        for row, label in enumerate(page.rows):
            top = block.first.y() + row * (self.side + GAP)
            room = QRectF(GAP, top, self._head - 2 * GAP, self.side)
            if room.intersects(seen):
                self._write(painter, label, room, Qt.AlignmentFlag.AlignVCenter)

    @staticmethod
    def _write(painter: QPainter, text: str, room: QRectF, alignment: Qt.AlignmentFlag) -> None:
        metrics, name, value = painter.fontMetrics(), *text.rpartition(" ")[::2]
        if name and value[-1:].isdigit() and metrics.horizontalAdvance(text) > room.width():
            text = value  # of a number the name can be missed
        short = metrics.elidedText(text, Qt.TextElideMode.ElideRight, int(room.width()))
        painter.drawText(room, alignment | Qt.AlignmentFlag.AlignVCenter, short)

    def _paint_cell(self, painter: QPainter, page: Page, cell: Cell) -> None:
        place, theme, state = self._places[cell], colors(), self._runs.state(cell)
        if page.labels:
            painter.setPen(color(theme.dim))
            line = painter.fontMetrics().height()
            self._write(painter, page.labels[cell], QRectF(place.left(), place.top() - line, self.side, line),
                        Qt.AlignmentFlag.AlignLeft)  # fmt: skip
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color(theme.field))
        painter.drawRoundedRect(place, ROUND, ROUND)
        pictures = self._runs.pictures(cell)
        shown = [picture for path in pictures if (picture := self.thumbnails.get(path)) is not None]
        for picture, room in zip(shown, _shared(place, len(pictures)), strict=False):
            _draw(painter, picture, room)
        if state == "running" and not pictures:
            self._paint_on_the_way(painter, place, cell)
        elif not pictures:
            painter.setPen(color({"failed": theme.failed, "running": theme.running}.get(state, theme.faint)))
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, SAID[state])
        if self._runs.starred(cell):
            paint_star(painter, place)
            painter.setFont(panel_font(12))
        if cell in self.selected:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            pen = painter.pen()
            pen.setColor(color(theme.accent))
            pen.setWidthF(2.0)
            painter.setPen(pen)
            painter.drawRoundedRect(place.adjusted(1, 1, -1, -1), ROUND, ROUND)

    def _paint_on_the_way(self, painter: QPainter, place: QRectF, cell: Cell) -> None:
        """What it looks like by now, and below it how far it is."""
        picture, fraction = self._runs.on_the_way(cell)
        if picture is None:
            painter.setPen(color(colors().running))
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, SAID["running"])
            painter.setPen(Qt.PenStyle.NoPen)
        else:
            _draw(painter, self._pixmap(cell, picture), place)
        done = QRectF(place.left(), place.bottom() - BAR, place.width() * fraction, BAR)
        painter.setBrush(color(colors().running))
        painter.drawRect(done)

    def _pixmap(self, cell: Cell, picture: Picture) -> QPixmap:
        """Made once for each picture; only those of cells that run are kept."""
        known = self._on_the_way.get(cell)
        if known is None or known[0] is not picture:
            running = {other for other in self._on_the_way if self._runs.state(other) == "running"}
            self._on_the_way = {other: self._on_the_way[other] for other in running}
            known = self._on_the_way[cell] = picture, pixmap(picture)
        return known[1]

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            cell = self.cell_at(QPointF(event.pos()))
            QToolTip.showText(event.globalPos(), self._words(cell) if cell is not None else "", self.viewport())
            return True
        return super().viewportEvent(event)

    def _words(self, cell: Cell) -> str:
        sweep = self._runs.sweep
        labels = [f"{name}: {label}" for name, label in sweep.labels(cell).items()] if sweep else []
        return "\n".join(filter(None, (*labels, self._runs.message(cell), *self._runs.pictures(cell))))

    # Mouse and keys -----------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        cell = self.cell_at(event.position())
        right = event.button() == Qt.MouseButton.RightButton
        if not right or (cell is not None and cell not in self.selected):
            self.select(self._with(cell, event.modifiers()))
        if right and self.selected:
            self.menu_wanted.emit(event.globalPosition().toPoint())

    def _with(self, cell: Cell | None, keys: Qt.KeyboardModifier) -> list[Cell]:
        """What is selected after a click on a cell."""
        more = keys & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
        if cell is None:
            return self.selected if more else []
        if not more:
            return [cell]
        if keys & Qt.KeyboardModifier.ShiftModifier and self.selected:
            order = list(self._places)
            ends = sorted((order.index(self.selected[-1]), order.index(cell)))
            between = [other for other in order[ends[0] : ends[1] + 1] if other != cell]
            return [*dict.fromkeys((*self.selected, *between)), cell]
        kept = [other for other in self.selected if other != cell]
        return kept if cell in self.selected else [*kept, cell]

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if (cell := self.cell_at(event.position())) is not None:
            self.opened.emit(cell)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom(self.side * NOTCH ** (event.angleDelta().y() / 120))
            event.accept()
        else:
            super().wheelEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, -1), Qt.Key.Key_Down: (0, 1)}
        key = Qt.Key(event.key())
        if step := steps.get(key):
            if (cell := self._beside(*step)) is not None:
                more = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
                self.select([*(other for other in self.selected if more and other != cell), cell])
        elif key == Qt.Key.Key_S:
            self.starring.emit()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.selected:
            self.opened.emit(self.selected[-1])
        elif key == Qt.Key.Key_Menu and self.selected:
            corner = self.place(self.selected[-1]).center().toPoint()
            self.menu_wanted.emit(self.viewport().mapToGlobal(corner))
        else:
            super().keyPressEvent(event)

    def _beside(self, right: int, down: int) -> Cell | None:
        """The nearest cell in that direction; the first when none is selected."""
        if not self.selected or self.selected[-1] not in self._places:
            return next(iter(self._places), None)
        here = self._places[self.selected[-1]].center()

        def ways() -> Iterator[tuple[float, Cell]]:
            for cell, place in self._places.items():
                way = place.center() - here
                ahead = way.x() * right + way.y() * down
                aside = abs(way.x() * down) + abs(way.y() * right)
                if ahead > 1 and aside <= ahead:
                    yield ahead + 2 * aside, cell

        return min(ways(), default=(0.0, None))[1]


def _index(way: float, step: float) -> int:
    return max(0, math.floor(way / step))


def _shared(place: QRectF, count: int) -> Iterator[QRectF]:
    """Room for each of the pictures of a cell."""
    across = math.ceil(math.sqrt(max(count, 1)))
    for number in range(count):
        row, column = divmod(number, across)
        side = QPointF(place.width() / across, place.height() / across)
        corner = place.topLeft() + QPointF(column * side.x(), row * side.y())
        yield QRectF(corner.x(), corner.y(), side.x(), side.y())


def _draw(painter: QPainter, picture: QPixmap, room: QRectF) -> None:
    size = picture.size().toSizeF().scaled(room.size(), Qt.AspectRatioMode.KeepAspectRatio)
    target = QRectF(0, 0, size.width(), size.height())
    target.moveCenter(room.center())
    painter.drawPixmap(target, picture, QRectF(picture.rect()))
