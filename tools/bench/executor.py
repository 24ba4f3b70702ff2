"""What planning and running a graph costs beside the nodes' own work: `python -m tools.bench.executor`.

The nodes add two numbers, so all that is measured is bookkeeping: validation, keys, cache, events. Times
are CPU time of the thread, the best of several runs, so other work on the machine hardly shows.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from nodegraph.graph import Graph, Node, Port, set_param
from nodegraph.planning.plan import Planner
from nodegraph.registry import node_types
from nodegraph.running.cache import Cache
from nodegraph.running.executor import execute
from tools.bench.trivial import add

SIZES = (100, 1_000, 5_000, 10_000)

# CPU milliseconds of graphs of the same shape and size in other programs, measured on a 2-core machine on 21 November
# 2026 by scripts that are not kept: ComfyUI 0.3.64 (its PromptExecutor, no browser connected) and InvokeAI's
# GraphExecutionState, which always runs everything. None: it fails (a chain beyond about 985 nodes) or was not run.
RIVALS: dict[tuple[str, int], dict[str, float | None]] = {
    ("tree", 100): {"ComfyUI cold": 51, "ComfyUI unchanged": 32, "InvokeAI cold": 112},
    ("tree", 1_000): {"ComfyUI cold": 3_220, "ComfyUI unchanged": 1_050, "InvokeAI cold": 9_700},
    ("tree", 5_000): {"ComfyUI cold": 74_000, "ComfyUI unchanged": 6_090, "InvokeAI cold": None},
    ("chain", 100): {"ComfyUI cold": 216, "ComfyUI unchanged": 433, "InvokeAI cold": 145},
    ("chain", 1_000): {"ComfyUI cold": None, "ComfyUI unchanged": None, "InvokeAI cold": 12_200},
    ("chain", 5_000): {"ComfyUI cold": None, "ComfyUI unchanged": None, "InvokeAI cold": None},
}


REGISTRY = {declared.id: declared for declared in node_types(add)}


def tree(size: int) -> Graph:
    """A binary tree; the first node is the root, the last a leaf."""
    nodes = {f"n{i}": Node("bench.add", {"amount": i}) for i in range(size)}
    links = {Port(f"n{(i - 1) // 2}", "ab"[(i - 1) % 2]): Port(f"n{i}", "number") for i in range(1, size)}
    return Graph(nodes, links)


def chain(size: int) -> Graph:
    """Each node takes the one with the next number; the first is the end, the last the start."""
    nodes = {f"n{i}": Node("bench.add", {"amount": i}) for i in range(size)}
    return Graph(nodes, {Port(f"n{i}", "a"): Port(f"n{i + 1}", "number") for i in range(size - 1)})


SHAPES: dict[str, Callable[[int], Graph]] = {"tree": tree, "chain": chain}


def best(work: Callable[[], Any], runs: int) -> float:
    """CPU milliseconds of the quickest run.

    The cyclic garbage collector rests meanwhile, as in timeit: what its passes cost depends on all else in the process.
    """
    times: list[float] = []
    for _ in range(runs):
        gc.collect()
        gc.disable()
        start = time.thread_time()
        work()
        times.append((time.thread_time() - start) * 1e3)
        gc.enable()
    return min(times)


def measure(shape: str, size: int, runs: int = 5) -> dict[str, float]:
    """CPU milliseconds: planned from nothing and run; nothing changed; re-planned after an edit of one parameter.

    The edited node is a leaf of the tree, which a dozen nodes depend on, or the end of the chain.
    """
    graph = SHAPES[shape](size)
    edited = f"n{size - 1}" if shape == "tree" else "n0"

    def start() -> tuple[Planner, Cache]:
        planner, cache = Planner(REGISTRY), Cache(1 << 30)
        run(planner, cache, graph)
        return planner, cache

    planner, cache = start()
    edits = iter([set_param(graph, edited, "amount", -i) for i in range(1, 2 * runs + 1)])
    return {
        "cold": best(start, runs),
        "unchanged": best(lambda: run(planner, cache, graph), 2 * runs),
        "edit": best(lambda: planner.plan(next(edits), ["n0"]), 2 * runs),
    }


def run(planner: Planner, cache: Cache, graph: Graph) -> None:
    execute(planner.plan(graph, ["n0"]), ["n0"], cache, lambda event: None)


def rows() -> Iterator[dict[str, Any]]:
    """A row for each shape and size: ours in CPU milliseconds, the rivals' where known."""
    import_module("networkx")  # once, before anything is timed

    for shape in SHAPES:
        for size in SIZES:
            ours = measure(shape, size)
            yield {
                "shape": shape,
                "nodes": size,
                "cold ms": ours["cold"],
                "cold us per node": ours["cold"] * 1e3 / size,
                "unchanged ms": ours["unchanged"],
                "re-planned ms": ours["edit"],
                **{f"{name} ms": ms for name, ms in RIVALS.get((shape, size), {}).items()},
            }


def main() -> None:
    columns = ["shape", "nodes", "cold ms", "cold us per node", "unchanged ms", "re-planned ms"]
    columns += [f"{name} ms" for name in RIVALS["tree", 100]]
    print(" | ".join(columns))
    for row in rows():
        print(" | ".join(_cell(row.get(column)) for column in columns))


def _cell(value: object) -> str:
    return "–" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
