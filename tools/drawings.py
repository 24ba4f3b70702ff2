"""The captioned drawings that the workflow "Train a LoRA" learns from.

python -m tools.drawings [--cache FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from tools.starter import artwork
from tools.starter.concepts import INK_PACK

FOLDER = Path("workflows/learn/drawings")
SIZE, DRAWN = 64, 54  # pixels of a side, and of the drawing's longer side in it
THINGS = {  # word in the caption: icon of the pack
    "cat": "cat-face",
    "dog": "dog-face",
    "fox": "fox",
    "panda": "panda",
    "frog": "frog",
    "fish": "tropical-fish",
    "butterfly": "butterfly",
    "apple": "red-apple",
    "mushroom": "mushroom",
    "rocket": "rocket",
    "house": "house",
    "snowman": "snowman-without-snow",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "denoodle" / "artwork")
    icons = artwork.read_icons(artwork.fetch(INK_PACK, parser.parse_args().cache))
    FOLDER.mkdir(parents=True, exist_ok=True)
    for word, icon in THINGS.items():
        on_white(artwork.render(icons[icon], DRAWN)).save(FOLDER / f"{word}.png", optimize=True)
        (FOLDER / f"{word}.txt").write_text(f"a {word} on a white background\n", "utf-8")


def on_white(drawing: Image.Image) -> Image.Image:
    picture = Image.new("RGB", (SIZE, SIZE), "white")
    picture.paste(drawing, ((SIZE - drawing.width) // 2, (SIZE - drawing.height) // 2), drawing)
    return picture


if __name__ == "__main__":
    main()
