"""The static layer: what does not move is painted once, into square tiles, and only copied while panning."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import ceil, floor, inf

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSize
from PySide6.QtGui import QColor, QPainter, QPixmap

from ui.canvas.scene.view import View

TILE = 256  # pixels; small, so that no frame has to wait long for one
BUDGET = 0.006  # seconds that one frame may take to paint tiles; at least one is painted
MOVING = 0.002  # the same while the view moves: on a screen of 240 Hz there are 4 ms for all that comes of a move

Places = tuple[tuple[int, int], ...]
Render = Callable[[QPainter, QRectF], None]
"""Paint this part of the world; the painter is in world units."""


WHOLE = QRect(0, 0, TILE, TILE)


@dataclass(slots=True)
class Tile:
    """outdated: the part, in pixels from its corner, that looks different by now."""

    pixmap: QPixmap
    outdated: QRect


@dataclass(frozen=True, slots=True)
class Backdrop:
    """How the layer last looked as a whole, shown where tiles of a new scale are not painted yet."""

    pixmap: QPixmap
    view: View


class Tiles:
    """Tiles of one scale. Tile (i, j) covers pixels [i, i + 1) * 256 from the world's origin."""

    def __init__(self, render: Render, background: QColor) -> None:
        self._render, self._background = render, background
        self._scale = 1.0
        self._ratio = 1.0  # device pixels per pixel
        self._tiles: dict[tuple[int, int], Tile] = {}
        self._backdrop: Backdrop | None = None
        self._last = (View(), False)  # what was drawn last, and whether all of it was up to date
        self._slowest = 0.0  # seconds that a tile took when some were painted last

    def invalidate(self, world: QRectF) -> None:
        """This part looks different now; it is shown as it was until it is painted again."""
        left, top = world.left() * self._scale - 1, world.top() * self._scale - 1
        right, bottom = world.right() * self._scale + 1, world.bottom() * self._scale + 1
        columns = range(floor(left / TILE), ceil(right / TILE))
        rows = range(floor(top / TILE), ceil(bottom / TILE))
        few = len(columns) * len(rows) <= len(self._tiles)
        for i, j in product(columns, rows) if few else list(self._tiles):
            if i in columns and j in rows and (tile := self._tiles.get((i, j))):
                x, y = i * TILE, j * TILE
                here = QRectF(QPointF(left - x, top - y), QPointF(right - x, bottom - y)) & QRectF(WHOLE)
                tile.outdated = tile.outdated.united(here.toAlignedRect())

    def clear(self) -> None:
        """Hold no picture; what is drawn next is painted whole."""
        self._tiles.clear()
        self._backdrop = None
        self._last = (View(), False)

    def draw(self, painter: QPainter, view: View, size: QSize, ratio: float, *, at_once: bool = True) -> bool:
        """Paint the layer; False when some of it is not up to date yet, so that another frame is needed.

        at_once: whether the first frame ever takes what it takes, when there is nothing else to show.
        """
        end = time.perf_counter() + (BUDGET if view == self._last[0] else min(BUDGET, MOVING))
        if ratio != self._ratio:
            self.clear()
            self._ratio = ratio
        if view.scale != self._scale:
            self._keep_look(size)
            self._tiles.clear()
            self._scale = view.scale
        wanted = _visible(view, size)
        if at_once and not self._tiles and self._backdrop is None:
            end = inf
        # A frame in which the view moves shows what there is, if that may be all that there is time for.
        complete = self._refresh(wanted, end, at_least_one=view == self._last[0] or self._backdrop is None)
        if not all(tile in self._tiles for tile in wanted):
            self._draw_backdrop(painter, view, size)
        self._draw_tiles(painter, view, wanted)
        self._last = (view, complete)
        self._forget(_visible(view, size, beyond=1))
        return complete

    def paint_ahead(self, view: View, size: QSize) -> bool:
        """Paint one tile that is just out of sight, so that panning does not meet them all at once; False when all are.

        Nothing is done for a view that was not drawn yet.
        """
        todo = self._outdated(_visible(view, size, beyond=1)) if self._last == (view, True) else ()
        for at in todo[:1]:
            self._update(*at)
        return len(todo) > 1

    def ready(self, view: View, size: QSize, ratio: float) -> bool:
        """Whether all that the view shows is painted."""
        same = (view.scale, ratio) == (self._scale, self._ratio)
        return same and not self._outdated(_visible(view, size))

    def prepare(self, view: View, size: QSize, ratio: float) -> bool:
        """Paint one tile of a view that this layer does not show yet; whether others are left."""
        if (view.scale, ratio) != (self._scale, self._ratio):
            self.clear()
            self._scale, self._ratio = view.scale, ratio
        todo = self._outdated(_visible(view, size))
        for at in todo[:1]:
            self._update(*at)
        return len(todo) > 1

    def _refresh(self, wanted: Places, end: float, *, at_least_one: bool) -> bool:
        """Paint missing tiles, the ones in the middle first, as long as one more is likely to be done by `end`."""
        slowest = 0.0 if at_least_one else self._slowest
        for at in self._outdated(wanted):
            begin = time.perf_counter()
            if slowest and begin + slowest > end:
                return False
            self._update(*at)
            slowest = self._slowest = max(slowest, time.perf_counter() - begin)
        return True

    def _outdated(self, places: Places) -> Places:
        return tuple(at for at in places if at not in self._tiles or self._tiles[at].outdated)

    def _update(self, i: int, j: int) -> None:
        """Paint what is outdated of a tile, or all of one that is not there yet."""
        tile = self._tiles.get((i, j)) or Tile(self._blank(), WHOLE)
        painter = QPainter(tile.pixmap)
        painter.setClipRect(tile.outdated)
        painter.fillRect(WHOLE, self._background)
        painter.translate(-i * TILE, -j * TILE)
        painter.scale(self._scale, self._scale)
        area = QRectF(tile.outdated).translated(i * TILE, j * TILE)
        self._render(painter, View(self._scale).rect_to_world(area))
        painter.end()
        tile.outdated = QRect()
        self._tiles[i, j] = tile

    def _blank(self) -> QPixmap:
        pixmap = QPixmap(round(TILE * self._ratio), round(TILE * self._ratio))
        pixmap.setDevicePixelRatio(self._ratio)
        pixmap.fill(self._background)
        return pixmap

    def _draw_tiles(self, painter: QPainter, view: View, wanted: Places) -> None:
        for i, j in wanted:
            tile = self._tiles.get((i, j))
            if tile is not None:
                painter.drawPixmap(QPoint(i * TILE + view.x, j * TILE + view.y), tile.pixmap)

    def _draw_backdrop(self, painter: QPainter, view: View, size: QSize) -> None:
        old, whole = self._backdrop, QRectF(QPointF(), size)
        if old is None:
            painter.fillRect(whole, self._background)
            return
        area = view.rect_to_screen(old.view.rect_to_world(QRectF(QPointF(), old.pixmap.deviceIndependentSize())))
        if not area.contains(whole):  # a third of the time, and nothing of it to be seen when one zooms in
            painter.fillRect(whole, self._background)
        painter.drawPixmap(area, old.pixmap, QRectF(old.pixmap.rect()))

    def _keep_look(self, size: QSize) -> None:
        """Remember the layer before its scale changes, unless what is remembered serves as well."""
        if not self._tiles:
            return
        view, complete = self._last
        old = self._backdrop
        if old is not None and not complete and 0.6 < old.view.scale / view.scale < 1.6:
            return
        covered = all(at in self._tiles for at in _visible(view, size))
        if old is not None and covered and old.pixmap.size() == size * self._ratio:
            pixmap = old.pixmap  # nothing of it is to be seen any more; new memory would take as long as painting it
        else:
            pixmap = QPixmap(size * self._ratio)
            pixmap.setDevicePixelRatio(self._ratio)
        painter = QPainter(pixmap)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
        if not covered:
            self._draw_backdrop(painter, view, size)
        self._draw_tiles(painter, view, _visible(view, size))
        painter.end()
        self._backdrop = Backdrop(pixmap, view)

    def _forget(self, near: Places) -> None:
        """Let go of the tiles that are far out of sight: one is 256 kB at one device pixel per pixel."""
        for at in self._tiles.keys() - set(near):
            del self._tiles[at]


def _visible(view: View, size: QSize, beyond: int = 0) -> Places:
    """Tiles in sight, from the middle outwards. beyond: how many rows and columns further, on every side."""
    left, top = floor(-view.x / TILE), floor(-view.y / TILE)
    right, bottom = floor((size.width() - 1 - view.x) / TILE), floor((size.height() - 1 - view.y) / TILE)
    return _block(left - beyond, top - beyond, right + beyond, bottom + beyond)


@lru_cache(maxsize=16)
def _block(left: int, top: int, right: int, bottom: int) -> Places:
    x, y = (left + right) / 2, (top + bottom) / 2
    places = ((i, j) for i in range(left, right + 1) for j in range(top, bottom + 1))
    return tuple(sorted(places, key=lambda at: (at[0] - x) ** 2 + (at[1] - y) ** 2))
