"""Shapes of what is no ordinary node: frames, notes and reroutes. Lengths in world units."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainterPath

from nodegraph.builtin import FRAME, NOTE, REROUTE
from ui.canvas.scene.shape import HEADER, RADIUS, Shape

Figure = Literal["node", "frame", "note", "reroute"]

FIGURES: dict[str, Figure] = {FRAME: "frame", NOTE: "note", REROUTE: "reroute"}
NATURAL: dict[Figure, tuple[float, float]] = {"frame": (480, 320), "note": (260, 150), "reroute": (28, 16)}
LEAST = (80.0, 60.0)  # width and height of the smallest frame or note
GRIP = 8.0  # the strip inside the right and the lower edge that is dragged to resize


def figure_of(type: str) -> Figure:
    """type: id of a node type."""
    return FIGURES.get(type, "node")


@lru_cache(maxsize=128)  # each size that a frame is dragged through is another
def figure_shape(figure: Figure, size: tuple[float, float] | None) -> Shape:
    """The shape of a frame, a note or a reroute; size: of the node, None for its natural one."""
    width, height = size if size and figure != "reroute" else NATURAL[figure]
    body = QPainterPath()
    body.addRoundedRect(QRectF(0, 0, width, height), RADIUS, RADIUS)
    ends = (QPointF(0, height / 2), QPointF(width, height / 2)) if figure == "reroute" else None
    inputs, outputs = ({"value": ends[0]}, {"value": ends[1]}) if ends else ({}, {})
    return Shape(width, height, (), inputs, outputs, None, body, body)


def frame_is_hit(rect: QRectF, point: QPointF) -> bool:
    """Whether the point is on a frame's title or edge: what is inside it is not the frame's to hold."""
    inner = rect.adjusted(GRIP, HEADER, -GRIP, -GRIP)
    return rect.contains(point) and not inner.contains(point)
