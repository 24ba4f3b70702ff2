from ui.canvas.scene.grid import Grid


def test_what_touches_a_rectangle_is_found_wherever_it_was_moved():
    grid: Grid[str] = Grid()
    grid.put("wide", (-3000, 0, 3000, 10))
    grid.put("small", (100, 100, 110, 110))
    assert "wide" in grid.touching((2500, -5, 2510, 5))
    grid.put("small", (9000, 9000, 9010, 9010))
    assert grid.touching((100, 5, 110, 110)) == ["wide"]
    assert grid.touching((8990, 8990, 9040, 9040)) == ["small"]


def test_what_moves_within_its_cell_is_found_where_it_is():
    grid: Grid[str] = Grid()
    grid.put("other", (5000, 5000, 5010, 5010))
    grid.put("small", (10, 10, 20, 20))
    grid.put("small", (60, 60, 70, 70))
    assert grid.touching((5, 5, 30, 30)) == []
    assert grid.touching((65, 65, 66, 66)) == ["small"]


def test_what_is_removed_is_found_no_more():
    grid: Grid[str] = Grid()
    grid.put("a", (0, 0, 10, 10))
    grid.remove("a")
    assert not grid.touching((-1e5, -1e5, 1e5, 1e5))


def test_what_reaches_across_the_world_is_found_everywhere_and_removed():
    grid: Grid[str] = Grid()
    grid.put("long", (-1e7, -1e7, 1e7, 1e7))
    assert grid.touching((500, 500, 510, 510)) == ["long"]
    grid.put("long", (0, 0, 10, 10))
    assert grid.touching((50_000, 500, 50_010, 510)) == []
