"""The list of every picture that was made, and its panel."""

from pathlib import Path

import pytest
from PySide6.QtCore import QBuffer, QPoint, Qt
from PySide6.QtGui import QDrag, QImage
from PySide6.QtTest import QTest

from nodegraph import png
from nodegraph.messages import Saved
from ui.gallery import COMPACT_AT, Gallery
from ui.panels.gallery import GalleryPanel


def picture(folder: Path, name: str, parameters: str = "") -> Path:
    image = QImage(48, 32, QImage.Format.Format_RGB888)
    image.fill(Qt.GlobalColor.darkCyan)
    buffer = QBuffer()
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    path = folder / name
    path.write_bytes(png.with_texts(buffer.data().data(), {png.PARAMETERS: parameters}))
    return path


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    made = Gallery(tmp_path / "state" / "gallery.jsonl")
    for name, text in (("one", "text: a red fox"), ("two", "text: a blue fox"), ("three", "steps: 7")):
        made.take(Saved("save", str(picture(tmp_path, f"{name}.png", text))))
    return made


def again(gallery: Gallery) -> Gallery:
    """As the next start of the program finds it."""
    return Gallery(gallery._file)


def names(gallery: Gallery) -> list[str]:
    return [Path(path).name for path in gallery.pictures]


def test_a_list_that_cannot_be_kept_is_told_and_shown_nevertheless(qtbot, tmp_path: Path):
    (tmp_path / "gallery.jsonl").mkdir()
    gallery = Gallery(tmp_path / "gallery.jsonl")
    with qtbot.waitSignal(gallery.troubled) as told:
        gallery.add(picture(tmp_path, "one.png"))
    assert told.args == ["The list of pictures could not be kept: Is a directory"]
    assert names(gallery) == ["one.png"]


def test_pictures_stars_and_removals_are_there_again_at_the_next_start(gallery: Gallery):
    one, two, _ = gallery.pictures
    gallery.star(two, True)
    gallery.remove(one)
    assert again(gallery).pictures == gallery.pictures
    assert names(again(gallery)) == ["two.png", "three.png"]
    assert Path(one).exists()


def test_what_is_no_picture_is_left_out(gallery: Gallery, tmp_path: Path):
    (tmp_path / "box.txt").write_text("2.0")
    gallery.take(Saved("save", str(tmp_path / "box.txt")))
    gallery.take(Saved("save", str(tmp_path / "missing.png")))
    assert len(gallery.pictures) == 3


def test_a_picture_that_was_found_written_already_is_listed_once(gallery: Gallery):
    gallery.take(Saved("save", next(iter(gallery.pictures))))
    assert names(gallery) == ["one.png", "two.png", "three.png"]


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_a_torn_last_line_costs_that_line_and_no_other(gallery: Gallery, tmp_path: Path, cut: int):
    file = gallery._file
    file.write_bytes(file.read_bytes()[:-cut])
    torn = again(gallery)
    torn.add(picture(tmp_path, "four.png"))
    kept = ["three.png"] if cut == 1 else []
    assert names(again(gallery)) == ["one.png", "two.png", *kept, "four.png"]


def test_lines_that_say_nothing_any_more_are_dropped(gallery: Gallery):
    path = next(iter(gallery.pictures))
    for on in [True, False] * COMPACT_AT:
        gallery.star(path, on)
    assert again(gallery).pictures == gallery.pictures
    assert len(gallery._file.read_bytes().splitlines()) == 3


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


def click(panel: GalleryPanel, row: int) -> None:
    QTest.mouseClick(panel.tiles.viewport(), Qt.MouseButton.LeftButton, pos=place(panel, row))


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


def test_s_stars_and_the_star_button_shows_those_alone(panel: GalleryPanel):
    click(panel, 1)
    QTest.keyClick(panel.tiles, Qt.Key.Key_S)
    QTest.mouseClick(panel.starred, Qt.MouseButton.LeftButton)
    assert shown(panel) == ["two.png"]


def test_delete_takes_a_picture_off_the_list(panel: GalleryPanel):
    click(panel, 0)
    QTest.keyClick(panel.tiles, Qt.Key.Key_Delete)
    assert shown(panel) == ["two.png", "one.png"]


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


def test_thumbnails_come_when_they_are_made_and_a_missing_file_says_so(panel: GalleryPanel, qtbot):
    index = panel.shown.index(0)
    qtbot.waitUntil(lambda: index.data(Qt.ItemDataRole.DecorationRole) is not None)
    Path(next(iter(panel.gallery.pictures))).unlink()
    other = GalleryPanel(panel.gallery)
    qtbot.addWidget(other)
    other.show()
    qtbot.waitUntil(lambda: other.shown.thumbnails.unreadable(next(iter(panel.gallery.pictures))))
