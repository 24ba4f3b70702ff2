"""What is dropped on the window, or opened: a document of its own, or nodes where it was let go."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QMimeData, QPointF
from PySide6.QtWidgets import QMenu, QMessageBox

from ui.base.icons import icon
from ui.canvas.commands.bringing import bring_data, bring_files, place_at
from ui.canvas.commands.brought import holds_workflow, local_files, of_file
from ui.canvas.commands.selection import tried
from ui.canvas.scene.state import CanvasState
from ui.window.tabs import Tabs

NOT_ADDED = "Nothing was added"


def takes(data: QMimeData) -> bool:
    """Whether there is something in it that a drop could mean; what it is, is looked at when it is let go."""
    return data.hasUrls() or data.hasImage() or data.hasText()


def drop(tabs: Tabs, data: QMimeData, at: QPointF | None, *, insert: bool) -> None:
    """at: in pixels of the canvas that is shown; None elsewhere on the window, where files alone mean something.

    insert: workflows add their nodes.
    """
    state = tabs.current.canvas.state
    if files := local_files(data):
        drop_files(tabs, files, at, insert=insert)
    elif at is not None:
        tried(state, NOT_ADDED, bring_data, state, data, at, NOT_ADDED)


def drop_files(tabs: Tabs, paths: Sequence[Path], at: QPointF | None, *, insert: bool = False) -> None:
    """Workflows are opened, each in its tab; all else becomes nodes of the document that is shown.

    A picture with a workflow of ours is both: elsewhere than on the canvas it is opened, on a node it is a picture, and
    on the ground people are asked.
    """
    state = tabs.current.canvas.state
    pictures: list[Path] = []
    both: list[Path] = []
    for path in paths:
        try:
            thing = of_file(state, path)
        except ValueError as error:
            QMessageBox.warning(tabs, NOT_ADDED, str(error))
            continue
        if thing is None:
            _open(tabs, [path], at, insert=insert)
        elif not holds_workflow(path):
            pictures.append(path)
        elif at is None or insert:
            _open(tabs, [path], at, insert=insert)
        else:
            both.append(path)
    if both and at is not None and (pictures or place_at(state, at).node):
        pictures, both = [path for path in paths if path in {*pictures, *both}], []
    if pictures:
        tried(state, NOT_ADDED, bring_files, state, pictures, state.middle if at is None else at)
    if both and at is not None:
        ask(tabs, both, at)


def _open(tabs: Tabs, paths: Sequence[Path], at: QPointF | None, *, insert: bool = False) -> None:
    state = tabs.current.canvas.state
    for path in paths:
        if insert:
            tabs.insert(path, state.view.to_world(state.middle if at is None else at))
        else:
            tabs.open(path)


def ask(tabs: Tabs, paths: Sequence[Path], at: QPointF) -> QMenu:
    """What pictures with a workflow in them are wanted for, the likeliest first."""
    state, page = tabs.current.canvas.state, tabs.current.canvas
    one = len(paths) == 1
    menu = QMenu(page)
    for drawing, text, act in (
        ("image", "Load it as a picture" if one else "Load them as pictures", partial(_load, state, paths, at)),
        ("folder-open", "Open its workflow" if one else "Open their workflows", partial(_open, tabs, paths, None)),
        ("plus", "Add its nodes here" if one else "Add their nodes here", partial(_open, tabs, paths, at, insert=True)),
    ):
        menu.addAction(icon(drawing), text, act)
    menu.setActiveAction(menu.actions()[0])
    menu.aboutToHide.connect(menu.deleteLater)
    menu.popup(page.mapToGlobal(at.toPoint()))
    return menu


def _load(state: CanvasState, paths: Sequence[Path], at: QPointF) -> None:
    tried(state, NOT_ADDED, bring_files, state, paths, at)
