"""The panel of every picture that was made."""

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QDrag, QGuiApplication, QImage, QImageReader
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QMessageBox, QProgressDialog, QPushButton

from nodegraph.graph import Graph, set_param
from nodegraph.running.engine import Settings as EngineSettings
from nodegraph.running.messages import Saved
from tests.ui.counting import calls
from tests.ui.large_pictures import plain_png
from tests.ui.made_pictures import picture
from ui.documents.session import Session
from ui.panels import gallery_acts
from ui.panels.gallery import GalleryPanel
from ui.panels.gallery_rows import COMPLAINT, PIECE, Wanted
from ui.runs import kept_pictures, results
from ui.runs.picture_index import Gallery, Made, words_of
from ui.widgets import aside, pixmaps, thumbnails
from ui.window.main_window import MainWindow


@pytest.fixture
def panel(gallery: Gallery, qtbot) -> GalleryPanel:
    made = GalleryPanel(gallery)
    qtbot.addWidget(made)
    made.resize(640, 360)
    made.show()
    qtbot.waitExposed(made)
    return made


def shown(panel: GalleryPanel) -> list[str]:
    return [panel.shown.index(row).data() for row in range(panel.shown.rowCount())]


def place(panel: GalleryPanel, row: int) -> QPoint:
    return panel.tiles.visualRect(panel.shown.index(row)).center()


def click(panel: GalleryPanel, row: int, keys=Qt.KeyboardModifier.NoModifier) -> None:
    QTest.mouseClick(panel.tiles.viewport(), Qt.MouseButton.LeftButton, keys, place(panel, row))


def button(panel: GalleryPanel, text: str) -> QPushButton:
    return next(found for found in panel.findChildren(QPushButton) if found.text() == text)


def test_the_newest_picture_comes_first(panel: GalleryPanel, tmp_path: Path):
    panel.gallery.add(picture(tmp_path, "four.png"))
    assert shown(panel) == ["four.png", "three.png", "two.png", "one.png"]


def test_search_finds_every_word_in_prompts_parameters_and_names(panel: GalleryPanel, tmp_path: Path):
    QTest.keyClicks(panel.field, "FOX red")
    assert shown(panel) == ["one.png"]
    panel.gallery.add(picture(tmp_path, "four.png", "text: a red fox"))
    panel.gallery.add(picture(tmp_path, "five.png", "text: a cat"))
    assert shown(panel) == ["four.png", "one.png"]
    panel.field.setText("steps three")
    assert shown(panel) == ["three.png"]
    panel.field.setText("nothing like it")
    assert panel.hint.text() == "No picture matches."


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("seed 14", True),
        ("seed: 14", True),
        ("seed 1", False),
        ("seed 20", False),
        ("steps 20 seed 14 fox", True),
        ("scale 7.50", True),
        ("guidance_scale 7", False),
        ("14 mushroom", False),
        ("00014", True),
        ("fox 3", True),  # no parameter has this name
        ("fox 8", False),
    ],
)
def test_a_name_with_a_number_is_the_value_of_that_parameter(search: str, found: bool):
    text = "noise (latent.noise) seed: 14\nscheduler (x) steps: 20, guidance_scale: 7.5\nprompt (t) text: 3 foxes"
    assert Made("/pictures/denoodle_00014.png", 0.0, text).matches(words_of(search)) == found


def test_s_stars_and_the_star_button_shows_those_alone(panel: GalleryPanel):
    click(panel, 1)
    QTest.keyClick(panel.tiles, Qt.Key.Key_S)
    QTest.mouseClick(panel.starred, Qt.MouseButton.LeftButton)
    assert shown(panel) == ["two.png"]


