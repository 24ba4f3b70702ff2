"""The line at the foot of the window: what is going on, how far it is, how long it takes."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QLabel, QProgressBar, QSizePolicy, QStatusBar, QToolButton

from ui.base.text import amount, duration
from ui.window.workspace import Workspace

SAID_MS = 20_000


class StatusBar(QStatusBar):
    """Shows one workspace at a time, and for a while what else there is to say."""

    def __init__(self) -> None:
        super().__init__()
        self.workspace: Workspace | None = None
        self.text = QLabel()
        # A long sentence is cut rather than making the window wider; its tooltip has all of it.
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.problems = QToolButton()
        self.problems.setObjectName("problems")
        self.problems.setToolTip("Show what is wrong with the graph")
        self.queued = QToolButton()
        self.queued.setToolTip("Runs that wait: show the queue")
        self.report = ""  # what the queue did while nobody looked, until it is read
        self.left = QLabel()
        self.left.setToolTip("Time left of the whole run, by what such nodes took on this machine")
        self.bar = QProgressBar(textVisible=False)
        self.bar.setFixedWidth(220)
        self.bar.setRange(0, 1000)
        self.bar.setAccessibleName("Progress of the run")
        self.setSizeGripEnabled(False)
        self.addWidget(self.text, 1)
        self.addPermanentWidget(self.queued)
        self.addPermanentWidget(self.problems)
        self.addPermanentWidget(self.left)
        self.addPermanentWidget(self.bar)
        self.setContentsMargins(6, 0, 12, 0)
        self._clock = QTimer(self, interval=500)  # so that the time left also falls while nothing is reported
        self._clock.timeout.connect(self.refresh)
        self._said = self._held = ""
        self._saying = QTimer(self, interval=SAID_MS, singleShot=True)
        self._saying.timeout.connect(self._forget)

    def say(self, sentence: str, *, hold: bool = False) -> None:
        """In place of what goes on, until it was surely read, or there is something else to say.

        hold: also while nodes run, and in front of what is said meanwhile.
        """
        if self._held and sentence not in self._held:
            said = f"{self._held}  ·  {sentence}"
        else:
            said = self._held or sentence
        if hold:
            self._held = said
        self._said = said
        self._saying.start()
        self.refresh()

    def _forget(self) -> None:
        self._said = self._held = ""
        self.refresh()

    def show_workspace(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.refresh()

    def refresh(self) -> None:
        if self.workspace is None:
            return
        runs, count = self.workspace.runs, self.workspace.problems.count()
        if runs.running:
            self._said = self._held
        waiting = self.workspace.runner.queue.waiting
        self.queued.setVisible(waiting > 0 or bool(self.report))
        queued = f"{amount(waiting)} queued" if waiting else ""
        self.queued.setText(" · ".join(filter(None, (self.report and f"Queue: {self.report}", queued))))
        self.problems.setVisible(count > 0)
        self.problems.setText("1 problem" if count == 1 else f"{amount(count)} problems")
        self.bar.setVisible(runs.running)
        # setValue paints at once, and with the bar all of the window that waits to be painted: for every event.
        self.bar.setUpdatesEnabled(False)
        self.bar.setValue(round(runs.fraction * 1000))
        self.bar.setUpdatesEnabled(True)
        self.left.setText(_left(runs.seconds_left(), "left in all"))
        sentence = self._said or self._activity(self.workspace)
        self.text.setText(sentence)
        self.text.setToolTip("\n".join((sentence, *runs.saved)))
        if runs.running != self._clock.isActive():
            (self._clock.start if runs.running else self._clock.stop)()

    def _activity(self, workspace: Workspace) -> str:
        """Which node is at work, how far it is and what time it still takes; after a run, what came of it."""
        runs = workspace.runs
        if not workspace.runner.engine.ready:
            return runs.outcome or "Starting the engine"
        if not runs.running:
            return runs.outcome
        for id in runs.at_work:
            if id in workspace.document.graph.nodes:
                run = runs.of(id)
                title = workspace.document.title_of(id)
                step = f"{title}: {min(run.done + 1, run.calls)} of {run.calls}" if run.calls > 1 else title
                return " · ".join(filter(None, (step, _left(runs.seconds_left(id), "left"))))
        return "Preparing"


def _left(seconds: float | None, words: str) -> str:
    """Empty when it is not known, or too short to be read. It is an estimate, and no more exact than one."""
    if seconds is None or seconds < 1:
        return ""
    step = 1 if seconds < 30 else 5 if seconds < 600 else 60
    rough = round(seconds / step) * step
    return f"about {f'{rough} s' if rough < 60 else duration(rough)} {words}"
