"""Small node types, and a short way to write graphs, for the tests of the core."""

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from nodegraph import builtin
from nodegraph.graph import Graph, Group, Node, Port, set_param
from nodegraph.node import Context, File, Range, node
from nodegraph.planning.plan import Plan, plan
from nodegraph.registry import node_types
from nodegraph.running.cache import Cache
from nodegraph.running.executor import execute
from nodegraph.running.messages import Event, Idle
from nodegraph.types import PREVIEW_SIDE, Picture, socket_type


@socket_type(color="#111111", pictured=True)
@dataclass(frozen=True, slots=True)
class Box:
    """No plain value: what makes one is a call."""

    value: float


def preview(box: Box, max_side: int = PREVIEW_SIDE, item: int | None = None) -> Picture:
    return Picture(1, 1, bytes([int(box.value) % 256] * 3))


@socket_type(color="#222222")
@dataclass(frozen=True, slots=True)
class Bag:
    weight: float = 0.0


class Halves(NamedTuple):
    left: Box
    right: Box


@node("toy.box")
def box(value: Annotated[float, Range(-1000, 1000)] = 1.0) -> Box:
    return Box(value)


@node("toy.add")
def add(a: Box, b: Box) -> Box:
    return Box(a.value + b.value)


@node("toy.step")
def step(box: Box, amount: float = 1.0, index: int = 0) -> Box:
    return Box(box.value * 2 + amount)


@node("toy.remember")
def remember(box: Box, history: Bag | None = None) -> Bag:
    return Bag(box.value + (history.weight if history else 0.0))


@node("toy.halves")
def halves(box: Box) -> Halves:
    return Halves(Box(box.value / 2), Box(box.value / 2))


@node("toy.total")
def total(boxes: tuple[Box, ...]) -> Box:
    return Box(sum(b.value for b in boxes))


@node("toy.weigh")
def weigh(box: Box) -> float:
    return box.value


@node("toy.count")
def count(box: Box) -> int:
    return int(box.value)


@node("toy.heavy")
def heavy(box: Box) -> bool:
    return box.value > 10


@node("toy.read")
def read(path: Annotated[str, File((".txt",))] = "") -> Box:
    return Box(float(Path(path).read_text()))


class Written(NamedTuple):
    path: Annotated[str, File((".txt",))]


@node("toy.write")
def write(box: Box, path: str = "") -> Written:
    Path(path).write_text(f"{box.value}")
    return Written(path)


@node("toy.show")
def show(box: Box) -> None:
    """A sink."""


@node("toy.save")
def save(ctx: Context, box: Box) -> None:
    ctx.saved(f"{ctx.out_dir}/{box.value:g} {ctx.workflow}")


@node("toy.refuse")
def refuse(box: Box) -> Box:
    raise ValueError("the box must be red")


@node("toy.report")
def report(ctx: Context, box: Box, parts: int = 10) -> Box:
    for part in range(parts):
        ctx.progress(part + 1, parts, lambda: preview(box))
    return box


@node("plain.double")
def double(x: Annotated[int, Range(0, 1000)] = 1) -> int:
    return x * 2


@node("plain.divide")
def divide(a: float = 1.0, b: float = 1.0) -> float:
    if b == 0:
        raise ValueError("cannot divide by 0")
    return a / b


@node("plain.is_zero")
def is_zero(a: float = 0.0) -> bool:
    return a == 0


@node("plain.countdown")
def countdown(count: int = 3, last: float = 0.0) -> tuple[float, ...]:
    """count, count - 1, ..., 1, last: like the noise levels of a schedule."""
    return (*(float(count - i) for i in range(count)), last)


@node("plain.item")
def item(values: tuple[float, ...], index: int = 0) -> float:
    return values[index]


@node("plain.first_line")
def first_line(path: Annotated[str, File()] = "") -> str:
    return Path(path).read_text()


@node("plain.choose")
def choose(kind: Literal["linear", "cosine"] = "linear", flag: bool = False, text: str = "") -> str:
    return kind


