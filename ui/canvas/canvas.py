"""The canvas: one widget that paints the scene and turns mouse and keys into gestures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from PySide6.QtCore import QEvent, QPointF, QRectF, QSizeF, Qt, QTimer
from PySide6.QtGui import (
    QFocusEvent,
    QHelpEvent,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QToolTip, QWidget

from nodegraph.graph import Diff
from ui.base import theme
from ui.base.theme import color, colors
from ui.canvas.commands.adding import open_palette
from ui.canvas.commands.breadcrumbs import Breadcrumbs
from ui.canvas.gestures import press
from ui.canvas.gestures.edge_scroll import EdgeScroll
from ui.canvas.gestures.gestures import Gesture, Move
from ui.canvas.gestures.tips import tip_at
from ui.canvas.overlays.minimap import Minimap
from ui.canvas.paint.ground import Ground
from ui.canvas.paint.hint import paint_hint, paint_wait
from ui.canvas.paint.layers import paint_carried, paint_grid, paint_still
from ui.canvas.paint.nodes import paint_nodes
from ui.canvas.paint.sharp import Sharpener
from ui.canvas.paint.wires import paint_lit
from ui.canvas.scene.scene import MANY
from ui.canvas.scene.state import CanvasState
from ui.canvas.scene.view import View, fitted, opened, pinched, wheeled
from ui.documents.document import Document
from ui.runs.run_state import RunState

REST_MS = 150
"""For which the pointer is on a node or a wire before what is not its own stands back."""


class Canvas(QWidget):
    """Shows the graph of a scope and asks it to change.

    state: what it shows and what is selected, for all who do something on it.
    """

    def __init__(self, document: Document, runs: RunState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.document, self.runs = document, runs
        self.state = CanvasState(document, runs, self)
        self.scope, self.scene = self.state.scope, self.state.scene
        self.gesture: Gesture | None = None
        self._panning = False  # while Space is held
        self._wanted: Callable[[], View] | None = self._opening  # as soon as the widget has its size
        self._path = self.scope.path
        self._text_scale = theme.scale()
        self._views: dict[tuple[str, ...], View] = {}  # of the graphs around the one that is shown, by path
        self._tiles = Ground(self._render, color(colors().canvas))
        self.minimap = Minimap(self.state)
        self.breadcrumbs = Breadcrumbs(self.state)
        self._edge, self._sharp = EdgeScroll(self.state), Sharpener(self.state, runs)
        self._idle = QTimer(self, interval=0, singleShot=True)
        self._idle.timeout.connect(self._paint_ahead)
        self._rest = QTimer(self, interval=REST_MS, singleShot=True)
        self._rest.timeout.connect(self._dim)
        self.scene.touched.connect(self._touch)
        self.state.touched.connect(self._touch_all)
        self.state.view_changed.connect(self._show_view)
        self.state.lit_changed.connect(self._show_lit)
        self.scene.animated.connect(self.update)
        self.scope.changed.connect(self._forget_removed)
        self.scope.moved.connect(self._arrive)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName("Node canvas")

    # Painting -----------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._wanted is not None and self.scene.complete:
            self.state.show_view(self._wanted())
        painter = QPainter(self)
        if self._wanted is not None:
            paint_wait(painter, self, len(self.scope.graph.nodes))
            return
        few = len(self.scope.graph.nodes) <= MANY
        complete = self._tiles.draw(painter, self.state.view, self.size(), self.devicePixelRatioF(), at_once=few)
        if not self.scope.graph.nodes:
            paint_hint(painter, self)
        painter.translate(self.state.view.x, self.state.view.y)
        painter.scale(self.state.view.scale, self.state.view.scale)
        self._paint_live(painter)
        painter.end()
        if not complete or self.state.gliding is not None:
            QTimer.singleShot(0, self, self._next_frame)
        else:
            self._idle.start()

    def _paint_ahead(self) -> None:
        more, ready = self._tiles.paint_ahead(self.state.view, self.size(), self.devicePixelRatioF())
        if more:
            self._idle.start()
        if ready:
            self.update()

    def _show_lit(self) -> None:
        """Wires are lit at once; the others stand back when hand and view have come to rest."""
        self._tiles.stay()
        self._rest.start()
        self.update()

    def _dim(self) -> None:
        if self.gesture is not None:
            return  # whose end it is put off to: no frame of a drag shall wait for it
        self._tiles.dim(bool(self.state.lit), for_long=self.state.hovered is None)
        self._idle.start()

    def _next_frame(self) -> None:
        if self.state.gliding is not None and self.state.gliding.over:
            self.state.end_glide()
        self.update()

    def _render(self, painter: QPainter, area: QRectF, dim: bool) -> None:
        """The static layer: everything but what is being carried. dim: wires stand back."""
        scale, carried = self.state.view.scale, self.carried().keys()
        paint_grid(painter, area, scale)
        paint_still(painter, self.scene, area, carried, self.state.selection, scale, dim=dim)

    def _paint_live(self, painter: QPainter) -> None:
        scale = self.state.view.scale
        carried = self.carried()
        self._paint_lit(painter, carried)
        running = [item for id, item in self.scene.running.items() if id not in carried]
        paint_nodes(painter, running, self.state.selection, scale)
        if carried:
            paint_carried(painter, self.scene, carried, self.state.selection, scale)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.gesture is not None:
            self.gesture.paint(painter)

    def _paint_lit(self, painter: QPainter, carried: Mapping[str, QPointF]) -> None:
        """Only what is in sight. What is carried has its wires painted already."""
        if not self.state.lit or not self.scene.complete:
            return
        seen, links = self.state.view.rect_to_world(self.state.area), self.scene.links
        lit = (links[dst] for dst in self.state.lit if dst in links)
        near = [link for link in lit if link.rect.intersects(seen)]
        still = [link for link in near if carried.keys().isdisjoint((link.src.node, link.dst.node))]
        paint_lit(painter, still, self.state.view.scale)

    def carried(self) -> Mapping[str, QPointF]:
        """The nodes that are on their way, and how far from where the document has them."""
        if isinstance(self.gesture, Move) and self.gesture.lifted:
            return dict.fromkeys(self.gesture.ids, self.gesture.offset)
        return self.state.gliding.offsets() if self.state.gliding is not None else {}

    def _touch(self, area: QRectF) -> None:
        self._touch_all((area,))

    def _touch_all(self, areas: Iterable[QRectF]) -> None:
        for area in areas:
            self._tiles.invalidate(area)
        self.update()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.StyleChange:  # another theme
            self._tiles = Ground(self._render, color(colors().canvas))
            self._show_lit()
            self._follow_text_size()
        super().changeEvent(event)

    def _follow_text_size(self) -> None:
        """The canvas is as much larger as the text around it; what is in its middle stays there."""
        factor, self._text_scale = theme.scale() / self._text_scale, theme.scale()
        if factor != 1.0:
            middle = self.state.middle
            self._views = {path: view.zoomed(factor, middle) for path, view in self._views.items()}
            if self._wanted is None:
                self.state.show_view(self.state.view.zoomed(factor, middle))

    def hideEvent(self, event: QHideEvent) -> None:
        """Behind another tab, or about to be closed: what was painted is 10 MB and more, and soon painted again."""
        self._tiles.clear()
        self.scene.pixmaps.clear()
        super().hideEvent(event)

    # View ---------------------------------------------------------------------------------------------

    def _show_view(self) -> None:
        self._wanted = None
        if self._tiles.dimmed != bool(self.state.lit):
            self._show_lit()
        self.update()

    def fit(self) -> None:
        """Show the selected nodes, or all."""
        self.state.show_view(fitted(self.scene.extent(self.state.selection or None), QSizeF(self.size())))

    def fit_all(self) -> None:
        """Show everything, as soon as the widget has its size."""
        self._wanted = self._whole
        self.update()

    def _whole(self) -> View:
        return fitted(self.scene.extent(), QSizeF(self.size()))

    def _opening(self) -> View:
        notes = [item.pos for item in self.scene.nodes.values() if item.figure == "note"]
        return opened(self.scene.extent(), notes, QSizeF(self.size()))

    def _arrive(self) -> None:
        """Show all of a group that is entered; back outside, what was seen before, with that group selected."""
        left, here = self._path, self.scope.path
        self._path = here
        if self._wanted is None:
            self._views[left] = self.state.view
        view = self._views.get(here)
        self._views = {path: known for path, known in self._views.items() if path == here[: len(path)]}
        if left[: len(here)] == here and view is not None:
            self.state.select({left[len(here)]} & self.scene.nodes.keys())
            self.state.show_view(view)
        else:
            self.fit_all()

    def zoom(self, factor: float) -> None:
        """At the pointer when it is over the canvas, else in the middle."""
        self.state.show_view(self.state.view.zoomed(factor, self.state.pointer()))

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.minimap.place()
        if event.oldSize().isValid() and self._wanted is None:
            seen = self.state.view.rect_to_world(QRectF(QPointF(), QSizeF(event.oldSize())))
            grown = event.size() - event.oldSize()
            self.state.view = self.state.view.panned(grown.width() / 2, grown.height() / 2)
            self.state.keep_faulty(seen)

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.state.show_view(wheeled(self.state.view, event))

    # Selection ----------------------------------------------------------------------------------------

    def _forget_removed(self, change: Diff) -> None:
        if change.removed:
            self.state.end_glide()
            if gesture := self._end():
                gesture.drop()
            self.state.select(self.state.selection.difference(change.removed))

    # Mouse --------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self.gesture is not None:
            return
        button = Qt.MouseButton.MiddleButton if self._panning else event.button()
        gesture = press.pressed(self.state, event.position(), button, event.modifiers())
        if gesture is not None:
            self._begin(gesture)

    def _begin(self, gesture: Gesture) -> None:
        self.gesture = gesture
        self.state.hover(None)
        if gesture.cursor is not None:
            self.setCursor(gesture.cursor)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.gesture is not None:
            gesture = self.gesture
            gesture.keys = event.modifiers()
            gesture.move(event.position())
            if gesture.became is not None:
                self._begin(gesture.became)
                gesture.became.move(event.position())
            self._edge.follow(self.gesture)
            self.update()
        elif not self._panning:
            self.setCursor(press.cursor_at(self.state, event.position()))
            self.state.hover(press.thing_at(self.state, event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        self.state.hover(None)
        super().leaveEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        gesture = self._end()
        if gesture is not None:
            gesture.finish()

    def _end(self) -> Gesture | None:
        gesture, self.gesture = self.gesture, None
        self._edge.follow(None)
        if isinstance(gesture, Move) and gesture.lifted:
            self.state.touch_nodes(gesture.ids, links=True)
        self.setCursor(Qt.CursorShape.OpenHandCursor if self._panning else Qt.CursorShape.ArrowCursor)
        self._show_lit()
        return gesture

    def _cancel(self) -> None:
        if gesture := self._end():
            gesture.cancel()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._end()
        if event.button() != Qt.MouseButton.LeftButton or not press.double_clicked(self.state, event.position()):
            self.mousePressEvent(event)

    # Keys ---------------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        match event.key():
            case Qt.Key.Key_Space if not event.isAutoRepeat():
                self._panning = True
                self.setCursor(Qt.CursorShape.OpenHandCursor)
            case Qt.Key.Key_Escape if self.gesture is not None:
                self._cancel()
            case Qt.Key.Key_Escape if self.scope.path:
                self.scope.leave()
            case _:
                event.ignore()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._panning = False
            self.setCursor(Qt.CursorShape.ArrowCursor)
        else:
            event.ignore()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Whoever has the keyboard now is told when Space is let go."""
        self._panning = False
        super().focusOutEvent(event)

    def focusNextPrevChild(self, next: bool) -> bool:
        """Tab opens a group or the palette instead of leaving the canvas; Shift+Tab leaves a group, then the canvas."""
        if self.gesture is not None:
            return True
        if next:
            self.enter_or_add()
            return True
        if self.scope.path:
            self.scope.leave()
            return True
        return super().focusNextPrevChild(False)

    def enter_or_add(self) -> None:
        """Go into the selected group; when no group is selected, offer node types to add."""
        id = next(iter(self.state.selection), "")
        if len(self.state.selection) == 1 and self.scope.can_enter(id):
            self.scope.enter(id)
        else:
            open_palette(self.state, self.state.pointer())

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), self.tip_at(QPointF(event.pos())), self)
            return True
        if isinstance(event, QNativeGestureEvent):
            self.state.show_view(pinched(self.state.view, event))
            return True
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride and self._takes(event):
            event.accept()
        return super().event(event)

    def _takes(self, event: QKeyEvent) -> bool:
        """Whether a key is the canvas's before it is a shortcut: Escape then ends the gesture or leaves the group."""
        if self.gesture is not None:
            return True
        return event.key() == Qt.Key.Key_Escape and bool(self.scope.path) and not self.runs.running

    def tip_at(self, at: QPointF) -> str:
        """What there is to say about a place in pixels."""
        return tip_at(self.scene, self.scope, self.state.view, at)
