"""Large pictures are made smaller strip by strip: the same as if they had been read whole, in little memory."""

import tracemalloc
import zlib

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QImage, QPainter, QRadialGradient

from tests.examples import some_slow
from tests.ui.large_pictures import plain_png
from ui.widgets import strips
from ui.widgets.pixmaps import read_image

FORMATS = [QImage.Format.Format_RGB888, QImage.Format.Format_RGBA8888, QImage.Format.Format_Grayscale8]


@pytest.fixture(params=FORMATS)
def colourful(request, tmp_path, monkeypatch) -> str:
    """A picture whose rows are filtered in every way, read in strips of some twenty rows."""
    monkeypatch.setattr(strips, "MIN_PIXELS", 0)
    monkeypatch.setattr(strips, "STRIP_BYTES", 40_000)
    picture = QImage(700, 450, QImage.Format.Format_RGB32)
    glow = QRadialGradient(300, 200, 500)
    for at, name in ((0.0, "red"), (0.5, "blue"), (1.0, "yellow")):
        glow.setColorAt(at, QColor(name))
    painter = QPainter(picture)
    painter.fillRect(picture.rect(), glow)
    painter.end()
    path = str(tmp_path / "colourful.png")
    picture.convertToFormat(request.param).save(path)
    return path


@pytest.mark.parametrize("side", [64, 301, 700, 4096])
def test_a_picture_in_strips_is_the_one_that_is_read_whole(colourful: str, side: int):
    made = strips.read_in_strips(colourful, side)
    assert made is not None
    assert max(made.width(), made.height()) == min(side, 700)
    how = Qt.TransformationMode.SmoothTransformation
    whole = QImage(colourful).scaled(made.size(), mode=how).convertToFormat(made.format())
    places = [(x, y) for x in range(0, made.width(), 5) for y in range(0, made.height(), 3)]
    off = [(made.pixelColor(x, y), whole.pixelColor(x, y)) for x, y in places]
    # Levels: what is made smaller is rounded once in each direction.
    assert max(abs(a.red() - b.red()) + abs(a.blue() - b.blue()) for a, b in off) <= 6


@pytest.mark.parametrize("colour", some_slow([0, 2, 6], (6,)))
def test_a_large_picture_takes_the_memory_of_a_few_strips(tmp_path, colour: int):
    path = tmp_path / "large.png"
    path.write_bytes(plain_png(9000, 3000, colour=colour))
    tracemalloc.start()
    try:
        made = read_image(str(path), 192)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert made.size().toTuple() == (192, 64)
    assert peak < 8 * strips.STRIP_BYTES  # Qt's own are not counted: it holds a strip in two formats


def test_a_picture_that_is_cut_short_is_none(tmp_path):
    path = tmp_path / "short.png"
    path.write_bytes(plain_png(9000, 3000, rows=100))
    assert read_image(str(path), 192).isNull()


def test_a_header_that_promises_too_much_is_refused_without_reading_on(tmp_path):
    path = tmp_path / "endless.png"
    path.write_bytes(plain_png(9000, 2**31 - 1, rows=10))
    assert read_image(str(path), 192).isNull()


def test_pixels_that_are_damaged_are_none(tmp_path):
    data = bytearray(plain_png(9000, 3000))
    data[60:70] = b"damaged!!!"
    path = tmp_path / "damaged.png"
    path.write_bytes(data)
    with pytest.raises((ValueError, zlib.error)):
        strips.read_in_strips(str(path), 192)
    assert read_image(str(path), 192).isNull()
