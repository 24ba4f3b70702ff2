"""Whatever a picture file holds: its colours as sRGB, or a sentence that names it."""

import io
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin
from torch import Tensor

from nodes.backend import picture_files
from nodes.backend.picture_files import load
from tests.examples import each, some_slow
from tests.nodegraph.formats.test_png import chunk
from tests.nodes import icc

SIZE = (3, 2)


def colour(path: Path) -> list[int]:
    """Of the first pixel, in levels."""
    return (load(path)[0][0, :, 0, 0] * 255).round().int().tolist()


def saved(folder: Path, mode: str, value: Any, name: str = "a.png", **options: Any) -> Path:
    Image.new(mode, SIZE, value).save(folder / name, **options)
    return folder / name


def inserted(path: Path, *chunks: bytes) -> Path:
    """Chunks of a PNG put in front of its pixels."""
    data = path.read_bytes()
    path.write_bytes(data[:33] + b"".join(chunks) + data[33:])
    return path


# --- modes ---

PALETTE = [200, 60, 40, 0, 0, 255]


@each(
    ("mode", "value", "name", "expected"),
    [
        ("1", 1, "a.png", (255, 255, 255)),
        ("L", 100, "a.png", (100, 100, 100)),
        ("L", 100, "a.jpg", (100, 100, 100)),
        ("LA", (100, 7), "a.png", (100, 100, 100)),
        ("RGB", (200, 60, 40), "a.png", (200, 60, 40)),
        ("RGB", (200, 60, 40), "a.tif", (200, 60, 40)),
        ("RGB", (200, 60, 40), "a.bmp", (200, 60, 40)),
        ("RGBA", (200, 60, 40, 7), "a.png", (200, 60, 40)),
        ("RGBA", (200, 60, 40, 0), "a.tif", (200, 60, 40)),
        ("RGBX", (200, 60, 40, 7), "a.tif", (200, 60, 40)),
        ("CMYK", (0, 255, 255, 0), "a.tif", (255, 0, 0)),
        ("CMYK", (0, 0, 0, 155), "a.jpg", (100, 100, 100)),
        ("YCbCr", (100, 128, 128), "a.tif", (100, 100, 100)),
        ("YCbCr", (76, 85, 255), "a.tif", (254, 0, 0)),
        ("LAB", (138, 128, 128), "a.tif", (129, 129, 129)),  # L* = 100 * 138 / 255, no colour
        ("I;16", 25700, "a.png", (100, 100, 100)),
        ("I;16", 25700, "a.tif", (100, 100, 100)),
        ("I;16B", 25700, "a.tif", (100, 100, 100)),
        ("F", 0.5, "a.tif", (128, 128, 128)),
    ],
)
def test_every_mode_is_read_rightly(tmp_path: Path, mode: str, value: Any, name: str, expected: tuple[int, ...]):
    assert colour(saved(tmp_path, mode, value, name)) == pytest.approx(expected, abs=1)


def test_sixteen_bits_of_grey_are_not_rounded_to_eight(tmp_path: Path):
    assert load(saved(tmp_path, "I;16", 12345))[0].unique().tolist() == pytest.approx([12345 / 65535], abs=1e-7)


def test_sixteen_bits_a_colour_are_read(tmp_path: Path):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0))
    row = b"\0" + struct.pack(">HHH", 51400, 15420, 10280)
    path = tmp_path / "a.png"
    path.write_bytes(picture_files.PNG_SIGNATURE + header + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b""))
    assert colour(path) == pytest.approx((200, 60, 40), abs=1)


def test_a_tiff_whose_zero_is_white_is_not_read_as_a_negative(tmp_path: Path):
    path = saved(tmp_path, "I;16", 10, "a.tif")
    data = path.read_bytes()
    one, zero = (struct.pack("<HHII", 262, 3, 1, value) for value in (1, 0))
    assert one in data
    path.write_bytes(data.replace(one, zero))
    assert colour(path) == [255, 255, 255]


@pytest.mark.parametrize(
    ("mode", "value", "message"),
    [
        ("F", 128.0, "numbers below 0 or above 1"),
        ("F", -0.5, "numbers below 0 or above 1"),
        ("F", float("nan"), "numbers below 0 or above 1"),
        ("I", 70000, "32 bits, whose white nobody knows"),
    ],
)
def test_numbers_that_are_no_brightness_are_refused(tmp_path: Path, mode: str, value: float, message: str):
    with pytest.raises(ValueError, match=rf"a\.tif.*{message}"):
        load(saved(tmp_path, mode, value, "a.tif"))


