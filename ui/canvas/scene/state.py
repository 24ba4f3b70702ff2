"""What a canvas shows of a graph, and what is selected in it: all that gestures, commands and overlays know of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from PySide6.QtCore import QObject, QPointF, QRectF, Signal
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QWidget

from nodegraph.domain import Remedy
from nodegraph.graph import Port
from ui.base import theme
from ui.canvas.scene.glide import Glide
from ui.canvas.scene.lit import lit_wires
from ui.canvas.scene.placed import EVERYWHERE
from ui.canvas.scene.scene import MANY, Scene
from ui.canvas.scene.view import View, fitted
from ui.documents.document import Document
from ui.documents.scope import Scope
from ui.runs.node_run import counts_for
from ui.runs.run_state import RunState

READABLE = 0.6
"""The scale, at the usual text size, from which parameters are read with ease."""


class Editor(Protocol):
    """What is typed into, over the canvas."""

    def follow(self) -> None:
        """Stay in its place when the view moves."""

    def leave(self) -> None:
        """Keep what is right, and close."""


class CanvasState(QObject):
    """A canvas owns one and paints what it says. Selection and view are no part of the document.

    widget: what editors, menus and dialogs are put over. snap: whether nodes that are moved keep to the grid. recent:
    types that were added, the latest first. gliding: nodes on their way to where the document has them. wire: the one
    that is selected, by the input it feeds. hovered: what the pointer is over. lit: wires that stand out.
    """

    selection_changed = Signal()
    view_changed = Signal()
    touched = Signal(object)  # these rectangles, in world units, are to be painted again
    lit_changed = Signal()
    added = Signal()  # a node, whose type is the first of the recent ones now
    refused = Signal(str)  # what could not be done and why, as a sentence
    held = Signal(bool)  # a number is being dragged: runs should be quick
    vary_wanted = Signal(object)  # the Port of a parameter that is to vary in a sweep
    remedy_wanted = Signal(str, bool)  # the name of what helps with a problem; by a file, or fetched

    def __init__(self, document: Document, runs: RunState, widget: QWidget) -> None:
        super().__init__(widget)
        self.widget = widget
        self.scope = Scope(document, self)
        self.scene = Scene(self.scope, runs, self)
        self.view = View()
        self.selection: frozenset[str] = frozenset()
        self.editor: Editor | None = None
        self.gliding: Glide | None = None
        self.snap = False
        self.recent: list[str] = []
        self.wire: Port | None = None
        self.hovered: str | Port | None = None
        self.lit: frozenset[Port] = frozenset()
        self.remedies: Mapping[str, str] = {}  # by node as the engine calls it, what helps with its problem
        self.scope.changed.connect(lambda _: self._light())

    def remedy(self, id: str) -> Remedy | None:
        """What helps with a problem of a node, or of one inside it."""
        name = self.remedy_name(id)
        return self.scope.registry.domain.remedies.get(name) if name else None

    def remedy_name(self, id: str) -> str:
        node = self.scope.prefix + id
        return next((name for place, name in self.remedies.items() if counts_for(node, place)), "")

    # Selection ----------------------------------------------------------------------------------------

    def select(self, ids: Iterable[str]) -> None:
        chosen = frozenset(ids)
        self.pick_wire(None)
        if chosen == self.selection:
            return
        changed = chosen ^ self.selection
        self.selection = chosen
        self.touch_nodes(changed)
        self._light()
        self.selection_changed.emit()

    def pick_wire(self, dst: Port | None) -> None:
        """Select the wire to this input, in place of any node; none with None."""
        if dst is not None:
            self.select(())
        if dst != self.wire:
            self.wire = dst
            self._light()

    def hover(self, thing: str | Port | None) -> None:
        """What the pointer is over: a node, or the wire to an input."""
        if thing != self.hovered:
            self.hovered = thing
            self._light()

    def _light(self) -> None:
        """Light the wires of what the pointer is over, or else of what is selected."""
        if self.hovered is None and self.wire is None and not self.selection and not self.lit:
            return
        if self.wire is not None and self.wire not in self.scope.graph.links:
            self.wire = None
        over, lit = self.hovered, frozenset[Port]()
        if self.scene.complete:  # in the middle of a large change nothing is lit
            node, wire = ([over], None) if isinstance(over, str) else ((), over)
            lit = lit_wires(self.scene, node, wire) or lit_wires(self.scene, self.selection, self.wire)
        if lit != self.lit:
            self.lit = lit
            self.lit_changed.emit()

    @property
    def targets(self) -> tuple[str, ...]:
        """The selected nodes that can be run, as the engine calls them."""
        chosen = (id for id in self.selection if not self.scene.nodes[id].type.annotation)
        return tuple(self.scope.prefix + id for id in chosen)

    def set_snap(self, on: bool) -> None:
        self.snap = on

    # View ---------------------------------------------------------------------------------------------

    @property
    def area(self) -> QRectF:
        """The widget, in pixels."""
        return QRectF(self.widget.rect())

    @property
    def middle(self) -> QPointF:
        """Of the widget, a whole pixel."""
        return QPointF(self.widget.rect().center())

    def show_view(self, view: View) -> None:
        self.view = view
        if self.editor is not None:
            self.editor.follow()
        self.view_changed.emit()

    def reveal(self, *ids: str) -> None:
        """Bring nodes into view."""
        wanted = self.scene.extent(ids)
        if not self.view.rect_to_world(self.area).contains(wanted):
            self._go_to(wanted)

    def approach(self, id: str) -> None:
        """Bring a node into view, no farther than where its parameters can be read."""
        if self.view.scale < READABLE * theme.scale():
            self._go_to(self.scene.extent((id,)))
        else:
            self.reveal(id)

    def _go_to(self, wanted: QRectF) -> None:
        scale = min(max(self.view.scale, READABLE * theme.scale()), fitted(wanted, self.area.size()).scale)
        middle = self.middle - wanted.center() * scale
        self.show_view(View(scale).panned(middle.x(), middle.y()))

    def keep_faulty(self, seen: QRectF) -> None:
        """A panel that says what is wrong takes room away: a faulty node that was seen stays in view.

        seen: what was in view, in world units.
        """
        if not self.scene.complete:
            return
        faulty = [item for item in self.scene.faulty() if seen.contains(item.rect)]
        now = self.view.rect_to_world(self.area)
        if faulty and not any(now.contains(item.rect) for item in faulty):
            self.reveal(faulty[0].id)

    def show_faulty(self) -> None:
        """Bring a faulty node into view, unless one is."""
        now, faulty = self.view.rect_to_world(self.area), self.scene.faulty()
        if faulty and not any(now.contains(item.rect) for item in faulty):
            self.reveal(faulty[0].id)

    def center_on(self, node: str) -> None:
        """Bring a node into view and select it. node: as the engine calls it; "denoise/step" is inside "denoise"."""
        *path, id = node.split("/")
        self.scope.show(tuple(path))
        if id in self.scene.nodes:
            self.select({id})
            self.reveal(id)

    def pointer(self) -> QPointF:
        """Where the mouse is, in pixels; the middle when it is elsewhere."""
        at = QPointF(self.widget.mapFromGlobal(QCursor.pos()))
        return at if self.widget.underMouse() and self.area.contains(at) else self.middle

    # What is seen on it -------------------------------------------------------------------------------

    def touch_nodes(self, ids: Iterable[str], *, links: bool = False) -> None:
        """Paint these nodes again, with their wires and zones when `links`."""
        ids = [*ids]
        if len(ids) > MANY:
            self.touched.emit([EVERYWHERE])
            return
        nodes = self.scene.nodes
        kept = [id for id in ids if id in nodes]
        areas = [nodes[id].bounds for id in kept]
        if links:
            areas += [link.rect for link in self.scene.links_of(kept)]
            areas += [zone.bounds for zone in self.scene.zones if not zone.nodes.isdisjoint(kept)]
        self.touched.emit(areas)

    def glide(self, before: Mapping[str, QPointF]) -> None:
        """Let nodes move to where the document has them now. before: where they were."""
        self.gliding = Glide({id: pos - self.scene.nodes[id].pos for id, pos in before.items()})
        self.touch_nodes(before, links=True)

    def end_glide(self) -> None:
        gliding, self.gliding = self.gliding, None
        if gliding is not None:
            self.touch_nodes(gliding.ids, links=True)

    def show_editor(self, editor: Editor | None) -> None:
        """There is at most one: another takes its place."""
        if editor is not None and self.editor is not None:
            self.editor.leave()
        self.editor = editor
