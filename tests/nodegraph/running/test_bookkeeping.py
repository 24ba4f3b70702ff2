"""What a node costs beside its own work."""

from nodegraph.planning.plan import Planner
from nodegraph.running.cache import Cache
from tests.ui.counting import calls
from tools.bench.executor import REGISTRY, run, tree

MOST_CALLS = 155
"""Of functions, those of C included, for a node that is planned and run; on CPython 3.11, which makes the most."""


def test_planning_and_running_one_more_node_takes_a_bounded_number_of_calls():
    def cold(size: int) -> int:
        graph = tree(size)
        return calls(lambda: run(Planner(REGISTRY), Cache(1 << 20), graph))

    cold(2)  # what is remembered by class
    assert (cold(120) - cold(20)) / 100 < MOST_CALLS
