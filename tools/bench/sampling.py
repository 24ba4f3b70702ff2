"""Ten denoising steps: the stock loop of diffusers, our steps in a plain loop, and our steps through the engine.

    python -m tools.bench.sampling

The network is a random U-Net of Stable Diffusion 1.5's size, for 256 x 256 pictures with guidance, on all cores. The
three take turns in one process. The engine's share is also read within its own runs: what they took besides the steps.
"""

from __future__ import annotations

import statistics
import tempfile
import time
import timeit
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler

import nodes
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Node, Port
from nodegraph.node import Context
from nodegraph.planning.plan import Planner
from nodegraph.running.cache import Cache
from nodegraph.running.executor import execute
from nodegraph.running.messages import Event, Finished
from nodes.latent import empty_latent, noise
from nodes.load import checkpoint
from nodes.sampling import Denoised, unet_step
from nodes.schedule import noise_scheduler, sigmas_at
from nodes.text import prompt
from nodes.types import History, Latent, Space
from tests import tiny_models

STEPS, ROUNDS, SIZE, GUIDANCE = 10, 2, 256, 7.5
WARM_UP = 2  # steps: weights come from the disk and are packed in the first one


def make_model(folder: Path) -> None:
    """A tiny checkpoint with a U-Net of full size."""
    tiny_models.build_sd15(folder)
    unet = UNet2DConditionModel(sample_size=SIZE // 8, cross_attention_dim=tiny_models.CLIP_L_WIDTH)
    unet.save_pretrained(folder / "unet")


def stock_loop(folder: Path) -> Callable[[int], torch.Tensor]:
    """What StableDiffusionPipeline does between prompt and picture."""
    unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet").eval()
    text_encoder = checkpoint(str(folder)).text_encoder
    embeds = torch.cat([prompt(text_encoder, text).embeds for text in ("blurry", "a red cat")])

    @torch.no_grad()
    def run(steps: int) -> torch.Tensor:
        scheduler: Any = EulerDiscreteScheduler(**tiny_models.SD_NOISE, timestep_spacing="linspace")
        scheduler.set_timesteps(steps)
        start = torch.randn(1, 4, SIZE // 8, SIZE // 8, generator=torch.Generator().manual_seed(0))
        x: torch.Tensor = start * scheduler.init_noise_sigma
        for timestep in scheduler.timesteps:
            model_input = scheduler.scale_model_input(torch.cat([x, x]), timestep)
            uncond, cond = unet(model_input, timestep, encoder_hidden_states=embeds, return_dict=False)[0].chunk(2)
            x = scheduler.step(uncond + GUIDANCE * (cond - uncond), timestep, x, return_dict=False)[0]
        return x

    return run


def our_loop(folder: Path) -> Callable[[int], torch.Tensor]:
    """The node functions, called from Python."""
    model, text_encoder, vae = checkpoint(str(folder))
    positive, negative = prompt(text_encoder, "a red cat"), prompt(text_encoder, "blurry")

    def run(steps: int) -> torch.Tensor:
        sigmas, sigma_start, _ = noise_scheduler(model, "normal", steps)
        latent, seed = noise(empty_latent(vae, SIZE, SIZE), sigma_start, 0)
        for index in range(steps):
            sigma, sigma_next = sigmas_at(sigmas, index)
            latent, _, _ = unet_step(
                Context(), model, latent, positive, negative, sigma, sigma_next, index, seed, GUIDANCE, "euler"
            )
        return latent.samples

    return run


def engine_run(folder: Path) -> Callable[[int], tuple[torch.Tensor, float]]:
    """The Denoise group, planned and executed from nothing; also the share of the time not spent in its calls."""
    registry = discover("nodes")

    def run(steps: int) -> tuple[torch.Tensor, float]:
        graph = _graph(folder, steps)
        cache, events = Cache(1 << 30), list[Event]()
        start = time.perf_counter()
        plan = Planner(registry).plan(graph, ["denoise"])
        execute(plan, ["denoise"], cache, events.append)
        seconds = time.perf_counter() - start
        computing = sum(event.seconds for event in events if isinstance(event, Finished))
        values = cache.get(plan.roots("denoise")[0])
        assert values is not None
        return values[0].samples, seconds / computing - 1

    return run


def _graph(folder: Path, steps: int) -> Graph:
    nodes = {
        "checkpoint": Node("load.checkpoint", {"path": str(folder)}),
        "positive": Node("text.encode", {"text": "a red cat"}),
        "negative": Node("text.encode", {"text": "blurry"}),
        "latent": Node("latent.empty", {"width": SIZE, "height": SIZE}),
        "scheduler": Node("schedule.noise_scheduler", {"schedule": "normal", "steps": steps}),
        "noise": Node("latent.noise", {"seed": 0}),
        "denoise": Node("group:Denoise", {"guidance_scale": GUIDANCE, "solver": "euler"}),
    }
    links = (
        "checkpoint.text_encoder positive.text_encoder, checkpoint.text_encoder negative.text_encoder, "
        "checkpoint.vae latent.vae, checkpoint.model scheduler.model, latent.latent noise.latent, "
        "scheduler.sigma_start noise.sigma, checkpoint.model denoise.model, noise.latent denoise.latent, "
        "noise.seed denoise.seed, positive.conditioning denoise.positive, negative.conditioning denoise.negative, "
        "scheduler.sigmas denoise.sigmas"
    )
    pairs = (link.split() for link in links.split(", "))
    return Graph(nodes, {Port(*dst.split(".")): Port(*src.split(".")) for src, dst in pairs})


def rows() -> Iterator[dict[str, Any]]:
    """A row for each loop: its least seconds, and how it compares with the one before."""
    with tempfile.TemporaryDirectory() as folder:
        make_model(Path(folder))
        yield from _compare(Path(folder))


def _compare(folder: Path) -> Iterator[dict[str, Any]]:
    engine = engine_run(folder)
    loops: dict[str, Callable[[int], Any]] = {
        "diffusers, stock loop": stock_loop(folder),
        "our steps, plain loop": our_loop(folder),
        "our steps, engine": engine,
    }
    results = {name: loop(WARM_UP) for name, loop in loops.items()}
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    shares: list[float] = []
    for _ in range(ROUNDS):
        for name, loop in loops.items():
            start = time.perf_counter()
            results[name] = loop(STEPS)
            seconds[name].append(time.perf_counter() - start)
            if loop is engine:
                shares.append(results[name][1])
    stock, ours, through = (min(seconds[name]) for name in loops)  # the least disturbed
    error = float((results["our steps, plain loop"] - results["diffusers, stock loop"]).norm())
    yield {"loop": "diffusers, stock loop", "seconds": stock}
    yield {
        "loop": "our steps, plain loop",
        "seconds": ours,
        "against": f"{stock / ours:.2f} x as fast as stock; latents differ by "
        f"{error / float(results['diffusers, stock loop'].norm()):.0e}",
    }
    yield {
        "loop": "our steps, engine",
        "seconds": through,
        "against": f"{through / ours - 1:+.1%} on the plain loop; {statistics.median(shares):.2%} outside the calls",
    }
    seconds_looking = looking(results["our steps, plain loop"])
    yield {
        "loop": "looking for NaN and infinity, a step",
        "seconds": seconds_looking,
        "against": f"{seconds_looking / (ours / STEPS):.4%} of a step",
    }


def looking(latent: torch.Tensor) -> float:
    """Seconds that it takes to see that the results of a step are numbers; the best of many tries."""
    space = Space("sd", 4, 8)
    history = History((latent + 2,), (1.0,), (latent + 3,))
    results = Denoised(Latent(latent, space), Latent(latent + 1, space), history)
    return min(timeit.repeat(lambda: nodes.complaint(results._asdict(), {}), number=100, repeat=20)) / 100


def main() -> None:
    for row in rows():
        print(f"{row['loop']:<24} {row['seconds']:7.2f} s   {row.get('against', '')}")


if __name__ == "__main__":
    main()
