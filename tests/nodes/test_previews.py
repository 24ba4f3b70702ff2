"""Small pictures of latents and images."""

from pathlib import Path

import torch

from nodegraph.types import Picture
from nodes.backend import checkpoints, previews
from nodes.types import Image, Latent, Mask
from tests.nodes.descriptions import SPACE


def pixel(picture: Picture, x: int, y: int) -> tuple[int, ...]:
    start = 3 * (y * picture.width + x)
    return tuple(picture.rgb[start : start + 3])


def test_an_image_is_shown_in_its_colours():
    pixels = torch.zeros(1, 3, 4, 6)
    pixels[0, :, 1, 2] = torch.tensor([1.0, 0.5, 0.0])
    picture = previews.preview(Image(pixels))
    assert picture is not None
    assert (picture.width, picture.height, len(picture.rgb)) == (6, 4, 72)
    assert pixel(picture, 2, 1) == (255, 128, 0)


def test_a_large_image_is_shown_small():
    picture = previews.image_picture(torch.full((1, 3, 100, 2000), 0.5))
    assert (picture.width, picture.height) == (512, 26)
    assert pixel(picture, 500, 20) == (128, 128, 128)


def test_a_batch_of_large_images_fits_the_side():
    for batch in range(1, 8):
        picture = previews.image_picture(torch.rand(batch, 3, 333, 777))
        assert 500 < max(picture.width, picture.height) <= 512
        assert len(picture.rgb) == 3 * picture.width * picture.height


def test_showing_changes_no_image():
    pixels = torch.full((1, 3, 4, 4), 2.0)
    previews.image_picture(pixels)
    assert pixels.min() == 2


def test_a_batch_is_shown_side_by_side():
    pixels = torch.stack([torch.full((3, 4, 4), value) for value in (0.0, 1.0, 1.0)])
    picture = previews.image_picture(pixels)
    assert (picture.width, picture.height) == (8, 8)
    assert [pixel(picture, x, y)[0] for x, y in ((0, 0), (4, 0), (0, 4), (4, 4))] == [0, 255, 255, 0]


def test_a_mask_is_shown_in_grey():
    picture = previews.preview(Mask(torch.ones(1, 1, 2, 2)))
    assert picture is not None
    assert pixel(picture, 0, 0) == (255, 255, 255)


def test_a_latent_of_an_unknown_autoencoder_shows_its_shapes():
    samples = torch.zeros(1, 4, 4, 4)
    samples[..., :2] = 5
    picture = previews.preview(Latent(samples, SPACE))
    assert picture is not None
    assert (pixel(picture, 0, 0), pixel(picture, 3, 0)) == ((255, 255, 255), (0, 0, 0))


def test_a_flat_latent_is_shown():
    assert previews.preview(Latent(torch.zeros(1, 4, 4, 4), SPACE)) is not None


def test_the_factors_are_the_best_linear_guess_of_colours(sd15_folder: Path):
    vae = checkpoints.checkpoint(str(sd15_folder)).vae
    factors = previews.rgb_factors(vae)
    assert factors.shape == (5, 3)
    assert factors.isfinite().all()
    samples = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    assert previews.preview(Latent(samples, vae.space, vae)) is not None


def test_a_sheet_says_how_many_pictures_it_has_and_how_large_they_are():
    pixels = torch.rand(3, 3, 600, 1200)
    sheet, one = previews.preview(Image(pixels)), previews.preview(Image(pixels), 4096, 1)
    assert (sheet.count, sheet.size, max(sheet.width, sheet.height)) == (3, (1200, 600), 512)
    assert (one.count, one.size) == (1, (1200, 600))
    assert one == previews.image_picture(pixels[1:2], 4096)
    latent = Latent(torch.rand(2, 4, 4, 6), SPACE)
    assert previews.preview(latent, item=1) == previews.latent_picture(latent.samples[1:])
    mask = Mask(torch.rand(2, 1, 4, 6))
    assert previews.preview(mask, item=1) == previews.preview(Mask(mask.weight[1:]))
