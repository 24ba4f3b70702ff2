"""How noise relates to pictures: what a network is shown, and what its prediction says of the picture."""

from math import inf, sqrt
from typing import get_args

import pytest
import torch

from nodes.backend.process import at_size, denoised, input_scale, num_timesteps, sigma_at, sigma_at_fraction
from nodes.types import Diffusion, Flow, NoiseSchedule, Prediction, Process, SizeShift
from tests.examples import each

PICTURE, NOISE = (torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))
LEVELS = (0.03, 0.5, 1.0, 14.0)


def diffusion(prediction: Prediction, sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
    """x, and what a network that knows everything predicts of it, in the papers' own terms (variance preserving)."""
    kept, level = 1 / sqrt(sigma**2 + 1), sigma / sqrt(sigma**2 + 1)
    told = {"epsilon": NOISE, "sample": PICTURE, "v_prediction": kept * NOISE - level * PICTURE}
    return (kept * PICTURE + level * NOISE) / kept, told[prediction]


@each("sigma", LEVELS)
@each("prediction", get_args(Prediction))
def test_a_perfect_prediction_gives_the_picture(prediction: Prediction, sigma: float):
    x, told = diffusion(prediction, sigma)
    # float32, of numbers as large as sigma
    torch.testing.assert_close(denoised(Diffusion(prediction), x, told, sigma), PICTURE, rtol=0, atol=1e-5)


@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.0])
def test_a_perfect_prediction_of_a_flow_gives_the_picture(sigma: float):
    x = (1 - sigma) * PICTURE + sigma * NOISE
    torch.testing.assert_close(denoised(Flow(), x, NOISE - PICTURE, sigma), PICTURE, rtol=0, atol=1e-6)  # float32


@pytest.mark.parametrize("sigma", LEVELS)
def test_a_network_of_diffusion_is_shown_numbers_of_unit_variance(sigma: float):
    x, _ = diffusion("epsilon", sigma)
    # of 16,384 numbers: the standard error of the deviation is 0.006
    assert float((input_scale(Diffusion(), sigma) * x).std()) == pytest.approx(1, abs=0.02)
    assert input_scale(Diffusion(), sigma) == pytest.approx(1 / sqrt(sigma**2 + 1), rel=1e-12)


def test_a_network_of_flows_is_shown_x_as_it_is():
    assert input_scale(Flow(), 0.5) == 1


@pytest.mark.parametrize("process", [Diffusion(), Flow(3.0)])
def test_a_process_that_is_the_same_for_all_sizes_stays_as_it_is(process: Process):
    assert at_size(process, 64, 128) is process


def test_the_process_of_one_size_is_that_of_no_other():
    of_one = at_size(Flow(by_size=SizeShift()), 64, 64)
    assert at_size(of_one, 128, 128) == of_one != at_size(Flow(by_size=SizeShift()), 128, 128)


def test_pixels_beyond_the_last_whole_patch_do_not_count():
    flux = Flow(by_size=SizeShift())
    assert at_size(flux, 65, 67) == at_size(flux, 64, 66) != at_size(flux, 66, 66)


FEW = Diffusion(noise_schedule=NoiseSchedule(num_timesteps=11))


@pytest.mark.parametrize("process", [Diffusion(), FEW, Flow(3.0)])
def test_a_part_of_the_denoising_is_counted_in_timesteps(process: Process):
    last = num_timesteps(process) - 1
    halfway = sigma_at_fraction(process, 0.5)
    assert halfway == sigma_at(process, last / 2)
    assert sigma_at_fraction(process, 0.1) > halfway > sigma_at_fraction(process, 0.9) > 0


@pytest.mark.parametrize("fraction", [0.0, -0.5])
def test_everything_comes_after_the_beginning(fraction: float):
    assert sigma_at_fraction(FEW, fraction) == inf


@pytest.mark.parametrize("fraction", [1.0, 1.5])
def test_nothing_comes_after_the_end(fraction: float):
    assert sigma_at_fraction(FEW, fraction) == 0
