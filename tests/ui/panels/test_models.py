"""The panel of the files that nodes take: found as one types, seen, starred, noted, put where they are wanted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QDrag, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMessageBox

from nodegraph.library.scan import update
from nodegraph.running.messages import Saved
from tests.nodegraph.library.shelf import STOCK, jar
from tests.ui.made_pictures import picture
from ui.panels import models
from ui.panels.model_rows import ABOUT, PAGE
from ui.panels.models import ModelsPanel
from ui.runs.picture_index import Gallery
from ui.shelves.own_pictures import files_named
from ui.shelves.shelves import Shelves
from ui.widgets.tiles import initials

JARS = {"damson": "jam:plum,fig:sweet,dark", "gherkin": "pickle:fig:", "mirabelle": "jam:plum:", "rot": "broken:"}


@pytest.fixture
def cellar(tmp_path: Path) -> Path:
    for number, (name, text) in enumerate(JARS.items()):
        os.utime(jar(tmp_path / "cellar" / f"{name}.jar", text), (number + 1, number + 1))
    return tmp_path / "cellar"


@pytest.fixture
def shelves(qtbot, cellar: Path, gallery: Gallery, tmp_path: Path) -> Iterator[Shelves]:
    """Which nobody looks through: the index is made by the test."""
    made = Shelves(tmp_path / "library", STOCK, gallery, "tests.toy_nodes")
    index(cellar)
    made.look()
    yield made
    made.close()


def index(cellar: Path) -> None:
    update(cellar.parent / "library", [str(cellar)], STOCK, lambda done, whole: None)


@pytest.fixture
def panel(shelves: Shelves, qtbot) -> ModelsPanel:
    made = ModelsPanel(shelves)
    qtbot.addWidget(made)
    made.resize(900, 400)
    made.show()
    qtbot.waitExposed(made)
    qtbot.waitUntil(lambda: made.rows.rowCount() == 4)
    return made


def shown(panel: ModelsPanel) -> list[str]:
    return [Path(panel.rows.path(row)).stem for row in range(panel.rows.rowCount())]


def place(panel: ModelsPanel, name: str) -> QPoint:
    return panel.list.visualRect(panel.rows.index(shown(panel).index(name))).center()


def click(panel: ModelsPanel, name: str, keys=Qt.KeyboardModifier.NoModifier) -> None:
    QTest.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, keys, place(panel, name))


def choose(panel: ModelsPanel, box, text: str) -> None:
    """As a person does, by its list."""
    row = next(row for row in range(box.count()) if box.itemText(row).startswith(text))
    box.setCurrentIndex(row)
    box.activated.emit(row)


def test_it_is_searched_as_one_types(panel: ModelsPanel, qtbot):
    QTest.keyClicks(panel.field, "dark SWEE")
    qtbot.waitUntil(lambda: shown(panel) == ["damson"])
    QTest.keyClicks(panel.field, "t no such")
    qtbot.waitUntil(lambda: shown(panel) == [])
    assert panel.hint.text() == "No model matches."
    QTest.mouseClick(panel.way_out, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(shown(panel)) == 4)


def test_it_is_filtered_by_kind_family_and_what_fits_and_counts_are_said(panel: ModelsPanel, qtbot):
    assert [panel.kinds.itemText(row) for row in range(panel.kinds.count())] == ["All kinds", "Jams (2)", "Pickles (1)"]
    choose(panel, panel.kinds, "Jams")
    qtbot.waitUntil(lambda: shown(panel) == ["damson", "mirabelle"])
    choose(panel, panel.families, "Figs")
    qtbot.waitUntil(lambda: shown(panel) == ["damson"])
    choose(panel, panel.kinds, "All")
    qtbot.waitUntil(lambda: shown(panel) == ["damson", "gherkin"])
    choose(panel, panel.families, "All")
    assert not panel.fits.isEnabled()
    panel.show_fitting(("plum",))
    assert panel.fits.toolTip() == "Show what goes with Plums alone"
    QTest.mouseClick(panel.fits, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: shown(panel) == ["damson", "mirabelle"])
    panel.show_fitting(("fig",))
    qtbot.waitUntil(lambda: shown(panel) == ["damson", "gherkin"])
    panel.show_fitting(("fig", "plum"))
    assert panel.fits.toolTip() == "Show what goes with Figs or Plums alone"
    qtbot.waitUntil(lambda: shown(panel) == ["damson", "gherkin", "mirabelle"])


def test_the_newest_the_largest_or_what_was_used_last_comes_first(panel: ModelsPanel, cellar: Path, qtbot):
    choose(panel, panel.orders, "Newest")
    qtbot.waitUntil(lambda: shown(panel) == ["rot", "mirabelle", "gherkin", "damson"])
    choose(panel, panel.orders, "Largest")
    qtbot.waitUntil(lambda: shown(panel)[0] == "damson")
    panel.shelves.use_file(str(cellar / "mirabelle.jar"))
    choose(panel, panel.orders, "Last used")
    qtbot.waitUntil(lambda: shown(panel) == ["mirabelle", "damson", "gherkin", "rot"])


def test_s_stars_what_is_selected_and_starred_ones_are_shown_alone(panel: ModelsPanel, qtbot):
    click(panel, "damson")
    click(panel, "mirabelle", Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(panel.list, Qt.Key.Key_S)
    qtbot.waitUntil(lambda: panel.acts["star"].text() == "Unstar")
    assert panel.list.chosen() == (panel.rows.path(0), panel.rows.path(2))
    QTest.mouseClick(panel.starred, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: shown(panel) == ["damson", "mirabelle"])
    QTest.keyClick(panel.list, Qt.Key.Key_S)
    qtbot.waitUntil(lambda: shown(panel) == [])


def test_what_is_selected_is_told_in_full_with_what_is_wrong_with_it(panel: ModelsPanel, cellar: Path, qtbot):
    assert panel.details.nothing.isVisible()
    click(panel, "damson")
    assert panel.details.facts.text().split("\n")[:3] == ["Jam", "Plums, Figs", "Layout: glass"]
    assert panel.details.words.text() == "sweet, dark"
    QTest.mouseClick(panel.details.copy_words, Qt.MouseButton.LeftButton)
    assert QApplication.clipboard().text() == "sweet, dark"
    QTest.mouseClick(panel.details.copy_path, Qt.MouseButton.LeftButton)
    assert QApplication.clipboard().text() == str(cellar / "damson.jar")
    assert not panel.details.problem.isVisible()
    click(panel, "rot")
    assert panel.details.problem.text() == f"{cellar / 'rot.jar'} is broken"
    assert not panel.details.wording.isVisible()


def test_a_note_is_kept_when_one_goes_on_and_is_found_again(panel: ModelsPanel, qtbot):
    click(panel, "gherkin")
    QTest.keyClicks(panel.details.note, "from aunt Ada")
    click(panel, "damson")
    assert panel.details.note.toPlainText() == ""
    QTest.keyClicks(panel.field, "ada")
    qtbot.waitUntil(lambda: shown(panel) == ["gherkin"])
    click(panel, "gherkin")
    assert panel.details.note.toPlainText() == "from aunt Ada"


def test_enter_puts_it_on_the_canvas_and_words_are_handed_on(panel: ModelsPanel, cellar: Path):
    placed: list[tuple[str, ...]] = []
    words: list[str] = []
    panel.placed.connect(placed.append)
    panel.words_wanted.connect(words.append)
    panel.field.setFocus()
    QTest.keyClick(panel.field, Qt.Key.Key_Down)
    assert panel.list.hasFocus()
    QTest.keyClick(panel.list, Qt.Key.Key_Return)
    assert placed == [(str(cellar / "damson.jar"),)]
    QTest.mouseClick(panel.details.use_words, Qt.MouseButton.LeftButton)
    assert words == ["sweet, dark"]


def test_a_drag_hands_out_the_files_themselves(panel: ModelsPanel, cellar: Path, monkeypatch):
    taken: list[str] = []
    monkeypatch.setattr(QDrag, "exec", lambda drag, _: taken.extend(u.toLocalFile() for u in drag.mimeData().urls()))
    view = panel.list.viewport()
    start = place(panel, "gherkin")
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=start)
    for step in (8, 20, 40):
        QTest.mouseMove(view, start + QPoint(step, step))
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=start + QPoint(40, 40))
    assert taken == [str(cellar / "gherkin.jar")]


def test_what_comes_and_goes_leaves_what_is_selected_and_where_one_looks(
    panel: ModelsPanel, cellar: Path, qtbot, monkeypatch
):
    for number in range(400):
        jar(cellar / "many" / f"m{number:03d}.jar", "jam:plum:")
    index(cellar)
    panel.shelves.look()
    qtbot.waitUntil(lambda: panel.rows.rowCount() == 404)
    panel.list.scrollTo(panel.rows.index(200), panel.list.ScrollHint.PositionAtTop)
    before = panel.rows.path(panel.list.top())
    click(panel, Path(before).stem)
    (cellar / "damson.jar").unlink()
    (cellar / "many" / "m300.jar").rename(cellar / "many" / "a.jar")
    index(cellar)
    panel.shelves.look()
    qtbot.waitUntil(lambda: panel.rows.rowCount() == 403)
    assert panel.list.chosen() == (before,)
    columns = panel.list.viewport().width() // panel.list.gridSize().width()
    top = panel.list.top()
    assert before in [panel.rows.path(row) for row in range(top, top + columns)]


def test_of_many_only_what_is_seen_is_read(panel: ModelsPanel, cellar: Path, qtbot):
    for number in range(3 * PAGE):
        jar(cellar / "many" / f"m{number:03d}.jar", "jam:plum:")
    index(cellar)
    panel.shelves.look()
    qtbot.waitUntil(lambda: panel.rows.rowCount() == 3 * PAGE + 4)
    assert len(panel.rows._entries) <= 2 * PAGE
    last = panel.rows.index(panel.rows.rowCount() - 1)
    assert last.data(ABOUT) is None
    panel.list.scrollTo(last)
    qtbot.waitUntil(lambda: last.data(ABOUT) is not None)


def test_a_picture_made_with_it_is_shown_where_the_file_has_none(panel: ModelsPanel, cellar: Path, tmp_path, qtbot):
    row = panel.rows.index(0)
    assert row.data(Qt.ItemDataRole.DecorationRole) is None
    made = picture(tmp_path, "made.png", f"load (toy.load) path: {cellar / 'damson.jar'}, steps: 3")
    panel.shelves.pictures._gallery.take(Saved("save", str(made)))
    qtbot.waitUntil(lambda: row.data(Qt.ItemDataRole.DecorationRole) is not None)
    QImage(8, 8, QImage.Format.Format_RGB32).save(str(cellar / "damson.png"))
    index(cellar)
    panel.shelves.look()
    qtbot.waitUntil(lambda: panel.rows.entry(0) is not None and panel.rows.entry(0).thumbnail != "")
    assert panel.shelves.picture(panel.rows.entry(0)) == str(cellar / "damson.png")


def test_the_checksum_is_worked_out_when_it_is_asked_for_and_stays(panel: ModelsPanel, cellar: Path, qtbot):
    click(panel, "damson")
    assert not panel.details.hash.isVisible()
    QTest.mouseClick(panel.details.take_hash, Qt.MouseButton.LeftButton)
    assert panel.details.take_hash.text() == "Checksum: 0%"
    wanted = sha256((cellar / "damson.jar").read_bytes()).hexdigest()
    qtbot.waitUntil(lambda: wanted in panel.details.hash.text().replace("\u200b", ""), timeout=60_000)
    assert not panel.details.take_hash.isVisible()


def test_my_newest_picture_is_kept_beside_the_file_and_one_that_is_there_only_when_i_say_so(
    panel: ModelsPanel, cellar: Path, tmp_path, qtbot, monkeypatch
):
    click(panel, "damson")
    assert not panel.acts["own"].isEnabled()
    made = picture(tmp_path, "made.png", f"load (toy.load) path: {cellar / 'damson.jar'}")
    panel.shelves.pictures._gallery.take(Saved("save", str(made)))
    qtbot.waitUntil(panel.acts["own"].isEnabled)
    panel.acts["own"].trigger()
    beside = cellar / "damson.preview.png"
    qtbot.waitUntil(beside.exists)
    assert QImage(str(beside)).size() == QImage(str(made)).size()
    beside.write_text("mine")
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.No)
    panel.acts["own"].trigger()
    QTest.qWait(50)
    assert beside.read_text() == "mine"


def test_files_that_a_picture_names_are_whole_paths_and_no_bare_names():
    text = "load (x) path: /m/a.jar, steps: 3\nb (y) text: cats and dogs\nc (z) path: jars/b.jar"
    assert [*files_named(text)] == ["/m/a.jar", os.path.abspath("jars/b.jar")]


def test_without_folders_it_says_what_to_do(qtbot, gallery: Gallery, tmp_path: Path):
    shelves = Shelves(tmp_path / "empty", STOCK, gallery, "tests.toy_nodes")
    panel = ModelsPanel(shelves)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitUntil(lambda: panel.way_out.text() == "Choose folders…")
    wanted: list[bool] = []
    panel.folders_wanted.connect(lambda: wanted.append(True))
    QTest.mouseClick(panel.way_out, Qt.MouseButton.LeftButton)
    assert wanted
    shelves.close()


@pytest.mark.parametrize(("kind", "letters"), [("VAE", "VAE"), ("Text encoder", "TE"), ("Checkpoint", "Ch")])
def test_a_tile_without_a_picture_says_what_kind_it_is(kind: str, letters: str):
    assert initials(kind) == letters


def test_a_small_panel_shows_the_list_alone(panel: ModelsPanel):
    panel.resize(300, 300)
    assert panel.list.isVisible()
    assert not panel.details.isVisible()
    panel.resize(300, 700)
    assert panel.details.isVisible()
    assert panel.split.orientation() == Qt.Orientation.Vertical
    assert models.TALL * 900 > 400
    panel.resize(900, 400)
    assert panel.split.orientation() == Qt.Orientation.Horizontal
