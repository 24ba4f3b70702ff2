"""Versions on the disk, and the panel that shows steps and versions."""

from datetime import datetime
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from nodegraph.formats import workflow
from nodegraph.graph import Graph, Node
from nodegraph.registry import Registry
from ui.documents import versions
from ui.documents.document import Document
from ui.documents.session import Session
from ui.documents.versions import History, history_of
from ui.panels.history import HistoryPanel, _when


@pytest.fixture
def kept(tmp_path: Path) -> History:
    return History(tmp_path / "versions")


def texts(kept: History) -> list[bytes]:
    return [version.file.read_bytes() for version in kept.versions()]


def test_versions_come_newest_first_and_equal_content_is_kept_once(kept: History):
    for time, text in enumerate([b"a", b"b", b"a"], start=1):
        kept.keep(text, time=time)
    assert texts(kept) == [b"a", b"b"]
    assert [version.time for version in kept.versions()] == [3, 2]


def test_a_picture_stays_until_another_is_shown(kept: History):
    kept.keep(b"a", b"first picture")
    kept.keep(b"a")
    (version,) = kept.versions()
    assert version.thumbnail
    assert version.thumbnail.read_bytes() == b"first picture"
    kept.keep(b"a", b"second picture")
    assert version.thumbnail.read_bytes() == b"second picture"


def test_only_so_many_versions_are_kept(kept: History, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(versions, "MAX_COUNT", 3)
    for time in range(1, 6):
        kept.keep(b"%d" % time, b"picture", time=time)
    assert texts(kept) == [b"5", b"4", b"3"]
    assert len(list(kept.folder.iterdir())) == 6


def test_only_so_many_bytes_are_kept_but_always_the_newest(kept: History, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(versions, "MAX_BYTES", 10)
    kept.keep(b"small", time=1)
    kept.keep(b"more", time=2)
    assert texts(kept) == [b"more", b"small"]
    kept.keep(b"larger than that", time=3)
    assert texts(kept) == [b"larger than that"]


def test_two_workflows_do_not_share_versions(tmp_path: Path):
    history_of(tmp_path, Path("/a.json")).keep(b"a")
    assert history_of(tmp_path, Path("/b.json")).versions() == ()


# The panel --------------------------------------------------------------------------------------------


@pytest.fixture
def session(registry: Registry, tmp_path: Path):
    made = Session(registry, tmp_path / "state")
    yield made
    made.end()


@pytest.fixture
def document(session: Session, graph: Graph, tmp_path: Path) -> Document:
    workflow.save(graph, tmp_path / "work.json")
    return session.open(tmp_path / "work.json")


@pytest.fixture
def panel(qtbot, document: Document, session: Session) -> HistoryPanel:
    made = HistoryPanel(document, session)
    qtbot.addWidget(made)
    made.resize(320, 400)
    made.show()
    qtbot.waitExposed(made)
    return made


def click_row(view, row: int) -> None:
    place = view.visualRect(view.model().index(row, 0)).center()
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)


def test_a_click_on_a_step_goes_to_it(panel: HistoryPanel, document: Document, graph: Graph):
    for value in (5.0, 6.0, 7.0):
        document.set_param("left", "value", value)
    steps = [panel.steps.model().index(row, 0).data() for row in range(4)]
    assert steps == ["As it was opened", *["Set value of Box"] * 3]
    click_row(panel.steps, 1)
    assert document.graph.nodes["left"].params["value"] == 5.0
    click_row(panel.steps, 3)
    assert document.graph.nodes["left"].params["value"] == 7.0
    click_row(panel.steps, 0)
    assert document.graph == graph


def test_a_version_is_restored_from_the_list(panel: HistoryPanel, document: Document, session: Session, graph: Graph):
    panel.setCurrentIndex(1)
    assert document.path
    document.set_param("left", "value", 5.0)
    session.save(document, document.path)
    assert panel.versions.list.count() == 2
    assert not panel.versions.button.isEnabled()
    click_row(panel.versions.list, 1)
    QTest.mouseClick(panel.versions.button, Qt.MouseButton.LeftButton)
    assert document.graph == graph
    assert document.undo_stack.undoText() == "Restore a version"


def test_a_version_is_restored_by_keyboard(panel: HistoryPanel, document: Document, session: Session):
    panel.setCurrentIndex(1)
    assert document.path
    session.save(document, document.path)
    document.set_param("left", "value", 5.0)
    panel.versions.list.setFocus()
    QTest.keyClick(panel.versions.list, Qt.Key.Key_Down)
    QTest.keyClick(panel.versions.list, Qt.Key.Key_Return)
    assert document.graph.nodes["left"].params["value"] == 2.0


def test_a_damaged_version_says_so(panel: HistoryPanel, document: Document, session: Session, qtbot):
    panel.setCurrentIndex(1)
    assert document.path
    session.save(document, document.path)
    session.versions(document)[0].file.write_text("{")
    before = document.graph
    click_row(panel.versions.list, 0)
    with qtbot.waitSignal(panel.failed) as told:
        QTest.mouseClick(panel.versions.button, Qt.MouseButton.LeftButton)
    assert "not JSON" in told.args[0]
    assert document.graph is before


def test_a_document_without_a_file_says_where_versions_come_from(qtbot, session: Session):
    panel = HistoryPanel(session.new(Graph({"a": Node("toy.box")})), session)
    qtbot.addWidget(panel)
    panel.setCurrentIndex(1)
    panel.show()
    assert panel.versions._none.isVisible()


def test_times_are_written_as_people_say_them():
    now = datetime(2026, 11, 21, 12, 0)
    times = (datetime(2026, 11, 21, 9, 5), datetime(2026, 11, 20, 23, 59), datetime(2026, 3, 2, 7, 0))
    assert [_when(time.timestamp(), now) for time in times] == [
        "Today 09:05:00", "Yesterday 23:59:00", "2 Mar 2026 07:00:00",
    ]  # fmt: skip
