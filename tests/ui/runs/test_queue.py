"""Runs that wait for their turn, on a real engine process."""

import json

import pytest

from nodegraph.graph import change_node, set_param
from nodegraph.running.engine import Settings
from nodegraph.running.messages import Finished, Started
from tests.ui.engines import LONG, Desk, loop, slow
from ui.runs.engine import Engine
from ui.runs.queue import Queue


def states(queue: Queue) -> list[str]:
    return [job.state for job in queue.jobs]


@pytest.fixture
def reopened(desk: Desk, qtbot):
    """The queue of the next start of the program, from the same folder."""
    made: list[tuple[Queue, Engine]] = []

    def reopen() -> Queue:
        desk.queue.close()
        engine = Engine(Settings("tests.toy_nodes", cache=None))
        made.append((Queue(engine, desk.folder), engine))
        return made[-1][0]

    yield reopen
    for queue, engine in made:
        engine.close()
        queue.close()


def test_jobs_run_one_after_the_other_in_their_order(desk: Desk, qtbot):
    began: list[str] = []
    desk.queue.began.connect(lambda job: began.append(job.title))
    for title in ("first", "second", "third"):
        desk.queue.add(slow(1, tag=title), ("save",), title)
    assert states(desk.queue) == ["running", "pending", "pending"]
    qtbot.waitUntil(lambda: states(desk.queue) == ["done"] * 3, timeout=LONG)
    assert began == ["first", "second", "third"]
    assert all(job.saved and job.picture and job.seconds > 0 and job.fraction == 1 for job in desk.queue.jobs)


def test_a_job_runs_the_graph_as_it_was_when_it_was_queued(desk: Desk, qtbot):
    runner = desk.open(slow(1, value=1.0))
    desk.queue.pause()
    runner.enqueue()
    runner.document.set_param("box", "value", 2.0)
    runner.enqueue()
    desk.queue.resume()
    qtbot.waitUntil(lambda: states(desk.queue) == ["done"] * 2, timeout=LONG)
    assert [job.graph.nodes["box"].params["value"] for job in desk.queue.jobs] == [1.0, 2.0]


def test_the_document_of_a_job_shows_how_it_goes_and_others_do_not(desk: Desk, qtbot):
    mine, other = desk.open(slow(1)), desk.open(slow(1))
    mine.enqueue()
    qtbot.waitUntil(lambda: states(desk.queue) == ["done"], timeout=LONG)
    assert mine.runs.of("save").state == "done"
    assert not other.runs.nodes


def test_what_is_run_by_hand_goes_first_and_the_job_goes_on_afterwards(desk: Desk, qtbot):
    job = desk.queue.add(loop(60), ("save",), "long")
    qtbot.waitUntil(lambda: desk.queue.job(job.id).fraction > 0.1, timeout=LONG)
    runner = desk.open(slow(5))
    runner.run()
    qtbot.waitUntil(lambda: states(desk.queue) == ["pending"], timeout=LONG)
    computed: list[Finished] = []
    desk.queue.happened.connect(lambda id, e: computed.append(e) if isinstance(e, Finished) and not e.cached else None)
    qtbot.waitUntil(lambda: states(desk.queue) == ["done"], timeout=LONG)
    assert runner.runs.of("save").state == "done"
    assert sum(event.node == "step" for event in computed) < 60  # the others were there already


def test_pausing_finishes_the_step_and_resuming_goes_on_from_there(desk: Desk, qtbot):
    job = desk.queue.add(loop(30), ("save",), "long")
    qtbot.waitUntil(lambda: desk.queue.job(job.id).fraction > 0.1, timeout=LONG)
    desk.queue.pause()
    assert desk.queue.pausing
    qtbot.waitUntil(lambda: states(desk.queue) == ["pending"] and not desk.engine.running, timeout=LONG)
    assert not desk.queue.pausing
    so_far, later = desk.queue.jobs[0].fraction, list[float]()
    desk.queue.changed.connect(lambda id: later.append(desk.queue.job(id).fraction))
    desk.queue.resume()
    qtbot.waitUntil(lambda: states(desk.queue) == ["done"], timeout=LONG)
    assert min(later) >= so_far > 0


def test_cancelling_stops_a_running_job_and_the_next_one_begins(desk: Desk, qtbot):
    first = desk.queue.add(slow(100_000), ("save",), "endless")
    waiting = desk.queue.add(slow(1), ("save",), "waiting")
    last = desk.queue.add(slow(1), ("save",), "last")
    qtbot.waitUntil(lambda: desk.engine.ready, timeout=LONG)
    desk.queue.cancel(waiting.id)
    desk.queue.cancel(first.id)
    qtbot.waitUntil(lambda: desk.queue.job(last.id).state == "done", timeout=LONG)
    assert states(desk.queue) == ["cancelled", "cancelled", "done"]


