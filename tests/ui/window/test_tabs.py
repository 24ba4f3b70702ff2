"""Several documents in one window, each in a tab, as a person opens, closes, moves and leaves them."""

import gc
import weakref
from math import inf

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt, QTimer
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QMenu, QMessageBox, QProgressDialog, QPushButton, QTabBar

from nodegraph.formats import workflow
from nodegraph.graph import Graph, Node
from nodegraph.pieces import Work
from nodegraph.running.engine import Settings as EngineSettings
from tests.ui.kept_window import KeptWindow, leave
from ui.window.main_window import MainWindow
from ui.window.tabs import UNSAVED

CTRL = Qt.KeyboardModifier.ControlModifier
Answer = QMessageBox.StandardButton


@pytest.fixture
def window(kept_window: KeptWindow) -> MainWindow:
    """Not started, with one untouched document."""
    return kept_window.open()


@pytest.fixture
def files(tmp_path):
    """Three workflows: one, two and three, each with a box of that value."""
    made = {}
    for value, name in enumerate(("one", "two", "three"), start=1):
        made[name] = tmp_path / f"{name}.json"
        workflow.save(Graph({name: Node("toy.box", {"value": float(value)})}), made[name])
    return made


def titles(window: MainWindow) -> list[str]:
    return [window.tabs.tabText(i) for i in range(window.tabs.count())]


def tab(window: MainWindow, index: int) -> QPoint:
    return window.tabs.tabBar().tabRect(index).center()


@pytest.fixture
def answers(monkeypatch):
    """What the user answers to each question about unsaved changes, in turn; and what was asked."""
    asked: list[str] = []
    to_give: list[Answer] = []

    def question(_parent, _title, text, *_):
        asked.append(text)
        return to_give.pop(0)

    monkeypatch.setattr(QMessageBox, "question", question)
    return to_give, asked


def test_a_file_takes_the_place_of_an_untouched_document_and_others_get_tabs(window, files):
    window.open(files["one"])
    window.open(files["two"])
    assert titles(window) == ["one", "two"]
    assert list(window.document.graph.nodes) == ["two"]


def test_a_closed_document_is_let_go_of_with_all_its_views(window, files):
    window.tabs.new(Graph({"box": Node("toy.box")}))
    window.open(files["one"])
    for _ in range(2):
        first, _ = window.tabs.workspaces
        gone = [weakref.ref(part) for part in (first, first.document, first.canvas, first.runs, first.results)]
        window.open(files["two"])
        leave(window)
        window.tabs.close_tab(first)
        del first
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        gc.collect()
        assert [part() for part in gone] == [None] * len(gone)


def test_a_canvas_behind_another_tab_holds_no_pictures_and_looks_the_same_when_it_is_back(window, files):
    first = window.canvas
    window.tabs.new(Graph({"box": Node("toy.box")}))
    window.open(files["one"])
    window.tabs.step(-1)
    shown = window.canvas
    before = shown.grab().toImage()
    window.tabs.step(1)
    QTest.qWait(50)  # what is painted ahead when nothing else is to do
    for canvas in (first, shown):
        assert not canvas._tiles._plain._tiles
        assert canvas._tiles._plain._backdrop is None
    window.tabs.step(-1)
    assert shown.grab().toImage() == before


def test_a_tab_behind_another_has_the_new_look_when_it_is_gone_to(window, files):
    def look(of: int, change_at: int) -> QImage:
        window.settings.change(theme="Dark")
        for index in (of, change_at):
            window.tabs.setCurrentIndex(index)
        window.settings.change(theme="Light")
        window.tabs.setCurrentIndex(of)
        QTest.qWait(50)
        shown = window.grab().toImage()
        window.settings.change(theme="Dark")
        return shown

    window.open(files["one"])
    window.open(files["two"])
    look(0, 0)
    assert look(0, 1) == look(0, 0)


@pytest.mark.parametrize(("answer", "kept"), [(Answer.No, True), (Answer.Yes, False)])
def test_a_name_without_its_ending_writes_over_no_file_unasked(window, files, answers, monkeypatch, answer, kept):
    answers[0].append(answer)
    before = files["one"].read_text()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(files["one"].with_suffix("")), ""))
    assert window.tabs.save_as() != kept
    assert answers[1] == ["one.json is there already. Write over it?"]
    assert (files["one"].read_text() == before) == kept


