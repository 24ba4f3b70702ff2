"""The canvas: one widget that paints the scene and turns mouse and keys into gestures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from PySide6.QtCore import QEvent, QPointF, QRectF, QSizeF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QCursor,
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

from nodegraph.graph import Diff, Port
from ui.base.theme import color, colors
from ui.canvas.commands import adding
from ui.canvas.commands.breadcrumbs import Breadcrumbs
from ui.canvas.gestures import press
from ui.canvas.gestures.edge_scroll import EdgeScroll
from ui.canvas.gestures.gestures import Gesture, Move
from ui.canvas.gestures.tips import tip_at
from ui.canvas.overlays.live_editor import LiveEditor
from ui.canvas.overlays.minimap import Minimap
from ui.canvas.overlays.palette import Palette
from ui.canvas.paint.hint import paint_hint
from ui.canvas.paint.layers import paint_carried, paint_still
from ui.canvas.paint.nodes import paint_grid, paint_nodes
from ui.canvas.paint.sharp import Sharpener
from ui.canvas.paint.tiles import Tiles
from ui.canvas.scene.glide import Glide
from ui.canvas.scene.scene import Scene
from ui.canvas.scene.view import View, fitted, opened, pinched, wheeled
from ui.documents.document import Document
from ui.documents.scope import Scope
from ui.runs.run_state import RunState


class Canvas(QWidget):
    """Shows the graph of a scope and asks it to change. Selection and view are not part of the document.

    snap: whether nodes that are moved keep to the grid.
    """

    selection_changed = Signal()
    view_changed = Signal()
    refused = Signal(str)  # what could not be done and why, as a sentence
    held = Signal(bool)  # a number is being dragged: runs should be quick

    def __init__(self, document: Document, runs: RunState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.document, self.runs = document, runs
        self.scope = Scope(document, self)
        self.scene = Scene(self.scope, runs, self)
        self.view = View()
        self.selection: frozenset[str] = frozenset()
        self.gesture: Gesture | None = None
        self.editor: LiveEditor | None = None
        self.recent: list[str] = []  # types that were added, the latest first
        self._glide: Glide | None = None
        self.snap = self._panning = False  # the latter while Space is held
        self._wanted: Callable[[], View] | None = self._opening  # as soon as the widget has its size
        self._path = self.scope.path
        self._views: dict[tuple[str, ...], View] = {}  # of the graphs around the one that is shown, by path
        self._tiles = Tiles(self._render, color(colors().canvas))
        self.minimap = Minimap(self)
        self.breadcrumbs = Breadcrumbs(self)
        self._edge, self._sharp = EdgeScroll(self), Sharpener(self)
        self._idle = QTimer(self, interval=0, singleShot=True)
        self._idle.timeout.connect(self._paint_ahead)
        self.scene.touched.connect(self._touch)
        self.scene.animated.connect(self.update)
        self.scope.changed.connect(self._forget_removed)
        self.scope.moved.connect(self._arrive)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName("Node canvas")

    # Painting -----------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._wanted is not None:
            self.show_view(self._wanted())
        painter = QPainter(self)
        complete = self._tiles.draw(painter, self.view, self.size(), self.devicePixelRatioF())
        if not self.scene.nodes:
            paint_hint(painter, self)
        painter.translate(self.view.x, self.view.y)
        painter.scale(self.view.scale, self.view.scale)
        self._paint_live(painter)
        painter.end()
        if not complete or self._glide is not None:
            QTimer.singleShot(0, self, self._next_frame)
        else:
            self._idle.start()

    def _paint_ahead(self) -> None:
        if self._tiles.paint_ahead(self.view, self.size()):
            self._idle.start()

    def _next_frame(self) -> None:
        if self._glide is not None and self._glide.over:
            self._end_glide()
        self.update()

    def _render(self, painter: QPainter, area: QRectF) -> None:
        """The static layer: everything but what is being carried."""
        paint_grid(painter, area, self.view.scale)
        paint_still(painter, self.scene, area, self.carried().keys(), self.selection, self.view.scale)

    def _paint_live(self, painter: QPainter) -> None:
        scale = self.view.scale
        carried = self.carried()
        running = [item for id, item in self.scene.running.items() if id not in carried]
        paint_nodes(painter, running, self.selection, scale)
        if carried:
            paint_carried(painter, self.scene, carried, self.selection, scale)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.gesture is not None:
            self.gesture.paint(painter)

    def carried(self) -> Mapping[str, QPointF]:
        """The nodes that are on their way, and how far from where the document has them."""
        if isinstance(self.gesture, Move) and self.gesture.lifted:
            return dict.fromkeys(self.gesture.ids, self.gesture.offset)
        return self._glide.offsets() if self._glide is not None else {}

    def glide(self, before: Mapping[str, QPointF]) -> None:
        """Let nodes move to where the document has them now. before: where they were."""
        self._glide = Glide({id: pos - self.scene.nodes[id].pos for id, pos in before.items()})
        self.touch_nodes(before, links=True)

    def _end_glide(self) -> None:
        glide, self._glide = self._glide, None
        self.touch_nodes(glide.ids if glide else (), links=True)

    def _touch(self, area: QRectF) -> None:
        self._tiles.invalidate(area)
        self.update()

    def touch_nodes(self, ids: Iterable[str], *, links: bool = False) -> None:
        """Paint these nodes again, with their wires and zones when `links`."""
        kept = [id for id in ids if id in self.scene.nodes]
        for id in kept:
            self._touch(self.scene.nodes[id].bounds)
        for link in self.scene.links_of(kept) if links else ():
            self._touch(link.rect)
        for zone in self.scene.zones if links else ():
            if not zone.nodes.isdisjoint(kept):
                self._touch(zone.bounds)

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.StyleChange:  # another theme
            self._tiles = Tiles(self._render, color(colors().canvas))
            self.update()
        super().changeEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        """Behind another tab, or about to be closed: what was painted is 10 MB and more, and soon painted again."""
        self._tiles.clear()
        self.scene.pixmaps.clear()
        super().hideEvent(event)

    # View ---------------------------------------------------------------------------------------------

    def show_view(self, view: View) -> None:
        self.view = view
        if self.editor is not None:
            self.editor.follow()
        self._wanted = None
        self.view_changed.emit()
        self.update()

    def fit(self) -> None:
        """Show the selected nodes, or all."""
        self.show_view(fitted(self.scene.extent(self.selection or None), QSizeF(self.size())))

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
            self._views[left] = self.view
        view = self._views.get(here)
        self._views = {path: known for path, known in self._views.items() if path == here[: len(path)]}
        if left[: len(here)] == here and view is not None:
            self.select({left[len(here)]} & self.scene.nodes.keys())
            self.show_view(view)
        else:
            self.fit_all()

    def zoom(self, factor: float) -> None:
        """At the pointer when it is over the canvas, else in the middle."""
        self.show_view(self.view.zoomed(factor, self.pointer()))

    def pointer(self) -> QPointF:
        """Where the mouse is, in pixels; the middle when it is elsewhere."""
        at = QPointF(self.mapFromGlobal(QCursor.pos()))
        return at if self.underMouse() and QRectF(self.rect()).contains(at) else QPointF(self.rect().center())

    def center_on(self, node: str) -> None:
        """Bring a node into view and select it. node: as the engine calls it; "denoise/step" is inside "denoise"."""
        *path, id = node.split("/")
        self.scope.show(tuple(path))
        if id in self.scene.nodes:
            self.select({id})
            self.reveal(id)

    def reveal(self, *ids: str) -> None:
        """Bring nodes into view."""
        wanted = self.scene.extent(ids)
        if not self.view.rect_to_world(QRectF(self.rect())).contains(wanted):
            scale = min(max(self.view.scale, 0.6), fitted(wanted, QSizeF(self.size())).scale)
            middle = QPointF(self.rect().center()) - wanted.center() * scale
            self.show_view(View(scale).panned(middle.x(), middle.y()))

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.minimap.place()
        if event.oldSize().isValid() and self._wanted is None:
            grown = event.size() - event.oldSize()
            self.view = self.view.panned(grown.width() / 2, grown.height() / 2)

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.show_view(wheeled(self.view, event))

    def show_editor(self, editor: LiveEditor | None) -> None:
        """There is at most one editor over the canvas: another takes its place."""
        if editor is not None and self.editor is not None:
            self.editor.leave()
        self.editor = editor

    # Selection ----------------------------------------------------------------------------------------

    def select(self, ids: Iterable[str]) -> None:
        chosen = frozenset(ids)
        if chosen == self.selection:
            return
        changed = chosen ^ self.selection
        self.selection = chosen
        self.touch_nodes(changed)
        self.selection_changed.emit()

    @property
    def targets(self) -> tuple[str, ...]:
        """The selected nodes that can be run, as the engine calls them."""
        chosen = (id for id in self.selection if not self.scene.nodes[id].type.annotation)
        return tuple(self.scope.prefix + id for id in chosen)

    def select_all(self) -> None:
        self.select(self.scene.nodes)

    def set_snap(self, on: bool) -> None:
        self.snap = on

    def _forget_removed(self, change: Diff) -> None:
        if change.removed:
            self._end_glide()
            if gesture := self._end():
                gesture.drop()
            self.select(self.selection.difference(change.removed))

    # Mouse --------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self.gesture is not None:
            return
        button = Qt.MouseButton.MiddleButton if self._panning else event.button()
        gesture = press.pressed(self, event.position(), button, event.modifiers())
        if gesture is not None:
            self.begin(gesture)

    def begin(self, gesture: Gesture) -> None:
        self.gesture = gesture
        if gesture.cursor is not None:
            self.setCursor(gesture.cursor)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.gesture is not None:
            self.gesture.keys = event.modifiers()
            self.gesture.move(event.position())
            self._edge.follow()
            self.update()
        elif not self._panning:
            self.setCursor(press.cursor_at(self, event.position()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        gesture = self._end()
        if gesture is not None:
            gesture.finish()

    def _end(self) -> Gesture | None:
        gesture, self.gesture = self.gesture, None
        self._edge.follow()
        if isinstance(gesture, Move) and gesture.lifted:
            self.touch_nodes(gesture.ids, links=True)
        self.setCursor(Qt.CursorShape.OpenHandCursor if self._panning else Qt.CursorShape.ArrowCursor)
        self.update()
        return gesture

    def _cancel(self) -> None:
        if gesture := self._end():
            gesture.cancel()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._end()
        if event.button() != Qt.MouseButton.LeftButton or not press.double_clicked(self, event.position()):
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
        id = next(iter(self.selection), "")
        if len(self.selection) == 1 and self.scope.can_enter(id):
            self.scope.enter(id)
        else:
            self.open_palette(self.pointer())

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), self.tip_at(QPointF(event.pos())), self)
            return True
        if isinstance(event, QNativeGestureEvent):
            self.show_view(pinched(self.view, event))
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
        return tip_at(self.scene, self.scope, self.view, at)

    # Adding nodes -------------------------------------------------------------------------------------

    def open_palette(self, at: QPointF, port: Port | None = None, *, from_output: bool = True) -> Palette:
        """Offer node types to add at a place in pixels; with a port, those that can be linked to it."""
        return adding.open_palette(self, at, port, from_output=from_output)
