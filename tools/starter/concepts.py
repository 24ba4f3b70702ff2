"""What the starter model knows: concepts, named colours, sizes, positions, numbers and artwork packs."""

from dataclasses import dataclass
from typing import Literal

RGB = tuple[int, int, int]


@dataclass(frozen=True)
class Concept:
    """One thing to draw: the word in captions, the icon's name in the packs, and whether it comes in other colours."""

    word: str
    icon: str
    recolourable: bool = False


@dataclass(frozen=True)
class Pack:
    """One artwork package on npm, and the style word that captions use for it.

    contents: "iconify" is one JSON of SVG bodies by name; "webp" is one picture for each code point.
    """

    name: str
    version: str
    style: str
    title: str
    author: str
    source: str
    licence: str
    contents: Literal["iconify", "webp"] = "iconify"


PACKS = (
    Pack(
        "@iconify-json/noto",
        "1.2.9",
        "shaded",
        "Noto Emoji",
        "Google",
        "github.com/googlefonts/noto-emoji",
        "Apache-2.0",
    ),
    Pack(
        "@iconify-json/fluent-emoji-flat",
        "1.2.6",
        "flat",
        "Fluent UI Emoji, flat",
        "Microsoft Corporation",
        "github.com/microsoft/fluentui-emoji",
        "MIT",
    ),
    Pack(
        "@lobehub/fluent-emoji-3d",
        "1.1.0",
        "3d",
        "Fluent UI Emoji, 3D",
        "Microsoft Corporation",
        "github.com/lobehub/fluent-emoji",
        "MIT",
        "webp",
    ),
)

# Its list of names and code points names the pictures of the packs that have code points alone.
NAMING_PACK = PACKS[1]

# Never trained on: it tells how far two artists' drawings of one thing lie apart.
HELD_OUT_PACK = Pack(
    "@iconify-json/twemoji", "1.2.5", "", "Twemoji", "Twitter", "github.com/jdecked/twemoji", "CC-BY-4.0"
)

# Kept out of the base: the style LoRA learns it.
INK_PACK = Pack(
    "@iconify-json/fluent-emoji-high-contrast",
    "1.2.6",
    "ink",
    "Fluent UI Emoji, high contrast",
    "Microsoft Corporation",
    "github.com/microsoft/fluentui-emoji",
    "MIT",
)

CONCEPTS = (
    Concept("cat", "cat-face", recolourable=True),
    Concept("dog", "dog-face", recolourable=True),
    Concept("fox", "fox", recolourable=True),
    Concept("panda", "panda"),
    Concept("frog", "frog", recolourable=True),
    Concept("octopus", "octopus", recolourable=True),
    Concept("fish", "fish", recolourable=True),
    Concept("butterfly", "butterfly", recolourable=True),
    Concept("ladybug", "lady-beetle", recolourable=True),
    Concept("pizza", "pizza"),
    Concept("apple", "red-apple", recolourable=True),
    Concept("banana", "banana", recolourable=True),
    Concept("strawberry", "strawberry", recolourable=True),
    Concept("watermelon", "watermelon"),
    Concept("mushroom", "mushroom", recolourable=True),
    Concept("doughnut", "doughnut", recolourable=True),
    Concept("cactus", "cactus", recolourable=True),
    Concept("sunflower", "sunflower"),
    Concept("tree", "evergreen-tree", recolourable=True),
    Concept("rainbow", "rainbow"),
    Concept("sun", "sun", recolourable=True),
    Concept("moon", "crescent-moon", recolourable=True),
    Concept("star", "star", recolourable=True),
    Concept("rocket", "rocket", recolourable=True),
    Concept("car", "automobile", recolourable=True),
    Concept("house", "house", recolourable=True),
    Concept("umbrella", "umbrella", recolourable=True),
    Concept("balloon", "balloon", recolourable=True),
    Concept("heart", "red-heart", recolourable=True),
    Concept("ghost", "ghost"),
    Concept("robot", "robot"),
    Concept("snowman", "snowman-without-snow"),
)

BACKGROUNDS: dict[str, RGB] = {
    "white": (255, 255, 255),
    "black": (16, 16, 18),
    "gray": (136, 138, 142),
    "red": (214, 44, 46),
    "orange": (250, 146, 36),
    "yellow": (252, 222, 72),
    "green": (62, 166, 74),
    "blue": (44, 110, 222),
    "purple": (134, 66, 190),
    "pink": (250, 160, 200),
}

# Hue in turns, as colorsys counts it.
HUES: dict[str, float] = {
    "red": 0.99,
    "orange": 0.08,
    "yellow": 0.14,
    "green": 0.35,
    "blue": 0.60,
    "purple": 0.77,
    "pink": 0.92,
}

SIZES = ("small", "big")
POSITIONS = {"left": "on the left", "right": "on the right", "top": "at the top", "bottom": "at the bottom"}
NUMBERS = {2: "two", 3: "three", 4: "four"}