def test_a_dot_in_a_name_is_no_ending(window, tmp_path, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "portrait v1.5"), ""))
    assert window.tabs.save_as()
    assert (tmp_path / "portrait v1.5.json").exists()


def test_a_file_that_is_open_is_gone_to(window, files):
    window.open(files["one"])
    window.open(files["two"])
    window.open(files["one"])
    assert titles(window) == ["one", "two"]
    assert window.document.name == "one"


def test_a_click_on_a_tab_shows_its_document_in_every_panel(window, files):
    window.open(files["one"])
    window.open(files["two"])
    window.canvas.state.select({"two"})
    QTest.mouseClick(window.tabs.tabBar(), Qt.MouseButton.LeftButton, pos=tab(window, 0))
    window.canvas.state.select({"one"})
    assert window.windowTitle().startswith("one")
    assert window.docks.panel("Inspector").node == "one"
    assert window.docks.panel("Inspector").isVisible()
    QTest.keyClick(window, Qt.Key.Key_Tab, CTRL)
    assert window.windowTitle().startswith("two")
    assert window.docks.panel("Inspector").node == "two"


def test_edits_undo_and_selection_belong_to_the_tab(window, files):
    window.open(files["one"])
    window.document.set_param("one", "value", 10.0)
    window.open(files["two"])
    assert not window.actions_by_id["edit.undo"].isEnabled()
    window.document.set_param("two", "value", 20.0)
    QTest.keyClick(window, Qt.Key.Key_Z, CTRL)
    assert window.document.graph.nodes["two"].params["value"] == 2.0
    assert window.tabs.workspaces[0].document.graph.nodes["one"].params["value"] == 10.0


def test_unsaved_changes_show_as_a_dot_until_they_are_saved(window, files):
    window.open(files["one"])
    window.document.set_param("one", "value", 5.0)
    assert UNSAVED in titles(window)[0]
    assert window.isWindowModified()
    QTest.keyClick(window, Qt.Key.Key_S, CTRL)
    assert titles(window) == ["one"]
    assert workflow.load(files["one"]).nodes["one"].params["value"] == 5.0


def test_tabs_are_opened_closed_and_walked_through_with_keys(window, files):
    for name in files:
        window.open(files[name])
    QTest.keyClick(window, Qt.Key.Key_Tab, CTRL)
    assert window.document.name == "one"
    QTest.keyClick(window, Qt.Key.Key_Tab, CTRL | Qt.KeyboardModifier.ShiftModifier)
    assert window.document.name == "three"
    QTest.keyClick(window, Qt.Key.Key_W, CTRL)
    assert titles(window) == ["one", "two"]
    QTest.keyClick(window, Qt.Key.Key_N, CTRL)
    assert titles(window) == ["one", "two", "Untitled"]


def test_the_middle_button_closes_a_tab(window, files, qtbot):
    for name in files:
        window.open(files[name])
    with qtbot.waitSignal(window.tabs.closed):
        QTest.mouseClick(window.tabs.tabBar(), Qt.MouseButton.MiddleButton, pos=tab(window, 1))
    assert titles(window) == ["one", "three"]
    assert len(window.session.documents) == 2


def test_the_last_tab_leaves_an_untouched_document_behind(window, files):
    window.open(files["one"])
    QTest.keyClick(window, Qt.Key.Key_W, CTRL)
    assert titles(window) == ["Untitled"]
    QTest.keyClick(window, Qt.Key.Key_W, CTRL)
    assert titles(window) == ["Untitled"]


def test_tabs_are_dragged_into_another_order(window, files):
    for name in files:
        window.open(files[name])
    bar = window.tabs.tabBar()
    QTest.mousePress(bar, Qt.MouseButton.LeftButton, pos=tab(window, 2))
    for part in (0.2, 0.4, 0.6, 0.8, 0.9, 1.0):
        QTest.mouseMove(bar, tab(window, 2) + (tab(window, 0) - QPoint(20, 0) - tab(window, 2)) * part)
    QTest.mouseRelease(bar, Qt.MouseButton.LeftButton, pos=tab(window, 0) - QPoint(20, 0))
    assert titles(window) == ["three", "one", "two"]
    assert [w.document.name for w in window.tabs.workspaces] == ["three", "one", "two"]


