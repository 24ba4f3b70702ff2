"""Schedules against diffusers' schedulers, of diffusion and of flows, and the properties every one of them has."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from dataclasses import replace
from typing import Any, cast, get_args

import numpy as np
import pytest
import scipy.stats
import torch
from diffusers import EulerDiscreteScheduler, FlowMatchEulerDiscreteScheduler, LCMScheduler
from diffusers.pipelines.flux.pipeline_flux import calculate_shift
from diffusers.schedulers.scheduling_euler_discrete import rescale_zero_terminal_snr

from nodes import schedule as nodes
from nodes.backend import process, schedules
from nodes.types import Diffusion, Flow, Model, Network, NoiseSchedule, Process, SizeShift, Space, Weights
from tests.examples import each

# diffusers' own code still uses what numpy deprecates
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SD = Diffusion()
ZERO_SNR = Diffusion("v_prediction", NoiseSchedule(zero_snr=True))
SD3 = Flow(3.0, to_least=True)
FLUX = Flow(by_size=SizeShift())
PROCESSES: dict[str, Process] = {
    "diffusion": SD,
    "zero terminal snr": ZERO_SNR,
    "flow": Flow(),
    "flow to the least": SD3,
    "flow by size": process.at_size(FLUX, 128, 128),
}
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
SPACE = Space("sd", 4, 8)


def model(process: Process, native_size: int = 512) -> Model:
    return Model(Network("sd1", "unet", Weights("model", "1")), process, SPACE, native_size)


MODEL = model(SD)
EVERY = each("kind", PROCESSES)
NAMES = (*schedules.SCHEDULES, "lcm")

DIFFUSERS = {
    "normal": {"timestep_spacing": "linspace"},
    "karras": {"timestep_spacing": "linspace", "use_karras_sigmas": True},
    "exponential": {"timestep_spacing": "linspace", "use_exponential_sigmas": True},
    "simple": {"timestep_spacing": "trailing"},
    "ddim_uniform": {"timestep_spacing": "leading", "steps_offset": 1},
}
# Of normal with one step, diffusers' linspace starts at the clean end and ours at the noisy one: nothing to compare.
CASES = [(name, steps) for name in DIFFUSERS for steps in (1, 4, 20) if (name, steps) != ("normal", 1)]


@each(("name", "steps"), CASES)
def test_schedules_visit_the_noise_levels_that_diffusers_visits(name: str, steps: int):
    scheduler = EulerDiscreteScheduler(**BETAS, **DIFFUSERS[name])
    scheduler.set_timesteps(steps)
    theirs = scheduler.sigmas.tolist()
    if steps == 1 and name in ("karras", "exponential", "ddim_uniform"):
        theirs[0] = process.training_sigmas(SD)[-1]  # one step: theirs starts at the clean end here too
    # their betas are multiplied up in float32, and they interpolate sigma where we interpolate log sigma
    assert schedules.sigmas_for(SD, name, steps, 1.0) == pytest.approx(theirs, rel=2e-5, abs=1e-9)


def levels(scheduler: Any, steps: int, **named: Any) -> list[float]:
    scheduler.set_timesteps(**(named or {"num_inference_steps": steps}))
    return scheduler.sigmas.tolist()


STEPS = (1, 2, 3, 4, 7, 20, 28, 50)


@each("steps", STEPS)
@each("shift", [3.0, 1.0, 1.15, 2.5, 13.0])
def test_normal_is_bit_for_bit_that_of_the_pipelines_which_leave_the_levels_to_their_scheduler(
    steps: int, shift: float
):
    theirs = levels(FlowMatchEulerDiscreteScheduler(shift=shift), steps)  # as Stable Diffusion 3's
    assert list(schedules.sigmas_for(Flow(shift, to_least=True), "normal", steps, 1.0)) == theirs


def shifted_by_size(side: int) -> dict[str, Any]:
    """What pipelines pass for a picture of so many latent pixels a side."""
    return {"mu": calculate_shift((side // 2) ** 2, 256, 4096, 0.5, 1.15)}


@each("steps", STEPS)
@each("side", [32, 64, 128, 256])
def test_normal_is_bit_for_bit_that_of_the_pipelines_whose_shift_grows_with_the_picture(steps: int, side: int):
    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)
    even = np.linspace(1.0, 1 / steps, steps)  # as Flux's
    theirs = levels(scheduler, steps, sigmas=even, **shifted_by_size(side))
    assert list(schedules.sigmas_for(process.at_size(FLUX, side, side), "normal", steps, 1.0)) == theirs
    theirs = levels(scheduler, steps, num_inference_steps=steps, **shifted_by_size(side))  # as Stable Diffusion 3.5's
    to_least = process.at_size(Flow(by_size=SizeShift(), to_least=True), side, side)
    assert list(schedules.sigmas_for(to_least, "normal", steps, 1.0)) == theirs


@each("steps", STEPS)
@each("shift", [1.0, 3.0, 1.15])
def test_normal_is_bit_for_bit_that_of_the_pipelines_which_pass_even_levels(steps: int, shift: float):
    even = np.linspace(1.0, 1 / steps, steps)  # as Flux schnell's, whose shift is 1
    theirs = levels(FlowMatchEulerDiscreteScheduler(shift=shift), steps, sigmas=even)
    assert list(schedules.sigmas_for(Flow(shift), "normal", steps, 1.0)) == theirs


@each("steps", STEPS[1:])
def test_normal_is_bit_for_bit_that_of_the_pipelines_which_stretch_to_a_last_level(steps: int):
    even = np.linspace(1.0, 1 / steps, steps)  # as Qwen-Image's
    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift_terminal=0.02)
    theirs = levels(scheduler, steps, sigmas=even, **shifted_by_size(64))
    stretched = process.at_size(Flow(by_size=SizeShift(), terminal=0.02), 64, 64)
    assert list(schedules.sigmas_for(stretched, "normal", steps, 1.0)) == theirs
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0, shift_terminal=0.1)
    theirs = levels(scheduler, steps, sigmas=even)
    assert list(schedules.sigmas_for(Flow(3.0, terminal=0.1), "normal", steps, 1.0)) == theirs


def test_the_only_level_of_a_run_is_not_stretched():
    # diffusers divides 0 by 0
    assert schedules.sigmas_for(Flow(terminal=0.02), "normal", 1, 1.0) == (1.0, 0.0)


OWN = (1.0, 0.978453, 0.95418, 0.926626, 0.89508, 0.845148, 0.704534, 0.414568)


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_a_models_own_levels_are_visited_bit_for_bit_and_shifted_as_in_diffusers(shift: float):
    theirs = levels(FlowMatchEulerDiscreteScheduler(shift=shift), 8, sigmas=list(OWN))
    assert list(schedules.sigmas_for(Flow(shift, own=OWN), "normal", 8, 1.0)) == theirs


def test_other_numbers_of_steps_divide_a_models_own_levels_evenly():
    few, many = (schedules.sigmas_for(Flow(own=OWN), "normal", steps, 1.0) for steps in (4, 16))
    assert few == pytest.approx((*OWN[::2], 0.0), rel=1e-6)
    assert many[::2] == pytest.approx((*OWN, 0.0), rel=1e-6)
    assert many[-2] == pytest.approx(OWN[-1] / 2)


@each("steps", STEPS)
@each("name", ["karras", "exponential", "beta"])
def test_other_schedules_of_flows_lie_between_the_ends_of_normal_as_in_diffusers(name: str, steps: int):
    use = {f"use_{name}_sigmas": True}
    theirs = levels(FlowMatchEulerDiscreteScheduler(shift=3.0, **use), steps)
    # theirs are rounded to float32 at the end
    assert schedules.sigmas_for(SD3, name, steps, 1.0) == pytest.approx(theirs, rel=2e-7)
    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, **use)
    theirs = levels(scheduler, steps, sigmas=np.linspace(1.0, 1 / steps, steps), **shifted_by_size(64))
    assert schedules.sigmas_for(process.at_size(FLUX, 64, 64), name, steps, 1.0) == pytest.approx(theirs, rel=2e-7)


@pytest.mark.parametrize("steps", [4, 20])
@pytest.mark.parametrize("name", ["simple", "ddim_uniform"])
def test_timesteps_of_flows_are_those_of_diffusion_at_the_levels_they_were_trained_with(name: str, steps: int):
    spaced = EulerDiscreteScheduler(**BETAS, **DIFFUSERS[name])
    spaced.set_timesteps(steps)
    trained = FlowMatchEulerDiscreteScheduler(shift=3.0).sigmas.flip(0)
    theirs = (*trained[spaced.timesteps.long()].tolist(), 0.0)
    # theirs are computed in float32
    assert schedules.sigmas_for(Flow(3.0), name, steps, 1.0) == pytest.approx(theirs, rel=1e-6)


@EVERY
@each("steps", [3, 9, 27])
def test_sgm_uniform_goes_evenly_from_the_last_timestep_and_leaves_out_the_first(steps: int, kind: str):
    # diffusers has no such spacing; with these steps, 999 timesteps part into equal whole numbers
    sigmas, stride = process.training_sigmas(PROCESSES[kind]), 999 // steps
    expected = [sigmas[999 - i * stride] for i in range(steps)]
    ours = schedules.sigmas_for(PROCESSES[kind], "sgm_uniform", steps, 1.0)
    assert ours == pytest.approx((*expected, 0.0), rel=1e-12)


@pytest.mark.parametrize("kind", ["linear", "scaled_linear", "squaredcos_cap_v2"])
def test_training_sigmas_are_those_of_diffusers(kind: str):
    ours = process.training_sigmas(Diffusion(noise_schedule=NoiseSchedule(kind)))
    alphas = EulerDiscreteScheduler(**{**BETAS, "beta_schedule": kind}).alphas_cumprod
    # float32 rounding of 1 - alpha_bar, where it is next to 1
    assert ours == pytest.approx((((1 - alphas) / alphas) ** 0.5).tolist(), rel=1e-3)


@pytest.mark.parametrize("kind", ["linear", "scaled_linear", "squaredcos_cap_v2"])
def test_zero_terminal_snr_is_that_of_diffusers(kind: Any):
    noise_schedule = NoiseSchedule(kind)
    betas = torch.tensor(process.betas(noise_schedule), dtype=torch.float64)
    theirs = torch.cumprod(1 - rescale_zero_terminal_snr(betas), 0)
    ours = torch.tensor(process.alpha_bars(replace(noise_schedule, zero_snr=True)), dtype=torch.float64)
    # float64, theirs through the betas and back
    torch.testing.assert_close(ours[:-1], theirs[:-1], rtol=1e-10, atol=0)
    assert theirs[-1] == 0  # whose noise level would be infinity
    assert ours[-1] == EulerDiscreteScheduler(**BETAS, rescale_betas_zero_snr=True).alphas_cumprod[-1] == 2**-24


def test_training_levels_of_flows_are_those_of_diffusers():
    for shift in (1.0, 3.0):
        theirs = FlowMatchEulerDiscreteScheduler(shift=shift).sigmas.flip(0).tolist()
        # float32
        assert process.training_sigmas(Flow(shift)) == pytest.approx(theirs, rel=1e-6)


def test_networks_of_flows_are_told_a_thousand_times_the_level():
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    scheduler.set_timesteps(7)
    ours = [process.timestep_at(SD3, sigma) for sigma in schedules.normal(SD3, 7)[:-1]]
    assert ours == pytest.approx(scheduler.timesteps.tolist(), rel=1e-7)  # float32


def test_the_node_shifts_for_the_size_that_the_model_was_trained_with():
    for side in (64, 128):
        sigmas = nodes.noise_scheduler(model(FLUX, side * 8), "normal", 4).sigmas
        assert sigmas == schedules.normal(process.at_size(FLUX, side, side), 4)


def test_the_node_shifts_for_the_size_of_the_latent_that_it_is_told_of():
    sigmas = nodes.noise_scheduler(model(FLUX), "normal", 4, latent=cast(Any, (1, 16, 128, 96))).sigmas
    assert sigmas == schedules.normal(process.at_size(FLUX, 128, 96), 4)


@EVERY
@each("name", NAMES)
def test_every_schedule_falls_to_zero(name: str, kind: str):
    sigmas = schedules.sigmas_for(PROCESSES[kind], name, 20, 1.0)
    assert len(sigmas) == 21
    assert sigmas[-1] == 0
    assert all(later < earlier for earlier, later in itertools.pairwise(sigmas))


@EVERY
@each("name", schedules.SCHEDULES)
def test_denoise_strength_runs_all_steps_on_the_tail_of_a_longer_schedule(name: str, kind: str):
    longer = schedules.sigmas_for(PROCESSES[kind], name, 20, 1.0)
    assert schedules.sigmas_for(PROCESSES[kind], name, 10, 0.5) == longer[-11:]


@EVERY
@each("name", schedules.SCHEDULES)
def test_where_denoise_makes_a_whole_number_of_steps_its_levels_are_those_of_that_schedule(name: str, kind: str):
    for steps, longer in itertools.product([2, 7, 20], [2, 3, 10]):
        whole = schedules.SCHEDULES[name](PROCESSES[kind], steps * longer)[-(steps + 1) :]
        assert schedules.sigmas_for(PROCESSES[kind], name, steps, 1 / longer) == whole, (steps, longer)


@EVERY
@each("name", schedules.SCHEDULES)
def test_a_whole_number_of_steps_is_one_also_where_the_division_falls_short(name: str, kind: str):
    assert 7 / 0.07 < 100
    whole = schedules.SCHEDULES[name](PROCESSES[kind], 100)[-8:]
    assert schedules.sigmas_for(PROCESSES[kind], name, 7, 0.07) == whole


@each("steps", [1, 2, 4])
@EVERY
@each("name", NAMES)
def test_every_denoise_strength_starts_from_a_noise_level_of_its_own(name: str, kind: str, steps: int):
    chosen = PROCESSES[kind]
    starts = [schedules.sigmas_for(chosen, name, steps, percent / 100)[0] for percent in range(100, 1, -1)]
    assert starts[0] == pytest.approx(schedules.sigmas_for(chosen, name, steps, 1.0)[0])
    falls = [math.log(before / after) for before, after in itertools.pairwise(starts)]
    assert min(falls) > 0
    # a hundredth of denoise is a small step, as it is of a thousand timesteps
    if chosen == SD:
        assert max(falls) < 0.3
    # elsewhere the first or the last hundredth is a long way in log sigma, but not from picture (0) to noise (pi / 2)
    ways = [math.atan2(start, process.alpha(chosen, start)) for start in starts]
    assert max(before - after for before, after in itertools.pairwise(ways)) < 0.08 * math.pi / 2


@EVERY
@each("name", NAMES)
def test_a_hair_less_denoise_changes_the_levels_by_a_hair(name: str, kind: str):
    for steps, denoise in itertools.product((1, 2, 4, 20), (1.0, 0.5, 0.25)):
        levels = schedules.sigmas_for(PROCESSES[kind], name, steps, denoise)
        less = schedules.sigmas_for(PROCESSES[kind], name, steps, denoise * (1 - 1e-6))
        assert less == pytest.approx(levels, rel=1e-3)


@EVERY
@each("name", NAMES)
def test_levels_between_two_schedules_fall_to_zero_as_well(name: str, kind: str):
    sigmas = schedules.sigmas_for(PROCESSES[kind], name, 9, 0.37)
    assert len(sigmas) == 10
    assert sigmas[-1] == 0
    assert all(later < earlier for earlier, later in itertools.pairwise(sigmas))


@each("timestep", [0, 0.25, 1, 500.5, 998.75, 999])
def test_timestep_and_sigma_are_inverse(timestep: float):
    assert process.timestep_at(SD, process.sigma_at(SD, timestep)) == pytest.approx(timestep, abs=1e-6)


def test_noise_levels_beyond_the_training_are_clamped_to_its_ends():
    assert process.timestep_at(SD, 1000.0) == 999
    assert process.timestep_at(SD, 0.0) == 0


@EVERY
@each("name", ["simple", "ddim_uniform"])
def test_more_steps_than_timesteps_are_refused_with_a_way_out(name: str, kind: str):
    with pytest.raises(ValueError, match=r"1000 timesteps.*lower steps, raise denoise"):
        nodes.noise_scheduler(model(PROCESSES[kind]), name, 100, 0.05)


def test_a_model_of_other_timesteps_is_asked_how_many_it_knows():
    some = Diffusion(noise_schedule=NoiseSchedule(num_timesteps=100))
    levels = process.training_sigmas(some)
    assert schedules.sgm_uniform(some, 9) == pytest.approx((*levels[:0:-11], 0.0), rel=1e-12)
    assert schedules.simple(some, 100) == (*reversed(levels), 0.0)
    ours, usual = (schedules.lcm(of, 5, 0.31) for of in (some, SD))
    of_ten = [(process.timestep_at(SD, sigma) + 1) / 10 - 1 for sigma in usual[:-1]]
    assert [process.timestep_at(some, sigma) for sigma in ours[:-1]] == pytest.approx(of_ten, abs=1e-6)
    for too_many in (lambda: schedules.simple(some, 101), lambda: schedules.ddim_uniform(some, 100)):
        told = r"^the model knows 100 timesteps, but steps / denoise asks for 101; lower steps, raise .* schedule$"
        with pytest.raises(ValueError, match=told):
            too_many()
    assert schedules.sigmas_for(some, "normal", 1, 0.5) == (process.sigma_at(some, 99 / 2), 0.0)


@each("steps", range(1, 30))
def test_beta_of_few_timesteps_falls_to_zero_at_any_denoise_strength(steps: int):
    few = Diffusion(noise_schedule=NoiseSchedule(num_timesteps=10))
    for percent in range(10, 100, 7):
        sigmas = schedules.sigmas_for(few, "beta", steps, percent / 100)
        assert sigmas[-1] == 0
        assert all(later < earlier for earlier, later in itertools.pairwise(sigmas))


def test_ddim_uniform_reaches_its_limit():
    assert len(schedules.ddim_uniform(SD, 999)) == 1000
    with pytest.raises(ValueError, match="1000 timesteps"):
        schedules.ddim_uniform(SD, 1000)


@each("denoise", [1.0, 0.9, 0.5, 0.26, 0.1])
def test_lcm_visits_the_timesteps_of_the_stock_scheduler(denoise: float):
    stock = LCMScheduler()
    for steps in range(1, int(50 * denoise) + 1):
        stock.set_timesteps(steps, strength=denoise)
        ours = schedules.sigmas_for(SD, "lcm", steps, denoise)[:-1]
        assert [process.timestep_at(SD, sigma) for sigma in ours] == pytest.approx(stock.timesteps.tolist(), abs=1e-6)


def test_lcm_with_more_steps_than_denoise_keeps_of_its_timesteps_moves_them_towards_the_end():
    kept, moved = (schedules.sigmas_for(SD, "lcm", 10, denoise) for denoise in (0.2, 0.1))
    halves = [process.timestep_at(SD, sigma) / 2 for sigma in kept]
    assert [process.timestep_at(SD, sigma) for sigma in moved] == pytest.approx(halves, abs=1e-6)


def test_lcm_has_no_more_steps_than_timesteps():
    with pytest.raises(
        ValueError, match=r"knows 50 timesteps, but steps asks for 51; lower steps, or choose .* schedule$"
    ):
        schedules.sigmas_for(SD, "lcm", 51, 1.0)
    few = Diffusion(noise_schedule=NoiseSchedule(num_timesteps=10))
    assert schedules.lcm(few, 10) == schedules.normal(few, 10)
    with pytest.raises(ValueError, match="knows 10 timesteps"):
        schedules.lcm(few, 11)


def test_the_node_offers_every_schedule():
    assert set(get_args(nodes.Schedule)) == set(NAMES)


def test_noise_scheduler_says_where_to_start_and_how_long():
    sigmas, sigma_start, steps = nodes.noise_scheduler(MODEL, "karras", 7, 0.6)
    assert (sigma_start, steps) == (sigmas[0], 7)


def test_sigmas_at_gives_one_step_and_refuses_the_one_after_the_last():
    assert nodes.sigmas_at((3.0, 1.0, 0.0), 1) == (1.0, 0.0)
    with pytest.raises(ValueError, match="2 steps has no step 2"):
        nodes.sigmas_at((3.0, 1.0, 0.0), 2)


def test_a_slice_of_a_schedule_shares_its_noise_levels():
    assert nodes.slice_schedule((4.0, 3.0, 2.0, 0.0), 1, 2) == ((3.0, 2.0), 3.0, 1)
    with pytest.raises(ValueError, match=r"^steps 2 to 5 of a schedule of 1 steps leave nothing to do$"):
        nodes.slice_schedule((4.0, 3.0), 2, 5)


def test_karras_node_spans_the_given_levels():
    sigmas = nodes.karras_schedule(5, 10.0, 0.1, 7.0).sigmas
    assert (sigmas[0], sigmas[4], sigmas[5]) == (pytest.approx(10), pytest.approx(0.1), 0)
    for sigma_min in (0.1, 10.0):
        with pytest.raises(ValueError, match="sigma_min must be below sigma_max"):
            nodes.karras_schedule(5, 0.1, sigma_min)


def test_karras_node_says_where_to_start_and_how_long_and_spaces_by_rho():
    sigmas, start, steps = nodes.karras_schedule(4, 4.0, 1.0, 1.0)
    assert sigmas == pytest.approx((4, 3, 2, 1, 0))
    assert (start, steps) == (sigmas[0], 4)
    square_roots = nodes.karras_schedule(3, 9.0, 1.0, 2.0).sigmas
    assert square_roots == pytest.approx((9, 4, 1, 0))


def test_step_count_and_change_at():
    assert nodes.step_count((3.0, 1.0, 0.0)) == 2
    assert nodes.step_count((3.0,)) == nodes.step_count(()) == 0
    assert [nodes.change_at(i, at=1, before=7.0, after=2.0) for i in range(3)] == [7.0, 2.0, 2.0]


def test_a_plot_is_a_picture_that_depends_on_the_schedule():
    pictures = [nodes.plot(schedules.sigmas_for(SD, name, 20, 1.0)).pixels for name in ("karras", "normal")]
    assert pictures[0].shape == (1, 3, 480, 768)
    assert 0 <= pictures[0].min() < pictures[0].max() <= 1
    assert not pictures[0].equal(pictures[1])
    with pytest.raises(ValueError, match="at least one step"):
        nodes.plot((1.0,))


def test_planning_a_schedule_imports_no_torch():
    code = (
        "import sys; from nodes.schedule import *; from nodes.types import *;"
        "n = Network('sd1', 'unet', Weights('', ''));"
        "models = [Model(n, p, Space('sd', 4, 8), 512) for p in (Diffusion(), Flow(), Flow(by_size=SizeShift()))];"
        "[noise_scheduler(m, s) for m in models for s in ('normal', 'karras', 'beta')];"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_beta_follows_the_quantiles_of_its_distribution():
    sigmas = process.training_sigmas(SD)
    expected = (round(float(scipy.stats.beta.ppf(1 - i / 20, 0.6, 0.6)) * 999) for i in range(20))
    assert schedules.beta(SD, 20) == (*(sigmas[t] for t in expected), 0.0)


def test_beta_visits_a_timestep_once():
    few = Diffusion(noise_schedule=NoiseSchedule(num_timesteps=10))
    assert len(set(schedules.beta(few, 40))) == len(schedules.beta(few, 40)) == 11