def test_a_starred_picture_shows_its_star_and_the_button_says_what_it_will_do(panel: GalleryPanel, qtbot):
    qtbot.waitUntil(lambda: panel.shown.index(1).data(Qt.ItemDataRole.DecorationRole) is not None)
    click(panel, 1)
    plain = panel.tiles.grab().toImage()
    QTest.mouseClick(button(panel, "Star"), Qt.MouseButton.LeftButton)
    cell = panel.tiles.visualRect(panel.shown.index(1))
    picture_of = cell.adjusted(0, 0, 0, -30)  # its name is below
    assert panel.tiles.grab().toImage().copy(picture_of) != plain.copy(picture_of)
    QTest.mouseClick(button(panel, "Unstar"), Qt.MouseButton.LeftButton)
    assert panel.tiles.grab().toImage().copy(cell) == plain.copy(cell)


def test_delete_takes_a_picture_off_the_list(panel: GalleryPanel):
    click(panel, 0)
    QTest.keyClick(panel.tiles, Qt.Key.Key_Delete)
    assert shown(panel) == ["two.png", "one.png"]


def test_a_picture_that_comes_back_is_selected(panel: GalleryPanel):
    click(panel, 1)
    QTest.keyClick(panel.tiles, Qt.Key.Key_Delete)
    assert [Path(path).name for path in panel.tiles.chosen()] == ["one.png"]
    QTest.keyClick(panel.tiles, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert shown(panel) == ["three.png", "two.png", "one.png"]
    assert [Path(path).name for path in panel.tiles.chosen()] == ["two.png"]


def test_enter_asks_for_the_graph_of_a_picture(panel: GalleryPanel):
    asked: list[Path] = []
    panel.restored.connect(asked.append)
    click(panel, 2)
    QTest.keyClick(panel.tiles, Qt.Key.Key_Return)
    assert [path.name for path in asked] == ["one.png"]


def test_a_drag_hands_out_the_file(panel: GalleryPanel, monkeypatch):
    dragged: list[list[str]] = []
    monkeypatch.setattr(QDrag, "exec", lambda drag, *_: dragged.append([u.fileName() for u in drag.mimeData().urls()]))
    view = panel.tiles.viewport()
    click(panel, 0)
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=place(panel, 0))
    for step in (5, 15, 40):
        QTest.mouseMove(view, place(panel, 0) + QPoint(step, step))
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton)
    assert dragged == [["three.png"]]


