"""Solvers: one step of denoising each, in sigma space, as pure functions.

x = alpha x0 + sigma * noise; the model's process says what alpha is: 1 for diffusion, 1 - sigma for flows. A solver
asks the denoiser for the clean picture it expects, `denoised = D(x, sigma)`, and moves x from noise level sigma to
sigma_next < sigma. It knows nothing of the steps to come: the last step is the one whose sigma_next is 0. The papers'
lambda is log(alpha / sigma), and h what it grows by in a step: infinity where a flow starts, from noise alone.

A new solver is a function here, with its name and its row at the end, and a row of ORACLES in its test; importing this
costs no torch, so the node offers what is named here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from nodes.backend.process import alpha
from nodes.types import Flow, History, Process

if TYPE_CHECKING:
    from torch import Tensor

Denoiser = Callable[["Tensor", float], "Tensor"]
"""D(x, sigma): the clean picture expected in x, which carries noise of level sigma."""

Noise = Callable[[], "Tensor"]
"""Draws this step's unit normal noise; called by the stochastic solvers alone."""

MOST_NOISE = 1.001
"""Of flows 1, which rounding may have raised."""


class Step(NamedTuple):
    x: Tensor
    denoised: Tensor
    history: History


Solver = Callable[[Denoiser, Process, "Tensor", float, float, History, Noise], Step]


def _gain(process: Process, sigma: float, sigma_next: float) -> float:
    """h = lambda_next - lambda."""
    kept = alpha(process, sigma)
    return math.log(sigma / sigma_next) + math.log(alpha(process, sigma_next) / kept) if kept else math.inf


def euler(
    denoiser: Denoiser, process: Process, x: Tensor, sigma: float, sigma_next: float, history: History, noise: Noise
) -> Step:
    """Euler's method on the probability-flow ODE: Karras et al. 2022 (arXiv:2206.00364), alg. 1, lines 4 and 5.

    Of flows: Lipman et al. 2022 (arXiv:2210.02747), whose velocity, noise - x0, is the same quotient.
    """
    denoised = denoiser(x, sigma)
    slope = (x - denoised) / sigma  # dx / dsigma: Karras' eq. 1 with the score of eq. 3
    return Step(x + (sigma_next - sigma) * slope, denoised, history)


def heun(
    denoiser: Denoiser, process: Process, x: Tensor, sigma: float, sigma_next: float, history: History, noise: Noise
) -> Step:
    """Heun's second-order method: Karras et al. 2022 (arXiv:2206.00364), alg. 1. Asks the denoiser twice."""
    x_euler, denoised, _ = euler(denoiser, process, x, sigma, sigma_next, history, noise)
    if sigma_next == 0:
        return Step(x_euler, denoised, history)
    slope = (x - denoised) / sigma
    slope_next = (x_euler - denoiser(x_euler, sigma_next)) / sigma_next
    return Step(x + (sigma_next - sigma) * (slope + slope_next) / 2, denoised, history)  # alg. 1, line 8


def euler_ancestral(
    denoiser: Denoiser, process: Process, x: Tensor, sigma: float, sigma_next: float, history: History, noise: Noise
) -> Step:
    """An Euler step to below sigma_next and noise back up to it: DDPM's ancestral sampling as in k-diffusion.

    Ho et al. 2020 (arXiv:2006.11239), alg. 2; the variance of the added noise is eq. 7's posterior variance. Written
    for x / alpha, whose noise level is sigma / alpha: that falls to `left` of what it was, and Euler's step goes on to
    the square of `left`.
    """
    denoised = denoiser(x, sigma)
    kept_next = alpha(process, sigma_next)
    left = sigma_next * alpha(process, sigma) / (sigma * kept_next)
    x_down = kept_next * (1 - left**2) * denoised + (sigma_next * left / sigma) * x
    return Step(x_down + sigma_next * math.sqrt(1 - left**2) * noise() if sigma_next else x_down, denoised, history)


def ddim(
    denoiser: Denoiser, process: Process, x: Tensor, sigma: float, sigma_next: float, history: History, noise: Noise
) -> Step:
    """Denoising diffusion implicit models: Song et al. 2020 (arXiv:2010.02502), eq. 12 without noise.

    The equation is Euler's step above; the picture is the same to rounding.
    """
    denoised = denoiser(x, sigma)
    noise_pred = (x - alpha(process, sigma) * denoised) / sigma  # "the direction pointing to x_t"
    return Step(alpha(process, sigma_next) * denoised + sigma_next * noise_pred, denoised, history)


