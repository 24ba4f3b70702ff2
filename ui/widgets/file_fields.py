"""Asking for files and folders."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from nodegraph.node import File, Input


def paths_like(text: str, file: File) -> list[str]:
    """Files and folders whose path begins with `text`, at most 200; folders end in a slash."""
    folder, start = os.path.split(text)
    try:
        with os.scandir(folder or ".") as entries:
            found = [(entry.name, entry.is_dir()) for entry in entries if entry.name.lower().startswith(start.lower())]
    except OSError:
        return []  # no such folder: there is nothing to offer
    fitting = (n + "/" * d for n, d in sorted(found) if d or not file.suffixes or n.lower().endswith(file.suffixes))
    return [os.path.join(folder, name) for name in islice(fitting, 200)]


def _prefers_folder(parent: QWidget) -> bool:
    box = QMessageBox(QMessageBox.Icon.Question, "Choose", "Is it a file, or a folder?", parent=parent)
    box.addButton("File…", QMessageBox.ButtonRole.NoRole)
    folder = box.addButton("Folder…", QMessageBox.ButtonRole.YesRole)
    box.exec()
    return box.clickedButton() is folder


def ask_path(parent: QWidget, spec: Input, current: str) -> str:
    """Let the user choose a file or folder; empty when they do not."""
    file = spec.get(File) or File()
    start = str(Path(current).parent) if current else ""
    if file.folder and (not file.suffixes or _prefers_folder(parent)):
        return QFileDialog.getExistingDirectory(parent, "Choose a folder", start)
    patterns = " ".join(f"*{suffix}" for suffix in file.suffixes) or "*"
    return QFileDialog.getOpenFileName(parent, "Choose a file", start, f"Files ({patterns})")[0]


def ask_target(parent: QWidget, title: str, start: str, kinds: str, suffixes: tuple[str, ...]) -> Path | None:
    """Let the user choose the file to write; None when they do not. One with no such suffix gets the first of them.

    The dialog asks before a file is written over; where the suffix leads to another one, so does this.
    """
    chosen, _ = QFileDialog.getSaveFileName(parent, title, start, kinds)
    if not chosen:
        return None
    path = Path(chosen if chosen.lower().endswith(suffixes) else chosen + suffixes[0])
    if str(path) == chosen or not path.exists():
        return path
    answer = QMessageBox.question(parent, title, f"{path.name} is there already. Write over it?")
    return path if answer == QMessageBox.StandardButton.Yes else None
