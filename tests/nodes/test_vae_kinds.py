"""Autoencoders of every class give what the stock pipelines make of their latents."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from nodes.backend import autoencoder, frames, vae_kinds
from tests import tiny_modern

BUILT: dict[str, Callable[[int], Any]] = {
    "AutoencoderKL": tiny_modern.flux_vae,
    "AutoencoderKLQwenImage": tiny_modern.qwen_vae,
    "AutoencoderKLQwenImage21": tiny_modern.qwen21_vae,
    "AutoencoderKLFlux2": tiny_modern.flux2_vae,
}
SIZES = {
    "AutoencoderKL": (16, 8),
    "AutoencoderKLQwenImage": (16, 8),
    "AutoencoderKLQwenImage21": (64, 16),
    "AutoencoderKLFlux2": (128, 16),
}
"""(channels, factor) of the latents."""

EXACT = 1e-5  # float32; what is added and multiplied is grouped otherwise


@pytest.fixture(scope="module")
def built() -> dict[str, Any]:
    return {name: build(0) for name, build in BUILT.items()}


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def column(values: list[float]) -> Tensor:
    return torch.tensor(values).view(1, -1, 1, 1, 1)


def statistics(vae: Any) -> tuple[Tensor, Tensor]:
    bn = vae.bn
    deviation = torch.sqrt(bn.running_var.view(1, -1, 1, 1) + vae.config.batch_norm_eps)
    return bn.running_mean.view(1, -1, 1, 1), deviation


@torch.inference_mode()
def their_pixels(vae: Any, latent: Tensor) -> Tensor:
    """As the pipelines write it."""
    config = vae.config
    match type(vae).__name__:
        case "AutoencoderKL":
            return vae.decode(latent / config.scaling_factor + config.shift_factor).sample
        case "AutoencoderKLFlux2":
            mean, deviation = statistics(vae)
            return vae.decode(pixel_shuffle(latent * deviation + mean, 2)).sample
        case _:
            inverse = 1.0 / column(config.latents_std)
            return vae.decode(latent[:, :, None] / inverse + column(config.latents_mean)).sample[:, :, 0]


@torch.inference_mode()
def their_latent(vae: Any, pixels: Tensor) -> Tensor:
    config = vae.config
    match type(vae).__name__:
        case "AutoencoderKL":
            return (vae.encode(pixels).latent_dist.mode() - config.shift_factor) * config.scaling_factor
        case "AutoencoderKLFlux2":
            mean, deviation = statistics(vae)
            return (pixel_unshuffle(vae.encode(pixels).latent_dist.mode(), 2) - mean) / deviation
        case name:
            if name.endswith("21"):
                pixels = torch.cat([pixels, torch.ones_like(pixels[:, :1])], dim=1)
            latent = vae.encode(pixels[:, :, None]).latent_dist.mode()
            return ((latent - column(config.latents_mean)) / column(config.latents_std))[:, :, 0]


def shown(pixels: Tensor) -> Tensor:
    pixels = (pixels / 2 + 0.5).clamp(0, 1)
    return pixels[:, :3] * pixels[:, 3:] + 1 - pixels[:, 3:] if pixels.shape[1] == 4 else pixels


@pytest.mark.parametrize("name", BUILT)
def test_every_class_decodes_and_encodes_as_its_pipeline(name: str, built: dict[str, Any]):
    vae, (channels, factor) = built[name], SIZES[name]
    kind = vae_kinds.of(f"diffusers.some.module:{name}")
    assert (kind.channels(vae.config), kind.factor(vae.config)) == (channels, factor)
    latent = drawn(2, channels, 64 // factor, 32 // factor)
    pixels = autoencoder.decode(vae, latent)
    assert pixels.shape == (2, 3, 64, 32)
    assert torch.allclose(pixels, shown(their_pixels(vae, latent)), atol=EXACT)
    back = autoencoder.encode(vae, pixels)
    assert back.shape == latent.shape
    theirs = their_latent(vae, pixels * 2 - 1)
    assert (back - theirs).norm() < EXACT * theirs.norm()


def test_a_picture_goes_through_without_what_films_need_and_comes_out_the_same(built: dict[str, Any]):
    vae, latent = built["AutoencoderKLQwenImage"], drawn(1, 16, 4, 6)
    kind = vae_kinds.KINDS["AutoencoderKLQwenImage"]
    mean, std = (column(vae.config[name]) for name in ("latents_mean", "latents_std"))
    with torch.inference_mode():
        theirs = vae.decode(latent[:, :, None] * std + mean).sample[:, :, 0]
        assert kind.decode(vae, latent).clamp(-1, 1).equal(theirs)
        film = vae.encode(theirs[:, :, None]).latent_dist.mode()
        assert kind.encode(vae, theirs).equal(((film - mean) / std)[:, :, 0])


def test_a_picture_is_no_film_of_three_frames(built: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    vae, latent = built["AutoencoderKLQwenImage"], drawn(1, 16, 4, 6)
    short = frames.of_pictures(copy.deepcopy(vae))
    film = torch.rand(1, 3, 5, 32, 32, generator=torch.Generator().manual_seed(2)) * 2 - 1
    with torch.inference_mode():
        made, whole = (net.encode(film).latent_dist.mode() for net in (short, vae))
    assert torch.allclose(made, whole, atol=EXACT)
    whole = autoencoder.decode(vae, latent), autoencoder.encode(vae, film[:, :, 0])
    monkeypatch.setattr(torch.nn.functional, "conv3d", None)
    monkeypatch.setattr(torch.nn.Conv3d, "forward", None)
    made = autoencoder.decode(short, latent), autoencoder.encode(short, film[:, :, 0])
    for ours, theirs in zip(made, whole, strict=True):
        assert torch.allclose(ours, theirs, atol=EXACT)


@pytest.mark.parametrize("name", BUILT)
def test_a_latent_of_another_kind_is_refused(name: str, built: dict[str, Any]):
    with pytest.raises(ValueError, match=f"decodes latents of {SIZES[name][0]} channels, got 3"):
        autoencoder.decode(built[name], drawn(1, 3, 4, 4))


@pytest.mark.parametrize("name", BUILT)
def test_tiles_are_of_so_many_pixels_whatever_a_latent_pixel_stands_for(name: str, built: dict[str, Any]):
    factor = SIZES[name][1]
    assert autoencoder._tile(built[name], (1024 // factor, 1024 // factor)) * factor == 1024  # at once
    assert autoencoder._tile(built[name], (1024 // factor, 1040 // factor)) * factor == 768
