"""Gestures on wires: pull, swap, cut."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen

from nodegraph.editing.wires import swap_inputs
from nodegraph.graph import Graph, Port, connect, disconnect
from nodegraph.reach import downstream, upstream
from nodegraph.types import accepts, style
from ui.base.text import amount
from ui.base.theme import color, colors
from ui.canvas.commands.adding import open_palette
from ui.canvas.gestures.gestures import REACH, Gesture
from ui.canvas.paint.levels import NEAR
from ui.canvas.paint.wires import wire_pen
from ui.canvas.scene.items import LinkItem, NodeItem
from ui.canvas.scene.shape import SOCKET, crosses, wire
from ui.canvas.scene.state import CanvasState


class Wire(Gesture):
    """Pull a wire from a socket; on a linked input, take its wire off. fixed: the end that stays."""

    scrolls = True

    def __init__(self, state: CanvasState, start: QPointF, port: Port, output: bool) -> None:
        super().__init__(state, start)
        source = None if output else state.scope.graph.links.get(port)
        self.taken = port if source else None
        self.fixed, self.from_output = (source, True) if source else (port, output)
        self.target: Port | None = None
        graph = state.scope.graph
        node = self.fixed.node
        # A link to one of these would close a circle.
        self._barred = upstream(graph, node) if self.from_output else downstream(graph, node)
        self._dimmed: dict[str, list[QPointF]] = {}  # places of the sockets that do not fit, by node

    def move(self, at: QPointF) -> None:
        super().move(at)
        found = self.state.scene.socket_at(self.state.view.to_world(at), REACH / self.state.view.scale)
        self.target = found[0] if found and found[1] != self.from_output and self.fits(found[0]) else None

    def fits(self, other: Port) -> bool:
        """Whether the types agree and the link would not close a circle."""
        if other.node in self._barred:
            return False
        src, dst = (self.fixed, other) if self.from_output else (other, self.fixed)
        output, input = self.state.scope.output(src), self.state.scope.input(dst)
        return output is not None and input is not None and accepts(input.type, output.type)

    def finish(self) -> None:
        if self.target is not None:
            src, dst = (self.fixed, self.target) if self.from_output else (self.target, self.fixed)
            self.state.scope.edit("Connect", self._connected, src, dst)
        elif self.taken is not None:
            self.state.scope.edit("Disconnect", disconnect, self.taken)
        elif (self.at - self.start).manhattanLength() > 2 * REACH and self._over_nothing():
            open_palette(self.state, self.at, self.fixed, from_output=self.from_output)

    def _over_nothing(self) -> bool:
        """Whether the wire ends on empty canvas; a socket or a node that does not take it is no place for another."""
        world, scene = self.state.view.to_world(self.at), self.state.scene
        if not self.state.area.contains(self.at):
            return False
        return scene.node_at(world) is None and scene.socket_at(world, REACH / self.state.view.scale) is None

    def _connected(self, graph: Graph, src: Port, dst: Port) -> Graph:
        return connect(disconnect(graph, self.taken) if self.taken else graph, src, dst)

    def paint(self, painter: QPainter) -> None:
        view = self.state.view
        if view.scale >= NEAR:
            self._dim(painter, view.rect_to_world(self.state.area))
        scene, scope = self.state.scene, self.state.scope
        fixed = scene.socket_pos(self.fixed, output=self.from_output)
        loose = scene.socket_pos(self.target, output=not self.from_output) if self.target else view.to_world(self.at)
        socket = scope.output(self.fixed) if self.from_output else scope.input(self.fixed)
        painter.setPen(wire_pen(style(socket.type).color if socket else colors().dim, view.scale))
        painter.drawPolyline(wire(fixed, loose) if self.from_output else wire(loose, fixed))

    def _dim(self, painter: QPainter, seen: QRectF) -> None:
        """Cover the sockets to which the wire cannot go."""
        places: list[QPointF] = []
        for item in self.state.scene.nodes_in(seen):
            if item.id not in self._dimmed:
                self._dimmed[item.id] = [*self._misfits(item)]
            places += self._dimmed[item.id]
        pen = QPen(color(colors().canvas, 190), 2 * SOCKET + 4)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        painter.drawPoints(places)

    def _misfits(self, item: NodeItem) -> Iterable[QPointF]:
        for output, sockets in ((False, item.shape.inputs), (True, item.shape.outputs)):
            for name, place in sockets.items():
                port = Port(item.id, name)
                if (port, output) != (self.fixed, self.from_output) and (
                    output == self.from_output or not self.fits(port)
                ):
                    yield item.pos + place


class Swap(Wire):
    """Pull the wire of an input to another input: the two exchange their wires."""

    def __init__(self, state: CanvasState, start: QPointF, port: Port) -> None:
        super().__init__(state, start, port, output=False)
        self.port = port

    def finish(self) -> None:
        if self.target is not None:
            self.state.scope.edit("Swap inputs", swap_inputs, self.port, self.target)


class Cut(Gesture):
    """Cut the wires that the drawn line crosses."""

    cursor = Qt.CursorShape.CrossCursor

    def __init__(self, state: CanvasState, start: QPointF) -> None:
        super().__init__(state, start)
        self.line = [state.view.to_world(start)]
        self.crossed: dict[Port, LinkItem] = {}

    def move(self, at: QPointF) -> None:
        super().move(at)
        last, point = self.line[-1], self.state.view.to_world(at)
        self.line.append(point)
        for link in self.state.scene.links_in(QRectF(last, point).normalized().adjusted(-1, -1, 1, 1)):
            if any(crosses(last, point, a, b) for a, b in pairwise(link.points)):
                self.crossed[link.dst] = link

    def finish(self) -> None:
        if self.crossed:
            text = "Cut wire" if len(self.crossed) == 1 else f"Cut {amount(len(self.crossed))} wires"
            self.state.scope.edit(text, self._without)

    def _without(self, graph: Graph) -> Graph:
        for dst in self.crossed:
            graph = disconnect(graph, dst)
        return graph

    def paint(self, painter: QPainter) -> None:
        painter.setPen(QPen(color(colors().failed), 3.0))
        for link in self.crossed.values():
            painter.drawPolyline(link.points)
        painter.setPen(QPen(color(colors().failed), 1.5 / self.state.view.scale, Qt.PenStyle.DashLine))
        painter.drawPolyline(self.line)
