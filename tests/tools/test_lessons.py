"""The page that leads through the lessons, and their pictures."""

from pathlib import Path

import pytest
from PIL import Image

from tools import lessons

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_the_page_says_what_the_notes_say():
    assert lessons.PAGE.read_text("utf-8") == lessons.page(lessons.lessons())


def test_every_lesson_has_its_picture():
    for path in lessons.lessons():
        with Image.open(path.with_suffix(".png")) as picture:
            assert picture.size == (lessons.WIDTH, lessons.HEIGHT)


@pytest.mark.parametrize("size", [(100, 10), (10, 100), (2000, 1000)])
def test_a_picture_keeps_its_proportions(size: tuple[int, int]):
    framed = lessons.fitted(Image.new("RGB", size, "white")).convert("L")
    left, top, right, bottom = framed.point([255 * (level > 200) for level in range(256)]).getbbox() or (0, 0, 0, 0)
    assert (right - left) / (bottom - top) == pytest.approx(size[0] / size[1], rel=0.05)  # whole pixels
    assert right - left == lessons.WIDTH or bottom - top == lessons.HEIGHT
