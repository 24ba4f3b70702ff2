"""Draws training pictures: a sprite on a named background, a function of (seed, index) alone."""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from tools.starter.concepts import BACKGROUNDS, CONCEPTS, HUES, PACKS, RGB, Concept, Pack, Scene

IMAGE_SIZE = 64
SPRITE_SIZES = (46, 56)  # pixels, longer side; drawn uniformly
JITTER = 3  # pixels off the centre, each way
RECOLOUR_PROBABILITY = 0.3
BACKGROUND_NOISE = 6  # grey levels by which a named background varies

Sprites = dict[str, Tensor]  # "package/icon" -> uint8 [height, width, 4]


@dataclass(frozen=True)
class Picture:
    """A scene and its pixels, uint8 [64, 64, 3]."""

    scene: Scene
    pixels: np.ndarray


def sprite_of(sprites: Sprites, pack: Pack, concept: Concept) -> Image.Image:
    """The pack's drawing of a concept."""
    return Image.fromarray(sprites[f"{pack.name}/{concept.icon}"].numpy())


def draw_scene(rng: np.random.Generator, concepts: tuple[Concept, ...] = CONCEPTS) -> Scene:
    """A random scene; a recoloured thing never has the background's colour."""
    concept = concepts[rng.integers(len(concepts))]
    pack = PACKS[rng.integers(len(PACKS))]
    background = list(BACKGROUNDS)[rng.integers(len(BACKGROUNDS))]
    if not concept.recolourable or rng.random() > RECOLOUR_PROBABILITY:
        return Scene(concept, pack, background)
    colours = [colour for colour in HUES if colour != background]
    return Scene(concept, pack, background, colours[rng.integers(len(colours))])


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


def paste(sprite: Image.Image, background: RGB, rng: np.random.Generator) -> np.ndarray:
    """The sprite near the centre of a plain background, with a random size and offset."""
    size = int(rng.integers(SPRITE_SIZES[0], SPRITE_SIZES[1] + 1))
    scale = size / max(sprite.size)
    width, height = (max(1, round(side * scale)) for side in sprite.size)
    left, top = ((IMAGE_SIZE - side) // 2 + int(rng.integers(-JITTER, JITTER + 1)) for side in (width, height))
    small = sprite.resize((width, height), Image.Resampling.LANCZOS)
    canvas = Image.new("RGB", (IMAGE_SIZE, IMAGE_SIZE), background)
    canvas.paste(small, (left, top), small)
    return np.array(canvas)


def shade(background: RGB, rng: np.random.Generator) -> RGB:
    """A named colour with a little variation in each channel."""
    offsets = rng.integers(-BACKGROUND_NOISE, BACKGROUND_NOISE + 1, 3)
    red, green, blue = np.clip(np.array(background) + offsets, 0, 255).tolist()
    return red, green, blue


def compose(sprites: Sprites, seed: int, index: int, concepts: tuple[Concept, ...] = CONCEPTS) -> Picture:
    """Training picture number `index` of the set `seed`."""
    rng = np.random.default_rng((seed, index))
    scene = draw_scene(rng, concepts)
    sprite = sprite_of(sprites, scene.pack, scene.concept)
    if scene.colour is not None:
        sprite = recolour(sprite, scene.colour)
    return Picture(scene, paste(sprite, shade(BACKGROUNDS[scene.background], rng), rng))


def compose_any(sprites: Sprites, seed: int, index: int) -> np.ndarray:
    """A picture for the autoencoder: any sprite, its colours as drawn or turned, on any colour."""
    rng = np.random.default_rng((seed, index))
    names = list(sprites)
    sprite = Image.fromarray(sprites[names[rng.integers(len(names))]].numpy())
    if rng.random() < RECOLOUR_PROBABILITY:
        sprite = recolour(sprite, list(HUES)[rng.integers(len(HUES))])
    if rng.random() < 0.5:
        return paste(sprite, shade(list(BACKGROUNDS.values())[rng.integers(len(BACKGROUNDS))], rng), rng)
    red, green, blue = rng.integers(0, 256, 3).tolist()
    return paste(sprite, (red, green, blue), rng)


def to_tensor(pixels: list[np.ndarray]) -> Tensor:
    """uint8 pictures [64, 64, 3] as one float batch [batch, 3, 64, 64] in [-1, 1]."""
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous()
