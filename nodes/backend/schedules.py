"""Noise schedules: which noise levels a denoising visits. Plain Python, because planning runs without torch.

sigma is the noise level that the model's own process counts in; a timestep is the model's own index, 0 (clean) to
num_timesteps - 1. A schedule of n steps is n + 1 falling sigmas, the last one 0. Processes are `at_size` before.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from nodes.backend.process import at_steps, linspace, num_timesteps, shifted, sigma_at, training_sigmas
from nodes.types import Flow, Process, Sigmas


def normal(process: Process, steps: int) -> Sigmas:
    """The family's own spacing: of flows that of their published pipelines, of diffusion evenly spaced timesteps from
    the last to the first, as k-diffusion's DiscreteSchedule.get_sigmas.
    """
    if isinstance(process, Flow):
        return _flow(process, steps)
    last = num_timesteps(process) - 1
    return (*(sigma_at(process, t) for t in linspace(last, 0, steps)), 0.0)


def _flow(process: Flow, steps: int) -> Sigmas:
    """Evenly spaced before the shift, in the precision of diffusers' FlowMatchEulerDiscreteScheduler.

    A model's own levels are for as many steps as there are; other numbers of steps divide the way along them evenly.
    """
    import numpy as np

    if process.to_least:
        count = num_timesteps(process)
        first = np.float32(1) / np.float32(count)
        # a shift that does not depend on the size has been through the least level once before, in float32
        least = float(first if process.by_size else shifted(process, first))
        levels: Any = np.linspace(1.0 * count, least * count, steps) / count
    elif process.own:
        count = len(process.own)
        along = np.arange(steps) * (count / steps)
        levels = np.interp(along, np.arange(count + 1), [*process.own, 0.0]).astype(np.float32)
    else:
        levels = np.linspace(1.0, 1 / steps, steps).astype(np.float32)
    return (*map(float, _stretched(process, shifted(process, levels).astype(np.float32))), 0.0)


def _stretched(process: Flow, levels: Any) -> Any:
    """What is left to 1 is stretched so that the last level is the terminal one; the only one of a run stays 1."""
    rest = 1 - levels
    return 1 - rest / (rest[-1] / (1 - process.terminal)) if process.terminal and rest[-1] else levels


def sgm_uniform(process: Process, steps: int) -> Sigmas:
    """As `normal`, but the first timestep is left out: Stability's generative-models, LegacyDDPMDiscretization."""
    last = num_timesteps(process) - 1
    return (*(sigma_at(process, t) for t in linspace(last, 0, steps + 1)[:-1]), 0.0)


def karras(process: Process, steps: int) -> Sigmas:
    """The levels of `karras_between` over all the noise that is visited."""
    return karras_between(*_ends(process, steps), steps)


def karras_between(sigma_max: float, sigma_min: float, steps: int, rho: float = 7.0) -> Sigmas:
    """Evenly spaced in sigma^(1/rho): Karras et al. 2022 (arXiv:2206.00364), eq. 5."""
    return (*(root**rho for root in linspace(sigma_max ** (1 / rho), sigma_min ** (1 / rho), steps)), 0.0)


def exponential(process: Process, steps: int) -> Sigmas:
    """Evenly spaced in log sigma: k-diffusion's get_sigmas_exponential."""
    most, least = map(math.log, _ends(process, steps))
    return (*(math.exp(level) for level in linspace(most, least, steps)), 0.0)


def _ends(process: Process, steps: int) -> tuple[float, float]:
    """The most and the least noise that is visited: of diffusion all that the model knows, of flows as in `normal`."""
    if isinstance(process, Flow):
        levels = _flow(process, steps)
        return levels[0], levels[-2]
    sigmas = training_sigmas(process)
    return sigmas[-1], sigmas[0]


def simple(process: Process, steps: int) -> Sigmas:
    """Every n-th training timestep, counted from the last: "trailing", Lin et al. 2023 (arXiv:2305.08891), table 2."""
    sigmas = training_sigmas(process)
    _check_distinct(process, steps)
    return (*(sigmas[-1 - int(i * len(sigmas) / steps)] for i in range(steps)), 0.0)


def ddim_uniform(process: Process, steps: int) -> Sigmas:
    """Every n-th training timestep, counted from the first: "leading" with offset 1 (arXiv:2305.08891), table 2.

    A single step would start next to the end by that rule; it starts from all the noise, as those of other schedules.
    """
    sigmas = training_sigmas(process)
    if steps == 1:
        return sigmas[-1], 0.0
    _check_distinct(process, steps + 1)  # the offset needs one timestep more
    stride = len(sigmas) // steps
    return (*(sigmas[1 + i * stride] for i in reversed(range(steps))), 0.0)


