"""Fields for files offer what the library has: what fits first, what does not with why, and a way to all others."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from nodegraph.graph import Graph, Node, Port
from nodegraph.library.scan import update
from nodegraph.running.engine import Settings as EngineSettings
from tests.nodegraph.library.shelf import STOCK, jar
from ui.canvas.commands.one_node import click, editable_rows
from ui.canvas.scene.view import View
from ui.widgets import path_fields
from ui.widgets.editors import finish_typing
from ui.widgets.offers import BROWSE, OfferRows
from ui.widgets.path_fields import FileEditor, PathField
from ui.window.main_window import MainWindow

LEFT, LONG = Qt.MouseButton.LeftButton, 60_000


@pytest.fixture
def cellar(tmp_path: Path) -> Path:
    for name, text in (
        ("damson", "jam:plum:sweet"),
        ("fig", "jam:fig:"),
        ("gherkin", "pickle:plum:sour"),
        ("capers", "pickle:fig:"),
        ("rot", "broken:"),
    ):
        jar(tmp_path / "cellar" / f"{name}.jar", text)
    return tmp_path / "cellar"


def leave(window: MainWindow) -> None:
    """What is half-typed becomes an edit, and nobody asks about unsaved changes."""
    window.canvas.setFocus()
    finish_typing()
    for document in window.session.documents:
        document.undo_stack.setClean()


@pytest.fixture
def window(qtbot, registry, cellar: Path, tmp_path: Path, monkeypatch) -> MainWindow:
    """A jar of plum jam and a node that seasons it; planned, with an index of the cellar."""
    monkeypatch.setenv("DENOODLE_DATA", str(tmp_path / "data"))
    made = MainWindow(registry, EngineSettings("tests.toy_nodes", cache=None, out_dir=str(tmp_path)))
    update(made.shelves.folder, [str(cellar)], STOCK, lambda done, whole: None)
    qtbot.addWidget(made, before_close_func=leave)
    graph = Graph(
        {
            "jar": Node("toy.open_jar", {"path": str(cellar / "damson.jar")}, (0, 0)),
            "season": Node("toy.season", {}, (400, 0)),
        },
        {Port("season", "jam"): Port("jar", "jam")},
    )
    made.tabs.show_document(made.session.new(graph))
    made.resize(1400, 1000)
    made.show()
    qtbot.waitExposed(made)
    made.activateWindow()
    with qtbot.waitSignal(made.plan.planned, timeout=LONG):
        made.plan.start()
    made.canvas.grab()
    made.canvas.state.show_view(View(1.0, 80, 150))
    return made


def editor(window: MainWindow, node: str) -> FileEditor:
    """That of the inspector."""
    window.canvas.state.select({node})
    QApplication.processEvents()
    found = window.docks.panel("Inspector").rows["path"].editor
    assert isinstance(found, FileEditor)
    return found


def offered(field: PathField) -> list[str]:
    rows = field.findChild(OfferRows)
    assert rows is not None
    return [Path(offer.path).stem for offer in rows.offers]


def reasons(field: PathField) -> dict[str, str]:
    rows = field.findChild(OfferRows)
    return {Path(offer.path).stem: offer.why_not for offer in rows.offers if offer.why_not}


def popup(field: PathField):
    return field.box.completer().popup()


def path(window: MainWindow, node: str) -> str:
    return window.document.graph.nodes[node].params.get("path", "")


def test_typing_finds_what_fits_by_its_words_and_return_takes_it(window, cellar, qtbot):
    field = editor(window, "season")
    field.box.setFocus()
    QTest.keyClicks(field.box, "sour")
    qtbot.waitUntil(lambda: offered(field) == ["gherkin"])
    qtbot.waitUntil(popup(field).isVisible)
    QTest.keyClick(popup(field), Qt.Key.Key_Down)
    QTest.keyClick(popup(field), Qt.Key.Key_Return)
    assert path(window, "season") == str(cellar / "gherkin.jar")
    assert window.document.undo_stack.count() == 1
    assert window.settings.now.recent_models == (str(cellar / "gherkin.jar"),)


def test_down_shows_all_that_fits_then_what_does_not_and_why(window, cellar, qtbot):
    field = editor(window, "season")
    field.box.setFocus()
    QTest.keyClick(field.box, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: offered(field) == ["gherkin", "capers"])
    assert reasons(field) == {"capers": "capers goes with Figs; this is Plums"}
    row = popup(field).model().index(1, 0)
    assert not row.flags() & Qt.ItemFlag.ItemIsEnabled
    QTest.mouseClick(popup(field).viewport(), LEFT, pos=popup(field).visualRect(row).center())
    assert path(window, "season") == ""
    popup(field).hide()


def test_what_was_used_last_comes_first_and_words_find_other_kinds_with_the_reason(window, cellar, qtbot):
    window.shelves.use_file(str(cellar / "fig.jar"))
    field = editor(window, "jar")
    field.box.setFocus()
    field.unfold()
    qtbot.waitUntil(lambda: offered(field)[:2] == ["fig", "damson"])
    field.box.selectAll()
    QTest.keyClicks(field.box, "gher")
    qtbot.waitUntil(lambda: offered(field) == ["gherkin"])
    assert reasons(field)["gherkin"].startswith("gherkin is one of the Pickles; this takes Jams")
    popup(field).hide()


def test_the_last_row_leads_to_all_other_files(window, cellar, qtbot, monkeypatch, tmp_path):
    asked: list[str] = []
    monkeypatch.setattr(path_fields, "ask_path", lambda parent, spec, now: asked.append(now) or str(tmp_path / "x.jar"))
    field = editor(window, "jar")
    field.box.setFocus()
    field.unfold()
    qtbot.waitUntil(popup(field).isVisible)
    last = popup(field).model().index(popup(field).model().rowCount() - 1, 0)
    assert last.data() == BROWSE
    popup(field).scrollTo(last)
    QTest.mouseClick(popup(field).viewport(), LEFT, pos=popup(field).visualRect(last).center())
    qtbot.waitUntil(lambda: asked == [str(cellar / "damson.jar")])
    assert path(window, "jar") == str(tmp_path / "x.jar")


def test_a_path_is_completed_from_what_lies_there(window, cellar, qtbot):
    field = editor(window, "season")
    field.box.setFocus()
    QTest.keyClicks(field.box, f"{cellar}/g")
    qtbot.waitUntil(lambda: offered(field) == ["gherkin"])
    popup(field).hide()


def test_the_button_on_a_node_unfolds_what_fits_in_its_place(window, cellar, qtbot):
    row = next(row for row in editable_rows(window.canvas.state, "season") if row.input.name == "path")
    click(window.canvas.state, "season", row, row.input, row.button.center())
    inner = window.canvas.state.editor.inner
    assert isinstance(inner, PathField)
    qtbot.waitUntil(popup(inner).isVisible)
    assert popup(inner).width() >= 300
    first = popup(inner).model().index(0, 0)
    QTest.mouseClick(popup(inner).viewport(), LEFT, pos=popup(inner).visualRect(first).center())
    assert path(window, "season") == str(cellar / "gherkin.jar")


def test_without_a_library_the_button_on_a_node_asks_for_a_file(qtbot, registry, tmp_path, monkeypatch):
    from ui.canvas.commands import one_node

    monkeypatch.setattr(one_node, "ask_path", lambda *_: "/some.jar")
    window = MainWindow(registry, EngineSettings("tests.toy_nodes", cache=None, out_dir=str(tmp_path)))
    qtbot.addWidget(window, before_close_func=lambda w: [d.undo_stack.setClean() for d in w.session.documents])
    window.tabs.show_document(window.session.new(Graph({"jar": Node("toy.open_jar", {}, (0, 0))}, {})))
    window.show()
    qtbot.waitExposed(window)
    row = next(row for row in editable_rows(window.canvas.state, "jar") if row.input.name == "path")
    click(window.canvas.state, "jar", row, row.input, row.button.center())
    assert path(window, "jar") == "/some.jar"
