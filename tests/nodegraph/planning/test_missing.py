"""What is missing beside a workflow: the problem names what helps, and is over when it is there."""

from pathlib import Path

import pytest

from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Node, Port
from nodegraph.planning.plan import Planner, Problem
from nodegraph.running.engine import Engine, Settings
from nodegraph.running.messages import Event, Finished, Run
from tests.toy_nodes.pit import pit

GRAPH = Graph(
    {"dig": Node("toy.dig"), "pot": Node("toy.pot"), "show": Node("toy.show")},
    {Port("pot", "clay"): Port("dig", "clay"), Port("show", "box"): Port("pot", "box")},
)
SENTENCE = "there is no pit yet: choose one, or have one dug"


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENOODLE_DATA", str(tmp_path / "data"))


def find(clay: str) -> None:
    pit().parent.mkdir(exist_ok=True)
    pit().write_text(clay)


def test_the_problem_names_its_remedy():
    (problem,) = Planner(discover("tests.toy_nodes")).plan(GRAPH).problems
    assert problem == Problem("dig", None, SENTENCE, "clay")


def test_the_same_graph_is_planned_once_it_is_there():
    planner = Planner(discover("tests.toy_nodes"))
    assert planner.plan(GRAPH).problems
    find("red")
    plan = planner.plan(GRAPH)
    assert not plan.problems
    assert plan.keys.keys() == {"pot", "show"}


def test_an_engine_that_refused_it_runs_it_once_it_is_there():
    engine = Engine(Settings("tests.toy_nodes", cache=None))
    run = Run(GRAPH, ("show",))
    assert [problem.message for problem in engine.plan(*run_of(run)).problems] == [SENTENCE]
    find("white")
    told: list[Event] = []
    engine.execute(engine.plan(*run_of(run)), run, told.append)
    assert [event.node for event in told if isinstance(event, Finished)] == ["pot", "show"]


def run_of(run: Run) -> tuple[Graph, tuple[str, ...]]:
    """Another graph that is equal to it, as comes out of a pipe."""
    return Graph(dict(run.graph.nodes), dict(run.graph.links)), run.targets
