"""What can be done to one node in its place: change a parameter, its title, its width, fold it."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu

from nodegraph.graph import Graph, SeedMode, change_node
from nodegraph.node import Choice, File, Input, Multiline, Seed
from ui.base.text import amount
from ui.canvas.overlays.live_editor import LiveEditor
from ui.canvas.paint.nodes import TITLE
from ui.canvas.scene.shape import HEADER, Row
from ui.canvas.scene.state import CanvasState
from ui.widgets.editors import rolled_seed
from ui.widgets.file_fields import ask_path
from ui.widgets.path_fields import PathField

LINES = 120.0  # height of the editor of a paragraph
NEXT_MODE: dict[SeedMode, SeedMode] = {"fixed": "increment", "increment": "random", "random": "fixed"}


def value_of(state: CanvasState, id: str, spec: Input) -> Any:
    """None for a value that is required and missing."""
    return state.scope.graph.nodes[id].params.get(spec.name, None if spec.required else spec.default)


def edit_node(state: CanvasState, text: str, id: str, *, merge: Hashable | None = None, **fields: Any) -> None:
    """Replace fields of a node, as one undo step."""

    def change(graph: Graph) -> Graph:
        return change_node(graph, id, **fields)

    state.scope.edit(text, change, merge=merge)


def click(state: CanvasState, id: str, row: Row, spec: Input, place: QPointF) -> None:
    """Act on a parameter. place: from the node's top left corner."""
    if spec.get(Seed) and row.button.contains(place):
        state.scope.set_param(id, spec.name, rolled_seed())
    elif spec.get(Seed) and row.mode_button.contains(place):
        mode = state.scope.graph.nodes[id].seed_mode
        edit_node(state, "Change what becomes of the seed", id, seed_mode=NEXT_MODE[mode])
    elif spec.get(File) and row.button.contains(place):
        choose_file(state, id, spec)
    elif spec.type is bool:
        state.scope.set_param(id, spec.name, not value_of(state, id, spec))
    elif spec.get(Choice):
        open_choices(state, id, row, spec)
    elif spec.get(Multiline):
        open_row(state, id, spec.name)


def choose_file(state: CanvasState, id: str, spec: Input) -> None:
    """Among those that fit, where somebody knows them; else among all."""
    if state.scope.offers_for(id, spec) is not None and (editor := open_row(state, id, spec.name)):
        if isinstance(editor.inner, PathField):
            editor.inner.unfold()
    elif path := ask_path(state.widget, spec, str(value_of(state, id, spec) or "")):
        state.scope.set_param(id, spec.name, path)


def open_choices(state: CanvasState, id: str, row: Row, spec: Input) -> QMenu:
    """Offer what the parameter may be, below its row."""
    menu = QMenu(state.widget)
    choice, now = spec.get(Choice), value_of(state, id, spec)
    for option in choice.options if choice else ():
        action = QAction(option, menu, checkable=True, checked=option == now)
        menu.addAction(action)
        if option == now:
            menu.setActiveAction(action)
    menu.triggered.connect(lambda action: state.scope.set_param(id, spec.name, action.text()))
    menu.aboutToHide.connect(menu.deleteLater)
    world = row.rect.translated(state.scene.nodes[id].pos)
    place = state.view.rect_to_screen(world).toAlignedRect()
    menu.setMinimumWidth(place.width())
    menu.popup(state.widget.mapToGlobal(place.bottomLeft()))
    return menu


def editable_rows(state: CanvasState, id: str) -> list[Row]:
    """The parameters of the node that are typed or chosen in place, from the top."""
    item = state.scene.nodes[id]
    return [row for row in item.shape.rows if row.editable and row.input and row.input.name not in item.linked]


def open_row(state: CanvasState, id: str, name: str) -> LiveEditor | None:
    """Put an editor on a parameter; None when the node does not show it, or when it is linked."""

    def row() -> Row | None:
        shown = editable_rows(state, id) if id in state.scene.nodes else []
        return next((row for row in shown if row.input and row.input.name == name), None)

    def place() -> QRectF | None:
        found = row()
        if found is None:
            return None
        more = LINES if found.input and found.input.get(Multiline) else 0.0
        return found.rect.adjusted(0, 0, 0, max(more - found.height, 0)).translated(state.scene.nodes[id].pos)

    found = row()
    if found is None or found.input is None:
        return None
    spec = found.input
    return LiveEditor(
        state,
        spec,
        lambda: value_of(state, id, spec),
        place,
        commit=lambda value, token: state.scope.set_param(id, name, value, merge=token),
        go_on=lambda step: _open_next(state, id, name, step),
        offering=state.scope.offers_for(id, spec),
        node=id,
    )


def _open_next(state: CanvasState, id: str, name: str, step: int) -> None:
    """The row `step` further; round and round."""
    names = [row.input.name for row in editable_rows(state, id) if row.input]
    open_row(state, id, names[(names.index(name) + step) % len(names)])


def edit_first_row(state: CanvasState) -> None:
    """Put the editor on the first parameter of the selected node; Tab leads to the others."""
    if len(state.selection) == 1:
        (id,) = state.selection
        rows = editable_rows(state, id)
        if rows and rows[0].input:
            open_row(state, id, rows[0].input.name)


def rename(state: CanvasState, id: str) -> LiveEditor:
    """Type another title; none gives back the type's own."""
    type = state.scene.nodes[id].type

    def place() -> QRectF | None:
        item = state.scene.nodes.get(id)
        title = QRectF(TITLE - 3, 4, item.shape.width - TITLE - 3, HEADER - 8) if item else None
        if item is None or title is None:
            return None
        place = title.translated(item.pos)
        seen = state.view.rect_to_world(state.area) & item.rect
        if item.figure == "frame" and not seen.isEmpty():  # it may be larger than the view, with its title elsewhere
            place.moveLeft(max(place.left(), seen.left()))
            place.moveTop(max(place.top(), seen.top()))
        return place

    def commit(title: str, token: Hashable) -> None:
        named = title.strip() not in ("", type.title)
        edit_node(state, "Rename node", id, title=title.strip() if named else None, merge=token)

    return LiveEditor(state, Input("title", str, ""), lambda: state.scene.nodes[id].title, place, commit)


def fold(state: CanvasState, ids: Collection[str]) -> None:
    """Collapse the nodes to their headers, or open them when all are collapsed."""
    nodes = state.scope.graph.nodes
    ids = [id for id in ids if not state.scene.nodes[id].type.annotation]
    folded = not all(nodes[id].collapsed for id in ids)

    def change(graph: Graph) -> Graph:
        return replace(graph, nodes={**graph.nodes, **{id: replace(nodes[id], collapsed=folded) for id in ids}})

    verb = "Collapse" if folded else "Open"
    state.scope.edit(f"{verb} node" if len(ids) == 1 else f"{verb} {amount(len(ids))} nodes", change)


def fold_selected(state: CanvasState) -> None:
    if state.selection:
        fold(state, state.selection)