def test_ctrl_c_puts_the_files_on_the_clipboard_and_of_one_the_picture_too(panel: GalleryPanel):
    click(panel, 0)
    QTest.keyClick(panel.tiles, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    copied = QGuiApplication.clipboard().mimeData()
    assert [url.fileName() for url in copied.urls()] == ["three.png"]
    assert not QGuiApplication.clipboard().image().isNull()
    click(panel, 2, Qt.KeyboardModifier.ControlModifier)
    panel.acts["clip"].trigger()
    copied = QGuiApplication.clipboard().mimeData()
    assert {url.fileName() for url in copied.urls()} == {"three.png", "one.png"}
    assert not copied.hasImage()


def test_thumbnails_come_when_they_are_made_and_a_missing_file_says_so(panel: GalleryPanel, qtbot):
    index = panel.shown.index(0)
    qtbot.waitUntil(lambda: index.data(Qt.ItemDataRole.DecorationRole) is not None)
    Path(next(iter(panel.gallery.pictures))).unlink()
    other = GalleryPanel(panel.gallery)
    qtbot.addWidget(other)
    other.show()
    qtbot.waitUntil(lambda: other.shown.index(2).data(COMPLAINT) == "The file is gone")


@pytest.fixture
def window(qtbot, registry, graph: Graph, tmp_path: Path) -> MainWindow:
    """As at the next start: three pictures of earlier, and a document that made none of them. No engine is started."""
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


def what_differs(window: MainWindow) -> list[tuple[str, str, str]]:
    return window.preview.comparison.found


def test_a_click_shows_a_picture_of_earlier_in_full_size_with_its_name(window: MainWindow, qtbot):
    panel, preview = window.docks.panel("Gallery"), window.preview
    assert not panel.tiles.verticalScrollBar().isVisible()
    window.docks.hide("Preview")
    click(panel, 1)
    qtbot.waitUntil(lambda: preview.view.a is not None and preview.view.a.width() == 900)
    assert preview.isVisible()
    assert preview.caption.text().startswith("made_6.png  ·  900 × 600  ·  made at ")
    QTest.keyClick(panel.tiles, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: preview.caption.text().startswith("made_5.png"))


def test_two_pictures_of_earlier_are_compared_with_what_differs(window: MainWindow, qtbot):
    panel, preview = window.docks.panel("Gallery"), window.preview
    click(panel, 2)
    assert not button(panel, "Compare the two").isEnabled()
    click(panel, 0, Qt.KeyboardModifier.ControlModifier)
    QTest.mouseClick(button(panel, "Compare the two"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: preview.comparing)
    assert what_differs(window) == [("Box: value", "7", "5")]
    qtbot.waitUntil(lambda: preview.view.a.width() == preview.view.b.width() == 900)
    QTest.keyClick(preview.mode, Qt.Key.Key_Home)
    assert preview.caption.text().startswith("made_5.png")


def test_the_menu_of_a_picture_pins_it(window: MainWindow, qtbot):
    panel = window.docks.panel("Gallery")
    for row, side in ((0, "a"), (1, "b")):
        click(panel, row)
        next(act for act in panel.tiles.actions() if act.text() == f"This is {side.upper()}").trigger()
        qtbot.waitUntil(window.preview.buttons[side].isChecked)
    assert what_differs(window) == [("Box: value", "7", "6")]
    assert [window.preview.buttons[side].isChecked() for side in ("a", "b")] == [True, True]


def test_the_graph_of_a_picture_opens_under_its_name(window: MainWindow):
    click(window.docks.panel("Gallery"), 0)
    QTest.mouseClick(button(window.docks.panel("Gallery"), "Restore this graph"), Qt.MouseButton.LeftButton)
    assert window.document.name == "made_7"
    assert window.document.graph.nodes["left"].params["value"] == 7.0


def test_a_picture_that_is_gone_is_said_to_be(window: MainWindow, qtbot):
    path = next(iter(window.gallery.pictures))
    Path(path).unlink()
    click(window.docks.panel("Gallery"), 2)
    qtbot.waitUntil(lambda: f"{Path(path).name} is gone" in window.status_bar.text.text())


def many(panel: GalleryPanel, count: int) -> None:
    """Pictures of earlier, whose files nobody looks at."""
    for number in range(count):
        made = Made(f"/pictures/{number}.png", float(number), f"seed: {number}")
        panel.gallery.pictures[made.path] = made
    panel.shown.look_for(Wanted())


@pytest.fixture
def asked(monkeypatch) -> list[str]:
    """What a person was asked, who says yes."""
    texts: list[str] = []

    def question(parent, title, text, *_):
        texts.append(text)
        return QMessageBox.StandardButton.Yes

    monkeypatch.setattr(QMessageBox, "question", question)
    return texts


def press(panel: GalleryPanel, key: Qt.Key, keys=Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(panel.tiles, key, keys)


def test_starring_and_removing_many_pictures_takes_time_in_proportion(panel: GalleryPanel, asked):
    work: list[int] = []
    for count in (30, 300):
        many(panel, count)
        panel.tiles.setFocus()
        press(panel, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
        work.append(calls(partial(press, panel, Qt.Key.Key_S)))
        assert all(made.starred for made in panel.gallery.pictures.values())
        work.append(calls(partial(press, panel, Qt.Key.Key_Delete)))
        assert not panel.gallery.pictures
    assert work[2] < 12 * work[0]
    assert work[3] < 12 * work[1]


def test_pictures_that_are_starred_or_removed_together_are_one_write(panel: GalleryPanel, monkeypatch, asked):
    press(panel, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    written: list[int] = []
    monkeypatch.setattr(Gallery, "_write", lambda _, *records: written.append(len(records)))
    press(panel, Qt.Key.Key_S)
    press(panel, Qt.Key.Key_Delete)
    assert written == [3, 3]


def test_pictures_here_and_there_in_the_list_are_removed_and_the_rest_stays(panel: GalleryPanel):
    many(panel, 40)
    for row in (1, 2, 5, 11):
        click(panel, row, Qt.KeyboardModifier.ControlModifier)
    gone = [panel.shown.path(row) for row in (1, 2, 5, 11)]
    before = [panel.shown.path(row) for row in range(panel.shown.rowCount())]
    press(panel, Qt.Key.Key_Delete)
    after = [panel.shown.path(row) for row in range(panel.shown.rowCount())]
    assert after == [path for path in before if path not in gone]
    assert [panel.shown.row(path) for path in after] == list(range(len(after)))


def test_a_search_among_many_pictures_answers_in_between_and_finds_all(panel: GalleryPanel, qtbot):
    many(panel, 3 * PIECE)
    asked = calls(lambda: panel.field.setText("seed"))
    many(panel, 6 * PIECE)
    assert calls(lambda: panel.field.setText("seed 1")) < 3 * asked
    panel.field.setText("seed")
    assert panel.shown.rowCount() < 6 * PIECE
    qtbot.waitUntil(lambda: not panel.shown.searching)
    assert [panel.shown.path(row) for row in range(6 * PIECE)] == [f"/pictures/{n}.png" for n in range(6 * PIECE)][::-1]


def test_pictures_that_come_while_nobody_looks_are_listed_when_the_gallery_is_shown(gallery: Gallery, qtbot, tmp_path):
    hidden = GalleryPanel(gallery)
    qtbot.addWidget(hidden)
    for name in ("four", "five"):
        gallery.add(picture(tmp_path, f"{name}.png"))
    assert shown(hidden) == ["three.png", "two.png", "one.png"]
    hidden.show()
    qtbot.waitExposed(hidden)
    assert shown(hidden) == ["five.png", "four.png", "three.png", "two.png", "one.png"]


def test_a_click_reads_no_picture_on_the_windows_own_thread(window: MainWindow, qtbot, monkeypatch):
    panel, threads = window.docks.panel("Gallery"), set[threading.Thread]()
    read = pixmaps.read_image

    def noted(path: str, max_side: int) -> QImage:
        threads.add(threading.current_thread())
        return read(path, max_side)

    for module in (results, thumbnails, kept_pictures):
        monkeypatch.setattr(module, "read_image", noted)
    click(panel, 0)
    qtbot.waitUntil(lambda: window.preview.view.a is not None and window.preview.view.a.width() == 900)
    assert threads
    assert threading.main_thread() not in threads


@pytest.fixture
def less_than_a_picture() -> Iterator[None]:
    """Qt reads no picture that takes more than 256 MB: here 16, so that the pictures need not be as large."""
    before = QImageReader.allocationLimit()
    QImageReader.setAllocationLimit(16)
    yield
    QImageReader.setAllocationLimit(before)


@pytest.mark.usefixtures("less_than_a_picture")
@pytest.mark.parametrize("size", [(4200, 4200), pytest.param((9000, 2000), marks=pytest.mark.slow)])
def test_a_picture_of_any_size_has_a_thumbnail(gallery: Gallery, qtbot, tmp_path: Path, size: tuple[int, int]):
    path = tmp_path / "large.png"
    path.write_bytes(plain_png(*size))
    gallery.add(path)
    panel = GalleryPanel(gallery)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitUntil(lambda: panel.shown.index(0).data(Qt.ItemDataRole.DecorationRole) is not None, timeout=30_000)
    assert panel.shown.index(0).data(Qt.ItemDataRole.DecorationRole).width() == 192


CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def test_after_delete_the_next_picture_is_selected_and_shown(panel: GalleryPanel, qtbot):
    looked: list[str] = []
    panel.looked_at.connect(lambda result: looked.append(result.file.name))
    click(panel, 0)
    press(panel, Qt.Key.Key_Delete)
    assert [index.data() for index in panel.tiles.selectedIndexes()] == ["two.png"]
    qtbot.waitUntil(lambda: looked[-1:] == ["two.png"])
    click(panel, 1)
    press(panel, Qt.Key.Key_Delete)  # the last of the list
    assert [index.data() for index in panel.tiles.selectedIndexes()] == ["two.png"]


def test_a_starred_picture_goes_only_when_a_person_says_so(panel: GalleryPanel, monkeypatch):
    asked, answers = [], [QMessageBox.StandardButton.No]
    monkeypatch.setattr(QMessageBox, "question", lambda *given: asked.append(given[2]) or answers[-1])
    click(panel, 0)
    press(panel, Qt.Key.Key_S)
    press(panel, Qt.Key.Key_A, CTRL)
    press(panel, Qt.Key.Key_Delete)
    press(panel, Qt.Key.Key_Delete, SHIFT)
    assert len(shown(panel)) == 3
    assert asked == [
        "1 of these 3 pictures is starred. Take them off the list?",
        "1 of these 3 pictures is starred. Move their files to the trash?",
    ]
    answers.append(QMessageBox.StandardButton.Yes)
    press(panel, Qt.Key.Key_Delete)
    assert shown(panel) == []


def test_undo_in_the_gallery_is_the_gallerys_own(window: MainWindow, qtbot):
    """And leaves the graph as it is; elsewhere it is the graph's."""
    panel, document = window.docks.panel("Gallery"), window.workspace.document
    document.set_param("left", "value", 77.0)
    panel.tiles.setFocus()
    whole = shown(panel)
    click(panel, 1)
    press(panel, Qt.Key.Key_S)
    click(panel, 0)
    press(panel, Qt.Key.Key_Delete)
    assert len(shown(panel)) == 2
    press(panel, Qt.Key.Key_Z, CTRL)
    assert shown(panel) == whole  # it is where it was
    press(panel, Qt.Key.Key_Z, CTRL)
    assert not any(made.starred for made in panel.gallery.pictures.values())
    press(panel, Qt.Key.Key_Z, CTRL)  # there is no more
    assert document.graph.nodes["left"].params["value"] == 77.0
    press(panel, Qt.Key.Key_Z, CTRL | SHIFT)
    assert any(made.starred for made in panel.gallery.pictures.values())
    document.undo_stack.undo()  # nothing is left to be asked about when the window closes


def test_what_was_removed_and_is_back_is_so_after_a_restart(panel: GalleryPanel):
    before = list(panel.gallery.pictures.values())
    click(panel, 1)
    press(panel, Qt.Key.Key_Delete)
    press(panel, Qt.Key.Key_Z, CTRL)
    assert list(Gallery(panel.gallery._file).pictures.values()) == before


def test_a_deleted_file_is_in_the_trash_and_comes_back(panel: GalleryPanel, tmp_path: Path, monkeypatch, qtbot):
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    path = Path(panel.shown.path(1))
    data = path.read_bytes()
    click(panel, 1)
    press(panel, Qt.Key.Key_Delete, SHIFT)
    qtbot.waitUntil(lambda: shown(panel) == ["three.png", "one.png"])
    assert not path.exists()
    press(panel, Qt.Key.Key_Z, CTRL)
    qtbot.waitUntil(lambda: shown(panel) == ["three.png", "two.png", "one.png"])
    assert path.read_bytes() == data
    press(panel, Qt.Key.Key_Z, CTRL | SHIFT)
    qtbot.waitUntil(lambda: shown(panel) == ["three.png", "one.png"])
    assert not path.exists()


def test_moving_to_the_trash_is_not_the_windows_work_and_can_be_stopped(panel: GalleryPanel, monkeypatch, qtbot):
    """What is gone by then is gone, the others are still there; the picture after is selected."""
    go_on, threads = threading.Event(), set[threading.Thread]()

    def slowly(path: str) -> str:
        threads.add(threading.current_thread())
        go_on.wait(20)
        return str(Path(path).rename(f"{path}.gone"))

    monkeypatch.setattr(gallery_acts, "to_trash", slowly)
    monkeypatch.setattr(aside, "SOON", 0)
    press(panel, Qt.Key.Key_A, CTRL)
    press(panel, Qt.Key.Key_Delete, SHIFT)
    qtbot.waitUntil(lambda: bool(panel.findChildren(QProgressDialog)))
    QTest.keyClick(panel.findChild(QProgressDialog), Qt.Key.Key_Escape)
    go_on.set()
    qtbot.waitUntil(lambda: len(shown(panel)) == 2)
    assert threading.main_thread() not in threads
    assert [index.data() for index in panel.tiles.selectedIndexes()] == shown(panel)[:1]


def test_a_file_that_cannot_go_to_the_trash_stays_and_is_said_to(panel: GalleryPanel, monkeypatch, qtbot):
    told: list[str] = []
    panel.failed.connect(told.append)
    monkeypatch.setattr(gallery_acts, "to_trash", lambda path: "")
    click(panel, 1)
    press(panel, Qt.Key.Key_Delete, SHIFT)
    qtbot.waitUntil(lambda: bool(told))
    assert len(shown(panel)) == 3
    assert told[0].endswith("two.png cannot be moved to the trash; it is still there")


def test_copies_of_pictures_take_no_name_that_is_taken(panel: GalleryPanel, tmp_path: Path, monkeypatch, qtbot):
    folder = tmp_path / "chosen"
    folder.mkdir()
    (folder / "one.png").write_text("mine")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    press(panel, Qt.Key.Key_A, CTRL)
    panel.acts["copy"].trigger()
    qtbot.waitUntil(lambda: len(list(folder.iterdir())) == 4)
    assert sorted(path.name for path in folder.iterdir()) == ["one (2).png", "one.png", "three.png", "two.png"]
    assert (folder / "one.png").read_text() == "mine"


def test_a_picture_that_cannot_be_copied_is_named(panel: GalleryPanel, tmp_path: Path, monkeypatch, qtbot):
    told: list[str] = []
    panel.failed.connect(told.append)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    click(panel, 1)
    Path(panel.shown.path(1)).unlink()
    panel.acts["copy"].trigger()
    why = f"two.png cannot be copied to {tmp_path}: No such file or directory"
    qtbot.waitUntil(lambda: any(sentence.endswith(why) for sentence in told))


def test_the_prompts_and_seeds_of_a_picture_are_used_in_the_document(window: MainWindow, tmp_path: Path, qtbot):
    """Of the nodes that both have, each as one step that can be undone; the rest of the document stays."""
    document, panel = window.workspace.document, window.docks.panel("Gallery")
    other = document.graph
    for name, value in {"text": "a fox", "seed": 8, "count": 7}.items():
        other = set_param(other, "settings", name, value)
    made = picture(tmp_path, "fox.png", graph=other)
    window.gallery.take(Saved("show", str(made)))
    qtbot.waitUntil(lambda: shown(panel)[0] == "fox.png")
    click(panel, 0)
    panel.acts["texts"].trigger()
    qtbot.waitUntil(lambda: document.graph.nodes["settings"].params.get("text") == "a fox")
    panel.acts["seeds"].trigger()
    qtbot.waitUntil(lambda: document.graph.nodes["settings"].params.get("seed") == 8)
    assert document.graph.nodes["settings"].params.get("count", 3) != 7
    assert document.undo_stack.undoText() == "Use the seeds of fox.png"
    for _ in range(2):
        document.undo_stack.undo()


def test_pictures_that_somebody_asks_for_are_chosen(panel: GalleryPanel, tmp_path: Path):
    paths = [panel.shown.path(row) for row in (0, 2)]
    assert panel.tiles.choose([*paths, "/nowhere/else.png"]) == 2
    assert sorted(panel.tiles.chosen()) == sorted(paths)
