"""Start the editor."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from nodegraph.engine import Settings
from nodegraph.registry import Registry
from ui import theme
from ui.main_window import MainWindow


def run_editor(registry: Registry, path: str | None = None, package: str = "nodes", autorun: bool = False) -> int:
    """Open the window, on a workflow file when one is given, until it is closed; the exit code.

    package: the node package that the engine process loads. autorun: run the workflow at once.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Qt's loop would not let Python answer Ctrl-C in a terminal
    app = QApplication(sys.argv[:1])
    app.setApplicationName("Denoodle")
    theme.install(app)
    window = MainWindow(registry, Settings(package))
    if path:
        window.open(Path(path))
    window.resize(window.sizeHint())
    window.show()
    QTimer.singleShot(0, window.start)
    if autorun:
        QTimer.singleShot(0, window.runner.run)
    return app.exec()
