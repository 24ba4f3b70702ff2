"""Pictures from files, and what is done to pixels."""

from pathlib import Path

import pytest
import torch
from PIL import Image as Pillow
from torch import Tensor

from nodes import image as nodes
from nodes.backend import images, picture_files
from nodes.types import Image, Mask


def ramp(width: int = 16, height: int = 8) -> Tensor:
    """Red grows to the right, green downwards, blue is one half."""
    red = torch.linspace(0, 1, width).expand(height, width)
    green = torch.linspace(0, 1, height)[:, None].expand(height, width)
    return torch.stack([red, green, torch.full((height, width), 0.5)])[None].contiguous()


def written(path: Path, pixels: Tensor) -> Path:
    path.write_bytes(picture_files.png(pixels[0]))
    return path


def test_a_written_picture_is_read_back_to_the_nearest_of_256_levels(tmp_path: Path):
    loaded = nodes.load(str(written(tmp_path / "a.png", ramp())))
    assert torch.allclose(loaded.image.pixels, ramp(), atol=0.5 / 255 + 1e-6)
    assert not loaded.mask.weight.any()


def test_a_folder_is_the_list_of_its_pictures_by_name_each_in_its_own_size(tmp_path: Path):
    written(tmp_path / "b.png", ramp(8, 8))
    written(tmp_path / "a.PNG", ramp())
    for name in ("notes.txt", ".hidden.png"):
        (tmp_path / name).touch()
    (tmp_path / "within.png").mkdir()
    found = nodes.load_folder(str(tmp_path))
    assert [image.pixels.shape for image in found] == [(1, 3, 8, 16), (1, 3, 8, 8)]
    assert nodes._files(str(tmp_path)) == (((1, 3, 8, 16), (1, 3, 8, 8)),)  # what planning knows of it


def test_a_folder_that_is_no_list_of_pictures_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ValueError, match="there are no pictures in"):
        nodes.load_folder(str(tmp_path))
    path = written(tmp_path / "a.png", ramp())
    with pytest.raises(ValueError, match=r"a\.png is not a folder; Load image takes"):
        nodes.load_folder(str(path))
    monkeypatch.setattr(nodes, "MAX_LISTED", 0)
    with pytest.raises(ValueError, match="holds 1 pictures; 0 is the most"):
        nodes.load_folder(str(tmp_path))


def test_transparent_parts_become_the_mask(tmp_path: Path):
    picture = Pillow.new("RGBA", (4, 2), (255, 0, 0, 255))
    picture.putpixel((1, 0), (0, 255, 0, 0))
    picture.save(tmp_path / "a.png")
    loaded = nodes.load(str(tmp_path / "a.png"))
    assert loaded.mask.weight[0, 0].tolist() == [[0, 1, 0, 0], [0, 0, 0, 0]]
    assert loaded.image.pixels[0, :, 0, 1].tolist() == [0, 1, 0]


def test_a_photo_is_turned_upright(tmp_path: Path):
    picture = Pillow.new("RGB", (4, 2))
    exif = Pillow.Exif()
    exif[0x0112] = 6  # orientation: the camera was turned by a quarter
    picture.save(tmp_path / "a.jpg", exif=exif)
    assert nodes.load(str(tmp_path / "a.jpg")).image.pixels.shape[-2:] == (4, 2)


def test_sixteen_bit_grey_keeps_its_brightness(tmp_path: Path):
    Pillow.new("I;16", (2, 2), 32768).save(tmp_path / "a.png")
    assert nodes.load(str(tmp_path / "a.png")).image.pixels.mean().item() == pytest.approx(0.5, abs=0.01)


def test_an_image_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = written(tmp_path / "bomb.png", ramp(64, 64))
    monkeypatch.setattr(picture_files, "MAX_PIXELS", 1000)
    with pytest.raises(ValueError, match=r"bomb\.png has more than"):
        nodes.load(str(path))


def test_a_file_that_claims_terabytes_is_refused(tmp_path: Path):
    data = bytearray(picture_files.png(ramp()[0]))
    data[16:24] = (2_000_000).to_bytes(4, "big") * 2  # width and height in the PNG header
    data[29:33] = _crc(bytes(data[12:29]))
    (tmp_path / "huge.png").write_bytes(data)
    with pytest.raises(ValueError, match=r"huge\.png has more than 100 million pixels"):
        nodes.load(str(tmp_path / "huge.png"))


def _crc(data: bytes) -> bytes:
    import zlib

    return zlib.crc32(data).to_bytes(4, "big")


def test_a_picture_cut_short_is_named(tmp_path: Path):
    path = written(tmp_path / "cut.png", torch.rand(1, 3, 64, 64))
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ValueError, match=r"cut\.png cannot be read as an image"):
        nodes.load(str(path))


def test_what_is_no_picture_is_named(tmp_path: Path):
    (tmp_path / "a.png").write_text("hello")
    with pytest.raises(ValueError, match=r"a\.png is not an image this program can read"):
        nodes.load(str(tmp_path / "a.png"))


def test_a_missing_picture_is_named():
    with pytest.raises(ValueError, match=r"there is no file or folder gone\.png"):
        nodes.load("gone.png")


def test_stretching_changes_the_size_alone():
    resized = images.resize(ramp(), 32, 16, "stretch", "bilinear")
    assert resized.shape == (1, 3, 16, 32)
    assert torch.allclose(resized.mean((2, 3)), ramp().mean((2, 3)), atol=1e-3)


def test_cropping_keeps_proportions_and_the_middle():
    resized = images.resize(ramp(16, 8), 8, 8, "crop", "nearest")
    assert torch.equal(resized, ramp(16, 8)[..., 4:12])


