"""The list of problems: what is wrong with the graph, whether anybody looks or not."""

import pytest

from nodegraph.planning.plan import Problem
from nodegraph.running.messages import Failed
from ui.panels.problems import Problems


@pytest.fixture
def problems(qtbot, document, runs) -> Problems:
    """Not shown yet."""
    made = Problems(document, runs)
    qtbot.addWidget(made)
    made.resize(400, 200)
    return made


def listed(problems: Problems) -> list[str]:
    return [problems.rows.index(row).data() for row in range(problems.rows.rowCount())]


def test_problems_that_nobody_sees_are_counted_and_not_listed(problems, qtbot, monkeypatch):
    told: list[int] = []
    problems.counted.connect(lambda: told.append(problems.count()))
    problems.show_problems([Problem("sum", "a", "nothing is connected"), Problem("left", None, "too large")])
    assert (problems.count(), told) == (2, [2])
    assert listed(problems) == []
    problems.show()
    assert listed(problems) == ["Add, A: nothing is connected", "Box: too large"]


def test_many_nodes_that_fail_at_once_are_counted_once(problems, qtbot):
    told: list[int] = []
    problems.counted.connect(lambda: told.append(problems.count()))
    problems.show()
    for node in ("left", "right", "sum"):
        problems.runs.take(Failed(node, "the box must be red"))
    qtbot.waitUntil(lambda: told == [3])
    assert listed(problems) == [f"{title} failed: the box must be red" for title in ("Box", "Box", "Add")]
