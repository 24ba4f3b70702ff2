"""Something that is done once, beside what the engine computes, in a process that can be ended at any time."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nodegraph.failure import explain

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Told = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class Went:
    """How far it is; all: 0 when that is not known."""

    done: int
    all: int


@dataclass(frozen=True, slots=True)
class Done:
    result: str


@dataclass(frozen=True, slots=True)
class Refused:
    """message: why it could not be done, in a sentence. traceback: for the log; empty when the sentence says it all."""

    message: str
    traceback: str = ""


class Errand:
    """act: a function of a module, called in the process with what it is given and with who is told how far it is.

    Nothing here waits: `news` is asked for now and then.
    """

    def __init__(self, act: Callable[[Any, Told], str], given: str | None) -> None:
        import multiprocessing  # as late as the engine's

        context = multiprocessing.get_context("spawn")  # as the engine's: this process has threads and a window
        self._conn, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=_work, args=(theirs, act, given), name="errand", daemon=True)
        self._process.start()
        theirs.close()
        self.over = False

    def news(self) -> Iterator[Went | Done | Refused]:
        """What was heard since. Done or Refused is the last of all; nothing comes of one that was stopped."""
        while not self.over:
            try:
                if not self._conn.poll():
                    return
                event: Went | Done | Refused = self._conn.recv()
            except (EOFError, OSError):
                self._process.join()
                event = Refused(f"it ended without a word (exit code {self._process.exitcode})")
            self.over = not isinstance(event, Went)
            yield event

    def stop(self) -> None:
        """Let it put away what it has begun, and end. What does not end by itself does so with `close`."""
        self.over = True
        self._process.terminate()

    def close(self) -> None:
        """End it at once."""
        self.over = True
        self._process.kill()
        self._process.join()
        self._conn.close()


def _work(conn: Connection, act: Callable[[Any, Told], str], given: str | None) -> None:
    """The main function of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for the window to answer
    signal.signal(signal.SIGTERM, _leave)

    def told(done: int, whole: int) -> None:
        conn.send(Went(done, whole))

    try:
        answer = Done(act(given, told))
    except Exception as error:
        answer = Refused(*explain(error))
    with contextlib.suppress(OSError):  # nobody waits any more
        conn.send(answer)


def _leave(*_: object) -> None:
    """Not at once: temporary files are taken away."""
    sys.exit(0)