def test_closing_a_changed_tab_asks_and_cancel_keeps_it(window, files, answers):
    to_give, asked = answers
    window.open(files["one"])
    window.document.set_param("one", "value", 5.0)
    to_give += [Answer.Cancel, Answer.Discard]
    QTest.keyClick(window, Qt.Key.Key_W, CTRL)
    assert window.document.name == "one"
    QTest.keyClick(window, Qt.Key.Key_W, CTRL)
    assert titles(window) == ["Untitled"]
    assert asked == ["Save the changes to one?"] * 2
    assert workflow.load(files["one"]).nodes["one"].params["value"] == 1.0


def test_quitting_asks_about_every_changed_document(window, files, answers):
    to_give, asked = answers
    for name in files:
        window.open(files[name])
        if name != "two":
            window.document.set_param(name, "value", 5.0)
    to_give += [Answer.Save, Answer.Cancel]
    window.close()
    assert window.isVisible()
    assert asked == ["Save the changes to one?", "Save the changes to three?"]
    assert window.document.name == "three"
    to_give += [Answer.Discard]
    window.close()
    assert not window.isVisible()
    assert workflow.load(files["one"]).nodes["one"].params["value"] == 5.0
    assert workflow.load(files["three"]).nodes["three"].params["value"] == 3.0


@pytest.mark.parametrize(("button", "value"), [("Show the file", 7.0), ("Keep this", 1.0)])
def test_a_file_that_another_program_wrote_is_asked_about(window, files, qtbot, button, value):
    window.open(files["one"])
    workflow.save(Graph({"one": Node("toy.box", {"value": 7.0})}), files["one"])
    window.session.check_files()
    box = window.findChild(QMessageBox)
    assert "Another program changed one" in box.text()
    QTest.mouseClick(next(b for b in box.buttons() if b.text() == button), Qt.MouseButton.LeftButton)
    assert window.document.graph.nodes["one"].params["value"] == value
    assert window.document.dirty == (button == "Keep this")


def test_a_file_that_is_gone_is_offered_to_be_saved_again(window, files):
    window.open(files["one"])
    files["one"].unlink()
    window.session.check_files()
    box = window.findChild(QMessageBox)
    assert box.text() == "The file of one is gone."
    QTest.mouseClick(next(b for b in box.buttons() if b.text() == "Save it"), Qt.MouseButton.LeftButton)
    assert workflow.load(files["one"]) == window.document.graph
    assert not window.document.dirty


def test_documents_come_back_after_the_program_died(qtbot, registry, tmp_path, files):
    from ui.documents.session import Session

    first = Session(registry, tmp_path / "state")
    window = MainWindow(registry, EngineSettings("tests.toy_nodes", cache=None), session=first)
    window.open(files["one"])
    window.document.set_param("one", "value", 42.0)
    first.flush()
    for kept in first._open:  # what the system does with a process that is gone
        kept.lock.unlock()
    second = Session(registry, tmp_path / "state")
    again = MainWindow(registry, EngineSettings("tests.toy_nodes", cache=None), session=second)
    again.restore()
    assert titles(again) == [f"one  {UNSAVED}"]
    assert again.document.graph.nodes["one"].params["value"] == 42.0
    for made in (again, window):
        qtbot.addWidget(made, before_close_func=leave)


