"""The scheduler of sweeps against a clock that only counts: 200 workers, up to 100,000 cells, workers that die.

    python -m tools.cluster_sim [--write]

--write: the table into docs/cluster.md.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from nodegraph.sweeping.scheduler import Scheduler
from tools.page import put

PAGE = Path(__file__).parents[1] / "docs" / "cluster.md"
CELL, SPREAD = 4.0, 0.25  # seconds of a cell, and how far they differ: the sigma of a log-normal distribution
LOAD = 12.0  # seconds in which a worker loads the networks of a group


@dataclass(frozen=True, slots=True)
class Case:
    """groups: how many different sets of networks the cells need. deaths: of a cell's worker, the chance."""

    workers: int
    cells: int
    groups: int
    even: bool = True
    deaths: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """micros: of the scheduler, for each cell. idle: the share of the workers' time. loads, least: of networks."""

    micros: float
    idle: float
    loads: int
    least: int
    done: int
    given_up: int


def needs_of(case: Case, chance: random.Random) -> list[int]:
    """What each cell needs, in the line. The sets are needed alike, or some of them much more often than others."""
    weights = [1.0 if case.even else 1 / (1 + group) for group in range(case.groups)]
    return sorted(chance.choices(range(case.groups), weights, k=case.cells))


def simulated(case: Case, seed: int = 0) -> Outcome:
    """One run from the first cell to the last. A worker that dies is replaced after the time of a load."""
    chance = random.Random(seed)
    needs = needs_of(case, chance)
    start = time.perf_counter()
    scheduler = Scheduler(needs, case.workers, LOAD / CELL)
    spent = time.perf_counter() - start
    events: list[tuple[float, int, int]] = [(0.0, worker, worker) for worker in range(case.workers)]
    has: dict[int, object] = {}
    waiting: list[int] = []
    busy, now, loads, done, given_up, dead = 0.0, 0.0, 0, 0, 0, 0
    fresh = case.workers
    while events:
        now, _, worker = heapq.heappop(events)
        start = time.perf_counter()
        item = scheduler.next(worker)
        spent += time.perf_counter() - start
        if item is None:
            waiting.append(worker)
            continue
        seconds = CELL * math.exp(chance.gauss(0.0, SPREAD))
        if has.get(worker) != item.needs:
            has[worker], loads = item.needs, loads + 1
            seconds += LOAD
        if chance.random() < case.deaths:
            start = time.perf_counter()
            given_up += scheduler.lost(worker) is not None
            spent += time.perf_counter() - start
            dead, fresh = dead + 1, fresh + 1
            heapq.heappush(events, (now + seconds + LOAD, fresh, fresh))
            for other in waiting:  # there may be something to do again
                heapq.heappush(events, (now + seconds, other, other))
            waiting = []
        else:
            done += 1
            heapq.heappush(events, (now + seconds, worker, worker))
        busy += seconds
    least = case.workers + dead + len(set(needs)) - 1  # of who never waits: each begins with one, and goes on to others
    return Outcome(1e6 * spent / case.cells, 1 - busy / (now * case.workers), loads, least, done, given_up)


CASES = (
    *(Case(200, cells, 10) for cells in (10_000, 30_000, 100_000)),
    Case(200, 100_000, 1),
    Case(200, 100_000, 1000),
    Case(200, 100_000, 40, even=False),
    Case(200, 100_000, 10, deaths=0.001),
    Case(20, 100_000, 60),
)


def table(cases: tuple[Case, ...] = CASES) -> str:
    lines = [
        "| workers | cells | sets of networks | die | scheduler, µs a cell | idle | loads / least | made |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for case in cases:
        out = simulated(case)
        kind = f"{case.groups:,}{'' if case.even else ', uneven'}"
        lines.append(
            f"| {case.workers} | {case.cells:,} | {kind} | {case.deaths:.1%} | {out.micros:.1f} | {out.idle:.1%} "
            f"| {out.loads:,} / {out.least:,} = {out.loads / out.least:.2f} | {out.done:,}"
            f"{f', {out.given_up} given up' if out.given_up else ''} |"
        )
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    made = table()
    print(made)
    if parser.parse_args(argv).write:
        put(PAGE, "cluster", made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
