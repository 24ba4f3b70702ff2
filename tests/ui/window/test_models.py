"""From the panel of models into the graph: dragged, added, used in a node, its words put into a prompt."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu

from nodegraph.formats import workflow
from nodegraph.formats.needs import needs
from nodegraph.graph import Graph, Node, Port
from nodegraph.library.hashing import hashes
from nodegraph.library.scan import update
from nodegraph.running.engine import Settings as EngineSettings
from tests.nodegraph.library.shelf import STOCK, jar
from tests.ui.dragging import click_card, drag_card
from ui.canvas.scene.shape import halfway
from ui.canvas.scene.view import View
from ui.panels.models import ModelsPanel
from ui.window.main_window import MainWindow

LEFT = Qt.MouseButton.LeftButton
GRAPH = Graph(
    {
        "jar": Node("toy.open_jar", {"path": "old.jar"}, (0, 0)),
        "taste": Node("toy.taste", {}, (500, 0)),
        "show": Node("toy.show", {}, (800, 0)),
    },
    {Port("taste", "jam"): Port("jar", "jam"), Port("show", "box"): Port("taste", "box")},
)


@pytest.fixture
def cellar(tmp_path: Path) -> Path:
    jar(tmp_path / "cellar" / "damson.jar", "jam:plum:sweet,dark")
    jar(tmp_path / "cellar" / "gherkin.jar", "pickle:fig:sour")
    return tmp_path / "cellar"


@pytest.fixture
def window(qtbot, registry, cellar: Path, tmp_path: Path, monkeypatch) -> MainWindow:
    """With a small graph, and an index of the cellar. Nothing is started."""
    monkeypatch.setenv("DENOODLE_DATA", str(tmp_path / "data"))
    made = MainWindow(registry, EngineSettings("tests.toy_nodes", cache=None, out_dir=str(tmp_path)))
    update(made.shelves.folder, [str(cellar)], STOCK, lambda done, whole: None)
    qtbot.addWidget(made, before_close_func=lambda w: [d.undo_stack.setClean() for d in w.session.documents])
    made.tabs.show_document(made.session.new(GRAPH))
    made.resize(1400, 1000)
    made.show()
    qtbot.waitExposed(made)
    made.docks.show("Models")
    qtbot.waitUntil(lambda: panel(made).rows.rowCount() == 2)
    made.canvas.grab()
    made.canvas.state.show_view(View(0.6, 80, 150))
    return made


def panel(window: MainWindow) -> ModelsPanel:
    found = window.docks.panel("Models")
    assert isinstance(found, ModelsPanel)
    return found


def row(window: MainWindow, name: str) -> int:
    rows = range(panel(window).rows.rowCount())
    return next(row for row in rows if Path(panel(window).rows.path(row)).stem == name)


def click(window: MainWindow, name: str) -> QPoint:
    """On a card; where that is."""
    return click_card(panel(window), row(window, name))


def drag(window: MainWindow, name: str, world: QPointF, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its card to a place of the graph."""
    place = window.canvas.mapTo(window, window.canvas.state.view.to_screen(world))
    drag_card(panel(window), row(window, name), window, place, monkeypatch)


def added(window: MainWindow) -> dict[str, Node]:
    return {id: node for id, node in window.document.graph.nodes.items() if id not in GRAPH.nodes}


def test_dragged_onto_the_ground_it_becomes_the_node_that_opens_it(window, cellar, monkeypatch):
    drag(window, "damson", QPointF(100, 400), monkeypatch)
    (node,) = added(window).values()
    assert (node.type, node.params["path"]) == ("toy.open_jar", str(cellar / "damson.jar"))
    assert (QPointF(*node.pos) - QPointF(100, 400)).manhattanLength() <= 4
    window.document.undo_stack.undo()
    assert window.document.graph == GRAPH


def test_dragged_onto_a_wire_it_is_put_into_it(window, cellar, monkeypatch):
    wire = halfway(window.canvas.scene.links[Port("taste", "jam")].points)
    drag(window, "gherkin", wire, monkeypatch)
    ((id, node),) = added(window).items()
    assert (node.type, node.params["path"]) == ("toy.season", str(cellar / "gherkin.jar"))
    assert window.document.graph.links[Port(id, "jam")] == Port("jar", "jam")
    assert window.document.graph.links[Port("taste", "jam")].node == id
    assert window.document.undo_stack.count() == 1


