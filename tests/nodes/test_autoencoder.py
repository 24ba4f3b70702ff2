"""The autoencoder gives what diffusers' class gives; large pictures go through in tiles."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nodegraph.node import Context
from nodes.backend import autoencoder, checkpoints, pool, widening
from nodes.types import Image, Latent, Vae
from nodes.vae import decode, encode


@pytest.fixture(scope="module")
def tiny_vae(sd15_folder: Path) -> Vae:
    return checkpoints.checkpoint(str(sd15_folder)).vae


@pytest.fixture(scope="module")
def module(tiny_vae: Vae) -> Any:
    return pool.network(tiny_vae.network)


def latents(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def smooth_picture(side: int) -> Tensor:
    ramp = torch.linspace(0, 1, side)
    return torch.stack([ramp.expand(side, side), ramp.expand(side, side).T, torch.full((side, side), 0.5)])[None]


def test_decoding_equals_the_library(module: Any):
    z = latents(2, 4, 8, 8)
    with torch.inference_mode():
        expected = (module.decode(z / module.config.scaling_factor).sample / 2 + 0.5).clamp(0, 1)
    # float32, a batch of two against one picture at a time: convolutions sum in another order.
    assert torch.allclose(autoencoder.decode(module, z), expected, atol=1e-5)


def test_encoding_takes_the_mean(module: Any):
    pixels = smooth_picture(64)
    with torch.inference_mode():
        expected = module.encode(pixels * 2 - 1).latent_dist.mean * module.config.scaling_factor
    assert torch.equal(autoencoder.encode(module, pixels), expected)


def test_results_are_contiguous(module: Any):
    assert autoencoder.decode(module, latents(1, 4, 8, 8)).is_contiguous()
    assert autoencoder.encode(module, smooth_picture(64)).is_contiguous()


def test_a_picture_in_a_batch_is_the_picture_alone(module: Any):
    z = latents(3, 4, 8, 8)
    assert torch.equal(autoencoder.decode(module, z)[1:2], autoencoder.decode(module, z[1:2]))


def test_tiles_cover_a_picture_to_its_last_pixel():
    for length in (autoencoder.TILE, autoencoder.TILE + 1, 300, 1000):
        starts = autoencoder._starts(length, autoencoder.TILE)
        ends = [start + autoencoder.TILE for start in starts]
        assert starts[0] == 0
        assert ends[-1] == length
        assert all(later <= end - autoencoder.OVERLAP for end, later in zip(ends, starts[1:], strict=False))


def test_tiles_of_a_pointwise_function_join_without_a_seam():
    x = torch.rand(1, 3, 200, 140, generator=torch.Generator().manual_seed(0))
    joined = autoencoder._by_tiles(
        lambda tile: tile * 2, x, (200, 140), (1, 1), autoencoder.no_progress, autoencoder.TILE
    )
    # The weights of overlapping tiles are divided out again, which rounds.
    assert torch.allclose(joined, x * 2, atol=1e-6)


def test_tiled_decoding_stays_close_to_the_whole(module: Any, monkeypatch: pytest.MonkeyPatch):
    z = latents(1, 4, 32, 32)
    whole = autoencoder.decode(module, z)
    monkeypatch.setattr(autoencoder, "WHOLE", 0)
    monkeypatch.setattr(autoencoder, "TILE", 24)
    monkeypatch.setattr(autoencoder, "OVERLAP", 8)
    tiled = autoencoder.decode(module, z)
    # Group norms and the middle attention see one tile instead of the whole picture; noise looks alike everywhere, so
    # the shift stays far below the contrast of the picture (a standard deviation of 0.27).
    assert (tiled - whole).abs().mean() < 0.02


def test_every_tile_is_reported(module: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(autoencoder, "WHOLE", 0)
    monkeypatch.setattr(autoencoder, "TILE", 8)
    monkeypatch.setattr(autoencoder, "OVERLAP", 2)
    seen: list[tuple[int, int]] = []
    autoencoder.decode(module, latents(2, 4, 8, 14), lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_latent_of_another_autoencoder_is_refused(module: Any):
    with pytest.raises(ValueError, match="decodes latents of 4 channels, got 16"):
        autoencoder.decode(module, latents(1, 16, 8, 8))


def test_a_side_that_is_no_multiple_of_the_factor_is_refused(module: Any):
    with pytest.raises(ValueError, match="multiples of 8, got 60 x 64; use Resize first"):
        autoencoder.encode(module, torch.zeros(1, 3, 64, 60))


def test_the_nodes_go_from_picture_to_latent_and_back(tiny_vae: Vae):
    latent = encode(Context(), tiny_vae, Image(smooth_picture(64)))
    assert (tuple(latent.samples.shape), latent.vae) == ((1, 4, 8, 8), tiny_vae)
    image = decode(Context(), tiny_vae, Latent(latent.samples, latent.space))
    assert tuple(image.pixels.shape) == (1, 3, 64, 64)
    assert 0 <= image.pixels.min() <= image.pixels.max() <= 1


def half(module: Any) -> Any:
    return widening.widened(copy.deepcopy(module).to(torch.float16), torch.float16, kept=False)


def test_what_overflows_in_float16_is_computed_in_float32_and_nothing_else_is(module: Any):
    narrow = half(module)
    z = latents(1, 4, 8, 8)
    with torch.inference_mode():
        plain = narrow.decode((z.half() / narrow.config.scaling_factor), return_dict=False)[0].float()
    assert autoencoder.decode(narrow, z).equal(((plain + 1) / 2).clamp(0, 1))
    large = z * 1e5
    with torch.inference_mode():
        expected = copy.deepcopy(narrow).float().decode(large / narrow.config.scaling_factor, return_dict=False)[0]
    assert autoencoder.decode(narrow, large).equal(((expected + 1) / 2).clamp(0, 1))
    assert {p.dtype for p in narrow.parameters()} == {torch.float16}
    assert autoencoder.decode(narrow, z).equal(((plain + 1) / 2).clamp(0, 1))  # and forgets it again


class Answers:
    """asked: the bytes that were asked for."""

    def __init__(self, halvings: int = 0, room: int = 1 << 60) -> None:
        self.halvings, self.room, self.asked = halvings, room, list[int]()

    def pieces(self) -> int:
        return self.halvings

    def room_for(self, nbytes: int) -> bool:
        self.asked.append(nbytes)
        return nbytes <= self.room


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    made = Answers()
    monkeypatch.setattr(autoencoder.pieces, "_answers", made)
    return made


@pytest.mark.parametrize(
    ("side", "halvings", "room", "tile"),
    [
        *((128, 0, 1 << 60, 128), (128, 0, 0, 96), (64, 0, 0, 64), (200, 0, 1 << 60, 96)),
        *((128, 1, 0, 96), (128, 2, 0, 48), (128, 3, 0, 24), (64, 1, 0, 32), (200, 1, 0, 48)),
    ],
)
def test_tiles_are_as_small_as_memory_asks(
    module: Any, answers: Answers, side: int, halvings: int, room: int, tile: int
):
    answers.halvings, answers.room = halvings, room
    assert autoencoder._tile(module, (side, side)) == tile


def test_small_tiles_stay_close_to_the_whole(module: Any, answers: Answers):
    z = latents(1, 4, 32, 32)
    whole = autoencoder.decode(module, z)
    answers.halvings = 1
    seen: list[tuple[int, int]] = []
    tiled = autoencoder.decode(module, z, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (9, 9)
    # See test_tiled_decoding_stays_close_to_the_whole; these tiles are smaller, so that norms shift a little more.
    assert (tiled - whole).abs().mean() < 0.03
