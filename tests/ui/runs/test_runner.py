"""Running a document by hand and live, on a real engine process that several documents share."""

from pathlib import Path

from PySide6.QtCore import QTimer
from shiboken6 import delete

from nodegraph.graph import Graph, Node, change_node, set_param
from nodegraph.running.messages import Began, Event, Heard, Idle, Planned, Run, Started
from tests.ui.counting import calls
from tests.ui.engines import LONG, Desk, loop, slow
from ui.runs.runner import Runner


def over(runner: Runner) -> bool:
    return not runner.runs.running and runner.runs.outcome != ""


def saved(desk: Desk) -> set[str]:
    folder = desk.folder / "out"
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def test_two_documents_with_equal_node_ids_hear_of_their_own_run_alone(desk: Desk, qtbot):
    first, second = desk.open(slow(2, 1.0)), desk.open(slow(2, 2.0))
    second.run()
    qtbot.waitUntil(lambda: over(second), timeout=LONG)
    assert second.runs.of("save").state == "done"
    assert not first.runs.nodes


def test_a_run_takes_the_engine_from_the_run_of_another_document(desk: Desk, qtbot):
    first, second = desk.open(slow(100_000)), desk.open(slow(2, 2.0))
    first.run()
    qtbot.waitUntil(lambda: first.runs.of("slow").state == "running", timeout=LONG)
    second.run()
    qtbot.waitUntil(lambda: over(second) and over(first), timeout=LONG)
    assert second.runs.of("save").state == "done"
    assert first.runs.of("slow").state == "idle"


def test_stop_ends_only_the_documents_own_run(desk: Desk, qtbot):
    first, second = desk.open(slow(100_000)), desk.open(slow())
    first.run()
    qtbot.waitUntil(lambda: first.runs.of("slow").state == "running", timeout=LONG)
    second.stop()
    assert desk.engine.running
    first.stop()
    qtbot.waitUntil(lambda: over(first), timeout=LONG)
    assert first.runs.outcome.startswith("Stopped")


def test_a_closed_document_stops_and_hears_nothing(desk: Desk, qtbot):
    runner = desk.open(slow(100_000))
    runner.run()
    qtbot.waitUntil(lambda: runner.runs.of("slow").state == "running", timeout=LONG)
    runner.close()
    qtbot.waitUntil(lambda: not desk.engine.running, timeout=LONG)
    assert runner.runs.of("slow").state == "running"  # as it was when it closed


def test_what_a_closed_document_still_hears_keeps_no_events_from_others(desk: Desk, qtbot, monkeypatch):
    runner = desk.open(slow(100_000))
    runner.run()
    qtbot.waitUntil(lambda: runner.runs.of("slow").state == "running", timeout=LONG)
    runner.close()
    with monkeypatch.context() as patch:
        patch.setattr("ui.base.slices.SLICE", 0.0)
        runner.plan.again()  # as when the first plan, or a new engine, comes before the document is deleted
    delete(runner)
    other = desk.open(slow(2, 2.0))
    other.run()
    qtbot.waitUntil(lambda: over(other), timeout=LONG)


def test_a_document_that_closes_after_the_engine_does_not_start_it_again(desk: Desk, qtbot):
    runner = desk.open(slow(100_000))
    runner.run()
    qtbot.waitUntil(lambda: desk.engine.ready, timeout=LONG)
    desk.close()
    runner.close()
    assert desk.engine.pid is None


def test_when_the_engine_crashes_only_the_run_on_it_is_to_blame(desk: Desk, qtbot):
    graph = slow(2)
    guilty = desk.open(set_param(change_node(graph, "slow", type="toy.crash"), "box", "value", 5.0))
    guilty.run()
    qtbot.waitUntil(lambda: over(guilty), timeout=LONG)
    assert guilty.runs.of("slow").state == "failed"
    other = desk.open(graph)
    other.run()
    qtbot.waitUntil(lambda: over(other), timeout=LONG)
    assert other.runs.of("save").state == "done"


def test_live_runs_show_results_and_write_no_files(desk: Desk, qtbot):
    runner = desk.open(slow(1))
    runner.set_live(True)
    qtbot.waitUntil(lambda: over(runner), timeout=LONG)
    assert runner.runs.of("save").picture is not None
    assert saved(desk) == set()
    runner.run()
    qtbot.waitUntil(lambda: over(runner) and bool(runner.runs.saved), timeout=LONG)
    assert saved(desk) == {"box1.txt"}


def test_running_twice_without_a_change_writes_once(desk: Desk, qtbot):
    runner = desk.open(slow(1))
    for _ in range(2):
        runner.run()
        qtbot.waitUntil(lambda: over(runner), timeout=LONG)
        path = Path(runner.runs.saved[0])
        path.write_text("unchanged")
    assert path.read_text() == "unchanged"
    path.unlink()
    runner.run()
    qtbot.waitUntil(lambda: over(runner), timeout=LONG)
    assert path.exists()


