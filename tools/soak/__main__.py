"""Work at random in a real window for some minutes, and see whether memory, objects and latency level off.

python -m tools.soak [--minutes 20] [--seed 1] [--write]
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import platform
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from random import Random
from typing import Any

from PySide6.QtCore import QTimer

from tools import page, real_window
from tools.soak import report
from tools.soak.day import Day
from tools.soak.watch import Probe, Sample, sample, settle

PAGE = page.RELIABILITY
CHART = PAGE.with_name("soak.png")
DAY = 40.0  # seconds


def soak(minutes: float, seed: int, folder: Path) -> tuple[report.Outcome, Day]:
    """folder: for everything that the program writes."""
    app = real_window.application()
    faults = _caught()
    window = real_window.show_window(folder)
    (folder / "work").mkdir()
    day = Day(window, folder / "work", Random(seed), min(DAY, minutes * 60 / 4))
    evenings: list[Sample] = []
    probe, started = Probe(), time.monotonic()

    def rest() -> None:
        probe.pause()
        settle()
        evenings.append(sample(started, window.engine.pid))
        print(
            f"{evenings[-1].minute:5.1f} min  {evenings[-1].uss:6.1f} MB  {evenings[-1].python:8,} objects", flush=True
        )
        probe.pause()

    day.evening.connect(rest)
    probe.start()
    day.start()
    QTimer.singleShot(round(minutes * 60_000), lambda: app.exit(0))  # quit() would ask about unsaved changes
    app.exec()
    day.stop()
    probe.stop()
    real_window.close(window)
    return report.Outcome(minutes, evenings, probe.waits, faults), day


def _caught() -> list[str]:
    """Every exception that nobody has caught from now on, as text."""
    faults: list[str] = []

    def note(*error: Any) -> None:
        faults.append("".join(traceback.format_exception(*error)))
        print(faults[-1], file=sys.stderr)

    sys.excepthook = note
    threading.excepthook = lambda args: note(args.exc_type, args.exc_value, args.exc_traceback)
    return faults


def write(outcome: report.Outcome, seed: int) -> None:
    """Replace the section of the page that this tool wrote last, or add it; draw the chart beside it."""
    report.chart(outcome, CHART)
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    text = "\n\n".join(
        (
            f"{outcome.minutes:g} minutes, seed {seed}, on {machine}, with the load that it had then.",
            report.table(outcome),
            f"![Memory, objects and waits over the minutes]({CHART.name})",
        )
    )
    page.put(PAGE, "soak", text)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.soak", description=str(__doc__).splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="put table and chart into docs/reliability.md")
    args = parser.parse_args()
    faulthandler.enable()
    with tempfile.TemporaryDirectory(prefix="soak") as folder:
        outcome, day = soak(args.minutes, args.seed, Path(folder))
    print("acts:", ", ".join(f"{act} {count}" for act, count in day.acts.most_common()))
    costly = sorted(day.costs.items(), key=lambda cost: -cost[1])
    print("the longest of each, ms of CPU:", ", ".join(f"{act} {cost * 1000:.0f}" for act, cost in costly))
    for dialog in day.dialogs:
        print("dismissed:", dialog)
    if not outcome.evenings:
        print("no day was over: give it more minutes", file=sys.stderr)
        return 2
    print(report.table(outcome))
    if args.write:
        write(outcome, args.seed)
    found = report.broken(outcome)
    for sentence in found:
        print("broken:", sentence)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