def test_a_document_that_cannot_be_kept_safe_is_not_made_and_the_old_ones_stay(window, monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(QMessageBox, "warning", lambda parent, title, text: said.append(text))
    journals = window.session.folder / "journals"
    journals.rename(journals.with_name("elsewhere"))
    QTest.keyClick(window, Qt.Key.Key_N, CTRL)
    QTest.keyClick(window, Qt.Key.Key_W, CTRL)
    assert titles(window) == ["Untitled"]
    assert all("set DENOODLE_STATE to another folder" in sentence for sentence in said)
    assert len(said) == 2
    journals.with_name("elsewhere").rename(journals)


def test_switches_of_the_canvas_hold_in_every_tab(window, files):
    window.open(files["one"])
    for id in ("canvas.minimap", "canvas.snap"):
        window.actions_by_id[id].trigger()
    window.open(files["two"])
    for step in range(2):
        assert window.canvas.minimap.isVisible() == window.actions_by_id["canvas.minimap"].isChecked() == (step == 0)
        assert window.canvas.state.snap == window.actions_by_id["canvas.snap"].isChecked() == (step == 0)
        for id in ("canvas.minimap", "canvas.snap"):
            window.actions_by_id[id].trigger()
        window.tabs.step(1)


def test_the_bar_of_tabs_has_a_name_for_screen_readers(window):
    assert isinstance(window.tabs.tabBar(), QTabBar)
    assert window.tabs.tabBar().accessibleName() == "Open documents"


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with large files: nothing is read at once."""
    monkeypatch.setattr("ui.window.tabs.AT_ONCE", 0)
    monkeypatch.setattr("ui.widgets.piecework.SLICE", 0.0)


def test_a_large_file_is_opened_in_pieces_while_the_window_answers(window, files, qtbot, slowly):
    window.open(files["one"])
    (dialog,) = window.findChildren(QProgressDialog)
    assert dialog.labelText() == "Opening one.json"
    assert window.document.path is None
    qtbot.waitUntil(lambda: window.document.path == files["one"])
    qtbot.waitUntil(lambda: not window.findChildren(QProgressDialog))


def test_a_large_file_whose_opening_is_stopped_is_not_shown(window, files, qtbot, slowly):
    window.open(files["one"])
    (dialog,) = window.findChildren(QProgressDialog)
    QTest.mouseClick(dialog.findChild(QPushButton), Qt.MouseButton.LeftButton)
    qtbot.wait(200)
    assert window.document.path is None
    assert window.tabs.count() == 1


def test_what_is_wrong_with_a_large_file_is_said(window, files, qtbot, slowly, monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(QMessageBox, "warning", lambda _parent, title, text: said.append(text))
    files["one"].write_text('{"version": 1, "nodes": {"a": {}}}')
    window.open(files["one"])
    qtbot.waitUntil(lambda: bool(said))
    assert "'type' must be text" in said[0]
    qtbot.waitUntil(lambda: not window.findChildren(QProgressDialog))


def test_when_tabs_have_no_room_a_list_has_them_all(window, qtbot):
    tabs = window.tabs
    assert not tabs.list_button.isVisible()
    for number in range(12):
        tabs.new(Graph({"a": Node("toy.box")}), f"A document with a long name, the {number}th")
    QApplication.processEvents()
    assert tabs.list_button.isVisible()
    assert tabs.currentIndex() == 11
    QTest.mouseClick(tabs.list_button, Qt.MouseButton.LeftButton)
    (menu,) = tabs.findChildren(QMenu)
    assert [entry.text() for entry in menu.actions()] == titles(window)
    assert [entry.isChecked() for entry in menu.actions()] == [False] * 11 + [True]
    for _ in range(9):
        QTest.keyClick(menu, Qt.Key.Key_Up)
    QTest.keyClick(menu, Qt.Key.Key_Return)
    assert tabs.currentIndex() == 2
    leave(window)
    while tabs.count() > 2:
        tabs.close_tab(tabs.current)
    QApplication.processEvents()
    assert not tabs.list_button.isVisible()


def test_the_list_is_there_as_an_action_too(window):
    window.tabs.new(Graph({"a": Node("toy.box")}), "One")
    window.tabs.new(Graph({"a": Node("toy.box")}), "Two")
    window.actions_by_id["view.tabs"].trigger()
    (menu,) = window.tabs.findChildren(QMenu)
    assert [entry.text() for entry in menu.actions()] == titles(window)
    menu.close()


def many(count: int = 1200) -> Graph:
    """Boxes of which saving, or copying, takes more than a slice."""
    return Graph({f"box{i}": Node("toy.box", {"value": float(i)}, (i * 300.0, 0.0)) for i in range(count)})


@pytest.fixture
def slow_slices(monkeypatch) -> list[float]:
    """A piece of work is all that is done at a time; each is written down."""
    taken: list[float] = []
    go_on = Work.go_on
    monkeypatch.setattr(
        Work, "go_on", lambda self, seconds: taken.append(seconds) or go_on(self, seconds if seconds == inf else 0)
    )
    return taken


def test_a_large_workflow_is_saved_in_slices_byte_for_byte(window, tmp_path, qtbot, slow_slices):
    path = tmp_path / "many.json"
    workflow.save(many(), path)
    window.open(path)
    qtbot.waitUntil(lambda: window.document.path == path)
    window.document.set_param("box3", "value", 77.0)
    before = path.read_bytes()
    slow_slices.clear()
    window.actions_by_id["file.save"].trigger()
    assert path.read_bytes() == before
    assert window.document.dirty
    qtbot.waitUntil(lambda: not window.document.dirty)
    assert len(slow_slices) > 10
    assert path.read_bytes() == workflow.dumps(window.document.graph).encode()


def test_what_is_edited_while_a_large_workflow_is_saved_is_not_called_saved(window, tmp_path, qtbot, slow_slices):
    path = tmp_path / "many.json"
    workflow.save(many(), path)
    window.open(path)
    qtbot.waitUntil(lambda: window.document.path == path)
    window.document.set_param("box3", "value", 77.0)
    window.actions_by_id["file.save"].trigger()
    window.document.set_param("box3", "value", 78.0)
    qtbot.waitUntil(lambda: workflow.load(path).nodes["box3"].params["value"] == 77.0)
    assert window.document.dirty
    window.actions_by_id["file.save"].trigger()
    window.tabs.save()  # who needs to know that it is saved gets it at once
    assert not window.document.dirty
    assert workflow.load(path).nodes["box3"].params["value"] == 78.0


def test_a_large_workflow_is_saved_in_slices_before_its_tab_closes(window, tmp_path, answers, slow_slices):
    path = tmp_path / "many.json"
    window.tabs.new(many())
    assert window.tabs.save_to(path)
    window.document.set_param("box3", "value", 77.0)
    answers[0].append(Answer.Save)
    slow_slices.clear()
    window.actions_by_id["file.close"].trigger()
    assert len([seconds for seconds in slow_slices if seconds < inf]) > 10
    assert titles(window) == ["Untitled"]
    assert workflow.load(path).nodes["box3"].params["value"] == 77.0


def test_saving_a_large_workflow_elsewhere_can_be_stopped(window, tmp_path, monkeypatch, slow_slices):
    path = tmp_path / "many.json"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    window.tabs.new(many())

    def stop() -> None:
        (dialog,) = window.tabs.findChildren(QProgressDialog)
        QTest.mouseClick(dialog.findChild(QPushButton), Qt.MouseButton.LeftButton)

    QTimer.singleShot(0, stop)
    assert not window.tabs.save_as()
    assert not path.exists()
    assert window.document.path is None
    assert window.tabs.save_as()
    assert workflow.load(path) == window.document.graph


def test_very_many_nodes_are_copied_in_slices_and_pasted_at_once(window, qtbot, slow_slices):
    QApplication.clipboard().clear()
    window.tabs.new(many())
    window.actions_by_id["canvas.select_all"].trigger()
    slow_slices.clear()
    window.actions_by_id["canvas.copy"].trigger()
    assert QApplication.clipboard().text() == ""
    qtbot.waitUntil(lambda: bool(QApplication.clipboard().text()))
    assert len(slow_slices) > 10
    assert workflow.loads(QApplication.clipboard().text()).nodes == window.document.graph.nodes
    window.document.set_param("box3", "value", 77.0)
    window.actions_by_id["canvas.select_all"].trigger()
    window.actions_by_id["canvas.copy"].trigger()
    window.tabs.new()
    window.actions_by_id["canvas.paste"].trigger()
    assert {node.params["value"] for node in window.document.graph.nodes.values()} >= {77.0}
    window.actions_by_id["canvas.select_all"].trigger()
    window.actions_by_id["canvas.copy"].trigger()
    QApplication.clipboard().setText("something else")
    qtbot.wait(50)
    assert QApplication.clipboard().text() == "something else"
