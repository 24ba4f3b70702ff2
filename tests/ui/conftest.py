"""The toy node package, a small graph, and widgets on it."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Node, Port
from nodegraph.registry import Registry
from nodegraph.running.engine import Settings as EngineSettings
from nodegraph.running.messages import Saved
from tests.ui import forked
from tests.ui.engines import Desk
from tests.ui.kept_window import KeptWindow
from tests.ui.made_pictures import picture
from ui.base import theme
from ui.base.garbage import GarbageCollector
from ui.canvas.canvas import Canvas
from ui.canvas.scene.view import View
from ui.documents.document import Document
from ui.runs.picture_index import Gallery
from ui.runs.run_state import RunState


@pytest.fixture(scope="session", autouse=True)
def themed(qapp: QApplication) -> None:
    theme.install(qapp)


@pytest.fixture(scope="session", autouse=True)
def forked_engines() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if sys.platform != "win32":
            patch.setattr("multiprocessing.get_context", forked.begin())
        yield


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines that are children of this process."""
    monkeypatch.setattr("multiprocessing.get_context", forked.spawn)


@pytest.fixture(scope="session", autouse=True)
def collected(qapp: QApplication) -> Iterator[None]:
    """As in the program: a thread that allocates must not destroy the widgets of the test before."""
    collector = GarbageCollector(qapp)
    yield
    collector.close()
    # Qt without a display holds what is on it longer than there is Python, and crashes.
    QApplication.clipboard().clear()


@pytest.fixture(autouse=True)
def nothing_left_behind() -> None:
    """Delete the windows of the test before; or else a change of the theme paints them all again."""
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture(scope="session")
def registry() -> Registry:
    return discover("tests.toy_nodes")


@pytest.fixture
def graph() -> Graph:
    """Two boxes, added, shown; and one node with every kind of parameter."""
    nodes = {
        "left": Node("toy.box", {"value": 2.0}, (0, 0)),
        "right": Node("toy.box", {"value": 3.0}, (0, 150)),
        "sum": Node("toy.add", {}, (300, 0)),
        "show": Node("toy.show", {}, (600, 0)),
        "settings": Node("toy.settings", {}, (300, 200)),
    }
    links = {
        Port("sum", "a"): Port("left", "box"),
        Port("sum", "b"): Port("right", "box"),
        Port("show", "box"): Port("sum", "box"),
    }
    return Graph(nodes, links)


@pytest.fixture
def document(registry: Registry, graph: Graph) -> Document:
    return Document(registry, graph)


@pytest.fixture
def runs() -> RunState:
    return RunState()


class Hand:
    """Mouse and keys on a canvas, at world positions."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas

    def at(self, world: QPointF) -> QPoint:
        return self.canvas.state.view.to_screen(world).toPoint()

    def header(self, id: str) -> QPointF:
        return self.canvas.scene.nodes[id].pos + QPointF(60, 12)

    def socket(self, id: str, name: str, *, output: bool = False) -> QPointF:
        return self.canvas.scene.socket_pos(Port(id, name), output=output)

    def press(self, world: QPointF, button=Qt.MouseButton.LeftButton, keys=Qt.KeyboardModifier.NoModifier) -> None:
        QTest.mousePress(self.canvas, button, keys, self.at(world))

    def move(self, world: QPointF) -> None:
        QTest.mouseMove(self.canvas, self.at(world))

    def release(self, world: QPointF, button=Qt.MouseButton.LeftButton) -> None:
        QTest.mouseRelease(self.canvas, button, pos=self.at(world))

    def click(self, world: QPointF, keys=Qt.KeyboardModifier.NoModifier) -> None:
        self.press(world, keys=keys)
        self.release(world)

    def drag(self, start: QPointF, end: QPointF, button=Qt.MouseButton.LeftButton) -> None:
        self.press(start, button)
        for part in (0.3, 0.7, 1.0):
            self.move(start + (end - start) * part)
        self.release(end, button)


@pytest.fixture
def canvas(qtbot, document: Document, runs: RunState) -> Canvas:
    """On the screen, at scale 1, with some room around the graph."""
    made = Canvas(document, runs)
    qtbot.addWidget(made)
    made.resize(1100, 800)
    made.show()
    qtbot.waitExposed(made)
    made.state.show_view(View(1.0, 100, 100))
    made.setFocus()
    return made


@pytest.fixture
def hand(canvas: Canvas) -> Hand:
    return Hand(canvas)


@pytest.fixture
def row(canvas):
    """The world position of a parameter's row on a node. across: 0 at its left end, 1 at its right."""

    def place(name: str, across: float = 0.4, node: str = "settings") -> QPointF:
        item = canvas.scene.nodes[node]
        rect = next(r.rect for r in item.shape.rows if r.input and r.input.name == name)
        return item.pos + QPointF(rect.left() + across * rect.width(), rect.top() + 12)

    return place


@pytest.fixture
def params(canvas):
    return lambda: canvas.document.graph.nodes["settings"].params


@pytest.fixture
def double_click(canvas, hand):
    """As a person does: two presses and two releases."""

    def act(world: QPointF) -> None:
        hand.click(world)
        QTest.mouseDClick(canvas, Qt.MouseButton.LeftButton, pos=hand.at(world))

    return act


@pytest.fixture
def shows_document(canvas: Canvas) -> Callable[[], bool]:
    """Whether the canvas shows exactly the document."""

    def check() -> bool:
        graph, scene = canvas.document.graph, canvas.scene
        nodes = {id: item.node for id, item in scene.nodes.items()}
        links = {dst: link.src for dst, link in scene.links.items()}
        everywhere = QRectF(-1e6, -1e6, 2e6, 2e6)
        found = {item.id for item in scene.nodes_in(everywhere)}
        return nodes == dict(graph.nodes) and links == dict(graph.links) and found == set(graph.nodes)

    return check


@pytest.fixture
def desk(qtbot, registry: Registry, tmp_path: Path) -> Iterator[Desk]:
    made = Desk(registry, tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def kept_window(
    qapp: QApplication, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KeptWindow]:
    engine = EngineSettings("tests.toy_nodes", cache=None, out_dir=str(tmp_path_factory.mktemp("out")))
    made = KeptWindow(registry, engine, QSize(1300, 900))
    yield made
    made.close()


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    made = Gallery(tmp_path / "state" / "gallery.jsonl")
    for name, text in (("one", "text: a red fox"), ("two", "text: a blue fox"), ("three", "steps: 7")):
        made.take(Saved("save", str(picture(tmp_path, f"{name}.png", text))))
    return made
