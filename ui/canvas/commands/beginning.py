"""Models that are brought to an empty canvas begin a workflow that runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from nodegraph.domain import Brought
from nodegraph.editing.places import opened
from nodegraph.graph import Graph
from nodegraph.node import File
from nodegraph.program import FOLDER
from ui.canvas.commands.selection import tried
from ui.canvas.scene.state import CanvasState
from ui.canvas.scene.view import fitted


def begin(state: CanvasState, things: Sequence[Brought], otherwise: Callable[[], object]) -> bool:
    """Whether these may begin a workflow; it is there as soon as what they need was looked for, as one undo step.

    otherwise: what becomes of them where they begin none after all, which is said.
    """
    asked = state.scope.document.begin
    if asked is None or not things or not _is_empty(state) or not all(_is_of_stock(state, thing) for thing in things):
        return False

    def begun(graph: Graph | None, why: str) -> None:
        if graph is not None and _is_empty(state):
            tried(state, "No workflow was begun", _show, state, graph, things)
            return
        tried(state, "Nothing was added", otherwise)
        if why:
            state.refused.emit(f"Only what loads it was added: {why}.")

    asked(things, begun)
    return True


def _is_empty(state: CanvasState) -> bool:
    return not state.scope.path and not state.scope.graph.nodes


def _is_of_stock(state: CanvasState, thing: Brought) -> bool:
    """Whether its node takes it as one of the files that a library lists."""
    type = state.scope.declared(thing.type)
    files = [spec.get(File) for name in thing.params if type and (spec := type.input(name)) is not None]
    return any(file is not None and file.kinds for file in files)


def _show(state: CanvasState, graph: Graph, things: Sequence[Brought]) -> None:
    names = [Path(str(value)).name for thing in things for value in thing.params.values()]
    whole = opened(graph, state.scope.registry, FOLDER)
    state.scope.edit(f"Begin with {names[0]}" if len(names) == 1 else f"Begin with {len(names)} files", lambda _: whole)
    state.select(())
    state.show_view(fitted(state.scene.extent(), state.area.size()))
