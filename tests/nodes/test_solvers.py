"""Each solver, step by step, against the scheduler class of diffusers that implements the same paper.

The denoiser is a smooth toy function, so nothing but the solver can differ. diffusers works in float32 with
sigmas it has converted through alpha and log, which costs about six digits.
"""

from __future__ import annotations

import itertools
from typing import Any, get_args

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LCMScheduler,
    UniPCMultistepScheduler,
)
from torch import Tensor

from nodes.backend import noise, schedules
from nodes.backend.solvers import SOLVERS, SolverName, step
from nodes.types import History, NoiseSchedule

# diffusers' own code still uses what numpy deprecates
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

BETAS: dict[str, Any] = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
SHAPE = (1, 4, 8, 8)
SEED = 7
STEPS = 12
TRAILING = {"timestep_spacing": "trailing"}


def toy_denoiser(x: Tensor, sigma: float) -> Tensor:
    return torch.tanh(x / (1 + sigma**2)) + 0.3 * torch.sin(x / (1 + sigma))


def run(solver: str, sigmas: tuple[float, ...]) -> Tensor:
    x, history = noise.draw(SHAPE, SEED, 0) * sigmas[0], History()
    for index, (sigma, sigma_next) in enumerate(itertools.pairwise(sigmas)):
        x, _, history = step(solver, toy_denoiser, x, sigma, sigma_next, history, SEED, index)
    return x


def run_diffusers(scheduler: Any, in_sigma_space: bool) -> tuple[Tensor, tuple[float, ...]]:
    """Where it ends, in sigma space, and the sigmas it visited. The other space is x / sqrt(1 + sigma^2)."""
    if isinstance(scheduler, LCMScheduler | DDIMScheduler):
        levels = [float(((1 - a) / a) ** 0.5) for a in scheduler.alphas_cumprod[scheduler.timesteps].double()]
    else:
        levels = scheduler.sigmas[:-1].tolist()
    generator = torch.Generator().manual_seed(SEED)
    x = torch.randn(SHAPE, generator=generator) * levels[0]
    x = x if in_sigma_space else x / (1 + levels[0] ** 2) ** 0.5
    takes_generator = "generator" in scheduler.step.__code__.co_varnames
    for timestep, sigma in zip(scheduler.timesteps, levels, strict=True):
        x_hat = x if in_sigma_space else x * (1 + sigma**2) ** 0.5
        prediction = (x_hat - toy_denoiser(x_hat, sigma)) / sigma
        if in_sigma_space:
            scheduler.scale_model_input(x, timestep)
        extra = {"generator": generator} if takes_generator else {}
        x = scheduler.step(prediction, timestep, x, **extra, return_dict=False)[0]
    return x, (*dict.fromkeys(levels), 0.0)


def ready(scheduler: Any, **timesteps: Any) -> Any:
    scheduler.set_timesteps(**(timesteps or {"num_inference_steps": STEPS}))
    return scheduler


ORACLES = {
    "euler": lambda: (ready(EulerDiscreteScheduler(**BETAS, **TRAILING)), True),
    "euler_ancestral": lambda: (ready(EulerAncestralDiscreteScheduler(**BETAS, **TRAILING)), True),
    "heun": lambda: (ready(HeunDiscreteScheduler(**BETAS, **TRAILING)), True),
    "dpmpp_2m": lambda: (ready(DPMSolverMultistepScheduler(**BETAS, **TRAILING)), False),
    "dpmpp_2m_sde": lambda: (
        ready(DPMSolverMultistepScheduler(**BETAS, **TRAILING, algorithm_type="sde-dpmsolver++")),
        False,
    ),
    "ddim": lambda: (
        ready(DDIMScheduler(**BETAS, timestep_spacing="leading", steps_offset=1, clip_sample=False)),
        False,
    ),
    "lcm": lambda: (ready(LCMScheduler(**BETAS, clip_sample=False), num_inference_steps=6), False),
    "uni_pc": lambda: (ready(UniPCMultistepScheduler(**BETAS, **TRAILING)), False),
}


@pytest.mark.parametrize("solver", ORACLES)
def test_a_solver_ends_where_the_scheduler_of_diffusers_ends(solver: str):
    theirs, sigmas = run_diffusers(*ORACLES[solver]())
    ours = run(solver, sigmas)
    assert float((ours - theirs).norm() / theirs.norm()) < 5e-6


