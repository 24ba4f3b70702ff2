"""Draws training pictures: things on a named background, a function of (seed, index) alone."""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from tools.starter.concepts import (
    BACKGROUNDS,
    CONCEPTS,
    HUES,
    NUMBERS,
    PACKS,
    POSITIONS,
    RGB,
    SIZES,
    Concept,
    Pack,
)
from tools.starter.scene import Scene, Thing, held_out

IMAGE_SIZE = 64
RECOLOUR_PROBABILITY = 0.3
BACKGROUND_NOISE = 6  # grey levels by which a named background varies
KINDS = {"one": 0.4, "several": 0.2, "two": 0.3, "placed": 0.1}  # kind of scene -> probability

Sprites = dict[str, Tensor]  # "package/icon" -> uint8 [height, width, 4]


@dataclass(frozen=True)
class Layout:
    """Where sprites go, in pixels: their centres, how far off they may be each way, the range of their longer side."""

    centres: tuple[tuple[int, int], ...]
    jitter: int
    sides: tuple[int, int]


MIDDLE = (32, 32)
SIDES = {None: (42, 54), "small": (20, 28), "big": (58, 64)}
JITTERS = {None: 4, "small": 6, "big": 0}
# A picture has no room for a middle-sized thing at its edge.
PLACED_SIDES = {None: (28, 34), "small": (20, 26)}
PLACES = {"left": (18, 32), "right": (46, 32), "top": (32, 18), "bottom": (32, 46)}
SEVERAL = {
    2: Layout(((16, 32), (48, 32)), 2, (25, 29)),
    3: Layout(((32, 17), (16, 47), (48, 47)), 1, (25, 29)),
    4: Layout(((16, 16), (48, 16), (16, 48), (48, 48)), 1, (25, 29)),
}


@dataclass(frozen=True)
class Picture:
    """A scene and its pixels, uint8 [64, 64, 3]."""

    scene: Scene
    pixels: np.ndarray


def sprite_of(sprites: Sprites, pack: Pack, concept: Concept) -> Image.Image:
    """The pack's drawing of a concept."""
    return Image.fromarray(sprites[f"{pack.name}/{concept.icon}"].numpy())


def draw_scene(rng: np.random.Generator, concepts: tuple[Concept, ...] = CONCEPTS) -> Scene:
    """A random scene that is not held out."""
    kinds, probabilities = list(KINDS), list(KINDS.values())
    while held_out(scene := draw_scene_of(kinds[rng.choice(len(kinds), p=probabilities)], rng, concepts)):
        pass
    return scene


def draw_scene_of(kind: str, rng: np.random.Generator, concepts: tuple[Concept, ...] = CONCEPTS) -> Scene:
    """A random scene of one of KINDS, held out or not; a recoloured thing never has the background's colour."""
    pack = PACKS[rng.integers(len(PACKS))]
    background = list(BACKGROUNDS)[rng.integers(len(BACKGROUNDS))]
    numbers = rng.choice(len(concepts), 2 if kind == "two" else 1, replace=False)
    things = tuple(_draw_thing(rng, concepts[number], background) for number in numbers)
    match kind:
        case "several":
            return Scene(things, pack, background, count=int(rng.choice(list(NUMBERS))))
        case "placed":
            sizes_and_positions = [(size, None) for size in SIZES]
            sizes_and_positions += [(size, position) for size in PLACED_SIDES for position in POSITIONS]
            size, position = sizes_and_positions[rng.integers(len(sizes_and_positions))]
            return Scene(things, pack, background, size=size, position=position)
        case _:
            return Scene(things, pack, background)


def _draw_thing(rng: np.random.Generator, concept: Concept, background: str) -> Thing:
    if not concept.recolourable or rng.random() > RECOLOUR_PROBABILITY:
        return Thing(concept)
    colours = [colour for colour in HUES if colour != background]
    return Thing(concept, colours[rng.integers(len(colours))])


def layout_of(scene: Scene) -> Layout:
    """Where the scene's sprites go."""
    return layout(len(scene.things) * scene.count, scene.size, scene.position)


