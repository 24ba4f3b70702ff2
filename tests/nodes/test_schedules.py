"""Schedules against diffusers' EulerDiscreteScheduler, and the properties every one of them has."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from typing import get_args

import pytest
import scipy.stats
from diffusers import EulerDiscreteScheduler

from nodes import schedule as nodes
from nodes.backend import schedules
from nodes.types import Model, NoiseSchedule, Weights

# diffusers' own code still uses what numpy deprecates
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SD = NoiseSchedule()
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
MODEL = Model(Weights("model", "1"), "sd1", "epsilon", SD)


DIFFUSERS = {
    "normal": {"timestep_spacing": "linspace"},
    "karras": {"timestep_spacing": "linspace", "use_karras_sigmas": True},
    "exponential": {"timestep_spacing": "linspace", "use_exponential_sigmas": True},
    "simple": {"timestep_spacing": "trailing"},
    "ddim_uniform": {"timestep_spacing": "leading", "steps_offset": 1},
}
# Of normal with one step, diffusers' linspace starts at the clean end and ours at the noisy one: nothing to compare.
CASES = [(name, steps) for name in DIFFUSERS for steps in (1, 4, 20) if (name, steps) != ("normal", 1)]


@pytest.mark.parametrize(("name", "steps"), CASES)
def test_schedules_visit_the_noise_levels_that_diffusers_visits(name: str, steps: int):
    scheduler = EulerDiscreteScheduler(**BETAS, **DIFFUSERS[name])
    scheduler.set_timesteps(steps)
    theirs = scheduler.sigmas.tolist()
    if steps == 1 and name in ("karras", "exponential", "ddim_uniform"):
        theirs[0] = schedules.training_sigmas(SD)[-1]  # one step: theirs starts at the clean end here too
    # their betas are multiplied up in float32, and they interpolate sigma where we interpolate log sigma
    assert schedules.sigmas_for(SD, name, steps, 1.0) == pytest.approx(theirs, rel=2e-5, abs=1e-9)


@pytest.mark.parametrize("steps", [3, 9, 27])
def test_sgm_uniform_goes_evenly_from_the_last_timestep_and_leaves_out_the_first(steps: int):
    # diffusers has no such spacing; with these steps, 999 timesteps part into equal whole numbers
    sigmas, stride = schedules.training_sigmas(SD), 999 // steps
    expected = [sigmas[999 - i * stride] for i in range(steps)]
    assert schedules.sigmas_for(SD, "sgm_uniform", steps, 1.0) == pytest.approx((*expected, 0.0), rel=1e-12)


@pytest.mark.parametrize("kind", ["linear", "scaled_linear", "squaredcos_cap_v2"])
def test_training_sigmas_are_those_of_diffusers(kind: str):
    ours = schedules.training_sigmas(NoiseSchedule(kind))
    alphas = EulerDiscreteScheduler(**{**BETAS, "beta_schedule": kind}).alphas_cumprod
    # float32 rounding of 1 - alpha_bar, where it is next to 1
    assert ours == pytest.approx((((1 - alphas) / alphas) ** 0.5).tolist(), rel=1e-3)


@pytest.mark.parametrize("name", schedules.SCHEDULES)
def test_every_schedule_falls_to_zero(name: str):
    sigmas = schedules.sigmas_for(SD, name, 20, 1.0)
    assert len(sigmas) == 21
    assert sigmas[-1] == 0
    assert all(later < earlier for earlier, later in itertools.pairwise(sigmas))


@pytest.mark.parametrize("name", schedules.SCHEDULES)
def test_denoise_strength_runs_all_steps_on_the_tail_of_a_longer_schedule(name: str):
    assert schedules.sigmas_for(SD, name, 10, 0.5) == schedules.sigmas_for(SD, name, 20, 1.0)[-11:]


@pytest.mark.parametrize("steps", [2, 7, 20])
@pytest.mark.parametrize("longer", [2, 3, 10])
@pytest.mark.parametrize("name", schedules.SCHEDULES)
def test_where_denoise_makes_a_whole_number_of_steps_its_levels_are_those_of_that_schedule(
    name: str, longer: int, steps: int
):
    whole = schedules.SCHEDULES[name](SD, steps * longer)[-(steps + 1) :]
    assert schedules.sigmas_for(SD, name, steps, 1 / longer) == whole


@pytest.mark.parametrize("steps", [1, 2, 4])
@pytest.mark.parametrize("name", schedules.SCHEDULES)
def test_every_denoise_strength_starts_from_a_noise_level_of_its_own(name: str, steps: int):
    starts = [schedules.sigmas_for(SD, name, steps, percent / 100)[0] for percent in range(100, 1, -1)]
    assert starts[0] == pytest.approx(schedules.sigmas_for(SD, name, steps, 1.0)[0])
    falls = [math.log(before / after) for before, after in itertools.pairwise(starts)]
    assert min(falls) > 0
    assert max(falls) < 0.3  # a hundredth of denoise is a small step, as it is of a thousand timesteps


@pytest.mark.parametrize("name", schedules.SCHEDULES)
def test_a_hair_less_denoise_changes_the_levels_by_a_hair(name: str):
    for steps, denoise in itertools.product((1, 2, 4, 20), (1.0, 0.5, 0.25)):
        levels = schedules.sigmas_for(SD, name, steps, denoise)
        assert schedules.sigmas_for(SD, name, steps, denoise * (1 - 1e-6)) == pytest.approx(levels, rel=1e-3)


@pytest.mark.parametrize("name", schedules.SCHEDULES)
def test_levels_between_two_schedules_fall_to_zero_as_well(name: str):
    sigmas = schedules.sigmas_for(SD, name, 9, 0.37)
    assert len(sigmas) == 10
    assert sigmas[-1] == 0
    assert all(later < earlier for earlier, later in itertools.pairwise(sigmas))


@pytest.mark.parametrize("timestep", [0, 0.25, 1, 500.5, 998.75, 999])
def test_timestep_and_sigma_are_inverse(timestep: float):
    assert schedules.timestep_at(SD, schedules.sigma_at(SD, timestep)) == pytest.approx(timestep, abs=1e-6)


def test_noise_levels_beyond_the_training_are_clamped_to_its_ends():
    assert schedules.timestep_at(SD, 1000.0) == 999
    assert schedules.timestep_at(SD, 0.0) == 0


@pytest.mark.parametrize("name", ["simple", "ddim_uniform"])
def test_more_steps_than_timesteps_are_refused_with_a_way_out(name: str):
    with pytest.raises(ValueError, match=r"1000 timesteps.*lower steps, raise denoise"):
        nodes.noise_scheduler(MODEL, name, 100, 0.05)


def test_ddim_uniform_reaches_its_limit():
    assert len(schedules.ddim_uniform(SD, 999)) == 1000
    with pytest.raises(ValueError, match="1000 timesteps"):
        schedules.ddim_uniform(SD, 1000)


def test_the_node_offers_every_schedule():
    assert set(get_args(nodes.Schedule)) == set(schedules.SCHEDULES)


def test_noise_scheduler_says_where_to_start_and_how_long():
    sigmas, sigma_start, steps = nodes.noise_scheduler(MODEL, "karras", 7, 0.6)
    assert (sigma_start, steps) == (sigmas[0], 7)


def test_sigmas_at_gives_one_step_and_refuses_the_one_after_the_last():
    assert nodes.sigmas_at((3.0, 1.0, 0.0), 1) == (1.0, 0.0)
    with pytest.raises(ValueError, match="2 steps has no step 2"):
        nodes.sigmas_at((3.0, 1.0, 0.0), 2)


def test_a_slice_of_a_schedule_shares_its_noise_levels():
    assert nodes.slice_schedule((4.0, 3.0, 2.0, 0.0), 1, 2) == ((3.0, 2.0), 3.0, 1)
    with pytest.raises(ValueError, match="leave nothing to do"):
        nodes.slice_schedule((4.0, 3.0), 2, 5)


def test_karras_node_spans_the_given_levels():
    sigmas = nodes.karras_schedule(5, 10.0, 0.1, 7.0).sigmas
    assert (sigmas[0], sigmas[4], sigmas[5]) == (pytest.approx(10), pytest.approx(0.1), 0)
    with pytest.raises(ValueError, match="sigma_min must be below sigma_max"):
        nodes.karras_schedule(5, 0.1, 10.0)


def test_step_count_and_change_at():
    assert nodes.step_count((3.0, 1.0, 0.0)) == 2
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
        "m = Model(Weights('', ''), 'sd1', 'epsilon', NoiseSchedule());"
        "[noise_scheduler(m, s) for s in ('karras', 'beta')];"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_beta_follows_the_quantiles_of_its_distribution():
    sigmas = schedules.training_sigmas(SD)
    expected = (round(float(scipy.stats.beta.ppf(1 - i / 20, 0.6, 0.6)) * 999) for i in range(20))
    assert schedules.beta(SD, 20) == (*(sigmas[t] for t in expected), 0.0)


def test_beta_visits_a_timestep_once():
    few = NoiseSchedule(num_timesteps=10)
    assert len(set(schedules.beta(few, 40))) == len(schedules.beta(few, 40)) == 11
