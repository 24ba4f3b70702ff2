"""Pictures of the real window, for the README and to be looked at.

xvfb-run -a -s "-screen 0 1600x1000x24" python -m tools.screenshots [workflow | models | sweep]

Without a name all of them are taken. workflow: a path; the window with it, at all sizes. sweep: one of 5 x 5 pictures.
models: the panel of models, with what else has to do with files of models.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QImage, QLinearGradient, QPainter
from PySide6.QtWidgets import QApplication, QWidget

from nodegraph import machine
from nodegraph.formats.package import discover
from nodegraph.graph import Port
from nodegraph.library.offers import Offer
from nodegraph.running.engine import Settings
from nodegraph.sweeping.axes import Axis
from nodegraph.sweeping.sweep import Sweep
from tools.bench.library import make
from ui.actions.keys_dialog import KeysDialog
from ui.base import theme
from ui.canvas.commands.adding import open_palette
from ui.panels.models import ModelsPanel
from ui.panels.sweep import SweepPanel
from ui.window.docks import BOTTOM
from ui.window.first_folders import FirstFolders
from ui.window.folders_page import TITLE
from ui.window.main_window import MainWindow
from ui.window.missing_dialog import MissingDialog
from ui.window.settings_dialog import SettingsDialog
from ui.window.templates import FOLDERS, TemplatePicker, templates

FOLDER = Path("docs/screenshots")
WORKFLOW = "workflows/text_to_image.json"
SHOWN = ("Dark", "Light")
SIZES = ((1600, 1000), (1366, 768), (1000, 700))
TEXT = (1.0, 1.7)
OWN_SHOTS = ("Models", "Sweep")  # panels that are shown with something in them
MODELS = 300
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
            if window.dockWidgetArea(window.docks[title]) == BOTTOM and title not in OWN_SHOTS:
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
        self.window.edit_settings("General")
        (settings,) = (dialog for dialog in self.window.findChildren(SettingsDialog) if dialog.isVisible())
        self.shot("settings", settings)
        settings.close()
        picker = TemplatePicker(templates(FOLDERS, machine.memory()), self.window)
        picker.show()
        self.shot("templates", picker)
        picker.close()

    def take_problems(self) -> None:
        self.window.document.set_param("scheduler", "steps", 0)
        pause(self.app, 1.0)
        self.window.canvas.fit_all()
        self.shot("problems")

    def take_sweep(self) -> None:
        """Five guidance scales with five seeds."""
        window = self.window
        window.open(Path(WORKFLOW))
        window.docks.show("Sweep")
        window.resizeDocks([window.docks["Sweep"]], [520], Qt.Orientation.Vertical)
        scales = Axis(Port("denoise", "guidance_scale"), (1.0, 2.5, 4.0, 5.5, 7.0))
        runs = window.workspace.sweep
        runs.put(Sweep((scales, Axis(Port("noise", "seed"), (0, 1, 2, 3, 4)))))
        panel = window.docks.panel("Sweep")
        assert isinstance(panel, SweepPanel)
        panel.grid.zoom(84)
        runs.run()
        wait(self.app, lambda: runs.made >= 12)
        self.shot("sweep_running")
        wait(self.app, lambda: runs.made == 25)
        panel.grid.select([(2, 1)])
        pause(self.app, 1.0)
        before = window.size()
        self.shot("sweep")
        for text, (width, height) in ((1.0, SIZES[2]), (1.7, SIZES[0])):
            window.settings.change(text_scale=text)
            window.resize(width, height)
            self.shot(f"sweep_{width}_text_{text}")
        window.settings.change(text_scale=1.0)
        window.resize(before)

    def take_models(self, folder: Path) -> None:
        """The panel with MODELS files of all kinds, in windows of every size, with usual and with large text."""
        window = self.window
        make(folder, MODELS)
        draw_pictures(folder)
        window.open(Path(WORKFLOW))
        window.shelves.choose((str(folder),))
        panel = window.docks.panel("Models")
        assert isinstance(panel, ModelsPanel)
        window.docks.show("Models")
        wait(self.app, lambda: panel.rows.rowCount() > MODELS * 0.9 and not window.shelves.scanning.running)
        window.resizeDocks([window.docks["Models"]], [340], Qt.Orientation.Vertical)
        panel.shelves.star(tuple(panel.rows.path(row) for row in (1, 4)), on=True)
        panel.list.setCurrentIndex(panel.rows.index(2))
        before = window.size()
        window.resize(1300, 900)
        self.shot("models_panel", window.docks["Models"])  # as wide as a page of the guide
        for text in TEXT:
            window.settings.change(text_scale=text)
            for width, height in SIZES:
                window.resize(width, height)
                pause(self.app)
                window.canvas.fit_all()
                self.shot(f"models_{width}_text_{text}")
        window.settings.change(text_scale=1.0)
        window.resize(before)
        self.take_model_dialogs(folder)

    def take_model_dialogs(self, folder: Path) -> None:
        window = self.window
        window.edit_settings(TITLE)
        (settings,) = (dialog for dialog in window.findChildren(SettingsDialog) if dialog.isVisible())
        self.shot("models_folders", settings)
        settings.close()
        download = window.show_download()
        self.shot("models_download", download)
        download.close()
        first = FirstFolders(window, (Offer("ComfyUI in /home/me/ComfyUI", (str(folder),), 1234),))
        first.show()
        self.shot("models_first_start", first)
        first.done(0)
        window.open(Path("workflows/models/flux_text.json"))
        wait(self.app, lambda: bool(window.findChildren(MissingDialog)))
        (missing,) = window.findChildren(MissingDialog)
        self.shot("models_missing", missing)
        missing.close()

    def end(self) -> None:
        for workspace in self.window.tabs.workspaces:
            workspace.document.undo_stack.setClean()
        self.window.close()


def draw_pictures(folder: Path) -> None:
    """Something to see beside every second file."""
    for number, path in enumerate(sorted(folder.rglob("*.safetensors"))[::2]):
        image = QImage(256, 320, QImage.Format.Format_RGB32)
        hue = number * 47 % 360
        ground = QLinearGradient(0, 0, 0, 320)
        ground.setColorAt(0, QColor.fromHsv(hue, 110, 235))
        ground.setColorAt(1, QColor.fromHsv((hue + 40) % 360, 150, 120))
        painter = QPainter(image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(image.rect(), ground)
        painter.setPen(Qt.PenStyle.NoPen)
        for ring in range(4):
            painter.setBrush(QColor.fromHsv((hue + 180 + ring * 15) % 360, 90 + ring * 30, 230 - ring * 30))
            side = 170 - ring * 38
            painter.drawEllipse(QPointF(128 + (number * 13 + ring * 9) % 40 - 20, 150), side / 2, side / 2)
        painter.end()
        image.save(str(path.with_suffix(".png")))


def take(app: QApplication, name: str, what: str) -> None:
    """name: of the theme."""
    with TemporaryDirectory() as out:
        shots = Shots(app, name, out)
        match what:
            case "sweep":
                shots.take_sweep()
            case "models":
                shots.take_models(Path(out, "models"))
            case _:
                shots.take(Path(what))
        shots.end()


def main() -> None:
    app = QApplication([])
    theme.install(app)
    for name in SHOWN:
        for what in sys.argv[1:] or (WORKFLOW, "models", "sweep"):
            take(app, name, what)


if __name__ == "__main__":
    main()
