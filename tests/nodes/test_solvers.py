"""Each solver, step by step, against the scheduler class of diffusers that implements the same paper.

The denoiser is a smooth toy function, so nothing but the solver can differ. diffusers works in float32 with
sigmas it has converted through alpha and log, which costs about six digits.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, get_args

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FlowMatchHeunDiscreteScheduler,
    FlowMatchLCMScheduler,
    HeunDiscreteScheduler,
    LCMScheduler,
    UniPCMultistepScheduler,
)
from torch import Tensor

from nodes.backend import noise, schedules
from nodes.backend.process import alpha
from nodes.backend.solvers import SOLVERS, SolverName, step
from nodes.types import Diffusion, Flow, History, Process
from tests.examples import each

# diffusers' own code still uses what numpy deprecates
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

BETAS: dict[str, Any] = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
SHAPE = (1, 4, 8, 8)
SEED = 7
STEPS = 12
TRAILING = {"timestep_spacing": "trailing"}
SD, FLOW = Diffusion(), Flow()
PROCESSES: dict[str, Process] = {"diffusion": SD, "flow": FLOW}
START = {"diffusion": 10.0, "flow": 1.0}
EVERY = each("kind", PROCESSES)


def toy_denoiser(x: Tensor, sigma: float) -> Tensor:
    return torch.tanh(x / (1 + sigma**2)) + 0.3 * torch.sin(x / (1 + sigma))


def run(solver: str, sigmas: tuple[float, ...], process: Process = SD) -> Tensor:
    x, history = noise.draw(SHAPE, SEED, 0) * sigmas[0], History()
    for index, (sigma, sigma_next) in enumerate(itertools.pairwise(sigmas)):
        x, _, history = step(solver, process, toy_denoiser, x, sigma, sigma_next, history, SEED, index)
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


@each("solver", ORACLES)
def test_a_solver_ends_where_the_scheduler_of_diffusers_ends(solver: str):
    theirs, sigmas = run_diffusers(*ORACLES[solver]())
    ours = run(solver, sigmas)
    assert float((ours - theirs).norm() / theirs.norm()) < 5e-6


def run_flow_of_diffusers(scheduler: Any) -> tuple[Tensor, tuple[float, ...]]:
    """Where it ends, and the sigmas it visited."""
    generator = torch.Generator().manual_seed(SEED)
    # Heun's has a timestep twice, for its two evaluations, and each level of its steps twice but the first
    levels = [float(timestep) / 1000 for timestep in scheduler.timesteps]
    if not isinstance(scheduler, FlowMatchHeunDiscreteScheduler):
        levels = scheduler.sigmas[:-1].tolist()  # timesteps of some are rounded
    x = torch.randn(SHAPE, generator=generator) * levels[0]
    extra = {"generator": generator} if "generator" in scheduler.step.__code__.co_varnames else {}
    for timestep, sigma in zip(scheduler.timesteps, levels, strict=True):
        velocity = (x - toy_denoiser(x, sigma)) / sigma
        x = scheduler.step(velocity, timestep, x, **extra, return_dict=False)[0]
    return x, (*dict.fromkeys(levels), 0.0)


FLOW_SIGMAS: dict[str, Any] = {"use_flow_sigmas": True, "prediction_type": "flow_prediction", "flow_shift": 3.0}
SDE = {"algorithm_type": "sde-dpmsolver++"}
FLOW_ORACLES = {
    "euler": lambda: ready(FlowMatchEulerDiscreteScheduler(shift=3.0)),
    "heun": lambda: ready(FlowMatchHeunDiscreteScheduler(shift=3.0)),
    "dpmpp_2m": lambda: ready(DPMSolverMultistepScheduler(**FLOW_SIGMAS)),
    "dpmpp_2m_sde": lambda: ready(DPMSolverMultistepScheduler(**FLOW_SIGMAS, **SDE)),
    "ddim": lambda: ready(FlowMatchEulerDiscreteScheduler(shift=3.0)),  # DDIM is Euler's step: see its docstring
    "lcm": lambda: ready(FlowMatchLCMScheduler(shift=3.0), num_inference_steps=6),
    "uni_pc": lambda: ready(UniPCMultistepScheduler(**FLOW_SIGMAS)),
}


@each("solver", FLOW_ORACLES)
def test_a_solver_of_flows_ends_where_the_scheduler_of_diffusers_ends(solver: str):
    theirs, sigmas = run_flow_of_diffusers(FLOW_ORACLES[solver]())
    ours = run(solver, sigmas, FLOW)
    assert float((ours - theirs).norm() / theirs.norm()) < 5e-6


def test_ancestral_steps_of_flows_add_the_noise_of_the_posterior():
    """q(x_s | x_t, x0) of Kingma et al. 2021 (arXiv:2107.00630), app. A.2, eq. 25: for any alpha and sigma."""
    unit = noise.draw(SHAPE, SEED, 1)
    for sigma, sigma_next in ((1.0, 0.9), (0.9, 0.5), (0.5, 0.1)):
        x = noise.draw(SHAPE, SEED, 0)
        a_t, a_s = 1 - sigma, 1 - sigma_next
        a_ts = a_t / a_s
        var_ts = sigma**2 - a_ts**2 * sigma_next**2
        mean = a_ts * sigma_next**2 / sigma**2 * x + a_s * var_ts / sigma**2 * toy_denoiser(x, sigma)
        expected = mean + math.sqrt(var_ts) * sigma_next / sigma * unit
        ours = step("euler_ancestral", FLOW, toy_denoiser, x, sigma, sigma_next, History(), SEED, 0).x
        torch.testing.assert_close(ours, expected)  # float32, the terms in another order


@each("solver", ["euler_ancestral", "lcm", "dpmpp_2m_sde"])
@EVERY
def test_noise_that_is_added_on_the_way_keeps_its_level(solver: str, kind: str):
    """Of a picture that is known, x has the noise of its level after every step, whatever the solver put in."""
    process, picture = PROCESSES[kind], torch.full((4, 4, 64, 64), 0.5)
    sigmas = [START[kind] * part for part in (1.0, 0.9, 0.6, 0.3)]
    x = alpha(process, sigmas[0]) * picture + sigmas[0] * noise.draw(picture.shape, SEED, 0)
    history = History()
    for index, (sigma, sigma_next) in enumerate(itertools.pairwise(sigmas)):
        x, _, history = step(solver, process, lambda *_: picture, x, sigma, sigma_next, history, SEED, index)
        left = (x - alpha(process, sigma_next) * picture) / sigma_next
        # 65,536 numbers: the standard error of their mean is 0.004, that of their deviation 0.003
        assert abs(float(left.mean())) < 0.02
        assert float(left.std()) == pytest.approx(1, abs=0.015)


@each("solver", SOLVERS)
def test_from_noise_alone_a_flow_starts_as_from_next_to_it(solver: str):
    """At sigma 1 nothing of the picture is in x, and lambda = log(alpha / sigma) is no number."""
    ends = [run(solver, (1 - less, 0.8, 0.5, 0.2, 0.0), FLOW) for less in (0.0, 1e-4, 1e-8, 1e-15)]
    far, nearer, nearest = (float((end - ends[0]).norm() / ends[0].norm()) for end in ends[1:])
    # Multistep solvers extrapolate from the first step by 1 / h, which falls as slowly as 1 / log does; float32.
    assert nearer < 0.6 * far + 1e-6
    assert nearest < 0.6 * nearer + 1e-6


@pytest.mark.parametrize("solver", ["dpmpp_2m", "dpmpp_2m_sde"])
def test_after_a_step_from_noise_alone_a_multistep_solver_begins_anew(solver: str):
    first = step(solver, FLOW, toy_denoiser, noise.draw(SHAPE, SEED, 0), 1.0, 0.8, History(), SEED, 0)
    second, anew = (
        step(solver, FLOW, toy_denoiser, first.x, 0.8, 0.5, history, SEED, 1).x
        for history in (first.history, History())
    )
    assert second.equal(anew)  # h of the first step is infinity


@each("shift", [0.001, 1.116, 1.32])
@each("solver", SOLVERS)
def test_a_first_level_that_rounding_raised_above_1_is_1(solver: str, shift: float):
    sigmas = schedules.normal(Flow(shift), 4)
    assert 1 < sigmas[0] < 1.001
    ends = (run(solver, (start, *sigmas[1:]), FLOW) for start in (1.0, sigmas[0]))
    # shifts near 0 round most, by 1.3e-5, and Heun divides by the next level
    torch.testing.assert_close(*ends, rtol=0, atol=5e-4)


@each("solver", SOLVERS)
def test_a_flow_has_no_noise_above_1(solver: str):
    with pytest.raises(ValueError, match=r"noise levels are at most 1, got sigma 1\.5; use those of Noise scheduler"):
        step(solver, FLOW, toy_denoiser, torch.zeros(SHAPE), 1.5, 0.5, History(), SEED, 0)


@pytest.mark.parametrize("solver", ["dpmpp_2m", "uni_pc"])
@pytest.mark.parametrize("spacing", ["use_karras_sigmas", "use_exponential_sigmas"])
def test_multistep_solvers_agree_on_uneven_schedules(solver: str, spacing: str):
    scheduler = {"dpmpp_2m": DPMSolverMultistepScheduler, "uni_pc": UniPCMultistepScheduler}[solver]
    theirs, sigmas = run_diffusers(ready(scheduler(**BETAS, **{spacing: True})), False)
    assert float((run(solver, sigmas) - theirs).norm() / theirs.norm()) < 5e-6


@EVERY
@each("solver", SOLVERS)
def test_the_last_step_ends_on_the_denoised_picture(solver: str, kind: str):
    x = noise.draw(SHAPE, SEED, 0)
    end = step(solver, PROCESSES[kind], toy_denoiser, x, 0.5, 0.0, History(), SEED, 3)
    # euler and heun reach it by subtracting all the noise, which rounds
    torch.testing.assert_close(end.x, end.denoised, rtol=0, atol=1e-6)


@EVERY
@each("solver", SOLVERS)
def test_the_last_step_draws_no_noise(solver: str, kind: str):
    def drawn() -> Tensor:
        raise AssertionError("noise was drawn for a step that ends without any")

    x = noise.draw(SHAPE, SEED, 0)
    SOLVERS[solver](toy_denoiser, PROCESSES[kind], x, 0.5, 0.0, History(), drawn)


@EVERY
@each("solver", SOLVERS)
def test_one_step_suffices(solver: str, kind: str):
    assert run(solver, (START[kind], 0.0), PROCESSES[kind]).isfinite().all()


@EVERY
@each("solver", SOLVERS)
def test_a_step_leaves_its_inputs_as_they_are(solver: str, kind: str):
    process, (first_level, second, third) = PROCESSES[kind], (START[kind] * part for part in (0.9, 0.5, 0.3))
    x = noise.draw(SHAPE, SEED, 0)
    before = x.clone()
    first = step(solver, process, toy_denoiser, x, first_level, second, History(), SEED, 0)
    kept = [t.clone() for t in (*first.history.denoised, *first.history.samples)]
    step(solver, process, toy_denoiser, first.x, second, third, first.history, SEED, 1)
    assert x.equal(before)
    assert all(a.equal(b) for a, b in zip((*first.history.denoised, *first.history.samples), kept, strict=True))


@EVERY
@each("solver", SOLVERS)
def test_what_a_solver_remembers_does_not_grow(solver: str, kind: str):
    x, history = noise.draw(SHAPE, SEED, 0), History()
    for index in range(6):
        sigma, sigma_next = (START[kind] * (1 - i / 10) for i in (index, index + 1))
        x, _, history = step(solver, PROCESSES[kind], toy_denoiser, x, sigma, sigma_next, history, SEED, index)
        assert len(history.denoised) == len(history.sigmas) <= 2
        assert len(history.samples) <= 1
        assert history.steps == index + 1


@pytest.mark.parametrize("solver", ["euler_ancestral", "lcm", "dpmpp_2m_sde"])
def test_what_goes_on_from_a_history_goes_on_with_its_noise(solver: str):
    """As in a second zone, whose index begins at 0 again."""
    sigmas = (10.0, 7.0, 5.0, 3.0, 2.0)
    x, history = noise.draw(SHAPE, SEED, 0) * sigmas[0], History()
    for index, (sigma, sigma_next) in enumerate(itertools.pairwise(sigmas)):
        x, _, history = step(solver, SD, toy_denoiser, x, sigma, sigma_next, history, SEED, index % 2)
    assert x.equal(run(solver, sigmas))


@EVERY
def test_a_finer_schedule_brings_every_deterministic_solver_to_the_same_picture(kind: str):
    process = PROCESSES[kind]
    sigmas = schedules.sigmas_for(process, "karras", 400, 1.0)
    reference = run("heun", sigmas, process)
    for solver in ("euler", "dpmpp_2m", "ddim", "uni_pc"):
        end = run(solver, sigmas, process)
        # Euler's error shrinks with the step size: about 0.5 % is left at 400 steps
        assert float((end - reference).norm() / reference.norm()) < 1e-2


def test_euler_and_ddim_are_one_solver_of_flows_too():
    sigmas = schedules.sigmas_for(FLOW, "normal", 20, 1.0)
    euler, ddim = (run(solver, sigmas, FLOW) for solver in ("euler", "ddim"))
    assert float((euler - ddim).norm() / euler.norm()) < 1e-5  # the terms in another order, 20 times


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
        step("euler", SD, toy_denoiser, x, sigma, sigma_next, History(), 0, 0)


@pytest.mark.parametrize(("shape", "sigma"), [(SHAPE, 5.0), ((2, 4, 8, 8), 4.0)])
def test_the_history_of_another_denoising_is_refused(shape: tuple[int, ...], sigma: float):
    history = History((torch.zeros(SHAPE),), (5.0,))
    with pytest.raises(ValueError, match=r"^the history is that of another denoising; leave it open where .* starts$"):
        step("dpmpp_2m", SD, toy_denoiser, torch.zeros(shape), sigma, 1.0, history, 0, 0)


@EVERY
def test_the_solver_may_change_on_the_way(kind: str):
    levels = [START[kind] * (1 - index / 10) for index in range(6)]
    x, history = noise.draw(SHAPE, SEED, 0) * levels[0], History()
    for index, solver in enumerate(["dpmpp_2m", "uni_pc", "euler", "uni_pc", "dpmpp_2m_sde"]):
        x, _, history = step(
            solver, PROCESSES[kind], toy_denoiser, x, levels[index], levels[index + 1], history, SEED, index
        )
    assert x.isfinite().all()


def test_every_solver_is_named_and_has_an_oracle():
    assert set(get_args(SolverName)) == set(SOLVERS) == set(ORACLES) == {*FLOW_ORACLES, "euler_ancestral"}