def beta(process: Process, steps: int, shape: float = 0.6) -> Sigmas:
    """Timesteps at the quantiles of a Beta(0.6, 0.6) distribution: Lee et al. 2024 (arXiv:2407.12173).

    Quantiles are rounded to whole timesteps and those met twice are visited once, so there may be fewer steps. Flows
    have no timesteps: the quantiles lie between the ends of `normal`, as in diffusers' schedulers of flows.
    """
    from scipy.special import betaincinv  # pyright: ignore[reportMissingTypeStubs]  # it has none

    if isinstance(process, Flow):
        most, least = _ends(process, steps)
        parts = (float(betaincinv(shape, shape, part)) for part in linspace(1.0, 0.0, steps))
        return (*(least + part * (most - least) for part in parts), 0.0)
    sigmas = training_sigmas(process)
    quantiles = (float(betaincinv(shape, shape, 1 - i / steps)) for i in range(steps))
    timesteps = dict.fromkeys(round(quantile * (len(sigmas) - 1)) for quantile in quantiles)
    return (*(sigmas[t] for t in timesteps), 0.0)


SCHEDULES: dict[str, Callable[[Process, int], Sigmas]] = {
    "normal": normal,
    "karras": karras,
    "exponential": exponential,
    "simple": simple,
    "sgm_uniform": sgm_uniform,
    "beta": beta,
    "ddim_uniform": ddim_uniform,
}


DISTILLED_TIMESTEPS = 50
"""Of latent consistency models: Luo et al. 2023 (arXiv:2310.04378), sec. 4.3, where a step skips 20 of 1000."""


def lcm(process: Process, steps: int, denoise: float = 1.0) -> Sigmas:
    """Of the fifty timesteps that latent consistency models are distilled at, as diffusers' LCMScheduler.

    denoise keeps the first 50 * denoise of them. Between two whole numbers each level lies between those of both,
    evenly in timesteps; where there are more steps than are kept, as many as there are steps move closer to the end.
    Raises ValueError when there are more steps than timesteps.
    """
    known = min(DISTILLED_TIMESTEPS, num_timesteps(process))
    if steps > known:
        raise ValueError(
            f"a latent consistency model knows {known} timesteps, but steps asks for {steps}; "
            "lower steps, or choose another schedule"
        )
    kept = known * denoise
    whole = max(math.floor(kept), steps)
    timesteps = _distilled(process, known, whole, steps)
    if kept < whole:
        timesteps = [t * kept / whole for t in timesteps]
    elif kept > whole:
        finer = _distilled(process, known, whole + 1, steps)
        timesteps = [_between(a, b, kept - whole) for a, b in zip(timesteps, finer, strict=True)]
    return (*(sigma_at(process, t) for t in timesteps), 0.0)


def _distilled(process: Process, known: int, kept: int, steps: int) -> list[float]:
    """Evenly spaced ones of the first `kept` of `known` timesteps, from the last of them down."""
    stride = num_timesteps(process) / known
    # rounded as numpy's linspace, by which diffusers chooses: 11 * (45 / 33) is just below 15
    return [(kept - int(i * (kept / steps))) * stride - 1 for i in range(steps)]


SAME_END = frozenset({"normal", "karras", "exponential", "ddim_uniform"})
"""The schedules whose last step starts next to the end, however many there are."""

FLOW_ENDS = frozenset({"normal", "karras", "exponential", "beta"})
"""The schedules that end, of flows, where `normal` does."""


def sigmas_for(process: Process, schedule: str, steps: int, denoise: float) -> Sigmas:
    """The last `steps` steps of a schedule of steps / denoise (but `lcm`): denoise below 1 starts from less noise.

    Between two whole numbers of steps each level lies between those of both, evenly in log sigma, so that the start
    falls with denoise at any number of steps. A single step starts at its fraction of the timesteps where the last step
    of a longer schedule would be the same for all of them. Raises ValueError when the schedule has fewer timesteps.
    """
    if schedule == "lcm":
        return lcm(process, steps, denoise)
    total = steps / denoise
    whole = round(total) if math.isclose(total, round(total), rel_tol=1e-9) else math.floor(total)
    if steps == 1 and denoise < 1 and _has_same_end(process, schedule):
        return sigma_at(process, denoise * (num_timesteps(process) - 1)), 0.0
    levels = _levels(process, schedule, whole)[-(steps + 1) :]
    if total <= whole:
        return levels
    finer = _levels(process, schedule, whole + 1)[-(steps + 1) :]
    pairs = list(zip(reversed(levels[:-1]), reversed(finer[:-1]), strict=False))[::-1]  # of beta, one may have fewer
    return (*(math.exp(_between(math.log(a), math.log(b), total - whole)) for a, b in pairs), 0.0)


def _levels(process: Process, schedule: str, steps: int) -> Sigmas:
    return SCHEDULES[schedule](at_steps(process, steps), steps)


def _has_same_end(process: Process, schedule: str) -> bool:
    if isinstance(process, Flow) and schedule in FLOW_ENDS:
        return process.to_least or process.terminal > 0
    return schedule in SAME_END


def _between(a: float, b: float, weight: float) -> float:
    return a + weight * (b - a)


def _check_distinct(process: Process, timesteps: int) -> None:
    if timesteps > num_timesteps(process):
        raise ValueError(
            f"the model knows {num_timesteps(process)} timesteps, but steps / denoise asks for {timesteps}; "
            "lower steps, raise denoise, or choose the karras schedule"
        )
