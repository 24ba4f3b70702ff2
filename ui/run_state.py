"""What the engine last said about each node. Not part of the document: never saved, never undone."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any, Literal

from PySide6.QtCore import QObject, Signal

from nodegraph import messages as m
from nodegraph.types import Picture
from ui.text import duration

State = Literal["idle", "running", "done", "cached", "failed"]

PICTURE_BYTES = 64 << 20
"""Pictures kept so that going back to earlier settings shows their result at once."""


@dataclass(frozen=True, slots=True)
class NodeRun:
    """One node in the latest run.

    done: how many of its `calls` are over; fraction: the same as 0..1, parts of a call counted.
    seconds: time spent computing. picture: what it looks like, live while it runs. stale: its settings,
    or something upstream, changed since.
    """

    state: State = "idle"
    done: int = 0
    calls: int = 1
    fraction: float = 0.0
    seconds: float = 0.0
    message: str = ""
    picture: Picture | None = None
    stale: bool = False


IDLE = NodeRun()


def owner(node: str) -> str:
    """The node on the canvas that an engine's node id belongs to: "denoise/step" is inside "denoise"."""
    return node.split("/", 1)[0]


class RunState(QObject):
    """Engine events, added up by node. Nodes inside a group count for the group's node."""

    changed = Signal(str)  # node id
    pictured = Signal(str)  # node id whose picture is the newest
    progressed = Signal()  # the run as a whole

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.nodes: dict[str, NodeRun] = {}
        self.running = False
        self.saved: list[str] = []
        self.outcome = ""
        self._stopping = False
        self.calls = self.finished = 0
        self._order: list[str] = []  # engine node id of every call, in plan order
        self._place: dict[str, tuple[int, int]] = {}  # key -> index in the plan, index among its owner's calls
        self._at = 0  # index in the plan of the call that runs
        self._since: float | None = None  # when it started
        self._part = 0.0  # how much of it is done, 0..1
        self._keys: dict[str, str] = {}  # engine node id -> key of its last result
        self._mean: dict[str, float] = {}  # engine node id -> seconds its last call took
        self._pictures: OrderedDict[str, Picture] = OrderedDict()  # by key, oldest first
        self._picture_key: dict[str, str] = {}  # canvas node -> key of the picture it shows

    def of(self, node: str) -> NodeRun:
        return self.nodes.get(node, IDLE)

    def clear(self) -> None:
        """Forget everything: another document is shown."""
        self.begin()
        self.running = False
        self._keys.clear()
        self._picture_key.clear()
        known = list(self.nodes)
        self.nodes.clear()
        for node in known:
            self.changed.emit(node)
        self.progressed.emit()

    def begin(self) -> None:
        """A run is on its way. What is up to date stays so, and is reused."""
        self._order, self._place = [], {}
        self._at, self._since, self._part = 0, None, 0.0
        self.running, self.saved, self.outcome, self._stopping = True, [], "", False
        self.calls = self.finished = 0
        for node, run in list(self.nodes.items()):
            if run.state in ("done", "cached") and not run.stale:
                self._set(node, state="cached")
            else:
                self._set(node, state="idle", done=0, fraction=0.0, seconds=0.0, message="")
        self.progressed.emit()

    def expect(self, calls: Mapping[str, str]) -> None:
        """What the run may consist of. calls: key -> engine node id, in the order of the plan."""
        self._order, self._place = list(calls.values()), {}
        totals: Counter[str] = Counter()
        for index, (key, node) in enumerate(calls.items()):
            self._place[key] = (index, totals[owner(node)])
            totals[owner(node)] += 1
        for node, count in totals.items():
            self._set(node, calls=count)

    def stop(self) -> None:
        """The user asked the run to end."""
        self._stopping = self.running

    def take(self, event: m.Event) -> None:
        match event:
            case m.Planned() if not self._stopping:
                # The Idle of a run that was replaced may have come after this one began.
                self.running, self.calls, self.finished = True, event.calls - event.cached, 0
            case m.Started():
                self._started(event)
            case m.Progress():
                self._progress(event)
            case m.Finished():
                self._finished(event)
            case m.Failed():
                self._failed(owner(event.node), event.message)
            case m.Saved():
                self.saved.append(event.path)
            case m.Idle():
                self._end(self._summary(event))
            case m.Gone():
                self._gone(event)
            case m.Ready() | m.Planned():
                return
        self.progressed.emit()

    def _started(self, event: m.Started) -> None:
        index, done = self._place.get(event.key, (self._at, self.of(owner(event.node)).done))
        self._at, self._since, self._part = index, time.monotonic(), 0.0
        node = owner(event.node)
        seconds = self.of(node).seconds if self.of(node).state == "running" else 0.0
        self._set(node, state="running", done=done, seconds=seconds, message="")

    def _progress(self, event: m.Progress) -> None:
        node, self._part = owner(event.node), min(event.done / max(event.total, 1), 1.0)
        run = self.of(node)
        self._set(node, fraction=min((run.done + self._part) / run.calls, 1.0))
        if event.preview is not None:
            self._show(node, event.preview, key=None)

    def _finished(self, event: m.Finished) -> None:
        node = owner(event.node)
        run = self.of(node)
        self._keys[event.node] = event.key
        done = self._place.get(event.key, (0, run.done))[1] + 1
        seconds = run.seconds
        if not event.cached:
            self.finished += 1
            self._mean[event.node] = event.seconds
            self._since, self._part = None, 0.0
            seconds += event.seconds
        over: State = "cached" if event.cached else "done"
        state = over if done >= run.calls else run.state
        self._set(node, state=state, done=done, fraction=min(done / run.calls, 1.0), seconds=seconds, stale=False)
        if event.picture is not None:
            self._show(node, event.picture, event.key)

    def _failed(self, node: str, message: str) -> None:
        self._set(node, state="failed", message=message)

    def _gone(self, event: m.Gone) -> None:
        """The engine process ended: say so on the node it was at."""
        if event.node is not None:
            self._failed(owner(event.node), event.message)
        self._end(event.message)

    def _end(self, outcome: str) -> None:
        self.running, self.outcome, self._since = False, outcome, None
        for node, run in list(self.nodes.items()):
            if run.state == "running":
                self._set(node, state="idle")

    def _summary(self, event: m.Idle) -> str:
        if self._stopping:
            return f"Stopped · {self.finished} computed, kept for the next run"
        failures = sum(run.state == "failed" for run in self.nodes.values())
        how = f"{failures} failed" if failures else "Done"
        counts = f"{event.run} computed, {event.cached} from the cache"
        saved = f" · saved {PurePath(self.saved[-1]).name}" if self.saved else ""
        return f"{how} in {duration(event.seconds)} · {counts}{saved}"

    def compare(self, keys: Mapping[str, str]) -> None:
        """Mark as stale what was computed from other settings. keys: engine node id -> key, by the latest plan.

        A picture made earlier for a key that is in the plan again is shown again.
        """
        # What is not planned any more, because of a problem before it, is out of date as well.
        changed = {owner(node) for node in self._keys if node not in keys}
        found: dict[str, str] = {}
        for node, key in keys.items():
            if self._keys.get(node, key) != key:
                changed.add(owner(node))
            if key in self._pictures:
                found[owner(node)] = key
        for node, run in list(self.nodes.items()):
            key = found.get(node)
            self._set(node, stale=node in changed and key is None and run.state != "running")
            if key is not None and self._picture_key.get(node) != key:
                self._show(node, self._pictures[key], key)

    def _show(self, node: str, picture: Picture, key: str | None) -> None:
        """key: of the result the picture is of; None for a preview, which is not kept."""
        if key is None:
            self._picture_key.pop(node, None)
        else:
            self._picture_key[node] = key
            self._pictures[key] = picture
            self._pictures.move_to_end(key)
            while sum(len(p.rgb) for p in self._pictures.values()) > PICTURE_BYTES:
                self._pictures.popitem(last=False)
        self._set(node, picture=picture)
        self.pictured.emit(node)

    def _set(self, node: str, **fields: Any) -> None:
        before = self.of(node)
        after = replace(before, **fields)
        if after != before:
            self.nodes[node] = after
            self.changed.emit(node)

    @property
    def fraction(self) -> float:
        """0..1 of the results that the run must compute."""
        return min((self.finished + self._part) / self.calls, 1.0) if self.calls else 0.0

    def seconds_left(self) -> float | None:
        """What the calls to come took the last time they ran; None before anything is known."""
        if not self.running or not self._mean:
            return None
        total = sum(self._mean.get(node, 0.0) for node in self._order[self._at + 1 :])
        if self._since is None or self._at >= len(self._order):
            return total
        spent = time.monotonic() - self._since
        known = self._mean.get(self._order[self._at])
        whole = known if known is not None else spent / self._part if self._part else spent
        return total + max(whole - spent, 0.0)
