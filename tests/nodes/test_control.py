"""When hints act, how they add up, what is done to their pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import ControlNetModel

from nodes.backend import noise
from nodes.backend.denoise import is_active
from nodes.backend.families import unet_calls
from nodes.backend.families.family import Asked
from nodes.backend.process import sigma_at
from nodes.control import apply_controlnet, load_controlnet
from nodes.types import Conditioning, ControlNet, Diffusion, Flow, Hint, Image, Network, Process, Weights
from tests.examples import each

NET = ControlNet(Network("sd1", "controlnet", Weights("controlnet", "1")))


def hint(strength: float = 1.0, start: float = 0.0, end: float = 1.0, size: int = 64) -> Hint:
    return Hint(NET, noise.draw((1, 3, size, size), 5, 0).sigmoid(), strength, start, end)


@each("process", [Diffusion(), Flow(), Flow(shift=3.0)])
@each(
    ("start", "end", "timestep", "active"),
    [
        (0.0, 1.0, 999, True),
        (0.0, 1.0, 0, True),
        (0.5, 1.0, 600, False),
        (0.5, 1.0, 400, True),
        (0.0, 0.5, 600, True),
        (0.0, 0.5, 400, False),
        (0.0, 0.5, 499.5, False),
        (0.5, 1.0, 499.5, True),
    ],
)
def test_a_hint_acts_from_its_start_up_to_its_end(
    process: Process, start: float, end: float, timestep: float, active: bool
):
    assert is_active(hint(start=start, end=end), process, sigma_at(process, timestep)) is active


def test_a_hint_without_limits_acts_at_noise_levels_beyond_the_training():
    assert is_active(hint(), Diffusion(), 80.0)


@pytest.fixture(scope="module")
def controlnet(controlnet_folder: Path) -> ControlNetModel:
    return ControlNetModel.from_pretrained(controlnet_folder).eval()


def residuals(controlnet: Any, *hints: Hint) -> unet_calls.Residuals:
    prompt = Conditioning("sd1", "", noise.draw((1, 77, 32), 1, 0))
    asked = Asked(noise.draw((2, 4, 8, 8), 0, 0), 500.0, (prompt,), (64, 64))
    with torch.inference_mode():
        added = unet_calls.residuals([(controlnet, hint) for hint in hints], asked, lambda *_: None)
    assert added is not None
    return added


def test_two_hints_add_up(controlnet: Any):
    both, first, second = residuals(controlnet, hint(0.5), hint(0.3)), hint(0.5), hint(0.3)
    alone = [residuals(controlnet, one) for one in (first, second)]
    assert both.mid.equal(alone[0].mid + alone[1].mid)
    assert both.down[3].equal(alone[0].down[3] + alone[1].down[3])


def test_a_picture_of_another_size_is_resized(controlnet: Any):
    assert residuals(controlnet, hint(size=96)).mid.shape == residuals(controlnet, hint()).mid.shape


def test_without_hints_nothing_is_added():
    prompt = Conditioning("sd1", "", torch.zeros(1, 1, 1))
    assert unet_calls.residuals([], Asked(torch.zeros(1), 0.0, (prompt,), (8, 8)), lambda *_: None) is None


def test_pictures_that_do_not_fit_the_batch_are_refused(controlnet: Any):
    three = Hint(NET, torch.zeros(3, 3, 64, 64), 1.0, 0.0, 1.0)
    with pytest.raises(ValueError, match="got 3 pictures for a batch of 2"):
        residuals(controlnet, three)


def test_applying_a_second_controlnet_keeps_the_first(controlnet_folder: Path):
    net, picture = load_controlnet(str(controlnet_folder)), Image(torch.zeros(1, 3, 64, 64))
    first = apply_controlnet(net, picture, 0.5)
    both = apply_controlnet(net, picture, 0.3, control=first)
    assert [hint.strength for hint in both.hints] == [0.5, 0.3]
    assert len(first.hints) == 1


def test_an_end_before_the_start_is_refused():
    with pytest.raises(ValueError, match=r"start must be below end, got 0\.6 and 0\.4"):
        apply_controlnet(NET, Image(torch.zeros(1, 3, 8, 8)), 1.0, 0.6, 0.4)
