"""The longest the window's thread computes at a stretch with ten thousand trivial nodes: opened, run, arranged, closed.

python -m tools.bench.many
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from PySide6.QtWidgets import QApplication, QProgressDialog

from nodegraph.formats import workflow
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Node, Port
from nodegraph.running.engine import Settings
from tools.bench.pulse import during, wait
from ui.base import theme
from ui.base.garbage import GarbageCollector
from ui.documents.session import Session
from ui.window.main_window import MainWindow

COUNT = 10_000
REST = 1.5  # seconds


def many() -> Iterator[tuple[str, str]]:
    """What a person does, and the longest gap meanwhile."""
    app = QApplication.instance() or QApplication([])
    assert isinstance(app, QApplication)
    theme.install(app)
    registry = discover("tools.bench.trivial")
    with TemporaryDirectory() as folder:
        file = Path(folder) / "many.json"
        workflow.save(numbers(COUNT), file)
        session = Session(registry, Path(folder) / "state")
        window = MainWindow(registry, Settings("tools.bench.trivial", cache=None, out_dir=folder), None, session)
        window.resize(1600, 1000)
        window.show()
        window.start()
        wait(app, lambda: window.engine.ready and window.plan.ready)
        for what, act in acts(app, window, file):
            yield what, during(app, partial(_to_its_end, app, act))
        window.document.undo_stack.setClean()
        window.close()


def _to_its_end(app: QApplication, act: Callable[[], None]) -> None:
    """With what comes of it a moment later: plans, pictures that are asked for, and Python's collector."""
    act()
    end = time.monotonic() + REST
    wait(app, lambda: time.monotonic() > end)


def acts(app: QApplication, window: MainWindow, file: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    def open_it() -> None:
        planned: list[object] = []
        window.open(file)
        wait(app, lambda: len(window.document.graph.nodes) == COUNT)
        window.plan.planned.connect(planned.append)
        wait(app, lambda: bool(planned))

    def run() -> None:
        window.actions_by_id["run.all"].trigger()
        wait(app, lambda: not window.runs.running)

    def run_changed() -> None:
        window.document.set_param("n0", "amount", window.document.graph.nodes["n0"].params.get("amount", 1) + 1)
        run()

    def arrange() -> None:
        window.actions_by_id["canvas.arrange"].trigger()
        wait(app, lambda: not window.canvas.findChildren(QProgressDialog) and window.canvas.scene.complete)

    yield "open", open_it
    yield "run", run
    yield "run again", run
    yield "run with other settings", run_changed

    def undo() -> None:
        window.document.undo_stack.undo()
        wait(app, lambda: window.canvas.scene.complete)

    def change_the_look() -> None:
        look = window.settings.now
        window.settings.change(theme="Light" if look.theme != "Light" else "Dark", text_scale=look.text_scale * 1.1)

    def close() -> None:
        window.document.undo_stack.setClean()
        window.actions_by_id["file.close"].trigger()

    yield "arrange", arrange
    yield "undo", undo
    yield "change the look", change_the_look
    yield "close", close


def numbers(count: int) -> Graph:
    """Nodes in a square, each fed by its left neighbour, and every other one by one of the row above."""
    side = round(count**0.5)
    nodes = {f"n{i}": Node("bench.add", {}, (i % side * 300.0, i // side * 180.0)) for i in range(count)}
    links = {Port(f"n{i}", "a"): Port(f"n{i - 1}", "number") for i in range(1, count)}
    links |= {Port(f"n{i}", "b"): Port(f"n{i - side - 1}", "number") for i in range(side + 1, count, 2)}
    return Graph(nodes, links)


if __name__ == "__main__":
    application = QApplication([])  # first: without it nothing would be collected
    collector = GarbageCollector(application)  # as in the program
    for what, value in many():
        print(f"longest gap, {COUNT:,} nodes, {what}: {value}", flush=True)
    collector.close()