# --- transparency ---


def transparent(path: Path) -> list[list[float]]:
    return (1 - load(path)[1])[0, 0].tolist()


def spotted(mode: str, everywhere: Any, spot: Any) -> Image.Image:
    picture = Image.new(mode, (2, 1), everywhere)
    picture.putpixel((1, 0), spot)
    return picture


@pytest.mark.parametrize(
    ("picture", "options"),
    [
        (spotted("RGBA", (9, 9, 9, 255), (9, 9, 9, 0)), {}),
        (spotted("LA", (9, 255), (9, 0)), {}),
        (spotted("RGB", (9, 9, 9), (8, 9, 9)), {"transparency": (8, 9, 9)}),
        (spotted("L", 9, 8), {"transparency": 8}),
        (spotted("1", 1, 0), {"transparency": 0}),
        (spotted("I;16", 9, 8), {"transparency": 8}),
        (spotted("P", 0, 1), {"transparency": 1}),
        (spotted("P", 0, 1), {"transparency": b"\xff\x00"}),
    ],
    ids=["RGBA", "LA", "RGB", "L", "1", "I;16", "P", "P with several"],
)
def test_every_kind_of_transparency_becomes_opacity(tmp_path: Path, picture: Image.Image, options: dict[str, Any]):
    if picture.mode == "P":
        picture.putpalette(PALETTE)
    picture.save(tmp_path / "a.png", **options)
    assert transparent(tmp_path / "a.png") == [[0, 1]]


def test_colours_under_transparent_parts_are_those_of_the_palette(tmp_path: Path):
    picture = spotted("P", 1, 0)
    picture.putpalette(PALETTE)
    picture.save(tmp_path / "a.png", transparency=0)
    assert (load(tmp_path / "a.png")[0][0, :, 0, 1] * 255).round().tolist() == [200, 60, 40]


def test_a_transparent_colour_of_sixteen_bits_is_refused(tmp_path: Path):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)) + chunk(b"tRNS", bytes(6))
    path = tmp_path / "a.png"
    path.write_bytes(
        picture_files.PNG_SIGNATURE + header + chunk(b"IDAT", zlib.compress(bytes(7))) + chunk(b"IEND", b"")
    )
    with pytest.raises(ValueError, match=r"a\.png.*save it with an alpha channel"):
        load(path)


# --- upright ---


@each(("mode", "name"), [("RGB", "a.jpg"), ("RGB", "a.png"), ("RGB", "a.webp"), ("I;16", "a.png")])
@each("orientation", range(1, 9))
def test_a_photo_is_turned_upright(tmp_path: Path, mode: str, name: str, orientation: int):
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = load(saved(tmp_path, mode, 0, name, exif=exif))[0]
    assert turned.shape[-2:] == ((2, 3) if orientation <= 4 else (3, 2))


# --- colours ---

OPTIONS = {"a.png": {}, "a.tif": {}, "a.webp": {"lossless": True}, "a.jpg": {"quality": 100, "subsampling": 0}}


@pytest.mark.parametrize("name", OPTIONS)
def test_adobe_rgb_becomes_srgb(tmp_path: Path, name: str):
    path = saved(tmp_path, "RGB", (200, 60, 40), name, icc_profile=icc.adobe_rgb(), **OPTIONS[name])
    assert colour(path) == pytest.approx((231, 57, 34), abs=2)


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_a_profile_holds_for_every_mode(tmp_path: Path, mode: str):
    picture = Image.new("RGBA", SIZE, (200, 60, 40, 128)) if mode == "RGBA" else Image.new("P", SIZE)
    if mode == "P":
        picture.putpalette(PALETTE)
    picture.save(tmp_path / "a.png", icc_profile=icc.adobe_rgb())
    assert colour(tmp_path / "a.png") == pytest.approx((231, 57, 34), abs=2)
    assert load(tmp_path / "a.png")[1].unique().tolist() == pytest.approx([128 / 255 if mode == "RGBA" else 1])


def test_a_profile_like_srgb_changes_no_level(tmp_path: Path):
    from PIL import ImageCms

    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8))
    noise.save(tmp_path / "plain.png")
    noise.save(tmp_path / "tagged.png", icc_profile=data)
    assert torch.equal(load(tmp_path / "plain.png")[0], load(tmp_path / "tagged.png")[0])


