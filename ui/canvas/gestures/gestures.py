"""What a pressed mouse button may turn into: one small class each.

A gesture gets every move until the button is up. It shows its state through `paint` and changes the
document once, at the end, so that it is one undo step and Escape leaves no trace.
"""

from __future__ import annotations

from functools import cached_property

from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QPainter, QPen, QPolygonF

from nodegraph.editing.wires import insert_on_link
from nodegraph.graph import Graph, Port, change_node, move_nodes
from nodegraph.node import Input, Output
from nodegraph.reach import downstream, upstream
from nodegraph.types import accepts
from ui.base.text import amount
from ui.base.theme import color, colors
from ui.canvas.scene.figures import GRIP, LEAST
from ui.canvas.scene.items import LinkItem, NodeItem
from ui.canvas.scene.make_room import make_room
from ui.canvas.scene.shape import touches
from ui.canvas.scene.state import CanvasState

REACH = 14.0  # pixels within which a socket is hit
SNAP = 16.0  # world units between the lines that nodes snap to: half the distance of the dots


class Gesture:
    """start: where the button went down, at: where it is now, in pixels; origin: the start in world units.

    keys: what is held with the mouse. scrolls: whether the view follows beyond its edge. became: the gesture that goes
    on in its place, once the hand shows that another one was meant.
    """

    cursor: Qt.CursorShape | None = None
    keys = Qt.KeyboardModifier.NoModifier
    scrolls = False
    became: Gesture | None = None

    def __init__(self, state: CanvasState, start: QPointF) -> None:
        self.state, self.start, self.at = state, start, start
        self.origin = state.view.to_world(start)

    @property
    def by(self) -> QPointF:
        """How far it has gone, in world units, wherever the view is by now."""
        return self.state.view.to_world(self.at) - self.origin

    def move(self, at: QPointF) -> None:
        """at: pixels."""
        self.at = at

    def finish(self) -> None:
        """The button is up."""

    def cancel(self) -> None:
        """As if it had never begun."""

    def drop(self) -> None:
        """What it holds may be gone: end it in the middle of a change of the graph, so without an edit."""
        self.cancel()

    def paint(self, painter: QPainter) -> None:
        """On top of everything, in world units."""


class Pan(Gesture):
    cursor = Qt.CursorShape.ClosedHandCursor

    def move(self, at: QPointF) -> None:
        step = at - self.at
        self.state.show_view(self.state.view.panned(step.x(), step.y()))
        super().move(at)


class Box(Gesture):
    """Select what the rectangle touches, and frames that lie in it. keep: what was selected and stays so.

    wire: the one that was pressed, which a click selects.
    """

    scrolls = True

    def __init__(self, state: CanvasState, start: QPointF, keep: frozenset[str], wire: Port | None = None) -> None:
        super().__init__(state, start)
        self.keep, self.wire = keep, wire

    def finish(self) -> None:
        if self.wire is not None and self.at == self.start:
            self.state.pick_wire(self.wire)

    @property
    def rect(self) -> QRectF:
        return QRectF(self.origin, self.state.view.to_world(self.at)).normalized()

    def move(self, at: QPointF) -> None:
        super().move(at)
        near = self.state.scene.nodes_in(self.rect)
        self.state.select({item.id for item in near if self._holds(item)} | self.keep)

    def _holds(self, item: NodeItem) -> bool:
        return self.rect.contains(item.rect) if item.figure == "frame" else self.rect.intersects(item.rect)

    def cancel(self) -> None:
        self.state.select(self.keep)

    def paint(self, painter: QPainter) -> None:
        painter.setPen(QPen(color(colors().accent), 0))
        painter.setBrush(color(colors().accent, 28))
        painter.drawRect(self.rect)


class Lasso(Gesture):
    """Select the nodes whose middle the drawn line surrounds. keep: what was selected and stays so."""

    scrolls = True

    def __init__(self, state: CanvasState, start: QPointF, keep: frozenset[str]) -> None:
        super().__init__(state, start)
        self.keep = keep
        self.line = QPolygonF([state.view.to_world(start)])

    def move(self, at: QPointF) -> None:
        super().move(at)
        self.line.append(self.state.view.to_world(at))
        near = self.state.scene.nodes_in(self.line.boundingRect())
        self.state.select({item.id for item in near if self._holds(item)} | self.keep)

    def _holds(self, item: NodeItem) -> bool:
        return self.line.containsPoint(item.rect.center(), Qt.FillRule.OddEvenFill)

    def cancel(self) -> None:
        self.state.select(self.keep)

    def paint(self, painter: QPainter) -> None:
        painter.setPen(QPen(color(colors().accent), 0, Qt.PenStyle.DashLine))
        painter.setBrush(color(colors().accent, 28))
        painter.drawPolygon(self.line)


