"""What a screen reader finds on the canvas: the nodes as a list, and the sockets of each with where they lead."""

# Qt's stubs do not say that these methods may return nothing, as Qt's own do.
# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

from PySide6.QtCore import QObject, QPoint, QRect, QRectF
from PySide6.QtGui import QAccessible, QAccessibleInterface, QWindow
from PySide6.QtWidgets import QAccessibleWidget

from nodegraph.graph import Port
from ui.canvas.canvas import Canvas
from ui.runs.describe import input_text, output_text, state

SOCKET = 8.0  # half the side of what counts as a socket's place, in world units


class _Part(QAccessibleInterface):
    """What nodes and sockets have in common: they are painted, not widgets."""

    def __init__(self, canvas: Canvas) -> None:
        super().__init__()
        self.canvas = canvas

    def object(self) -> QObject | None:
        return None

    def window(self) -> QWindow | None:
        return self.canvas.window().windowHandle()

    def setText(self, kind: QAccessible.Text, text: str) -> None:
        """Names are edited on the canvas, not by a reader."""

    def childAt(self, x: int, y: int) -> QAccessibleInterface | None:
        parts = (self.child(index) for index in range(self.childCount()))
        return next((part for part in parts if part is not None and part.rect().contains(QPoint(x, y))), None)

    def childCount(self) -> int:
        return 0

    def child(self, index: int) -> QAccessibleInterface | None:
        return None

    def indexOfChild(self, child: QAccessibleInterface) -> int:
        return -1

    def on_screen(self, world: QRectF) -> QRect:
        view = self.canvas.state.view
        place = QRectF(view.to_screen(world.topLeft()), view.to_screen(world.bottomRight())).toRect()
        return place.translated(self.canvas.mapToGlobal(QPoint()))


class SocketPart(_Part):
    """One input or output of a node."""

    def __init__(self, node: NodePart, name: str, *, output: bool) -> None:
        super().__init__(node.canvas)
        self.node, self.name, self.output = node, name, output

    def isValid(self) -> bool:
        return self.node.isValid()

    def parent(self) -> QAccessibleInterface:
        return self.node

    def role(self) -> QAccessible.Role:
        return QAccessible.Role.ListItem

    def state(self) -> QAccessible.State:
        return QAccessible.State()

    def rect(self) -> QRect:
        at = self.canvas.scene.socket_pos(Port(self.node.id, self.name), output=self.output)
        return self.on_screen(QRectF(at.x() - SOCKET, at.y() - SOCKET, 2 * SOCKET, 2 * SOCKET))

    def text(self, kind: QAccessible.Text) -> str:
        if not self.isValid():
            return ""
        if kind == QAccessible.Text.Description and not self.output:
            return self.canvas.scene.nodes[self.node.id].why_idle(self.name)
        if kind != QAccessible.Text.Name:
            return ""
        scope, id = self.canvas.scene.scope, self.node.id
        type = scope.type_of(id)
        if self.output:
            output = type.output(self.name)
            return f"Output {output_text(scope, id, output)}" if output else ""
        spec = type.input(self.name)
        return f"Input {input_text(scope, id, spec)}" if spec else ""


class NodePart(_Part):
    """One node, with its sockets as children."""

    def __init__(self, owner: CanvasPart, id: str) -> None:
        super().__init__(owner.canvas)
        self.owner, self.id = owner, id
        self._sockets: dict[tuple[str, bool], SocketPart] = {}

    def isValid(self) -> bool:
        return self.id in self.canvas.scene.nodes

    def parent(self) -> QAccessibleInterface:
        return self.owner

    def role(self) -> QAccessible.Role:
        return QAccessible.Role.ListItem

    def state(self) -> QAccessible.State:
        made = QAccessible.State()
        made.selectable = True
        made.selected = self.id in self.canvas.state.selection
        return made

    def rect(self) -> QRect:
        return self.on_screen(self.canvas.scene.nodes[self.id].rect) if self.isValid() else QRect()

    def text(self, kind: QAccessible.Text) -> str:
        if not self.isValid():
            return ""
        scope = self.canvas.scene.scope
        if kind == QAccessible.Text.Name:
            words = state(self.canvas.scene.nodes[self.id].run, scope.graph.nodes[self.id].mode)
            return ", ".join(filter(None, (scope.title_of(self.id), self.canvas.scene.nodes[self.id].badge, words)))
        idle = self.canvas.scene.nodes[self.id].idle.get("", "")
        return idle or scope.type_of(self.id).doc if kind == QAccessible.Text.Description else ""

    def _keys(self) -> list[tuple[str, bool]]:
        type = self.canvas.scene.scope.type_of(self.id)
        return [(i.name, False) for i in type.inputs] + [(o.name, True) for o in type.outputs]

    def childCount(self) -> int:
        return len(self._keys()) if self.isValid() else 0

    def child(self, index: int) -> QAccessibleInterface | None:
        if not 0 <= index < self.childCount():
            return None
        key = self._keys()[index]
        if key not in self._sockets:
            self._sockets[key] = SocketPart(self, key[0], output=key[1])
        return self._sockets[key]

    def indexOfChild(self, child: QAccessibleInterface) -> int:
        key = (child.name, child.output) if isinstance(child, SocketPart) else None
        return self._keys().index(key) if key in self._keys() else -1


class CanvasPart(QAccessibleWidget):
    """The canvas as a list of its nodes. Parts are kept: Qt may ask for one again long after it was made."""

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas, QAccessible.Role.List, "Node canvas")
        self.canvas = canvas
        self._nodes: dict[str, NodePart] = {}

    def childCount(self) -> int:
        return len(self.canvas.scene.nodes)

    def child(self, index: int) -> QAccessibleInterface | None:
        ids = list(self.canvas.scene.nodes)
        if not 0 <= index < len(ids):
            return None
        if ids[index] not in self._nodes:
            self._nodes[ids[index]] = NodePart(self, ids[index])
        return self._nodes[ids[index]]

    def childAt(self, x: int, y: int) -> QAccessibleInterface | None:
        world = self.canvas.state.view.to_world(self.canvas.mapFromGlobal(QPoint(x, y)).toPointF())
        item = self.canvas.scene.node_at(world)
        return self.child(list(self.canvas.scene.nodes).index(item.id)) if item else None

    def indexOfChild(self, child: QAccessibleInterface) -> int:
        ids = list(self.canvas.scene.nodes)
        return ids.index(child.id) if isinstance(child, NodePart) and child.id in ids else -1


_PARTS: list[CanvasPart] = []  # Qt holds these by address only


def _make(key: str, widget: QObject) -> QAccessibleInterface | None:
    if not isinstance(widget, Canvas):
        return None
    part = CanvasPart(widget)
    _PARTS.append(part)
    widget.destroyed.connect(lambda: _PARTS.remove(part))
    return part


def install() -> None:
    """Let screen readers see into every canvas. Call once, before the first canvas is asked about."""
    QAccessible.installFactory(_make)
