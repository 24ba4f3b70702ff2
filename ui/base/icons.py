"""The icons of the program: drawings by Lucide in the ink of the theme, sharp at any size.

A drawing is asked for by Lucide's own name, which is the name of its file; `tools/icons.py` takes more of them in.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Literal

from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QIconEngine, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from ui.base.theme import ICON_FOLDER, colors

Ink = Literal["text", "dim", "faint", "on_accent", "done", "failed", "stale", "running"]
"""A colour of the theme."""


@cache  # never dropped: Qt goes on with an engine whose Python half was collected, into a crash
def _shared(name: str, ink: Ink) -> tuple[QIcon, _Engine]:
    _drawing(name)
    engine = _Engine(name, ink)
    return QIcon(engine), engine


def icon(name: str, ink: Ink = "text") -> QIcon:
    """For buttons, menus and tabs; it follows the theme. Raises FileNotFoundError when there is no such drawing."""
    return _shared(name, ink)[0]


def paint_icon(painter: QPainter, name: str, place: QRectF, ink: str) -> None:
    """ink: "#rrggbb". place: in the painter's units; the drawings are square."""
    _renderer(name, ink).render(painter, place)


class _Engine(QIconEngine):
    """Asked by Qt for each size and state, so one object serves every theme and every screen."""

    def __init__(self, name: str, ink: Ink) -> None:
        super().__init__()
        self._name = name
        self._ink: Ink = ink

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        ink: Ink = "faint" if mode is QIcon.Mode.Disabled else self._ink
        side = min(rect.width(), rect.height())
        place = QRectF(0, 0, side, side)
        place.moveCenter(QRectF(rect).center())
        paint_icon(painter, self._name, place, getattr(colors(), ink))

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        made = QPixmap(size)
        made.fill(Qt.GlobalColor.transparent)
        painter = QPainter(made)
        self.paint(painter, QRect(QPoint(0, 0), size), mode, state)
        painter.end()
        return made

    def clone(self) -> _Engine:
        return _Engine(self._name, self._ink)


@lru_cache(maxsize=256)
def _drawing(name: str) -> str:
    return (ICON_FOLDER / "lucide" / f"{name}.svg").read_text("utf-8")


@lru_cache(maxsize=512)
def _renderer(name: str, ink: str) -> QSvgRenderer:
    # Qt's SVG knows no currentColor.
    return QSvgRenderer(_drawing(name).replace("currentColor", ink).encode())