@pytest.mark.parametrize("solver", ["dpmpp_2m", "uni_pc"])
@pytest.mark.parametrize("spacing", ["use_karras_sigmas", "use_exponential_sigmas"])
def test_multistep_solvers_agree_on_uneven_schedules(solver: str, spacing: str):
    scheduler = {"dpmpp_2m": DPMSolverMultistepScheduler, "uni_pc": UniPCMultistepScheduler}[solver]
    theirs, sigmas = run_diffusers(ready(scheduler(**BETAS, **{spacing: True})), False)
    assert float((run(solver, sigmas) - theirs).norm() / theirs.norm()) < 5e-6


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_last_step_ends_on_the_denoised_picture(solver: str):
    x = noise.draw(SHAPE, SEED, 0)
    end = step(solver, toy_denoiser, x, 0.5, 0.0, History(), SEED, 3)
    # euler and heun reach it by subtracting all the noise, which rounds
    torch.testing.assert_close(end.x, end.denoised, rtol=0, atol=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_last_step_draws_no_noise(solver: str):
    def drawn() -> Tensor:
        raise AssertionError("noise was drawn for a step that ends without any")

    x = noise.draw(SHAPE, SEED, 0)
    SOLVERS[solver](toy_denoiser, x, 0.5, 0.0, History(), drawn)


@pytest.mark.parametrize("solver", SOLVERS)
def test_one_step_suffices(solver: str):
    assert run(solver, (10.0, 0.0)).isfinite().all()


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_step_leaves_its_inputs_as_they_are(solver: str):
    x = noise.draw(SHAPE, SEED, 0)
    before = x.clone()
    first = step(solver, toy_denoiser, x, 9.0, 5.0, History(), SEED, 0)
    kept = [t.clone() for t in (*first.history.denoised, *first.history.samples)]
    step(solver, toy_denoiser, first.x, 5.0, 3.0, first.history, SEED, 1)
    assert x.equal(before)
    assert all(a.equal(b) for a, b in zip((*first.history.denoised, *first.history.samples), kept, strict=True))


def test_a_finer_schedule_brings_every_deterministic_solver_to_the_same_picture():
    sd = NoiseSchedule()
    reference = run("heun", schedules.sigmas_for(sd, "karras", 400, 1.0))
    for solver in ("euler", "dpmpp_2m", "ddim", "uni_pc"):
        end = run(solver, schedules.sigmas_for(sd, "karras", 400, 1.0))
        # Euler's error shrinks with the step size: about 0.5 % is left at 400 steps
        assert float((end - reference).norm() / reference.norm()) < 1e-2


def test_noise_of_a_step_is_the_draw_a_sequential_loop_would_make():
    generator = torch.Generator().manual_seed(SEED)
    sequential = [torch.randn(SHAPE, generator=generator) for _ in range(4)]
    assert all(noise.draw(SHAPE, SEED, i).equal(expected) for i, expected in enumerate(sequential))


def test_noise_leaves_the_global_random_state_alone():
    state = torch.get_rng_state()
    noise.draw(SHAPE, SEED, 3)
    assert torch.get_rng_state().equal(state)


@pytest.mark.parametrize(("sigma", "sigma_next"), [(1.0, 1.0), (1.0, 2.0)])
def test_a_step_that_does_not_lower_the_noise_is_refused(sigma: float, sigma_next: float):
    x = torch.zeros(SHAPE)
    with pytest.raises(ValueError, match="must lower the noise level"):
        step("euler", toy_denoiser, x, sigma, sigma_next, History(), 0, 0)


@pytest.mark.parametrize(("shape", "sigma"), [(SHAPE, 5.0), ((2, 4, 8, 8), 4.0)])
def test_the_history_of_another_denoising_is_refused(shape: tuple[int, ...], sigma: float):
    history = History((torch.zeros(SHAPE),), (5.0,))
    with pytest.raises(ValueError, match="history is that of another denoising"):
        step("dpmpp_2m", toy_denoiser, torch.zeros(shape), sigma, 1.0, history, 0, 0)


def test_the_solver_may_change_on_the_way():
    x, history = noise.draw(SHAPE, SEED, 0) * 10, History()
    for index, solver in enumerate(["dpmpp_2m", "uni_pc", "euler", "uni_pc", "dpmpp_2m_sde"]):
        x, _, history = step(solver, toy_denoiser, x, 10.0 - index, 9.0 - index, history, SEED, index)
    assert x.isfinite().all()


def test_every_solver_is_named_and_has_an_oracle():
    assert set(get_args(SolverName)) == set(SOLVERS) == set(ORACLES)