def test_dragged_onto_a_node_it_takes_the_place_of_its_file(window, cellar, monkeypatch):
    drag(window, "damson", QPointF(60, 12), monkeypatch)
    assert not added(window)
    assert window.document.graph.nodes["jar"].params["path"] == str(cellar / "damson.jar")


def test_enter_adds_it_to_the_canvas_and_it_counts_as_used(window, cellar):
    click(window, "damson")
    QTest.keyClick(panel(window).list, Qt.Key.Key_Return)
    assert [node.type for node in added(window).values()] == ["toy.open_jar"]
    assert window.settings.now.recent_models == (str(cellar / "damson.jar"),)


def test_it_is_used_in_the_selected_node_or_said_why_not(window, cellar):
    said: list[str] = []
    window.workspace.failed.connect(said.append)
    click(window, "damson")
    window.canvas.state.select({"taste"})
    panel(window).acts["use"].trigger()
    assert said == ["Nothing was changed: Taste takes no such file: Open jar takes damson.jar."]
    assert window.document.graph == GRAPH
    window.canvas.state.select({"jar"})
    panel(window).acts["use"].trigger()
    assert window.document.graph.nodes["jar"].params["path"] == str(cellar / "damson.jar")


def test_its_words_go_into_the_prompt_that_is_chosen(window, qtbot):
    nodes = {name: Node("toy.settings", {"text": text}, (0, 0)) for name, text in (("a", "a cat,"), ("b", ""))}
    window.tabs.show_document(window.session.new(Graph(nodes, {})))
    click(window, "damson")
    QTest.mouseClick(panel(window).details.use_words, LEFT)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    assert [action.text() for action in menu.actions()] == ["Settings: a cat,", "Settings: empty"]
    menu.actions()[1].trigger()
    menu.close()
    window.canvas.state.select({"a"})
    QTest.mouseClick(panel(window).details.use_words, LEFT)
    texts = [window.document.graph.nodes[id].params["text"] for id in ("a", "b")]
    assert texts == ["a cat, sweet, dark", "sweet, dark"]


def test_the_families_of_the_document_are_what_fits(window, cellar, qtbot):
    window.plan.start()
    assert not panel(window).fits.isEnabled()
    window.document.set_param("jar", "path", str(cellar / "damson.jar"))
    qtbot.waitUntil(lambda: panel(window).fitting == ("plum",), timeout=60_000)
    QTest.mouseClick(panel(window).fits, LEFT)
    qtbot.waitUntil(lambda: panel(window).rows.rowCount() == 1)
    window.tabs.new()
    qtbot.waitUntil(lambda: panel(window).fitting == (), timeout=60_000)


def test_of_several_families_all_fit_or_that_of_what_is_selected(window, cellar, qtbot):
    window.plan.start()
    jar(cellar / "pot.jar", "jam:fig:sweet")
    both = {"jar": str(cellar / "damson.jar"), "other": str(cellar / "pot.jar")}
    window.tabs.show_document(
        window.session.new(Graph({id: Node("toy.open_jar", {"path": path}, (0, 0)) for id, path in both.items()}))
    )
    window.plan.start()
    qtbot.waitUntil(lambda: panel(window).fitting == ("fig", "plum"), timeout=60_000)
    window.canvas.state.select({"other"})
    assert panel(window).fitting == ("fig",)
    window.canvas.state.select({"jar"})
    assert panel(window).fitting == ("plum",)
    window.canvas.state.select(())
    assert panel(window).fitting == ("fig", "plum")


def test_what_is_known_of_a_file_goes_with_the_workflow_that_is_saved(window, cellar, tmp_path, qtbot):
    path = str(cellar / "damson.jar")
    window.document.set_param("jar", "path", path)
    window.session.save(window.document, tmp_path / "before.json")
    assert needs(workflow.load(tmp_path / "before.json")) == ()
    (sha256,) = hashes(window.shelves.folder, [path], lambda done, whole: None).values()
    window.shelves.look()
    qtbot.waitUntil(lambda: path in window.shelves.contents)
    window.session.save(window.document, tmp_path / "after.json")
    (need,) = needs(workflow.load(tmp_path / "after.json"))
    assert (need.parameter, need.what, need.sha256) == (Port("jar", "path"), "damson", sha256)
    assert not window.document.dirty
    ran: list[Graph] = []
    window.engine._client.run = lambda run: ran.append(run.graph)
    window.runner.run()
    assert [said.sha256 for said in needs(ran[0])] == [sha256]  # and with the pictures that it makes