def test_a_live_edit_drops_the_run_before(desk: Desk, qtbot):
    runner = desk.open(slow(100_000))
    runner.set_live(True)
    qtbot.waitUntil(lambda: runner.runs.of("slow").state == "running", timeout=LONG)
    runner.document.set_param("slow", "parts", 1)
    qtbot.waitUntil(lambda: over(runner) and runner.runs.of("save").state == "done", timeout=LONG)


def test_while_a_slider_is_held_less_is_run_and_all_of_it_afterwards(desk: Desk, qtbot, monkeypatch):
    sent: list[Run] = []
    runner = desk.open(slow(20))
    run = desk.engine._client.run
    monkeypatch.setattr(desk.engine._client, "run", lambda request: (sent.append(request), run(request)))
    runner.set_live(True)
    qtbot.waitUntil(lambda: over(runner), timeout=LONG)
    runner.hold(True)
    runner.document.set_param("box", "value", 7.0)
    qtbot.waitUntil(lambda: len(sent) == 2 and over(runner), timeout=LONG)
    runner.hold(False)
    qtbot.waitUntil(lambda: len(sent) == 3 and over(runner), timeout=LONG)
    assert [request.graph.nodes["slow"].params["parts"] for request in sent] == [20, 4, 20]
    assert runner.document.graph.nodes["slow"].params["parts"] == 20
    assert not runner.runs.of("save").stale


def test_while_a_slider_moves_drafts_come_to_their_end_and_the_last_value_is_shown(desk: Desk, qtbot, monkeypatch):
    monkeypatch.setattr("ui.runs.runner.DRAFT_SECONDS", 60)
    monkeypatch.setattr("ui.runs.live_plan.PAUSE_MS", 1)  # so that edits come faster than drafts
    runner = desk.open(slow(20))
    runner.set_live(True)
    qtbot.waitUntil(lambda: over(runner), timeout=LONG)
    ends: list[Idle] = []
    desk.engine.happened.connect(lambda event: ends.append(event) if isinstance(event, Idle) else None)
    runner.hold(True)
    for value in range(10, 40):
        runner.document.set_param("box", "value", float(value))
        qtbot.wait(20)
    qtbot.waitUntil(lambda: (shown := runner.runs.of("save").picture) is not None and shown.rgb[0] == 39, timeout=LONG)
    assert len(ends) > 1  # a run that is dropped has no end


def test_a_random_seed_is_drawn_before_each_run_by_hand_and_undo_brings_it_back(desk: Desk, qtbot):
    graph = slow(1)
    graph = change_node(graph, "box", type="toy.settings", params={"seed": 3}, seed_mode="random")
    runner = desk.open(graph)
    runner.run()
    used = runner.document.graph.nodes["box"].params["seed"]
    qtbot.waitUntil(lambda: over(runner), timeout=LONG)
    assert used != 3
    assert runner.document.graph.nodes["box"].params["seed"] == used  # what is shown is what ran
    runner.document.undo_stack.undo()
    assert runner.document.graph.nodes["box"].params["seed"] == 3


def test_live_runs_leave_seeds_alone(desk: Desk, qtbot):
    runner = desk.open(change_node(slow(1), "box", type="toy.settings", params={"seed": 3}, seed_mode="random"))
    runner.set_live(True)
    qtbot.waitUntil(lambda: over(runner), timeout=LONG)
    assert runner.document.graph.nodes["box"].params["seed"] == 3


def test_a_run_that_is_queued_is_not_run_live_as_well(desk: Desk, qtbot):
    runner = desk.open(change_node(slow(1), "box", type="toy.settings", params={"seed": 3}, seed_mode="increment"))
    runner.set_live(True)
    qtbot.waitUntil(lambda: over(runner), timeout=LONG)
    desk.queue.pause()
    begun: list[Event] = []
    desk.engine.happened.connect(lambda event: begun.append(event) if isinstance(event, Began) else None)
    with qtbot.waitSignal(runner.plan.planned):
        runner.enqueue()
    qtbot.wait(300)
    assert runner.document.graph.nodes["box"].params["seed"] == 4
    assert not begun
    assert "seed 4" in desk.queue.jobs[0].title
    runner.document.set_param("box", "seed", 9)
    qtbot.waitUntil(lambda: bool(begun), timeout=LONG)


def test_the_last_seed_can_be_put_back_and_stays(desk: Desk, qtbot):
    runner = desk.open(change_node(slow(1), "box", type="toy.settings", params={"seed": 3}, seed_mode="increment"))
    runner.run()
    qtbot.waitUntil(lambda: over(runner), timeout=LONG)
    runner.document.set_param("box", "seed", 77)
    runner.use_last_seeds()
    node = runner.document.graph.nodes["box"]
    assert (node.params["seed"], node.seed_mode) == (4, "fixed")


