"""The pictures of a sweep on one sheet."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nodes.backend import sweep_sheet
from nodes.backend.sweep_sheet import MOST_PIXELS, MOST_SIDE, Part, draw

COLOURS = {"red": (255, 0, 0), "lime": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}


@pytest.fixture
def picture(tmp_path: Path):
    def made(colour: str, size: tuple[int, int] = (64, 48)) -> str:
        path = tmp_path / f"{colour}_{size[0]}.png"
        Image.new("RGB", size, colour).save(path)
        return str(path)

    return made


def drawn(*parts: Part) -> Image.Image:
    return Image.open(io.BytesIO(draw(parts))).convert("RGB")


def boxes(sheet: Image.Image) -> dict[str, tuple[int, int, int, int]]:
    """Where each colour is: left, top, right, bottom."""
    found: dict[str, tuple[int, int, int, int]] = {}
    for name, colour in COLOURS.items():
        rows, columns = np.nonzero((np.asarray(sheet) == colour).all(axis=2))
        if len(rows):
            found[name] = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    return found


def colours(sheet: Image.Image, bottom: int) -> int:
    """How many different ones there are above a line."""
    return len(np.unique(np.asarray(sheet)[:bottom].reshape(-1, 3), axis=0))


def test_each_picture_stands_whole_in_its_row_and_column(picture):
    cells = {(0, 0): [picture("red")], (0, 1): [picture("lime")], (1, 1): [picture("blue")]}
    found = boxes(drawn(Part("title", ("one", "two"), ("up", "down"), cells, {})))
    assert all((right - left, bottom - top) == (64, 48) for left, top, right, bottom in found.values())
    red, lime, blue = found["red"], found["lime"], found["blue"]
    assert (red[1], lime[0]) == (lime[1], blue[0])
    assert red[2] < lime[0]
    assert lime[3] < blue[1]


def test_parts_stand_below_each_other_and_labels_take_room(picture):
    bare = drawn(Part("", (), (), {(0, 0): [picture("red")]}, {}))
    named = drawn(
        Part("first", (), (), {(0, 0): [picture("red")]}, {(0, 0): "a cat"}),
        Part("second", (), (), {(0, 0): [picture("lime")]}, {(0, 0): "a dog"}),
    )
    assert named.height > 2 * bare.height
    assert boxes(named)["red"][3] < boxes(named)["lime"][1]
    assert colours(bare, boxes(bare)["red"][1]) == 1  # nothing is written
    assert colours(named, boxes(named)["red"][1]) > 2


def test_the_pictures_of_a_batch_share_their_cell(picture):
    cells = {(0, 0): [picture(colour) for colour in ("red", "lime", "blue")]}
    found = boxes(drawn(Part("", (), (), cells, {})))
    assert {(right - left, bottom - top) for left, top, right, bottom in found.values()} == {(32, 24)}


def test_a_picture_of_another_shape_is_fitted_and_a_place_without_one_stays_empty(picture):
    cells = {(0, 0): [picture("red")], (0, 1): [picture("lime", (200, 20))], (0, 2): []}
    sheet = drawn(Part("", ("a", "b", "c"), (), cells, {}))
    left, top, right, bottom = boxes(sheet)["lime"]
    assert (right - left, bottom - top) == (64, 6)
    assert sheet.width > 3 * 64


def test_a_sheet_that_would_be_too_large_has_smaller_cells(picture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sweep_sheet, "MOST_SIDE", 600)
    path = picture("red", (128, 128))
    sheet = drawn(Part("", (), (), {(0, column): [path] for column in range(10)}, {}))
    assert sheet.width <= 600
    monkeypatch.setattr(sweep_sheet, "MOST_SIDE", 100)
    with pytest.raises(ValueError, match="10 pictures are too many for one sheet"):
        drawn(Part("", (), (), {(0, column): [path] for column in range(10)}, {}))
    assert MOST_SIDE**2 > MOST_PIXELS


def test_long_labels_are_cut_and_never_lie_over_a_picture(picture):
    text = "an endless prompt about a fox in a meadow " * 20
    cells = {(row, column): [picture("red")] for row in range(2) for column in range(2)}
    sheet = drawn(Part(text, (text, text), (text, "a" * 300), cells, {}))
    assert (np.asarray(sheet) == COLOURS["red"]).all(axis=2).sum() == 4 * 64 * 48


def test_without_a_picture_there_is_no_sheet():
    with pytest.raises(ValueError, match="no picture"):
        draw([Part("", (), (), {(0, 0): []}, {})])
