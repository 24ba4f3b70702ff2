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
from PySide6.QtWidgets import QApplication, QWidget

from nodegraph import machine
from nodegraph.formats.package import discover
from nodegraph.running.engine import Settings
from ui.actions.keys_dialog import KeysDialog
from ui.base import theme
from ui.canvas.commands.adding import open_palette
from ui.window.docks import BOTTOM
from ui.window.main_window import MainWindow
from ui.window.templates import FOLDERS, TemplatePicker, templates

FOLDER = Path("docs/screenshots")
WORKFLOW = "workflows/text_to_image.json"
SHOWN = ("Dark", "Light")
SIZES = ((1600, 1000), (1366, 768), (1000, 700))
TEXT = (1.0, 1.7)
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


class Shots:
    """One window, photographed into a folder named after the theme."""

    def __init__(self, app: QApplication, name: str, out: str) -> None:
        self.app, self.folder = app, FOLDER / name.split()[0].lower()
        self.folder.mkdir(parents=True, exist_ok=True)
        # Nothing cached: the run takes its time.
        self.window = MainWindow(discover("nodes"), Settings(cache=None, out_dir=out))
        self.window.settings.change(theme=name)
        self.window.resize(1500, 940)
        self.window.show()
        self.window.start()

    def shot(self, name: str, of: QWidget | None = None) -> None:
        pause(self.app)
        (of or self.window).grab().save(str(self.folder / f"{name}.png"))
        print(self.folder / f"{name}.png", flush=True)

    def run(self) -> None:
        self.window.runner.run()
        wait(self.app, lambda: not self.window.runs.running)
        pause(self.app)

    def take(self, path: Path) -> None:
        window = self.window
        window.open(path)
        window.canvas.state.select({"positive"} & window.document.graph.nodes.keys())
        self.shot("opened")
        window.runner.run()
        wait(self.app, lambda: window.runs.fraction > 0.6 or not window.runs.running)
        window.grab().save(str(self.folder / "running.png"))
        wait(self.app, lambda: not window.runs.running)
        window.canvas.fit_all()
        self.shot("result")
        self.take_sizes()
        self.take_canvas()
        self.take_comparison()
        self.take_panels()
        self.take_dialogs()
        self.take_problems()

    def take_sizes(self) -> None:
        """The whole graph in windows of every size, with usual and with large text: nothing of it may be clipped."""
        window, before = self.window, self.window.size()
        for text in TEXT:
            window.settings.change(text_scale=text)
            for width, height in SIZES:
                window.resize(width, height)
                pause(self.app)
                window.canvas.fit_all()
                self.shot(f"size_{width}_text_{text}")
        window.settings.change(text_scale=1.0)
        window.resize(before)
        pause(self.app)
        window.canvas.fit_all()

    def take_canvas(self) -> None:
        canvas = self.window.canvas
        canvas.state.show_view(canvas.state.view.zoomed(1.4 / canvas.state.view.scale, QPointF(canvas.rect().center())))
        self.shot("close")
        canvas.fit_all()
        palette = open_palette(canvas.state, QPointF(200, 120))
        palette.box.setText("noise")
        self.shot("palette", palette)
        palette.close()

    def take_comparison(self) -> None:
        """Two results, with what differs between them."""
        window = self.window
        window.document.set_param("positive", "text", "a fox at sunset")
        self.run()
        window.preview.compare("slider")
        self.shot("compare")
        window.preview.compare("side")
        self.shot("side_by_side", window.docks["Preview"])
        window.preview.compare("single")

    def take_panels(self) -> None:
        window = self.window
        window.runner.enqueue()
        wait(self.app, lambda: not window.engine.running)
        for title in window.docks.titles:
            if window.dockWidgetArea(window.docks[title]) == BOTTOM:
                window.docks.show(title)
                window.canvas.fit_all()
                self.shot(f"panel_{title.lower()}")
                window.docks.hide(title)
        window.docks.show("Outline")
        self.shot("panel_outline")
        window.docks.hide("Outline")
        window.canvas.state.select({"denoise"} & window.document.graph.nodes.keys())
        self.shot("panel_inspector", window.docks["Inspector"])
        window.canvas.state.select(())

    def take_dialogs(self) -> None:
        self.window.edit_keys()
        dialog = self.window.findChild(KeysDialog)
        assert dialog is not None
        self.shot("keys", dialog)
        dialog.close()
        search = self.window.find_action()
        search.box.setText("save")
        self.shot("find_action", search)
        search.close()
        picker = TemplatePicker(templates(FOLDERS, machine.memory()), self.window)
        picker.show()
        self.shot("templates", picker)
        picker.close()

    def take_problems(self) -> None:
        self.window.document.set_param("scheduler", "steps", 0)
        pause(self.app, 1.0)
        self.window.canvas.fit_all()
        self.shot("problems")

    def end(self) -> None:
        for workspace in self.window.tabs.workspaces:
            workspace.document.undo_stack.setClean()
        self.window.close()


def main() -> None:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else WORKFLOW)
    app = QApplication([])
    theme.install(app)
    for name in SHOWN:
        with TemporaryDirectory() as out:
            shots = Shots(app, name, out)
            shots.take(path)
            shots.end()


if __name__ == "__main__":
    main()
