"""The static layer, and the same with dimmed wires, which takes its place while some are lit."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QColor, QPainter

from ui.canvas.paint.tiles import Tiles
from ui.canvas.scene.view import View


class Ground:
    """One of the two is shown, and the other takes its place once it was painted, tile by tile when nothing else is to
    do: so no frame waits because the pointer is over a node. render: paints a part of the world, dimmed or not.
    """

    def __init__(self, render: Callable[[QPainter, QRectF, bool], None], background: QColor) -> None:
        self._plain, self._dimmed = (
            Tiles(lambda painter, area, dim=dim: render(painter, area, dim), background) for dim in (False, True)
        )
        self._shown = self._wanted = self._plain
        self._for_long = False

    @property
    def dimmed(self) -> bool:
        """Whether dimmed wires are shown."""
        return self._shown is self._dimmed

    def dim(self, on: bool, *, for_long: bool = False) -> None:
        """for_long: the other layer will not be wanted soon, and gives back its memory."""
        self._wanted, self._for_long = self._dimmed if on else self._plain, for_long or not on

    def stay(self) -> None:
        """Go on with what is shown."""
        self._wanted = self._shown

    def draw(self, painter: QPainter, view: View, size: QSize, ratio: float, *, at_once: bool = True) -> bool:
        """As `Tiles.draw`."""
        if self._shown is not self._wanted and self._wanted.ready(view, size, ratio):
            before, self._shown = self._shown, self._wanted
            if self._for_long:
                before.clear()
        return self._shown.draw(painter, view, size, ratio, at_once=at_once)

    def paint_ahead(self, view: View, size: QSize, ratio: float) -> tuple[bool, bool]:
        """Paint one tile more; whether others are left, and whether the layer that is wanted can be shown now."""
        if self._shown is self._wanted:
            return self._shown.paint_ahead(view, size), False
        left = self._wanted.prepare(view, size, ratio)
        return left, not left

    def invalidate(self, world: QRectF) -> None:
        self._plain.invalidate(world)
        self._dimmed.invalidate(world)

    def clear(self) -> None:
        self._plain.clear()
        self._dimmed.clear()
