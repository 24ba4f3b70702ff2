"""A document that names files that are not there: three ways out each, one step, and nothing without a word."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog

from nodegraph.formats import workflow
from nodegraph.formats.needs import NEEDS
from nodegraph.graph import Graph, Node, Port
from nodegraph.library.scan import update
from nodegraph.running.engine import Settings as EngineSettings
from tests.nodegraph.library.shelf import STOCK, jar
from ui.window.download_dialog import DownloadDialog
from ui.window.main_window import MainWindow
from ui.window.missing_dialog import MissingBar, MissingDialog

LEFT, LONG = Qt.MouseButton.LeftButton, 60_000
GRAPH = Graph(
    {
        "jar": Node("toy.open_jar", {"path": "/gone/damson.jar"}, (0, 0)),
        "season": Node("toy.season", {"path": "/gone/gherkin.jar"}, (400, 0)),
        "taste": Node("toy.taste", {}, (800, 0)),
        "show": Node("toy.show", {}, (1100, 0)),
    },
    {
        Port("season", "jam"): Port("jar", "jam"),
        Port("taste", "jam"): Port("season", "jam"),
        Port("show", "box"): Port("taste", "box"),
    },
    extra={NEEDS: [{"what": "Gherkins", "parameter": ["season", "path"], "from": "jar:gherkin", "size": 2000}]},
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "lunch.json"
    workflow.save(GRAPH, path)
    return path


@pytest.fixture
def window(qtbot, registry, tmp_path: Path, monkeypatch) -> MainWindow:
    """Started, without an engine; a cellar that has nothing of that name."""
    monkeypatch.setenv("DENOODLE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("TOY_HUB", str(tmp_path / "hub"))
    jar(tmp_path / "hub" / "gherkin.jar", "pickle:plum:")
    made = MainWindow(registry, EngineSettings("tests.toy_nodes", cache=None, out_dir=str(tmp_path)))
    jar(tmp_path / "cellar" / "mirabelle.jar", "jam:plum:")
    index(made, tmp_path)
    qtbot.addWidget(made, before_close_func=lambda w: [d.undo_stack.setClean() for d in w.session.documents])
    made.resize(1300, 900)
    made.show()
    qtbot.waitExposed(made)
    monkeypatch.setattr(made.engine, "start", lambda: None)
    made.start()
    return made


def index(window: MainWindow, tmp_path: Path) -> None:
    update(window.shelves.folder, [str(tmp_path / "cellar")], STOCK, lambda done, whole: None)


def opened(window: MainWindow, file: Path, qtbot) -> MissingDialog:
    window.open(file)
    qtbot.waitUntil(lambda: any(d.isVisible() for d in window.findChildren(MissingDialog)), timeout=LONG)
    return next(d for d in window.findChildren(MissingDialog) if d.isVisible())


def button(dialog: MissingDialog, text: str):
    return next(b for b in dialog.buttons.buttons() if b.text() == text)


def paths(window: MainWindow) -> tuple[str, str]:
    nodes = window.document.graph.nodes
    return nodes["jar"].params["path"], nodes["season"].params["path"]


def test_opening_it_lists_what_is_missing_and_leaving_changes_nothing(window, file, qtbot):
    dialog = opened(window, file, qtbot)
    assert [row.name.text() for row in dialog.rows] == ["damson.jar", "Gherkins"]
    assert dialog.rows[1].about.text() == "Season  ·  2.0 kB  ·  /gone/gherkin.jar is not there"
    assert not dialog.use.isEnabled()
    assert dialog.rows[0].fetch.toolTip() == "The workflow does not say from where"
    QTest.mouseClick(button(dialog, "Not now"), LEFT)
    assert window.document.undo_stack.count() == 0
    assert paths(window) == ("/gone/damson.jar", "/gone/gherkin.jar")


def test_one_is_located_the_other_is_found_beside_it_and_both_are_one_step(window, file, qtbot, tmp_path, monkeypatch):
    found = jar(tmp_path / "shed" / "damson.jar", "jam:plum:")
    jar(tmp_path / "shed" / "gherkin.jar", "pickle:plum:")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(found), ""))
    dialog = opened(window, file, qtbot)
    QTest.mouseClick(dialog.rows[0].locate, LEFT)
    assert dialog.summary.text() == "2 of 2 have a file now"
    assert paths(window)[0] == "/gone/damson.jar"  # not before one says so
    QTest.mouseClick(dialog.use, LEFT)
    assert paths(window) == (str(found), str(tmp_path / "shed" / "gherkin.jar"))
    assert window.document.undo_stack.count() == 1
    window.document.undo_stack.undo()
    assert paths(window) == ("/gone/damson.jar", "/gone/gherkin.jar")


def test_one_of_the_same_name_is_chosen_at_once_and_still_waits_for_a_word(window, file, qtbot, tmp_path):
    jar(tmp_path / "cellar" / "deep" / "Damson.jar", "jam:plum:")
    index(window, tmp_path)
    dialog = opened(window, file, qtbot)
    row = dialog.rows[0]
    assert row.path == str(tmp_path / "cellar" / "deep" / "Damson.jar")
    assert row.others.currentText() == "Damson  ·  the same name"
    assert paths(window)[0] == "/gone/damson.jar"
    row.others.setCurrentIndex(0)
    row.others.activated.emit(0)
    assert not dialog.use.isEnabled()


def test_one_is_downloaded_from_where_the_workflow_says(window, file, qtbot, tmp_path):
    window.shelves.choose((str(tmp_path / "cellar"),))
    qtbot.waitUntil(lambda: window.shelves.folders != (), timeout=LONG)
    dialog = opened(window, file, qtbot)
    QTest.mouseClick(dialog.rows[1].fetch, LEFT)
    (download,) = window.findChildren(DownloadDialog)
    QTest.mouseClick(download.look, LEFT)
    qtbot.waitUntil(lambda: download.get.isVisible() and download.get.isEnabled(), timeout=LONG)
    QTest.mouseClick(download.get, LEFT)
    qtbot.waitUntil(lambda: dialog.rows[1].path != "", timeout=LONG)
    download.close()
    QTest.mouseClick(dialog.use, LEFT)
    assert paths(window)[1] == str(tmp_path / "cellar" / "gherkin.jar")


def test_an_address_that_a_workflow_names_is_shown_whole_and_asked_for_once(window, file, qtbot):
    dialog = opened(window, file, qtbot)
    row = dialog.rows[1]
    assert row.address.isVisible()
    assert row.address.text().replace("\N{ZERO WIDTH SPACE}", "") == "From jar:gherkin"
    assert not dialog.rows[0].address.isVisible()
    QTest.mouseClick(row.fetch, LEFT)
    (first,) = window.findChildren(DownloadDialog)
    assert first.address.text() == "jar:gherkin"
    assert "jar:gherkin" in first.hint.text()
    assert first.hint.isVisible()
    assert not window.shelves.downloads.doing  # nobody is asked before a person says so
    QTest.mouseClick(first.look, LEFT)
    qtbot.waitUntil(lambda: first.get.isVisible(), timeout=LONG)
    first.close()
    QTest.mouseClick(row.fetch, LEFT)
    second = next(d for d in window.findChildren(DownloadDialog) if d is not first)
    qtbot.waitUntil(lambda: second.get.isVisible(), timeout=LONG)
    dialog.reject()


def test_the_problems_have_the_way_back_to_it(window, file, qtbot):
    dialog = opened(window, file, qtbot)
    dialog.reject()
    window.docks.show("Problems")
    QApplication.processEvents()
    (bar,) = window.docks["Problems"].findChildren(MissingBar)
    assert bar.said.text() == "damson.jar and one more file are not there:"
    QTest.mouseClick(bar.go, LEFT)
    assert any(d.isVisible() for d in window.findChildren(MissingDialog))
    next(d for d in window.findChildren(MissingDialog) if d.isVisible()).reject()


def test_without_the_network_it_says_so_at_the_download(window, file, qtbot):
    window.settings.change(network=False)
    dialog = opened(window, file, qtbot)
    assert not dialog.rows[1].fetch.isEnabled()
    assert dialog.rows[1].fetch.toolTip().startswith("Nothing is fetched over the network")
    dialog.reject()


def test_where_nothing_is_missing_nobody_is_asked(window, qtbot, tmp_path):
    there = jar(tmp_path / "there.jar", "jam:plum:")
    graph = replace(GRAPH, nodes={"jar": Node("toy.open_jar", {"path": str(there)}, (0, 0))}, links={}, extra={})
    workflow.save(graph, tmp_path / "fine.json")
    window.open(tmp_path / "fine.json")
    QTest.qWait(700)
    assert not window.findChildren(MissingDialog)