def test_a_job_that_had_to_be_cancelled_by_force_is_cancelled(desk: Desk, qtbot):
    desk.engine._patience.setInterval(50)
    job = desk.queue.add(change_node(slow(1), "slow", type="toy.deaf", params={}), ("save",), "deaf")
    with qtbot.waitSignal(
        desk.engine.happened, timeout=LONG, check_params_cb=lambda e: isinstance(e, Started) and e.node == "slow"
    ):
        pass
    desk.queue.cancel(job.id)
    qtbot.waitUntil(lambda: desk.queue.job(job.id).over, timeout=LONG)
    assert states(desk.queue) == ["cancelled"]


def test_a_failed_job_says_why_and_can_be_tried_again(desk: Desk, qtbot):
    graph = set_param(slow(1), "slow", "parts", 0)  # below its range
    job = desk.queue.add(graph, ("save",), "wrong")
    qtbot.waitUntil(lambda: states(desk.queue) == ["failed"], timeout=LONG)
    assert desk.queue.job(job.id).message == "slow: parts must be between 1 and 100000, got 0"
    desk.queue.retry(job.id)
    assert states(desk.queue) == ["running"]


def test_a_removed_job_is_stopped(desk: Desk, qtbot):
    job = desk.queue.add(slow(100_000), ("save",), "endless")
    qtbot.waitUntil(lambda: desk.engine.ready, timeout=LONG)
    desk.queue.remove(job.id)
    qtbot.waitUntil(lambda: not desk.engine.running, timeout=LONG)
    assert not desk.queue.jobs


def test_the_document_of_a_removed_job_is_not_left_running(desk: Desk, qtbot):
    runner = desk.open(slow(100_000))
    runner.enqueue()
    qtbot.waitUntil(lambda: runner.runs.of("slow").state == "running", timeout=LONG)
    desk.queue.pause()
    desk.queue.remove(desk.queue.jobs[0].id)
    assert not runner.runs.running
    assert not desk.queue.pausing


@pytest.mark.parametrize("end", ["pause", "cancel"])
def test_a_job_that_ends_early_is_no_finished_run(desk: Desk, qtbot, end: str):
    runner = desk.open(loop(200))
    runner.enqueue()
    qtbot.waitUntil(lambda: runner.runs.finished > 1, timeout=LONG)
    if end == "pause":
        desk.queue.pause()
    else:
        desk.queue.cancel(desk.queue.jobs[0].id)
    qtbot.waitUntil(lambda: not desk.engine.running, timeout=LONG)
    assert runner.finished is None


def test_trying_again_counts_the_time_anew(desk: Desk, qtbot):
    job = desk.queue.add(slow(20), ("save",), "box")
    qtbot.waitUntil(lambda: desk.queue.job(job.id).over, timeout=LONG)
    desk.queue.pause()
    desk.queue.retry(job.id)
    assert desk.queue.job(job.id).seconds == 0


def test_a_queue_that_cannot_be_written_says_so(desk: Desk, qtbot):
    (desk.folder / "queue.json").mkdir()
    desk.queue.pause()
    with qtbot.waitSignal(desk.queue.troubled, timeout=LONG) as said:
        desk.queue.add(slow(1), ("save",), "box")
    assert said.args[0].startswith("The queue could not be kept")


def test_the_order_can_be_changed(desk: Desk):
    desk.queue.pause()
    jobs = [desk.queue.add(slow(1), ("save",), title) for title in "abc"]
    desk.queue.move(jobs[2].id, before=jobs[0].id)
    assert [job.title for job in desk.queue.jobs] == ["c", "a", "b"]


def test_the_queue_survives_a_restart_and_waits_to_be_resumed(desk: Desk, qtbot, reopened):
    done = desk.queue.add(slow(1), ("save",), "done")
    qtbot.waitUntil(lambda: desk.queue.job(done.id).state == "done", timeout=LONG)
    desk.queue.add(slow(100_000, tag="running"), ("save",), "running")
    desk.queue.add(slow(1, tag="waiting"), ("save",), "waiting")
    queue = reopened()
    queue.restore()
    assert [(job.title, job.state) for job in queue.jobs] == [
        ("done", "done"),
        ("running", "pending"),
        ("waiting", "pending"),
    ]
    assert [job.graph for job in queue.jobs] == [job.graph for job in desk.queue.jobs]
    assert queue.jobs[0].saved == desk.queue.jobs[0].saved
    assert queue.paused


def test_a_damaged_queue_is_kept_aside_and_said(desk: Desk, reopened):
    (desk.folder / "queue.json").write_text('{"version": 1, "jobs": [{"title"')
    queue = reopened()
    with pytest.raises(ValueError, match=r"queue\.json cannot be read .*; it is kept as queue\.damaged"):
        queue.restore()
    assert (desk.folder / "queue.damaged").exists()
    assert not queue.jobs


def test_a_second_window_of_the_program_keeps_its_hands_off_the_file(desk: Desk, qtbot):
    other = Queue(Engine(Settings("tests.toy_nodes", cache=None)), desk.folder)
    other.pause()
    other.add(slow(1), ("save",), "elsewhere")
    other.close()
    desk.queue.pause()
    desk.queue.add(slow(1), ("save",), "here")
    desk.queue.close()
    titles = [job["title"] for job in json.loads((desk.folder / "queue.json").read_bytes())["jobs"]]
    assert titles == ["here"]
