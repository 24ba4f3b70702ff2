"""Whether a card makes the pictures that the processor makes: shipped workflows, and a tiny model of each family."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from nodegraph.formats import workflow
from nodegraph.graph import Graph, set_param
from nodegraph.node import Context
from nodegraph.running.engine import Engine
from nodes.backend import devices, narrow, pool
from nodes.backend.precision import Wish
from nodes.latent import empty_latent, noise
from nodes.load import checkpoint
from nodes.sampling import unet_step
from nodes.schedule import noise_scheduler, sigmas_at
from nodes.text import prompt
from nodes.types import AS_STORED, Storage
from tests import tiny_models, tiny_modern
from tools.gpu_check import ours

Row = dict[str, Any]

WORKFLOWS = (
    *("text_to_image", "text_to_image_steps", "controlnet", "lora", "learn/06_solvers", "learn/09_inpainting"),
    *("learn/01_forward_diffusion", "learn/02_reverse_diffusion", "learn/03_text_conditioning", "learn/04_guidance"),
    *("learn/05_steps", "learn/07_latent_space", "learn/08_image_to_image", "learn/10_controlnet"),
    *("learn/11_lora_strength", "learn/12_few_steps", "learn/14_pixels_and_latents"),
)
"""All but the one that trains. What pictures of the starter model show is compared, as the window would show it."""

BUILD: Mapping[str, Callable[[Path], object]] = {
    "sd1": tiny_models.build_sd15,
    "sd2": tiny_models.build_sd21,
    "sdxl": tiny_models.build_sdxl,
    "sd3": tiny_models.build_sd3,
    "flux": tiny_models.build_flux,
    "zimage": tiny_modern.build_z_image,
    "qwenimage": tiny_modern.build_qwen_image,
    "qwenimage21": tiny_modern.build_qwen_21,
    "krea2": tiny_modern.build_krea2,
}

LIMITS: Mapping[Wish, float] = {"float32": 1e-3, "bfloat16": 0.1}
"""Of the relative difference of latents after three steps of a tiny model with random weights: both compute in this
precision. Sums of other orders differ in the last of 24 bits, and of 8; Flux is told the noise level in as many bits,
which random weights take for more than it is."""

CASES: tuple[tuple[str, Wish, Storage], ...] = (
    *((family, wish, AS_STORED) for family in BUILD for wish in LIMITS),
    *(("flux", "bfloat16", weights) for weights in narrow.KINDS),
)
"""Families, precisions and what their weights are kept in. Numbers that are rounded to four bits differ in the last of
them where those before do, and Flux in bfloat16 is allowed as much."""

MOST_MEAN, MOST_LEVELS = 0.5, 32
"""Of 255 levels: the mean difference of pictures in half precision, and the largest; some five times what was measured
on an H200 (0.08 and 6)."""

STEPS = 3


def shown(value: Any) -> torch.Tensor | None:
    """The numbers of a picture, a mask or a latent, as float32 on the CPU."""
    for name in ("pixels", "weight", "samples"):
        if isinstance(tensor := getattr(value, name, None), torch.Tensor):
            return tensor.float().cpu()
    return None


def workflow_values(engine: Engine, name: str, steps: int | None = None) -> dict[tuple[str, int], torch.Tensor]:
    """What the sinks of a shipped workflow are given. steps: of its schedules; None leaves them as they are.

    Raises RuntimeError when a node fails.
    """
    graph = workflow.load(ours.WORKFLOWS / f"{name}.json")
    for id, node in graph.nodes.items():
        if steps and node.type == "schedule.noise_scheduler":
            graph = set_param(graph, id, "steps", steps)
    made = ours.make(engine, graph, _sinks(engine, graph))
    if made.failure:
        raise RuntimeError(f"{name}: {made.failure}")
    found = {place: shown(value) for place, value in made.values.items()}
    return {place: tensor for place, tensor in found.items() if tensor is not None}


def _sinks(engine: Engine, graph: Graph) -> tuple[str, ...]:
    types = engine.registry
    return tuple(id for id, node in graph.nodes.items() if node.type in types and types[node.type].is_sink)


def levels(one: Mapping[tuple[str, int], torch.Tensor], other: Mapping[tuple[str, int], torch.Tensor]) -> Row:
    """How far apart pictures are, in 255 levels. Raises ValueError when they are not the same ones."""
    if one.keys() != other.keys() or not one:
        raise ValueError(f"not the same pictures: {sorted(one)} and {sorted(other)}")
    apart = [255 * (one[place] - other[place]).abs() for place in one]
    return {"mean of 255": max(float(a.mean()) for a in apart), "most of 255": max(float(a.max()) for a in apart)}


def latents(folder: Path, device: str, wish: Wish, weights: Storage = AS_STORED) -> torch.Tensor:
    """After three steps of a model, with guidance."""
    pool.configure(device, wish)
    model, text, vae = checkpoint(str(folder), weights)
    positive, negative = prompt(text, "a red cat"), prompt(text, "blurry")
    sigmas, sigma_start, _ = noise_scheduler(model, "normal", STEPS)
    latent, seed = noise(empty_latent(vae, 64, 64), sigma_start, 0)
    for index in range(STEPS):
        sigma, sigma_next = sigmas_at(sigmas, index)
        latent, *_ = unet_step(
            Context(), model, latent, positive, negative, sigma, sigma_next, index, seed, guidance_scale=3.0,
            solver="euler",
        )  # fmt: skip
    return latent.samples.float().cpu()


def apart(folder: Path, device: str, wish: Wish, weights: Storage = AS_STORED) -> float:
    """The relative difference of the latents that a device and the processor make in one precision."""
    found, wanted = latents(folder, device, wish, weights), latents(folder, "cpu", wish, weights)
    return float((found - wanted).norm() / wanted.norm())


def family_rows(folder: Path, device: str) -> Iterator[Row]:
    """A row for each family, precision, and way of keeping weights."""
    for family, wish, weights in CASES:
        place = folder / f"{family}_tiny"
        if not place.exists():
            BUILD[family](place)
        what = f"{family}, tiny, {wish}" + (f", {weights}" if weights in narrow.KINDS else "")
        row: Row = {"section": "correct", "what": what}
        if (
            (kind := narrow.KINDS.get(weights))
            and kind.fast
            and (why := devices.no_float8_products(torch.device(device)))
        ):
            yield row | {"verdict": f"left out: {why}"}
            continue
        try:
            difference = apart(place, device, wish, weights)
        except Exception as error:  # one that fails must not cost the others
            yield row | {"verdict": f"failed: {str(error).splitlines()[0][:200]}"}
            continue
        limit = LIMITS[wish]
        yield row | {"relative": difference, "verdict": "right" if difference <= limit else f"above {limit:g}"}


def workflow_rows(folder: Path, device: str, left: Callable[[], float], *, few: bool) -> Iterator[Row]:
    """A row for each workflow in the precision that the card chooses. few: one workflow and two steps."""
    for name in WORKFLOWS[:1] if few else WORKFLOWS:
        row: Row = {"section": "correct", "what": name}
        if left() <= 0:
            yield row | {"verdict": "left out: the time was up"}
            continue
        try:
            made = [workflow_values(ours.engine(folder / of, of), name, 2 if few else None) for of in ("cpu", device)]
            found = levels(*made)
            right = found["mean of 255"] <= MOST_MEAN and found["most of 255"] <= MOST_LEVELS
            yield row | found | {"verdict": "right" if right else f"above {MOST_MEAN:g}, or {MOST_LEVELS}"}
        except Exception as error:  # as above
            yield row | {"verdict": f"failed: {str(error).splitlines()[0][:200]}"}


def rows(folder: Path, device: torch.device, left: Callable[[], float], *, tiny: bool) -> Iterator[Row]:
    with contextlib.ExitStack() as after:
        after.callback(pool.configure, "cpu")
        yield from family_rows(folder, str(device))
        yield from workflow_rows(folder, str(device), left, few=tiny)
