"""How far a run is, on a terminal: one line that is written over; elsewhere, such as in a log, a line now and then."""

from __future__ import annotations

import codecs
import io
import shutil
import time
from collections import Counter
from typing import IO, TextIO

from nodegraph.planning.plan import Plan
from nodegraph.running.messages import Event, Failed, Finished, Progress, Saved, Started

BAR = 24
LOG_INTERVAL = 5.0
"""Seconds between two lines about the same node in a log."""


def _escaped(error: UnicodeError) -> tuple[str | bytes, int]:
    """An error handler: bytes of a file name that are no text come out as they were; the rest as `\\u732b`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    one = UnicodeEncodeError(error.encoding, error.object, error.start, error.start + 1, error.reason)
    by_bytes = not error.encoding.startswith(("utf-16", "utf-32"))
    of_a_name = by_bytes and "\udc80" <= error.object[error.start] <= "\udcff"
    return codecs.lookup_error("surrogateescape" if of_a_name else "backslashreplace")(one)


codecs.register_error("denoodle.escaped", _escaped)


def take_all_text(*streams: IO[str] | None) -> None:
    """From now on no character is an error, whatever the encoding of the terminal or the pipe."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="denoodle.escaped")


class ProgressLine:
    """Takes the events of one run of a plan."""

    def __init__(self, plan: Plan, stream: TextIO) -> None:
        self._stream, self._live = stream, stream.isatty()
        self._nodes = [call.node for call in plan.calls.values()]
        self._place = {key: place for place, key in enumerate(plan.calls)}
        self._rounds = Counter(self._nodes)
        self._round: dict[str, int] = {}  # key -> which of its node's calls it is, from 1
        seen: Counter[str] = Counter()
        for key, call in plan.calls.items():
            seen[call.node] += 1
            self._round[key] = seen[call.node]
        self._seconds: dict[str, list[float]] = {}  # node -> what its calls took
        self._current, self._started, self._fraction = "", 0.0, 0.0
        self._logged = 0.0

    def take(self, event: Event) -> None:
        match event:
            case Started():
                self._current, self._started, self._fraction = event.key, time.monotonic(), 0.0
                self._show()
            case Progress():
                self._fraction = event.done / max(event.total, 1)
                self._show()
            case Finished():
                self._finish(event)
            case Failed() | Saved():
                self.clear()  # somebody is about to write a line
            case _:
                pass

    def clear(self) -> None:
        """Take the line away."""
        if self._live:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _finish(self, event: Finished) -> None:
        if not event.cached:
            self._seconds.setdefault(event.node, []).append(event.seconds)
        if not self._live and self._round.get(event.key) == self._rounds[event.node]:
            seconds = self._seconds.get(event.node, [])
            times = f" x {len(seconds)}" if len(seconds) > 1 else ""
            self._log(f"{event.node}{times}: {f'{sum(seconds):.1f} s' if seconds else 'from the cache'}")

    def _show(self) -> None:
        node, number = self._nodes[self._place[self._current]], self._round[self._current]
        rounds = self._rounds[node]
        what = f"{node} {number}/{rounds}" if rounds > 1 else node
        left = self._seconds_left(node)
        if left is not None:
            what += f"  {int(left) // 60}:{int(left) % 60:02} left"
        if not self._live:
            if time.monotonic() - max(self._logged, self._started) > LOG_INTERVAL:
                self._log(what)
            return
        done = (self._place[self._current] + self._fraction) / len(self._nodes)
        bar = "#" * int(done * BAR)
        line = f"[{bar:-<{BAR}}] {done:4.0%}  {what}"
        self._stream.write("\r" + line[: shutil.get_terminal_size().columns - 1] + "\x1b[K")
        self._stream.flush()

    def _seconds_left(self, node: str) -> float | None:
        """From how long the latest call of each node took; None before anything is known."""
        # The latest, not the mean: the first call of a node also loads the network that the others use.
        expected = {name: seconds[-1] for name, seconds in self._seconds.items()}
        elapsed = time.monotonic() - self._started
        if self._fraction:
            expected.setdefault(node, elapsed / self._fraction)
        if node not in expected:
            return None
        later = Counter(self._nodes[self._place[self._current] + 1 :])
        after = sum(expected.get(name, 0.0) * calls for name, calls in later.items())
        return after + max(expected[node] - elapsed, 0.0)

    def _log(self, text: str) -> None:
        self._logged = time.monotonic()
        self._stream.write(f"  {text}\n")
        self._stream.flush()


class SweepLine:
    """How far a sweep is: its cells, and about how long the rest takes."""

    def __init__(self, cells: int, stream: TextIO) -> None:
        self._stream, self._live = stream, stream.isatty()
        self._cells, self._done = cells, 0
        self._computed, self._seconds = 0, 0.0  # of the cells for which anything was computed
        self._node, self._logged = "", time.monotonic()

    def take(self, event: Event) -> None:
        if isinstance(event, Started):
            self._node = event.node
            self._show()

    def came(self, run: int, seconds: float) -> None:
        """A cell is done. run: of its results, those that were computed."""
        self._done += 1
        if run:
            self._computed, self._seconds = self._computed + 1, self._seconds + seconds
        self._show()

    def clear(self) -> None:
        """Take the line away."""
        if self._live:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _show(self) -> None:
        what = f"{self._done}/{self._cells}"
        if self._computed:
            left = int(self._seconds / self._computed * (self._cells - self._done))
            what += f"  about {left // 60}:{left % 60:02} left"
        if not self._live:
            if time.monotonic() - self._logged > LOG_INTERVAL:
                self._logged = time.monotonic()
                self._stream.write(f"  {what}\n")
                self._stream.flush()
            return
        bar = "#" * (BAR * self._done // max(self._cells, 1))
        line = f"[{bar:-<{BAR}}] {what}  {self._node}"
        self._stream.write("\r" + line[: shutil.get_terminal_size().columns - 1] + "\x1b[K")
        self._stream.flush()
