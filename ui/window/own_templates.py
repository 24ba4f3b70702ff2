"""The workflows that a person keeps to start from: files in a folder of their own, each with its picture beside it."""

from __future__ import annotations

import re
from pathlib import Path

from PySide6.QtCore import QFile, QSize, Qt
from PySide6.QtGui import QImage

from nodegraph import program
from nodegraph.formats import workflow
from nodegraph.formats.files import reason, write_atomic
from nodegraph.graph import Graph
from ui.widgets.pixmaps import png_bytes
from ui.window.templates import PICTURE

FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\ud800-\udfff]')
"""What some file system does not take."""

MAX_NAME = 100  # characters


def own_folder() -> Path:
    return program.data_folder() / "templates"


def name_complaint(name: str) -> str:
    """Why a template cannot be called so, as a sentence; empty when it can."""
    if not name.strip() or name.startswith(".") or FORBIDDEN.search(name):
        return f"A template needs a plain name without / \\ : * ? and the like, not {name[:MAX_NAME]!r}"
    if len(name) > MAX_NAME:
        return f"The name of a template has at most {MAX_NAME} characters, not {len(name)}"
    return ""


def place_of(name: str) -> Path:
    return own_folder() / f"{name.strip()}.json"


def keep(name: str, graph: Graph, picture: QImage | None) -> None:
    """In place of one with the same name. Raises ValueError with a sentence."""
    path = place_of(name)
    beside = path.with_suffix(".png")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, workflow.dumps(graph).encode())
        if picture is None or picture.isNull():
            beside.unlink(missing_ok=True)
        else:
            write_atomic(beside, png_bytes(_small(picture)))
    except OSError as error:
        raise ValueError(f"The template {path} cannot be written: {reason(error)}") from error


def _small(picture: QImage) -> QImage:
    """As large as the picker shows it, on a sharp screen."""
    most = PICTURE * 2
    if QSize(picture.size()).boundedTo(most) == picture.size():
        return picture
    modes = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    return picture.scaled(most, *modes)


def is_own(path: Path) -> bool:
    return path.parent == own_folder()


def throw_away(path: Path) -> str:
    """To the system's trash, with its picture. Why it is there still, as a sentence; empty when it is gone."""
    for file in (path, path.with_suffix(".png")):
        if file.exists() and not QFile(str(file)).moveToTrash():
            return f"{file} could not be moved to the trash"
    return ""
