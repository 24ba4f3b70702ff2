"""The engine process, seen from Qt: events arrive on the GUI thread, and Stop works even when it hangs."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from nodegraph.client import EngineClient
from nodegraph.engine import Settings
from nodegraph.graph import Graph
from nodegraph.messages import Event, Gone, Idle, Planned, Ready, Run

PATIENCE_MS = 3000
"""How long Stop waits for the engine to react before the process is ended and started again."""


class Engine(QObject):
    """running: a run was sent or is planned, and neither Idle nor Gone has come since. ready: the process is up."""

    happened = Signal(object)  # nodegraph.messages.Event
    _arrived = Signal(object)  # from the reader thread

    def __init__(self, settings: Settings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.running = False
        self.ready = False  # the process is up
        self._client = EngineClient(settings, self._arrived.emit)
        self._arrived.connect(self._take, Qt.ConnectionType.QueuedConnection)
        self._patience = QTimer(self, singleShot=True, interval=PATIENCE_MS)
        self._patience.timeout.connect(self._client.restart)

    @property
    def pid(self) -> int | None:
        return self._client.pid

    def start(self) -> None:
        self._client.start()

    def run(self, graph: Graph, targets: Sequence[str]) -> None:
        """Compute the targets, in place of what is running."""
        self._patience.stop()
        self.running = True
        self._client.run(Run(graph, tuple(targets)))

    def stop(self) -> None:
        """End the run: the node at work stops at its next report, or with its process when none comes."""
        if self.running and not self._patience.isActive():
            self._patience.start()
            self._client.run(Run(Graph()))

    def close(self) -> None:
        """End the process; no event comes after this."""
        self._patience.stop()
        self._arrived.disconnect(self._take)
        self._client.close()

    def _take(self, event: Event) -> None:
        match event:
            case Ready():
                self.ready = True
            case Planned():
                # The Idle of a run that was replaced may have come after this one was sent.
                self.running = True
            case Idle() | Gone():
                self.running = False
                self._patience.stop()
            case _:
                pass
        again = isinstance(event, Gone) and self.ready
        self.ready = self.ready and not isinstance(event, Gone)
        self.happened.emit(event)
        if again:
            # At once, so that the next run need not wait; but not over and over when it cannot even start.
            self._client.start()
