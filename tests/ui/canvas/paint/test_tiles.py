"""The static layer of the canvas: what is painted again, and when."""

from typing import ClassVar

import pytest
from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QColor, QImage, QPainter

from ui.canvas.paint import tiles
from ui.canvas.paint.tiles import Tile, Tiles
from ui.canvas.scene.view import View

SIZE = QSize(512, 512)  # two tiles by two


class Layer:
    """A layer whose colour can change; it notes the parts that it paints."""

    def __init__(self) -> None:
        self.painted: list[QRectF] = []
        self.color = QColor("red")
        self.tiles = Tiles(self._paint, QColor("black"))

    def _paint(self, painter: QPainter, area: QRectF) -> None:
        self.painted.append(area)
        painter.fillRect(area, self.color)

    def frame(self, view: View) -> tuple[QImage, bool]:
        """What is seen, and whether it is up to date."""
        image = QImage(SIZE, QImage.Format.Format_RGB32)
        painter = QPainter(image)
        complete = self.tiles.draw(painter, view, SIZE, 1.0)
        painter.end()
        return image, complete


@pytest.fixture
def layer(qapp, monkeypatch) -> Layer:
    monkeypatch.setattr(tiles, "BUDGET", 60.0)  # however busy the machine is, a frame has the time
    made = Layer()
    assert made.frame(View())[1]
    made.painted.clear()
    return made


def test_only_what_changed_is_painted_again(layer):
    layer.color = QColor("blue")
    layer.tiles.invalidate(QRectF(250, 10, 20, 30))  # across the border of two tiles
    image, complete = layer.frame(View())
    assert complete
    assert [area.height() for area in layer.painted] == [32, 32]
    assert sum(area.width() for area in layer.painted) == 22
    blue = [(x, y) for x in range(0, 512, 2) for y in range(0, 512, 2) if image.pixelColor(x, y) == layer.color]
    assert {x for x, _ in blue} == set(range(250, 271, 2))
    assert {y for _, y in blue} == set(range(10, 41, 2))


def test_a_change_looks_at_the_tiles_that_it_touches_alone(layer):
    class Watched(dict[tuple[int, int], Tile]):
        asked: ClassVar[list[tuple[int, int]]] = []

        def get(self, key, default=None):
            self.asked.append(key)
            return super().get(key, default)

        def items(self):
            raise AssertionError("all tiles are looked at")

        __iter__ = values = keys = items

    layer.tiles._tiles = Watched(layer.tiles._tiles)  # pyright: ignore[reportPrivateUsage]
    layer.tiles.invalidate(QRectF(250, 10, 20, 30))
    assert Watched.asked == [(0, 0), (1, 0)]


def test_all_is_painted_again_after_a_change_to_more_than_there_is(layer):
    layer.tiles.invalidate(QRectF(-1e6, -1e6, 2e6, 2e6))
    assert layer.frame(View())[1]
    assert sum(area.width() * area.height() for area in layer.painted) == 512 * 512


def test_changes_between_two_frames_are_painted_together(layer):
    for at in (10, 100, 200):
        layer.tiles.invalidate(QRectF(at, at, 4, 4))
    assert layer.frame(View())[1]
    assert layer.painted == [QRectF(9, 9, 196, 196)]


def test_after_a_zoom_step_the_picture_is_there_at_once_and_sharp_bit_by_bit(layer, monkeypatch):
    monkeypatch.setattr(tiles, "BUDGET", 0.0)
    seen = [layer.frame(View(1.1))]
    while not seen[-1][1]:
        seen.append(layer.frame(View(1.1)))
    assert len(layer.painted) == 4
    assert len(seen) == 1 + 4, "the frame in which the view moved had no time for a tile"
    assert all(image.pixelColor(300, 300) == layer.color for image, _ in seen)
