"""The static layer: what does not move is painted once, into square tiles, and only copied while panning."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import floor, inf

from PySide6.QtCore import QPoint, QPointF, QRectF, QSize
from PySide6.QtGui import QColor, QPainter, QPixmap

from ui.canvas.view import View

TILE = 512  # pixels
KEPT = 16  # tiles, or as many as are in sight; one is 1 MB at one device pixel per pixel
BUDGET = 0.006  # seconds of painting tiles in one frame; at least one tile is painted

Render = Callable[[QPainter, QRectF], None]
"""Paint this part of the world; the painter is in world units."""


@dataclass(slots=True)
class Tile:
    pixmap: QPixmap
    fresh: bool


@dataclass(frozen=True, slots=True)
class Backdrop:
    """How the layer last looked as a whole, shown where tiles of a new scale are not painted yet."""

    pixmap: QPixmap
    view: View


class Tiles:
    """Tiles of one scale. Tile (i, j) covers pixels [i, i + 1) * 512 from the world's origin."""

    def __init__(self, render: Render, background: QColor) -> None:
        self._render, self._background = render, background
        self._scale = 1.0
        self._ratio = 1.0  # device pixels per pixel
        self._tiles: dict[tuple[int, int], Tile] = {}
        self._backdrop: Backdrop | None = None
        self._last = (View(), False)  # what was drawn last, and whether all of it was up to date

    def invalidate(self, world: QRectF) -> None:
        """This part looks different now; it is shown as it was until it is painted again."""
        left, top = floor(world.left() * self._scale / TILE), floor(world.top() * self._scale / TILE)
        right, bottom = floor(world.right() * self._scale / TILE), floor(world.bottom() * self._scale / TILE)
        for (i, j), tile in self._tiles.items():
            if left <= i <= right and top <= j <= bottom:
                tile.fresh = False

    def clear(self) -> None:
        self._tiles.clear()
        self._backdrop = None

    def draw(self, painter: QPainter, view: View, size: QSize, ratio: float) -> bool:
        """Paint the layer; False when some of it is not up to date yet, so that another frame is needed."""
        if ratio != self._ratio:
            self.clear()
            self._ratio = ratio
        if view.scale != self._scale:
            self._keep_look(size)
            self._tiles.clear()
            self._scale = view.scale
        wanted = _visible(view, size)
        complete = self._refresh(wanted)
        if not all(tile in self._tiles for tile in wanted):
            self._draw_backdrop(painter, view, size)
        self._draw_tiles(painter, view, wanted)
        self._last = (view, complete)
        self._forget(wanted)
        return complete

    def _refresh(self, wanted: list[tuple[int, int]]) -> bool:
        """Paint missing tiles, the ones in the middle first, for as long as the budget lasts.

        The first frame ever takes what it takes: there is nothing else to show.
        """
        first = not self._tiles and self._backdrop is None
        end = time.perf_counter() + (inf if first else BUDGET)
        todo = [at for at in wanted if at not in self._tiles or not self._tiles[at].fresh]
        for count, at in enumerate(todo):
            if count and time.perf_counter() > end:
                return False
            self._tiles[at] = Tile(self._painted(*at), fresh=True)
        return True

    def _painted(self, i: int, j: int) -> QPixmap:
        pixmap = QPixmap(round(TILE * self._ratio), round(TILE * self._ratio))
        pixmap.setDevicePixelRatio(self._ratio)
        pixmap.fill(self._background)
        painter = QPainter(pixmap)
        painter.translate(-i * TILE, -j * TILE)
        painter.scale(self._scale, self._scale)
        side = TILE / self._scale
        self._render(painter, QRectF(i * side, j * side, side, side))
        painter.end()
        return pixmap

    def _draw_tiles(self, painter: QPainter, view: View, wanted: list[tuple[int, int]]) -> None:
        for i, j in wanted:
            tile = self._tiles.get((i, j))
            if tile is not None:
                painter.drawPixmap(QPoint(i * TILE + view.x, j * TILE + view.y), tile.pixmap)

    def _draw_backdrop(self, painter: QPainter, view: View, size: QSize) -> None:
        painter.fillRect(QRectF(QPointF(), size), self._background)
        if self._backdrop is not None:
            old = self._backdrop
            area = old.view.rect_to_world(QRectF(QPointF(), old.pixmap.deviceIndependentSize()))
            painter.drawPixmap(view.rect_to_screen(area), old.pixmap, QRectF(old.pixmap.rect()))

    def _keep_look(self, size: QSize) -> None:
        """Remember the layer before its scale changes, unless what is remembered serves as well."""
        if not self._tiles:
            return
        view, complete = self._last
        old = self._backdrop
        if old is not None and not complete and 0.6 < old.view.scale / view.scale < 1.6:
            return
        pixmap = QPixmap(size * self._ratio)
        pixmap.setDevicePixelRatio(self._ratio)
        painter = QPainter(pixmap)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
        self._draw_backdrop(painter, view, size)
        self._draw_tiles(painter, view, _visible(view, size))
        painter.end()
        self._backdrop = Backdrop(pixmap, view)

    def _forget(self, wanted: list[tuple[int, int]]) -> None:
        """Let go of the tiles painted longest ago that are out of sight."""
        spare = [at for at in self._tiles if at not in set(wanted)]
        for at in spare[: max(len(self._tiles) - KEPT, 0)]:
            del self._tiles[at]


def _visible(view: View, size: QSize) -> list[tuple[int, int]]:
    """Tiles in sight, from the middle outwards."""
    columns = range(floor(-view.x / TILE), floor((size.width() - 1 - view.x) / TILE) + 1)
    rows = range(floor(-view.y / TILE), floor((size.height() - 1 - view.y) / TILE) + 1)
    middle = ((size.width() / 2 - view.x) / TILE - 0.5, (size.height() / 2 - view.y) / TILE - 0.5)
    return sorted(
        ((i, j) for i in columns for j in rows), key=lambda at: (at[0] - middle[0]) ** 2 + (at[1] - middle[1]) ** 2
    )
