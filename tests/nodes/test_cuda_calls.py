"""What is asked of torch.cuda, by its names and in its order, where there is no card: a stand-in answers.

It says nothing of a card. It notices a wrong name, a copy that nobody waits for, and a graph that is given no inputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes.backend import launch, resident
from nodes.backend.launch import Cuda, Launcher
from tests.nodes.test_launch import WIDTH, Net, noise, same
from tests.tape import Recording


class Cards:
    """torch.cuda of a card that is always a moment behind."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.busy = True
        cards = self

        class Stream:
            def __init__(self, device: Any = None) -> None:
                self.device = device

            def wait_stream(self, other: Any) -> None:
                cards.said.append("wait_stream")

        class Event:
            def __init__(self, *, enable_timing: bool = False, blocking: bool = False) -> None:
                self.timing = enable_timing

            def record(self, stream: Any = None) -> None:
                cards.said.append("record")

            def query(self) -> bool:
                return not cards.busy

            def synchronize(self) -> None:
                cards.said.append("synchronize")
                cards.busy = False

            def elapsed_time(self, end: Any) -> float:
                assert self.timing
                return 2.0

        self.Stream, self.Event, self.CUDAGraph = Stream, Event, Recording

    def current_stream(self, device: Any = None) -> Any:
        return self.Stream(device)

    @contextmanager
    def stream(self, stream: Any) -> Iterator[None]:
        yield

    @contextmanager
    def graph(self, graph: Recording, *, capture_error_mode: str) -> Iterator[None]:
        assert capture_error_mode == "thread_local"
        with graph:
            yield

    def memory_reserved(self) -> int:
        self.said.append("memory_reserved")
        return 1000 * self.said.count("memory_reserved")


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cards]:
    made = Cards()
    empty = torch.empty

    def unpinned(*args: Any, pin_memory: bool = False, **options: Any) -> Tensor:
        made.said += ["pinned"] if pin_memory else []
        return empty(*args, **options)

    with monkeypatch.context() as patch, torch.inference_mode():
        patch.setattr(torch, "cuda", made)
        patch.setattr(torch, "empty", unpinned)
        yield made


def test_a_result_is_copied_on_a_stream_of_its_own_and_waited_for_by_who_looks(cards: Cards):
    sent = resident._FromCuda(torch.arange(6.0))
    assert cards.said == ["wait_stream", "pinned", "record"]
    assert not sent.arrived()
    with torch.inference_mode(False):
        host = torch.zeros(6)
        sent.into(host)
    assert cards.said[-1] == "synchronize"
    assert sent.arrived()
    assert host.equal(torch.arange(6.0))


def test_a_graph_reads_its_inputs_and_says_what_it_holds(cards: Cards):
    launcher, net = Launcher(Cuda()), Net()
    for call in range(6):
        x = noise(2, WIDTH, seed=call)
        assert same(launcher.call(net, (x,), {}), net(x))
    assert launcher.nbytes() == 1000
    cards.busy = False
    launcher.call(net, (noise(2, WIDTH),), {})
    (kind,) = launcher._kinds.values()
    assert kind.tally.seconds == {"eager": [0.002], "graph": [0.002] * 3}


def test_the_names_are_those_of_torch():
    for name in ("Stream", "Event", "CUDAGraph", "current_stream", "stream", "graph", "memory_reserved"):
        assert hasattr(torch.cuda, name)
    assert "cuda" in launch.LAUNCHERS
    assert "cuda" in resident.LANES
