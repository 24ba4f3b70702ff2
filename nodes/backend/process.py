"""How noise relates to pictures, in numbers: what solvers, schedules and denoisers ask of a model's process.

Plain Python, because planning runs without torch. sigma is the noise level that a model's own process counts in:
x = alpha x0 + sigma * noise, where alpha is 1 for diffusion (variance exploding) and 1 - sigma for flows.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import replace
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeVar, cast

from nodes.types import Diffusion, Flow, NoiseSchedule, Process, SizeShift, StepShift

if TYPE_CHECKING:
    from torch import Tensor

S = TypeVar("S", bound=Any)

NUM_TIMESTEPS = 1000
"""Of flows, which know no steps: what their networks and schedules count in."""


def alpha(process: Process, sigma: float) -> float:
    """How much of the picture is in x."""
    # no less than nothing: a shift may round the first level up, to 1 + 2^-23
    return 1.0 if isinstance(process, Diffusion) else max(1.0 - sigma, 0.0)


def input_scale(process: Process, sigma: float) -> float:
    """What x is multiplied by for the network, which was trained with pictures and noise of unit variance together."""
    return 1 / math.sqrt(sigma**2 + 1) if isinstance(process, Diffusion) else 1.0


def denoised(process: Process, x: Tensor, prediction: Tensor, sigma: float) -> Tensor:
    """The clean picture that a network's prediction implies."""
    if isinstance(process, Flow):
        return x - sigma * prediction  # x0 + sigma (noise - x0) - sigma (noise - x0)
    match process.prediction:
        case "epsilon":
            return x - sigma * prediction
        case "v_prediction":  # Salimans & Ho 2022 (arXiv:2202.00512), sec. 4, with alpha = 1 / sqrt(sigma^2 + 1)
            return x / (sigma**2 + 1) - prediction * (sigma / math.sqrt(sigma**2 + 1))
        case "sample":
            return prediction


