"""How long a text is for whoever reads it, asked of the engine a moment after it was typed."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from PySide6.QtCore import QObject, QTimer

from nodegraph.planning.keys import has_ref
from nodegraph.running.messages import Measure, Measured
from ui.runs.engine import Engine
from ui.runs.live_plan import LivePlan

PAUSE_MS = 250
"""After the last key."""


class Measurer(QObject):
    """One text at a time: the one that is typed."""

    def __init__(self, engine: Engine, plan: LivePlan, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine, self._plan = engine, plan
        self._numbers = count()
        self._then: Callable[[str], object] = _nobody
        self._node = self._text = self._name = ""
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._pause.timeout.connect(self._ask)
        engine.measured.connect(self._heard)

    def ask(self, node: str, text: str, then: Callable[[str], object]) -> None:
        """node: that has the text, as the engine calls it. then: told in a moment, unless another is asked about."""
        self._node, self._text, self._then = node, text, then
        self._name = f"{id(self)} {next(self._numbers)}"
        self._pause.start()

    def _ask(self) -> None:
        known = self._plan.latest.taken.items() if self._plan.latest else ()
        taken = {dst.socket: value for dst, value in known if dst.node == self._node and not has_ref(value)}
        self._engine.ask(Measure(self._name, taken, self._text))

    def _heard(self, measured: Measured) -> None:
        if measured.name == self._name:
            self._then(measured.said)


def _nobody(said: str) -> None:
    """Nobody waits."""
