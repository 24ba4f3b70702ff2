"""Which cells a sweep has, and what a workflow file says of it."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodegraph.formats import workflow
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Node, Port
from nodegraph.sweeping.axes import MOST_CELLS, Axis
from nodegraph.sweeping.sweep import Sweep, graph_of, in_order, sweep_of, with_sweep
from tests.examples import each

TYPES = discover("tests.toy_nodes")
GRAPH = Graph({"set": Node("toy.settings", {"seed": 3}), "box": Node("toy.box")})


def axis(name: str, *values: object) -> Axis:
    id, _, socket = name.partition(".")
    return Axis(Port(id, socket), values)


SEEDS, COUNTS = axis("set.seed", 0, 1, 2), axis("set.count", 4, 5)


def test_in_a_grid_every_value_meets_every_other():
    assert Sweep((SEEDS, COUNTS)).cells() == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]


def test_in_a_zip_values_go_together():
    boxes = axis("box.value", 1.0, 2.0, 3.0)
    sweep = Sweep((SEEDS, boxes), "zip")
    assert sweep.cells() == [(0, 0), (1, 1), (2, 2)]
    assert sweep.values((1, 1)) == {Port("set", "seed"): 1, Port("box", "value"): 2.0}
    assert sweep.labels((1, 1)) == {"set.seed": "1", "box.value": "2"}


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.integers(1, 40), st.sampled_from(["grid", "zip"]))
def test_a_sample_is_a_part_of_the_cells_and_always_the_same(lengths: list[int], count: int, mode: str):
    lengths = [lengths[0]] * len(lengths) if mode == "zip" else lengths
    axes = tuple(axis(f"n{i}.p", *range(length)) for i, length in enumerate(lengths))
    whole = Sweep(axes, mode)  # type: ignore[arg-type]
    part = Sweep(axes, mode, count)  # type: ignore[arg-type]
    cells = part.cells()
    assert len(cells) == len(set(cells)) == len(part) == min(count, len(whole))
    assert set(cells) <= set(whole.cells())
    assert cells == Sweep(axes, mode, count).cells()  # type: ignore[arg-type]


@pytest.mark.parametrize("axes", [4, 9, 100])
def test_a_sample_of_what_could_never_be_written_out_is_drawn_all_the_same(axes: int):
    sweep = Sweep(tuple(axis(f"n{i}.p", *range(1000)) for i in range(axes)), sample=50)
    assert len(set(sweep.cells())) == len(sweep) == 50
    assert sweep.cells() == sweep.cells()


@each(
    ("sweep", "said"),
    [
        (Sweep(()), "nothing varies"),
        (Sweep((SEEDS, SEEDS)), "'set.seed' varies twice"),
        (Sweep((axis("set.seed"),)), "'set.seed' has no values"),
        (Sweep((SEEDS, COUNTS), "zip"), "must be as many each; here are set.seed 3, set.count 2"),
        (Sweep((axis("a.b", *range(4000)), axis("c.d", *range(2500)))), "10,000,000 pictures; 100,000 is the most"),
        (
            Sweep(tuple(axis(f"n{i}.p", *range(1000)) for i in range(9))),
            "more than 1,000,000,000,000,000 pictures; 100,000 is the most",
        ),
        (Sweep(tuple(axis(f"n{i}.p", 1) for i in range(101))), "101 parameters vary; 100 is the most"),
    ],
)
def test_what_is_no_sweep_is_said_before_anything_is_made_of_it(sweep: Sweep, said: str):
    with pytest.raises(ValueError, match=re.escape(said)):
        sweep.cells()


def test_the_workflow_of_a_cell_has_its_values_and_shares_the_rest():
    made = graph_of(GRAPH, {Port("set", "seed"): 9, Port("set", "count"): 2})
    assert made.nodes["set"].params == {"seed": 9, "count": 2}
    assert made.nodes["box"] is GRAPH.nodes["box"]
    assert made.links is GRAPH.links
    assert GRAPH.nodes["set"].params == {"seed": 3}


def test_cells_that_share_the_slowest_stand_together():
    cells = Sweep((SEEDS, COUNTS)).cells()
    assert in_order(cells, [1, 0]) == [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1)]


@pytest.mark.parametrize("mode", ["grid", "zip"])
def test_a_sweep_survives_its_workflow_file(mode: str):
    texts = axis("set.text", "a", "b|c", "")
    kept = Sweep((SEEDS, texts, axis("set.values", (1.0,), (), (2.0, 3.0))), mode, 2)  # type: ignore[arg-type]
    read = workflow.loads(workflow.dumps(with_sweep(GRAPH, kept)))
    assert sweep_of(read, TYPES) == kept
    assert with_sweep(read, None) == workflow.loads(workflow.dumps(GRAPH))
    assert sweep_of(GRAPH, TYPES) is None


@each(
    ("entry", "said"),
    [
        ([], "damaged"),
        ({}, "damaged"),
        ({"axes": [], "mode": "ring"}, "damaged"),
        ({"axes": [], "sample": -1}, "damaged"),
        ({"axes": [], "sample": True}, "damaged"),
        ({"axes": [["set", "seed"]]}, "an axis is"),
        ({"axes": [["set", "seed", 7]]}, "an axis is"),
        ({"axes": [["sat", "seed", [7]]]}, "no node 'sat'"),
        ({"axes": [["set", "count", [3, 77]]]}, "count must be between 1 and 10, got 77"),
        ({"axes": [["set", "count", ["many"]]]}, "count takes"),
        ({"axes": [["set", "seed", [0] * (MOST_CELLS + 1)]]}, "100,001 values"),
        ({"axes": [["set", "seed", [0]]] * 101}, "varies 101 parameters; 100 is the most"),
    ],
)
def test_a_damaged_sweep_in_a_file_is_refused_in_a_sentence(entry: object, said: str):
    data = json.loads(workflow.dumps(GRAPH)) | {"sweep": entry}
    with pytest.raises(ValueError, match=re.escape(said)):
        sweep_of(workflow.loads(json.dumps(data)), TYPES)