def test_every_round_of_a_loop_can_be_looked_at(desk: Desk, qtbot):
    runner = desk.open(loop(5))
    runner.run()
    qtbot.waitUntil(lambda: over(runner), timeout=LONG)
    assert runner.runs.loops == ("slow", "step")
    assert [step.iteration for step in runner.runs.steps("step")] == [(i,) for i in range(5)]
    assert all(step.picture and step.seconds is not None for step in runner.runs.steps("step"))


def test_a_tab_that_opens_later_knows_results_by_the_same_keys(desk: Desk, qtbot):
    first = desk.open(slow(1))
    first.run()
    qtbot.waitUntil(lambda: over(first), timeout=LONG)
    later = desk.open(slow(1))
    qtbot.waitUntil(lambda: later.plan.ready, timeout=LONG)
    events = []
    desk.engine.happened.connect(events.append)
    later.run()
    qtbot.waitUntil(lambda: over(later), timeout=LONG)
    planned = next(event for event in events if isinstance(event, Planned))
    assert planned.calls == planned.cached
    assert [type(event) for event in events[:2]] == [Heard, Began]
    assert {e.key for e in events if isinstance(e, Started)} <= set(later.plan.now().calls)


def boxes(count: int) -> Graph:
    return Graph({f"n{i}": Node("toy.box", {"value": float(i)}) for i in range(count)})


def test_getting_ready_for_a_run_of_many_nodes_is_done_in_pieces_before_anything_is_heard_of_it(
    desk: Desk, qtbot, monkeypatch
):
    monkeypatch.setattr("ui.base.slices.SLICE", 0.0)
    runner, count = desk.open(boxes(1200)), 1200
    qtbot.waitUntil(lambda: runner.plan.ready and bool(runner.plan.now().calls), timeout=LONG)
    answered: list[bool] = []
    clock = QTimer(interval=0)
    clock.timeout.connect(lambda: answered.append(len(runner.runs.calls_by_key) == count))
    known: list[int] = []
    take = runner.runs.take
    monkeypatch.setattr(runner.runs, "take", lambda event: (known.append(len(runner.runs.calls_by_key)), take(event)))
    clock.start()
    runner.run()
    assert runner.runs.running
    qtbot.waitUntil(lambda: over(runner), timeout=LONG)
    assert answered.count(False) >= 5  # between the pieces
    finished = [seen for seen in known if seen]
    assert finished == known[-len(finished) :]
    assert len(finished) >= count


def test_what_was_edited_during_a_run_is_compared_with_it_in_pieces(desk: Desk, qtbot, monkeypatch):
    runner = desk.open(boxes(1200))
    runner.run()
    qtbot.waitUntil(lambda: over(runner), timeout=LONG)
    monkeypatch.setattr("ui.base.slices.SLICE", 0.0)
    runner.hold(True)
    changed = {f"n{i}": Node("toy.box", {"value": i + 0.5}) for i in range(1200)}
    runner.document.edit("Values", lambda graph: Graph(changed))
    assert calls(lambda: runner.hold(False)) < 1200  # the plan of as many nodes takes more
    qtbot.waitUntil(lambda: runner.runs.of("n1").stale, timeout=LONG)


def test_the_next_run_is_prepared_in_place_of_one_that_was_still_being_prepared(desk: Desk, qtbot, monkeypatch):
    monkeypatch.setattr("ui.base.slices.SLICE", 0.0)
    runner = desk.open(boxes(1200))
    desk.engine.start()
    qtbot.waitUntil(lambda: desk.engine.ready and runner.plan.ready, timeout=LONG)
    prepared: list[set[str]] = []
    runner.runs.planned.connect(lambda: prepared.append({call.node for call in runner.runs.calls_by_key.values()}))
    runner.run()
    runner.run(["n0", "n1"])
    qtbot.waitUntil(lambda: over(runner), timeout=LONG)
    assert prepared[0] == prepared[-1] == {"n0", "n1"}  # once more when the document's own plan comes meanwhile
    # "cached" where the engine had begun with the first of the two; it may have come to others of that one as well
    assert all(runner.runs.of(id).state in ("done", "cached") for id in ("n0", "n1"))


def test_many_nodes_can_be_stopped_before_their_run_is_prepared(desk: Desk, qtbot, monkeypatch):
    monkeypatch.setattr("ui.base.slices.SLICE", 0.0)
    runner = desk.open(boxes(1200))
    desk.engine.start()
    qtbot.waitUntil(lambda: desk.engine.ready and runner.plan.ready, timeout=LONG)
    runner.run()
    runner.stop()
    qtbot.waitUntil(lambda: over(runner), timeout=LONG)
    assert runner.runs.outcome.startswith("Stopped")
    assert not runner.runs.at_work