def lcm(
    denoiser: Denoiser, process: Process, x: Tensor, sigma: float, sigma_next: float, history: History, noise: Noise
) -> Step:
    """Multistep consistency sampling: Song et al. 2023 (arXiv:2303.01469), alg. 1; Luo et al. 2023 (arXiv:2310.04378).

    For models distilled to jump to the end from anywhere. The boundary weights c_skip and c_out of the latter are left
    out: they are 0 and 1 to six digits at every timestep above 100, and one-step jumps start far above.
    """
    denoised = denoiser(x, sigma)
    if sigma_next == 0:
        return Step(denoised, denoised, history)
    return Step(alpha(process, sigma_next) * denoised + sigma_next * noise(), denoised, history)


def dpmpp_2m(
    denoiser: Denoiser, process: Process, x: Tensor, sigma: float, sigma_next: float, history: History, noise: Noise
) -> Step:
    """DPM-Solver++(2M): Lu et al. 2022 (arXiv:2211.01095), alg. 2. First order on the first and the last step."""
    denoised = denoiser(x, sigma)
    remembered = History((denoised,), (sigma,))
    if sigma_next == 0:
        return Step(denoised, denoised, remembered)
    target = _extrapolated(process, denoised, sigma, sigma_next, history)
    gone = -math.expm1(-_gain(process, sigma, sigma_next))
    x_next = (sigma_next / sigma) * x + alpha(process, sigma_next) * gone * target
    return Step(x_next, denoised, remembered)


def dpmpp_2m_sde(
    denoiser: Denoiser, process: Process, x: Tensor, sigma: float, sigma_next: float, history: History, noise: Noise
) -> Step:
    """SDE-DPM-Solver++(2M): Lu et al. 2022 (arXiv:2211.01095). First order on the first and the last step."""
    denoised = denoiser(x, sigma)
    remembered = History((denoised,), (sigma,))
    if sigma_next == 0:
        return Step(denoised, denoised, remembered)
    target = _extrapolated(process, denoised, sigma, sigma_next, history)
    h = _gain(process, sigma, sigma_next)
    gone = -math.expm1(-2 * h)  # 1 - e^(-2h)
    # x_next = sigma_next / sigma e^(-h) x + alpha_next (1 - e^(-2h)) target + sigma_next sqrt(1 - e^(-2h)) noise
    pulled = alpha(process, sigma_next) * gone * target
    x_next = (sigma_next / sigma) * math.exp(-h) * x + pulled + sigma_next * math.sqrt(gone) * noise()
    return Step(x_next, denoised, remembered)


def _extrapolated(process: Process, denoised: Tensor, sigma: float, sigma_next: float, history: History) -> Tensor:
    """The denoised picture half a step ahead, by its last two values: D in DPM-Solver++'s alg. 2."""
    if not history.denoised:
        return denoised
    r = _gain(process, history.sigmas[0], sigma) / _gain(process, sigma, sigma_next)
    return denoised + (denoised - history.denoised[0]) / (2 * r)  # (1 + 1 / 2r) x0 - 1 / 2r x0_before


def uni_pc(
    denoiser: Denoiser, process: Process, x: Tensor, sigma: float, sigma_next: float, history: History, noise: Noise
) -> Step:
    """UniPC of order 2 for denoised pictures, with B(h) = e^(-h) - 1 ("bh2"): Zhao et al. 2023 (arXiv:2302.04867).

    x is corrected with the denoised picture made from it, then the next x is predicted. The picture is not asked
    for again at the corrected x, so a step costs one evaluation.
    """
    denoised = denoiser(x, sigma)
    if sigma_next == 0:
        return Step(denoised, denoised, History())
    corrected = _uni_c(process, x, denoised, sigma, history)
    x_next = _uni_p(process, corrected, denoised, sigma, sigma_next, history)
    remembered = History((denoised, *history.denoised[:1]), (sigma, *history.sigmas[:1]), (corrected,))
    return Step(x_next, denoised, remembered)


