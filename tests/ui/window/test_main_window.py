"""The window with a real engine process behind it, and what happens when that process misbehaves."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QMessageBox

from nodegraph.formats import workflow
from nodegraph.graph import Graph, Node, Port, add_node
from nodegraph.planning.calls import Call
from nodegraph.running.engine import Settings as EngineSettings
from nodegraph.running.messages import Finished, Idle, Planned, Started
from tests.ui.kept_window import KeptWindow
from ui.base import theme
from ui.base.settings import Settings
from ui.canvas.commands.one_node import open_row
from ui.canvas.overlays.palette import Palette
from ui.documents.document import Document
from ui.documents.session import Session
from ui.window.main_window import MainWindow
from ui.window.templates import TemplatePicker

LONG = 60_000  # an engine process starts in half a second on an idle machine; this one may be busy


@pytest.fixture
def window(kept_window: KeptWindow, graph: Graph) -> MainWindow:
    """With the small graph open, not started."""
    return kept_window.open(graph)


@pytest.fixture
def warnings(monkeypatch) -> list[str]:
    """What message boxes would have said."""
    said: list[str] = []
    monkeypatch.setattr(QMessageBox, "warning", lambda parent, title, text: said.append(text))
    return said


def with_trouble(graph: Graph, type: str) -> Graph:
    """The small graph, whose boxes pass through a node of this type before they are shown."""
    nodes = {**graph.nodes, "trouble": Node(type, {}, (450, 100))}
    links = {**graph.links, Port("trouble", "box"): Port("sum", "box"), Port("show", "box"): Port("trouble", "box")}
    return Graph(nodes, links)


def show(window: MainWindow, graph: Graph) -> None:
    window.document.edit("Show", lambda _: graph)


def idle(window: MainWindow) -> bool:
    return not window.runs.running and not window.engine.running and window.runs.outcome != ""


def test_run_computes_to_the_end_and_shows_the_picture(window, qtbot):
    window.start()
    QTest.keyClick(window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: idle(window), timeout=LONG)
    assert window.runs.of("sum").state == "done"
    assert window.runs.of("show").state == "done"
    assert window.preview.pixmap is not None
    assert window.status_bar.text.text().startswith("Done")


def test_ctrl_return_runs_while_a_prompt_is_typed(window):
    runs: list[str] = []
    window.actions_by_id["run.all"].triggered.connect(lambda: runs.append("run"))
    window.canvas.state.select({"settings"})
    box = window.docks.panel("Inspector").rows["text"].editor.box
    window.activateWindow()
    box.setFocus()
    QTest.keyClicks(box, "!")
    QTest.keyClick(box, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert runs == ["run"]
    assert "\n" not in box.toPlainText()


def test_delete_removes_nodes_on_the_canvas_and_letters_in_a_text(window):
    window.canvas.state.select({"settings"})
    box = window.docks.panel("Inspector").rows["text"].editor.box
    window.activateWindow()
    box.setFocus()
    QTest.keyClick(box, Qt.Key.Key_Delete)
    assert window.document.graph.nodes["settings"].params["text"] == " cat"
    window.canvas.setFocus()
    QTest.keyClick(window.canvas, Qt.Key.Key_Delete)
    assert "settings" not in window.document.graph.nodes


def test_an_edit_makes_results_stale_and_undo_makes_them_good_again(window, qtbot):
    window.start()
    window.runner.run()
    qtbot.waitUntil(lambda: idle(window), timeout=LONG)
    window.document.set_param("left", "value", 99.0)
    qtbot.waitUntil(lambda: window.runs.of("sum").stale, timeout=LONG)
    assert not window.runs.of("right").stale
    window.document.undo_stack.undo()
    qtbot.waitUntil(lambda: not window.runs.of("sum").stale, timeout=LONG)


def test_live_mode_runs_after_an_edit(window, qtbot):
    window.start()
    window.actions_by_id["run.live"].setChecked(True)
    qtbot.waitUntil(lambda: idle(window), timeout=LONG)
    window.document.set_param("left", "value", 50.0)
    qtbot.waitUntil(lambda: (shown := window.runs.of("show").picture) is not None and shown.rgb[0] == 53, timeout=LONG)


@pytest.mark.parametrize(
    ("type", "sentence"),
    [
        ("toy.refuse", "the box must be red"),
        ("toy.crash", "crashed"),
        ("toy.killed", "memory"),
        ("toy.eat_memory", "memory"),
    ],
)
def test_a_failure_is_said_on_its_node_and_the_next_run_works(window, graph, qtbot, type, sentence):
    show(window, with_trouble(graph, type))
    window.start()
    window.runner.run()
    qtbot.waitUntil(lambda: window.runs.of("trouble").state == "failed" and idle(window), timeout=LONG)
    assert sentence in window.runs.of("trouble").message.lower()
    window.docks.show("Problems")
    qtbot.waitUntil(lambda: window.problems.rows.rowCount() > 0, timeout=LONG)
    listed = [window.problems.rows.index(row) for row in range(window.problems.count())]
    assert "trouble" in [index.data(Qt.ItemDataRole.UserRole) for index in listed]
    assert window.document.graph == with_trouble(graph, type)
    show(window, graph)
    window.runner.run()
    qtbot.waitUntil(lambda: idle(window) and window.runs.of("show").state in ("done", "cached"), timeout=LONG)


@pytest.mark.parametrize("type", ["toy.hang", "toy.deaf"])
def test_stop_works_on_a_node_that_hangs(window, graph, qtbot, type):
    show(window, with_trouble(graph, type))
    window.engine._patience.setInterval(200)
    window.start()
    window.runner.run()
    qtbot.waitUntil(lambda: window.runs.of("trouble").state == "running", timeout=LONG)
    QTest.keyClick(window, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: idle(window), timeout=LONG)
    assert "did not react" in window.runs.of("trouble").message
    show(window, graph)
    window.runner.run()
    qtbot.waitUntil(lambda: idle(window) and window.runs.of("show").state in ("done", "cached"), timeout=LONG)


def test_stop_ends_a_long_node_at_its_next_report(window, graph, qtbot):
    show(window, with_trouble(graph, "toy.slow"))
    window.document.set_param("trouble", "parts", 100_000)
    window.start()
    window.runner.run()
    qtbot.waitUntil(lambda: window.runs.of("trouble").fraction > 0, timeout=LONG)
    pid = window.engine.pid
    window.runner.stop()
    qtbot.waitUntil(lambda: idle(window), timeout=LONG)
    assert window.engine.pid == pid
    assert window.status_bar.text.text().startswith("Stopped")


def test_the_time_left_is_shown_of_the_running_node_and_in_all(window, monkeypatch):
    monkeypatch.setattr(window.engine, "ready", True)
    type = window.document.type_of("left")
    nodes = (("a", "left"), ("b", "sum"), ("c", "show"))
    calls = {key: Call(key, node, (), type, {"size": size}) for size, (key, node) in enumerate(nodes)}
    for _ in range(2):  # what they take is known from the first run
        window.runs.begin()
        window.runs.expect(calls)
        window.runs.take(Planned(3, 0))
        window.runs.take(Started("left", "a"))
        text = window.status_bar.text.text(), window.status_bar.left.text()
        for key, seconds in (("a", 1200.0), ("b", 1800.0), ("c", 3600.0)):
            window.runs.take(Finished(calls[key].node, key, (), seconds, cached=False))
        window.runs.take(Idle(3, 0, 6600.0))
    assert text == ("Box · about 20:00 min left", "about 1:50 h left in all")


def test_closing_leaves_no_process_and_no_thread(window, qtbot):
    before = threading.enumerate()  # of tests before, whose engines may still be ending
    window.start()
    window.runner.run()
    qtbot.waitUntil(lambda: idle(window), timeout=LONG)
    pid = window.engine.pid
    window.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    left = [thread for thread in threading.enumerate() if thread not in before]
    assert not [thread for thread in left if thread.name in ("engine reader", "engine writer", "first plan")]


def test_problems_are_listed_and_a_click_goes_to_the_node(window, qtbot):
    window.document.edit("Add", add_node, "lonely", Node("toy.add", {}, (5000, 5000)))
    window.start()
    qtbot.waitUntil(lambda: window.problems.count() > 0, timeout=LONG)
    assert not window.docks["Problems"].isVisible()  # nothing moves while one builds
    assert window.status_bar.problems.text() == f"{window.problems.count()} problems"
    QTest.mouseClick(window.status_bar.problems, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.problems.isVisible())
    first = window.problems.rows.index(0)
    assert first.data().startswith("Add")
    place = window.problems.visualRect(first).center()
    QTest.mouseClick(window.problems.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert window.canvas.state.selection == {"lonely"}
    seen = window.canvas.state.view.to_screen(QPointF(5060, 5020)).toPoint()
    assert window.canvas.rect().contains(seen)


@pytest.mark.parametrize("where", ["node", "inspector"])
def test_saving_while_a_number_is_typed_saves_the_number(window, qtbot, tmp_path, monkeypatch, where):
    path = tmp_path / "typed.json"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    window.canvas.state.select({"settings"})
    qtbot.waitUntil(lambda: "count" in window.docks.panel("Inspector").rows)
    box = (
        open_row(window.canvas.state, "settings", "count").box
        if where == "node"
        else window.docks.panel("Inspector").rows["count"].editor.box
    )
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, "7")
    QTest.keyClick(box, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    assert workflow.load(path).nodes["settings"].params["count"] == 7


def test_run_shows_what_is_in_its_way(window, qtbot):
    window.document.edit("Add", add_node, "lonely", Node("toy.show"))
    window.start()
    qtbot.waitUntil(lambda: window.problems.count() > 0, timeout=LONG)
    QTest.keyClick(window.canvas, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: window.problems.isVisible())


def test_selecting_a_node_shows_its_parameters(window, qtbot):
    window.canvas.state.select({"settings"})
    qtbot.waitUntil(lambda: "seed" in window.docks.panel("Inspector").rows)
    assert window.docks.panel("Inspector").node == "settings"


def dropped(window: MainWindow, *paths: Path, keys=Qt.KeyboardModifier.NoModifier) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    args = (data, Qt.MouseButton.LeftButton, keys)
    place = window.rect().center()
    QApplication.sendEvent(window, QDragEnterEvent(place, Qt.DropAction.CopyAction, *args))
    QApplication.sendEvent(window, QDropEvent(QPointF(place), Qt.DropAction.CopyAction, *args))


def test_a_workflow_dropped_on_the_window_is_opened(window, registry, tmp_path):
    other = Document(registry, Graph({"only": Node("toy.box")}))
    other.save(tmp_path / "other.json")
    dropped(window, tmp_path / "other.json")
    assert window.document.graph == other.graph
    assert window.windowTitle() == "other[*] — Denoodle"


def test_every_file_that_is_dropped_is_opened(window, registry, tmp_path):
    paths = [tmp_path / "one.json", tmp_path / "two.json"]
    for path in paths:
        Document(registry, Graph({"only": Node("toy.box")})).save(path)
    dropped(window, *paths)
    assert [workspace.document.path for workspace in window.tabs.workspaces][-2:] == paths


def test_a_workflow_dropped_with_shift_is_put_into_the_graph_under_the_pointer(window, registry, tmp_path):
    before = window.document.graph
    Document(registry, Graph({"left": Node("toy.box", {"value": 7.0})})).save(tmp_path / "part.json")
    dropped(window, tmp_path / "part.json", keys=Qt.KeyboardModifier.ShiftModifier)
    (added,) = window.canvas.state.selection
    node = window.document.graph.nodes[added]
    assert node.params == {"value": 7.0}
    under_pointer = window.canvas.state.view.to_world(window.canvas.mapFrom(window, QPointF(window.rect().center())))
    assert QPointF(*node.pos) == QPointF(round(under_pointer.x()), round(under_pointer.y()))
    window.document.undo_stack.undo()
    assert window.document.graph == before


def test_a_workflow_dropped_with_shift_is_added_to_the_graph(window, registry, graph, tmp_path):
    Document(registry, Graph({"only": Node("toy.box")})).save(tmp_path / "other.json")
    dropped(window, tmp_path / "other.json", keys=Qt.KeyboardModifier.ShiftModifier)
    assert window.document.graph.nodes.keys() == {*graph.nodes, "only"}
    assert window.canvas.state.selection == {"only"}
    window.document.undo_stack.undo()
    assert window.document.graph == graph


def test_a_file_that_cannot_be_read_gives_a_sentence_and_changes_nothing(window, warnings, tmp_path):
    path = tmp_path / "broken.json"
    path.write_text('{"version": 1, "nodes": {')
    before = window.document.graph
    dropped(window, path)
    assert "broken.json" in warnings[0]
    assert window.document.graph is before


def test_unsaved_changes_are_asked_about(window, monkeypatch, tmp_path):
    asked: list[str] = []
    window.document.path = tmp_path / "mine.json"
    window.document.set_param("left", "value", 8.0)
    for answer, left in (
        (QMessageBox.StandardButton.Cancel, False),
        (QMessageBox.StandardButton.Save, True),
    ):
        monkeypatch.setattr(QMessageBox, "question", lambda *args, answer=answer: asked.append(args[2]) or answer)
        assert window.tabs.may_leave(window.workspace) is left
    assert asked == ["Save the changes to mine?"] * 2
    assert (tmp_path / "mine.json").exists()
    assert not window.document.dirty


def test_a_file_that_cannot_be_written_gives_a_sentence_and_keeps_the_changes(window, warnings, tmp_path):
    window.document.set_param("left", "value", 8.0)
    assert not window.tabs.save_to(tmp_path / "no such folder" / "a.json")
    assert "a.json" in warnings[0]
    assert window.document.dirty


def make_window(qtbot, registry, settings: Settings) -> MainWindow:
    made = MainWindow(registry, EngineSettings("tests.toy_nodes", cache=None), settings)
    qtbot.addWidget(made, before_close_func=lambda w: [d.undo_stack.setClean() for d in w.session.documents])
    made.show()
    qtbot.waitExposed(made)
    return made


def test_the_layout_and_the_look_are_as_they_were_left(qtbot, registry, qapp, tmp_path):
    first = make_window(qtbot, registry, Settings(tmp_path / "settings.json"))
    first.actions_by_id["view.panel_queue"].trigger()
    first.docks["Inspector"].close()
    first.actions_by_id["view.theme_light"].trigger()
    first.resize(790, 700)
    first.close()
    second = make_window(qtbot, registry, Settings(tmp_path / "settings.json"))
    try:
        assert second.docks["Queue"].isVisible()
        assert not second.docks["Inspector"].isVisible()
        assert second.height() == 700
        assert theme.colors() == theme.LIGHT
    finally:
        theme.apply(qapp, theme.DARK)


def test_the_layout_survives_a_kill(qtbot, registry, tmp_path):
    path = tmp_path / "settings.json"
    first = make_window(qtbot, registry, Settings(path))
    first.actions_by_id["view.panel_queue"].trigger()
    first.actions_by_id["view.app"].trigger()  # hides the panels, for as long as it is there
    qtbot.waitUntil(path.exists)
    second = make_window(qtbot, registry, Settings(path))
    assert second.docks["Queue"].isVisible()
    assert second.docks["Inspector"].isVisible()


def test_what_came_back_after_a_kill_is_said(qtbot, registry, graph, tmp_path):
    session = Session(registry, tmp_path / "state")
    session.save(session.new(graph), tmp_path / "mine.json")
    session.documents[0].set_param("left", "value", 5.0)
    session.save(session.new(graph), tmp_path / "untouched.json")
    session.flush()
    shutil.copytree(tmp_path / "state", tmp_path / "killed", ignore=shutil.ignore_patterns("*.lock"))
    session.end()
    window = MainWindow(registry, EngineSettings("tests.toy_nodes"), session=Session(registry, tmp_path / "killed"))
    qtbot.addWidget(window, before_close_func=lambda w: [d.undo_stack.setClean() for d in w.session.documents])
    window.restore()
    assert len(window.tabs.workspaces) == 2
    assert window.status_bar.text.text().startswith("The unsaved changes are back: mine.")


def test_the_menu_marks_the_theme_in_use(window, qapp):
    marks = [window.actions_by_id[f"view.theme_{name}"] for name in ("dark", "light", "high")]
    try:
        for chosen in (1, 2, 2, 0):
            marks[chosen].trigger()
            assert [mark.isChecked() for mark in marks] == [i == chosen for i in range(3)]
    finally:
        theme.apply(qapp, theme.DARK)


def test_every_panel_can_be_shown_and_hidden(window):
    for title in window.docks.titles:
        action = window.actions_by_id[f"view.panel_{title.lower()}"]
        shown = window.docks[title].isVisible()
        action.trigger()
        assert window.docks[title].isVisible() is not shown
        action.trigger()
        assert window.docks[title].isVisible() is shown


def test_the_keyboard_is_the_canvas_again_when_the_panel_that_had_it_closes(window):
    window.activateWindow()
    window.canvas.state.select({"settings"})
    window.docks.show("Outline")
    window.docks.panel("Outline").search.setFocus()
    window.docks["Outline"].close()
    assert window.canvas.hasFocus()


def test_text_grows_with_its_keys_and_comes_back(window, qapp):
    ctrl = Qt.KeyboardModifier.ControlModifier
    window.activateWindow()
    QTest.keyClick(window, Qt.Key.Key_Plus, ctrl)
    QTest.keyClick(window, Qt.Key.Key_Plus, ctrl)
    assert theme.scale() == pytest.approx(1.2)
    QTest.keyClick(window, Qt.Key.Key_0, ctrl)
    assert theme.scale() == 1.0


def test_a_recent_file_is_opened_from_the_menu(window, registry, tmp_path):
    path = tmp_path / "mine.json"
    Document(registry, Graph({"only": Node("toy.box")})).save(path)
    window.open(path)
    window.tabs.close_tab(window.workspace)
    window.recent.aboutToShow.emit()
    window.recent.actions()[0].trigger()
    assert window.document.name == "mine"


def test_a_template_is_a_document_without_a_file(window, monkeypatch, qtbot):
    def take_the_first(picker: TemplatePicker) -> None:
        picker.show()
        QTest.keyClick(picker.search, Qt.Key.Key_Return)

    monkeypatch.setattr(TemplatePicker, "exec", take_the_first)
    window.actions_by_id["file.template"].trigger()
    assert window.document.path is None
    assert window.document.graph.nodes


BUILD = """
import sys
from PySide6.QtWidgets import QApplication
from nodegraph.running.engine import Settings
from nodegraph.formats.package import discover
from nodegraph.running.messages import Finished, Idle, Planned, Started
from ui.base import theme
from ui.canvas.commands.adding import add, offers
from ui.window.main_window import MainWindow
app = QApplication([])
theme.install(app)
window = MainWindow(discover("nodes"), Settings("nodes"))
window.show()
window.plan.start()
window.plan.close()
app.processEvents()
for offer in offers(window.canvas.scope):
    add(window.canvas.state, offer, window.canvas.state.view.to_world(window.canvas.rect().center().toPointF()))
