"""What a Ray cluster costs and gives: its start, each job beside one of this process, two workers beside one.

    python -m tools.bench.cluster [--write]

Trivial nodes show the overhead; a node that sleeps shows how well workers share cells, on a machine of any size.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

from denoodle.cluster.cluster import Cluster, joined
from denoodle.cluster.driver import Driver
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Node, Port, connect
from nodegraph.running.engine import Engine, Settings
from nodegraph.sweeping import here
from nodegraph.sweeping.axes import Axis
from nodegraph.sweeping.here import Came
from nodegraph.sweeping.ledger import opened
from nodegraph.sweeping.sweep import Sweep
from tools.page import put

PAGE = Path(__file__).parents[2] / "docs" / "cluster.md"
PACKAGE = "tests.toy_nodes"
TRIVIAL, WAITING = 200, 60  # cells
PARTS = 20  # of ten milliseconds each, that a cell waits
TARGETS = ("print",)


_TAGS = count()


def graph(parts: int) -> Graph:
    """A box, held up, and printed; each time another, which no cache has."""
    slow = Node("toy.slow", {"parts": parts, "tag": str(next(_TAGS))})
    nodes = {"box": Node("toy.box"), "slow": slow, "print": Node("toy.print")}
    made = connect(Graph(nodes), Port("box", "box"), Port("slow", "box"))
    return connect(made, Port("slow", "box"), Port("print", "box"))


def sweep(cells: int) -> Sweep:
    return Sweep((Axis(Port("box", "value"), tuple(map(float, range(cells)))),))


def local(cells: int) -> float:
    """Seconds of a cell in this process."""
    engine = Engine(Settings(PACKAGE, cache=None))
    engine.configure()
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder)) as ledger:
        varied = sweep(cells)
        return _timed(here.came(engine, graph(1), TARGETS, varied, varied.cells(), ledger), cells)


def remote(driver: Driver, workers: list[int], cells: int, parts: int) -> float:
    """Seconds of a cell by these workers."""
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder)) as ledger:
        varied = sweep(cells)
        return _timed(driver.came(graph(parts), TARGETS, varied, varied.cells(), ledger, workers), cells)


def _timed(coming: Iterator[Came], cells: int) -> float:
    start = time.perf_counter()
    assert sum(bool(one.images) for one in coming) == cells
    return (time.perf_counter() - start) / cells


def _driver(cluster: Cluster) -> Driver:
    return Driver(cluster, discover(PACKAGE), discover(PACKAGE), print)


def rows() -> Iterator[dict[str, Any]]:
    if find_spec("ray") is None:
        yield {"measured": "Ray is not installed: pip install denoodle[cluster]"}
        return
    settings = {"package": PACKAGE, "cache": None, "folder": ""}
    start = time.perf_counter()
    with joined("ray", 2, None, settings) as (cluster, _):
        began = time.perf_counter() - start
        driver = _driver(cluster)
        start = time.perf_counter()
        workers = driver.hire(2)
        hired = time.perf_counter() - start
        yield {"measured": "Ray's start on this machine", "seconds": began}
        yield {"measured": "two workers of trivial nodes, until they answer", "seconds": hired}
        remote(driver, workers[:1], 20, 1)  # the first jobs also import
        one, here_ = remote(driver, workers[:1], TRIVIAL, 1), local(TRIVIAL)
        yield {"measured": "a trivial cell in this process", "seconds": here_}
        yield {"measured": "a trivial cell by a worker", "seconds": one, "overhead, ms": 1000 * (one - here_)}
        alone = remote(driver, workers[:1], WAITING, PARTS)
        both = remote(driver, workers, WAITING, PARTS)
        yield {"measured": "a cell that waits 0.2 s, one worker", "seconds": alone}
        yield {"measured": "the same, two workers", "seconds": both, "throughput": alone / both}


def main(argv: list[str]) -> int:
    from tools.bench.__main__ import table

    made = table(rows())
    print(made)
    if argv == ["--write"]:
        put(PAGE, "cluster_bench", made)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
