"""Noise schedules: which noise levels a denoising visits. Plain Python, because planning runs without torch.

sigma is the noise level in sigma space, sigma = sqrt((1 - alpha_bar) / alpha_bar); a timestep is the model's own
index, 0 (clean) to num_timesteps - 1. A schedule of n steps is n + 1 falling sigmas, the last one 0.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache
from itertools import accumulate
from operator import mul

from nodes.types import NoiseSchedule, Sigmas


def betas(noise_schedule: NoiseSchedule) -> tuple[float, ...]:
    """The variance added at each training timestep: Ho et al. 2020 (arXiv:2006.11239), sec. 4.

    scaled_linear: linear in sqrt(beta), Rombach et al. 2022 (arXiv:2112.10752).
    squaredcos_cap_v2: Nichol & Dhariwal 2021 (arXiv:2102.09672), eq. 17, capped at 0.999; ignores the limits.
    """
    count, start, end = noise_schedule.num_timesteps, noise_schedule.beta_start, noise_schedule.beta_end
    match noise_schedule.kind:
        case "linear":
            return tuple(_linspace(start, end, count))
        case "scaled_linear":
            return tuple(root**2 for root in _linspace(math.sqrt(start), math.sqrt(end), count))
        case "squaredcos_cap_v2":
            edges = [math.cos((t / count + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(count + 1)]
            return tuple(min(1 - edges[t + 1] / edges[t], 0.999) for t in range(count))


@lru_cache(maxsize=16)
def alpha_bars(noise_schedule: NoiseSchedule) -> tuple[float, ...]:
    """How much of the picture's variance is left at each timestep: DDPM (arXiv:2006.11239), eq. 4."""
    return tuple(accumulate((1 - beta for beta in betas(noise_schedule)), mul))


@lru_cache(maxsize=16)
def training_sigmas(noise_schedule: NoiseSchedule) -> tuple[float, ...]:
    """The noise level of each timestep, rising."""
    return tuple(math.sqrt((1 - alpha_bar) / alpha_bar) for alpha_bar in alpha_bars(noise_schedule))


@lru_cache(maxsize=16)
def _log_sigmas(noise_schedule: NoiseSchedule) -> tuple[float, ...]:
    return tuple(math.log(sigma) for sigma in training_sigmas(noise_schedule))


def timestep_at(noise_schedule: NoiseSchedule, sigma: float) -> float:
    """The timestep, between integers too, whose noise level is `sigma`; log-linear in between, clamped at the ends.

    The inverse of sigma_at, as in k-diffusion's DiscreteSchedule.sigma_to_t.
    """
    levels = _log_sigmas(noise_schedule)
    log_sigma = math.log(max(sigma, 1e-10))
    low = min(max(bisect_right(levels, log_sigma) - 1, 0), len(levels) - 2)
    weight = (log_sigma - levels[low]) / (levels[low + 1] - levels[low])
    return low + min(max(weight, 0.0), 1.0)


def sigma_at(noise_schedule: NoiseSchedule, timestep: float) -> float:
    """The noise level at a timestep; log-linear between integers, as in k-diffusion's DiscreteSchedule.t_to_sigma."""
    levels = _log_sigmas(noise_schedule)
    low = min(max(int(timestep), 0), len(levels) - 2)
    return math.exp(levels[low] + (timestep - low) * (levels[low + 1] - levels[low]))


def sigma_at_fraction(noise_schedule: NoiseSchedule, fraction: float) -> float:
    """The noise level where this fraction of the denoising is done, counted in timesteps: 0 = pure noise, 1 = clean.

    Everything comes after 0 and nothing after 1, whatever sigmas a run visits, hence infinity and 0 at the ends.
    """
    if fraction <= 0:
        return math.inf
    if fraction >= 1:
        return 0.0
    return sigma_at(noise_schedule, (1 - fraction) * (noise_schedule.num_timesteps - 1))


def normal(noise_schedule: NoiseSchedule, steps: int) -> Sigmas:
    """Evenly spaced timesteps from the last to the first: k-diffusion's DiscreteSchedule.get_sigmas."""
    last = noise_schedule.num_timesteps - 1
    return (*(sigma_at(noise_schedule, t) for t in _linspace(last, 0, steps)), 0.0)


def sgm_uniform(noise_schedule: NoiseSchedule, steps: int) -> Sigmas:
    """As `normal`, but the first timestep is left out: Stability's generative-models, LegacyDDPMDiscretization."""
    last = noise_schedule.num_timesteps - 1
    return (*(sigma_at(noise_schedule, t) for t in _linspace(last, 0, steps + 1)[:-1]), 0.0)


def karras(noise_schedule: NoiseSchedule, steps: int) -> Sigmas:
    """The levels of `karras_between` over all the noise the model knows."""
    sigmas = training_sigmas(noise_schedule)
    return karras_between(sigmas[-1], sigmas[0], steps)


