"""How long the window does not answer while a run is in progress: gaps between the ticks of a 1 ms timer.

python -m tools.bench.pulse
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from nodegraph.formats.package import discover
from nodegraph.graph import Port
from nodegraph.running.engine import Settings
from ui.base import theme
from ui.window.main_window import MainWindow

WORKFLOW = Path("workflows/text_to_image.json")
PATIENCE = 300.0  # seconds


class Pulse:
    """The longest time between two ticks, as it passed and as the window's thread computed, in milliseconds.

    Others may use the machine: then the first is longer than the window is to blame for.
    """

    def __init__(self) -> None:
        self.passed = self.computed = 0.0
        self._last = (time.perf_counter(), time.thread_time())
        self.timer = QTimer(interval=1, timerType=Qt.TimerType.PreciseTimer)
        self.timer.timeout.connect(self._tick)
        self.timer.start()

    def _tick(self) -> None:
        now = (time.perf_counter(), time.thread_time())
        self.passed = max(self.passed, (now[0] - self._last[0]) * 1000)
        self.computed = max(self.computed, (now[1] - self._last[1]) * 1000)
        self._last = now


def gaps() -> Iterator[tuple[str, str]]:
    """A run with previews, and a number dragged in live mode, on the starter model."""
    app = QApplication.instance() or QApplication([])
    assert isinstance(app, QApplication)
    theme.install(app)
    with TemporaryDirectory() as out:
        window = MainWindow(discover("nodes"), Settings(cache=None, out_dir=out))  # nothing cached: it takes its time
        window.open(WORKFLOW)
        window.resize(1600, 1000)
        window.show()
        window.start()
        wait(app, lambda: window.engine.ready and window.plan.ready)
        yield "a run", during(app, lambda: _run(app, window))
        window.runner.set_live(True)
        wait(app, lambda: not window.runs.running)
        start = _guidance(window)
        yield "a number dragged live", during(app, lambda: _slide(app, window, start))
        window.document.undo_stack.setClean()
        window.close()


def during(app: QApplication, act: Callable[[], None]) -> str:
    """The longest gap while an act goes on."""
    app.processEvents()
    pulse = Pulse()
    act()
    pulse.timer.stop()
    return f"{pulse.passed:.0f} ms ({pulse.computed:.0f} ms CPU)"


def _run(app: QApplication, window: MainWindow) -> None:
    window.runner.run()
    wait(app, lambda: not window.runs.running)


def _guidance(window: MainWindow) -> QPoint:
    """Where the guidance scale is on the canvas, in pixels; its node is brought into view."""
    document, canvas = window.document, window.canvas
    ports = (Port(id, "guidance_scale") for id in document.graph.nodes)
    port = next(p for p in ports if document.input(p) is not None and p not in document.graph.links)
    canvas.state.center_on(port.node)
    item = canvas.scene.nodes[port.node]
    row = next(row for row in item.shape.rows if row.input and row.input.name == port.socket)
    return canvas.state.view.to_screen(item.pos + row.rect.center()).toPoint()


def _slide(app: QApplication, window: MainWindow, start: QPoint) -> None:
    """Drag the number there to and fro, a move every 20 ms, until the last run is over."""
    canvas = window.canvas
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=start)
    for step in range(100):
        QTest.mouseMove(canvas, start + QPoint(abs(step % 40 - 20), 0))
        end = time.monotonic() + 0.02
        wait(app, lambda end=end: time.monotonic() > end)
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=start)
    wait(app, lambda: not window.runs.running)


def wait(app: QApplication, ready: Callable[[], bool]) -> None:
    """Raises TimeoutError."""
    end = time.monotonic() + PATIENCE
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError("the window did not get there")
        app.processEvents()
        time.sleep(0.0002)


if __name__ == "__main__":
    for what, value in gaps():
        print(f"longest gap, {what}: {value}")
