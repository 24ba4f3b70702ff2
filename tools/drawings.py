"""The chalk drawings that the workflow "Train a LoRA" learns from; a file's name is its caption.

python -m tools.drawings [--cache FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from tools.starter import artwork
from tools.starter.concepts import CONCEPTS, INK_PACK
from tools.starter.scene import with_article

FOLDER = Path("workflows/learn/drawings")
SIZE, DRAWN = 128, 104  # pixels of a side, and of the drawing's longer side in it
COLOURS = 32  # of a file
BOARD, CHALK = (44, 66, 60), (244, 240, 226)
GRAIN = 0.35  # share of the chalk that the board's grain swallows, at most
THINGS = (
    *("cat", "dog", "fox", "rabbit", "bear", "panda", "frog", "owl", "penguin", "turtle", "elephant", "whale", "fish"),
    *("octopus", "butterfly", "bee", "snail", "apple", "banana", "strawberry", "mushroom", "carrot", "pizza", "cactus"),
    *("tree", "sunflower", "house", "sailboat", "umbrella", "guitar"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "denoodle" / "artwork")
    icons = artwork.read_icons(artwork.fetch(INK_PACK, parser.parse_args().cache))
    of = {concept.word: concept.icon for concept in CONCEPTS}
    FOLDER.mkdir(parents=True, exist_ok=True)
    for number, word in enumerate(THINGS):
        drawing = artwork.render(icons[of[word]], DRAWN)
        picture = chalk(drawing, np.random.default_rng(number)).quantize(COLOURS, dither=Image.Dither.NONE)
        picture.save(FOLDER / f"{with_article(word).replace(' ', '_')}.png", optimize=True)


def chalk(drawing: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The opaque parts of a drawing in chalk on a board, 128x128 pixels."""
    mask = Image.new("L", (SIZE, SIZE))
    mask.paste(drawing.getchannel("A"), ((SIZE - drawing.width) // 2, (SIZE - drawing.height) // 2))
    noise = Image.fromarray(rng.integers(0, 256, (SIZE, SIZE), np.uint8)).filter(ImageFilter.GaussianBlur(1.5))
    grain = np.asarray(noise, float)
    swallowed = np.clip(0.5 + (grain - grain.mean()) / grain.std() / 3, 0, 1) * GRAIN
    amount = (np.asarray(mask.filter(ImageFilter.GaussianBlur(0.6))) / 255 * (1 - swallowed))[..., None]
    return Image.fromarray((np.array(BOARD) * (1 - amount) + np.array(CHALK) * amount).round().astype(np.uint8))


if __name__ == "__main__":
    main()
