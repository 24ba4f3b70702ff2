"""A real engine process with toy nodes, for tests of what runs on it."""

from pathlib import Path

from nodegraph.graph import Graph, Node, Port
from nodegraph.registry import Registry
from nodegraph.running.engine import Settings
from ui.documents.document import Document
from ui.runs.engine import Engine
from ui.runs.job import Job
from ui.runs.live_plan import LivePlan
from ui.runs.queue import Queue
from ui.runs.run_state import RunState
from ui.runs.runner import Runner

LONG = 60_000  # an engine process starts in half a second on an idle machine; this one may be busy


class Desk:
    """One engine with its queue, and documents that run on it."""

    def __init__(
        self, registry: Registry, folder: Path, package: str = "tests.toy_nodes", cache: Path | None = None
    ) -> None:
        self.registry, self.folder = registry, folder
        self.engine = Engine(Settings(package, cache=str(cache) if cache else None, out_dir=str(folder / "out")))
        self.queue = Queue(self.engine, folder)
        self.runners: list[Runner] = []

    def open(self, graph: Graph) -> Runner:
        document = Document(self.registry, graph)
        plan, runs = LivePlan(document), RunState()
        runner = Runner(document, self.engine, self.queue, plan, runs)
        plan.start()
        self.runners.append(runner)
        return runner

    def counted(self) -> list[Job]:
        """The jobs that begin from now on."""
        began: list[Job] = []
        self.queue.began.connect(began.append)
        return began

    def close(self) -> None:
        for runner in self.runners:
            runner.plan.close()
        if self.engine.pid:
            self.engine.close()
        self.queue.close()


def slow(parts: int = 20, value: float = 1.0, tag: str = "") -> Graph:
    """A box, held up for ten milliseconds a part, and saved."""
    nodes = {
        "box": Node("toy.box", {"value": value}),
        "slow": Node("toy.slow", {"parts": parts, "tag": tag}),
        "save": Node("toy.save", {"filename": f"box{value:g}{tag}"}),
    }
    return Graph(nodes, {Port("slow", "box"): Port("box", "box"), Port("save", "box"): Port("slow", "box")})


def loop(rounds: int = 50, parts: int = 3, value: float = 1.0) -> Graph:
    """A box that goes round, every round held up a little, and is saved."""
    nodes = {
        "box": Node("toy.box", {"value": value}),
        "begin": Node("repeat.begin", {"count": rounds}),
        "slow": Node("toy.slow", {"parts": parts}),
        "step": Node("toy.step"),
        "end": Node("repeat.end"),
        "save": Node("toy.save"),
    }
    links = {
        Port("begin", "initial"): Port("box", "box"),
        Port("end", "zone"): Port("begin", "zone"),
        Port("slow", "box"): Port("begin", "state"),
        Port("step", "box"): Port("slow", "box"),
        Port("end", "next"): Port("step", "box"),
        Port("save", "box"): Port("end", "value"),
    }
    return Graph(nodes, links)


def climb(rungs: int = 4) -> Graph:
    """A box that is carried up a ladder, opened, and shown."""
    nodes = {
        "box": Node("toy.box"),
        "lid": Node("toy.lid"),
        "ladder": Node("toy.ladder", {"length": rungs}),
        "begin": Node("repeat.begin"),
        "rung": Node("toy.rung"),
        "carry": Node("toy.carry"),
        "end": Node("repeat.end"),
        "unlock": Node("toy.unlock"),
        "show": Node("toy.show"),
    }
    links = {
        Port("begin", "initial"): Port("box", "box"),
        Port("begin", "count"): Port("ladder", "number"),
        Port("rung", "rungs"): Port("ladder", "rungs"),
        Port("rung", "index"): Port("begin", "index"),
        Port("carry", "box"): Port("begin", "state"),
        Port("carry", "height"): Port("rung", "height"),
        Port("end", "zone"): Port("begin", "zone"),
        Port("end", "next"): Port("carry", "box"),
        Port("unlock", "load"): Port("end", "value"),
        Port("unlock", "opener"): Port("lid", "lid"),
        Port("show", "box"): Port("unlock", "box"),
    }
    return Graph(nodes, links)
