"""The list of every picture that was made."""

from pathlib import Path

import pytest

from nodegraph.running.messages import Saved
from tests.ui.made_pictures import picture
from ui.runs.picture_index import COMPACT_AT, Gallery


def again(gallery: Gallery) -> Gallery:
    """As the next start of the program finds it."""
    return Gallery(gallery._file)


def names(gallery: Gallery) -> list[str]:
    return [Path(path).name for path in gallery.pictures]


def test_another_picture_under_the_name_of_a_deleted_one_takes_its_place(gallery: Gallery, tmp_path: Path):
    one = next(iter(gallery.pictures))
    gallery.take(Saved("save", str(picture(tmp_path, "one.png", "text: a green fox"))))
    assert names(gallery) == ["two.png", "three.png", "one.png"]
    assert gallery.pictures[one].text == "text: a green fox"
    assert again(gallery).pictures == gallery.pictures


def test_a_list_that_cannot_be_kept_is_told_and_shown_nevertheless(qtbot, tmp_path: Path):
    gallery = Gallery(tmp_path / "gallery.jsonl")
    (tmp_path / "gallery.jsonl").mkdir()
    with qtbot.waitSignal(gallery.troubled) as told:
        gallery.add(picture(tmp_path, "one.png"))
    assert told.args == ["The list of pictures could not be kept: Is a directory"]
    assert names(gallery) == ["one.png"]


def test_pictures_stars_and_removals_are_there_again_at_the_next_start(gallery: Gallery):
    one, two, _ = gallery.pictures
    gallery.star(two)
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
        gallery.star(path, on=on)
    assert again(gallery).pictures == gallery.pictures
    assert len(gallery._file.read_bytes().splitlines()) == 3