def _uni_p(process: Process, x: Tensor, denoised: Tensor, sigma: float, sigma_next: float, history: History) -> Tensor:
    """UniP-2: x_next = sigma_next / sigma x - alpha_next ((e^(-h) - 1) x0 + B(h) a_1 D_1 / r_1), with a_1 = 1/2.

    D_1 is the change of the denoised picture over the earlier step; without it this is DDIM.
    """
    h = _gain(process, sigma, sigma_next)
    b_h = alpha(process, sigma_next) * math.expm1(-h)
    x_next = (sigma_next / sigma) * x - b_h * denoised
    if not history.denoised:
        return x_next
    r = -_gain(process, history.sigmas[0], sigma) / h  # negative: the earlier level lies behind
    return x_next - b_h * 0.5 * (history.denoised[0] - denoised) / r


def _uni_c(process: Process, x: Tensor, denoised: Tensor, sigma: float, history: History) -> Tensor:
    """UniC, of the order that the predictor of x had: the same sum with one more term, for `denoised` at sigma.

    x at sigma is recomputed from the earlier x, now that `denoised` is known.
    """
    if not history.samples:
        return x
    before, sigma_before = history.denoised[0], history.sigmas[0]
    h = _gain(process, sigma_before, sigma)
    b_h, kept = math.expm1(-h), alpha(process, sigma)
    base = (sigma / sigma_before) * history.samples[0] - kept * b_h * before
    if len(history.denoised) == 1:
        return base - kept * b_h * 0.5 * (denoised - before)
    # their theorem 3.1, R a = phi(h) / B(h), for two terms: a_1 + a_2 = b_1 and r a_1 + a_2 = b_2
    r = -_gain(process, history.sigmas[1], sigma_before) / h
    phi_2 = b_h / -h - 1
    b_1, b_2 = phi_2 / b_h, 2 * (phi_2 / -h - 0.5) / b_h
    a_1 = (b_1 - b_2) / (1 - r)
    a_2 = b_1 - a_1
    return base - kept * b_h * (a_1 * (history.denoised[1] - before) / r + a_2 * (denoised - before))


SolverName = Literal["euler", "euler_ancestral", "heun", "dpmpp_2m", "dpmpp_2m_sde", "ddim", "lcm", "uni_pc"]
SOLVERS: dict[SolverName, Solver] = {
    "euler": euler,
    "euler_ancestral": euler_ancestral,
    "heun": heun,
    "dpmpp_2m": dpmpp_2m,
    "dpmpp_2m_sde": dpmpp_2m_sde,
    "ddim": ddim,
    "lcm": lcm,
    "uni_pc": uni_pc,
}


def step(
    solver: SolverName,
    process: Process,
    denoiser: Denoiser,
    x: Tensor,
    sigma: float,
    sigma_next: float,
    history: History,
    seed: int,
    index: int,
    first: int = 0,
) -> Step:
    """From noise level sigma to sigma_next with one of SOLVERS.

    seed, index: the noise of a stochastic step; draw 0 is the noise that the denoising started from, and a history of
    more steps than `index` goes on from its own. first: the number of the first picture of x in its batch.
    Raises ValueError when the step would not lower the noise, does not go on from the history's, or starts from more
    noise than there is.
    """
    import torch

    from nodes.backend import noise as noises
    from nodes.backend import resident

    if sigma <= sigma_next:
        raise ValueError(f"a step must lower the noise level, got sigma {sigma:g} and sigma_next {sigma_next:g}")
    if isinstance(process, Flow) and sigma > MOST_NOISE:
        raise ValueError(f"this model's noise levels are at most 1, got sigma {sigma:g}; use those of Noise scheduler")
    if history.denoised and (history.sigmas[0] <= sigma or history.denoised[0].shape != x.shape):
        raise ValueError("the history is that of another denoising; leave it open where a denoising starts")
    done = max(index, history.steps) + 1
    with torch.inference_mode():
        x_next, denoised, history = SOLVERS[solver](
            *(denoiser, process, x, sigma, sigma_next, history),
            lambda: resident.sent(noises.draw(x.shape, seed, done, first), x.device),
        )
        return Step(x_next.contiguous(), denoised.contiguous(), replace(history, steps=done))
