"""Ratings, boards, sizes, what a picture holds, and a look through the folder, as a person uses them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit

from nodegraph.graph import Graph, set_param
from nodegraph.registry import Registry
from nodegraph.running.engine import Settings as EngineSettings
from nodegraph.running.messages import Saved
from tests.ui.counting import calls
from tests.ui.made_pictures import picture
from ui.base.settings import Settings
from ui.documents.session import Session
from ui.panels.gallery import GalleryPanel
from ui.panels.gallery_rows import RATING, Wanted
from ui.panels.gallery_tiles import SIDE, STEP
from ui.runs.picture_index import Gallery, Made
from ui.runs.rescan import rescan
from ui.widgets.keeping_dialog import NameDialog
from ui.window.main_window import MainWindow

CTRL = Qt.KeyboardModifier.ControlModifier


def made_panel(gallery: Gallery, qtbot, tmp_path: Path, registry: Registry | None = None) -> GalleryPanel:
    """As at a start of the program: with what its files say."""
    settings = Settings(tmp_path / "settings.json")
    panel = GalleryPanel(gallery, registry=registry, settings=settings, folder=lambda: str(tmp_path))
    qtbot.addWidget(panel)
    panel.resize(760, 400)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


@pytest.fixture
def panel(gallery: Gallery, qtbot, tmp_path: Path, registry) -> GalleryPanel:
    return made_panel(gallery, qtbot, tmp_path, registry)


def again(panel: GalleryPanel, qtbot, tmp_path: Path) -> GalleryPanel:
    """After a restart."""
    return made_panel(Gallery(panel.gallery._file), qtbot, tmp_path)


def shown(panel: GalleryPanel) -> list[str]:
    return [panel.shown.index(row).data() for row in range(panel.shown.rowCount())]


def click(panel: GalleryPanel, row: int, keys=Qt.KeyboardModifier.NoModifier) -> None:
    place = panel.tiles.visualRect(panel.shown.index(row)).center()
    QTest.mouseClick(panel.tiles.viewport(), Qt.MouseButton.LeftButton, keys, place)


def press(panel: GalleryPanel, key: Qt.Key, keys=Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(panel.tiles, key, keys)


def rate(panel: GalleryPanel, row: int, key: Qt.Key) -> None:
    click(panel, row)
    press(panel, key)


def ratings(panel: GalleryPanel) -> list[int]:
    return [panel.shown.index(row).data(RATING) for row in range(panel.shown.rowCount())]


def choose(panel: GalleryPanel, box, times: int) -> None:
    box.setFocus()
    for _ in range(times):
        QTest.keyClick(box, Qt.Key.Key_Down)


def test_the_keys_1_to_5_rate_and_0_takes_that_off_and_each_can_be_undone(panel: GalleryPanel, qtbot, tmp_path: Path):
    rate(panel, 0, Qt.Key.Key_4)
    click(panel, 1)
    click(panel, 2, CTRL)
    press(panel, Qt.Key.Key_2)
    assert ratings(panel) == [4, 2, 2]
    rate(panel, 0, Qt.Key.Key_0)
    assert ratings(panel) == [0, 2, 2]
    press(panel, Qt.Key.Key_Z, CTRL)
    assert ratings(panel) == [4, 2, 2]
    assert ratings(again(panel, qtbot, tmp_path)) == [4, 2, 2]


def test_the_best_come_first_and_the_least_rating_is_chosen(panel: GalleryPanel, qtbot, tmp_path: Path):
    rate(panel, 2, Qt.Key.Key_5)
    rate(panel, 1, Qt.Key.Key_3)
    choose(panel, panel.ordering, 2)
    assert panel.ordering.currentText() == "Best first"
    assert shown(panel) == ["one.png", "two.png", "three.png"]
    assert shown(again(panel, qtbot, tmp_path))[0] == "one.png"
    choose(panel, panel.rated, 4)
    assert panel.rated.currentText() == "4 or better"
    assert shown(panel) == ["one.png"]


def test_a_picture_that_is_rated_stays_where_it_is_and_what_comes_is_listed_last(panel: GalleryPanel, tmp_path: Path):
    """While the best come first: nothing runs away from under the pointer."""
    rate(panel, 2, Qt.Key.Key_5)
    choose(panel, panel.ordering, 2)
    rate(panel, 2, Qt.Key.Key_5)
    panel.gallery.add(picture(tmp_path, "four.png"))
    assert shown(panel) == ["one.png", "three.png", "two.png", "four.png"]
    assert [index.data() for index in panel.tiles.selectedIndexes()] == ["two.png"]


def wheel(panel: GalleryPanel, delta: int, keys: Qt.KeyboardModifier) -> None:
    middle = QPointF(panel.tiles.viewport().rect().center())
    event = QWheelEvent(
        middle,
        panel.tiles.viewport().mapToGlobal(middle),
        QPoint(),
        QPoint(0, delta),
        Qt.MouseButton.NoButton,
        keys,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(panel.tiles.viewport(), event)


def test_the_wheel_with_ctrl_the_keys_and_the_slider_change_the_size_which_stays(panel, qtbot, tmp_path: Path):
    wheel(panel, 120, CTRL)
    assert panel.tiles.side == panel.sizing.value() == SIDE + STEP
    panel.tiles.setFocus()
    press(panel, Qt.Key.Key_Plus, CTRL)
    press(panel, Qt.Key.Key_Minus, CTRL)
    press(panel, Qt.Key.Key_Minus, CTRL)
    assert panel.tiles.side == SIDE
    QTest.keyClick(panel.sizing, Qt.Key.Key_Right)
    assert panel.tiles.side == SIDE + STEP
    assert panel.tiles.visualRect(panel.shown.index(0)).width() >= SIDE + STEP
    assert again(panel, qtbot, tmp_path).tiles.side == SIDE + STEP


def name_board(qtbot, panel: GalleryPanel, name: str) -> None:
    qtbot.waitUntil(lambda: bool(panel.findChildren(NameDialog)))
    dialog = panel.findChildren(NameDialog)[-1]
    dialog.findChild(QLineEdit).clear()
    QTest.keyClicks(dialog.findChild(QLineEdit), name)
    QTest.keyClick(dialog.findChild(QLineEdit), Qt.Key.Key_Return)


def on_boards(panel: GalleryPanel) -> dict[str, tuple[str, ...]]:
    return {Path(path).stem: made.boards for path, made in panel.gallery.pictures.items()}


def drop_on(board, *paths: str) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(path) for path in paths])
    none, copy = Qt.KeyboardModifier.NoModifier, Qt.DropAction.CopyAction
    enter = QDragEnterEvent(QPoint(5, 5), copy, data, Qt.MouseButton.LeftButton, none)
    QApplication.sendEvent(board, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(board, QDropEvent(QPointF(5, 5), copy, data, Qt.MouseButton.LeftButton, none))


def board(panel: GalleryPanel, name: str):
    return next(one for one in panel.boards.boards if one.name == name)


def new_board(panel: GalleryPanel, qtbot, name: str) -> None:
    """By the menu of the pictures that are selected."""
    panel.putting.aboutToShow.emit()
    panel.putting.actions()[-1].trigger()
    name_board(qtbot, panel, name)


def test_pictures_are_put_on_boards_by_menu_and_by_dropping_and_one_is_looked_at(panel, qtbot, tmp_path: Path):
    click(panel, 0)
    new_board(panel, qtbot, "cats")
    assert on_boards(panel) == {"one": (), "two": (), "three": ("cats",)}
    drop_on(board(panel, "cats"), panel.shown.path(2), "/elsewhere.png")
    assert board(panel, "cats").text() == "cats  2"
    QTest.mouseClick(board(panel, "cats"), Qt.MouseButton.LeftButton)
    assert shown(panel) == ["three.png", "one.png"]
    later = again(panel, qtbot, tmp_path)
    assert on_boards(later) == {"one": ("cats",), "two": (), "three": ("cats",)}
    assert [one.name for one in later.boards.boards] == ["", "cats"]
    press(panel, Qt.Key.Key_Z, CTRL)
    assert on_boards(panel)["one"] == ()


def test_a_board_is_renamed_and_deleted_and_comes_back_with_its_pictures(panel: GalleryPanel, qtbot):
    click(panel, 1)
    new_board(panel, qtbot, "cats")
    rename, _ = board(panel, "cats").actions()
    rename.trigger()
    name_board(qtbot, panel, "dogs")
    assert on_boards(panel)["two"] == ("dogs",)
    board(panel, "dogs").actions()[1].trigger()
    assert panel.gallery.boards == {}
    assert len(shown(panel)) == 3  # its pictures stay
    assert not panel.boards.isVisible()
    panel.tiles.setFocus()
    press(panel, Qt.Key.Key_Z, CTRL)
    assert on_boards(panel)["two"] == ("dogs",)
    assert panel.boards.isVisible()


def test_a_board_has_a_name_of_its_own(panel: GalleryPanel, qtbot):
    click(panel, 1)
    new_board(panel, qtbot, "cats")
    new_board(panel, qtbot, "cats")
    said = panel.findChildren(NameDialog)[-1].error
    assert said.text() == "There is a board cats already."
    panel.findChildren(NameDialog)[-1].done(0)


def test_an_index_with_boards_and_ratings_is_read_after_it_was_written_anew(panel: GalleryPanel, qtbot, monkeypatch):
    monkeypatch.setattr("ui.runs.picture_index.COMPACT_AT", 0)
    rate(panel, 1, Qt.Key.Key_5)
    new_board(panel, qtbot, "cats")
    new_board(panel, qtbot, "empty")
    panel.gallery.put("empty", *panel.gallery.pictures, on=False)
    for _ in range(2):  # the first writes it anew
        found = Gallery(panel.gallery._file)
        assert list(found.pictures.values()) == list(panel.gallery.pictures.values())
        assert found.boards == panel.gallery.boards
        assert not found.complaints


def test_a_look_through_the_folder_finds_what_came_otherwise_and_drops_what_is_gone(panel, qtbot, tmp_path: Path):
    told: list[str] = []
    panel.failed.connect(told.append)
    (tmp_path / "deep").mkdir()
    found = picture(tmp_path / "deep", "found.png", "seed: 4")
    os.utime(found, (1000, 1000))
    (tmp_path / "photo.jpg").write_bytes(b"whatever it is")
    (tmp_path / "notes.txt").write_text("none")
    Path(panel.shown.path(0)).unlink()
    panel.acts["rescan"].trigger()
    qtbot.waitUntil(lambda: bool(told))
    assert told == ["2 found that were not listed, 1 taken off whose files are gone."]
    assert set(shown(panel)) == {"one.png", "two.png", "found.png", "photo.jpg"}
    assert shown(panel)[-1] == "found.png"  # by the time of its file
    assert set(Gallery(panel.gallery._file).pictures) == set(panel.gallery.pictures)


def test_pictures_of_a_drive_that_is_not_there_are_not_gone(tmp_path: Path):
    assert rescan(tmp_path, {"/no/such/drive/one.png"}, lambda done: True) == ([], [])
    assert rescan(tmp_path, {str(tmp_path / "one.png")}, lambda done: True).gone == [str(tmp_path / "one.png")]


def many(panel: GalleryPanel, count: int) -> None:
    for number in range(count):
        made = Made(f"/pictures/{number}.png", float(number), f"seed: {number}", rating=number % 6)
        panel.gallery.pictures[made.path] = made
    panel.shown.look_for(Wanted())


def test_rating_and_putting_one_of_five_thousand_pictures_touches_no_other(panel: GalleryPanel, qtbot):
    """Rating is one write and one row; a board's count is one pass over what is in memory."""
    work: list[int] = []
    for count in (500, 5000):
        many(panel, count)
        qtbot.waitUntil(lambda: not panel.shown.searching)
        click(panel, 0)
        work.append(calls(lambda: press(panel, Qt.Key.Key_3)))
    assert work[1] < 1.5 * work[0]


