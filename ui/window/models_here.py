"""What the panel of models asks of the document that is shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QMenu

from nodegraph.graph import Port
from nodegraph.node import Input, Multiline
from ui.base.text import shortened
from ui.canvas.commands.bringing import use_file
from ui.canvas.commands.selection import tried
from ui.canvas.scene.state import CanvasState
from ui.window.dropping import drop_files
from ui.window.shell import Shell
from ui.window.workspace import Workspace

NOT_USED = "Nothing was changed"


def place(window: Shell, paths: Sequence[str]) -> None:
    """As if they were dropped in the middle of the canvas."""
    drop_files(window.tabs, [Path(path) for path in paths], None)
    for path in reversed(paths):
        window.shelves.use_file(path)


def use(window: Shell, path: str) -> None:
    """In the node that is selected."""
    state, before = window.canvas.state, window.document.graph
    tried(state, NOT_USED, use_file, state, Path(path))
    if window.document.graph is not before:
        window.shelves.use_file(path)


def families(workspace: Workspace) -> tuple[str, ...]:
    """Of what is selected, as far as that is known, or else of the whole document; the most frequent first."""
    kinds, prefix = workspace.following.kinds, workspace.canvas.scope.prefix
    ids = [prefix + id for id in workspace.canvas.state.selection]
    chosen = [kind for id in ids for kind in (*kinds.made.get(id, ()), *kinds.taken.get(id, ()))]
    named = [kind.name for kind in chosen if kind.name]
    named = named or [kind.name for made in kinds.made.values() for kind in made if kind.name]
    return tuple(sorted(set(named), key=lambda name: (-named.count(name), name)))


def into_prompt(window: Shell, words: str) -> QMenu | None:
    """Add words to a prompt: that of the selected node, or the only one; else people choose."""
    state = window.canvas.state
    found = list(_prompts(state))
    chosen = [port for port in found if port.node in state.selection]
    fitting = chosen if len(chosen) == 1 else found
    if not fitting:
        window.say("This document has no prompt to put the words into.")
    elif len(fitting) == 1:
        _add(state, fitting[0], words)
    else:
        return _ask(window, fitting, words)
    return None


def _prompts(state: CanvasState) -> Iterator[Port]:
    """The texts of the graph that is shown whose words can be weighed."""
    graph = state.scope.graph
    for id in graph.nodes:
        for spec in state.scope.type_of(id).inputs:
            if _is_prompt(spec) and Port(id, spec.name) not in graph.links:
                yield Port(id, spec.name)


def _is_prompt(spec: Input) -> bool:
    multiline = spec.get(Multiline)
    return multiline is not None and multiline.weighs


def _text(state: CanvasState, port: Port) -> str:
    return str(state.scope.graph.nodes[port.node].params.get(port.socket, ""))


def _add(state: CanvasState, port: Port, words: str) -> None:
    before = _text(state, port).rstrip().rstrip(",")
    state.scope.set_param(port.node, port.socket, f"{before}, {words}" if before else words)


def _ask(window: Shell, ports: Sequence[Port], words: str) -> QMenu:
    state, menu = window.canvas.state, QMenu(window)
    for port in ports:
        text = shortened(" ".join(_text(state, port).split()), 40) or "empty"
        menu.addAction(f"{state.scope.title_of(port.node)}: {text}", partial(_add, state, port, words))
    menu.setActiveAction(menu.actions()[0])
    menu.aboutToHide.connect(menu.deleteLater)
    menu.popup(QCursor.pos())
    return menu
