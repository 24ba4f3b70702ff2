"""The editor as a person has it open, with an engine of its own, all of whose files are in one folder."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QApplication

from nodegraph.formats.package import discover
from nodegraph.running.engine import Settings as EngineSettings
from ui.base import heap, theme
from ui.base.garbage import GarbageCollector
from ui.base.settings import Settings
from ui.documents.session import Session
from ui.window.main_window import MainWindow


def application() -> QApplication:
    """As the editor makes it."""
    heap.return_large_blocks()
    app = QApplication([])
    theme.install(app)
    heap.return_what_is_free(app)
    return app


def show_window(folder: Path) -> MainWindow:
    """On the screen and started. folder: the cache is in `cache`, pictures are written to `out`."""
    registry = discover("nodes")
    engine = EngineSettings("nodes", cache=str(folder / "cache"), out_dir=str(folder / "out"))
    window = MainWindow(registry, engine, Settings(folder / "settings.json"), Session(registry, folder / "state"))
    window.resize(1440, 900)
    window.restore()
    window.show()
    window.tabs.closed.connect(GarbageCollector(QApplication.instance()).look_again)
    window.start()
    return window


def close(window: MainWindow) -> None:
    """Without asking about unsaved changes."""
    for document in window.session.documents:
        document.undo_stack.setClean()
    window.close()
