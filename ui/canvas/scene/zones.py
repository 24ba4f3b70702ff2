"""Repeat and for-each zones as the canvas shows them: a frame around their nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from PySide6.QtCore import QPointF, QRectF

from nodegraph.builtin import REPEAT_BEGIN, ForEachZone, RepeatZone
from nodegraph.graph import Node
from nodegraph.reach import ZoneNodes
from nodegraph.types import style
from ui.canvas.scene.shape import HEADER

PAD = 26.0  # world units around the nodes
PICKER = (132.0, 22.0)


@dataclass(frozen=True, slots=True)
class ZoneItem:
    """rounds: how many rounds there are pictures of. round: the one that is looked at, from 0; None for the newest."""

    begin: str
    nodes: frozenset[str]
    rect: QRectF
    title: str
    color: str
    rounds: int = 0
    round: int | None = None

    @property
    def bounds(self) -> QRectF:
        """The rectangle with its outline."""
        return self.rect.adjusted(-4, -4, 4, 4)

    def moved(self, before: QRectF, after: QRectF) -> ZoneItem:
        """While its nodes are carried. before, after: what encloses them in the document, and where they are now."""
        left, top = after.left() - before.left(), after.top() - before.top()
        right, low = after.right() - before.right(), after.bottom() - before.bottom()
        return replace(self, rect=self.rect.adjusted(left, top, right, low))

    @property
    def picker(self) -> QRectF:
        """Where the round is shown and chosen: at the right of the title."""
        width, height = PICKER
        return QRectF(self.rect.right() - width - 12, self.rect.top() + (HEADER - height) / 2, width, height)

    @property
    def picked_text(self) -> str:
        return f"{self.rounds if self.round is None else min(self.round + 1, self.rounds)} / {self.rounds}"

    def step_at(self, point: QPointF) -> int:
        """What a click there does: -1 for the round before, 1 for the next, 0 for neither."""
        if self.rounds < 2 or not self.picker.contains(point):
            return 0
        return -1 if point.x() < self.picker.center().x() else 1


def zone_item(zone: ZoneNodes, begin: Node, rects: Mapping[str, QRectF], depth: int) -> ZoneItem:
    """depth: how many zones inside this one are framed as well; each needs room."""
    around = QRectF()
    for id in zone.nodes:
        around = around.united(rects[id])
    pad = PAD * (depth + 1)
    rect = around.adjusted(-pad, -pad - HEADER * 0.6 * (depth + 1), pad, pad)
    repeat = begin.type == REPEAT_BEGIN
    title = begin.title or ("Repeat" if repeat else "For each")
    return ZoneItem(zone.begin, zone.nodes, rect, title, style(RepeatZone if repeat else ForEachZone).color)


def depths(zones: tuple[ZoneNodes, ...]) -> dict[str, int]:
    """By the begin of each zone: how many zones are nested inside it, one in another."""
    found: dict[str, int] = {}
    for zone in sorted(zones, key=lambda zone: len(zone.nodes)):
        inner = [found[z.begin] for z in zones if z.begin in found and z.nodes < zone.nodes]
        found[zone.begin] = max(inner, default=-1) + 1
    return found