@pytest.mark.parametrize(("mode", "value"), [("L", 128), ("LA", (128, 255)), ("I;16", 128 * 257)])
def test_grey_goes_through_its_profile(tmp_path: Path, mode: str, value: Any):
    path = saved(tmp_path, mode, value, icc_profile=icc.linear_grey())
    assert colour(path) == pytest.approx((188, 188, 188), abs=1)  # half the light


def test_grey_with_a_profile_for_colours_is_read(tmp_path: Path):
    assert colour(saved(tmp_path, "L", 100, icc_profile=icc.adobe_rgb())) == pytest.approx((101, 101, 101), abs=2)


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
@pytest.mark.parametrize(("ink", "light"), [((0, 0, 0, 0), 100), ((255, 0, 0, 0), 50), ((255, 0, 255, 0), 25)])
def test_inks_go_through_their_profile(tmp_path: Path, name: str, ink: tuple[int, ...], light: float):
    options = {"quality": 100, "subsampling": 0} if name == "a.jpg" else {}
    path = saved(tmp_path, "CMYK", ink, name, icc_profile=icc.inks(), **options)
    linear = ((light + 16) / 116) ** 3
    level = 255 * (1.055 * linear ** (1 / 2.4) - 0.055)
    assert colour(path) == pytest.approx([level] * 3, abs=3)


@pytest.mark.parametrize(
    ("mode", "profile", "message"),
    [
        ("RGB", b"no profile", "its colour profile is damaged"),
        ("RGB", icc.adobe_rgb()[:200], "its colour profile"),
        ("RGB", icc.inks(), "its colour profile is for CMYK, and the picture is RGB"),
        ("CMYK", icc.adobe_rgb(), "its colour profile is for RGB, and the picture is CMYK"),
        ("RGB", icc.linear_grey(), "its colour profile is for GRAY, and the picture is RGB"),
    ],
)
def test_a_profile_that_tells_nothing_is_refused(tmp_path: Path, mode: str, profile: bytes, message: str):
    with pytest.raises(ValueError, match=rf"a\.jpg.*{message}"):
        load(saved(tmp_path, mode, 0, "a.jpg", icc_profile=profile))


def test_a_damaged_profile_of_a_png_is_not_passed_over(tmp_path: Path):
    path = inserted(saved(tmp_path, "RGB", 0), chunk(b"iCCP", b"name\0\0no zlib"))
    with pytest.raises(ValueError, match=r"a\.png.*its colour profile is damaged"):
        load(path)


def gama(gamma: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(gamma * 100_000)))


def chrm(*xy: float) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in xy)))


ADOBE_XY = (0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
SRGB_XY = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([gama(1.0)], (229, 133, 110)),  # linear light: 200 / 255 is 0.784 of white
        ([gama(0.45455)], (200, 60, 40)),
        ([gama(0.45455), chrm(*SRGB_XY)], (200, 60, 40)),
        ([gama(0.45455), chrm(*ADOBE_XY)], (231, 57, 34)),
        ([chunk(b"sRGB", b"\0"), gama(1.0), chrm(*ADOBE_XY)], (200, 60, 40)),
        ([chunk(b"cICP", bytes([1, 13, 0, 1])), gama(1.0)], (200, 60, 40)),
        ([chunk(b"cICP", bytes([12, 13, 0, 1]))], (216, 43, 23)),
    ],
    ids=["linear", "2.2", "2.2 and primaries", "other primaries", "sRGB goes before", "cICP goes before", "P3"],
)
def test_what_a_png_says_of_its_colours_is_heard(tmp_path: Path, chunks: list[bytes], expected: tuple[int, ...]):
    assert colour(inserted(saved(tmp_path, "RGB", (200, 60, 40)), *chunks)) == pytest.approx(expected, abs=2)


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        ([gama(0)], "its gamma is 0"),
        ([gama(0.45455), chrm(*[0.3] * 8)], "its primary colours are impossible"),
        ([gama(0.45455), chrm(*[0.0] * 8)], "its primary colours are impossible"),
        ([chunk(b"cICP", bytes([9, 16, 0, 1]))], "its colours are those of a video"),
    ],
)
def test_colours_that_cannot_be_told_are_refused(tmp_path: Path, chunks: list[bytes], message: str):
    with pytest.raises(ValueError, match=rf"a\.png.*{message}"):
        load(inserted(saved(tmp_path, "RGB", (200, 60, 40)), *chunks))


