"""Noise schedules: which noise levels a denoising visits."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple, cast

from nodegraph.node import Draft, Outlined, Range, node
from nodes.fit import Known
from nodes.types import Image, Latent, Model, Sigmas

DRAFT_STEPS = 12
"""Enough to see where a picture is going, also at a high guidance scale, where 8 leave its colours wild."""

Schedule = Literal["normal", "karras", "exponential", "simple", "sgm_uniform", "beta", "ddim_uniform", "lcm"]


class Scheduled(NamedTuple):
    sigmas: Sigmas
    sigma_start: float
    steps: int


@node("schedule.noise_scheduler", version=2, aliases=("basic scheduler", "sigmas", "steps", "denoise strength"))
def noise_scheduler(
    model: Model,
    schedule: Schedule = "karras",
    steps: Annotated[int, Range(1, 150), Draft(DRAFT_STEPS)] = 20,
    denoise: Annotated[float, Range(0.01, 1.0, step=0.01)] = 1.0,
    latent: Annotated[Latent | None, Outlined()] = None,
) -> Scheduled:
    """The noise levels a denoising visits, from sigma_start down to 0.

    schedule: how they are spaced; normal is the model family's own way.
    denoise: how much of a picture is made anew. 1 starts from pure noise; below, the same number of steps starts
    from less noise, so that more of the latent stays.
    latent: for models whose levels depend on the size of the picture, such as Flux; open, it is the size that the model
    was trained with.
    """
    from nodes.backend.process import at_size
    from nodes.backend.schedules import sigmas_for

    native = model.native_size // model.space.factor
    shape = cast("Known", latent) or (native, native)
    sigmas = sigmas_for(at_size(model.process, *shape[-2:]), schedule, steps, denoise)
    return Scheduled(sigmas, sigmas[0], len(sigmas) - 1)


@node("schedule.karras")
def karras_schedule(
    steps: Annotated[int, Range(1, 150), Draft(DRAFT_STEPS)] = 20,
    sigma_max: Annotated[float, Range(0.01, 200.0)] = 14.6146,
    sigma_min: Annotated[float, Range(0.0001, 10.0)] = 0.0292,
    rho: Annotated[float, Range(1.0, 20.0)] = 7.0,
) -> Scheduled:
    """Noise levels with more of the steps near the end: Karras et al. 2022 (arXiv:2206.00364), eq. 5.

    rho: how much more; 1 spaces them evenly.
    """
    from nodes.backend.schedules import karras_between

    if sigma_min >= sigma_max:
        raise ValueError(f"sigma_min must be below sigma_max, got {sigma_min:g} and {sigma_max:g}")
    sigmas = karras_between(sigma_max, sigma_min, steps, rho)
    return Scheduled(sigmas, sigmas[0], steps)


class StepSigmas(NamedTuple):
    sigma: float
    sigma_next: float


@node("schedule.sigmas_at")
def sigmas_at(sigmas: Sigmas, index: Annotated[int, Range(0, 10_000)] = 0) -> StepSigmas:
    """The noise levels that step `index` goes from and to; the first step is 0."""
    if index + 1 >= len(sigmas):
        raise ValueError(f"a schedule of {len(sigmas) - 1} steps has no step {index}")
    return StepSigmas(sigmas[index], sigmas[index + 1])


@node("schedule.count", aliases=("steps", "length"))
def step_count(sigmas: Sigmas) -> int:
    """How many steps a schedule has."""
    return max(len(sigmas) - 1, 0)


@node("schedule.slice", aliases=("split sigmas",))
def slice_schedule(
    sigmas: Sigmas,
    start: Annotated[int, Range(0, 10_000)] = 0,
    end: Annotated[int, Range(0, 10_000)] = 10_000,
) -> Scheduled:
    """The steps from `start` up to `end`, which is not included."""
    kept = sigmas[start : end + 1]
    if len(kept) < 2:
        raise ValueError(f"steps {start} to {end} of a schedule of {len(sigmas) - 1} steps leave nothing to do")
    return Scheduled(kept, kept[0], len(kept) - 1)


@node("schedule.change_at", aliases=("ramp", "guidance schedule"))
def change_at(index: int, at: Annotated[int, Range(0, 10_000)] = 10, before: float = 7.5, after: float = 3.0) -> float:
    """`before` until step `at`, `after` from then on: a guidance scale, for example, that drops on the way."""
    return before if index < at else after


@node("schedule.plot", aliases=("graph", "chart"))
def plot(sigmas: Sigmas) -> Image:
    """A schedule as a picture: the noise level, and how much of the picture shows through it, at every step."""
    from nodes.backend.plots import schedule_plot

    return Image(schedule_plot(sigmas))
