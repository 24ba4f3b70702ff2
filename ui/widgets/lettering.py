"""Text that fits its place on the canvas. Lengths are in world units; measuring is remembered."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QTextLayout, QTextOption

from ui.base.theme import font

LINE = 17.0  # height of a line of text
KEPT = 2048
"""Texts of each kind that are remembered: a screen shows some hundred, and each zoom and width asks for others."""


@lru_cache(maxsize=KEPT)
def advance(text: str, size: int) -> float:
    """Width of the text."""
    return QFontMetricsF(font(size)).horizontalAdvance(text)


def elided(text: str, width: float, *, size: int = 13, strong: bool = False) -> str:
    """The text, cut with an ellipsis so that it fits."""
    return _elided(text[: max(round(width), 0) + 1], width, size, strong)  # no letter is narrower than one unit


@lru_cache(maxsize=KEPT)
def _elided(text: str, width: float, size: int, strong: bool) -> str:
    return QFontMetricsF(font(size, strong=strong)).elidedText(text, Qt.TextElideMode.ElideRight, width)


def wrapped(text: str, width: float, count: int, *, size: int = 12, strong: bool = False) -> tuple[str, ...]:
    """At most `count` lines that fit; the last, and a word that is too long for one, are cut with an ellipsis."""
    return _wrapped(text[: round(width) * count], width, count, size, strong)  # no letter is narrower than one unit


@lru_cache(maxsize=KEPT)
def _wrapped(text: str, width: float, count: int, size: int, strong: bool) -> tuple[str, ...]:
    lines: list[str] = []
    for paragraph in text.split("\n"):
        layout = QTextLayout(paragraph, font(size, strong=strong))
        layout.setTextOption(QTextOption(Qt.AlignmentFlag.AlignLeft))
        layout.beginLayout()
        while (line := layout.createLine()).isValid():
            line.setLineWidth(width)
            lines.append(paragraph[line.textStart() : line.textStart() + line.textLength()])
        layout.endLayout()
    if len(lines) > count:
        lines = [*lines[: count - 1], " ".join(line.rstrip() for line in lines[count - 1 :])]
    return tuple(elided(line.rstrip(), width, size=size, strong=strong) for line in lines)


def draw_right(painter: QPainter, right: float, base: float, text: str, size: int) -> None:
    """Write the text so that it ends at `right`; the painter has the font of that size."""
    painter.drawText(QPointF(right - advance(text, size), base), text)
