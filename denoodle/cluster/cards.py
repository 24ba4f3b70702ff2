"""Engines in processes of this machine, one for each of its cards."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import queue
import signal
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

from denoodle.cluster.driver import PATIENCE, Answer
from denoodle.cluster.worker import Worker
from nodegraph.running.messages import Device

STOP_SECONDS, END_SECONDS = 1.2, 0.5
PROCESSOR = "cpu"


class Engine(NamedTuple):
    device: str
    process: BaseProcess
    connection: Connection


class Cards:
    """One process for each worker; the next on the device that has fewest. See `denoodle.cluster.driver.Workers`."""

    def __init__(self, settings: dict[str, Any], devices: Sequence[str]) -> None:
        self._settings, self._devices = settings, devices
        self._engines: dict[int, Engine] = {}
        self._doing: set[int] = set()
        self._news: list[str] = []
        self._count = 0

    def hire(self) -> int:
        used = Counter(engine.device for engine in self._engines.values())
        device = min(self._devices, key=lambda name: used[name])
        # spawn: a forked copy of a process with threads would not live long.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        settings = json.dumps(self._settings | {"device": device})
        process = context.Process(target=serve, args=(theirs, settings), name=f"engine on {device}", daemon=True)
        with _without_interrupts():
            process.start()
        theirs.close()
        self._count += 1
        self._engines[self._count] = Engine(device, process, ours)
        return self._count

    def hello(self, worker: int, seconds: float) -> dict[str, Any] | None:
        device, _, connection = self._engines[worker]
        try:
            if not connection.poll(seconds):
                return None
            kind, told = connection.recv()
        except (EOFError, OSError):
            kind, told = "failed", "its process ended"
        if kind == "failed":
            raise ValueError(f"an engine on {device} cannot start: {told}")
        return json.loads(told) | {"host": device}

    def dismiss(self, worker: int) -> None:
        self._end(self._engines.pop(worker))

    def find(self, worker: int, wanted: str) -> str:
        raise ValueError("it has the files of this machine")

    def send(self, worker: int, wanted: str, part: str, data: bytes, last: bool) -> None:
        raise ValueError("it has the files of this machine")

    def keep(self, worker: int, wanted: str) -> str:
        raise ValueError("it has the files of this machine")

    def begin(self, worker: int, job: str) -> None:
        self._doing.add(worker)
        with contextlib.suppress(OSError):  # it died: the end of its connection says so
            self._engines[worker].connection.send(job)

    def answers(self, seconds: float) -> Iterator[Answer]:
        at_work = {self._engines[worker].connection: worker for worker in self._doing}
        for connection in wait(list(at_work), seconds):
            worker = at_work[connection]  # type: ignore[index]
            try:
                told: tuple[Any, ...] = connection.recv()  # type: ignore[union-attr]
            except (EOFError, OSError):
                told = ("failed",)
            # One that took another's place says who it is as well; its first answer tells whether it is fit.
            if told[0] == "news":
                self._news += told[1]
            elif told[0] == "answer":
                self._doing.remove(worker)
                yield Answer(worker, *told[1:])
            elif told[0] == "failed":
                self._doing.remove(worker)
                self._end(self._engines.pop(worker))
                yield Answer(worker, None, [])

    def news(self) -> list[str]:
        told, self._news = self._news, []
        return told

    def stop(self) -> None:
        for engine in self._engines.values():
            with contextlib.suppress(OSError):
                engine.connection.send("stop")
        end = time.monotonic() + STOP_SECONDS
        while self._doing and (left := end - time.monotonic()) > 0:
            for _ in self.answers(left):
                pass
        self.close()

    def close(self) -> None:
        """Results that are still to be written are, within a second."""
        for engine in self._engines.values():
            with contextlib.suppress(OSError):
                engine.connection.send(None)
        end = time.monotonic() + END_SECONDS
        for engine in self._engines.values():
            engine.process.join(max(end - time.monotonic(), 0.0))
            self._end(engine)
        self._engines, self._doing = {}, set()

    @staticmethod
    def _end(engine: Engine) -> None:
        engine.process.kill()
        engine.process.join()
        engine.connection.close()


@contextmanager
def _without_interrupts() -> Generator[None]:
    """What is started meanwhile hears no Ctrl-C, which a terminal tells all processes of a command: not even while it
    is still importing.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # which would let interrupts through again when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def serve(connection: Connection, settings: str) -> None:
    """The main function of such a process: takes jobs, "stop" or None (end), sends ("hello", text), ("news", lines),
    ("answer", text, data) or ("failed", why).
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for the command to answer
    try:
        worker = Worker(settings)
    except (ImportError, ValueError, OSError) as error:
        connection.send(("failed", str(error)))
        return
    sending, jobs = threading.Lock(), queue.SimpleQueue[str | None]()

    def send(*told: Any) -> None:
        with sending:
            connection.send(told)

    def listen() -> None:
        asked: str | None = ""
        while asked is not None:
            try:
                if connection.poll(PATIENCE):
                    asked = connection.recv()
                    worker.stop() if asked == "stop" else jobs.put(asked)
                elif news := worker.news():
                    send("news", news)
            except (EOFError, OSError):  # the command is gone
                asked = None
                worker.stop()
                jobs.put(None)

    send("hello", worker.hello())
    threading.Thread(target=listen, name="listener", daemon=True).start()
    while (job := jobs.get()) is not None:
        send("answer", *worker.compute(job))
    worker.end()


def usable(devices: Sequence[Device], wish: str) -> list[str]:
    """The names of those that compute: the one that is wished for, else all cards, else the processor."""
    if wish != "auto" or not devices:
        return [wish]
    there = [device.name for device in devices if not device.problem]
    # The processor is of no help beside a card: it feeds all of them.
    return [name for name in there if name != PROCESSOR] or [PROCESSOR]


@contextmanager
def dealt(workers: int | None, settings: dict[str, Any]) -> Generator[tuple[Cards, int]]:
    """The cards of this machine, and how many engines there are to be: one for each unless `workers` says otherwise.

    settings: of `Worker`. Raises ImportError when the package of nodes is not there.
    """
    package = import_module(settings["package"])
    devices = usable(package.devices() if hasattr(package, "devices") else (), settings["device"])
    cards = Cards(settings, devices)
    try:
        yield cards, workers or len(devices)
    finally:
        cards.close()