def karras_between(sigma_max: float, sigma_min: float, steps: int, rho: float = 7.0) -> Sigmas:
    """Evenly spaced in sigma^(1/rho): Karras et al. 2022 (arXiv:2206.00364), eq. 5."""
    return (*(root**rho for root in _linspace(sigma_max ** (1 / rho), sigma_min ** (1 / rho), steps)), 0.0)


def exponential(noise_schedule: NoiseSchedule, steps: int) -> Sigmas:
    """Evenly spaced in log sigma: k-diffusion's get_sigmas_exponential."""
    levels = _log_sigmas(noise_schedule)
    return (*(math.exp(level) for level in _linspace(levels[-1], levels[0], steps)), 0.0)


def simple(noise_schedule: NoiseSchedule, steps: int) -> Sigmas:
    """Every n-th training timestep, counted from the last: "trailing", Lin et al. 2023 (arXiv:2305.08891), table 2."""
    sigmas = training_sigmas(noise_schedule)
    _check_distinct(noise_schedule, steps)
    return (*(sigmas[-1 - int(i * len(sigmas) / steps)] for i in range(steps)), 0.0)


def ddim_uniform(noise_schedule: NoiseSchedule, steps: int) -> Sigmas:
    """Every n-th training timestep, counted from the first: "leading" with offset 1 (arXiv:2305.08891), table 2.

    A single step would start next to the end by that rule; it starts from all the noise, as those of other schedules.
    """
    sigmas = training_sigmas(noise_schedule)
    if steps == 1:
        return sigmas[-1], 0.0
    _check_distinct(noise_schedule, steps + 1)  # the offset needs one timestep more
    stride = len(sigmas) // steps
    return (*(sigmas[1 + i * stride] for i in reversed(range(steps))), 0.0)


def beta(noise_schedule: NoiseSchedule, steps: int, shape: float = 0.6) -> Sigmas:
    """Timesteps at the quantiles of a Beta(0.6, 0.6) distribution: Lee et al. 2024 (arXiv:2407.12173).

    Quantiles are rounded to whole timesteps and those met twice are visited once, so there may be fewer steps.
    """
    from scipy.special import betaincinv  # pyright: ignore[reportMissingTypeStubs]  # it has none

    sigmas = training_sigmas(noise_schedule)
    quantiles = (float(betaincinv(shape, shape, 1 - i / steps)) for i in range(steps))
    timesteps = dict.fromkeys(round(quantile * (len(sigmas) - 1)) for quantile in quantiles)
    return (*(sigmas[t] for t in timesteps), 0.0)


SCHEDULES: dict[str, Callable[[NoiseSchedule, int], Sigmas]] = {
    "normal": normal,
    "karras": karras,
    "exponential": exponential,
    "simple": simple,
    "sgm_uniform": sgm_uniform,
    "beta": beta,
    "ddim_uniform": ddim_uniform,
}


SAME_END = frozenset({"normal", "karras", "exponential", "ddim_uniform"})
"""The schedules whose last step starts next to the end, however many there are."""


def sigmas_for(noise_schedule: NoiseSchedule, schedule: str, steps: int, denoise: float) -> Sigmas:
    """The last `steps` steps of a schedule of steps / denoise: denoise below 1 starts from less noise.

    Between two whole numbers of steps each level lies between those of both, evenly in log sigma, so that the start
    falls with denoise at any number of steps. A single step starts at its fraction of the timesteps where the last step
    of a longer schedule would be the same for all of them. Raises ValueError when the schedule has fewer timesteps.
    """
    total = steps / denoise
    whole = round(total) if math.isclose(total, round(total), rel_tol=1e-9) else math.floor(total)
    if steps == 1 and denoise < 1 and schedule in SAME_END:
        return sigma_at(noise_schedule, denoise * (noise_schedule.num_timesteps - 1)), 0.0
    levels = SCHEDULES[schedule](noise_schedule, whole)[-(steps + 1) :]
    if total <= whole:
        return levels
    finer = SCHEDULES[schedule](noise_schedule, whole + 1)[-(steps + 1) :]
    pairs = list(zip(reversed(levels[:-1]), reversed(finer[:-1]), strict=False))[::-1]  # of beta, one may have fewer
    return (*(math.exp(_between(math.log(a), math.log(b), total - whole)) for a, b in pairs), 0.0)


def _between(a: float, b: float, weight: float) -> float:
    return a + weight * (b - a)


def _check_distinct(noise_schedule: NoiseSchedule, timesteps: int) -> None:
    if timesteps > noise_schedule.num_timesteps:
        raise ValueError(
            f"the model knows {noise_schedule.num_timesteps} timesteps, but steps / denoise asks for {timesteps}; "
            "lower steps, raise denoise, or choose the karras schedule"
        )


def _linspace(start: float, stop: float, count: int) -> list[float]:
    """`count` evenly spaced numbers from start to stop, both included; `start` alone when count is 1."""
    return [start + (stop - start) * i / max(count - 1, 1) for i in range(count)]
