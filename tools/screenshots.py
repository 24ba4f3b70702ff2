"""Pictures of the real window, for the README and to be looked at.

xvfb-run -a -s "-screen 0 1600x1000x24" python -m tools.screenshots [workflow]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QApplication

from nodegraph.engine import Settings
from nodegraph.registry import discover
from ui import theme
from ui.main_window import MainWindow

FOLDER = Path("docs/screenshots")
WORKFLOW = "workflows/text_to_image.json"
PATIENCE = 300.0  # seconds


def wait(app: QApplication, ready: Callable[[], bool]) -> None:
    """Raises TimeoutError."""
    end = time.monotonic() + PATIENCE
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError("the window did not get there")
        app.processEvents()
        time.sleep(0.005)


def pause(app: QApplication, seconds: float = 0.4) -> None:
    end = time.monotonic() + seconds
    wait(app, lambda: time.monotonic() > end)


def main() -> None:
    with TemporaryDirectory() as out:
        take(out)


def take(out: str) -> None:
    """out: the folder for the images that are made."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else WORKFLOW)
    FOLDER.mkdir(parents=True, exist_ok=True)
    app = QApplication([])
    theme.install(app)
    window = MainWindow(discover("nodes"), Settings(cache=None, out_dir=out))  # nothing cached: the run takes its time
    window.open(path)
    window.resize(1500, 940)
    window.show()
    window.start()

    def shot(name: str) -> None:
        pause(app)
        window.grab().save(str(FOLDER / f"{name}.png"))
        print(FOLDER / f"{name}.png")

    window.canvas.select({"positive"} & window.document.graph.nodes.keys())
    shot("opened")
    window.runner.run()
    wait(app, lambda: window.runs.fraction > 0.6 or not window.runs.running)
    window.grab().save(str(FOLDER / "running.png"))
    wait(app, lambda: not window.runs.running)
    window.canvas.fit_all()
    shot("result")
    canvas = window.canvas
    canvas.show_view(canvas.view.zoomed(1.4 / canvas.view.scale, QPointF(canvas.rect().center())))
    shot("close")
    palette = canvas.open_palette(QPointF(200, 120))
    palette.box.setText("noise")
    pause(app)
    palette.grab().save(str(FOLDER / "palette.png"))
    palette.close()
    canvas.fit_all()
    window.document.set_param("positive", "text", "a green frog")
    window.document.set_param("scheduler", "steps", 0)
    pause(app, 1.0)
    shot("problems")
    window.document.undo_stack.setClean()
    window.close()


if __name__ == "__main__":
    main()
