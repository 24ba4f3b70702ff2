"""Empty latents, noise and forward diffusion."""

from __future__ import annotations

from typing import Literal

import pytest
import torch

from nodes.backend import noise as noises
from nodes.latent import (
    empty_latent,
    forward_diffusion,
    from_pixels,
    keep_outside,
    latent_channels,
    latent_forward_diffusion,
    multiply_latent,
    noise,
    resize_latent,
    signal,
    to_pixels,
)
from nodes.types import PIXELS, Image, Latent, Mask, Network, Space, Vae, Weights

SPACE = Space("sd", 4, 8)
VAE = Vae(Network("sd1", "vae", Weights("vae", "1")), SPACE, native_size=32)


def test_an_empty_latent_has_the_shape_its_vae_decodes():
    latent = empty_latent(VAE, 64, 48, 2)
    assert latent.samples.shape == (2, 4, 6, 8)
    assert latent.samples.count_nonzero() == 0
    assert (latent.space, latent.vae) == (SPACE, VAE)


def test_an_empty_latent_is_as_large_as_its_model_was_trained_unless_a_size_is_given():
    assert empty_latent(VAE).samples.shape == (1, 4, 4, 4)
    assert empty_latent(VAE, height=16).samples.shape == (1, 4, 2, 4)


@pytest.mark.parametrize(("width", "height", "name"), [(60, 64, "width"), (64, 60, "height")])
def test_a_size_the_vae_cannot_make_is_refused(width: int, height: int, name: str):
    with pytest.raises(ValueError, match=f"{name} must be a multiple of 8, got 60"):
        empty_latent(VAE, width, height)


def test_noise_is_added_at_its_level_and_the_seed_passed_on():
    latent = Latent(torch.ones(1, 4, 8, 8), SPACE)
    noised, seed = noise(latent, 2.0, 5)
    assert noised.samples.equal(1 + 2 * noises.draw((1, 4, 8, 8), 5, 0))
    assert seed == 5
    assert latent.samples.equal(torch.ones(1, 4, 8, 8))


@pytest.mark.parametrize("seed", [0, 2**64 - 1])
def test_every_seed_the_node_offers_gives_noise(seed: int):
    assert noise(Latent(torch.zeros(1, 4, 8, 8), SPACE), 1.0, seed).latent.samples.std() > 0


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_forward_diffusion_goes_from_the_picture_to_pure_noise(schedule: str):
    picture = Latent(noises.draw((1, 4, 32, 32), 1, 0), SPACE)
    grain = noises.draw((1, 4, 32, 32), 9, 0)
    first, last = (latent_forward_diffusion(picture, t, schedule, 9).samples for t in (0, 999))
    # alpha_bar is 0.9999 at the first timestep and below 4e-5 at the last: 1 % of the other part is left in each
    torch.testing.assert_close(first, picture.samples, rtol=0, atol=0.05)
    torch.testing.assert_close(last, grain, rtol=0, atol=0.05)


def test_forward_diffusion_keeps_the_variance():
    picture = Latent(noises.draw((1, 4, 64, 64), 1, 0), SPACE)
    noised = latent_forward_diffusion(picture, 500, "cosine", 9).samples
    assert float(noised.var()) == pytest.approx(1, abs=0.05)  # 16,384 samples: one standard error is 0.011


def test_a_noised_picture_stays_a_picture():
    pixels = torch.linspace(0, 1, 3 * 16 * 16).reshape(1, 3, 16, 16)
    noised = forward_diffusion(Image(pixels), 400, "linear", 3).pixels
    assert noised.shape == pixels.shape
    assert 0 <= noised.min() < noised.max() <= 1


@pytest.mark.parametrize("method", ["bilinear", "bicubic", "nearest"])
def test_resizing_keeps_what_belongs_to_the_latent(method: str):
    resized = resize_latent(Latent(torch.ones(1, 4, 8, 8), SPACE, VAE), 1.5, method)
    assert resized.samples.shape == (1, 4, 12, 12)
    torch.testing.assert_close(resized.samples, torch.ones(1, 4, 12, 12))  # bicubic weights sum to 1 up to rounding
    assert resized.vae == VAE


def test_shrinking_a_latent_to_nothing_is_refused():
    with pytest.raises(ValueError, match=r"at least one latent pixel, got 0\.1"):
        resize_latent(Latent(torch.ones(1, 4, 8, 8), SPACE), 0.1)


def test_outside_the_mask_the_original_is_back_at_its_level_of_noise():
    original, made = (Latent(noises.draw((1, 4, 8, 8), seed, 0), SPACE) for seed in (1, 2))
    mask = Mask(torch.zeros(1, 1, 64, 64))
    mask.weight[..., :32] = 1
    kept = keep_outside(made, original, mask, 2.0, 5).samples
    assert torch.equal(kept[..., :4], made.samples[..., :4])
    assert torch.equal(kept[..., 4:], noise(original, 2.0, 5).latent.samples[..., 4:])


def test_keeping_an_original_of_another_size_is_refused():
    small, large = (Latent(torch.ones(1, 4, side, side), SPACE) for side in (8, 16))
    with pytest.raises(ValueError, match="must have one size"):
        keep_outside(small, large, Mask(torch.ones(1, 1, 64, 64)))


def test_channels_are_shown_one_by_one_in_the_size_of_the_picture():
    samples = torch.stack([torch.full((2, 2), value) for value in (-3.0, 0.0, 3.0, 9.0)])[None]
    shown = [image.pixels for image in latent_channels(Latent(samples, SPACE))]
    assert [picture.shape for picture in shown] == [(1, 3, 16, 16)] * 4
    assert [picture.mean().item() for picture in shown] == [0, 0.5, 1, 1]


def test_multiplying_keeps_what_belongs_to_the_latent():
    scaled = multiply_latent(Latent(torch.ones(1, 4, 8, 8), SPACE, VAE), 0.5)
    assert torch.equal(scaled.samples, torch.full((1, 4, 8, 8), 0.5))
    assert scaled.vae == VAE


def test_pixels_go_through_a_latent_unchanged():
    pixels = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    latent = from_pixels(Image(pixels))
    assert latent.space == PIXELS
    torch.testing.assert_close(to_pixels(latent).pixels, pixels)  # * 2 - 1 and back rounds once


def test_a_latent_that_is_no_picture_is_refused():
    with pytest.raises(ValueError, match="pixels have 3 channels, this latent has 4; use VAE decode"):
        to_pixels(Latent(torch.ones(1, 4, 8, 8), SPACE))


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_less_of_the_picture_is_left_at_every_timestep(schedule: Literal["linear", "cosine"]):
    left = signal(schedule)
    assert len(left) == 1000
    assert left == tuple(sorted(left, reverse=True))
    assert left[0] > 0.999
    assert left[-1] < 0.01
