"""Everything on the canvas in its order: the grid, frames, zones, wires, nodes, reroutes, notes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainter, QPen

from ui.base.theme import color, colors
from ui.canvas.paint.frames import paint_frames, paint_labels, paint_notes, paint_reroutes, paint_zones
from ui.canvas.paint.nodes import paint_nodes
from ui.canvas.paint.wires import paint_wires
from ui.canvas.scene.items import LinkItem, NodeItem
from ui.canvas.scene.scene import Scene
from ui.canvas.scene.zones import ZoneItem

Offsets = Mapping[str, QPointF]


def paint_grid(painter: QPainter, area: QRectF, scale: float) -> None:
    """Dots, at a distance that stays between 16 and 64 pixels."""
    step = 32.0
    while step * scale < 16:
        step *= 4
    painter.setPen(QPen(color(colors().grid), 2 / scale))
    left, top = area.left() // step * step, area.top() // step * step
    columns, rows = int(area.width() / step) + 2, int(area.height() / step) + 2
    painter.drawPoints([QPointF(left + i * step, top + j * step) for i in range(columns) for j in range(rows)])


def paint_still(
    painter: QPainter,
    scene: Scene,
    area: QRectF,
    without: Collection[str],
    selected: Collection[str],
    scale: float,
    *,
    dim: bool = False,
) -> None:
    """What is in the area, but for some nodes with their wires and zones. dim: wires stand back."""
    links, items, zones = scene.links_in(area), scene.nodes_in(area), scene.zones_in(area)
    if without:
        links = [link for link in links if link.dst.node not in without and link.src.node not in without]
        items = [item for item in items if item.id not in without]
        zones = [zone for zone in zones if zone.nodes.isdisjoint(without)]
    paint_frames(painter, _figures(items, "frame"), selected, scale)
    paint_zones(painter, zones, scale)
    paint_wires(painter, links, scale, dim=dim)
    _paint_items(painter, items, selected, scale)
    paint_labels(painter, _figures(items, "frame"), zones, scale)


def paint_carried(painter: QPainter, scene: Scene, by: Offsets, selected: Collection[str], scale: float) -> None:
    """Nodes with their wires and zones, away from where the document has them."""
    groups: dict[tuple[float, float], list[NodeItem]] = {}
    for id, offset in by.items():
        groups.setdefault(offset.toTuple(), []).append(scene.nodes[id])  # type: ignore[arg-type]  stubs say object
    for offset, items in groups.items():
        painter.translate(*offset)
        paint_frames(painter, _figures(items, "frame"), selected, scale)
        painter.translate(-offset[0], -offset[1])
    zones = _moved_zones(scene, by)
    paint_zones(painter, zones, scale)
    paint_wires(painter, _moved_links(scene, by), scale)
    for offset, items in groups.items():
        painter.translate(*offset)
        _paint_items(painter, items, selected, scale)
        paint_labels(painter, _figures(items, "frame"), (), scale)
        painter.translate(-offset[0], -offset[1])
    paint_labels(painter, (), zones, scale)


def _paint_items(painter: QPainter, items: Collection[NodeItem], selected: Collection[str], scale: float) -> None:
    paint_nodes(painter, _figures(items, "node"), selected, scale)
    paint_reroutes(painter, _figures(items, "reroute"), selected, scale)
    paint_notes(painter, _figures(items, "note"), selected, scale)


def _figures(items: Iterable[NodeItem], figure: str) -> list[NodeItem]:
    return [item for item in items if item.figure == figure]


def _moved_links(scene: Scene, by: Offsets) -> list[LinkItem]:
    still = QPointF()
    moved: list[LinkItem] = []
    for link in scene.links_of(by):
        a, b = link.a + by.get(link.src.node, still), link.b + by.get(link.dst.node, still)
        moved.append(LinkItem(link.src, link.dst, link.color, (a.x(), a.y(), b.x(), b.y()), link.aside))
    return moved


def _moved_zones(scene: Scene, by: Offsets) -> list[ZoneItem]:
    still = QPointF()
    zones: list[ZoneItem] = []
    for zone in (zone for zone in scene.zones if not zone.nodes.isdisjoint(by)):
        before, after = QRectF(), QRectF()
        for id in zone.nodes:
            rect = scene.nodes[id].rect
            before, after = before.united(rect), after.united(rect.translated(by.get(id, still)))
        zones.append(zone.moved(before, after))
    return zones
