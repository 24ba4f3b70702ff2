"""The order of jobs, and how they are kept: pure functions."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodegraph.graph import Graph, Node, Port
from nodegraph.pieces import finish
from nodegraph.sweeping.axes import Axis
from nodegraph.sweeping.sweep import Sweep
from nodegraph.sweeping.sweep import in_order as in_share_order
from ui.runs.job import HIGHEST, LOWEST, Job, in_order, read_jobs, written
from ui.runs.sweep_names import chosen

JOBS = st.lists(
    st.tuples(
        st.sampled_from(("pending", "pending", "running", "done")),
        st.integers(LOWEST, HIGHEST),
        st.sampled_from(("", "", "fox", "owl")),
    ),
    max_size=12,
)


@given(JOBS)
def test_what_waits_stands_by_priority_and_sweeps_in_one_stretch_and_the_rest_stays(made: list[tuple[str, int, str]]):
    blocks = {block: priority for _, priority, block in made if block}  # all cells of a sweep have one
    jobs = [
        Job(id, "", Graph(), (), state, priority=blocks.get(block, priority), block=block)  # type: ignore[arg-type]
        for id, (state, priority, block) in enumerate(made)
    ]
    after = in_order(jobs)
    assert sorted(job.id for job in after) == [job.id for job in jobs]
    assert all(old is new for old, new in zip(jobs, after, strict=True) if old.state != "pending")
    waiting = [job for job in after if job.state == "pending"]
    assert [job.priority for job in waiting] == sorted((job.priority for job in waiting), reverse=True)
    turns = [job.block or str(job.id) for job in waiting]
    changes = [turn for number, turn in enumerate(turns) if number == 0 or turns[number - 1] != turn]
    assert len(changes) == len(set(changes))


def test_what_the_file_of_the_queue_says_comes_back():
    graph = Graph({"a": Node("toy.box")})
    job = Job(
        1, "fox: 2", graph, ("a",), "done", 1.0, 2.5, "", ("/x/fox.png",), tag="sweep 1", document="fox", priority=-1,
        block="b", cells=7,
    )  # fmt: skip
    assert read_jobs(written([job], {})) == [job]


def test_a_queue_of_an_earlier_version_is_read():
    entry = json.loads(written([Job(1, "old", Graph(), ("a",))], {}))["jobs"][0]
    for name in ("document", "priority", "block", "cells"):
        del entry[name]
    assert read_jobs(json.dumps({"jobs": [entry]}).encode()) == [Job(1, "old", Graph(), ("a",))]


@pytest.mark.parametrize(("name", "value"), [("priority", 9), ("priority", "high"), ("cells", 0), ("cells", 1.5)])
def test_what_no_job_can_have_is_refused(name: str, value: object):
    entry = json.loads(written([Job(1, "old", Graph(), ("a",))], {}))["jobs"][0] | {name: value}
    with pytest.raises(ValueError, match=repr(value)):
        read_jobs(json.dumps({"jobs": [entry]}).encode())


def test_the_cells_of_a_sweep_come_in_the_order_in_which_they_share_most():
    sweep = Sweep((Axis(Port("a", "x"), (1.0, 2.0)), Axis(Port("b", "y"), (1.0, 2.0, 3.0))))
    names = {cell: str(cell) for cell in sweep.cells()}
    for slowest in ([0, 1], [1, 0]):
        todo = finish(chosen(sweep.cells(), names, slowest, lambda name: True))
        assert list(todo.values())[::-1] == in_share_order(sweep.cells(), slowest)
