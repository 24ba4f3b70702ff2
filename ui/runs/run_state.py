"""What the engine last said about each node. Not part of the document: never saved, never undone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath

from PySide6.QtCore import QObject, Signal

from nodegraph.pieces import Pieces, finish, in_parts
from nodegraph.planning.calls import Call, Problem
from nodegraph.running import messages as m
from nodegraph.running.pace import Pace
from nodegraph.types import Picture
from ui.base.text import duration
from ui.runs.call_records import StepRecord
from ui.runs.comparison import Comparison, Sums, comparing, returns, summing
from ui.runs.due import Due
from ui.runs.node_run import NodeRun, State, owner, places
from ui.runs.picked import Picked
from ui.runs.planned import Planned
from ui.runs.shown import Shown

SOME = 100
"""Nodes that views are told of in one piece."""


class RunState(Shown):
    """Engine events, added up by node. Nodes inside a group count for the group's node, and have ids of their own."""

    planned = Signal()  # other calls are to come: `loops` and `steps` say which

    def __init__(self, parent: QObject | None = None, pace: Pace | None = None) -> None:
        super().__init__(parent)
        self.picked = Picked(self)
        self.saved: list[str] = []
        self.outcome = ""
        self._stopping = False
        self.calls = self.finished = 0
        self._planned = Planned({})
        self._due = Due(pace)
        self._turn: dict[tuple[str, str], int] = {}  # (place, key) -> index among the calls that count there
        self._preview: Picture | None = None  # the latest one of the call that runs
        self._keys: dict[str, str] = {}  # engine node id -> key of its last result
        self._begun: dict[str, str] = {}  # engine node id -> key of its call that the run came to last
        self._failed_keys: dict[str, str] = {}  # engine node id -> key of its last result, which failed instead
        self._unplanned: dict[str, str] = {}  # engine node id -> why the run could not plan it

    @property
    def stopping(self) -> bool:
        """Whether the user asked the run to end."""
        return self._stopping

    def begin(self) -> None:
        """A run is on its way. What is up to date stays so, and is reused."""
        finish(self.beginning())

    def beginning(self) -> Pieces[None]:
        """The same in pieces; that there is a run is known with the first."""
        self._turn = {}
        self._begun, self._unplanned = {}, {}
        self._due.expect(())
        self.running, self.saved, self.outcome, self._stopping = True, [], "", False
        self.calls = self.finished = 0
        self._progressed()
        yield
        for part in in_parts(list(self.nodes)):
            with self._together():
                for node in part:
                    self._begin_node(node, self.of(node))
            yield

    def _begin_node(self, node: str, run: NodeRun) -> None:
        if run.state in ("done", "cached") and not run.stale:
            self._set(node, state="cached")
        else:
            self._set(node, state="idle", done=0, fraction=0.0, seconds=0.0, message="")

    def expect(self, calls: Mapping[str, Call]) -> None:
        """What the run may consist of. calls: by key, in the order of the plan."""
        finish(self.expecting(calls))

    def expecting(self, calls: Mapping[str, Call]) -> Pieces[None]:
        """The same in pieces, before anything is heard of the run."""
        self.calls_by_key = calls
        yield from self._due.expecting(calls.values())
        yield from self._records.expecting(calls.values())
        self._turn = {}
        sums = Sums()
        for part in in_parts(calls.items()):
            for key, call in part:
                known = self._records.known(key)
                for place in places(call.node):
                    self._turn[place, key] = sums.calls[place]
                    sums.add(place, known)
            yield
        for part in in_parts(sums.calls.items(), SOME):
            with self._together():
                for place, count in part:
                    self._set(place, calls=count, seconds=sums.seconds[place], memory=sums.bytes[place])
            yield
        self.planned.emit()

    def foreseeing(self, calls: Mapping[str, Call]) -> Pieces[None]:
        """What a run would consist of, before there was one, in pieces. calls: as for `expect`."""
        self.calls_by_key = calls
        yield from self._records.expecting(calls.values())
        self.planned.emit()

    def recall(self, calls: Mapping[str, Call]) -> None:
        """Show the rounds of earlier settings that are planned again, such as after undo, where all were made before.

        calls: as for `expect`.
        """
        rounds: dict[str, list[Call]] = {}
        for call in calls.values():
            if call.iteration:
                rounds.setdefault(call.node, []).append(call)
        made = [of for of in rounds.values() if all(self._records.knows(call.key) for call in of)]
        if made:
            self._records.expect(call for of in made for call in of)
            self.planned.emit()

    # One call of a node after the other ---------------------------------------------------------------

    @property
    def loops(self) -> tuple[str, ...]:
        """The nodes inside zones that were run, as the engine calls them; the document may have lost some since."""
        return self._records.loops

    def steps(self, node: str) -> Sequence[StepRecord]:
        """The calls of a node in the latest run it was in, first round first. node: such as "denoise/step"."""
        return self._records.steps(node)

    def step_in(self, node: str, rounds: Sequence[int | None]) -> StepRecord | None:
        """The last call of a node in these rounds of the innermost zones around it; None stands for any round."""
        return self._records.at(node, rounds)

    def last_rounds(self, node: str) -> tuple[int, ...]:
        """In each zone around a node, the last round of which there was a picture; empty when there was none."""
        return self._records.highest(node)

    def knows_picture(self, key: str) -> bool:
        """Whether it is known what this result looks like."""
        return self._records.known(key).picture is not None

    def knows(self, node: str, key: str) -> bool:
        """Whether it is known that a node has, or had, this result."""
        return self._keys.get(node) == key or self._records.knows(key)

    # Events -------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """The user asked the run to end."""
        self._stopping = self.running

    def take(self, event: m.Event) -> None:
        match event:
            case m.Planned() if event.calls and not self._stopping:  # an empty run is what stops another
                # The Idle of a run that was replaced may have come after this one began.
                self.running, self.calls, self.finished = True, event.calls - event.cached, 0
            case m.Started():
                self._started(event)
            case m.Progress():
                self._progress(event)
            case m.Finished():
                self._finished(event)
            case m.Failed():
                self._failed(event.node, event.message)
            case m.Saved():
                self.saved.append(event.path)
            case m.Idle():
                self._end(self._summary(event))
            case m.Gone():
                self._gone(event)
            case _:
                return
        self._progressed()

    def see(self, node: str, key: str, picture: Picture | None) -> None:
        """A result is kept, and looks like this; no run had to say so. node: one that has it, in some round."""
        self._records.learn(key, **({} if picture is None else {"picture": picture}))
        if picture is not None:
            self._note_round(key)
        self._touch(node)
        self._failed_keys.pop(node, None)
        planned = self._planned
        for known in planned.nodes_with.get(key, ()):
            kept = self._records.known(key)
            self._return(known, self.of(known).calls, kept.seconds or 0.0, kept.bytes)
            for place in reversed(places(known)[:-1]):
                if self._is_back(place):
                    inner = [self.of(id) for id in planned.inside[place]]
                    sums = sum(run.seconds for run in inner), sum(run.memory for run in inner)
                    self._return(place, self.of(place).calls, *sums)
            if picture is not None:
                self._show(known, picture, key)

    def _is_back(self, group: str) -> bool:
        """Whether a group that was out of date, or of which nothing was known, is not any more."""
        run, keys = self.of(group), self._planned.keys
        if run.state in ("idle", "failed"):
            return all(self.knows(id, keys[id]) for id in self._planned.inside[group])
        return run.stale and all(self._keys.get(id, keys[id]) == keys[id] for id in self._planned.inside[group])

    def _return(self, place: str, calls: int, seconds: float, memory: int) -> None:
        """What a place has to show is there, as it is planned; the rest as in NodeRun."""
        if self.of(place).state == "running":
            return
        if key := self._planned.keys.get(place):
            self._keys[place] = key
        self._set(place, state="cached", stale=False, message="", calls=calls, done=calls, fraction=1.0,
                  seconds=seconds, memory=memory)  # fmt: skip

    def foresee_picture(self, node: str, picture: Picture) -> None:
        """What the result of a node will look like, though it is not computed."""
        self._set(node, state="idle", stale=False)
        self._show(node, picture, "")

    def _note_round(self, key: str) -> None:
        """There is a picture of this call."""
        if call := self.calls_by_key.get(key):
            self._records.pictured(call.node, call.iteration)

    def _started(self, event: m.Started) -> None:
        self._due.begin(event.node, event.key)
        self._preview = None
        self._begun[event.node] = event.key
        for place in places(event.node):
            done = self._turn.get((place, event.key), self.of(place).done)
            self._set(place, state="running", done=done, message="")

    def _progress(self, event: m.Progress) -> None:
        part = min(event.done / max(event.total, 1), 1.0)
        self._due.report(part)
        for place in places(event.node):
            run = self.of(place)
            self._set(place, fraction=min((run.done + part) / run.calls, 1.0))
        if event.preview is not None:
            self._preview = event.preview
            self._show(event.node, event.preview)

    def _finished(self, event: m.Finished) -> None:
        self._keys[event.node] = event.key
        self._failed_keys.pop(event.node, None)
        self._due.over(event.key)
        if not event.cached:
            self.finished += 1
            self._due.took(event.node, event.seconds)
        known = self._records.known(event.key)
        # What a result looked like when it was made says more than what a node that is not run shows of it.
        picture = (
            (known.picture if event.cached else None) or event.picture or (None if event.cached else self._preview)
        )
        seconds = known.seconds if event.cached else event.seconds
        self._records.learn(event.key, seconds=seconds, bytes=event.bytes, picture=picture)
        longer, grown = (seconds or 0.0) - (known.seconds or 0.0), event.bytes - known.bytes
        for place in places(event.node):
            self._count(place, event, longer, grown)
        if picture is not None:
            self._note_round(event.key)
            self._show(event.node, picture, event.key)

    def _count(self, place: str, event: m.Finished, longer: float, grown: int) -> None:
        """Add a finished call to what is said of a node. longer, grown: seconds that its results took more than was
        known before, and bytes that they hold more.
        """
        run = self.of(place)
        done = self._turn.get((place, event.key), run.done) + 1
        over: State = "cached" if event.cached else "done"
        self._set(
            place,
            state=over if done >= run.calls else run.state,
            done=done,
            fraction=min(done / run.calls, 1.0),
            seconds=max(run.seconds + longer, 0.0),
            memory=max(run.memory + grown, 0),
            stale=False,
        )

    def _failed(self, node: str, message: str) -> None:
        if node in self._begun:
            calls = self.steps(node)
            self._failed_keys[node] = calls[-1].key if calls else self._begun[node]
        elif node:
            self._unplanned[node] = message
        for place in places(node):
            self._set(place, state="failed", message=message)

    def _gone(self, event: m.Gone) -> None:
        """The engine process ended: say so on the node it was at."""
        if event.node is not None:
            self._failed(event.node, event.message)
        self._end(event.message)

    def _end(self, outcome: str) -> None:
        self.running, self.outcome = False, outcome
        self._due.rest()
        with self._together():
            for node in self.at_work:
                self._set(node, state="idle")

    def _summary(self, event: m.Idle) -> str:
        if self._stopping or event.stopped:
            return f"Stopped · {self.finished} computed, kept for the next run"
        failures = sum(owner(node) == node for node, run in self.nodes.items() if run.state == "failed")
        how = f"{failures} failed" if failures else "Done"
        counts = f"{event.run} computed, {event.cached} from the cache"
        saved = f" · saved {PurePath(self.saved[-1]).name}" if self.saved else ""
        waiting = " · the rest waits for Run" if event.waiting else ""
        return f"{how} in {duration(event.seconds)} · {counts}{saved}{waiting}"

    def compare(self, keys: Mapping[str, str], calls: Mapping[str, Call] | None = None) -> None:
        """Mark as stale what was computed from other settings. keys: engine node id -> key, by the latest plan.

        What was made earlier of a key that is in the plan again is shown again, with what its calls took.
        """
        finish(self.comparing(keys, calls or {}))

    def comparing(self, keys: Mapping[str, str], calls: Mapping[str, Call]) -> Pieces[None]:
        """The same in pieces; it ends when another plan is compared meanwhile."""
        planned = self._planned = Planned(keys)
        found = yield from comparing(keys, self._keys, self._failed_keys, self._records)
        back: set[str] = set()
        for part in in_parts(list(self.nodes)):
            back.update(place for place in part if returns(self.of(place), place, found))
            yield
        sums = (yield from summing(calls.values(), back, self._records)) if back else Sums()
        for part in in_parts(list(self.nodes)):
            if self._planned is not planned:
                return
            with self._together():
                for place in part:
                    self._compare_place(place, found, sums if place in back else None)
            yield

    def settle(self, problems: Iterable[Problem]) -> None:
        """What a run could not plan has not failed any more when planning finds nothing wrong with it.

        problems: all that there are.
        """
        if not self._unplanned:
            return
        still = {(problem.node, problem.message) for problem in problems}
        over = [(node, message) for node, message in self._unplanned.items() if (node, message) not in still]
        with self._together():
            for node, message in over:
                del self._unplanned[node]
                for place in places(node):
                    if self.of(place).state == "failed" and self.of(place).message == message:
                        self._set(place, state="idle", message="")

    def _compare_place(self, place: str, found: Comparison, back: Sums | None) -> None:
        """back: what was found of it, where it is there again."""
        run = self.of(place)
        if back:
            self._return(place, back.calls[place] or run.calls, back.seconds[place], back.bytes[place])
        elif run.stale != (stale := place in found.outdated and run.state != "running"):
            self._set(place, stale=stale)
        picture = found.pictures.get(place)
        if picture and place not in found.outdated and self._picture_key.get(place) != picture[0]:
            self._show_at(place, *picture)

    @property
    def fraction(self) -> float:
        """0..1 of the results that the run must compute."""
        return min((self.finished + self._due.part) / self.calls, 1.0) if self.calls else 0.0

    def seconds_left(self, of: str = "") -> float | None:
        """What the calls to come take, by what such calls took on this machine; None when that is not known.

        of: the node whose calls count; without, all of the run.
        """
        return self._due.seconds(of) if self.running else None
