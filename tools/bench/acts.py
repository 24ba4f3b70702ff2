"""How long the window is busy at a stretch with what a person does in a large graph.

python -m tools.bench.acts
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from nodegraph.formats import workflow
from nodegraph.graph import Graph
from nodegraph.registry import Registry
from nodegraph.running.engine import Settings
from ui.base import theme
from ui.canvas.canvas import Canvas
from ui.canvas.commands import selection
from ui.canvas.commands.adding import open_palette
from ui.canvas.commands.bringing import paste
from ui.canvas.overlays.palette import Palette
from ui.documents.session import Session
from ui.window.main_window import MainWindow

ROUNDS = 5  # of which the quickest counts: others may use the machine
QUIET = 0.4  # seconds after which nothing more comes of an act: plans follow after a pause
CHOSEN = 20  # nodes that are pasted


def acts(registry: Registry, graph: Graph) -> Iterator[tuple[str, str]]:
    """Each act with the longest stretch for which the window's thread computes because of it, in CPU milliseconds."""
    app = QApplication.instance() or QApplication([])
    assert isinstance(app, QApplication)
    theme.install(app)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "large.json"
        workflow.save(graph, file)
        window = MainWindow(registry, Settings(cache=None), None, Session(registry, Path(folder) / "state"))
        window.started = True  # documents are planned, though the engine is not there
        window.resize(1600, 1000)
        window.show()
        _stretch(app, lambda: None, 2.0)  # until the planner has what it needs
        yield "open", f"{_stretch(app, lambda: window.open(file), 2.0):.0f} ms"
        gc.collect()  # what was opened is old by the time that a person works on it
        view = window.canvas.state.view
        window.canvas.state.show_view(view.zoomed(1 / view.scale, QPointF(600, 400)))
        for what, act, back in _acts(window):
            yield what, f"{min(_round(app, act, back) for _ in range(ROUNDS)):.0f} ms"
        yield from _palette(app, window.canvas)
        window.document.undo_stack.setClean()
        window.close()


def _acts(window: MainWindow) -> Iterator[tuple[str, Callable[[], object], Callable[[], object]]]:
    """Names of acts, what they do, and what takes it back."""
    canvas, stack = window.canvas, window.document.undo_stack
    seen = canvas.state.view.to_world(QPointF(600, 400))
    near = sorted(canvas.scene.nodes.values(), key=lambda item: (item.rect.center() - seen).manhattanLength())
    first, second, *_ = (item.id for item in near)

    def choose() -> None:
        canvas.state.select({first})

    def restore() -> None:
        stack.undo()
        choose()

    yield "select a node", choose, lambda: canvas.state.select({second})
    choose()
    yield "delete a node", lambda: selection.delete(canvas.state), restore
    yield "mute a node", lambda: selection.set_mode(canvas.state, "muted"), restore
    canvas.state.select(item.id for item in near[:CHOSEN])
    selection.copy(canvas.state)
    yield f"paste {CHOSEN} nodes", lambda: paste(canvas.state), stack.undo
    paste(canvas.state)
    yield f"undo the pasting of {CHOSEN} nodes", stack.undo, stack.redo
    choose()
    selection.set_mode(canvas.state, "muted")
    yield "save", window.tabs.save, lambda: selection.set_mode(canvas.state, "muted")


def _palette(app: QApplication, canvas: Canvas) -> Iterator[tuple[str, str]]:
    opened: list[Palette] = []
    open_one = lambda: opened.append(open_palette(canvas.state, QPointF(400, 400)))  # noqa: E731
    least = min(_round(app, open_one, lambda: opened.pop().close()) for _ in range(ROUNDS))
    yield "open the palette", f"{least:.0f} ms"
    open_one()
    letters = [_stretch(app, lambda letter=letter: QTest.keyClicks(opened[0].box, letter)) for letter in "samp"]
    yield "type a letter in the palette", f"{max(letters):.0f} ms"
    QTest.keyClick(opened[0].box, Qt.Key.Key_Escape)


def _round(app: QApplication, act: Callable[[], object], back: Callable[[], object]) -> float:
    spent = _stretch(app, act)
    _stretch(app, back)
    return spent


def _stretch(app: QApplication, act: Callable[[], object], seconds: float = QUIET) -> float:
    """The longest of the act and of the passes of the event loop after it, in CPU milliseconds. seconds: how long."""
    end = time.perf_counter() + seconds
    longest = _spent(act)
    while time.perf_counter() < end:
        longest = max(longest, _spent(app.processEvents))
        time.sleep(0.0005)
    return longest


def _spent(act: Callable[[], object]) -> float:
    begin = time.thread_time()
    act()
    return (time.thread_time() - begin) * 1000


if __name__ == "__main__":
    from tools.bench.window import large

    for what, value in acts(*large()):
        print(f"{what:<40} {value}")
