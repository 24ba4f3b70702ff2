"""The cards that the documents do not compute on: each has an engine of its own, which takes jobs off the queue."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PySide6.QtCore import QObject, Signal

from nodegraph.running.engine import Settings
from nodegraph.running.messages import Ready
from nodegraph.running.pace import Pace
from ui.runs.engine import Engine
from ui.runs.queue import Queue
from ui.window.device_page import PROCESSOR


class OtherDevices(QObject):
    """settings: of an engine, as that of the documents was started."""

    happened = Signal(object)  # an Event of one of the engines

    def __init__(self, settings: Settings, engine: Engine, queue: Queue, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._settings, self._queue, self._tells, self._pace = settings, queue, engine.tells, engine.pace
        self.engines: dict[str, Engine] = {}  # by the name of their device
        engine.unclaimed.connect(self._take)

    def use(self, **settings: Any) -> None:
        """Go on with these of an engine's settings, each on its own device."""
        self._settings = replace(self._settings, **settings)
        for name, engine in self.engines.items():
            engine.use(**{**settings, "device": name})

    def close(self) -> None:
        for engine in self.engines.values():
            engine.close()

    def _take(self, event: object) -> None:
        """The engine of the documents is up: it says what there is, and what it uses of that."""
        if not isinstance(event, Ready) or not event.device:
            return
        # The processor is of no help beside a card: it feeds all of them.
        used = (PROCESSOR.name, event.device)
        others = {device.name for device in event.devices if not device.problem and device.name not in used}
        for name in self.engines.keys() - others:
            engine = self.engines.pop(name)
            self._queue.dismiss(engine)
            engine.close()
            engine.deleteLater()
        for name in sorted(others - self.engines.keys()):
            engine = Engine(replace(self._settings, device=name), self)  # its process starts with its first job
            engine.pace = Pace(self._pace)
            engine.tells = self._tells
            self.engines[name] = engine
            engine.happened.connect(self.happened)
            self._queue.employ(engine)
