"""Who does which cell and what is sent where, with workers of this process: no other is started."""

import json
import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from denoodle.cluster import worker as module
from denoodle.cluster.driver import Answer, Driver, Stopped
from denoodle.cluster.worker import Worker
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Port
from nodegraph.running.engine import Engine
from nodegraph.running.messages import Event, Finished, Idle, Saved
from nodegraph.sweeping.axes import Axis
from nodegraph.sweeping.here import Came
from nodegraph.sweeping.ledger import Ledger, opened
from nodegraph.sweeping.sweep import Cell, Sweep
from tests.denoodle.test_cluster import graph_of, levels, named

TOYS = discover("tests.toy_nodes")
SIX = Sweep((Axis(Port("box", "value"), tuple(map(float, range(6)))),))


class Shop:
    """Workers that work when they are asked for answers. devices: of each, in the order in which they are hired.

    dying: those that die of their first job. log: what was asked of whom.
    """

    def __init__(self, devices: str = "cpu cpu", dying: tuple[int, ...] = ()) -> None:
        self.devices, self.dying = devices.split(), dying
        self.workers: dict[int, Worker] = {}
        self.jobs: dict[int, str] = {}
        self.count, self.stopped = 0, False
        self.log: list[tuple[Any, ...]] = []

    def hire(self) -> int:
        device = self.devices[self.count % len(self.devices)]
        self.count += 1
        settings = {"package": "tests.toy_nodes", "cache": None, "device": device}
        self.workers[self.count] = Worker(json.dumps(settings))
        return self.count

    def hello(self, worker: int, seconds: float) -> dict[str, Any]:
        return json.loads(self.workers[worker].hello())

    def dismiss(self, worker: int) -> None:
        self.log.append(("dismiss", worker))

    def find(self, worker: int, wanted: str) -> str:
        self.log.append(("find", worker))
        return self.workers[worker].find(wanted)

    def send(self, worker: int, wanted: str, part: str, data: bytes, last: bool) -> None:
        self.log.append(("send", worker, part, len(data)))
        self.workers[worker].receive(wanted, part, data, last)

    def keep(self, worker: int, wanted: str) -> str:
        return self.workers[worker].keep(wanted)

    def begin(self, worker: int, job: str) -> None:
        self.jobs[worker] = job

    def answers(self, seconds: float) -> Iterator[Answer]:
        worker = min(self.jobs)
        job = self.jobs.pop(worker)
        if worker in self.dying:
            del self.workers[worker]
            yield Answer(worker, None, [])
        else:
            yield Answer(worker, *self.workers[worker].compute(job))

    def news(self) -> list[str]:
        return []

    def stop(self) -> None:
        self.stopped = True


