"""What the engine last said about each node. Not part of the document: never saved, never undone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from PySide6.QtCore import QObject, Signal

from nodegraph.pieces import Pieces, finish, in_parts
from nodegraph.planning.calls import Call
from nodegraph.running import messages as m
from nodegraph.types import Picture
from ui.base.kept import Kept
from ui.base.telling import Telling
from ui.base.text import duration
from ui.runs.call_records import Records, StepRecord
from ui.runs.due import Due
from ui.runs.node_run import IDLE, NodeRun, State, owner, places
from ui.runs.planned import Planned
from ui.widgets.pixmaps import aspect, small

PICTURE_BYTES = 256 << 20
"""Of the pictures of all nodes of a document; what was shown longest ago is made small."""

SMALL_SIDE = 32
"""Pixels: of 50,000 nodes, 150 MB."""

SOME = 100
"""Nodes that views are told of in one piece."""


class RunState(Telling):
    """Engine events, added up by node. Nodes inside a group count for the group's node, and have ids of their own."""

    planned = Signal()  # other calls are to come: `loops` and `steps` say which
    wanted = Signal(object)  # Calls that somebody looks at, without a picture

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.nodes: dict[str, NodeRun] = {}
        self.saved: list[str] = []
        self.outcome = ""
        self._stopping = False
        self.calls = self.finished = 0
        self.calls_by_key: Mapping[str, Call] = {}  # of the latest run; of the document, before there is one
        self._planned = Planned({})
        self._due = Due()
        self._turn: dict[tuple[str, str], int] = {}  # (place, key) -> index among the calls that count there
        self._preview: Picture | None = None  # the latest one of the call that runs
        self._keys: dict[str, str] = {}  # engine node id -> key of its last result
        self._at_work: dict[str, None] = {}  # places with a call that runs
        self._records = Records()
        self._whole: Kept[str] = Kept(PICTURE_BYTES)  # places whose pictures are as they came
        self._made_small: set[str] = set()  # the others
        self._picture_key: dict[str, str] = {}  # place -> key of the picture it shows

    @property
    def stopping(self) -> bool:
        """Whether the user asked the run to end."""
        return self._stopping

    def of(self, node: str) -> NodeRun:
        return self.nodes.get(node, IDLE)

    def begin(self) -> None:
        """A run is on its way. What is up to date stays so, and is reused."""
        finish(self.beginning())

    def beginning(self) -> Pieces[None]:
        """The same in pieces; that there is a run is known with the first."""
        self._turn = {}
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
        totals: Counter[str] = Counter()
        memory: Counter[str] = Counter()
        for part in in_parts(calls.items()):
            for key, call in part:
                size = self._records.known(key).bytes
                for place in places(call.node):
                    self._turn[place, key] = totals[place]
                    totals[place] += 1
                    memory[place] += size
            yield
        for part in in_parts(totals.items(), SOME):
            with self._together():
                for place, count in part:
                    self._set(place, calls=count, memory=memory[place])
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

    @property
    def at_work(self) -> tuple[str, ...]:
        """The nodes that are computed now, and those around them."""
        return tuple(self._at_work)

    def knows_picture(self, key: str) -> bool:
        """Whether it is known what this result looks like."""
        return self._records.known(key).picture is not None

    def picture_key(self, node: str) -> str:
        """The key of the result whose picture a node shows; empty for a preview on the way there."""
        return self._picture_key.get(node, "")

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
        if picture is not None:
            self._records.learn(key, picture=picture)
            self._note_round(key)
        self._touch(node)
        planned = self._planned
        for known in planned.nodes_with.get(key, ()):
            self._keys[known] = key
            for place in places(known):
                inner = planned.inside[place] if place != known else ()
                whole = self.of(place).state == "idle" and all(self._keys.get(id) == planned.keys[id] for id in inner)
                self._set(place, stale=False, state="cached" if whole else self.of(place).state)
            if picture is not None:
                self._show(known, picture, key)

    def _note_round(self, key: str) -> None:
        """There is a picture of this call."""
        if call := self.calls_by_key.get(key):
            self._records.pictured(call.node, call.iteration)

    def _started(self, event: m.Started) -> None:
        self._due.begin(event.node, event.key)
        self._preview = None
        for place in places(event.node):
            run = self.of(place)
            seconds = run.seconds if run.state == "running" else 0.0
            done = self._turn.get((place, event.key), run.done)
            self._set(place, state="running", done=done, seconds=seconds, message="")

    def _progress(self, event: m.Progress) -> None:
        part = self._due.part = min(event.done / max(event.total, 1), 1.0)
        for place in places(event.node):
            run = self.of(place)
            self._set(place, fraction=min((run.done + part) / run.calls, 1.0))
        if event.preview is not None:
            self._preview = event.preview
            self._show(event.node, event.preview)

    def _finished(self, event: m.Finished) -> None:
        self._keys[event.node] = event.key
        self._due.over(event.key)
        if not event.cached:
            self.finished += 1
            self._due.took(event.node, event.seconds)
        known = self._records.known(event.key)
        grown = event.bytes - known.bytes
        # What a result looked like when it was made says more than what a node that is not run shows of it.
        picture = (
            (known.picture if event.cached else None) or event.picture or (None if event.cached else self._preview)
        )
        seconds = known.seconds if event.cached else event.seconds
        self._records.learn(event.key, seconds=seconds, bytes=event.bytes, picture=picture)
        for place in places(event.node):
            self._count(place, event, grown)
        if picture is not None:
            self._note_round(event.key)
            self._show(event.node, picture, event.key)

    def _count(self, place: str, event: m.Finished, grown: int) -> None:
        """Add a finished call to what is said of a node. grown: bytes that its results hold more than before."""
        run = self.of(place)
        done = self._turn.get((place, event.key), run.done) + 1
        over: State = "cached" if event.cached else "done"
        self._set(
            place,
            state=over if done >= run.calls else run.state,
            done=done,
            fraction=min(done / run.calls, 1.0),
            seconds=run.seconds + (0.0 if event.cached else event.seconds),
            memory=max(run.memory + grown, 0),
            stale=False,
        )

    def _failed(self, node: str, message: str) -> None:
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
        failures = sum(run.state == "failed" for node, run in self.nodes.items() if owner(node) == node)
        how = f"{failures} failed" if failures else "Done"
        counts = f"{event.run} computed, {event.cached} from the cache"
        saved = f" · saved {PurePath(self.saved[-1]).name}" if self.saved else ""
        waiting = " · the rest waits for Run" if event.waiting else ""
        return f"{how} in {duration(event.seconds)} · {counts}{saved}{waiting}"

    def compare(self, keys: Mapping[str, str]) -> None:
        """Mark as stale what was computed from other settings. keys: engine node id -> key, by the latest plan.

        A picture made earlier for a key that is in the plan again is shown again.
        """
        finish(self.comparing(keys))

    def comparing(self, keys: Mapping[str, str]) -> Pieces[None]:
        """The same in pieces; it ends when another plan is compared meanwhile."""
        planned = self._planned = Planned(keys)
        # What is not planned any more, because of a problem before it, is out of date as well.
        changed = {place for node in self._keys if node not in keys for place in places(node)}
        found: dict[str, tuple[str, Picture]] = {}
        for part in in_parts(keys.items()):
            for node, key in part:
                if self._keys.get(node, key) != key:
                    changed.update(places(node))
                if picture := self._records.known(key).picture:
                    found |= dict.fromkeys(places(node), (key, picture))
            yield
        for part in in_parts(list(self.nodes)):
            if self._planned is not planned:
                return
            with self._together():
                for place in part:
                    self._compare_place(place, place in changed, found.get(place))
            yield

    def _compare_place(self, place: str, changed: bool, found: tuple[str, Picture] | None) -> None:
        run = self.of(place)
        stale = changed and found is None and run.state != "running"
        if stale != run.stale:
            self._set(place, stale=stale)
        if found and self._picture_key.get(place) != found[0]:
            self._show_at(place, *found)

    def _show(self, node: str, picture: Picture, key: str = "") -> None:
        """key: of the result the picture is of; empty for a preview on the way there."""
        for place in places(node):
            self._show_at(place, key, picture)

    def _show_at(self, place: str, key: str, picture: Picture) -> None:
        self._picture_key[place] = key
        self._keep(place, picture)
        self._set(place, picture=picture, aspect=aspect(picture))
        if owner(place) == place:
            self._show_newest(place)

    def _keep(self, place: str, picture: Picture) -> None:
        """Make others small that were shown longer ago, if there are too many now."""
        self._made_small.discard(place)
        for old in self._whole.put(place, len(picture.rgb)):
            shown = self.of(old).picture
            if shown is not None and (made := small(shown, SMALL_SIDE)) is not shown:
                self._made_small.add(old)
                self._set(old, picture=made)

    def is_small(self, node: str) -> bool:
        """Whether its picture was made small, because there are too many."""
        return node in self._made_small

    def sharpen(self, nodes: Iterable[str]) -> None:
        """These are looked at: let their pictures not be made small, and get back those that were."""
        calls: list[Call] = []
        with self._together():
            for node in nodes:
                self._whole.touch(node)
                key = self._picture_key.get(node, "")
                if node not in self._made_small:
                    continue
                if picture := self._records.known(key).picture:
                    self._keep(node, picture)
                    self._set(node, picture=picture)
                elif call := self.calls_by_key.get(key):
                    calls.append(call)
        if calls:
            self.wanted.emit(calls)

    def _set(self, node: str, **fields: Any) -> None:
        before = self.of(node)
        if any(getattr(before, name) != value for name, value in fields.items()):
            after = replace(before, **fields)
            self.nodes[node] = after
            if after.state == "running":
                self._at_work[node] = None
            else:
                self._at_work.pop(node, None)
            self._touch(node)

    @property
    def fraction(self) -> float:
        """0..1 of the results that the run must compute."""
        return min((self.finished + self._due.part) / self.calls, 1.0) if self.calls else 0.0

    def seconds_left(self, of: str = "") -> float | None:
        """What the calls to come took the last time they ran; None before anything is known.

        of: the node whose calls count; without, all of the run.
        """
        return self._due.seconds(of) if self.running and self._due.known else None