def layout(number: int, size: str | None = None, position: str | None = None) -> Layout:
    """Where a number of sprites goes, or one of a size at a position; None as in Scene."""
    if number > 1:
        return SEVERAL[number]
    if position:
        return Layout((PLACES[position],), 2, PLACED_SIDES[size])
    return Layout((MIDDLE,), JITTERS[size], SIDES[size])


def recolour(sprite: Image.Image, colour: str) -> Image.Image:
    """The sprite with the hue of its coloured pixels replaced; greys, whites and outlines stay."""
    alpha = sprite.getchannel("A")
    hsv = np.array(sprite.convert("RGB").convert("HSV"))
    hsv[..., 0] = round(HUES[colour] * 255)
    hsv[..., 1] = np.where(hsv[..., 1] > 40, np.maximum(hsv[..., 1], 150), hsv[..., 1])
    if colour == "pink":
        hsv[..., 1] = np.minimum(hsv[..., 1], 130)
    painted = Image.fromarray(hsv, "HSV").convert("RGB")
    painted.putalpha(alpha)
    return painted


def paste(canvas: Image.Image, sprite: Image.Image, centre: tuple[int, int], side: int) -> None:
    """Draws the sprite with its longer side of `side` pixels."""
    scale = side / max(sprite.size)
    width, height = (max(1, round(length * scale)) for length in sprite.size)
    small = sprite.resize((width, height), Image.Resampling.LANCZOS)
    canvas.paste(small, (centre[0] - width // 2, centre[1] - height // 2), small)


def arrange(sprites: list[Image.Image], background: RGB, where: Layout, rng: np.random.Generator) -> np.ndarray:
    """The sprites in turn at the layout's centres, all of one random size, each a little off its centre."""
    canvas = Image.new("RGB", (IMAGE_SIZE, IMAGE_SIZE), background)
    side = int(rng.integers(where.sides[0], where.sides[1] + 1))
    for index, centre in enumerate(where.centres):
        left, top = (int(place + rng.integers(-where.jitter, where.jitter + 1)) for place in centre)
        paste(canvas, sprites[index % len(sprites)], (left, top), side)
    return np.array(canvas)


def shade(background: RGB, rng: np.random.Generator) -> RGB:
    """A named colour with a little variation in each channel."""
    offsets = rng.integers(-BACKGROUND_NOISE, BACKGROUND_NOISE + 1, 3)
    red, green, blue = np.clip(np.array(background) + offsets, 0, 255).tolist()
    return red, green, blue


def draw(sprites: Sprites, scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """The scene's pixels, uint8 [64, 64, 3]."""
    drawn = [sprite_of(sprites, scene.pack, thing.concept) for thing in scene.things]
    painted = [
        recolour(sprite, thing.colour) if thing.colour else sprite
        for sprite, thing in zip(drawn, scene.things, strict=True)
    ]
    return arrange(painted, shade(BACKGROUNDS[scene.background], rng), layout_of(scene), rng)


def compose(sprites: Sprites, seed: int, index: int, concepts: tuple[Concept, ...] = CONCEPTS) -> Picture:
    """Training picture number `index` of the set `seed`."""
    rng = np.random.default_rng((seed, index))
    scene = draw_scene(rng, concepts)
    return Picture(scene, draw(sprites, scene, rng))


def compose_any(sprites: Sprites, seed: int, index: int) -> np.ndarray:
    """A picture for the autoencoder: any sprite, its colours as drawn or turned, on any colour."""
    rng = np.random.default_rng((seed, index))
    names = list(sprites)
    sprite = Image.fromarray(sprites[names[rng.integers(len(names))]].numpy())
    if rng.random() < RECOLOUR_PROBABILITY:
        sprite = recolour(sprite, list(HUES)[rng.integers(len(HUES))])
    if rng.random() < 0.5:
        background = shade(list(BACKGROUNDS.values())[rng.integers(len(BACKGROUNDS))], rng)
    else:
        red, green, blue = rng.integers(0, 256, 3).tolist()
        background = (red, green, blue)
    return arrange([sprite], background, layout(1), rng)


def to_tensor(pixels: list[np.ndarray]) -> Tensor:
    """uint8 pictures [64, 64, 3] as one float batch [batch, 3, 64, 64] in [-1, 1]."""
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous()