class Made:
    """A sweep by the workers of a shop."""

    def __init__(self, shop: Shop, ledger: Ledger, graph: Graph, stop: Callable[[], bool] = lambda: False) -> None:
        self.said: list[str] = []
        self.events: list[tuple[Cell, Event]] = []
        driver = Driver(shop, TOYS, TOYS, self.said.append)
        hired = driver.hire(2)
        coming = driver.came(
            graph, ("print",), SIX, SIX.cells(), ledger, hired, lambda *told: self.events.append(told), stop
        )
        self.came: list[Came] = list(coming)

    def levels(self) -> list[int]:
        return levels([one.images[0] for one in sorted(self.came)], Path())


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    monkeypatch.setenv("DENOODLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DENOODLE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(Engine, "configure", lambda self: None)  # toys need none, and it takes a while
    with opened(tmp_path / "out") as made:
        yield made


def test_what_happens_in_a_cell_is_told_as_the_engine_of_a_window_does_and_what_was_saved_lies_where_it_stays(
    ledger: Ledger,
):
    made = Made(Shop(), ledger, graph_of(1))
    assert made.levels() == [1, 2, 3, 4, 5, 6]
    for one in made.came:
        events = [event for cell, event in made.events if cell == one.cell]
        assert [event.path for event in events if isinstance(event, Saved)] == list(one.images)
        assert any(isinstance(event, Finished) and event.picture for event in events)
        assert sum(isinstance(event, Idle) for event in events) == 1


def test_a_worker_that_dies_is_replaced_and_its_cell_done_again(ledger: Ledger):
    made = Made(Shop(dying=(1,)), ledger, graph_of(1))
    assert made.levels() == [1, 2, 3, 4, 5, 6]
    assert made.said == [f"worker 1 on {platform.node()} is gone; another takes its place, and its cell is done again"]


def test_those_that_compute_otherwise_than_most_are_left_out(ledger: Ledger):
    shop = Shop("old cpu cpu")
    made: list[str] = []
    driver = Driver(shop, TOYS, TOYS, made.append)
    assert driver.hire(3) == [2, 3]
    assert driver.environment == "toy on cpu"
    assert shop.log == [("dismiss", 1)]
    assert "computes otherwise than the others, 'toy on old'; it is left out" in made[0]


def test_a_worker_of_another_version_is_refused():
    shop = Shop()
    shop.hello = lambda worker, seconds: {
        "host": "far",
        "environment": "",
        "versions": {"denoodle": "0.0", "torch": ""},
    }
    with pytest.raises(ValueError, match=r"the worker on far has denoodle 0\.0; it must have "):
        Driver(shop, TOYS, TOYS, print).hire(1)


def test_whoever_stops_while_workers_start_waits_for_none():
    shop = Shop()
    shop.hello = lambda worker, seconds: None  # which never start
    with pytest.raises(Stopped):
        Driver(shop, TOYS, TOYS, print).hire(2, lambda: True)


def test_a_file_that_workers_lack_is_sent_once_to_their_machine(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "locate", lambda path: None)  # nothing of this machine is there
    (tmp_path / "words.txt").write_text("a cat")
    shop = Shop()
    made = Made(shop, ledger, named(graph_of(1), tmp_path / "words.txt"))
    assert made.levels() == [1, 2, 3, 4, 5, 6]
    assert shop.log == [("find", 1), ("send", 1, "", 5), ("find", 2)]  # the second finds it where the first has it
    assert made.said == [f"sending {tmp_path / 'words.txt'} to worker 1 on {platform.node()}"]


def test_a_folder_that_workers_lack_is_sent_as_its_files(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "locate", lambda path: None)
    (tmp_path / "pipe" / "unet").mkdir(parents=True)
    (tmp_path / "pipe" / "model_index.json").write_text("{}")
    (tmp_path / "pipe" / "unet" / "w.bin").write_bytes(b"123")
    shop = Shop()
    made = Made(shop, ledger, named(graph_of(1), tmp_path / "pipe"))
    assert made.levels() == [1, 2, 3, 4, 5, 6]
    assert shop.log[1:3] == [("send", 1, "model_index.json", 2), ("send", 1, "unet/w.bin", 3)]


def test_a_worker_that_cannot_take_a_file_is_left_out_with_a_sentence_and_the_others_do_its_cells(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "locate", lambda path: None)
    (tmp_path / "words.txt").write_text("a cat")
    graph = named(graph_of(1), tmp_path / "words.txt")
    full = OSError(28, "No space left on device")

    def refuse(those: tuple[int, ...]) -> Shop:
        shop = Shop()

        def send(worker: int, wanted: str, part: str, data: bytes, last: bool) -> None:
            if worker in those:
                raise full
            shop.workers[worker].receive(wanted, part, data, last)

        shop.send = send
        return shop

    nobody = Made(refuse((1, 2)), ledger, graph)
    lacks = f"worker 1 on {platform.node()} lacks {tmp_path / 'words.txt'}"
    why = f"{lacks}, and it could not be sent: No space left on device"
    assert nobody.said[1] == f"{why}; it is left out"
    assert [one.failures[0].message for one in nobody.came] == [why.replace("worker 1", "worker 2")] * 6
    made = Made(refuse((1,)), ledger, graph)
    assert made.levels() == [1, 2, 3, 4, 5, 6]


def test_stopping_tells_which_cells_were_not_finished(ledger: Ledger):
    shop = Shop()
    made = Made(shop, ledger, graph_of(1), lambda: len(ledger._files) >= 2)
    assert shop.stopped
    assert [one.stopped for one in made.came] == [False, False, True, True]


def test_what_the_ledger_has_is_given_to_nobody(ledger: Ledger):
    Made(Shop(), ledger, graph_of(1))
    shop = Shop()
    again = Made(shop, ledger, graph_of(1))
    assert again.levels() == [1, 2, 3, 4, 5, 6]
    assert sum(one.run for one in again.came) == 0
    assert again.events == []


def test_where_every_worker_dies_at_once_it_ends_with_a_sentence(ledger: Ledger):
    shop = Shop(dying=tuple(range(100)))
    many = Sweep((Axis(Port("box", "value"), tuple(map(float, range(40)))),))
    driver = Driver(shop, TOYS, TOYS, lambda sentence: None)
    came = list(driver.came(graph_of(1), ("print",), many, many.cells(), ledger, driver.hire(1)))
    assert len(came) == 40
    assert shop.count == 20
    assert came[-1].failures[0].message == "20 workers died one after the other"
