"""Start the editor."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from PySide6.QtCore import QStandardPaths
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from nodegraph import program
from nodegraph.formats import workflow
from nodegraph.registry import Registry
from nodegraph.running.engine import Settings as EngineSettings
from ui.base import heap, theme
from ui.base.garbage import GarbageCollector
from ui.base.painted import WhenPainted
from ui.base.settings import Settings, settings_folder
from ui.base.state_folder import state_folder
from ui.canvas import accessible
from ui.documents.session import Session
from ui.window.main_window import MainWindow

SETTINGS = "settings.json"
DEFAULT_GRAPH = program.FOLDER.resolve() / "workflows" / "text_to_image.json"


def run_editor(registry: Registry, path: str | None = None, package: str = "nodes", autorun: bool = False) -> int:
    """Open the window, on a workflow file when one is given, until it is closed; the exit code.

    Without a file that can be read it shows what was open when the program ended by accident, else the default graph;
    the first start begins with the tour, and is live after it. package: the node package that the engine process loads.
    autorun: run the workflow at once.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Qt's loop would not let Python answer Ctrl-C in a terminal
    heap.return_large_blocks()
    app = QApplication(sys.argv[:1])
    app.setApplicationName("denoodle")
    app.setApplicationDisplayName("Denoodle")
    app.setDesktopFileName("denoodle")
    app.setWindowIcon(QIcon(str(theme.ICON_FOLDER / "denoodle.svg")))
    theme.install(app)
    accessible.install()
    settings = Settings(settings_folder() / SETTINGS)
    engine = EngineSettings(package, out_dir=str(picture_folder()))
    window = MainWindow(registry, engine, settings, Session(registry, state_folder()))
    window.restore()
    if path:
        window.open(Path(path))
    fresh = window.workspace.pristine
    if fresh:
        _show_default(window)

    def start() -> None:
        from ui.window.first_folders import offer_folders
        from ui.window.tour import take_tour

        window.tabs.closed.connect(GarbageCollector(app).look_again)
        heap.return_what_is_free(app)
        window.start()
        # The tour speaks of the default graph, and not of another.
        if not settings.now.toured and (fresh or (path and Path(path).resolve() == DEFAULT_GRAPH)):
            take_tour(window)
        offer_folders(window)
        if autorun:
            window.runner.run()

    WhenPainted(window, start)
    window.show()
    return app.exec()


def picture_folder() -> Path:
    """Where workflows save pictures: beside a checkout's other files; else a folder among the person's pictures, for
    a program that the desktop starts has no working folder of its own.
    """
    if not program.INSTALLED:
        return Path("output")
    return Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.PicturesLocation)) / "Denoodle"


def _show_default(window: MainWindow) -> None:
    try:
        window.tabs.new(workflow.load(DEFAULT_GRAPH), "Text to image")
    except ValueError as error:
        window.complain(f"{error}; reinstall the program")
