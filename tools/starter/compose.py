"""Draws training pictures: things on a background, a function of (seed, index) alone."""

from dataclasses import dataclass, replace

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
    SCENERIES,
    SIZES,
    Concept,
    Pack,
)
from tools.starter.scene import Scene, Thing, gradient, gradient_colours, held_out
from tools.starter.scenery import draw_scenery

IMAGE_SIZE = 128
RECOLOUR_PROBABILITY = 0.3
BACKGROUND_NOISE = 6  # grey levels by which a named background varies
KINDS = {"one": 0.4, "several": 0.2, "two": 0.3, "placed": 0.1}  # kind of scene -> probability
GRADIENT_SHARE, SCENERY_SHARE = 0.12, 0.18  # of the backgrounds

Sprites = dict[str, Tensor]  # "package/icon" -> uint8 [height, width, 4]


@dataclass(frozen=True)
class Layout:
    """Where sprites go, in pixels: their centres, how far off they may be each way, the range of their longer side."""

    centres: tuple[tuple[int, int], ...]
    jitter: int
    sides: tuple[int, int]


MIDDLE = (64, 64)
SIDES = {None: (84, 108), "small": (40, 56), "big": (116, 128)}
JITTERS = {None: 8, "small": 12, "big": 0}
# A picture has no room for a middle-sized thing at its edge.
PLACED_SIDES = {None: (56, 68), "small": (40, 52)}
PLACES = {"left": (36, 64), "right": (92, 64), "top": (64, 36), "bottom": (64, 92)}
SEVERAL = {
    2: Layout(((32, 64), (96, 64)), 4, (50, 58)),
    3: Layout(((64, 34), (32, 94), (96, 94)), 2, (50, 58)),
    4: Layout(((32, 32), (96, 32), (32, 96), (96, 96)), 2, (50, 58)),
}


@dataclass(frozen=True)
class Picture:
    """A scene and its pixels, uint8 [128, 128, 3]."""

    scene: Scene
    pixels: np.ndarray


def sprite_of(sprites: Sprites, pack: Pack, concept: Concept) -> Image.Image:
    """The pack's drawing of a concept."""
    return Image.fromarray(sprites[f"{pack.name}/{concept.icon}"].numpy())


def draw_scene(rng: np.random.Generator, concepts: tuple[Concept, ...] = CONCEPTS) -> Scene:
    """A random scene that is not held out."""
    kinds, probabilities = list(KINDS), list(KINDS.values())
    while True:
        scene = vary_background(draw_scene_of(kinds[rng.choice(len(kinds), p=probabilities)], rng, concepts), rng)
        if not held_out(scene):
            return scene


def vary_background(scene: Scene, rng: np.random.Generator) -> Scene:
    """The scene as it is, or before a gradient or a scenery instead of its one colour."""
    drawn = rng.random()
    if drawn < GRADIENT_SHARE:
        return replace(scene, background=draw_gradient(scene, rng))
    if drawn < GRADIENT_SHARE + SCENERY_SHARE:
        return replace(scene, background=list(SCENERIES)[rng.integers(len(SCENERIES))])
    return scene


def draw_gradient(scene: Scene, rng: np.random.Generator) -> str:
    """From the scene's background to another colour, or the other way round; no thing has that other colour."""
    taken = {scene.background, *(thing.colour for thing in scene.things)}
    colours = [colour for colour in BACKGROUNDS if colour not in taken]
    pair = (scene.background, colours[rng.integers(len(colours))])
    return gradient(*(pair if rng.random() < 0.5 else pair[::-1]))


def draw_scene_of(kind: str, rng: np.random.Generator, concepts: tuple[Concept, ...] = CONCEPTS) -> Scene:
    """A random scene of one of KINDS on one colour, held out or not; a recoloured thing never has that colour."""
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


def arrange(sprites: list[Image.Image], canvas: Image.Image, where: Layout, rng: np.random.Generator) -> np.ndarray:
    """The sprites in turn at the layout's centres, all of one random size, each a little off its centre."""
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


def plain(colour: RGB) -> Image.Image:
    """A canvas of one colour."""
    return Image.new("RGB", (IMAGE_SIZE, IMAGE_SIZE), colour)


def backdrop(background: str, rng: np.random.Generator) -> Image.Image:
    """The canvas that a scene's things are drawn on."""
    if background in SCENERIES:
        return draw_scenery(background, IMAGE_SIZE, rng)
    colours = gradient_colours(background)
    if colours is None:
        return plain(shade(BACKGROUNDS[background], rng))
    upper, lower = (np.array(shade(BACKGROUNDS[colour], rng)) for colour in colours)
    rows = upper + (lower - upper) * np.linspace(0, 1, IMAGE_SIZE)[:, None]
    return Image.fromarray(np.repeat(rows.round().astype(np.uint8)[:, None], IMAGE_SIZE, axis=1))


def draw(sprites: Sprites, scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """The scene's pixels, uint8 [128, 128, 3]."""
    drawn = [sprite_of(sprites, scene.pack, thing.concept) for thing in scene.things]
    painted = [
        recolour(sprite, thing.colour) if thing.colour else sprite
        for sprite, thing in zip(drawn, scene.things, strict=True)
    ]
    return arrange(painted, backdrop(scene.background, rng), layout_of(scene), rng)


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
        canvas = backdrop(draw_scene(rng).background, rng)
    else:
        red, green, blue = rng.integers(0, 256, 3).tolist()
        canvas = plain((red, green, blue))
    return arrange([sprite], canvas, layout(1), rng)


def to_tensor(pixels: list[np.ndarray]) -> Tensor:
    """uint8 pictures [128, 128, 3] as one float batch [batch, 3, 128, 128] in [-1, 1]."""
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous()
