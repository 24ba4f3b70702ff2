"""What a large picture takes up at most, from file to file: three times its size as floats."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nodes.backend import picture_files, previews, storage
from nodes.types import Image, Mask

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak from /proc")

SIDE = 2000
SIZE = 3 * 4 * SIDE**2  # bytes as floats


def status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))


def peak(act: Callable[[], object]) -> float:
    """How much more memory than before it took at the most, in sizes of the picture."""
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    act()
    return (status("VmHWM") - before) / SIZE


@pytest.fixture(scope="module")
def picture() -> Image:
    return Image(torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)))


# With what is there before, each is within three sizes: the picture, and for a loaded one a third more, its mask.


@pytest.mark.parametrize("max_side", [512, 4096])
def test_showing_a_picture(picture: Image, max_side: int):
    assert peak(lambda: previews.image_picture(picture.pixels, max_side * SIDE // 8000)) < 1.2


def test_writing_a_picture(picture: Image):
    assert peak(lambda: picture_files.png(picture.pixels[0])) < 1.2


def test_reading_a_picture(picture: Image, tmp_path: Path):
    (tmp_path / "a.png").write_bytes(picture_files.png(picture.pixels[0]))
    assert peak(lambda: picture_files.load(tmp_path / "a.png")) < 2.4  # 1.33 of it stay


def test_keeping_a_picture_on_disk(picture: Image, tmp_path: Path):
    mask = Mask(picture.pixels[:, :1])
    assert peak(lambda: storage.save((picture, mask), tmp_path / "entry")) < 0.5
    assert peak(lambda: storage.load(tmp_path / "entry")) < 1.6  # 1.33 of it stay
