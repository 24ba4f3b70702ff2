"""What the rest of a run will take: by what this machine measured for such calls, and nothing where it did not."""

import pytest

from nodegraph.formats.files import Damaged
from nodegraph.planning.calls import Call
from nodegraph.planning.keys import Ref
from nodegraph.running.pace import Pace
from tests.toy_nodes.boxes import add, settings, slow, step
from ui.runs.due import Due
from ui.window.status import _left


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def due(clock: Clock) -> Due:
    return Due(now=clock)


def calls(size: int, rounds: int = 4, *, seed: int = 0, text: str = "a cat", run: str = "") -> list[Call]:
    """Something of a size, a loop over it, and what makes a picture of the last round."""
    tag = f"{size} {seed} {text}{run}"
    made = [Call(f"start {tag}", "start", (), settings.node_type, {"count": size, "seed": seed, "text": text})]
    for index in range(rounds):
        before = f"step {index - 1} {tag}" if index else f"start {tag}"
        args = {"box": Ref(before, "box"), "amount": float(index)}
        made.append(Call(f"step {index} {tag}", "loop/step", (index,), step.node_type, args))
    last = Ref(f"step {rounds - 1} {tag}", "box")
    return [*made, Call(f"add {tag}", "add", (), add.node_type, {"a": last, "b": last})]


def take(due: Due, clock: Clock, done: list[Call], *seconds: float) -> None:
    for call, took in zip(done, seconds, strict=False):
        due.begin(call.node, call.key)
        clock.now += took
        due.took(call.node, took)


def test_nothing_is_said_of_a_run_before_it_is_known_what_its_longest_part_takes(due, clock):
    run = calls(64)
    due.expect(run)
    take(due, clock, run, 0.01)
    assert due.seconds("") is None
    take(due, clock, run[1:], 2.0, 2.0)
    assert due.seconds("loop") == pytest.approx(2 * 2.0)
    assert due.seconds("") is None  # it ends with what was never measured


def test_a_run_of_the_same_size_is_known_whatever_its_seed_and_text(due, clock):
    run = calls(64)
    due.expect(run)
    take(due, clock, run, 0.01, 2.0, 2.0, 2.0, 2.0, 1.0)
    due.expect(calls(64, 20, seed=7, text="two dogs"))
    assert due.seconds("") == pytest.approx(0.01 + 20 * 2.0 + 1.0)


def test_a_larger_one_is_not_said_to_take_as_long_as_a_small_one(due, clock):
    """1.3 s were left of two minutes, by the size before."""
    run = calls(64)
    due.expect(run)
    take(due, clock, run, 0.01, 0.05, 0.05, 0.05, 0.05, 0.1)
    large = calls(1024)
    due.expect(large)
    assert due.seconds("") is None
    take(due, clock, large, 0.01, 30.0, 30.0)
    assert due.seconds("loop") == pytest.approx(2 * 30.0)
    due.expect(calls(64, run="again"))
    assert due.seconds("") == pytest.approx(0.01 + 4 * 0.05 + 0.1)


def test_what_the_first_call_loads_does_not_count_for_the_others(due, clock):
    run = calls(64)
    due.expect(run)
    take(due, clock, run, 0.01, 22.0, 2.0)
    assert due.seconds("loop") == pytest.approx(2 * 2.0)
    take(due, clock, run[3:], 2.0, 2.0, 1.0)
    again = calls(64, run="after a restart of the engine")
    due.expect(again)
    take(due, clock, again, 0.01, 22.0)
    assert due.seconds("") == pytest.approx(3 * 2.0 + 1.0)


def test_the_estimate_converges_when_the_machine_has_become_slower(due, clock):
    run = calls(64, 10)
    due.expect(run)
    take(due, clock, run, 0.01, *10 * [1.0], 0.1)
    slower = calls(64, 10, run="slower")
    due.expect(slower)
    take(due, clock, slower, 0.01, 3.0, 3.0)
    assert due.seconds("loop") == pytest.approx(8 * 3.0)


def test_one_long_call_is_told_by_how_fast_it_goes_on_not_by_how_long_it_got_ready(due, clock):
    """Training of minutes was said to take an hour: its pictures were encoded before the first step."""
    (train,) = [Call("train", "train", (), slow.node_type, {"parts": 400})]
    due.expect([train])
    due.begin("train", "train")
    clock.now += 20.0  # gets ready
    due.report(0.0)
    assert due.seconds("") is None
    clock.now += 0.5
    due.report(1 / 400)
    assert due.seconds("") is None  # the first part says nothing of the others yet
    for done in range(2, 12):
        clock.now += 0.5
        due.report(done / 400)
    assert due.seconds("") == pytest.approx(0.5 * (400 - 11))
    clock.now += 0.25
    assert due.seconds("") == pytest.approx(0.5 * (400 - 11) - 0.25)


def test_what_was_measured_is_known_after_a_restart(tmp_path, due, clock):
    run = calls(64)
    due.expect(run)
    take(due, clock, run, 0.01, 2.0, 2.0, 2.0, 2.0, 1.0)
    due.pace.save(tmp_path / "pace.json")
    pace = Pace()
    pace.load(tmp_path / "pace.json")
    later = Due(pace, clock)
    later.expect(calls(64))
    assert later.seconds("") == pytest.approx(due.pace.seconds(due._kinds["start"]) + 4 * 2.0 + 1.0)


@pytest.mark.parametrize("damaged", [b"[]", b'{"a": "b"}', b'{"a": -1}', b'{"a": 1e999}', b"{"])
def test_a_file_that_is_damaged_is_refused_and_nothing_is_taken_from_it(tmp_path, damaged):
    (tmp_path / "pace.json").write_bytes(damaged)
    pace = Pace()
    with pytest.raises(Damaged, match=r"pace\.json"):
        pace.load(tmp_path / "pace.json")
    assert pace.seconds("a") is None


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, ""), (0.4, ""), (3.2, "about 3 s left"), (47.9, "about 50 s left"), (117.0, "about 1:55 min left")],
)
def test_it_is_said_to_be_an_estimate(seconds, said):
    assert _left(seconds, "left") == said