@pytest.fixture
def window(qtbot, registry, graph: Graph, tmp_path: Path) -> MainWindow:
    state = tmp_path / "state"
    gallery = Gallery(state / "gallery.jsonl")
    for value in (5.0, 6.0, 7.0):
        made = set_param(graph, "left", "value", value)
        gallery.take(Saved("show", str(picture(tmp_path, f"made_{value:g}.png", graph=made, side=600))))
    engine = EngineSettings("tests.toy_nodes", cache=None, out_dir=str(tmp_path))
    window = MainWindow(registry, engine, session=Session(registry, state))
    qtbot.addWidget(window)
    window.tabs.show_document(window.session.new(graph))
    window.resize(1440, 900)
    window.show()
    window.docks.show("Gallery")
    qtbot.waitExposed(window.docks.panel("Gallery"))
    return window


def test_what_a_picture_holds_is_told_and_copied(window: MainWindow, qtbot):
    panel: GalleryPanel = window.docks.panel("Gallery")
    click(panel, 1)
    press(panel, Qt.Key.Key_I)
    qtbot.waitUntil(lambda: bool(panel.details.sections))
    facts = {(section.title, *fact) for section in panel.details.sections for fact in section.facts}
    assert ("made_6.png", "Size", "900 × 600 pixels") in facts
    assert ("Box", "Value", "6") in facts
    QTest.mouseClick(panel.details.copy, Qt.MouseButton.LeftButton)
    assert "Box\nValue: 6" in QGuiApplication.clipboard().text()
    press(panel, Qt.Key.Key_Left)
    qtbot.waitUntil(lambda: "Value: 7" in panel.details.text)


