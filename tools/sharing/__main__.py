"""Run commands and a window at once on one cache and one output folder: is anything refused, lost or doubled?

python -m tools.sharing [--runs 64] [--at-once 4] [--minutes 10] [--seed 1] [--write]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from PySide6.QtCore import QObject, QProcess, QTimer, Signal

from nodegraph.formats import workflow
from nodegraph.graph import Graph
from tools import page, real_window
from tools.sharing.verdict import Told, faults
from ui.runs.job import Job
from ui.window.main_window import MainWindow

ROOT = Path(__file__).parents[2]
STEPS = 4  # of denoising: what is looked at is the writing
AHEAD = 8  # a command takes a seed that the window has used, or one of so many that come next


class Crowd(QObject):
    """A window that queues one run after the other, and commands beside it. told: of all of them, in any order.

    refused: what went wrong, as sentences. runs: commands that were started. cached: results that they read.
    """

    over = Signal()

    def __init__(self, window: MainWindow, folder: Path, graph: Graph, chance: Random, at_once: int) -> None:
        super().__init__(window)
        self.window, self.folder, self.graph, self.chance, self.at_once = window, folder, graph, chance, at_once
        self.told: list[Told] = []
        self.refused: list[str] = []
        self.runs = self.cached = self.next_seed = 0
        self._running: set[QProcess] = set()
        workflow.save(graph, folder / "w.json")
        window.queue.listed.connect(self._look)
        self._least = 0  # commands to start
        self._until = 0.0  # seconds, of time.monotonic

    def start(self, runs: int, minutes: float) -> None:
        """Go on for so many commands at least, and so many minutes."""
        self._least, self._until = runs, time.monotonic() + 60 * minutes
        self._queue_another()
        self._fill()

    @property
    def _goes_on(self) -> bool:
        return self.runs < self._least or time.monotonic() < self._until

    # The window ---------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Take the job that is over."""
        queue = self.window.queue
        if not queue.jobs or not all(job.over for job in queue.jobs):
            return
        for job in queue.jobs:
            self._take(job)
        queue.clear_over()
        QTimer.singleShot(0, self, self._queue_another)  # the queue is still telling of the last one

    def _queue_another(self) -> None:
        if self.window.queue.jobs:
            return
        if not self._goes_on:
            self._end()
            return
        graph = with_seed(self.graph, self.next_seed)  # each once: what the engine saved already it saves no more
        self.next_seed += 1
        self.window.queue.add(graph, ("save",), "Shared")

    def _take(self, job: Job) -> None:
        if job.state != "done" or len(job.saved) != 1:
            self.refused.append(f"the window: {job.state} {job.message} {job.saved}")
        seed = job.graph.nodes["noise"].params["seed"]
        self.told += [Told(Path(path), int(seed)) for path in job.saved]

    # The commands -------------------------------------------------------------------------------------

    def _fill(self) -> None:
        while len(self._running) < self.at_once and self._goes_on:
            self._run(self.chance.randrange(self.next_seed + AHEAD))
            self.runs += 1

    def _run(self, seed: int) -> None:
        process = QProcess(self)
        process.setWorkingDirectory(str(ROOT))
        process.finished.connect(lambda code: self._ended(process, seed, code))
        self._running.add(process)
        places = ["--out", str(self.folder / "out"), "--cache", str(self.folder / "cache")]
        command = ["main.py", "run", str(self.folder / "w.json"), "--json", "--set", f"noise.seed={seed}", *places]
        process.start(sys.executable, command)

    def _ended(self, process: QProcess, seed: int, code: int) -> None:
        self._running.remove(process)
        process.deleteLater()
        try:
            report: dict[str, Any] = json.loads(bytes(process.readAllStandardOutput().data()))
        except ValueError:
            report = {"images": [], "calls": {"cached": 0}}
        if code or len(report["images"]) != 1:
            errors = bytes(process.readAllStandardError().data()).decode(errors="replace")
            self.refused.append(f"a command: exit code {code}, {report}, {errors}")
        self.told += [Told(Path(path), seed) for path in report["images"]]
        self.cached += report["calls"]["cached"]
        print(f"{self.runs - len(self._running)} commands, {self.next_seed} runs of the window", flush=True)
        self._fill()
        self._end()

    def _end(self) -> None:
        if not self._goes_on and not self._running and all(job.over for job in self.window.queue.jobs):
            self.over.emit()


def with_seed(graph: Graph, seed: int) -> Graph:
    """Another picture."""
    noise = graph.nodes["noise"]
    return replace(graph, nodes={**graph.nodes, "noise": replace(noise, params={**noise.params, "seed": seed})})


def starter() -> Graph:
    """The graph that everybody runs."""
    graph = workflow.load(ROOT / "workflows" / "text_to_image.json")
    scheduler = graph.nodes["scheduler"]
    quick = replace(scheduler, params={**scheduler.params, "steps": STEPS})
    return replace(graph, nodes={**graph.nodes, "scheduler": quick})


def table(crowd: Crowd, found: list[str]) -> str:
    """Markdown, of one row. found: faults of the pictures."""
    counts = (
        ("commands", crowd.runs), ("at once", crowd.at_once), ("runs of the window", crowd.next_seed),
        ("pictures", len(crowd.told)), ("results that commands read from the cache", crowd.cached),
        ("refused", len(crowd.refused)),
        *((kind, sum(f.startswith(kind) for f in found)) for kind in ("lost", "doubled", "damaged", "wrong")),
    )  # fmt: skip
    rows = ([name for name, _ in counts], ["---"] * len(counts), [f"{count:,}" for _, count in counts])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.sharing", description=str(__doc__).splitlines()[0])
    parser.add_argument("--runs", type=int, default=64, help="commands at least")
    parser.add_argument("--at-once", type=int, default=4, help="commands beside the window; each takes half a gigabyte")
    parser.add_argument("--minutes", type=float, default=10.0, help="at least")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="put the table into docs/reliability.md")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sharing") as place:
        folder = Path(place)
        app = real_window.application()
        window = real_window.show_window(folder)
        crowd = Crowd(window, folder, starter(), Random(args.seed), args.at_once)
        crowd.over.connect(lambda: app.exit(0))
        began = time.monotonic()
        QTimer.singleShot(0, crowd, lambda: crowd.start(args.runs, args.minutes))
        app.exec()
        minutes = (time.monotonic() - began) / 60
        real_window.close(window)
        found = faults(folder / "out", crowd.told)
    for sentence in (*crowd.refused, *found):
        print(sentence, file=sys.stderr)
    text = table(crowd, found)
    print(f"{minutes:.1f} minutes\n{text}")
    if args.write:
        machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
        page.put(page.RELIABILITY, "sharing", f"{minutes:.1f} minutes, seed {args.seed}, on {machine}.\n\n{text}")
    return int(bool(crowd.refused or found))


if __name__ == "__main__":
    sys.exit(main())
