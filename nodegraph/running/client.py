"""Start the engine process, talk to it, and outlive it."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Callable

from nodegraph import machine
from nodegraph.running.engine import BROKEN, Settings, serve
from nodegraph.running.messages import (
    Broke,
    Event,
    Failed,
    Finished,
    Free,
    Gone,
    Idle,
    Keeps,
    Look,
    Measure,
    Report,
    Request,
    Run,
    Started,
)
from nodegraph.text import quoted

FROM_OUTSIDE = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT")
"""Sent to a process by others; a crash sends none of them."""

DEAF = "did not react"

PATIENCE = 2.0
"""Seconds the engine gets to write what it still holds when it is closed."""


class EngineClient:
    """Runs graphs in a process of its own, and starts another when that one is gone.

    on_event: called from a reader thread, in the order in which things happened. No method waits for the engine,
    except `close` and `restart` for its end. After `close` there is no engine, whatever is asked.
    """

    def __init__(self, settings: Settings, on_event: Callable[[Event], None]) -> None:
        self._settings = settings
        self._on_event = on_event
        self._process: _Process | None = None
        self._closed = False

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.alive

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the engine unless it is there."""
        if self.alive or self._closed:
            return
        if self._process:
            self._process.join()  # it may still be saying that it is gone
        self._process = _Process(self._settings, self._on_event)

    def run(self, run: Run) -> None:
        """Compute this instead of what was asked for before. Starts the engine when it is gone."""
        self.start()
        if self._process:
            self._process.send(run)

    def ask(self, request: Report | Free | Look | Measure | Keeps) -> None:
        """Something about what the engine keeps; without one there is nothing."""
        if self._process and self._process.alive:
            self._process.send(request)

    def restart(self) -> None:
        """End an engine that does not react, and start another. Gone says which node was running."""
        if self._process:
            self._process.kill(DEAF)
        self.start()

    def change(self, settings: Settings) -> None:
        """Go on with other settings: in another process, if there is one."""
        self._settings = settings
        if self._process:
            self._process.kill("was started again with other settings")
            self.start()

    def close(self) -> None:
        """End the engine. No event is delivered after this returns."""
        self._closed = True
        if self._process:
            self._process.close()
            self._process = None


class _Process:
    """One life of the engine: the process, a thread that reads from it and one that writes to it."""

    def __init__(self, settings: Settings, on_event: Callable[[Event], None]) -> None:
        import multiprocessing  # 11 ms of the window's start, which comes before

        # spawn: a forked copy of a process with a window and threads would not live long.
        context = multiprocessing.get_context("spawn")
        self._conn, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, settings), name="engine", daemon=True)
        self._process.start()
        theirs.close()
        self.pid = self._process.pid
        self.alive = True
        self._on_event: Callable[[Event], None] | None = on_event
        self._running: str | None = None
        self._why = ""  # it is ended by us
        self._broke: Broke | None = None
        self._ended_before = machine.processes_ended_for_memory()
        self._outbox: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="engine reader", daemon=True)
        self._writer = threading.Thread(target=self._write, name="engine writer", daemon=True)
        self._reader.start()
        self._writer.start()

    def send(self, request: Request | None) -> None:
        """None asks the engine to end."""
        self._outbox.put(request)

    def kill(self, why: str) -> None:
        self._why = why
        self._process.kill()
        self.join()

    def close(self) -> None:
        self._on_event = None
        self.send(None)
        self._reader.join(PATIENCE)
        self._process.kill()
        self.join()

    def join(self) -> None:
        """Wait for the threads of a process that is gone."""
        self._reader.join()
        self._writer.join()
        self._process.close()

    def _read(self) -> None:
        while True:
            try:
                event: Event = self._conn.recv()
            except (EOFError, OSError):
                break
            match event:
                case Started():
                    self._running = event.node
                case Finished() | Failed() | Idle():
                    self._running = None
                case Broke():
                    self._broke = event
                    continue  # it is told with the end of the process
                case _:
                    pass
            self._emit(event)
        self._process.join()
        self.alive = False
        self.send(None)  # ends the writer
        self._emit(self._gone(self._process.exitcode))

    def _gone(self, code: int | None) -> Gone:
        if self._broke and code == BROKEN:
            node, why = self._broke.node, self._broke.why
            return Gone(code, node, broken_sentence(node, why), True, self._broke.traceback)
        ended = machine.processes_ended_for_memory()
        short = None if ended is None or self._ended_before is None else ended > self._ended_before
        return Gone(code, self._running, _sentence(code, self._running, self._why, short))

    def _write(self) -> None:
        # A thread of its own: sending waits while the engine starts or hangs, and the window must not.
        open = True
        while open:
            waiting = [self._outbox.get()]
            while not self._outbox.empty():
                waiting.append(self._outbox.get())
            open = None not in waiting
            try:
                for request in _still_meant(waiting) if open else [None]:
                    self._conn.send(request)
            except OSError:
                return  # the reader says that the engine is gone

    def _emit(self, event: Event) -> None:
        if on_event := self._on_event:
            on_event(event)


def _still_meant(waiting: list[Request | None]) -> list[Request | None]:
    """Of several Runs only the latest counts."""
    runs = [request for request in waiting if isinstance(request, Run)]
    return [request for request in waiting if not isinstance(request, Run) or request is runs[-1]]


def broken_sentence(node: str | None, why: str) -> str:
    """What the device gave up over, for a person."""
    return f"The device gave up {_where(node)} ({why})."


def _where(node: str | None) -> str:
    return f"while it was running {quoted(node)}" if node else "while nothing was running"


def _sentence(code: int | None, node: str | None, why: str = "", short: bool | None = None) -> str:
    """What the end of the engine process means for a person.

    why: it was ended by us, in words that may follow "The engine"; empty when it was not. short: whether the system
    has ended processes for want of memory meanwhile; None where it does not count them.
    """
    where = _where(node)
    if why == DEAF:
        return f"The engine {why} {where} and was started again."
    if why:
        return f"The engine {why} {where}."
    if code is not None and code < 0:
        number = -code
        name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
        if name == "SIGKILL":
            return f"Something outside the program ended the engine {where} (SIGKILL){_about_memory(short)}"
        if name in FROM_OUTSIDE:
            return f"Something outside the program ended the engine {where} ({name}). The next run starts it again."
        return f"The engine crashed {where} ({name}). The next run starts it again."
    return f"The engine ended {where} (exit code {code}). The next run starts it again."


def _about_memory(short: bool | None) -> str:
    """What is known of a kill. Whoever kills a process leaves no word; only the system counts how often it did so."""
    if short:
        return (
            ": memory had run out, and the system ended a process to get some back. The next run starts it again; try "
            "a smaller picture or batch, or close other programs."
        )
    if short is None:
        return (
            ", and left no reason. The next run starts it again. The system does this when memory runs short: if it "
            "happens again, try a smaller picture or batch."
        )
    return (
        ", and left no reason; it was not the system for want of memory, which counts what it ends. The next run "
        "starts it again."
    )
