"""What a pressed mouse button may turn into: one small class each.

A gesture gets every move until the button is up. It shows its state through `paint` and changes the
document once, at the end, so that it is one undo step and Escape leaves no trace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen

from nodegraph.graph import Graph, Port, connect, disconnect, move_nodes
from nodegraph.types import accepts, style
from ui.canvas.paint import wire_pen
from ui.canvas.shape import wire
from ui.theme import DARK, color

if TYPE_CHECKING:
    from ui.canvas.canvas import Canvas

REACH = 14.0  # pixels within which a socket is hit


class Gesture:
    """start: where the button went down, in pixels."""

    cursor: Qt.CursorShape | None = None

    def __init__(self, canvas: Canvas, start: QPointF) -> None:
        self.canvas, self.start, self.at = canvas, start, start

    def move(self, at: QPointF) -> None:
        """at: pixels."""
        self.at = at

    def finish(self) -> None:
        """The button is up."""

    def cancel(self) -> None:
        """As if it had never begun."""

    def paint(self, painter: QPainter) -> None:
        """On top of everything, in world units."""


class Pan(Gesture):
    cursor = Qt.CursorShape.ClosedHandCursor

    def move(self, at: QPointF) -> None:
        step = at - self.at
        self.canvas.show_view(self.canvas.view.panned(step.x(), step.y()))
        super().move(at)


class Box(Gesture):
    """Select what the rectangle touches. keep: what was selected and stays so."""

    def __init__(self, canvas: Canvas, start: QPointF, keep: frozenset[str]) -> None:
        super().__init__(canvas, canvas.view.to_world(start))
        self.keep = keep

    @property
    def rect(self) -> QRectF:
        return QRectF(self.start, self.at).normalized()

    def move(self, at: QPointF) -> None:
        self.at = self.canvas.view.to_world(at)
        inside = {item.id for item in self.canvas.scene.nodes_in(self.rect) if item.rect.intersects(self.rect)}
        self.canvas.select(inside | self.keep)

    def cancel(self) -> None:
        self.canvas.select(self.keep)

    def paint(self, painter: QPainter) -> None:
        painter.setPen(QPen(color(DARK.accent), 0))
        painter.setBrush(color(DARK.accent, 28))
        painter.drawRect(self.rect)


class Move(Gesture):
    """Carry the selected nodes. The canvas paints them `offset` world units from where the document has them."""

    def __init__(self, canvas: Canvas, start: QPointF) -> None:
        super().__init__(canvas, start)
        self.ids = frozenset(canvas.selection)

    @property
    def offset(self) -> QPointF:
        return (self.at - self.start) / self.canvas.view.scale

    def finish(self) -> None:
        by = self.offset
        nodes = self.canvas.document.graph.nodes
        to = {id: (round(nodes[id].pos[0] + by.x()), round(nodes[id].pos[1] + by.y())) for id in self.ids}
        text = "Move node" if len(to) == 1 else f"Move {len(to)} nodes"
        self.canvas.document.edit(text, move_nodes, to)


class Wire(Gesture):
    """Pull a wire from a socket; on a linked input, take its wire off. fixed: the end that stays."""

    def __init__(self, canvas: Canvas, start: QPointF, port: Port, output: bool) -> None:
        super().__init__(canvas, start)
        source = None if output else canvas.document.graph.links.get(port)
        self.taken = port if source else None
        self.fixed, self.from_output = (source, True) if source else (port, output)
        self.target: Port | None = None

    def move(self, at: QPointF) -> None:
        super().move(at)
        scene = self.canvas.scene
        found = scene.socket_at(self.canvas.view.to_world(at), REACH / self.canvas.view.scale)
        self.target = found[0] if found and found[1] != self.from_output and self.fits(found[0]) else None

    def fits(self, other: Port) -> bool:
        """Whether the types agree and the link would not close a circle."""
        src, dst = (self.fixed, other) if self.from_output else (other, self.fixed)
        document = self.canvas.document
        output, input = document.output(src), document.input(dst)
        if output is None or input is None or not accepts(input.type, output.type):
            return False
        return src.node not in downstream(document.graph, dst.node)

    def finish(self) -> None:
        if self.target is not None:
            src, dst = (self.fixed, self.target) if self.from_output else (self.target, self.fixed)
            self.canvas.document.edit("Connect", self._connected, src, dst)
        elif self.taken is not None:
            self.canvas.document.edit("Disconnect", disconnect, self.taken)
        elif (self.at - self.start).manhattanLength() > 2 * REACH:
            self.canvas.open_palette(self.at, self.fixed, from_output=self.from_output)

    def _connected(self, graph: Graph, src: Port, dst: Port) -> Graph:
        return connect(disconnect(graph, self.taken) if self.taken else graph, src, dst)

    def paint(self, painter: QPainter) -> None:
        scene, view = self.canvas.scene, self.canvas.view
        fixed = scene.socket_pos(self.fixed, output=self.from_output)
        loose = scene.socket_pos(self.target, output=not self.from_output) if self.target else view.to_world(self.at)
        document = self.canvas.document
        socket = document.output(self.fixed) if self.from_output else document.input(self.fixed)
        painter.setPen(wire_pen(style(socket.type).color if socket else DARK.dim, view.scale))
        painter.drawPolyline(wire(fixed, loose) if self.from_output else wire(loose, fixed))


def downstream(graph: Graph, node: str) -> set[str]:
    """The node and everything that its results reach."""
    readers: dict[str, list[str]] = {}
    for dst, src in graph.links.items():
        readers.setdefault(src.node, []).append(dst.node)
    found: set[str] = set()
    todo = [node]
    while todo:
        id = todo.pop()
        if id not in found:
            found.add(id)
            todo += readers.get(id, [])
    return found
