"""How many things a picture shows, how large, and where: the training layout that explains it best.

The noun's drawings are put at every place of a layout, and each place counts by how much the best drawing there lessens
the squared difference to the picture, compared with the bare background. The layout with the largest sum wins. Like the
nouns' measure it knows nothing but the training pictures' own geometry.
"""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from tools.starter import compose, measure
from tools.starter.concepts import BACKGROUNDS, NUMBERS, PACKS, POSITIONS, SIZES
from tools.starter.scene import Scene, Thing

SCALE = compose.IMAGE_SIZE // measure.SIZE
SIDES_TRIED = 3  # of a layout's range


@dataclass(frozen=True)
class Arrangement:
    """count things of a size at a position; None as in Scene."""

    count: int = 1
    size: str | None = None
    position: str | None = None


ARRANGEMENTS = (
    Arrangement(),
    *(Arrangement(size=size) for size in SIZES),
    *(Arrangement(1, size, position) for size in compose.PLACED_SIDES for position in POSITIONS),
    *(Arrangement(count) for count in NUMBERS),
)


def spots(arrangement: Arrangement) -> list[measure.Spot]:
    """The places of an arrangement's things in a picture at a quarter of its size."""
    where = compose.layout(arrangement.count, arrangement.size, arrangement.position)
    sides = np.linspace(*where.sides, SIDES_TRIED) / SCALE
    slack = -(-where.jitter // SCALE)
    return [
        measure.Spot((x // SCALE, y // SCALE), tuple(sorted({round(side) for side in sides})), slack)
        for x, y in where.centres
    ]


def gain(image: Tensor, drawn: list[Image.Image], spot: measure.Spot, background: Tensor) -> float:
    """By how much the best drawing in a spot lessens the squared difference; image: [3, 32, 32]."""
    rgba = torch.from_numpy(np.concatenate([measure.placements(sprite, spot) for sprite in drawn])).float() / 255
    opacity, bare = rgba[:, 3:], background[:, None, None]
    differences = rgba[:, :3] * opacity + (1 - opacity) * bare - image
    return float((image - bare).square().sum() - differences.square().sum((1, 2, 3)).min())


def drawings_of(sprites: compose.Sprites, thing: Thing) -> list[Image.Image]:
    """Every pack's drawing of a thing."""
    drawn = [compose.sprite_of(sprites, pack, thing.concept) for pack in PACKS]
    return [compose.recolour(sprite, thing.colour) for sprite in drawn] if thing.colour else drawn


def recognise(images: Tensor, scenes: list[Scene], sprites: compose.Sprites) -> list[Arrangement]:
    """The best arrangement of each scene's noun in its picture; images: [pictures, 3, 128, 128] in [0, 1]."""
    found: list[Arrangement] = []
    for image, scene in zip(torch.nn.functional.avg_pool2d(images, SCALE), scenes, strict=True):
        drawn = drawings_of(sprites, scene.things[0])
        background = torch.tensor(BACKGROUNDS[scene.background]).float() / 255
        gains = [sum(gain(image, drawn, spot, background) for spot in spots(each)) for each in ARRANGEMENTS]
        found.append(ARRANGEMENTS[int(np.argmax(gains))])
    return found
