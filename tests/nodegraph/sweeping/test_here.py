"""A sweep in one engine: what cells share is computed once, and what is there is not computed again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nodegraph.formats import workflow
from nodegraph.graph import Graph, Node, Port, connect
from nodegraph.running.engine import Engine, Settings
from nodegraph.running.messages import Event, Started
from nodegraph.sweeping import cells, here
from nodegraph.sweeping.axes import Axis
from nodegraph.sweeping.here import Came
from nodegraph.sweeping.ledger import Ledger, opened
from nodegraph.sweeping.sweep import Sweep, in_order, with_sweep

TARGETS = ("save",)


@pytest.fixture
def graph() -> Graph:
    """box -> early -> late -> save: three results, of which a change of `late` leaves two."""
    nodes = {
        "box": Node("toy.box", {"value": 1.0}),
        "early": Node("toy.step", {"amount": 1.0}),
        "late": Node("toy.step", {"amount": 1.0}),
        "save": Node("toy.save"),
    }
    graph = Graph(nodes)
    for src, dst, name in [("box", "early", "box"), ("early", "late", "box"), ("late", "save", "box")]:
        graph = connect(graph, Port(src, "box"), Port(dst, name))
    return graph


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with opened(tmp_path / "out") as ledger:
        yield ledger


def engine() -> Engine:
    made = Engine(Settings("tests.toy_nodes", cache=None))
    made.configure()
    return made


def axis(name: str, *values: object) -> Axis:
    id, _, socket = name.partition(".")
    return Axis(Port(id, socket), values)


LATE = Sweep((axis("early.amount", 1.0, 2.0), axis("late.amount", 10.0, 20.0, 30.0)))


def values(came: list[Came]) -> list[float]:
    return [float(Path(one.images[0]).read_text().split("\n")[0]) for one in came]


def test_what_cells_share_is_computed_once(graph: Graph, ledger: Ledger):
    came = list(here.came(engine(), graph, TARGETS, LATE, LATE.cells(), ledger))
    assert values(came) == [12.0, 22.0, 32.0, 13.0, 23.0, 33.0]
    assert [one.run for one in came] == [3, 1, 1, 2, 1, 1]
    assert [one.run + one.cached for one in came] == [3] * 6
    assert len({one.images for one in came}) == 6


def test_what_is_foreseen_is_what_comes(graph: Graph, ledger: Ledger):
    made = engine()
    told = cells.foreseen(graph, TARGETS, LATE, LATE.cells(), made.plan, made.cache.__contains__)
    came = list(here.came(made, graph, TARGETS, LATE, LATE.cells(), ledger))
    assert (told.apart, told.together, told.kept) == (18, sum(one.run for one in came), 0)
    told = cells.foreseen(graph, TARGETS, LATE, LATE.cells(), made.plan, made.cache.__contains__)
    assert told.kept == told.together


def test_the_axis_on_which_most_hangs_is_the_slowest(graph: Graph):
    turned = Sweep(LATE.axes[::-1])
    assert cells.slowest(graph, TARGETS, turned, engine().plan) == [1, 0]
    order = in_order(turned.cells(), [1, 0])
    assert [turned.values(cell)[Port("early", "amount")] for cell in order] == [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]


def test_another_process_computes_nothing_of_what_is_there(
    graph: Graph, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
):
    first = list(here.came(engine(), graph, TARGETS, LATE, LATE.cells(), ledger))
    later = Engine(Settings("tests.toy_nodes", cache=None))
    monkeypatch.setattr(later, "configure", lambda: pytest.fail("nothing is to be computed"))
    again = list(here.came(later, graph, TARGETS, LATE, LATE.cells(), ledger))
    assert [one.images for one in again] == [one.images for one in first]
    assert sum(one.run for one in again) == 0


def test_of_values_that_were_added_only_what_is_new_is_computed(graph: Graph, ledger: Ledger):
    list(here.came(engine(), graph, TARGETS, LATE, LATE.cells(), ledger))
    more = Sweep((LATE.axes[0], axis("late.amount", 10.0, 15.0, 20.0, 30.0)))
    came = list(here.came(engine(), graph, TARGETS, more, more.cells(), ledger))
    assert [one.run > 0 for one in came] == [False, True, False, False] * 2
    assert values(came) == [12.0, 17.0, 22.0, 32.0, 13.0, 18.0, 23.0, 33.0]


def test_a_picture_brings_the_workflow_that_makes_it_alone(graph: Graph, ledger: Ledger):
    came = list(here.came(engine(), with_sweep(graph, LATE), TARGETS, LATE, LATE.cells(), ledger))
    made_by = workflow.loads(Path(came[4].images[0]).read_text().split("\n", 1)[1])
    assert made_by.nodes["early"].params["amount"] == 2.0
    assert made_by.nodes["late"].params["amount"] == 20.0
    assert not made_by.extra


def test_what_all_cells_write_alike_is_written_once(graph: Graph, ledger: Ledger):
    graph = Graph({**graph.nodes, "start": Node("toy.save", {"filename": "start"})}, graph.links)
    graph = connect(graph, Port("box", "box"), Port("start", "box"))
    came = list(here.came(engine(), graph, ("start", "save"), LATE, LATE.cells(), ledger))
    assert len({one.images[0] for one in came}) == 1
    assert len({one.images[1] for one in came}) == 6
    assert len(list(ledger.folder.glob("*.txt"))) == 7


def test_a_cell_that_fails_keeps_no_picture_and_the_others_go_on(graph: Graph, ledger: Ledger):
    graph = Graph({**graph.nodes, "late": Node("toy.refuse")}, graph.links)
    tried = Sweep((axis("box.value", 1.0, 2.0),))
    came = list(here.came(engine(), graph, TARGETS, tried, tried.cells(), ledger))
    assert [(len(one.failures), one.images) for one in came] == [(1, ()), (1, ())]
    assert list(ledger.folder.glob("*.txt")) == []


def test_after_a_stop_the_next_run_goes_on(graph: Graph, ledger: Ledger):
    started: list[str] = []

    def tell(cell, event: Event) -> None:
        if isinstance(event, Started):
            started.append(event.node)

    made = engine()
    came = list(here.came(made, graph, TARGETS, LATE, LATE.cells(), ledger, tell, lambda: len(started) == 6))
    assert [one.stopped for one in came] == [False, False, True]
    rest = list(here.came(made, graph, TARGETS, LATE, LATE.cells(), ledger))
    assert values(rest) == [12.0, 22.0, 32.0, 13.0, 23.0, 33.0]
    assert rest[0].run == 0


def test_a_value_that_cannot_be_computed_with_is_told_with_its_sentence_before_anything_runs(graph: Graph):
    sweep = Sweep((axis("late.amount", 1.0, 2.0), axis("save.filename", "a", "b")))
    assert not list(cells.wrong(graph, TARGETS, sweep, engine().plan))
    alone = Graph(graph.nodes, {})
    assert {wrong.name for wrong in cells.wrong(alone, TARGETS, sweep, engine().plan)} == {""}
