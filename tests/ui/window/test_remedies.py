"""What is missing beside a workflow is got from the window, where it is missed: chosen, or fetched on demand.

The toy is a pit from which clay comes: somebody chooses it, or has it dug.
"""

import multiprocessing
from pathlib import Path

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QMenu

from nodegraph.graph import Graph, Node, Port
from nodegraph.running.engine import Settings as EngineSettings
from tests.toy_nodes.pit import pit
from ui.canvas.scene.view import View
from ui.panels.remedy_bar import RemedyBar
from ui.window.main_window import MainWindow
from ui.window.remedy_dialog import RemedyDialog

LONG = 60_000
LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
DIG = Graph(
    {"dig": Node("toy.dig", {}, (0, 0)), "pot": Node("toy.pot", {}, (300, 0)), "show": Node("toy.show", {}, (600, 0))},
    {Port("pot", "clay"): Port("dig", "clay"), Port("show", "box"): Port("pot", "box")},
)


@pytest.fixture
def window(qtbot, registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MainWindow:
    """With a workflow that misses its pit, planned; the engine is not started."""
    monkeypatch.setenv("DENOODLE_DATA", str(tmp_path / "data"))
    made = MainWindow(registry, EngineSettings("tests.toy_nodes", cache=None, out_dir=str(tmp_path)))
    qtbot.addWidget(made, before_close_func=lambda w: [d.undo_stack.setClean() for d in w.session.documents])
    made.resize(1300, 900)
    made.show()
    qtbot.waitExposed(made)
    made.tabs.show_document(made.session.new(DIG))
    with qtbot.waitSignal(made.plan.planned, timeout=LONG):
        made.plan.start()
    return made


def offers(window: MainWindow) -> RemedyBar:
    """What stands below the problems."""
    window.docks.show("Problems")
    QApplication.processEvents()
    (bar,) = window.docks["Problems"].widget().findChildren(RemedyBar)
    assert bar.isVisible()
    return bar


def chosen(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """What the person chooses when a file is asked for."""
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))


def test_what_a_run_misses_is_chosen_below_the_problems_and_the_run_then_works(window, qtbot, tmp_path, monkeypatch):
    window.engine.start()
    QTest.keyClick(window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: window.runs.of("dig").state == "failed" and not window.engine.running, timeout=LONG)
    bar = offers(window)
    assert [part.text() for part in (bar.about, bar.choose, bar.fetch)] == [
        "A clay pit:",
        "Choose pit.txt…",
        "Dig one (2 MB)",
    ]
    (tmp_path / "pit.txt").write_text("white")
    chosen(monkeypatch, tmp_path / "pit.txt")
    QTest.mouseClick(bar.choose, LEFT)
    qtbot.waitUntil(lambda: window.problems.count() == 0, timeout=LONG)
    assert window.runs.of("dig").state == "idle"  # it does not say any more that it failed
    assert not bar.isVisible()
    assert window.status_bar.text.text() == "A clay pit is there now, for all documents"
    QTest.keyClick(window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: window.runs.outcome.startswith("Done"), timeout=LONG)
    assert window.runs.of("show").state == "done"


def test_it_is_fetched_when_that_is_asked_for_and_one_sees_how_far_it_is(window, qtbot):
    bar = offers(window)
    seen: list[int] = []
    window.remedies.changed.connect(lambda: seen.append(bar.bar.value()))
    QTest.mouseClick(bar.fetch, LEFT)
    assert (bar.fetch.isVisible(), bar.bar.isVisible(), bar.end.isVisible()) == (False, True, True)
    qtbot.waitUntil(lambda: window.problems.count() == 0, timeout=LONG)
    assert max(seen) > 0
    assert pit().read_text() == "red"


def test_it_can_be_stopped_and_nothing_is_kept(window, qtbot, monkeypatch):
    monkeypatch.setenv("TOY_PIT", "deep")
    bar = offers(window)
    QTest.mouseClick(bar.fetch, LEFT)
    qtbot.waitUntil(lambda: bar.bar.value() > 0, timeout=LONG)
    QTest.mouseClick(bar.end, LEFT)
    assert bar.said.text() == "Stopped; nothing was kept"
    assert bar.fetch.isVisible()
    errands = [child for child in multiprocessing.active_children() if child.name == "errand"]
    qtbot.waitUntil(lambda: not any(child.is_alive() for child in errands), timeout=LONG)
    assert not pit().exists()


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("rock", "The ground holds 'rock', which is no clay"),
        ("fall", "It ended without a word (exit code 3)"),
    ],
)
def test_what_cannot_be_had_is_said_in_a_sentence_and_can_be_tried_again(window, qtbot, monkeypatch, what, sentence):
    monkeypatch.setenv("TOY_PIT", what)
    bar = offers(window)
    QTest.mouseClick(bar.fetch, LEFT)
    qtbot.waitUntil(lambda: bar.fetch.isVisible(), timeout=LONG)
    assert bar.said.text() == sentence
    assert window.log.entries[-1].text.lower() == sentence.lower()
    assert window.problems.count() == 1


def test_the_node_that_misses_it_offers_it_and_others_do_not(window, qtbot, tmp_path, monkeypatch):
    (tmp_path / "pit.txt").write_text("white")
    chosen(monkeypatch, tmp_path / "pit.txt")

    def menu_of(id: str) -> QMenu:
        item = window.canvas.scene.nodes[id]
        place = window.canvas.state.view.to_screen(item.pos + QPointF(60, 12)).toPoint()
        QTest.mouseClick(window.canvas, RIGHT, pos=place)
        menu = QApplication.activePopupWidget()
        assert isinstance(menu, QMenu)
        return menu

    def texts(menu: QMenu) -> list[str]:
        return [action.text() for action in menu.actions()]

    window.canvas.state.show_view(View(1.0, 100, 100))
    other = menu_of("pot")
    assert "Choose pit.txt…" not in texts(other)
    other.close()
    menu = menu_of("dig")
    assert texts(menu)[:2] == ["Choose pit.txt…", "Dig one (2 MB)"]
    menu.actions()[0].trigger()
    menu.close()
    assert window.docks["Problems"].isVisible()  # where one sees how it goes
    qtbot.waitUntil(lambda: window.problems.count() == 0, timeout=LONG)
    assert pit().read_text() == "white"


def test_it_has_a_place_in_the_menu_and_says_whether_it_is_there(window, qtbot):
    window.actions_by_id["file.clay"].trigger()
    (dialog,) = window.findChildren(RemedyDialog)
    assert dialog.kept.text() == "There is none yet."
    QTest.mouseClick(dialog.offers.fetch, LEFT)
    qtbot.waitUntil(lambda: window.problems.count() == 0, timeout=LONG)
    assert dialog.offers.said.text() == f"It is kept in {pit()}"
    dialog.reject()
    window.actions_by_id["file.clay"].trigger()
    dialog = window.findChildren(RemedyDialog)[-1]
    assert dialog.kept.text() == f"It is kept in {pit()}."


def test_all_documents_have_it_at_once(window, qtbot):
    first = window.workspace
    window.tabs.show_document(window.session.new(DIG))
    second = window.workspace
    with qtbot.waitSignal(second.plan.planned, timeout=LONG):
        second.plan.start()
    QTest.mouseClick(offers(window).fetch, LEFT)
    qtbot.waitUntil(lambda: first.problems.count() + second.problems.count() == 0, timeout=LONG)
