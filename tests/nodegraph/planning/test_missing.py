"""What is missing beside a workflow: the problem names what helps, and is over when it is there."""

from pathlib import Path

import pytest

from nodegraph.failure import Missing
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Node, Port
from nodegraph.node import node
from nodegraph.planning.plan import Planner, Problem, plan
from nodegraph.running.engine import Engine, Settings
from nodegraph.running.messages import Event, Finished, Run
from tests.nodegraph.toys import REGISTRY, build
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


def test_a_problem_of_another_kind_has_none():
    (problem,) = plan(build({"half": ("plain.divide", {"b": 0.0})}), REGISTRY).problems
    assert problem == Problem("half", None, "cannot divide by 0", "")


@node("plain.seek")
def seek(place: str = "") -> float:
    raise Missing("nothing is there", "clay", (place,))


def test_where_what_is_missing_is_looked_for_there_may_be_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("nodegraph.planning.fingerprints.MAX_FILES", 0)
    (tmp_path / "rubble").touch()
    planner = Planner({"plain.seek": seek.node_type})  # type: ignore[attr-defined]
    for _ in range(2):
        planned = planner.plan(build({"seek": ("plain.seek", {"place": str(tmp_path)})}))
        assert planned.problems == (Problem("seek", None, "nothing is there", "clay"),)


def test_the_same_graph_is_planned_once_it_is_there():
    planner = Planner(discover("tests.toy_nodes"))
    assert planner.plan(GRAPH).problems
    find("red")
    planned = planner.plan(GRAPH)
    assert not planned.problems
    assert planned.keys.keys() == {"pot", "show"}


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