def at_size(process: Process, height: int, width: int) -> Process:
    """The process of pictures of so many latent pixels, the same for all sizes."""
    if not isinstance(process, Flow) or process.by_size is None:
        return process
    by = process.by_size
    tokens = (height // by.patch) * (width // by.patch)
    if isinstance(by, StepShift):
        return replace(process, by_size=replace(by, tokens=by.tokens or tokens))
    slope = (by.most - by.base) / (by.most_tokens - by.base_tokens)
    mu = tokens * slope + (by.base - slope * by.base_tokens)
    return replace(process, by_size=replace(by, base=mu, most=mu))


def at_steps(process: Process, steps: int) -> Process:
    """The process of a way from all the noise in so many steps. One must be `at_size` before."""
    if not isinstance(process, Flow) or not isinstance(process.by_size, StepShift):
        return process
    return replace(process, by_size=replace(process.by_size, steps=steps))


LONG = 4300
"""Tokens above which the number of steps does not count: flux2, sampling.py."""


def _log_shift(by: SizeShift | StepShift) -> float:
    """Of a process that is `at_size`."""
    if isinstance(by, SizeShift):
        return by.base
    # flux2, sampling.py, compute_empirical_mu: lines over the tokens, as measured with 10 and with 200 steps, and a
    # line between these two over the steps
    of_200, of_10 = 0.00016927 * by.tokens + 0.45666666, 8.73809524e-05 * by.tokens + 1.89833333
    if by.tokens > LONG:
        return of_200
    slope = (of_200 - of_10) / 190.0
    return slope * by.steps + (of_200 - 200.0 * slope)


def num_timesteps(process: Process) -> int:
    return process.noise_schedule.num_timesteps if isinstance(process, Diffusion) else NUM_TIMESTEPS


def betas(noise_schedule: NoiseSchedule) -> tuple[float, ...]:
    """The variance added at each training timestep: Ho et al. 2020 (arXiv:2006.11239), sec. 4.

    scaled_linear: linear in sqrt(beta), Rombach et al. 2022 (arXiv:2112.10752).
    squaredcos_cap_v2: Nichol & Dhariwal 2021 (arXiv:2102.09672), eq. 17, capped at 0.999; ignores the limits.
    """
    count, start, end = noise_schedule.num_timesteps, noise_schedule.beta_start, noise_schedule.beta_end
    match noise_schedule.kind:
        case "linear":
            return tuple(linspace(start, end, count))
        case "scaled_linear":
            return tuple(root**2 for root in linspace(math.sqrt(start), math.sqrt(end), count))
        case "squaredcos_cap_v2":
            edges = [math.cos((t / count + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(count + 1)]
            return tuple(min(1 - edges[t + 1] / edges[t], 0.999) for t in range(count))


def _times(a: float, b: float) -> float:
    return a * b


LEAST_ALPHA_BAR = 2.0**-24
"""In place of 0 at the last timestep, so that its noise level, 4096, is a number: as diffusers has it."""


@lru_cache(maxsize=16)
def alpha_bars(noise_schedule: NoiseSchedule) -> tuple[float, ...]:
    """How much of the picture's variance is left at each timestep: DDPM (arXiv:2006.11239), eq. 4."""
    kept = [1 - beta for beta in betas(noise_schedule)]
    bars = tuple(accumulate(kept, _times))
    if not noise_schedule.zero_snr:
        return bars
    # Lin et al. 2023 (arXiv:2305.08891), alg. 1: the square roots moved down to end at 0, and stretched to begin where
    # they began
    roots = [math.sqrt(bar) for bar in bars]
    first, last = roots[0], roots[-1]
    return (*(((root - last) * first / (first - last)) ** 2 for root in roots[:-1]), LEAST_ALPHA_BAR)


@lru_cache(maxsize=64)
def training_sigmas(process: Process) -> tuple[float, ...]:
    """The noise level of each timestep, rising. A process must be `at_size` before."""
    if isinstance(process, Flow):
        return tuple(shifted(process, (t + 1) / NUM_TIMESTEPS) for t in range(NUM_TIMESTEPS))
    return tuple(math.sqrt((1 - alpha_bar) / alpha_bar) for alpha_bar in alpha_bars(process.noise_schedule))


def shifted(process: Flow, sigma: S) -> S:
    """Esser et al. 2024 (arXiv:2403.03206), eq. 23; an array of numpy's keeps its precision.

    The two forms are equal but for rounding, and networks that are told 1000 sigma notice that: each is the one that
    its published pipelines compute. A process must be `at_size` before.
    """
    if process.by_size:
        grown = math.exp(_log_shift(process.by_size))
        return cast(S, grown / (grown + (1 / sigma - 1)))
    return cast(S, process.shift * sigma / (1 + (process.shift - 1) * sigma))


@lru_cache(maxsize=64)
def log_sigmas(process: Process) -> tuple[float, ...]:
    return tuple(math.log(sigma) for sigma in training_sigmas(process))


def timestep_at(process: Process, sigma: float) -> float:
    """What a network is told of a noise level.

    Of diffusion, the timestep, between integers too, whose noise level is `sigma`; log-linear in between, clamped at
    the ends: the inverse of sigma_at, as in k-diffusion's DiscreteSchedule.sigma_to_t. Of flows, 1000 sigma.
    """
    if isinstance(process, Flow):
        return sigma * NUM_TIMESTEPS
    levels = log_sigmas(process)
    log_sigma = math.log(max(sigma, 1e-10))
    low = min(max(bisect_right(levels, log_sigma) - 1, 0), len(levels) - 2)
    weight = (log_sigma - levels[low]) / (levels[low + 1] - levels[low])
    return low + min(max(weight, 0.0), 1.0)


def sigma_at(process: Process, timestep: float) -> float:
    """The noise level at a training timestep, 0 (clean) to num_timesteps - 1.

    Of diffusion, log-linear between integers, as in k-diffusion's DiscreteSchedule.t_to_sigma.
    """
    if isinstance(process, Flow):
        return shifted(process, (timestep + 1) / NUM_TIMESTEPS)
    levels = log_sigmas(process)
    low = min(max(int(timestep), 0), len(levels) - 2)
    return math.exp(levels[low] + (timestep - low) * (levels[low + 1] - levels[low]))


def sigma_at_fraction(process: Process, fraction: float) -> float:
    """The noise level where this fraction of the denoising is done, counted in timesteps: 0 = pure noise, 1 = clean.

    Everything comes after 0 and nothing after 1, whatever sigmas a run visits, hence infinity and 0 at the ends.
    """
    if fraction <= 0:
        return math.inf
    if fraction >= 1:
        return 0.0
    return sigma_at(process, (1 - fraction) * (num_timesteps(process) - 1))


def linspace(start: float, stop: float, count: int) -> list[float]:
    """`count` evenly spaced numbers from start to stop, both included; `start` alone when count is 1."""
    return [start + (stop - start) * i / max(count - 1, 1) for i in range(count)]
