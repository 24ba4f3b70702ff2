"""What the mouse does on a node itself: its rows, its fold, its title and its right edge."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt

from nodegraph.node import Choice, File, Input, Multiline, Range, Seed
from ui.canvas.commands.one_node import click, edit_node, fold, open_row, rename, value_of
from ui.canvas.gestures.gestures import Gesture, Move
from ui.canvas.paint.levels import rows_shown
from ui.canvas.paint.nodes import TITLE, counter_size
from ui.canvas.scene.items import NodeItem
from ui.canvas.scene.shape import CHEVRON, EDGE, HEADER, MAX_WIDTH, MIN_WIDTH, Row
from ui.canvas.scene.state import CanvasState
from ui.widgets.numbers import slider_range, step_of, stepped

SLOP = 4.0  # pixels that a click may wander
PIXELS_PER_STEP = 4.0  # of a number that has no slider
LEAST_PIXELS = {int: 2.5, float: 1.0}
"""Of a step, where the whole range would go by within the row: 20 must not be 6 after the width of a letter."""
FINE, COARSE = 0.1, 10.0
_CTRL, _SHIFT, _ALT = (
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
)


def press(state: CanvasState, at: QPointF, item: NodeItem, keys: Qt.KeyboardModifier) -> Gesture | None:
    """What a press on this node begins; None when the node is simply taken hold of. at: pixels."""
    if item.type.annotation or keys & _ALT:
        return None
    place = state.view.to_world(at) - item.pos
    row = _row_at(state, item, place)
    if row is not None and row.input is not None:
        return RowPress(state, at, item, row, row.input, toggle=bool(keys & (_CTRL | _SHIFT)))
    if _on_edge(item, place):
        return Resize(state, at, item)
    if item.counter is not None and item.counter.contains(place) and counter_size(state.view.scale):
        return Count(state, at, item, -1 if place.x() < item.counter.center().x() else 1)
    if CHEVRON.contains(place) and rows_shown(state.view.scale):
        return Fold(state, at, item)
    return None


def double_click(state: CanvasState, at: QPointF, item: NodeItem) -> bool:
    """Type into what is there; False when that is nothing of a node's own."""
    if item.type.annotation:
        return False
    place = state.view.to_world(at) - item.pos
    if item.counter is not None and item.counter.contains(place):
        return False  # two clicks
    row = _row_at(state, item, place)
    if row is not None and row.input is not None:
        buttons = _has_buttons(row.input) and place.x() > row.mode_button.left()
        if buttons or row.input.type is bool or row.input.get(Choice):
            return False  # two clicks
        open_row(state, item.id, row.input.name)
        return True
    if _on_edge(item, place):
        edit_node(state, "Resize node", item.id, size=None)
        return True
    if place.x() >= TITLE and place.y() < HEADER:
        rename(state, item.id)
        return True
    return False


def cursor_at(state: CanvasState, at: QPointF) -> Qt.CursorShape:
    """What the pointer says can be done there."""
    world = state.view.to_world(at)
    item = state.scene.node_at(world)
    if item is None or item.type.annotation:
        return Qt.CursorShape.ArrowCursor
    row = _row_at(state, item, world - item.pos)
    if row is not None and row.input is not None:
        if _is_number(row.input):
            return Qt.CursorShape.SplitHCursor
        return Qt.CursorShape.IBeamCursor if row.input.get(Multiline) else Qt.CursorShape.PointingHandCursor
    return Qt.CursorShape.SizeHorCursor if _on_edge(item, world - item.pos) else Qt.CursorShape.ArrowCursor


def _row_at(state: CanvasState, item: NodeItem, place: QPointF) -> Row | None:
    """The parameter under the place, when it can be edited and is large enough to be seen."""
    if not rows_shown(state.view.scale):
        return None
    rows = (row for row in item.shape.rows if row.rect.contains(place))
    return next((row for row in rows if row.editable and row.input and row.input.name not in item.linked), None)


def _on_edge(item: NodeItem, place: QPointF) -> bool:
    return item.shape.width - EDGE <= place.x() <= item.shape.width and 0 <= place.y() <= item.shape.height


def _is_number(spec: Input) -> bool:
    return spec.type in (int, float)


def _has_buttons(spec: Input) -> bool:
    return spec.get(Seed) is not None or spec.get(File) is not None