def test_space_shows_a_picture_on_the_whole_screen_where_the_arrow_keys_go_along_the_gallery(window, qtbot):
    panel: GalleryPanel = window.docks.panel("Gallery")
    click(panel, 1)
    press(panel, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: bool(viewers()))
    (viewer,) = viewers()
    QTest.keyClick(viewer, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: window.preview.caption.text().startswith("made_5.png"))
    assert [index.data() for index in panel.tiles.selectedIndexes()] == ["made_5.png"]
    QTest.keyClick(viewer, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not viewers())


def test_space_shows_two_beside_each_other_with_one_zoom_and_place(window: MainWindow, qtbot):
    panel: GalleryPanel = window.docks.panel("Gallery")
    click(panel, 0)
    click(panel, 2, CTRL)
    press(panel, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: bool(viewers()) and window.preview.comparing)
    (viewer,) = viewers()
    viewer.grab()
    QTest.keyClick(viewer, Qt.Key.Key_C)
    viewer.grab()
    assert viewer.mode == "side"
    QTest.keyClick(viewer, Qt.Key.Key_Plus)
    left, right = (viewer.place(one, area) for one, area in zip((viewer.a, viewer.b), viewer._areas(), strict=True))
    assert left.size() == right.size()
    assert left.center() - viewer._areas()[0].center() == right.center() - viewer._areas()[1].center()
    viewer.close()


def viewers() -> list:
    return [one for one in QApplication.topLevelWidgets() if type(one).__name__ == "Viewer" and one.isVisible()]
