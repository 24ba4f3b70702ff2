"""A wish for a precision is followed where a network is safe in it, on the processor too, and changes what it must."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

import nodes
from nodegraph.node import Context
from nodes.backend import pool, precision, widening
from nodes.backend.families import FAMILIES
from nodes.backend.families.family import Family
from nodes.backend.precision import Wish
from nodes.latent import empty_latent, noise
from nodes.load import checkpoint
from nodes.sampling import unet_step
from nodes.schedule import noise_scheduler, sigmas_at
from nodes.text import prompt
from tests.examples import each


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    pool.configure("cpu")


def step(folder: Path, wish: Wish) -> torch.Tensor:
    """One step of denoising, with guidance."""
    pool.configure("cpu", wish)
    model, text, vae = checkpoint(str(folder))
    positive, negative = prompt(text, "a red cat"), prompt(text, "blurry")
    sigmas, sigma_start, _ = noise_scheduler(model, "normal", 2)
    latent, seed = noise(empty_latent(vae, 64, 64), sigma_start, 0)
    sigma, sigma_next = sigmas_at(sigmas, 0)
    found = unet_step(
        Context(), model, latent, positive, negative, sigma, sigma_next, 0, seed, guidance_scale=3.0, solver="euler"
    )
    return found[0].samples


def computed_in(folder: Path) -> dict[str, torch.dtype]:
    """The precision of each network of a checkpoint, as the pool has it now."""
    model, text, vae = checkpoint(str(folder))
    networks = (model.network, *text.encoders, vae.network)
    return {network.role: widening.computed_in(pool.network(network)) for network in networks}


def test_a_wish_is_followed_and_changes_the_numbers_as_rounding_does(sd15_folder: Path):
    plain = step(sd15_folder, "auto")
    # Eleven and eight bits of mantissa instead of 24; what comes of it grows with every layer.
    for wish, least, most in (("float32", 0.0, 0.0), ("float16", 1e-5, 0.01), ("bfloat16", 1e-4, 0.08)):
        error = float((step(sd15_folder, wish) - plain).norm() / plain.norm())
        assert least <= error <= most


def test_what_is_wished_holds_for_every_network_that_bears_it(sd15_folder: Path):
    step(sd15_folder, "float16")
    assert computed_in(sd15_folder) == dict.fromkeys(("unet", "text_encoder", "vae"), torch.float16)


def test_a_network_that_overflows_in_float16_is_computed_in_float32_by_a_processor(zimage_folder: Path):
    plain, wished = step(zimage_folder, "auto"), step(zimage_folder, "float16")
    assert torch.equal(plain, wished)
    assert {role: kind for role, kind in computed_in(zimage_folder).items() if role != "vae"} == dict.fromkeys(
        ("transformer", "text_encoder"), torch.float32
    )


def test_another_precision_is_another_environment_and_the_usual_one_is_as_it_was():
    environments = {wish: nodes.environment("cpu", wish) for wish in precision.WISHES}
    assert environments["auto"] == environments["float32"] == nodes.environment("cpu")
    assert len(set(environments.values())) == 3
    with pytest.raises(ValueError, match="precision must be one of auto, float32, bfloat16, float16; got 'int4'"):
        nodes.environment("cpu", "int4")


@each("family", FAMILIES)
def test_every_family_says_what_its_networks_need(family: Family):
    needs = {role.precision for role in family.roles.values()}
    assert needs <= set(precision.SAFE)
    if family.name in ("sd3", "flux", "zimage"):  # they were trained in bfloat16, and leave what float16 can hold
        assert family.roles[family.denoiser].precision == "bfloat16"


@pytest.mark.parametrize("backend", [SDPBackend.MATH, SDPBackend.FLASH_ATTENTION])
def test_scores_of_attention_beyond_float16_do_not_overflow_in_it(backend: SDPBackend):
    """Those of Stable Diffusion 2 are: its files ask for an attention in float32 ("upcast_attention")."""
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, 2, 16, 64, generator=generator) for _ in range(3))
    q, k = 300 * q, 300 * k
    assert float((q @ k.mT).abs().max()) > 65_504
    with sdpa_kernel(backend):
        wanted = torch.nn.functional.scaled_dot_product_attention(q.half().float(), k.half().float(), v)
        found = torch.nn.functional.scaled_dot_product_attention(q.half(), k.half(), v.half())
    # Eleven bits of v, and of the result.
    torch.testing.assert_close(found.float(), wanted, atol=4e-3, rtol=2e-3)
