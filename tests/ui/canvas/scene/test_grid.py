from PySide6.QtCore import QRectF

from ui.canvas.scene.grid import Grid


def test_what_touches_a_rectangle_is_found_wherever_it_was_moved():
    grid: Grid[str] = Grid()
    grid.put("wide", QRectF(-3000, 0, 6000, 10))
    grid.put("small", QRectF(100, 100, 10, 10))
    assert "wide" in grid.near(QRectF(2500, -5, 10, 10))
    grid.put("small", QRectF(9000, 9000, 10, 10))
    assert grid.near(QRectF(100, 100, 10, 10)) == {"wide"}
    assert grid.near(QRectF(8990, 8990, 50, 50)) == {"small"}


def test_what_is_removed_is_found_no_more():
    grid: Grid[str] = Grid()
    grid.put("a", QRectF(0, 0, 10, 10))
    grid.remove("a")
    assert not grid.near(QRectF(-1e5, -1e5, 2e5, 2e5))


def test_what_reaches_across_the_world_is_found_everywhere_and_removed():
    grid: Grid[str] = Grid()
    grid.put("long", QRectF(-1e7, -1e7, 2e7, 2e7))
    assert grid.near(QRectF(500, 500, 10, 10)) == {"long"}
    grid.put("long", QRectF(0, 0, 10, 10))
    assert grid.near(QRectF(50_000, 500, 10, 10)) == set()
