"""The canvas: one widget that paints the scene and turns mouse and keys into gestures."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QEvent, QPointF, QRectF, QSizeF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QCursor,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPointingDevice,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QToolTip, QWidget

from nodegraph.graph import Diff, Graph, Node, Port, add_node, connect, fresh_id, remove_nodes
from nodegraph.node import NodeType
from nodegraph.types import accepts, type_name
from ui.canvas.gestures import REACH, Box, Gesture, Move, Pan, Wire
from ui.canvas.paint import paint_grid, paint_links, paint_nodes
from ui.canvas.palette import Palette
from ui.canvas.scene import LinkItem, NodeItem, Scene
from ui.canvas.tiles import Tiles
from ui.canvas.view import View, fitted
from ui.document import Document
from ui.run_state import RunState
from ui.text import label
from ui.theme import DARK, color

NOTCH = 1.2  # zoom factor of one wheel notch


class Canvas(QWidget):
    """Shows the document and asks it to change. Selection and view are its own: they are not part of the document."""

    selection_changed = Signal()

    def __init__(self, document: Document, runs: RunState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.document, self.runs = document, runs
        self.scene = Scene(document, runs, self)
        self.view = View()
        self.selection: frozenset[str] = frozenset()
        self.gesture: Gesture | None = None
        self._panning = False  # Space is held
        self._fit_wanted = True
        self._tiles = Tiles(self._render, color(DARK.canvas))
        self.scene.touched.connect(self._touch)
        self.scene.animated.connect(self.update)
        document.changed.connect(self._forget_removed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName("Node canvas")

    # Painting -----------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._fit_wanted:
            self._fit(self.scene.extent())
        painter = QPainter(self)
        complete = self._tiles.draw(painter, self.view, self.size(), self.devicePixelRatioF())
        painter.translate(self.view.x, self.view.y)
        painter.scale(self.view.scale, self.view.scale)
        self._paint_live(painter)
        painter.end()
        if not complete:
            QTimer.singleShot(0, self, self.update)

    def _render(self, painter: QPainter, area: QRectF) -> None:
        """The static layer: everything but the nodes that are being carried, and their wires."""
        carried = self._carried()
        scale = self.view.scale
        paint_grid(painter, area, scale)
        links = self.scene.links_in(area)
        nodes = self.scene.nodes_in(area)
        if carried:
            links = [link for link in links if link.dst.node not in carried and link.src.node not in carried]
            nodes = [item for item in nodes if item.id not in carried]
        paint_links(painter, links, scale)
        paint_nodes(painter, nodes, self.selection, scale)

    def _paint_live(self, painter: QPainter) -> None:
        scale = self.view.scale
        running = [item for item in self.scene.nodes.values() if item.run.state == "running"]
        paint_nodes(painter, running, self.selection, scale)
        if isinstance(self.gesture, Move):
            self._paint_carried(painter, self.gesture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.gesture is not None:
            self.gesture.paint(painter)

    def _paint_carried(self, painter: QPainter, move: Move) -> None:
        by, scale = move.offset, self.view.scale
        links = []
        for link in self.scene.links_of(move.ids):
            a = link.a + by if link.src.node in move.ids else link.a
            b = link.b + by if link.dst.node in move.ids else link.b
            links.append(LinkItem(link.src, link.dst, link.color, a, b))
        paint_links(painter, links, scale)
        painter.translate(by)
        paint_nodes(painter, [self.scene.nodes[id] for id in move.ids], self.selection, scale)
        painter.translate(-by)

    def _carried(self) -> frozenset[str]:
        return self.gesture.ids if isinstance(self.gesture, Move) else frozenset()

    def _touch(self, area: QRectF) -> None:
        self._tiles.invalidate(area)
        self.update()

    def _touch_nodes(self, ids: Iterable[str], *, links: bool = False) -> None:
        """Paint these nodes again, with their wires when `links`."""
        kept = [id for id in ids if id in self.scene.nodes]
        for id in kept:
            self._touch(self.scene.nodes[id].bounds)
        for link in self.scene.links_of(kept) if links else ():
            self._touch(link.rect)

    # View ---------------------------------------------------------------------------------------------

    def show_view(self, view: View) -> None:
        self.view = view
        self._fit_wanted = False
        self.update()

    def fit(self) -> None:
        """Show the selected nodes, or all."""
        self._fit(self.scene.extent(self.selection or None))

    def _fit(self, world: QRectF) -> None:
        self.show_view(fitted(world, QSizeF(self.size())))

    def fit_all(self) -> None:
        """Show everything, as soon as the widget has its size."""
        self._fit_wanted = True
        self.update()

    def center_on(self, id: str) -> None:
        """Bring a node into view and select it."""
        if id in self.scene.nodes:
            self.select({id})
            seen = self.view.rect_to_world(QRectF(self.rect()))
            if not seen.contains(self.scene.nodes[id].rect):
                view = View(max(self.view.scale, 0.6))
                middle = QPointF(self.rect().center()) - self.scene.nodes[id].rect.center() * view.scale
                self.show_view(view.panned(middle.x(), middle.y()))

    def resizeEvent(self, event: QResizeEvent) -> None:
        if event.oldSize().isValid() and not self._fit_wanted:
            grown = event.size() - event.oldSize()
            self.view = self.view.panned(grown.width() / 2, grown.height() / 2)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """A touchpad pans, a wheel zooms at the pointer; Ctrl zooms with either."""
        touchpad = event.device().type() == QPointingDevice.DeviceType.TouchPad and not event.pixelDelta().isNull()
        if touchpad and not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.show_view(self.view.panned(event.pixelDelta().x(), event.pixelDelta().y()))
        else:
            self.show_view(self.view.zoomed(NOTCH ** (event.angleDelta().y() / 120), event.position()))

    # Selection ----------------------------------------------------------------------------------------

    def select(self, ids: Iterable[str]) -> None:
        chosen = frozenset(ids)
        if chosen == self.selection:
            return
        changed = chosen ^ self.selection
        self.selection = chosen
        self._touch_nodes(changed)
        self.selection_changed.emit()

    def select_all(self) -> None:
        self.select(self.scene.nodes)

    def delete_selected(self) -> None:
        if self.selection:
            count = len(self.selection)
            text = "Delete node" if count == 1 else f"Delete {count} nodes"
            self.document.edit(text, remove_nodes, self.selection)

    def _forget_removed(self, change: Diff) -> None:
        if change.removed:
            self.select(self.selection.difference(change.removed))

    # Mouse --------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self.gesture is not None:
            return
        at = event.position()
        if event.button() == Qt.MouseButton.MiddleButton or (
            self._panning and event.button() == Qt.MouseButton.LeftButton
        ):
            self._begin(Pan(self, at))
        elif event.button() == Qt.MouseButton.LeftButton:
            self._press(at, event.modifiers())
        elif event.button() == Qt.MouseButton.RightButton:
            self.open_palette(at)

    def _press(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        world = self.view.to_world(at)
        socket = self.scene.socket_at(world, REACH / max(self.view.scale, 0.5))
        if socket is not None and self.view.scale > 0.2:
            self._begin(Wire(self, at, *socket))
            return
        item = self.scene.node_at(world)
        add = bool(modifiers & (Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.ControlModifier))
        if item is None:
            keep = self.selection if add else frozenset[str]()
            self.select(keep)
            self._begin(Box(self, at, keep))
            return
        if add:
            self.select(self.selection ^ {item.id})
        elif item.id not in self.selection:
            self.select({item.id})
        if item.id in self.selection:
            self._begin(Move(self, at))

    def _begin(self, gesture: Gesture) -> None:
        self.gesture = gesture
        if isinstance(gesture, Move):
            self._touch_nodes(gesture.ids, links=True)
        if gesture.cursor is not None:
            self.setCursor(gesture.cursor)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.gesture is not None:
            self.gesture.move(event.position())
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        gesture = self._end()
        if gesture is not None:
            gesture.finish()

    def _end(self) -> Gesture | None:
        gesture, self.gesture = self.gesture, None
        if isinstance(gesture, Move):
            self._touch_nodes(gesture.ids, links=True)
        self.setCursor(Qt.CursorShape.OpenHandCursor if self._panning else Qt.CursorShape.ArrowCursor)
        self.update()
        return gesture

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if (
            event.button() == Qt.MouseButton.LeftButton
            and self.scene.node_at(self.view.to_world(event.position())) is None
        ):
            self._end()
            self.open_palette(event.position())
        else:
            self.mousePressEvent(event)

    # Keys ---------------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        match event.key():
            case Qt.Key.Key_Space if not event.isAutoRepeat():
                self._panning = True
                self.setCursor(Qt.CursorShape.OpenHandCursor)
            case Qt.Key.Key_Escape if self.gesture is not None:
                gesture = self._end()
                assert gesture is not None
                gesture.cancel()
            case _:
                event.ignore()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._panning = False
            self.setCursor(Qt.CursorShape.ArrowCursor)
        else:
            event.ignore()

    def focusNextPrevChild(self, next: bool) -> bool:
        """Tab opens the palette instead of leaving the canvas."""
        self.open_palette(QPointF(self.mapFromGlobal(QCursor.pos())))
        return True

    # Adding nodes -------------------------------------------------------------------------------------

    def open_palette(self, at: QPointF, port: Port | None = None, *, from_output: bool = True) -> Palette:
        """Offer node types to add at a place in pixels; with a port, those that can be linked to it."""
        place = at if QRectF(self.rect()).contains(at) else QPointF(self.rect().center())
        types = [t for t in self.document.registry.values() if port is None or self._mate(t, port, from_output)]
        palette = Palette(types, self)
        world = self.view.to_world(place)
        palette.chosen.connect(lambda id: self.add(id, world, port, from_output=from_output))
        palette.open_at(self.mapToGlobal(place.toPoint()))
        return palette

    def add(self, type_id: str, world: QPointF, port: Port | None = None, *, from_output: bool = True) -> None:
        """Add a node, linked to the port where one is given, as one undo step; it is selected."""
        type = self.document.registry[type_id]
        id = fresh_id(self.document.graph, type_id.rsplit(".", 1)[-1].rsplit(":", 1)[-1].lower().replace(" ", "_"))

        def change(graph: Graph) -> Graph:
            graph = add_node(graph, id, Node(type_id, pos=(round(world.x()), round(world.y()))))
            if port is None:
                return graph
            mate = Port(id, self._mate(type, port, from_output))
            return connect(graph, port, mate) if from_output else connect(graph, mate, port)

        self.document.edit(f"Add {type.title}", change)
        self.select({id})

    def _mate(self, type: NodeType, port: Port, from_output: bool) -> str:
        """The first socket of the type that the port can be linked to; empty when there is none."""
        if from_output:
            output = self.document.output(port)
            return next((i.name for i in type.inputs if output and accepts(i.type, output.type)), "")
        input = self.document.input(port)
        return next((o.name for o in type.outputs if input and accepts(input.type, o.type)), "")

    # Tooltips -----------------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), self.tip_at(QPointF(event.pos())), self)
            return True
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride and self.gesture is not None:
            event.accept()  # Escape then ends the gesture, not the run
        return super().event(event)

    def tip_at(self, at: QPointF) -> str:
        """What there is to say about the place: a socket's type, a node's failure, problem or purpose."""
        world = self.view.to_world(at)
        socket = self.scene.socket_at(world, REACH / self.view.scale)
        if socket is not None:
            port, output = socket
            found = self.document.output(port) if output else self.document.input(port)
            return f"{label(port.socket)}: {type_name(found.type)}" if found else label(port.socket)
        item = self.scene.node_at(world)
        return _about(item) if item else ""


def _about(item: NodeItem) -> str:
    if item.run.state == "failed":
        return item.run.message
    return item.problem or item.type.doc.split("\n\n", 1)[0]