def test_padding_keeps_everything_and_adds_black():
    padded = images.resize(ramp(16, 8), 16, 16, "pad", "nearest")
    assert torch.equal(padded[..., 4:12, :], ramp(16, 8))
    assert not padded[..., :4, :].any()
    assert not padded[..., 12:, :].any()


def test_a_crop_outside_the_picture_is_refused():
    with pytest.raises(ValueError, match=r"from \(8, 0\) to \(24, 8\) reaches outside the image of 16 x 8"):
        nodes.crop_image(Image(ramp()), left=8, width=16, height=8)


def test_inverting_twice_changes_nothing():
    image, mask = Image(ramp()), Mask(ramp()[:, :1])
    assert torch.allclose(nodes.invert_image(nodes.invert_image(image)).pixels, image.pixels)
    assert torch.allclose(nodes.invert_mask(nodes.invert_mask(mask)).weight, mask.weight)


def test_a_mask_goes_through_a_picture_unchanged():
    mask = Mask(ramp()[:, :1])
    assert torch.allclose(nodes.to_mask(nodes.from_mask(mask)).weight, mask.weight)


def test_blending_follows_the_mask():
    black, white = Image(torch.zeros(1, 3, 2, 2)), Image(torch.ones(1, 3, 2, 2))
    mask = Mask(torch.tensor([[[[0.0, 1.0], [0.5, 0.0]]]]))
    assert torch.equal(nodes.blend_images(black, white, 1.0, mask).pixels[:, :1], mask.weight)


def test_blending_two_sizes_is_refused():
    with pytest.raises(ValueError, match="image is 16 x 8 and over is 2 x 2; use Resize first"):
        nodes.blend_images(Image(ramp()), Image(torch.zeros(1, 3, 2, 2)))


def square() -> Tensor:
    """A white square on black, from 16 to 48 of 64."""
    pixels = torch.zeros(1, 3, 64, 64)
    pixels[..., 16:48, 16:48] = 1
    return pixels


def test_edges_follow_an_outline_and_are_thin():
    edges = images.canny(square(), 0.05, 0.15)[0, 0]
    on = edges.nonzero()
    distance = torch.minimum((on - 15.5).abs(), (on - 47.5).abs()).amin(1)
    assert distance.max() <= 1.5
    assert 0 < edges[32].sum() <= 4  # two edges cross the middle row, two pixels each at most


def test_a_flat_picture_has_no_edges():
    assert not images.canny(torch.full((1, 3, 32, 32), 0.7), 0.05, 0.15).any()


def test_weak_edges_count_only_beside_strong_ones():
    pixels = square()
    pixels[..., 16:48, 16:48] *= torch.linspace(0.2, 1, 32)  # faint on the left, strong on the right
    low, high, both = (images.canny(pixels, *limits).sum() for limits in ((0.02, 0.02), (0.3, 0.3), (0.02, 0.3)))
    assert high < both <= low


def test_thresholds_in_the_wrong_order_are_refused():
    with pytest.raises(ValueError, match=r"low must not be above high, got 0\.5 and 0\.1"):
        nodes.canny(Image(square()), 0.5, 0.1)


def test_a_grid_has_a_cell_for_every_picture():
    from nodes.backend.sheets import GAP

    grid = nodes.grid((Image(ramp()), Image(torch.zeros(2, 3, 8, 16))), columns=3).pixels
    assert grid.shape == (1, 3, 8 + 2 * GAP, 3 * 16 + 4 * GAP)
    assert torch.allclose(grid[..., GAP : GAP + 8, GAP : GAP + 16], ramp(), atol=0.5 / 255 + 1e-6)


def test_labels_stand_above_their_pictures():
    cell = Image(torch.zeros(1, 3, 64, 64))
    plain, labelled = (nodes.grid((cell,), labels).pixels for labels in ((), ("seed 7",)))
    assert labelled.shape[2] > plain.shape[2]


def test_labels_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="there are 1 images and 2 labels"):
        nodes.grid((Image(ramp()),), ("a", "b"))


def test_a_cell_width_enlarges_the_pictures_and_keeps_their_shape():
    from nodes.backend.sheets import GAP

    grid = nodes.grid((Image(ramp()),), cell_width=64).pixels
    assert grid.shape == (1, 3, 32 + 2 * GAP, 64 + 2 * GAP)


def test_a_rectangle_is_placed_by_fractions_of_the_picture():
    mask = nodes.rectangle(Image(ramp(16, 8)), 0.25, 0.5, 0.75, 1.0).weight
    assert mask.shape == (1, 1, 8, 16)
    assert mask.sum() == 8 * 4
    assert mask[..., 4:, 4:12].min() == 1


def test_an_empty_rectangle_is_refused():
    with pytest.raises(ValueError, match=r"the rectangle is empty: left 0\.5 to right 0\.5"):
        nodes.rectangle(Image(ramp()), left=0.5, right=0.5)


def test_a_picture_does_not_differ_from_itself():
    picture = Image(ramp())
    assert nodes.difference(picture, picture).pixels.max() == 0
    assert nodes.distance(picture, picture) == 0


def test_black_is_as_far_from_white_as_can_be():
    black, white = (nodes.grey(16, 8, level) for level in (0.0, 1.0))
    assert nodes.distance(black, white) == 1
    assert nodes.difference(white, black).pixels.min() == 1


def test_comparing_two_sizes_is_refused():
    with pytest.raises(ValueError, match="image is 16 x 8 and other is 8 x 8; use Resize first"):
        nodes.distance(nodes.grey(16, 8), nodes.grey(8, 8))