class Move(Gesture):
    """Carry the selected nodes, and what lies in selected frames.

    The canvas paints them `offset` world units from where the document has them. One node that is dropped on a wire
    goes into it. held: the node that was pressed; it is the one that snaps. alone: a click that moves nothing leaves
    only that one selected.
    """

    scrolls = True

    def __init__(self, state: CanvasState, start: QPointF, *, alone: bool = False) -> None:
        super().__init__(state, start)
        self.alone = alone
        below = state.scene.node_at(state.view.to_world(start))
        self.held = below.id if below and below.id in state.selection else next(iter(state.selection))
        self.ids = state.scene.with_members(state.selection)
        self.lifted = False  # a click that moves nothing paints nothing
        self.wire: LinkItem | None = None  # which the node would go into
        self._entry = self._exit = ""  # its sockets for that

    @property
    def offset(self) -> QPointF:
        by = self.by
        if not self.state.snap or by.isNull():
            return by
        pos = self.state.scene.nodes[self.held].pos
        to = pos + by
        return QPointF(round(to.x() / SNAP) * SNAP, round(to.y() / SNAP) * SNAP) - pos

    def move(self, at: QPointF) -> None:
        super().move(at)
        if not self.lifted:
            self.lifted = True
            self.state.touch_nodes(self.ids, links=True)
        self.wire = self._wire_below() if len(self.ids) == 1 else None

    def _wire_below(self) -> LinkItem | None:
        inputs, outputs = self._free
        if not inputs or not outputs:
            return None
        rect = self.state.scene.nodes[self.held].rect.translated(self.offset)
        near = self.state.scene.links_in(rect)
        return next((link for link in near if touches(link.points, rect) and self._fits(link)), None)

    @cached_property
    def _free(self) -> tuple[list[Input], list[Output]]:
        """The sockets of the node that have no wire."""
        item = self.state.scene.nodes[self.held]
        used = {link.src.socket for link in self.state.scene.links_of([self.held]) if link.src.node == self.held}
        inputs = [input for input in item.type.inputs if input.name not in item.linked]
        return inputs, [output for output in item.type.outputs if output.name not in used]

    def _fits(self, link: LinkItem) -> bool:
        """Whether the node has a free input and a free output for the wire."""
        if link.src.node in self._after or link.dst.node in self._before:
            return False  # it would close a circle
        source, target = self.state.scope.output(link.src), self.state.scope.input(link.dst)
        if source is None or target is None:
            return False
        inputs, outputs = self._free
        self._entry = next((i.name for i in inputs if accepts(i.type, source.type)), "")
        self._exit = next((o.name for o in outputs if accepts(target.type, o.type)), "")
        return bool(self._entry and self._exit)

    @cached_property
    def _after(self) -> set[str]:
        return downstream(self.state.scope.graph, self.held)

    @cached_property
    def _before(self) -> set[str]:
        return upstream(self.state.scope.graph, self.held)

    def finish(self) -> None:
        if self.alone and self.at == self.start:
            self.state.select({self.held})
            return
        by = self.offset
        nodes = self.state.scope.graph.nodes
        to = {id: (round(nodes[id].pos[0] + by.x()), round(nodes[id].pos[1] + by.y())) for id in self.ids}
        text = "Move node" if len(to) == 1 else f"Move {amount(len(to))} nodes"
        self.state.scope.edit("Insert into wire" if self.wire else text, self._moved, to)
        if self.wire is not None:
            seen = {id: QPointF(*(to.get(id) or node.pos)) for id, node in nodes.items()}
            items = self.state.scene.nodes
            self.state.glide({id: at for id, at in seen.items() if items[id].pos != at})

    def _moved(self, graph: Graph, to: dict[str, tuple[float, float]]) -> Graph:
        graph = move_nodes(graph, to)
        if self.wire is None:
            return graph
        graph = insert_on_link(graph, self.held, self.wire.dst, self._entry, self._exit)
        return make_room(self.state.scene, graph, self.wire.src.node, self.held, self.wire.dst.node)

    def paint(self, painter: QPainter) -> None:
        if self.wire is not None:
            painter.setPen(QPen(color(colors().accent), 4.0))
            painter.drawPolyline(self.wire.points)


class Stretch(Gesture):
    """Pull the right edge, the lower edge or the corner of a frame or note."""

    scrolls = True

    def __init__(self, state: CanvasState, start: QPointF, item: NodeItem) -> None:
        super().__init__(state, start)
        self.item = item
        right, low = grips(item, state.view.to_world(start))
        self.along = QPointF(right, low)
        self.cursor = stretch_cursor(right, low)

    @property
    def size(self) -> tuple[float, float]:
        by, shape = self.by, self.item.shape
        size = QSizeF(shape.width + by.x() * self.along.x(), shape.height + by.y() * self.along.y())
        return round(max(size.width(), LEAST[0])), round(max(size.height(), LEAST[1]))

    def finish(self) -> None:
        shape = self.item.shape
        if self.size != (shape.width, shape.height):
            self.state.scope.edit("Resize", lambda graph: change_node(graph, self.item.id, size=self.size))

    def paint(self, painter: QPainter) -> None:
        painter.setPen(QPen(color(colors().accent), 0))
        painter.setBrush(color(colors().accent, 28))
        painter.drawRect(QRectF(self.item.pos, QSizeF(*self.size)))


def grips(item: NodeItem, point: QPointF) -> tuple[bool, bool]:
    """Whether the point is on the right and on the lower edge of a frame or note."""
    if item.figure not in ("frame", "note"):
        return False, False
    return point.x() > item.rect.right() - GRIP, point.y() > item.rect.bottom() - GRIP


def stretch_cursor(right: bool, low: bool) -> Qt.CursorShape:
    if right and low:
        return Qt.CursorShape.SizeFDiagCursor
    return Qt.CursorShape.SizeHorCursor if right else Qt.CursorShape.SizeVerCursor
