"""Pictures for the ControlNet: one thing in any pose, which no caption tells."""

from dataclasses import replace

import numpy as np
from PIL import Image, ImageOps

from tools.starter import compose
from tools.starter.concepts import Concept
from tools.starter.scene import Scene

SIDES = (52, 116)  # pixels; a posed thing may be small or fill the picture
TILT = 15  # degrees, standard deviation


def pose(sprites: compose.Sprites, scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """The scene's one thing anywhere in the picture, mirrored or not, tilted, of any size; uint8 [128, 128, 3]."""
    thing = scene.things[0]
    sprite = compose.sprite_of(sprites, scene.pack, thing.concept)
    if thing.colour:
        sprite = compose.recolour(sprite, thing.colour)
    if rng.random() < 0.5:
        sprite = ImageOps.mirror(sprite)
    sprite = sprite.rotate(rng.normal(0, TILT), Image.Resampling.BICUBIC, expand=True)
    side = int(rng.integers(SIDES[0], SIDES[1] + 1))
    across, down = rng.integers(side // 2, compose.IMAGE_SIZE - side // 2 + 1, 2).tolist()
    layout = compose.Layout(((across, down),), 0, (side, side))
    return compose.arrange([sprite], compose.backdrop(scene.background, rng), layout, rng)


def draw_scene(rng: np.random.Generator, concepts: tuple[Concept, ...]) -> Scene:
    """A training scene; captions never tell where one thing is and how big, since its edges do."""
    return replace(compose.draw_scene(rng, concepts), size=None, position=None)


def draw(sprites: compose.Sprites, scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """The scene's pixels, uint8 [128, 128, 3]: one thing in any pose, or several things as always."""
    alone = len(scene.things) * scene.count == 1
    return pose(sprites, scene, rng) if alone else compose.draw(sprites, scene, rng)