class RowPress(Gesture):
    """A press on a parameter: a click acts on it; a drag changes a number, and carries the node by anything else.

    toggle: a click adds the node to the selection, or takes it away.
    """

    def __init__(
        self, state: CanvasState, start: QPointF, item: NodeItem, row: Row, spec: Input, *, toggle: bool
    ) -> None:
        super().__init__(state, start)
        self.id, self.row, self.spec, self.toggle = item.id, row, spec, toggle
        if not toggle and item.id not in state.selection:
            state.select({item.id})

    def move(self, at: QPointF) -> None:
        super().move(at)
        if (at - self.start).manhattanLength() < SLOP:
            return
        value = value_of(self.state, self.id, self.spec)
        if _is_number(self.spec) and isinstance(value, int | float):
            slide = Slide(self.state, self.start, self.id, self.row, self.spec, value)
            slide.keys = self.keys
            self.became = slide
            return
        if self.toggle:
            self.state.select(self.state.selection | {self.id})
        self.became = Move(self.state, self.start)

    def finish(self) -> None:
        if self.toggle:
            self.state.select(self.state.selection ^ {self.id})
            return
        place = self.state.view.to_world(self.start) - self.state.scene.nodes[self.id].pos
        click(self.state, self.id, self.row, self.spec, place)


class Slide(Gesture):
    """Drag a number sideways: along the whole row for the whole range, but no faster than some pixels a step.

    One undo step. Ctrl is ten times as fine, Shift ten times as coarse.
    """

    cursor = Qt.CursorShape.SplitHCursor

    def __init__(self, state: CanvasState, start: QPointF, id: str, row: Row, spec: Input, value: int | float) -> None:
        super().__init__(state, start)
        self.id, self.spec, self.first = id, spec, value
        self.params = state.scope.graph.nodes[id].params
        self.merge, self.away = object(), 0.0
        limits = slider_range(spec)
        width = row.rect.width() * state.view.scale
        fastest = step_of(spec) / LEAST_PIXELS[spec.type]
        self.speed = min((limits.max - limits.min) / width, fastest) if limits else step_of(spec) / PIXELS_PER_STEP
        state.held.emit(True)

    def move(self, at: QPointF) -> None:
        fine = bool(self.keys & _CTRL)
        factor = FINE if fine else COARSE if self.keys & _SHIFT else 1.0
        self.away += (at.x() - self.at.x()) * self.speed * factor
        limits = self.spec.get(Range)
        if limits is not None:
            # The hand that comes back from beyond the end changes the value at once.
            self.away = min(max(self.away, limits.min - self.first), limits.max - self.first)
        super().move(at)
        declared = limits is not None and limits.step is not None
        step = step_of(self.spec) * (FINE if fine and not declared else 1.0)
        value = stepped(self.spec, self.first, self.away, step)
        self.state.scope.set_param(self.id, self.spec.name, value, merge=self.merge)

    def finish(self) -> None:
        self.state.held.emit(False)

    def cancel(self) -> None:
        edit_node(self.state, "Set", self.id, merge=self.merge, params=self.params)
        self.state.held.emit(False)

    def drop(self) -> None:
        self.state.held.emit(False)


class Fold(Gesture):
    """A click on the chevron."""

    def __init__(self, state: CanvasState, start: QPointF, item: NodeItem) -> None:
        super().__init__(state, start)
        self.id = item.id

    def move(self, at: QPointF) -> None:
        super().move(at)
        if (at - self.start).manhattanLength() >= SLOP:
            self.state.select(self.state.selection | {self.id})
            self.became = Move(self.state, self.start)

    def finish(self) -> None:
        fold(self.state, {self.id})


class Count(Gesture):
    """A click on an end of what says which picture of a batch is shown."""

    def __init__(self, state: CanvasState, start: QPointF, item: NodeItem, step: int) -> None:
        super().__init__(state, start)
        self.id, self.step = item.id, step

    def move(self, at: QPointF) -> None:
        super().move(at)
        if (at - self.start).manhattanLength() >= SLOP:
            self.state.select(self.state.selection | {self.id})
            self.became = Move(self.state, self.start)

    def finish(self) -> None:
        self.state.scene.look_at_picture(self.id, self.step)


class Resize(Gesture):
    """Drag the right edge."""

    cursor = Qt.CursorShape.SizeHorCursor

    def __init__(self, state: CanvasState, start: QPointF, item: NodeItem) -> None:
        super().__init__(state, start)
        self.id, self.first, self.merge = item.id, item.shape, object()
        self.size = item.node.size

    def move(self, at: QPointF) -> None:
        super().move(at)
        wanted = self.first.width + self.by.x()
        size = (float(round(min(max(wanted, MIN_WIDTH), MAX_WIDTH))), self.first.height)
        edit_node(self.state, "Resize node", self.id, merge=self.merge, size=size)

    def cancel(self) -> None:
        edit_node(self.state, "Resize node", self.id, merge=self.merge, size=self.size)

    def drop(self) -> None:
        """It keeps the width it has."""
