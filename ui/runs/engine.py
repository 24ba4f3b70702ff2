"""The engine process, seen from Qt: events arrive on the GUI thread, and Stop works even when it hangs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from nodegraph.graph import Graph
from nodegraph.running.client import EngineClient
from nodegraph.running.engine import Settings
from nodegraph.running.messages import (
    Began,
    Device,
    Event,
    Finished,
    Free,
    Gone,
    Heard,
    Idle,
    Keeps,
    Kept,
    Look,
    Measure,
    Measured,
    Ready,
    Report,
    Run,
    Saved,
    Seen,
    Started,
)
from nodegraph.running.pace import Pace
from ui.base.post import Post

PATIENCE_MS = 3000
"""How long Stop waits for the engine to react before the process is ended and started again."""

HEARING_MS = 4000
"""How long an engine with nothing to do has to say that it heard of a run."""

MOST_REPLACEMENTS = 3
"""Processes that take up one run after another, because what they compute on gave up."""

FRAME_MS = 33
"""Events are told of at most this often: nobody sees more pictures a second."""
BATCH, BATCH_SECONDS = 300, 0.012
"""How many events at a time, and how long handing them on may take: the window answers in between."""

Receiver = Callable[[Event], None]


class Engine(QObject):
    """One process for all documents, with one run at a time. Each run has a receiver, who hears what becomes of it.

    running: a run was sent, and neither Idle nor Gone has come since. ready: the process is up. environment: what the
    process mixes into its keys; empty before it is up. devices: what there is to compute on, as far as is known.
    began_with: what `use` goes by where it says nothing. tells: a graph as it goes into the pictures that nodes save.
    """

    happened = Signal(object)  # every Event
    unclaimed = Signal(object)  # an Event that belongs to no run
    seen = Signal(object)  # a Seen
    measured = Signal(object)  # a Measured
    freed = Signal()  # nothing is running any more
    replaced = Signal(str)  # the process gave up and another goes on with the run: a sentence
    telling = Signal(bool)  # from here on (True) to there (False), events come one after the other

    def __init__(self, settings: Settings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.pace = Pace()  # of the machine it computes on
        self.tells: Callable[[Graph], Graph] = lambda graph: graph
        self.ready = False
        self.environment = ""
        self.devices: tuple[Device, ...] = ()
        self.began_with = self._settings = settings
        self._receivers: dict[int, Receiver] = {}  # by ticket, oldest first; of the runs that are not over
        self._ticket = 0  # of the latest run
        self._latest: Run | None = None  # with what a process that broke wrote for it
        self._gave_up: list[str | None] = []  # the nodes at which the device did so during the latest run
        self._begun = 0  # of the run that is spoken of
        self._post = post = Post()
        self._frame = QTimer(self, singleShot=True, interval=FRAME_MS)
        self._frame.timeout.connect(self._tell)
        self._post.arrived.connect(self._arrived, Qt.ConnectionType.QueuedConnection)
        self._client = client = EngineClient(settings, self._post.put)
        self.destroyed.connect(lambda: _close(client, post))  # with a window that nobody closed
        self._unready: set[object] = set()  # those for whom events wait
        self._stopping = self._working = False  # whether Stop was pressed; whether a node is at work
        self._patience = QTimer(self, singleShot=True, interval=PATIENCE_MS)
        self._patience.timeout.connect(lambda: self._miss(self._patience))
        self._awake = False  # what this process has to load is loaded: it answers at once
        self._hearing = QTimer(self, singleShot=True, interval=HEARING_MS)
        self._hearing.timeout.connect(lambda: self._miss(self._hearing))

    @property
    def settings(self) -> Settings:
        """What its process is started with."""
        return self._settings

    @property
    def running(self) -> bool:
        return bool(self._receivers)

    @property
    def pid(self) -> int | None:
        return self._client.pid

    def start(self) -> None:
        self._client.start()

    def use(self, **settings: Any) -> None:
        """Go on with these of `nodegraph.running.engine.Settings`, and what it began with: in another process, if there
        is one.
        """
        after = replace(self.began_with, **settings)
        if after != self._settings:
            self._settings = after
            self._post.set_open(True)  # the last events of this one must not wait for who waits for them
            self._client.change(after)
            self._post.set_open(False)

    def run(self, graph: Graph, targets: Sequence[str], receiver: Receiver, *, effects: bool = True) -> None:
        """Compute the targets, in place of what is running. effects: see `nodegraph.running.messages.Run`.

        Whoever loses the engine to another receiver hears Idle, stopped. A receiver that ends calls `forget`.
        """
        self._be_patient()
        self._ticket += 1
        self._receivers[self._ticket] = receiver
        told = self.tells(graph) if effects else graph
        self._send(Run(told, tuple(targets), effects, self._ticket))
        if self._awake and not self._working:
            self._hearing.start()

    def stop(self, receiver: Receiver) -> None:
        """End the latest run, if it is this receiver's.

        The node at work stops at its next report, or with its process when none comes.
        """
        if self._receivers.get(self._ticket) == receiver and not self._stopping:
            self._stopping = True
            if self._working:
                self._patience.start()
            self._ticket += 1
            self._receivers[self._ticket] = receiver
            self._send(Run(Graph(), ticket=self._ticket))

    def _send(self, run: Run) -> None:
        self._latest, self._gave_up = run, []
        self._client.run(run)

    def forget(self, receiver: Receiver) -> None:
        """Stop what it runs, and tell it nothing from now on."""
        self.stop(receiver)
        self._receivers = {t: _nobody if r == receiver else r for t, r in self._receivers.items()}

    def ask(self, request: Report | Free | Look | Measure | Keeps) -> None:
        """About memory: the answer is a Memory event, when the running call is over. Look: Seen, when the run is.
        Keeps: Kept, at once.
        """
        self._client.ask(request)

    def keep_events(self, who: object, keep: bool) -> None:
        """Whether events are to wait because someone is not ready for them. They are told when everyone is."""
        if keep:
            self._unready.add(who)
        elif who in self._unready:
            self._unready.remove(who)
            for timer in (self._patience, self._hearing):
                if timer.isActive():
                    timer.start()  # what it said meanwhile is only heard now
            if not self._frame.isActive():
                self._frame.start()

    def close(self) -> None:
        """End the process; no event comes after this."""
        self._patience.stop()
        self._receivers.clear()  # there is nothing left to stop
        self._unready.add(self)  # and nobody to tell
        self._post.arrived.disconnect(self._arrived)
        for timer in (self._frame, self._hearing):
            timer.stop()
        _close(self._client, self._post)

    def _miss(self, timer: QTimer) -> None:
        """It did not say in time what was waited for; unless it was not heard."""
        timer.start() if self._unready else self._restart()

    def _restart(self) -> None:
        """End a process that does not react, and start another."""
        self._post.set_open(True)  # its last events must not wait for who waits for them
        self._client.restart()
        self._post.set_open(False)

    def _arrived(self) -> None:
        if not self._frame.isActive():
            self._tell()

    def _tell(self) -> None:
        """Hand on what waits, or the first part of it."""
        event = None if self._unready else self._post.take()
        if event is None:
            return
        end = perf_counter() + BATCH_SECONDS
        self._frame.start()
        self.telling.emit(True)
        self._take(event)
        for _ in range(BATCH):
            event = self._post.take() if perf_counter() < end and not self._unready else None
            if event is None:
                break
            self._take(event)
        self.telling.emit(False)

    def _take(self, event: Event) -> None:
        goes_on = isinstance(event, Gone) and self._goes_on(event)
        if isinstance(event, Gone):
            event = replace(event, message=f"{event.message} {self._what_now(event, goes_on)}".strip())
        self.happened.emit(event)
        if isinstance(event, Started | Finished):
            self._node_works(isinstance(event, Started))
        match event:
            case Heard():
                self._awake = True
                self._hearing.stop()
            case Began():
                self._begin(event.ticket)
            case Ready():
                self.ready, self.environment, self.devices = True, event.environment, event.devices
                self.unclaimed.emit(event)
            case Seen():
                self.seen.emit(event)
            case Measured():
                self.measured.emit(event)
            case Kept():
                pass  # whoever asked knows it by its name, from `happened`
            case Idle():
                self._end(event)
            case Gone() if goes_on:
                self._gave_up.append(event.node)
                self._go_on()
                self.replaced.emit(event.message)
            case Gone():
                self._gone(event)
            case _:
                if isinstance(event, Saved):
                    self._note_written(event)
                receiver = self._receivers.get(self._begun)
                (receiver or self.unclaimed.emit)(event)

    def _begin(self, ticket: int) -> None:
        """Runs sent before this one are over, the running one among them."""
        self._begun = ticket
        before = [self._receivers.pop(old) for old in list(self._receivers) if old < ticket]
        for receiver in dict.fromkeys(before):
            if receiver not in self._receivers.values():
                receiver(Idle(0, 0, 0.0, stopped=True))

    def _end(self, event: Idle) -> None:
        receiver = self._receivers.pop(self._begun, None)
        if receiver and receiver not in self._receivers.values():  # or else its next run is on its way
            receiver(event)
        if not self.running:
            self._be_patient()
            self.freed.emit()

    def _node_works(self, working: bool) -> None:
        """Only a node may be stuck: without one the process is starting or planning, and answers in the end."""
        self._working = working
        if working and self._stopping:
            self._patience.start()

    def _be_patient(self) -> None:
        """Nothing is to be stopped, or it has been."""
        self._stopping = False
        self._patience.stop()

    def _note_written(self, event: Saved) -> None:
        """For a process that takes the place of this one: the picture is there already."""
        if self._latest and self._begun == self._latest.ticket:
            written = self._latest.written
            paths = dict.fromkeys((*written.get(event.key, ()), event.path))
            self._latest = replace(self._latest, written={**written, event.key: tuple(paths)})

    def _goes_on(self, event: Gone) -> bool:
        """Whether another process takes the run up: once for each node, and not for ever."""
        return (
            event.broken and self.running and event.node not in self._gave_up and len(self._gave_up) < MOST_REPLACEMENTS
        )

    def _what_now(self, event: Gone, goes_on: bool) -> str:
        if not event.broken:
            return ""
        if goes_on:
            return "The engine was started again, and the run goes on from what it had."
        if not self.running:
            return "The engine was started again."
        before = "It did so before in this run" if event.node in self._gave_up else "It does so again and again"
        return (
            f"{before}, so the run ends here; what was computed is kept. A newer driver, another precision or another "
            "device may help."
        )

    def _go_on(self) -> None:
        """Give what is asked for to another process: what this one wrote to the disk is there still."""
        self._rest()
        assert self._latest is not None  # or nothing would be running
        self._client.run(self._latest)

    def _rest(self) -> None:
        """The process is gone."""
        self._be_patient()
        self._working = self._awake = self.ready = False
        self._hearing.stop()

    def _gone(self, event: Gone) -> None:
        again = self.ready
        self._rest()
        receivers, self._receivers = self._receivers, {}
        guilty = receivers.get(self._begun, self.unclaimed.emit)
        guilty(event)
        for receiver in dict.fromkeys(receivers.values()):
            if receiver != guilty:  # its run had not begun: no node of its own is to blame
                receiver(replace(event, node=None))
        self.freed.emit()
        if again:
            # At once, so that the next run need not wait; but not over and over when it cannot even start.
            self._client.start()


def _close(client: EngineClient, post: Post) -> None:
    post.set_open(True)
    client.close()


def _nobody(event: Event) -> None:
    """Receives for those who are gone."""
