import io

import pytest

from denoodle.terminal import ProgressLine, take_all_text
from nodegraph.formats.package import discover
from nodegraph.planning.plan import Plan, plan
from nodegraph.running.messages import Failed, Finished, Progress, Started
from tests.examples import each
from tests.nodegraph.running.test_engine import loop
from tests.nodegraph.test_text import NASTY


class Terminal(io.StringIO):
    def __init__(self, live: bool):
        super().__init__()
        self.live = live

    def isatty(self) -> bool:
        return self.live

    def last(self) -> str:
        return self.getvalue().split("\r")[-1].removesuffix("\x1b[K")


@each("encoding", ["ascii", "cp1252", "cp932", "utf-8", "utf-16"])
@each("text", NASTY)
def test_every_text_can_be_printed_on_every_terminal(encoding: str, text: str):
    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    take_all_text(stream, None)
    print(f"before {text} behind", file=stream, flush=True)
    assert "before ".encode(encoding) in stream.buffer.getvalue()
    assert b"d" in stream.buffer.getvalue()[-4:]


def test_a_file_name_comes_out_with_the_bytes_it_has():
    stream = io.TextIOWrapper(io.BytesIO(), "ascii")
    take_all_text(stream)
    print("caf\udcc3\udca9 猫", file=stream, end="", flush=True)
    assert stream.buffer.getvalue() == "café \\u732b".encode()


@pytest.fixture
def ten() -> Plan:
    """A box, then ten rounds of slow and step, then show: 22 calls."""
    return plan(loop(10), discover("tests.toy_nodes"), ("show",))


def call(plan: Plan, node: str, iteration: int) -> str:
    return next(c.key for c in plan.calls.values() if (c.node, c.iteration) == (node, (iteration,)))


def test_the_line_names_node_and_round_and_how_far_the_whole_is(ten: Plan):
    terminal = Terminal(live=True)
    ProgressLine(ten, terminal).take(Started("step", call(ten, "step", 4), (4,)))
    # box and five rounds of slow and four of step are behind it: 10 of 22
    assert terminal.last() == "[##########--------------]  45%  step 5/10"


def test_time_left_is_what_rounds_took_so_far(ten: Plan):
    terminal = Terminal(live=True)
    progress = ProgressLine(ten, terminal)
    for i in range(2):
        progress.take(Started("slow", call(ten, "slow", i), (i,)))
        progress.take(Finished("slow", call(ten, "slow", i), (i,), 10.05, cached=False))
    progress.take(Started("slow", call(ten, "slow", 2), (2,)))
    assert terminal.last().endswith("slow 3/10  1:20 left")  # 8 rounds of 10.05 s, this one included: 80.4 s


def test_progress_within_a_call_moves_the_bar(ten: Plan):
    terminal = Terminal(live=True)
    progress = ProgressLine(ten, terminal)
    progress.take(Started("show", list(ten.calls)[-1]))
    progress.take(Progress("show", 1, 2))
    assert " 98%  show" in terminal.last()


def test_the_line_makes_room_for_a_failure(ten: Plan):
    terminal = Terminal(live=True)
    progress = ProgressLine(ten, terminal)
    progress.take(Started("show", list(ten.calls)[-1]))
    progress.take(Failed("show", "no"))
    assert terminal.last() == ""


def test_a_log_gets_a_line_a_node(ten: Plan):
    terminal = Terminal(live=False)
    progress = ProgressLine(ten, terminal)
    for i in range(10):
        progress.take(Started("slow", call(ten, "slow", i), (i,)))
        progress.take(Finished("slow", call(ten, "slow", i), (i,), 0.25, cached=False))
    progress.take(Finished("step", call(ten, "step", 9), (9,), 0.0, cached=True))
    assert terminal.getvalue() == "  slow x 10: 2.5 s\n  step: from the cache\n"