app.processEvents()
window.document.undo_stack.setClean()
window.close()
print(*sorted({name.split(".")[0] for name in sys.modules}))
"""


@pytest.mark.slow
def test_the_editor_never_loads_torch():
    done = subprocess.run([sys.executable, "-c", BUILD], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert not loaded & {"torch", "diffusers", "transformers", "numpy", "PIL", "safetensors"}


def test_what_was_added_lately_comes_first_after_a_restart_and_in_every_tab(qtbot, registry, tmp_path):
    def window() -> MainWindow:
        made = MainWindow(registry, EngineSettings("tests.toy_nodes", cache=None), Settings(tmp_path / "settings.json"))
        qtbot.addWidget(made, before_close_func=lambda w: [d.undo_stack.setClean() for d in w.session.documents])
        made.show()
        return made

    def offered(shown: MainWindow) -> str:
        QTest.keyClick(shown.canvas, Qt.Key.Key_Tab)
        palette = shown.canvas.findChild(Palette)
        title = palette.list.item(0).text()
        palette.close()
        return title

    first = window()
    QTest.keyClick(first.canvas, Qt.Key.Key_Tab)
    palette = first.canvas.findChild(Palette)
    QTest.keyClicks(palette.box, "mutter")
    QTest.keyClick(palette.box, Qt.Key.Key_Return)
    first.tabs.new()
    assert offered(first) == "Mutter"
    for document in first.session.documents:
        document.undo_stack.setClean()
    first.close()
    assert offered(window()) == "Mutter"