REGISTRY = {t.id: t for module in (builtin, sys.modules[__name__]) for t in node_types(module)}


def build(nodes: dict[str, tuple[str, dict[str, Any]] | str], *links: str, groups: tuple[Group, ...] = ()) -> Graph:
    """nodes: type and parameters by id. links: "source.output > node.input"."""
    made = {id: Node(entry) if isinstance(entry, str) else Node(*entry) for id, entry in nodes.items()}
    return extend(Graph(made, groups={g.name: g for g in groups}), {}, *links)


def extend(graph: Graph, nodes: dict[str, str], *links: str) -> Graph:
    """The graph with more nodes, of these types, and more links, in place of those to the same inputs."""
    pairs = [[Port(*end.strip().rsplit(".", 1)) for end in link.split(">")] for link in links]
    more = {id: Node(type) for id, type in nodes.items()}
    return replace(graph, nodes=graph.nodes | more, links=graph.links | {dst: src for src, dst in pairs})


def zone(count: int = 3) -> Graph:
    """A box, doubled plus one in each round, shown."""
    return build(
        {
            "box": "toy.box",
            "begin": ("repeat.begin", {"count": count}),
            "step": "toy.step",
            "end": "repeat.end",
            "show": "toy.show",
        },
        "box.box > begin.initial",
        "begin.state > step.box",
        "begin.zone > end.zone",
        "step.box > end.next",
        "end.value > show.box",
    )


def schedule(rounds: int = 4) -> Graph:
    """A zone over a schedule, as in denoising: round i takes the value i of a list."""
    links = ["levels.value > level.values", "begin.index > level.index", "level.value > step.amount"]
    graph = extend(zone(rounds), {"levels": "plain.countdown", "level": "plain.item"}, *links)
    return set_param(graph, "levels", "count", 4)


def sentences(plan: Plan) -> list[tuple[str, str | None, str]]:
    return [problem[:3] for problem in plan.problems]


def run(graph: Graph, *targets: str, cache: Cache | None = None, **options: Any) -> tuple[Idle, list[Event]]:
    events: list[Event] = []
    cache = Cache(1 << 20) if cache is None else cache
    made = plan(graph, REGISTRY, targets)
    return execute(made, targets, cache, events.append, preview=preview, **options), events


def result(graph: Graph, target: str) -> Any:
    """The first output of a node, computed."""
    cache = Cache(1 << 20)
    planned = plan(graph, REGISTRY, [target])
    assert not planned.problems
    execute(planned, [target], cache, lambda event: None)
    values = cache.get(planned.roots(target)[0])
    assert values is not None
    return values[0]


class JsonCodec:
    """Boxes as numbers."""

    def save(self, values: tuple[Any, ...], path: Path) -> None:
        path.write_text(json.dumps([value.value for value in values]))

    def load(self, path: Path) -> tuple[Any, ...]:
        return tuple(Box(value) for value in json.loads(path.read_text()))


def several_states():
    links = ["begin.state > note.box", "begin.state_2 > note.history", "note.bag > end.next_2"]
    return extend(zone(3), {"note": "toy.remember"}, *links)


def nested():
    return build(
        {
            "box": "toy.box",
            "outer": ("repeat.begin", {"count": 3}),
            "inner": ("repeat.begin", {"count": 2}),
            "step": "toy.step",
            "inner_end": "repeat.end",
            "outer_end": "repeat.end",
        },
        "box.box > outer.initial",
        "outer.state > inner.initial",
        "inner.state > step.box",
        "outer.index > step.amount",
        "step.box > inner_end.next",
        "inner.zone > inner_end.zone",
        "inner_end.value > outer_end.next",
        "outer.zone > outer_end.zone",
    )


def for_each():
    return build(
        {
            "list": ("plain.countdown", {"count": 2}),
            "begin": "foreach.begin",
            "box": "toy.box",
            "end": "foreach.end",
            "total": "toy.total",
        },
        "list.value > begin.items",
        "begin.item > box.value",
        "begin.zone > end.zone",
        "box.box > end.result",
        "end.results > total.boxes",
    )
