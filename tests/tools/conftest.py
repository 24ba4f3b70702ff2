"""Plain shapes in place of the artwork: the tests need no network."""

import pytest
import torch

from tools.starter.concepts import CONCEPTS, PACKS


def shape_sprite(number: int, pack: int) -> torch.Tensor:
    """A red shape that differs by number, uint8 [128, 128, 4]."""
    generator = torch.Generator().manual_seed(number)
    coarse = (torch.rand(4, 4, generator=generator) > 0.35).to(torch.uint8)
    coarse[1:3, 1:3] = 1
    opacity = coarse.repeat_interleave(32, 0).repeat_interleave(32, 1) * 255
    sprite = torch.zeros(128, 128, 4, dtype=torch.uint8)
    sprite[..., 0] = 200 + 20 * pack
    sprite[..., 1] = 20
    sprite[..., 3] = opacity
    return sprite


@pytest.fixture(scope="session")
def sprites() -> dict[str, torch.Tensor]:
    """One shape for every concept in every pack."""
    return {
        f"{pack.name}/{concept.icon}": shape_sprite(number, index)
        for index, pack in enumerate(PACKS)
        for number, concept in enumerate(CONCEPTS)
    }
