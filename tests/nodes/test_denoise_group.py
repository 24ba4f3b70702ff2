"""One step function, three ways to loop over it: the Denoise group, the zone in the open, a Python loop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

import nodes
from nodegraph.editing.draft import draft
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Node, Port, connect, set_param
from nodegraph.node import Context
from nodegraph.planning.plan import plan
from nodegraph.running.cache import Cache
from nodegraph.running.executor import execute
from nodegraph.running.messages import Event, Finished
from nodes.backend.solvers import SolverName
from nodes.latent import empty_latent, noise
from nodes.load import checkpoint
from nodes.sampling import unet_step
from nodes.schedule import noise_scheduler, sigmas_at
from nodes.text import prompt
from nodes.types import Latent
from tests.examples import some_slow
from ui.runs.branches import continue_from, find_loop

REGISTRY = discover("nodes")
SOLVERS = ["euler", "uni_pc", "dpmpp_2m_sde"]  # no history, all of the history, history and noise
STEPS = 6


def test_a_draft_takes_fewer_steps_with_a_solver_that_bears_them(tmp_path: Path):
    graph = draft(with_group(tmp_path, "dpmpp_2m", steps=30), REGISTRY.get)
    assert graph.nodes["scheduler"].params["steps"] < 30
    assert graph.nodes["denoise"].params["solver"] == "euler"
    assert draft(with_group(tmp_path, "dpmpp_2m", steps=6), REGISTRY.get) == with_group(tmp_path, "dpmpp_2m", steps=6)


def linked(nodes: dict[str, Node], *links: str) -> Graph:
    """links: "node.output node.input"."""
    pairs = (link.split() for link in links)
    return Graph(nodes, {Port(*dst.split(".")): Port(*src.split(".")) for src, dst in pairs})


def with_group(folder: Path, solver: str, steps: int = STEPS) -> Graph:
    return linked(
        {
            "checkpoint": Node("load.checkpoint", {"path": str(folder)}),
            "positive": Node("text.encode", {"text": "a red cat"}),
            "negative": Node("text.encode", {"text": "blurry"}),
            "latent": Node("latent.empty", {"width": 64, "height": 64, "batch": 1}),
            "scheduler": Node("schedule.noise_scheduler", {"schedule": "karras", "steps": steps}),
            "noise": Node("latent.noise", {"seed": 3}),
            "denoise": Node("group:Denoise", {"guidance_scale": 5.0, "solver": solver}),
        },
        "checkpoint.text_encoder positive.text_encoder",
        "checkpoint.text_encoder negative.text_encoder",
        "checkpoint.vae latent.vae",
        "checkpoint.model scheduler.model",
        "latent.latent noise.latent",
        "scheduler.sigma_start noise.sigma",
        "checkpoint.model denoise.model",
        "noise.latent denoise.latent",
        "noise.seed denoise.seed",
        "positive.conditioning denoise.positive",
        "negative.conditioning denoise.negative",
        "scheduler.sigmas denoise.sigmas",
    )


def with_zone(folder: Path, solver: str) -> Graph:
    """The same, with the repeat zone in the open."""
    graph = with_group(folder, solver)
    nodes = {id: node for id, node in graph.nodes.items() if id != "denoise"} | {
        "begin": Node("repeat.begin"),
        "sigmas_at": Node("schedule.sigmas_at"),
        "step": Node("sampling.unet_step", {"guidance_scale": 5.0, "solver": solver}),
        "denoise": Node("repeat.end"),
    }
    inner = {
        Port("step" if dst.node == "denoise" else dst.node, dst.socket): src
        for dst, src in graph.links.items()
        if dst not in (Port("denoise", "latent"), Port("denoise", "sigmas"))
    }
    zone = linked(
        {},
        "noise.latent begin.initial",
        "scheduler.steps begin.count",
        "scheduler.sigmas sigmas_at.sigmas",
        "begin.index sigmas_at.index",
        "sigmas_at.sigma step.sigma",
        "sigmas_at.sigma_next step.sigma_next",
        "begin.index step.index",
        "begin.state step.latent",
        "begin.state_2 step.history",
        "step.latent denoise.next",
        "step.history denoise.next_2",
        "begin.zone denoise.zone",
    )
    return replace(graph, nodes=nodes, links={**inner, **zone.links})


def with_python(folder: Path, solver: str) -> Latent:
    model, text_encoder, vae = checkpoint(str(folder))
    positive, negative = prompt(text_encoder, "a red cat"), prompt(text_encoder, "blurry")
    sigmas, sigma_start, steps = noise_scheduler(model, "karras", STEPS)
    latent, seed = noise(empty_latent(vae, 64, 64), sigma_start, 3)
    history: Any = None
    for index in range(steps):
        sigma, sigma_next = sigmas_at(sigmas, index)
        latent, _, history = unet_step(
            Context(), model, latent, positive, negative, sigma, sigma_next, index, seed, 5.0, solver, history
        )
    return latent


def run(graph: Graph, cache: Cache, events: list[Event] | None = None) -> tuple[Latent, int]:
    """What `denoise` gives, and how many calls were run for it."""
    planned = plan(graph, REGISTRY, ["denoise"])
    assert not planned.problems
    emit = (events if events is not None else []).append
    idle = execute(planned, ["denoise"], cache, emit, preview=nodes.preview)
    (key,) = planned.roots("denoise")[:1]
    values = cache.get(key)
    assert values is not None
    return values[0], idle.run


def new_cache() -> Cache:
    return Cache(1 << 30)


@pytest.mark.parametrize("solver", SOLVERS)
def test_group_zone_and_python_loop_are_equal_bit_for_bit(solver: str, sd15_folder: Path):
    group, _ = run(with_group(sd15_folder, solver), new_cache())
    zone, _ = run(with_zone(sd15_folder, solver), new_cache())
    assert group.samples.equal(zone.samples)
    assert group.samples.equal(with_python(sd15_folder, solver).samples)


def test_zone_and_group_share_their_results(sd15_folder: Path):
    cache = new_cache()
    run(with_group(sd15_folder, "euler"), cache)
    assert run(with_zone(sd15_folder, "euler"), cache)[1] == 0


def test_a_resumed_run_equals_an_uninterrupted_one(sd15_folder: Path):
    graph = with_group(sd15_folder, "dpmpp_2m_sde")
    cache = new_cache()
    events: list[Event] = []
    planned = plan(graph, REGISTRY, ["denoise"])
    reports = iter(range(10))
    stopped = execute(planned, ["denoise"], cache, events.append, stop=lambda: next(reports) == 8)
    assert stopped.stopped
    resumed, calls = run(graph, cache)
    assert 0 < calls < STEPS
    assert resumed.samples.equal(run(graph, new_cache())[0].samples)


def test_another_guidance_from_a_step_on_leaves_the_steps_before_it(sd15_folder: Path):
    graph = with_zone(sd15_folder, "euler")
    graph = replace(graph, nodes={**graph.nodes, "guidance": Node("schedule.change_at", {"at": 4, "before": 5.0})})
    graph = connect(graph, Port("begin", "index"), Port("guidance", "index"))
    graph = connect(graph, Port("guidance", "value"), Port("step", "guidance_scale"))
    cache = new_cache()
    run(set_param(graph, "guidance", "after", 3.0), cache)
    assert run(set_param(graph, "guidance", "after", 2.0), cache)[1] == STEPS - 4


def test_another_negative_prompt_encodes_that_prompt_alone_before_the_steps(sd15_folder: Path):
    cache = new_cache()
    graph = with_group(sd15_folder, "euler")
    run(graph, cache)
    assert run(set_param(graph, "negative", "text", "low quality"), cache)[1] == STEPS + 1


def test_every_run_shows_the_picture_so_far(sd15_folder: Path):
    events: list[Event] = []
    run(with_group(sd15_folder, "euler", steps=20), new_cache(), events)
    steps = [event for event in events if isinstance(event, Finished) and event.node == "denoise/step"]
    shown = {event.picture for event in steps[:-1] if event.picture}
    assert len(shown) > 1  # of the picture that is on its way, another one after each step


GROUP, ZONE = (with_group, "denoise/step", "denoise.latent"), (with_zone, "step", "denoise.value")
BOTH = [(*made, solver) for made in (GROUP, ZONE) for solver in get_args(SolverName)]


@pytest.mark.parametrize(
    ("make", "step", "latent", "solver"),
    some_slow(BOTH, [(*GROUP, "uni_pc"), (*GROUP, "heun"), (*ZONE, "euler"), (*ZONE, "dpmpp_2m_sde")]),
)
def test_going_on_from_a_step_with_unchanged_settings_ends_at_the_same_bits(
    make: Any, step: str, latent: str, solver: str, sd15_folder: Path
):
    graph, end = make(sd15_folder, solver), linked({}, "checkpoint.vae decode.vae", f"{latent} decode.latent")
    graph = Graph({**graph.nodes, "decode": Node("vae.decode")}, {**graph.links, **end.links})
    after, shown = continue_from(
        graph, find_loop(graph, REGISTRY.get, REGISTRY.domain.branching, step), 2, STEPS, {}, 2000.0
    )
    branch = after.links[Port(shown, "image")].node
    cache, planned = new_cache(), plan(after, REGISTRY, ["decode", branch])
    assert not planned.problems
    execute(planned, ["decode", branch], cache, lambda _: None)
    run, went_on = (cache.get(planned.keys[id]) for id in ("decode", branch))
    assert run is not None
    assert went_on is not None
    assert planned.keys["decode"] != planned.keys[branch]
    assert went_on[0].pixels.equal(run[0].pixels)
