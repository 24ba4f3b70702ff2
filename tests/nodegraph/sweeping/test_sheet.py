"""Where cells stand, and what the table says of them."""

import csv
import io

from nodegraph.graph import Graph, Node, Port
from nodegraph.running.messages import Failed
from nodegraph.sweeping.axes import Axis
from nodegraph.sweeping.here import Came
from nodegraph.sweeping.sheet import pages, table
from nodegraph.sweeping.sweep import Sweep

SEEDS = Axis(Port("noise", "seed"), (0, 1))
SCALES = Axis(Port("denoise", "guidance_scale"), (1.0, 4.5, 9.0))
TEXTS = Axis(Port("positive", "text"), ("a cat", "a dog"))


def test_the_first_axis_goes_across_the_second_down_and_others_over_pages():
    sweep = Sweep((SCALES, SEEDS, TEXTS))
    first, second = pages(sweep, sweep.cells())
    assert (first.title, second.title) == ("a cat", "a dog")
    assert first.columns == ("guidance scale 1", "guidance scale 4.5", "guidance scale 9")
    assert first.rows == ("seed 0", "seed 1")
    assert second.places[1, 2] == (2, 1, 1)  # row 1, column 2: the last scale, the last seed, the last text
    assert {cell for page in (first, second) for cell in page.places.values()} == set(sweep.cells())


def test_what_is_no_grid_is_a_list_in_which_each_cell_has_its_own_label():
    for sweep in (Sweep((SCALES,)), Sweep((SEEDS, TEXTS), "zip"), Sweep((SCALES, SEEDS), sample=4)):
        (page,) = pages(sweep, sweep.cells())
        assert sorted(page.places.values()) == sweep.cells()
        assert set(page.labels) == set(sweep.cells())
    (page,) = pages(Sweep((SEEDS, TEXTS), "zip"), [(0, 0), (1, 1)])
    assert page.labels[1, 1] == "seed 1, a dog"


def test_cells_that_are_not_there_leave_their_places_free():
    sweep = Sweep((SCALES, SEEDS))
    (page,) = pages(sweep, [(0, 0), (2, 1)])
    assert page.places == {(0, 0): (0, 0), (1, 2): (2, 1)}


def test_the_table_has_a_line_for_each_cell_with_every_parameter():
    nodes = {"noise": Node("n", {"seed": 7, "flag": True}), "positive": Node("t", {"text": 'a "quoted", line\nor two'})}
    sweep = Sweep((SEEDS,))
    came = [Came((0,), ("a.png", "b.png"), 3, 1, 1.23456), Came((1,), failures=(Failed("noise", "too loud"),))]
    first, second = csv.DictReader(io.StringIO(table(Graph(nodes), sweep, came)))
    assert first == {
        "noise.seed": "0",
        "images": "a.png; b.png",
        "failed": "",
        "computed": "3",
        "cached": "1",
        "seconds": "1.235",
        "noise.flag": "on",
        "positive.text": 'a "quoted", line\nor two',
    }
    assert (second["noise.seed"], second["images"], second["failed"]) == ("1", "", "noise: too loud")
