"""Making pictures with Denoodle's engine, in this process."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nodegraph.formats import workflow
from nodegraph.graph import Graph, set_param
from nodegraph.planning.keys import Ref
from nodegraph.running.engine import Engine, Settings
from nodegraph.running.messages import Event, Failed, Run, Saved
from nodes.types import AS_STORED, Storage
from tools.gpu_check.models import Subject

WORKFLOWS = Path(__file__).parents[2] / "workflows"


@dataclass(frozen=True)
class Made:
    """values: what each sink was given, by node and number. failure: why there is nothing; empty when there is."""

    seconds: float
    values: Mapping[tuple[str, int], Any]
    pictures: tuple[str, ...]
    failure: str


def engine(folder: Path, device: str, precision: str = "auto") -> Engine:
    """As in the editor, with results on disk; for runs in this process."""
    made = Engine(
        Settings("nodes", device, str(folder / "cache"), 4 << 30, str(folder / "pictures"), precision=precision)
    )
    made.configure()
    return made


def make(engine: Engine, graph: Graph, targets: tuple[str, ...]) -> Made:
    """Run a graph and keep what its sinks were given."""
    failures: list[str] = []
    pictures: list[str] = []

    def take(event: Event) -> None:
        match event:
            case Failed():
                failures.append(f"{event.node}: {event.message}")
            case Saved():
                pictures.append(event.path)
            case _:
                pass

    start = time.perf_counter()
    plan = engine.plan(graph, targets)
    engine.execute(plan, Run(graph, targets), take)
    seconds = time.perf_counter() - start
    failures += [f"{problem.node}: {problem.message}" for problem in plan.problems]
    values: dict[tuple[str, int], Any] = {}
    for target in targets:
        for number, key in enumerate(plan.roots(target)):
            for arg in plan.calls[key].args.values():
                if isinstance(arg, Ref) and (kept := engine.cache.get(arg.key)) is not None:
                    values[target, number] = kept[plan.calls[arg.key].type.output_index[arg.output]]
    return Made(seconds, values, tuple(pictures), failures[0] if failures else "")


def picture_of(subject: Subject, checkpoint: Path, steps: int, seed: int, weights: Storage = AS_STORED) -> Graph:
    """The shipped text to image workflow, for a model of any family."""
    graph = workflow.load(WORKFLOWS / "text_to_image.json")
    for node, name, value in (
        ("checkpoint", "path", str(checkpoint)),
        ("checkpoint", "weights", weights),
        ("positive", "text", "a red cat"),
        ("latent", "width", subject.size),
        ("latent", "height", subject.size),
        ("latent", "batch", subject.batch),
        ("scheduler", "schedule", "normal"),
        ("scheduler", "steps", steps),
        ("noise", "seed", seed),
        ("denoise", "guidance_scale", subject.guidance_scale),
        ("denoise", "solver", "euler"),
    ):
        graph = set_param(graph, node, name, value)
    return graph