def test_a_camera_that_says_adobe_rgb_without_a_profile_is_heard(tmp_path: Path):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    path = saved(tmp_path, "RGB", (200, 60, 40), "a.jpg", exif=exif, quality=100, subsampling=0)
    assert colour(path) == pytest.approx((231, 57, 34), abs=2)


# --- damage, texts and sizes ---


def test_a_part_that_claims_gigabytes_takes_no_memory(tmp_path: Path):
    path = saved(tmp_path, "RGB", 0)
    path.write_bytes(path.read_bytes()[:33] + struct.pack(">I4s", 0x7FFFFFFF, b"IDAT") + bytes(100))
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"a\.png cannot be read as an image"):
        load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_a_profile_too_large_to_be_one_is_named(tmp_path: Path):
    bomb = chunk(b"iCCP", b"name\0\0" + zlib.compress(bytes(2 << 20)))
    with pytest.raises(ValueError, match=r"a\.png.*its colour profile is larger than 1 MB"):
        load(inserted(saved(tmp_path, "RGB", 0), bomb))


def test_a_picture_with_a_long_workflow_is_read(tmp_path: Path):
    info = PngImagePlugin.PngInfo()
    info.add_itxt("denoodle", "x" * (3 << 20), zip=True)
    assert colour(saved(tmp_path, "RGB", (200, 60, 40), pnginfo=info)) == [200, 60, 40]


def test_a_damaged_text_does_not_hide_the_picture(tmp_path: Path):
    damaged = chunk(b"tEXt", b"Comment\0x").replace(b"\0x", b"\0y")
    assert colour(inserted(saved(tmp_path, "RGB", (200, 60, 40)), damaged)) == [200, 60, 40]


def test_texts_are_not_inflated_however_many_there_are(tmp_path: Path):
    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 20)))
    path = inserted(saved(tmp_path, "RGB", (200, 60, 40)), *[bomb] * 100)
    tracemalloc.start()
    load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_a_few_bytes_that_claim_many_pixels_are_refused_before_they_are_unpacked(tmp_path: Path):
    Image.new("1", (10_000, 10_000)).save(tmp_path / "bomb.png")
    assert (tmp_path / "bomb.png").stat().st_size < 20_000
    with pytest.raises(ValueError, match=r"bomb\.png.*claims 100 million pixels in [\d,]+ bytes"):
        load(tmp_path / "bomb.png")


@pytest.mark.parametrize("mode", some_slow(["L", "RGB", "RGBA"], ("L",)))
def test_the_plainest_picture_of_a_large_size_is_not_taken_for_a_bomb(tmp_path: Path, mode: str):
    Image.new(mode, (6000, 3000)).save(tmp_path / "plain.png")
    assert load(tmp_path / "plain.png")[0].shape == (1, 3, 3000, 6000)


def test_bands_join_without_a_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (23, 16, 4), dtype=np.uint8))
    noise.save(tmp_path / "a.png", icc_profile=icc.adobe_rgb())
    whole = load(tmp_path / "a.png")
    monkeypatch.setattr(picture_files, "BAND", 16 * 5)
    assert all(map(torch.equal, whole, load(tmp_path / "a.png")))


def test_what_is_written_does_not_depend_on_bands(monkeypatch: pytest.MonkeyPatch):
    pixels: Tensor = torch.rand(3, 23, 16, generator=torch.Generator().manual_seed(0))
    whole = picture_files.png(pixels)
    monkeypatch.setattr(picture_files, "BAND", 16 * 5)
    assert picture_files.png(pixels) == whole


def test_pixels_that_are_numbers_of_a_missing_palette_are_refused(tmp_path: Path):
    file = io.BytesIO()
    Image.linear_gradient("L").resize((4, 4)).convert("P").save(file, "PNG")
    data = file.getvalue()
    at = data.index(b"PLTE") - 4
    (tmp_path / "a.png").write_bytes(data[:at] + data[at + 12 + int.from_bytes(data[at : at + 4], "big") :])
    with pytest.raises(ValueError, match=r"a\.png cannot be read as an image: it has no palette"):
        picture_files.load(tmp_path / "a.png")
