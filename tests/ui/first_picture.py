"""A person at the editor, in its own process: builds text-to-image from nothing with mouse and keyboard, and saves.

`python -m tests.ui.first_picture build FILE` ends only when it is killed; `... reopen` says what came back.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QPoint, QPointF, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialogButtonBox, QFileDialog, QLineEdit, QWidget

from nodegraph.formats import workflow
from nodegraph.formats.package import discover
from nodegraph.graph import Port
from nodegraph.running.engine import Settings as EngineSettings
from ui.base import theme
from ui.base.settings import Settings, settings_folder
from ui.base.state_folder import state_folder
from ui.canvas.canvas import Canvas
from ui.canvas.scene.view import View
from ui.documents.session import Session
from ui.window.main_window import MainWindow

LEFT, NO_KEYS = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
CONTROL = Qt.KeyboardModifier.ControlModifier
PATIENCE = 120_000  # ms; a busy machine is no failure

# What is typed to find a node, and where it is dragged to.
NODES = (
    ("checkpoint loader", (0, 0)),
    ("positive prompt", (320, -160)),
    ("negative prompt", (320, 60)),
    ("empty latent", (320, 280)),
    ("noise scheduler", (320, -420)),
    ("random noise", (640, 280)),
    ("denoise", (960, -160)),
    ("vae decode", (1280, -160)),
    ("save image", (1600, -160)),
)
WIRES = (
    ("checkpoint.model", "noise_scheduler.model"),
    ("checkpoint.text_encoder", "encode.text_encoder"),
    ("checkpoint.text_encoder", "encode_2.text_encoder"),
    ("checkpoint.vae", "empty.vae"),
    ("empty.latent", "noise.latent"),
    ("noise_scheduler.sigma_start", "noise.sigma"),
    ("checkpoint.model", "denoise.model"),
    ("noise.latent", "denoise.latent"),
    ("encode.conditioning", "denoise.positive"),
    ("encode_2.conditioning", "denoise.negative"),
    ("noise_scheduler.sigmas", "denoise.sigmas"),
    ("noise.seed", "denoise.seed"),
    ("denoise.latent", "decode.latent"),
    ("checkpoint.vae", "decode.vae"),
    ("decode.image", "save_image.image"),
)


def open_window() -> MainWindow:
    """Not started."""
    registry = discover("nodes")
    settings = Settings(settings_folder() / "settings.json")
    window = MainWindow(registry, EngineSettings("nodes"), settings, Session(registry, state_folder()))
    window.restore()
    window.resize(1500, 950)
    window.show()
    window.activateWindow()
    assert QTest.qWaitForWindowActive(window, PATIENCE)
    return window


class Person:
    """Does one thing after the other; what is on the screen is all that it goes by."""

    def __init__(self, window: MainWindow) -> None:
        self.window = window

    @property
    def canvas(self) -> Canvas:
        return self.window.canvas

    def at(self, world: QPointF) -> QPoint:
        return self.canvas.state.view.to_screen(world).toPoint()

    def drag(self, start: QPointF, end: QPointF) -> None:
        QTest.mousePress(self.canvas, LEFT, NO_KEYS, self.at(start))
        for part in (0.2, 0.6, 1.0):
            QTest.mouseMove(self.canvas, self.at(start + (end - start) * part))
        QTest.mouseRelease(self.canvas, LEFT, NO_KEYS, self.at(end))

    def add(self, words: str, place: QPointF) -> None:
        """Find a node by typing, and drag it to its place."""
        until(self.canvas.hasFocus)
        before = set(self.canvas.scene.nodes)
        QTest.keyClick(self.canvas, Qt.Key.Key_A)  # Tab would enter the group that was added last
        box = until(lambda: focused(QLineEdit))
        QTest.keyClicks(box, words)
        QTest.keyClick(box, Qt.Key.Key_Return)
        (id,) = set(self.canvas.scene.nodes) - before
        grip = QPointF(90, 12)
        self.drag(self.canvas.scene.nodes[id].pos + grip, place + grip)

    def wire(self, source: str, target: str) -> None:
        src, dst = Port(*source.split(".")), Port(*target.split("."))
        scene = self.canvas.scene
        self.drag(scene.socket_pos(src, output=True), scene.socket_pos(dst, output=False))
        assert scene.scope.graph.links.get(dst) == src, f"{source} was not wired to {target}"

    def attend(self) -> None:
        """Be in the window again, as a window manager sees to when a popup or a dialog closes; there is none here."""
        self.window.activateWindow()
        self.canvas.setFocus()
        until(self.canvas.hasFocus)

    def type_into(self, id: str, name: str, text: str) -> None:
        """Click a text on the canvas, write it anew, and leave it."""
        self.attend()
        item = self.canvas.scene.nodes[id]
        row = next(row for row in item.shape.rows if row.input is not None and row.input.name == name)
        place = self.at(item.pos + QPointF(item.shape.width / 2, row.y + row.height / 2))
        QTest.mouseClick(self.canvas, LEFT, NO_KEYS, place)
        if self.canvas.state.editor is None:
            QTest.mouseDClick(self.canvas, LEFT, NO_KEYS, place)
        box = self.canvas.state.editor.box
        QTest.keyClick(box, Qt.Key.Key_A, CONTROL)
        QTest.keyClicks(box, text)
        QTest.mouseClick(self.canvas, LEFT, NO_KEYS, QPoint(5, self.canvas.height() - 5))

    def run(self) -> None:
        QTest.keyClick(self.canvas, Qt.Key.Key_Return, CONTROL)
        until(lambda: self.window.runs.running)
        until(lambda: not self.window.runs.running)

    def save(self, path: Path) -> None:
        def answer() -> None:
            dialog, offered = QApplication.activeModalWidget(), QApplication.activePopupWidget()
            if offered is not None:  # files with such a name
                QTest.keyClick(offered, Qt.Key.Key_Escape)
            elif isinstance(dialog, QFileDialog):
                box, buttons = dialog.findChild(QLineEdit), dialog.findChild(QDialogButtonBox)
                if box.text() == str(path):
                    QTest.mouseClick(buttons.button(QDialogButtonBox.StandardButton.Save), LEFT)
                else:
                    QTest.keyClick(box, Qt.Key.Key_A, CONTROL)
                    QTest.keyClicks(box, str(path))

        self.attend()
        waiting = QTimer(interval=50)
        waiting.timeout.connect(answer)
        waiting.start()
        QTest.keyClick(self.canvas, Qt.Key.Key_S, CONTROL)
        waiting.stop()
        assert self.window.document.path == path


def focused(kind: type[QWidget]) -> QWidget | None:
    found = QApplication.focusWidget()
    return found if isinstance(found, kind) else None


def until(condition: Callable[[], object]) -> object:
    """What the condition gives once it gives something."""
    for _ in range(PATIENCE // 20):
        if found := condition():
            return found
        QTest.qWait(20)
    raise TimeoutError(condition)


def told(window: MainWindow, **more: object) -> str:
    document = window.document
    path = str(document.path) if document.path else None
    return json.dumps({"graph": workflow.dumps(document.graph), "path": path, "dirty": document.dirty, **more})


def build(path: Path) -> None:
    window = open_window()
    window.start()
    person = Person(window)
    person.canvas.state.show_view(View(0.62, 120, 420))  # room for everything
    person.canvas.setFocus()
    for words, place in NODES:
        person.add(words, QPointF(*place))
    for source, target in WIRES:
        person.wire(source, target)
    person.type_into("checkpoint", "path", "models/starter")
    person.type_into("noise_scheduler", "steps", "4")
    person.type_into("encode", "text", "a red mushroom on a blue background")
    person.run()
    picture = window.runs.of("decode").picture
    person.save(path)
    person.type_into("encode", "text", "a blue car on a yellow background")
    until(lambda: any("a blue car" in path.read_text() for path in state_folder().rglob("*.journal")))
    print(told(window, outcome=window.runs.outcome, picture=picture and [picture.width, picture.height]), flush=True)
    QApplication.exec()  # until the end comes


def reopen() -> None:
    window = open_window()
    print(told(window), flush=True)
    window.engine.close()
    QApplication.exit()


if __name__ == "__main__":
    app = QApplication(["denoodle"])
    app.setApplicationName("denoodle")
    theme.install(app)
    QApplication.setAttribute(Qt.ApplicationAttribute.AA_DontUseNativeDialogs)
    if sys.argv[1] == "build":
        build(Path(sys.argv[2]))
    else:
        reopen()
